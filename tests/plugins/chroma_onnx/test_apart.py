"""A network of others takes its time and its memory in another process, and costs an error.

The networks are made by the test. What they answer is compared with a session in this process.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chroma_core.errors import ModelError, ModelFormatError, ModelMismatch
from chroma_core.guarded import GuardedProcess, Stopped
from chroma_core.pictures.worker import resident_bytes
from chroma_core.stages import Grid

pytest.importorskip("onnxruntime")

from chroma_onnx import apart, external
from chroma_onnx.encoder import load_session
from chroma_onnx.external import external_tensors
from chroma_onnx.foreign import OnnxFileOptions, OnnxFileRegressor
from chroma_onnx.profiles import PROFILES, network_input

onnx = pytest.importorskip("onnx")

MIB = 1 << 20
FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
SIDE = 32


def tensor(values, name, dtype=np.int64):
    return onnx.numpy_helper.from_array(np.asarray(values, dtype), name)


def file_of(nodes, tensors=(), gives=(1, 2, SIDE, SIDE)):
    """Return an ONNX file that takes L* as ``input`` and gives ``output``."""
    values = [
        onnx.helper.make_tensor_value_info(name, FLOAT, shape)
        for name, shape in (("input", (1, 1, SIDE, SIDE)), ("output", gives))
    ]
    graph = onnx.helper.make_graph(nodes, "g", values[:1], values[1:], list(tensors))
    opset = onnx.helper.make_opsetid("", 17)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def random_network(seed=0):
    """Return a network of random weights, whose answer depends on the order of its sums."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, 0.1, shape) for shape in ((64, 1, 7, 7), (2, 64, 7, 7))]
    names = ["first", "second"]
    nodes = [
        onnx.helper.make_node("Conv", ["input", "first"], ["a"], pads=[3] * 4),
        onnx.helper.make_node("Sigmoid", ["a"], ["b"]),
        onnx.helper.make_node("Conv", ["b", "second"], ["output"], pads=[3] * 4),
    ]
    return file_of(nodes, [tensor(w, n, np.float32) for w, n in zip(weights, names, strict=True)])


def spread(shape):
    """Return nodes and tensors that spread ``input`` to a shape, as ``much``.

    The shape follows from the input, so that nothing can be worked out before there is one.
    """
    nodes = [
        onnx.helper.make_node("ReduceMin", ["input"], ["least"], keepdims=0),
        onnx.helper.make_node("Cast", ["least"], ["whole"], to=INT64),
        onnx.helper.make_node("Mul", ["whole", "none"], ["nothing"]),
        onnx.helper.make_node("Add", ["sides", "nothing"], ["shape"]),
        onnx.helper.make_node("Expand", ["input", "shape"], ["much"]),
    ]
    return nodes, [tensor(shape, "sides"), tensor(0, "none")]


def greedy(size):
    """Return a network that spreads its input over so many bytes, and adds them up again."""
    nodes, tensors = spread([size // (4 * SIDE * SIDE), 1, SIDE, SIDE])
    nodes += [
        onnx.helper.make_node("ReduceSum", ["much", "axes"], ["sum"], keepdims=1),
        onnx.helper.make_node("Concat", ["sum", "sum"], ["output"], axis=1),
    ]
    return file_of(nodes, [*tensors, tensor([0], "axes")])


def growing():
    """Return a network that appends to what it has, 16 MiB a turn, and never ends."""
    body = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Identity", ["go"], ["go_on"]),
            onnx.helper.make_node("Concat", ["held", "block"], ["more"], axis=0),
        ],
        "body",
        [
            onnx.helper.make_tensor_value_info("turn", INT64, []),
            onnx.helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, []),
            onnx.helper.make_tensor_value_info("held", FLOAT, ["n"]),
        ],
        [
            onnx.helper.make_tensor_value_info("go_on", onnx.TensorProto.BOOL, []),
            onnx.helper.make_tensor_value_info("more", FLOAT, ["m"]),
        ],
    )
    return looping(body, [onnx.helper.make_node("Expand", ["one", "size"], ["block"])])


def endless():
    """Return a network that turns in a circle."""
    body = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Identity", ["go"], ["go_on"]),
            onnx.helper.make_node("Identity", ["held"], ["more"]),
        ],
        "body",
        [
            onnx.helper.make_tensor_value_info("turn", INT64, []),
            onnx.helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, []),
            onnx.helper.make_tensor_value_info("held", FLOAT, ["n"]),
        ],
        [
            onnx.helper.make_tensor_value_info("go_on", onnx.TensorProto.BOOL, []),
            onnx.helper.make_tensor_value_info("more", FLOAT, ["m"]),
        ],
    )
    return looping(body, [])


def looping(body, before):
    """Return a network with a loop of 2**62 turns whose end nothing but the loop can know."""
    nodes = [
        *before,
        onnx.helper.make_node("ReduceMin", ["input"], ["least"], keepdims=0),
        # L* is never so low: the loop goes on.
        onnx.helper.make_node("Greater", ["least", "low"], ["go_first"]),
        onnx.helper.make_node("Loop", ["turns", "go_first", "start"], ["last"], body=body),
        onnx.helper.make_node("ReduceSum", ["last"], ["sum"], keepdims=0),
        onnx.helper.make_node("Add", ["input", "sum"], ["one_channel"]),
        onnx.helper.make_node("Concat", ["one_channel", "one_channel"], ["output"], axis=1),
    ]
    return file_of(
        nodes,
        [
            tensor(2**62, "turns"),
            tensor(-1.0, "low", np.float32),
            tensor([0.0], "start", np.float32),
            tensor([1.0], "one", np.float32),
            tensor([4 * MIB], "size"),
        ],
    )


@pytest.fixture
def stage(tmp_path):
    """Return a function from the content of a file and options to the stage."""

    def made(content, name="network.onnx", **options):
        path = tmp_path / name
        path.write_bytes(content)
        return OnnxFileRegressor(OnnxFileOptions(path=path, profile="eccv16", **options))

    return made


@pytest.fixture
def limited(monkeypatch):
    """Let the process have 512 MiB."""
    monkeypatch.setenv("CHROMA_WORKER_MEMORY", "512Mi")


def picture(seed=0):
    return np.random.default_rng(seed).uniform(1, 99, (SIDE, SIDE)).astype(np.float32)


def chroma_of(regressor, lightness):
    features = np.zeros((*lightness.shape, 0), np.float32)
    return regressor.predict(features, lightness, Grid.every_pixel(*lightness.shape)).chroma


def process():
    return apart._processes[-1]


# --- the same answer -----------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_answers_are_those_of_a_session_in_this_process(stage, threads):
    content = random_network()
    session = load_session(content, threads)
    regressor = stage(content, threads=threads)
    for seed in range(3):
        given = network_input(picture(seed), PROFILES["eccv16"], (SIDE, SIDE))
        (wanted,) = session.run(None, {"input": given})

        np.testing.assert_array_equal(
            chroma_of(regressor, picture(seed)), np.moveaxis(wanted[0], 0, -1)
        )


def test_one_process_serves_all_pictures_and_all_networks(stage):
    regressors = [stage(random_network(seed), f"{seed}.onnx") for seed in range(4)]
    first = [chroma_of(regressor, picture()) for regressor in regressors]
    number = process().pid

    # More networks than are kept: each is loaded again when its turn comes.
    assert len(regressors) > apart.KEPT
    again = [chroma_of(regressor, picture()) for regressor in regressors]
    assert process().pid == number
    np.testing.assert_array_equal(again, first)


def test_a_file_that_changed_before_it_is_loaded_again_is_refused(stage, tmp_path):
    regressor = stage(random_network(), "first.onnx")
    for seed in range(1, apart.KEPT + 1):
        stage(random_network(seed), f"{seed}.onnx")
    (tmp_path / "first.onnx").write_bytes(random_network(9))

    with pytest.raises(ModelMismatch, match="has changed since it was read first"):
        chroma_of(regressor, picture())


def test_a_relative_path_is_found_again_after_the_folder_was_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "network.onnx").write_bytes(random_network())
    options = OnnxFileOptions(path=Path("network.onnx"), profile="eccv16")
    regressor = OnnxFileRegressor(options)
    before = chroma_of(regressor, picture())
    process().close()
    monkeypatch.chdir("/")

    np.testing.assert_array_equal(chroma_of(regressor, picture()), before)


# --- too much ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [greedy(1024 * MIB), greedy(65_536 * MIB), growing()],
    ids=["1 GiB", "64 GiB", "without end"],
)
def test_a_network_that_takes_too_much_memory_costs_an_error(stage, limited, content):
    before = resident_bytes(os.getpid())
    regressor = stage(content)
    for _ in range(2):
        with pytest.raises(ModelError) as caught:
            chroma_of(regressor, picture())

        error = caught.value
        assert (error.exit_status, error.kind, error.hint) == (75, "memory", "CHROMA_WORKER_MEMORY")
        # Whose picture it was, the caller knows.
        assert error.what == "the network network.onnx takes more than 536,870,912 bytes of memory"
        assert error.path == ""
    # This process took nothing for it, and goes on, with a new one beside it.
    assert resident_bytes(os.getpid()) - before < 64 * MIB
    good = stage(random_network(), "good.onnx")
    assert chroma_of(good, picture()).shape == (SIDE, SIDE, 2)


def test_a_network_of_less_than_the_limit_runs(stage, limited):
    """So the others fail for their size, and for nothing else of their making."""
    answer = chroma_of(stage(greedy(16 * MIB)), np.full((SIDE, SIDE), 50, np.float32))

    # 4,096 times L*; a few thousand sums of float32, and L* to gray and back.
    np.testing.assert_allclose(answer, 4096 * 50, rtol=1e-4)


def test_what_is_kept_of_other_networks_is_not_charged_to_the_next(stage, monkeypatch):
    first, second = (stage(random_network(seed), f"{seed}.onnx") for seed in range(2))
    wanted = [chroma_of(regressor, picture()) for regressor in (first, second)]
    number = process().pid
    asked = []

    def crowded(self, question, *rest, **bounds):
        asked.append((self.pid, question["do"]))
        if (self.pid, question["do"]) == (number, "run"):
            self.close()
            raise Stopped("memory", "takes more than it may")
        return real(self, question, *rest, **bounds)

    real = GuardedProcess.ask
    monkeypatch.setattr(GuardedProcess, "ask", crowded)

    np.testing.assert_array_equal(chroma_of(second, picture()), wanted[1])
    fresh = process().pid
    assert asked == [
        *[(number, what) for what in ("tell", "run")],
        *[(fresh, what) for what in ("tell", "load", "run")],
    ]
    # The second network alone is to blame now.
    number = fresh
    with pytest.raises(ModelError, match=r"1\.onnx takes more than it may"):
        chroma_of(second, picture())


def test_a_network_that_never_ends_costs_an_error(stage):
    regressor = stage(endless(), timeout=1.0)
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"network\.onnx was stopped after \d+ s") as caught:
        chroma_of(regressor, picture())

    assert time.monotonic() - began < 30
    assert (caught.value.exit_status, caught.value.kind) == (75, "timeout")
    assert "onnx-file.timeout" in caught.value.hint


def test_the_next_picture_is_coloured_after_the_process_was_lost(stage):
    regressor = stage(random_network())
    before = chroma_of(regressor, picture())
    lost = process().pid
    os.kill(lost, signal.SIGKILL)
    os.waitid(os.P_PID, lost, os.WEXITED | os.WNOWAIT)

    np.testing.assert_array_equal(chroma_of(regressor, picture()), before)
    assert process().pid != lost


def test_a_crash_names_the_file_and_how_it_ended(stage, monkeypatch):
    regressor = stage(random_network())
    os.kill(process().pid, signal.SIGKILL)
    dead = process()
    monkeypatch.setattr(apart, "_current", lambda: dead)

    with pytest.raises(ModelError, match=r"network\.onnx ended its process \(signal 9\)") as caught:
        chroma_of(regressor, picture())
    assert (caught.value.exit_status, caught.value.kind) == (75, "crash")


def test_a_network_that_cannot_even_be_loaded_costs_an_error(stage, tmp_path, monkeypatch):
    # Less than the process has once onnxruntime is there.
    monkeypatch.setenv("CHROMA_WORKER_MEMORY", "40Mi")

    with pytest.raises(ModelError, match="takes more than 41,943,040 bytes of memory") as caught:
        stage(random_network())
    assert caught.value.exit_status == 75
    assert caught.value.path == str(tmp_path / "network.onnx")


# --- answers that are none -----------------------------------------------------------------------


def test_an_answer_that_is_too_large_is_not_taken(stage):
    nodes, tensors = spread([1, 2, 32 * SIDE, 32 * SIDE])
    nodes[-1].input[0] = "least_pixel"
    nodes.insert(1, onnx.helper.make_node("ReduceMin", ["input"], ["least_pixel"], keepdims=1))
    nodes.append(onnx.helper.make_node("Identity", ["much"], ["output"]))
    content = file_of(nodes, tensors, gives=(1, 2, "h", "w"))
    regressor = stage(content)
    assert chroma_of(regressor, picture()).shape == (32 * SIDE, 32 * SIDE, 2)

    tensors[0].raw_data = np.array([1, 2, 8192, 8192], "<i8").tobytes()
    regressor = stage(file_of(nodes, tensors, gives=(1, 2, "h", "w")))
    with pytest.raises(ModelFormatError, match="answers with 536,870,912 bytes, wanted 268,435"):
        chroma_of(regressor, picture())


@pytest.mark.parametrize(
    "told", [{"dtype": "object", "shape": [1]}, {"dtype": "float32", "shape": [3]}], ids=str
)
def test_an_answer_that_does_not_fit_what_is_said_of_it_is_not_taken(stage, monkeypatch, told):
    regressor = stage(random_network())
    monkeypatch.setattr(
        apart.SessionApart, "_ask", lambda *_: ({"held": True, **told}, bytearray(8))
    )

    with pytest.raises(ModelError, match="answered with something else"):
        chroma_of(regressor, picture())


# --- networks larger than any --------------------------------------------------------------------


def test_too_many_nodes_are_refused(stage, monkeypatch):
    names = ["input", *(f"x{count}" for count in range(20)), "wide"]
    nodes = [
        onnx.helper.make_node("Identity", [one], [other])
        for one, other in itertools.pairwise(names)
    ]
    nodes.append(onnx.helper.make_node("Concat", ["wide", "wide"], ["output"], axis=1))
    content = file_of(nodes)
    monkeypatch.setattr(external, "MOST_NODES", len(nodes))
    assert external_tensors(content) == []

    monkeypatch.setattr(external, "MOST_NODES", len(nodes) - 1)
    with pytest.raises(ModelFormatError, match="has more than 21 nodes"):
        external_tensors(content)


def test_a_flood_of_nodes_is_refused_with_its_path(stage):
    """Empty nodes of two bytes each: a file of a megabyte asks for half a million."""
    node = b"\x0a\x00"
    graph = node * (external.MOST_NODES + 1)
    size = len(graph)
    length = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14])
    with pytest.raises(ModelFormatError, match="has more than 100,000 nodes") as caught:
        stage(b"\x08\x08" + b"\x3a" + length + graph)

    assert caught.value.path.endswith("network.onnx")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("sides", "fits"),
    [
        ([2**31], True),
        ([2**31 + 1], False),
        ([2**16, 2**16], False),
        ([0, 2**40], False),
        ([-1], False),
        ([], True),
    ],
    ids=str,
)
def test_a_tensor_that_claims_more_than_a_file_can_hold_is_refused(sides, fits, packed):
    claims = onnx.TensorProto(name="w", data_type=FLOAT, dims=sides)
    content = onnx.ModelProto(graph=onnx.GraphProto(initializer=[claims])).SerializeToString()
    if packed:
        # What onnx writes one by one may stand in one field: model 7, graph 5, tensor 1.
        numbers = b"".join(_varint(side) for side in sides)
        held = b"\x0a" + bytes([len(numbers)]) + numbers + b"\x10\x01"
        graph = b"\x2a" + bytes([len(held)]) + held
        content = b"\x3a" + bytes([len(graph)]) + graph
    if fits:
        assert external_tensors(content) == []
        return

    with pytest.raises(ModelFormatError, match="has a tensor of more than 2,147,483,648 numbers"):
        external_tensors(content)


def _varint(value):
    value %= 2**64
    parts = []
    while value >= 128:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


# --- the program ---------------------------------------------------------------------------------


PROGRAM = """
import sys
import numpy as np
from chroma_core.api import build
pipeline = build(
    features="pixels", regressor="onnx-file", join="bilinear", work_size=0,
    settings=[f"onnx-file.path={sys.argv[1]}", "onnx-file.profile=eccv16"],
)
pipeline(np.full((40, 40), 120, np.uint8))
from chroma_onnx import apart
print(apart._processes[-1].pid)
"""


def test_a_program_without_a_main_guard_runs_once_and_leaves_no_process(tmp_path):
    (tmp_path / "network.onnx").write_bytes(random_network())
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py"), str(tmp_path / "network.onnx")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    (line,) = done.stdout.splitlines()
    assert not os.path.exists(f"/proc/{line}")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_command_line_ends_with_75_and_a_line_for_each_picture(tmp_path, limited, workers):
    (tmp_path / "network.onnx").write_bytes(greedy(65_536 * MIB))
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        gray = np.round(picture(seed) * 2.55).astype(np.uint8)
        Image.fromarray(gray).save(tmp_path / "photos" / f"{seed}.png")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "chroma_core", "run", tmp_path / "photos"),
            *("-o", tmp_path / "out", "--workers", workers, "--features", "pixels"),
            *("--regressor", "onnx-file", "--set", f"onnx-file.path={tmp_path / 'network.onnx'}"),
            *("--set", "onnx-file.profile=eccv16"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if "error" in line]

    assert done.returncode == 75, done.stderr
    for place, line in enumerate(sorted(lines)):
        assert line.startswith(
            f"chroma: error: {tmp_path / 'photos' / f'{place}.png'}: the network"
        )
        assert "network.onnx takes more than" in line
    assert len(lines) == 2
    assert not list((tmp_path / "out").glob("*.png"))

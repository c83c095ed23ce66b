"""Networks of others: given what the published code gives them, and refused in one line.

The networks here are made by the test: so small that what they answer is known by heart, with the
inputs and outputs that exports of the published ones have.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chroma_core.api import build
from chroma_core.color import gray_to_lightness, rgb_to_lab
from chroma_core.errors import (
    InputError,
    ModelError,
    ModelFormatError,
    ModelMismatch,
    OptionError,
)
from chroma_core.provenance import arguments_of
from chroma_core.stages import Grid

pytest.importorskip("onnxruntime")

from chroma_onnx.external import _INSIDE, external_tensors
from chroma_onnx.foreign import OnnxFileOptions, OnnxFileRegressor
from chroma_onnx.profiles import PROFILES, Profile, network_input

onnx = pytest.importorskip("onnx")

FLOAT = onnx.TensorProto.FLOAT


def graph_bytes(nodes, takes, gives, initializers=()):
    """Return an ONNX file of these nodes, its inputs and outputs by name, shape and type."""

    def told(values):
        return [onnx.helper.make_tensor_value_info(name, *rest) for name, *rest in values]

    graph = onnx.helper.make_graph(nodes, "g", told(takes), told(gives), list(initializers))
    opset = onnx.helper.make_opsetid("", 17)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def network(takes, gives, kernel, *, kind=FLOAT, transposed=False):
    """Return a network that weighs the channels of each pixel; `kernel` has shape (2, C)."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    held = np.asarray(kernel, dtype=dtype)[..., np.newaxis, np.newaxis]
    tensor = onnx.numpy_helper.from_array(held, "kernel")
    nodes = [onnx.helper.make_node("Conv", ["input", "kernel"], ["output"])]
    if transposed:
        nodes = [
            onnx.helper.make_node("Transpose", ["input"], ["first"], perm=[0, 3, 1, 2]),
            onnx.helper.make_node("Conv", ["first", "kernel"], ["last"]),
            onnx.helper.make_node("Transpose", ["last"], ["output"], perm=[0, 2, 3, 1]),
        ]
    return graph_bytes(nodes, [("input", kind, takes)], [("output", kind, gives)], [tensor])


def ddcolor(size=512):
    """Return a network with the signature of DDColor: a* is 10 R + 20 G + 30 B, b* is -a*."""
    weights = [[10, 20, 30], [-10, -20, -30]]
    return network([1, 3, size, size], [1, 2, size, size], weights)


def zhang(size=256):
    """Return a network with the signature of ECCV16 and SIGGRAPH17: a* is L* / 2, b* is -L*."""
    return network([1, 1, size, size], [1, 2, size, size], [[0.5], [-1.0]])


@pytest.fixture
def stage(tmp_path):
    """Return a function from the content of a file and options to the stage."""

    def made(content, **options):
        path = tmp_path / "network.onnx"
        path.write_bytes(content)
        return OnnxFileRegressor(OnnxFileOptions(path=path, **options))

    return made


def chroma_of(regressor, lightness):
    features = np.zeros((*lightness.shape, 0), np.float32)
    return regressor.predict(features, lightness, Grid.every_pixel(*lightness.shape))


def photograph(height, width, seed=0):
    """Return encoded gray, uint8: waves and noise, so that every resizing shows."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = 120 + 80 * np.sin(x / 7) * np.cos(y / 5)
    return np.clip(waves + rng.normal(0, 12, waves.shape), 0, 255).astype(np.uint8)


# --- what the published code does, done by the libraries that it uses ---------------------------


def test_ddcolor_is_given_what_its_own_code_gives_it():
    cv2 = pytest.importorskip("cv2")
    gray = photograph(300, 420)
    rgb = np.repeat(gray[..., np.newaxis], 3, axis=-1)
    resized = cv2.resize((rgb / 255.0).astype(np.float32), (512, 512))
    lab = cv2.cvtColor(resized, cv2.COLOR_BGR2Lab)
    lab[..., 1:] = 0
    back = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    seen = network_input(gray_to_lightness(gray / 255), PROFILES["ddcolor"], (512, 512))

    assert seen.shape == (1, 3, 512, 512)
    assert seen.dtype == np.float32
    # To Lab and back changes no gray but by rounding; the interpolation is the same.
    np.testing.assert_allclose(seen[0], resized.transpose(2, 0, 1), rtol=0, atol=2e-6)
    # OpenCV takes the curves of sRGB and Lab from tables: its own way back is 1.9e-3 off.
    np.testing.assert_allclose(seen[0], back.transpose(2, 0, 1), rtol=0, atol=2.5e-3)


@pytest.mark.parametrize("name", ["eccv16", "siggraph17"])
@pytest.mark.parametrize("shape", [(300, 420), (90, 400), (256, 256)], ids=str)
def test_zhang_is_given_what_its_own_code_gives_it(name, shape):
    gray = photograph(*shape)
    rgb = np.repeat(gray[..., np.newaxis], 3, axis=-1)
    # The published code resizes bytes by Pillow's bicubic filter, and takes L* of the result.
    resized = np.asarray(Image.fromarray(rgb).resize((256, 256), resample=Image.Resampling.BICUBIC))
    wanted = rgb_to_lab(resized / 255.0)[np.newaxis, np.newaxis, ..., 0]
    seen = network_input(gray_to_lightness(gray / 255), PROFILES[name], (256, 256))

    assert seen.shape == (1, 1, 256, 256)
    # Bytes are rounded after rows and after columns, the first by half a level that the second
    # step's weights raise to 5/8 at most: 1.125 levels, of at most 0.51 L* each. What is not
    # resized is rounded nowhere, and differs by float32 alone.
    limit = 1e-4 if shape == (256, 256) else 1.125 * 0.51
    np.testing.assert_allclose(seen, wanted, rtol=0, atol=limit)


@pytest.mark.parametrize("shape", [(300, 420), (90, 400), (256, 256), (1, 5)], ids=str)
def test_bicubic_is_that_of_pillow(shape):
    lightness = np.random.default_rng(1).uniform(20, 80, shape).astype(np.float32)
    gray = network_input(
        lightness, Profile(size=shape[0], input="gray-rgb", resize="bicubic"), shape
    )[0, 0]
    profile = Profile(size=256, input="gray-rgb", resize="bicubic")
    pillow = Image.fromarray(gray).resize((256, 256), resample=Image.Resampling.BICUBIC)

    np.testing.assert_allclose(
        network_input(lightness, profile, (256, 256))[0, 0],
        np.clip(np.asarray(pillow), 0, 1),
        rtol=0,
        atol=2e-6,  # A dozen sums of float32.
    )


def test_lightness_goes_in_and_ab_comes_out_as_they_are(stage):
    answer = chroma_of(stage(zhang(), profile="eccv16"), np.full((64, 96), 60, np.float32))

    # float32, and L* to gray and back.
    np.testing.assert_allclose(answer.chroma[..., 0], 30, atol=1e-3)
    np.testing.assert_allclose(answer.chroma[..., 1], -60, atol=2e-3)


def test_ddcolor_takes_gray_in_0_to_1(stage):
    answer = chroma_of(stage(ddcolor()), np.full((64, 96), 100, np.float32))

    assert answer.chroma.shape == (512, 512, 2)
    np.testing.assert_allclose(answer.chroma[..., 0], 60, atol=1e-3)
    np.testing.assert_allclose(answer.chroma[..., 1], -60, atol=1e-3)


def test_custom_shifts_scales_and_sizes(stage):
    """An export of the older Caffe kind, whose shift and scales stand outside the network."""
    regressor = stage(
        network([1, 1, 224, 224], [1, 2, 224, 224], [[1.0], [2.0]]),
        profile="custom",
        input="lightness",
        offset=50.0,
        divisor=100.0,
        output_scale=110.0,
    )
    answer = chroma_of(regressor, np.full((64, 96), 80, np.float32))

    assert answer.chroma.shape == (224, 224, 2)
    np.testing.assert_allclose(answer.chroma[..., 0], 33, atol=1e-3)
    np.testing.assert_allclose(answer.chroma[..., 1], 66, atol=2e-3)


def test_channels_may_stand_last(stage):
    content = network([1, 32, 40, 3], [1, 32, 40, 2], [[1, 2, 3], [4, 5, 6]], transposed=True)
    answer = chroma_of(
        stage(content, profile="custom", input="gray-rgb", layout="nhwc"),
        np.full((8, 8), 100, np.float32),
    )

    assert answer.chroma.shape == (32, 40, 2)
    np.testing.assert_allclose(answer.chroma, np.broadcast_to([6, 15], (32, 40, 2)), atol=1e-4)


def test_networks_of_half_precision_run(stage):
    content = network(
        [1, 3, 64, 64], [1, 2, 64, 64], [[1, 1, 1], [2, 2, 2]], kind=onnx.TensorProto.FLOAT16
    )
    answer = chroma_of(stage(content), np.full((8, 8), 100, np.float32))

    assert answer.chroma.dtype == np.float32
    np.testing.assert_allclose(answer.chroma, np.broadcast_to([3, 6], (64, 64, 2)), atol=1e-2)


# --- where the answer lies -----------------------------------------------------------------------


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    answer=st.sampled_from([(16, 16), (4, 4)]),
)
def test_law_nodes_lie_in_the_middles_of_equal_parts(tmp_path_factory, shape, answer):
    path = tmp_path_factory.getbasetemp() / f"net{answer[0]}.onnx"
    if not path.exists():
        path.write_bytes(zhang(answer[0]))
    options = OnnxFileOptions(path=path, profile="eccv16")
    grid = chroma_of(OnnxFileRegressor(options), np.full(shape, 50, np.float32)).grid

    assert grid.shape == answer
    for side, count, places in zip(
        shape, answer, (grid.row_positions(), grid.col_positions()), strict=True
    ):
        # In the units of pixels' borders: from the first border to the last, in equal parts.
        edges = (places + 0.5) / side * count
        np.testing.assert_allclose(edges, np.arange(count) + 0.5, atol=1e-9)


def test_a_ramp_comes_back_in_its_place(stage):
    """A network that repeats L* answers what the picture has at each node."""
    lightness = np.linspace(20, 80, 128, dtype=np.float32)[np.newaxis].repeat(64, axis=0)
    answer = chroma_of(stage(zhang(32), profile="eccv16"), lightness)
    places = answer.grid.col_positions()
    seen = np.interp(places, np.arange(128), lightness[0])

    # The cubic filter keeps a ramp but at its ends; gray is a curve of L*, bent by less than this.
    np.testing.assert_allclose(-answer.chroma[10, 3:-3, 1], seen[3:-3], atol=0.05)


def test_a_picture_is_coloured_at_its_own_size(tmp_path):
    (tmp_path / "net.onnx").write_bytes(zhang())
    pipeline = build(
        features="pixels",
        regressor="onnx-file",
        join="bilinear",
        work_size=0,
        settings=[f"onnx-file.path={tmp_path / 'net.onnx'}", "onnx-file.profile=siggraph17"],
    )
    coloured = pipeline(np.full((90, 140), 128, np.uint8))
    lab = rgb_to_lab(coloured / 255.0)

    assert coloured.shape == (90, 140, 3)
    # L* 54 with a* 27 and b* -54 lies in sRGB; the result is rounded to bytes.
    np.testing.assert_allclose(lab[..., 1], 26.8, atol=0.6)
    np.testing.assert_allclose(lab[..., 2], -53.6, atol=0.6)


def test_threads_may_share_it_and_nothing_is_written_into(stage):
    regressor = stage(ddcolor(32))
    pictures = [gray_to_lightness(photograph(20, 30, seed) / 255) for seed in range(8)]
    for picture in pictures:
        picture.flags.writeable = False
    alone = [chroma_of(regressor, picture).chroma for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: chroma_of(regressor, one).chroma, pictures))

    np.testing.assert_array_equal(together, alone)


# --- sizes that a file leaves open ---------------------------------------------------------------


@pytest.mark.parametrize(("size", "given"), [(0, 256), (64, 64)])
def test_open_sizes_are_those_of_the_profile_or_the_option(stage, size, given):
    content = network(["n", 1, "h", "w"], ["n", 2, "h", "w"], [[1.0], [1.0]])
    answer = chroma_of(stage(content, profile="eccv16", size=size), np.zeros((5, 5), np.float32))

    assert answer.chroma.shape == (given, given, 2)


def test_a_file_that_says_its_size_is_given_that(stage):
    answer = chroma_of(stage(ddcolor(256)), np.zeros((5, 5), np.float32))

    assert answer.chroma.shape == (256, 256, 2)


def test_another_size_than_the_file_has_is_refused(stage):
    with pytest.raises(ModelMismatch, match=r"takes input \(1, 3, 512, 512\), not 256 x 256"):
        stage(ddcolor(), size=256)


@pytest.mark.parametrize("told", [["n", "c", "h", "w"], None], ids=["names", "nothing"])
def test_an_answer_that_the_file_leaves_open_is_checked_when_it_comes(stage, told):
    def made(kernel):
        held = np.asarray(kernel, np.float32)[..., np.newaxis, np.newaxis]
        shape = onnx.numpy_helper.from_array(np.array([1, len(kernel), 8, 8]), "shape")
        # onnxruntime cannot know the shape that a network computes from its input.
        nodes = [
            onnx.helper.make_node("Conv", ["input", "kernel"], ["mixed"]),
            onnx.helper.make_node("ReduceMin", ["input"], ["least"], keepdims=0),
            onnx.helper.make_node("Cast", ["least"], ["zero"], to=onnx.TensorProto.INT64),
            onnx.helper.make_node("Add", ["shape", "zero"], ["sides"]),
            onnx.helper.make_node("Reshape", ["mixed", "sides"], ["output"]),
        ]
        tensors = [onnx.numpy_helper.from_array(held, "kernel"), shape]
        takes, gives = [("input", FLOAT, [1, 1, 8, 8])], [("output", FLOAT, told)]
        return stage(graph_bytes(nodes, takes, gives, tensors), profile="eccv16")

    black = np.zeros((8, 8), np.float32)
    assert chroma_of(made([[1.0], [1.0]]), black).chroma.shape == (8, 8, 2)
    with pytest.raises(ModelMismatch, match=r"answers \(1, 3, 8, 8\); takes input \(1, 1, 8, 8\)"):
        chroma_of(made([[1.0], [1.0], [1.0]]), black)


# --- files that are not what they should be ------------------------------------------------------


def two_inputs():
    node = onnx.helper.make_node("Concat", ["l", "hint"], ["output"], axis=1)
    one = [1, 1, 256, 256]
    return graph_bytes(
        [node], [("l", FLOAT, one), ("hint", FLOAT, one)], [("output", FLOAT, [1, 2, 256, 256])]
    )


def two_outputs():
    nodes = [
        onnx.helper.make_node("Concat", ["l", "l"], ["ab"], axis=1),
        onnx.helper.make_node("Relu", ["ab"], ["classes"]),
    ]
    two = [1, 2, 256, 256]
    gives = [("ab", FLOAT, two), ("classes", FLOAT, two)]
    return graph_bytes(nodes, [("l", FLOAT, [1, 1, 256, 256])], gives)


def of_integers():
    kind = onnx.TensorProto.INT32
    node = onnx.helper.make_node("Concat", ["l", "l"], ["ab"], axis=1)
    return graph_bytes([node], [("l", kind, [1, 1, 256, 256])], [("ab", kind, [1, 2, 256, 256])])


@pytest.mark.parametrize(
    ("content", "profile", "said"),
    [
        (ddcolor(), "eccv16", r"takes input \(1, 3, 512, 512\) .* eccv16 takes \(1, 1, N, N\)"),
        (zhang(), "ddcolor", r"takes input \(1, 1, 256, 256\) .* ddcolor takes \(1, 3, N, N\)"),
        (two_inputs(), "siggraph17", r"takes l \(1, 1, 256, 256\), hint \(1, 1, 256, 256\) and"),
        (two_outputs(), "eccv16", r"gives ab \(1, 2, 256, 256\), classes \(1, 2, 256, 256\);"),
        (of_integers(), "eccv16", r"takes l \(1, 1, 256, 256\) tensor\(int32\)"),
        (network([2, 1, 8, 8], [2, 2, 8, 8], [[1], [1]]), "eccv16", r"input \(2, 1, 8, 8\)"),
        (network([1, 1, 8, 8], [1, 3, 8, 8], [[1]] * 3), "eccv16", r"output \(1, 3, 8, 8\)"),
        (network([1, "c", 8, 8], [1, 2, 8, 8], [[1], [1]]), "eccv16", r"input \(1, \?, 8"),
        (network([1, 1, 8192, 8], [1, 2, 8192, 8], [[1], [1]]), "eccv16", "8192"),
    ],
    ids=[
        "three channels for one",
        "one channel for three",
        "two inputs",
        "two outputs",
        "integers",
        "two at once",
        "three answered",
        "channels open",
        "too large",
    ],
)
def test_another_signature_than_the_profile_s_is_told_with_both(stage, content, profile, said):
    with pytest.raises(ModelMismatch, match=said) as caught:
        stage(content, profile=profile)
    assert caught.value.path.endswith("network.onnx")
    assert f"profile {profile} takes" in caught.value.what
    assert "\n" not in str(caught.value)


def test_answers_that_are_no_numbers_are_refused(stage):
    content = network([1, 1, 16, 16], [1, 2, 16, 16], [[np.nan], [1.0]])
    with pytest.raises(ModelFormatError, match="answered with 256 values that are NaN") as caught:
        chroma_of(stage(content, profile="eccv16"), np.full((8, 8), 50, np.float32))

    assert caught.value.path.endswith("network.onnx")


@pytest.mark.parametrize(
    "content",
    [b"", b"no network at all", b"\x08\x08", b"\x18\x00\x00\x00ORTM" + bytes(64), ddcolor()[:-50]],
    ids=["empty", "text", "no graph", "onnxruntime's own format", "cut off"],
)
def test_what_is_no_onnx_file_is_refused_with_its_path(stage, content):
    with pytest.raises(ModelFormatError, match="is no ONNX file") as caught:
        stage(content)

    assert caught.value.path.endswith("network.onnx")


def test_a_graph_that_onnxruntime_cannot_run_is_refused_with_its_path(stage, capfd):
    node = onnx.helper.make_node("NoSuchOperator", ["input"], ["output"])
    shapes = [("input", FLOAT, [1, 3, 8, 8])], [("output", FLOAT, [1, 2, 8, 8])]
    with pytest.raises(ModelFormatError, match="onnxruntime cannot run") as caught:
        stage(graph_bytes([node], *shapes))

    assert caught.value.path.endswith("network.onnx")
    assert "\n" not in str(caught.value)


def test_a_path_that_is_missing_ends_as_a_missing_model_does(tmp_path):
    with pytest.raises(ModelError, match="there is no such file") as caught:
        OnnxFileRegressor(OnnxFileOptions(path=tmp_path / "none.onnx"))
    with pytest.raises(ModelError) as model:
        build(model="no-such-model")

    assert caught.value.exit_status == model.value.exit_status
    assert caught.value.path == str(tmp_path / "none.onnx")


def test_a_folder_is_no_network(tmp_path):
    with pytest.raises(ModelFormatError, match="is no file"):
        OnnxFileRegressor(OnnxFileOptions(path=tmp_path))


def test_without_a_path_the_option_is_named():
    with pytest.raises(ModelError, match=r"--set onnx-file\.path=FILE"):
        chroma_of(OnnxFileRegressor(), np.zeros((4, 4), np.float32))


def test_features_of_another_grid_are_refused(stage):
    grid = Grid.regular(16, 16, 4)
    with pytest.raises(ModelMismatch, match="--features pixels"):
        stage(zhang(16), profile="eccv16").predict(
            np.zeros((*grid.shape, 0), np.float32), np.zeros(grid.shape, np.float32), grid
        )


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "ddcolor", "divisor": 2.0},
        {"profile": "eccv16", "layout": "nhwc"},
        {"profile": "custom", "divisor": 0.0},
        {"profile": "custom", "offset": np.inf},
        {"sha256": "abc"},
        {"size": 5000},
    ],
    ids=str,
)
def test_options_that_would_mean_nothing_are_refused(options):
    with pytest.raises(OptionError, match=list(options)[-1]):
        OnnxFileOptions(**options)


# --- tensors in other files ----------------------------------------------------------------------


def outside(name="w", location="weights.bin"):
    tensor = onnx.TensorProto(name=name, data_type=FLOAT, dims=[2, 1, 1, 1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="offset", value="0")
    tensor.external_data.add(key="location", value=location)
    return tensor


def as_initializer():
    node = onnx.helper.make_node("Conv", ["input", "w"], ["output"])
    return [node], [outside()]


def as_attribute():
    return [
        onnx.helper.make_node("Constant", [], ["w"], value=outside()),
        onnx.helper.make_node("Conv", ["input", "w"], ["output"]),
    ], []


def in_a_branch():
    node = onnx.helper.make_node("Identity", ["w"], ["branch"])
    told = onnx.helper.make_tensor_value_info("branch", FLOAT, [2, 1, 1, 1])
    branch = onnx.helper.make_graph([node], "branch", [], [told], [outside()])
    yes = onnx.numpy_helper.from_array(np.array(True), "yes")
    return [
        onnx.helper.make_node("If", ["yes"], ["k"], then_branch=branch, else_branch=branch),
        onnx.helper.make_node("Conv", ["input", "k"], ["output"]),
    ], [yes]


@pytest.mark.parametrize("place", [as_initializer, as_attribute, in_a_branch])
def test_tensors_in_other_files_are_refused_by_name(stage, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    Path("weights.bin").write_bytes(np.ones(2, "<f4").tobytes())
    nodes, initializers = place()
    content = graph_bytes(
        nodes,
        [("input", FLOAT, [1, 1, 16, 16])],
        [("output", FLOAT, [1, 2, 16, 16])],
        initializers,
    )
    with pytest.raises(ModelFormatError, match=r"'w' in 'weights\.bin'.*one file") as caught:
        stage(content, profile="eccv16")

    assert caught.value.path.endswith("network.onnx")


def test_the_message_s_fields_are_those_of_onnx():
    """Each field in which a tensor can stand is known, by number; a newer ONNX may have more."""
    kinds = {
        "model": onnx.ModelProto,
        "training": onnx.TrainingInfoProto,
        "graph": onnx.GraphProto,
        "function": onnx.FunctionProto,
        "node": onnx.NodeProto,
        "attribute": onnx.AttributeProto,
        "sparse": onnx.SparseTensorProto,
        "tensor": onnx.TensorProto,
    }
    names = {kind.DESCRIPTOR.name: name for name, kind in kinds.items()}
    for name, kind in kinds.items():
        fields = {
            field.number: names[field.message_type.name]
            for field in kind.DESCRIPTOR.fields
            if field.message_type is not None and field.message_type.name in names
        }
        assert _INSIDE.get(name, {}) == fields


def told_of(content):
    """Return what is said of bytes that are no network, or nothing."""
    try:
        external_tensors(content)
    except ModelFormatError as error:
        return str(error)
    return ""


@given(st.binary(max_size=200))
def test_law_any_bytes_are_a_network_or_refused_in_one_line(content):
    assert told_of(content) in ("", "is no ONNX file")


@given(st.data())
def test_law_a_damaged_file_is_read_or_refused_in_one_line(data):
    content = bytearray(zhang(16))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))

    assert told_of(bytes(content)) in ("", "is no ONNX file")


# --- what a picture says of its network ----------------------------------------------------------


def test_a_picture_names_the_file_and_its_digest_and_no_place(stage, tmp_path):
    content = zhang(16)
    options = stage(content, profile="eccv16").options

    assert options.path == Path("network.onnx")
    assert options.sha256 == hashlib.sha256(content).hexdigest()


def test_what_a_picture_says_builds_the_same_pipeline_where_the_file_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").write_bytes(zhang(16))
    pipeline = build(
        features="pixels",
        regressor="onnx-file",
        settings=[f"onnx-file.path={tmp_path / 'net.onnx'}", "onnx-file.profile=eccv16"],
    )
    again = build(**arguments_of({**pipeline.describe(), "model": None}) | {"refiner": "none"})
    gray = photograph(40, 60)

    np.testing.assert_array_equal(again(gray), pipeline(gray))

    Path("net.onnx").write_bytes(zhang(32))
    with pytest.raises(ModelMismatch, match="has SHA-256"):
        build(**arguments_of({**pipeline.describe(), "model": None}) | {"refiner": "none"})


def test_a_record_that_names_a_place_on_the_disk_is_not_believed(tmp_path):
    regressor = {"name": "onnx-file", "version": 1, "options": {"path": "../other/net.onnx"}}
    record = {**build(features="pixels", regressor="none").describe(), "regressor": regressor}

    with pytest.raises(InputError, match=r"onnx-file\.path names a place"):
        arguments_of(record)

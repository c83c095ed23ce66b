"""Folders that someone damaged, or made to do harm: refused in one line, and no code runs.

Wherever the point is not the checksum itself, the checksum is put right, so that what is tested is
the defence behind it.
"""

import contextlib
import hashlib
import json
import os
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chroma_core.errors import ModelError, ModelFormatError
from chroma_core.models import load_model
from chroma_core.models.files import MODEL_BYTES, parse_json, read_weights

from .conftest import edit_description, put_together, put_weights, take_apart

A = "a.safetensors"


def refused(folder, said, file=""):
    with pytest.raises(ModelFormatError, match=said) as caught:
        load_model(folder)
    line = str(caught.value)
    assert str(folder / file) in line
    assert all(character.isprintable() for character in line)
    assert len(line) < 500 + len(str(folder))


# --- model.json ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON"),
        (b"[1, 2, 3]", "holds a list, wanted an object"),
        (b"[" * 200_000 + b"]" * 200_000, "nested more than 20 deep"),
        (b'{"a":' * 21 + b"1" + b"}" * 21, "nested more than 20 deep"),
        (b'{"name": "\xe9\xff"}', "is not JSON: 'utf-8' codec"),
        (b'{"format": 1, "format": 1}', "a key stands twice"),
        (b'{"format": NaN}', "NaN is no number"),
        (b'{"format": -Infinity}', "-Infinity is no number"),
        (b'{"format": 1e999}', "1e999 is beyond float64"),
        (b'{"format": ' + b"9" * 5000 + b"}", "is not JSON: Exceeds the limit"),
        (b'{"format": 999999, "made_by": "chroma 7"}', "has format 999999, this program reads 1"),
        (b"{}", "lacks the key 'format'"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else None,
)
def test_a_description_that_is_none_is_refused(good, content, said):
    (good / "model.json").write_bytes(content)

    refused(good, said, "model.json")


def test_a_newer_format_says_who_wrote_it(good):
    edit_description(good, lambda d: d.update(format=2, made_by="chroma-colorize 9.1"))

    refused(good, "made by 'chroma-colorize 9.1': upgrade", "model.json")


def test_a_huge_description_is_not_read(good):
    with (good / "model.json").open("r+b") as file:
        file.truncate(512 << 20)

    refused(good, "has 536,870,912 bytes, at most 1,048,576 wanted", "model.json")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d.update(weights="../x.safetensors"), "unknown key 'weights'"),
        (lambda d: d["features"][0].update(code="os"), "unknown key 'features.code'"),
        (lambda d: d.pop("files"), "lacks the key 'files'"),
        (lambda d: d.update(work_size=2**40), "work_size 1099511627776"),
        (lambda d: d.update(work_size=-1), "work_size -1"),
        (lambda d: d.update(work_size="256"), "work_size is of type str, wanted int"),
        (lambda d: d.update(work_size=True), "work_size is of type bool, wanted int"),
        (lambda d: d.update(name="../../etc"), "has the name '../../etc'"),
        (lambda d: d.update(name="\x1b[2J"), r"has the name '\\x1b\[2J'"),
        (lambda d: d["features"][0].update(name="../../x:os.system"), "features has the name"),
        (lambda d: d["features"][0].update(name="os.path"), "features has the name"),
        (lambda d: d["features"].clear(), "no features"),
        (lambda d: d["features"].extend(d["features"] * 20), "too many stages"),
        (lambda d: d["features"].append("sift"), "features holds a str"),
        (lambda d: d["regressor"]["options"].update(depth=2), "values that are not text"),
        (lambda d: d["files"].update({A: "0"}), "'a.safetensors' has no SHA-256"),
        (lambda d: d["files"].update({A: 0}), "'a.safetensors' has no SHA-256"),
    ],
)
def test_a_description_has_exactly_its_keys_types_and_bounds(good, edit, said):
    edit_description(good, edit)

    refused(good, said, "model.json")


@pytest.mark.parametrize("name", ["../good/a.safetensors", "/etc/passwd", "a.safetensors\0.png"])
def test_files_that_the_description_names_are_not_opened(good, name):
    edit_description(good, lambda d: d["files"].update({name: d["files"].pop(A)}))

    with pytest.raises(ModelError, match="its files are"):
        load_model(good)


def test_a_description_cut_anywhere_is_refused(good):
    whole = (good / "model.json").read_bytes().rstrip()

    for length in range(len(whole)):
        with pytest.raises(ModelFormatError, match="is not JSON"):
            parse_json(whole[:length], good)


# --- weights -------------------------------------------------------------------------------------


def edited(folder, edit):
    header, data = take_apart((folder / A).read_bytes())
    put_weights(folder, put_together(*edit(header, data)))


def test_weights_cut_at_every_boundary_are_refused(good):
    whole = (good / A).read_bytes()
    header, data = take_apart(whole)
    begin = len(whole) - len(data)
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    edges = {0, 8, begin, *(begin + end for end in ends)}

    cuts = {edge + by for edge in edges for by in (-1, 0, 1)} & set(range(len(whole)))
    for cut in sorted(cuts):
        put_weights(good, whole[:cut])
        refused(good, "bytes|is not JSON", A)
    assert len(cuts) > 20


def test_bytes_behind_the_data_are_refused(good):
    put_weights(good, (good / A).read_bytes() + bytes(4096))

    refused(good, "cut short or too long", A)


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, 1 << 32, 100_000_000, 2000])
def test_a_header_longer_than_the_file_is_not_believed(good, length):
    edited(good, lambda header, data: (header, data, length))

    refused(good, "claims a header of", A)


@pytest.mark.parametrize(
    ("header", "said"),
    [(b"{no", "is not JSON"), (b'{"a":' * 30 + b"1" + b"}" * 30, "nested more than 20 deep")],
)
def test_a_header_that_is_no_json_or_nests_is_refused(good, header, said):
    edited(good, lambda _, data: (header, data))

    refused(good, said, A)


def first_of(header):
    return next(name for name in header if name != "__metadata__")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("data_offsets", [0, 2**40], "does not fit its place"),
        ("data_offsets", [8, 0], "does not fit its place"),
        ("data_offsets", [0.0, 48.0], "does not fit its place"),
        ("data_offsets", "0:48", "does not fit its place"),
        ("shape", [2**32, 2**32], "wanted"),
        ("shape", [-1, 4], "wanted"),
        ("shape", [2**62], "wanted"),
        ("shape", [], "wanted"),
        ("shape", {"0": 8}, "wanted"),
        ("dtype", "F999", "dtype 'F999', wanted F16 or F32"),
        ("dtype", "F64", "dtype 'F64', wanted F16 or F32"),
        ("dtype", ["F32"], "wanted F16 or F32"),
        ("extra", 1, "has no dtype, shape and data_offsets"),
    ],
)
def test_a_tensor_is_what_the_stage_declares(good, key, value, said):
    def edit(header, data):
        header[first_of(header)][key] = value
        return header, data

    edited(good, edit)

    refused(good, said, A)


def test_tensors_do_not_share_bytes(good):
    def edit(header, data):
        one, other = [name for name in header if name.startswith("input_")]
        header[other]["data_offsets"] = header[one]["data_offsets"]
        return header, data

    edited(good, edit)

    refused(good, "begins at byte", A)


def test_a_missing_and_an_unknown_tensor_are_both_named(good):
    def edit(header, data):
        header["../../x\n\x1b[2J"] = header.pop(first_of(header))
        return header, data

    edited(good, edit)

    refused(good, r"unknown tensor '../../x\\n\\x1b\[2J' and lacks the tensor", A)


def test_many_tensors_are_not_read(good):
    def edit(header, data):
        place = {"dtype": "F32", "shape": [0], "data_offsets": [len(data), len(data)]}
        return {**header, **{f"t{at}": place for at in range(200_000)}}, data

    edited(good, edit)

    refused(good, "bytes, at most", A)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(good, value):
    def edit(header, data):
        numbers = np.frombuffer(data, "<f4").copy()
        numbers[len(numbers) // 2] = value
        return header, numbers.tobytes()

    edited(good, edit)

    refused(good, "holds 1 values that are NaN or infinite", A)


def test_half_precision_weights_are_allowed(good):
    wanted = load_model(good).regressor.weights()["a"]

    def edit(header, data):
        data, halved = b"", {}
        for name, array in wanted.items():
            half = array.astype("<f2").tobytes()
            place = [len(data), len(data) + len(half)]
            halved[name] = {"dtype": "F16", "shape": list(array.shape), "data_offsets": place}
            data += half
        return halved, data

    edited(good, edit)

    for name, array in load_model(good).regressor.weights()["a"].items():
        # float16 keeps 11 significant bits.
        np.testing.assert_allclose(array.astype(np.float32), wanted[name], rtol=2**-11)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_law_no_bit_can_be_flipped(good, at, bit):
    path = good / A
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[at % len(whole)] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        with pytest.raises(ModelFormatError):
            load_model(good)
    finally:
        path.write_bytes(whole)


def test_exchanged_files_are_refused(good):
    (good / A).rename(good / "t")
    (good / "b.safetensors").rename(good / A)
    (good / "t").rename(good / "b.safetensors")

    refused(good, "belongs to another model", A)


def test_size_is_bounded_whatever_the_stage_declares(tmp_path):
    path = tmp_path / A
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 8) + b"{}      ")
        file.truncate(MODEL_BYTES + 17)

    with pytest.raises(ModelFormatError, match="at most 4,294,967,296 wanted"):
        read_weights(path, {"w": (2**20, 2**20)}, "0" * 64)


# --- other things under these names --------------------------------------------------------------


@pytest.mark.parametrize("name", [A, "model.json"])
def test_a_link_is_refused_even_to_a_good_file(good, tmp_path, name):
    (good / name).rename(tmp_path / "outside")
    (good / name).symlink_to(tmp_path / "outside")

    refused(good, "is a link", name)


@pytest.mark.parametrize("name", [A, "model.json"])
def test_a_pipe_does_not_block(good, name):
    (good / name).unlink()
    os.mkfifo(good / name)

    refused(good, "is not a regular file", name)


def test_a_folder_or_a_missing_file_is_refused(good):
    (good / A).unlink()
    refused(good, "cannot be opened: No such file", A)

    (good / A).mkdir()
    refused(good, "is not a regular file", A)


class Evil:
    """Leaves a canary when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def test_a_pickle_is_never_unpickled(good, tmp_path):
    canary = tmp_path / "canary"
    code = pickle.dumps(Evil(canary))
    for name in ("model.pkl", "a.pt", "plugin.py", "__init__.py"):
        (good / name).write_bytes(code if name.endswith(("pkl", "pt")) else b"raise SystemExit\n")
    load_model(good)

    put_weights(good, code)
    refused(good, "claims a header of|is not JSON", A)

    assert not canary.exists()


def test_the_card_is_not_needed_to_load(good):
    (good / "README.md").write_bytes(b"# \x1b]0;x\x07\xff")
    load_model(good)
    (good / "README.md").unlink()
    load_model(good)


def test_loading_imports_no_heavy_library(good):
    """In a process of its own: another test may have imported one."""
    program = (
        "import sys\n"
        "from chroma_core.models import load_model\n"
        f"load_model({str(good)!r})\n"
        "print([name for name in ('torch', 'cv2', 'tensorflow') if name in sys.modules])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )

    assert found.stdout == "[]\n"


# --- the development data's folders --------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.slow
def test_hostile_copies_of_a_good_folder(good, shared_data, tmp_path):
    maker = shared_data / "badimages" / "make_model_canaries.py"
    if not maker.is_file():
        pytest.skip("needs the script that makes hostile model folders")
    keys = ["--features-key", "features.0.name", "--version-key", "format"]
    subprocess.run(
        [sys.executable, maker, good, tmp_path / "out", *keys, "--width-key", "features.0.width"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    lines = (tmp_path / "out" / "manifest.csv").read_text("utf-8").splitlines()[1:]
    names = [line.split(",")[0] for line in lines]
    fine = {"good", "pickle-beside", "readme-missing", "readme-escapes"}
    assert fine < set(names)
    assert len(names) == 61
    for name in names:
        with contextlib.nullcontext() if name in fine else pytest.raises(ModelError, match=name):
            load_model(tmp_path / "out" / name)
    assert not (tmp_path / "out" / "CANARY").exists()


def test_checksum_of_the_file_is_what_the_description_holds(good):
    files = json.loads((good / "model.json").read_text("utf-8"))["files"]

    for name, digest in files.items():
        assert hashlib.sha256((good / name).read_bytes()).hexdigest() == digest


# --- other systems, and other moments ------------------------------------------------------------


@pytest.mark.parametrize("name", [A, "model.json"])
def test_a_link_is_refused_where_the_system_cannot_be_told_not_to_follow(
    good, tmp_path, name, monkeypatch
):
    (good / name).rename(tmp_path / "outside")
    (good / name).symlink_to(tmp_path / "outside")
    monkeypatch.delattr(os, "O_NOFOLLOW", raising=False)

    refused(good, "is a link", name)


@pytest.mark.parametrize("by", [-4, 4], ids=["shrinks", "grows"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, by, monkeypatch):
    path = tmp_path / A
    content = put_together(
        {"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}},
        np.ones(3, np.float32).tobytes(),
    )
    path.write_bytes(content)
    looks = []

    def look(descriptor):
        status = os.stat(path)
        looks.append(status.st_size)
        if len(looks) == 2:
            # It was opened, and its size is known: now another program writes into it.
            os.truncate(path, len(content) + by)
        return status

    digest = hashlib.sha256(content).hexdigest()
    assert read_weights(path, {"w": (3,)}, digest)["w"].tolist() == [1, 1, 1]
    monkeypatch.setattr(os, "fstat", look)

    with pytest.raises(ModelFormatError, match="changed while it was read"):
        read_weights(path, {"w": (3,)}, digest)
    assert looks == [len(content)] * 2

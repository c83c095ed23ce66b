"""``chroma run --range, --nan, --salvage``: told in warnings, in the result, and to ``--from``."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from chroma_core.batch.again import checked_file
from chroma_core.errors import InputError
from chroma_core.pictures.provenance import record_of
from chroma_core.pictures.read import read_picture

PLAIN = ("--features", "none", "--regressor", "none")
RAMP = np.add.outer(np.arange(48), np.arange(64)).astype(np.float32)


@pytest.fixture
def floats(tmp_path):
    """Return a TIFF of floats from 0 to 110, one of which is no number."""
    values = RAMP.copy()
    values[5, 5] = np.nan
    path = tmp_path / "floats.tif"
    tifffile.imwrite(path, values, photometric="minisblack", metadata=None)
    return path


@pytest.fixture
def cut(tmp_path):
    """Return a PNG of which the second half is missing."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 64), np.uint8)
    path = tmp_path / "cut.png"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    return path


def test_floats_of_another_scale_are_read_as_told_and_again_so(chroma, refused, floats, tmp_path):
    refused(chroma("run", floats, *PLAIN), 65, "NaN", "--nan")
    refused(chroma("run", floats, "--nan", "0", *PLAIN), 65, "go from 0 to 110", "--range 0,110")
    first, again = tmp_path / "first.png", tmp_path / "again.png"

    outcome = chroma("run", floats, "-o", first, "--nan", "0", "--range", "0,100", *PLAIN)

    assert outcome.status == 0
    assert "1 values are NaN or infinite, and count as 0" in outcome.err
    assert "outside of 0 to 100, and are clipped" in outcome.err
    result = read_picture(first)
    # A step of 16 bits.
    np.testing.assert_allclose(result.pixels[0, :, 1] / 65535, RAMP[0] / 100, atol=2e-5)
    assert record_of(result.xmp)["file"] == {"nan": 0.0, "value_range": [0.0, 100.0]}
    assert chroma("run", "--from", first, floats, "-o", again).status == 0
    assert again.read_bytes() == first.read_bytes()


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--range", ["1", "1,1", "2,1", "0,inf", "nan,1", "a,b", "1,2,3", ""]),
        ("--nan", ["nan", "inf", "zero", ""]),
    ],
    ids=["range", "nan"],
)
def test_what_is_no_number_is_wrong_use(chroma, refused, floats, option, values):
    for value in values:
        refused(chroma("run", floats, option, value, *PLAIN), 2, option, "wanted")


def test_error_stands_for_the_default(chroma, floats):
    assert chroma("run", floats, "--nan", "error", *PLAIN).status == 65


def test_ranges_may_be_negative(chroma, floats, tmp_path):
    outcome = chroma("run", floats, "--range", "-110,110", "--nan=-110", *PLAIN)

    assert outcome.status == 0
    # -110 stands for NaN, and is black; 0 is half way.
    result = read_picture(tmp_path / "floats.color.tif").pixels[..., 1] / 65535
    assert result[5, 5] == 0
    assert result[0, 0] == pytest.approx(0.5, abs=2e-5)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_damaged_files_are_salvaged_when_told_and_say_so(chroma, cut, tmp_path, workers):
    Image.fromarray(RAMP.astype(np.uint8)).save(tmp_path / "whole.png")
    out = tmp_path / "out"
    options = ("-o", out, "--json", "--workers", workers, *PLAIN)
    pictures = (cut, tmp_path / "whole.png")

    before = chroma("run", *pictures, *options)
    after = chroma("run", *pictures, *options, "--salvage", "--sidecar", "--overwrite", "always")

    assert [line["status"] for line in before.json[:2]] == ["failed", "ok"]
    assert before.json[0]["class"] == "truncated"
    assert [line["status"] for line in after.json[:2]] == ["ok", "ok"]
    (warning,) = after.json[0]["warnings"]
    assert warning.startswith("salvaged: ")
    notes = {name: record_of(read_picture(out / name).xmp) for name in ("cut.png", "whole.png")}
    assert f"salvaged: {notes['cut.png']['file']['salvaged']}" == warning
    assert notes["whole.png"]["file"] == {"salvage": True}
    sidecar = json.loads((out / "cut.png.chroma.json").read_text())
    assert sidecar["made_by"]["file"] == notes["cut.png"]["file"]


def test_a_salvaged_picture_comes_again_from_its_result(chroma, cut, tmp_path):
    first, again = tmp_path / "first.png", tmp_path / "again.png"
    assert chroma("run", cut, "-o", first, "--salvage", *PLAIN).status == 0

    assert chroma("run", "--from", first, cut, "-o", again).status == 0

    assert again.read_bytes() == first.read_bytes()


def test_a_salvaged_picture_in_colour_does_not_keep_its_bytes(chroma, tmp_path):
    """The bytes are damaged; what could be decoded of them is written."""
    rows, columns = np.mgrid[:64, :64]
    colours = np.stack([rows * 4, 255 - rows * 4, columns * 4], -1).astype(np.uint8)
    path = tmp_path / "cut.bmp.png"
    Image.fromarray(colours).save(path, compress_level=0)
    path.write_bytes(path.read_bytes()[:-3000])

    outcome = chroma("run", path, "-o", tmp_path / "o.png", "--salvage", "--already-colour", "keep")

    assert outcome.status == 0
    assert "keeps its own colours" in outcome.err
    kept = read_picture(tmp_path / "o.png")
    np.testing.assert_array_equal(kept.pixels[:40], colours[:40])


@pytest.mark.parametrize(
    "asked",
    [
        {"page": 0},
        {"page": "every"},
        {"page": True},
        {"value_range": [1, 0]},
        {"value_range": [0]},
        {"value_range": "0,1"},
        {"value_range": ["a", "b"]},
        {"nan": "nan"},
        {"nan": [0]},
        {"salvage": "yes"},
        {"salvage": False},
        {"quality": 101},
        {"quality": True},
        {"depth": 9},
        {"format": "exe"},
    ],
    ids=str,
)
def test_a_record_that_asks_for_what_cannot_be_is_refused(asked):
    with pytest.raises(InputError, match="its provenance asks for"):
        checked_file(asked)


def test_a_record_gives_back_what_was_asked_for():
    asked = {"page": "all", "value_range": [0.0, 2.0], "nan": 0.0, "salvage": True, "quality": 80}

    checked = checked_file(asked)

    assert checked == {**asked, "value_range": (0.0, 2.0)}
    assert checked_file({}) == {"value_range": None, "salvage": False}

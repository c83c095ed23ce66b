"""RGB to LAB files that other programs read right, and back."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from chroma_core.color.lab import rgb_to_lab
from chroma_core.color.white_points import WHITE_POINTS
from chroma_core.conversion import convert
from chroma_core.errors import OptionError, PictureError
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

WHITE_POINT_TAG = 318


@pytest.fixture
def picture(tmp_path):
    """Return a file of many colours."""
    rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    rgb[0, :3] = [[0, 0, 0], [255, 255, 255], [128, 128, 128]]
    return write_picture(rgb, tmp_path / "photo.png")


def test_an_8_bit_lab_tiff_opens_in_pillow_as_lab(picture, tmp_path):
    path = convert(picture, tmp_path / "photo.lab.tiff").path

    with Image.open(path) as opened:
        mode, stored = opened.mode, np.asarray(opened)
        white = opened.tag_v2[WHITE_POINT_TAG]
    # Pillow's mode LAB: L* as 0..255, a* and b* as signed bytes.
    lab = np.dstack([stored[..., 0] / 2.55, stored[..., 1:].view(np.int8)])
    wanted = rgb_to_lab(read_picture(picture).pixels / 255.0)
    assert mode == "LAB"
    assert np.abs(lab - wanted).max(axis=(0, 1)) == pytest.approx([0.2, 0.5, 0.5], abs=0.02)
    assert tuple(map(float, white)) == pytest.approx(WHITE_POINTS["D65", 2], abs=1e-6)


def test_gray_is_neutral_in_the_file(picture, tmp_path):
    path = convert(picture, tmp_path / "photo.lab.tif").path

    with Image.open(path) as opened:
        stored = np.asarray(opened)
    np.testing.assert_array_equal(stored[0, :3], [[0, 0, 0], [255, 0, 0], [137, 0, 0]])


@pytest.mark.parametrize(
    ("depth", "tolerance"), [("8", 0.6), ("16", 0.01), ("float", 1e-3)], ids=str
)
def test_numbers_of_every_depth_are_those_of_the_formula(picture, tmp_path, depth, tolerance):
    path = convert(picture, tmp_path / "photo.lab.tiff", depth=depth).path

    with tifffile.TiffFile(path) as opened:
        stored = opened.asarray()
        photometric = opened.pages[0].photometric
    wanted = rgb_to_lab(read_picture(picture).pixels / 255.0)
    if depth == "float":
        lab = stored
    else:
        bits = int(depth)
        signed = stored[..., 1:].astype(f"uint{bits}").view(f"int{bits}")
        lab = np.dstack([stored[..., 0] * (100 / ((1 << bits) - 1)), signed / (1 << (bits - 8))])
    assert photometric == tifffile.PHOTOMETRIC.CIELAB
    np.testing.assert_allclose(lab, wanted, atol=tolerance)


@pytest.mark.parametrize("depth", ["8", "16", "float"])
@pytest.mark.parametrize("illuminant", ["D65", "D50", "A"])
def test_there_and_back_is_the_picture(picture, tmp_path, depth, illuminant):
    lab = convert(picture, tmp_path / "photo.lab.tiff", depth=depth, illuminant=illuminant).path
    back = convert(lab, tmp_path / "back.png").path

    white = WHITE_POINTS[illuminant, 2]
    pixels = read_picture(back).pixels
    there = rgb_to_lab(read_picture(picture).pixels / 255.0, white_point=white)
    here = rgb_to_lab(pixels / np.iinfo(pixels.dtype).max, white_point=white)
    off = np.linalg.norm(there - here, axis=-1)
    # Half a unit of a* and b* and a fifth of L* is 0.73; the 8-bit picture rounds once more, by
    # half a code a channel, which is up to 0.75 where it is dark. 16 bits: 1/256 of both.
    assert pixels.dtype == (np.uint8 if depth == "8" else np.uint16)
    assert off.max() <= (1.5 if depth == "8" else 1.5 / 256)


@pytest.mark.parametrize("observer", [2, 10])
@pytest.mark.parametrize("illuminant", ["A", "C", "D50", "D55", "D65", "D75", "E"])
def test_the_white_point_stands_in_the_file_and_in_the_story(
    picture, tmp_path, illuminant, observer
):
    done = convert(picture, tmp_path / "photo.lab.tiff", illuminant=illuminant, observer=observer)

    with Image.open(done.path) as opened:
        white = tuple(map(float, opened.tag_v2[WHITE_POINT_TAG]))
    assert white == pytest.approx(WHITE_POINTS[illuminant, observer], abs=1e-6)
    assert f"white {illuminant} {observer}°" in done.story


def test_a_gray_picture_may_be_converted(tmp_path, gray):
    picture = write_picture(gray, tmp_path / "gray.png")

    path = convert(picture, tmp_path / "gray.lab.tiff", depth="float").path

    lab = tifffile.imread(path)
    np.testing.assert_allclose(lab[..., 1:], 0, atol=1e-4)


def test_without_the_mark_a_tiff_is_rgb(picture, tmp_path):
    done = convert(picture, tmp_path / "photo.tiff")

    np.testing.assert_array_equal(read_picture(done.path).pixels, read_picture(picture).pixels)
    assert done.story == "RGB, sRGB"


@pytest.mark.parametrize("bad", ["photo.lab", "photo", "photo.xyz"])
def test_a_name_that_cannot_be_written_is_refused(picture, tmp_path, bad):
    with pytest.raises(PictureError, match="no extension that can be written"):
        convert(picture, tmp_path / bad)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.parametrize(
    "bad",
    [{"depth": "12"}, {"depth": "x"}, {"illuminant": "D64"}, {"observer": 5}],
    ids=str,
)
def test_options_that_are_none_are_refused(picture, tmp_path, bad):
    with pytest.raises(OptionError):
        convert(picture, tmp_path / "photo.lab.tiff", **bad)


def test_the_original_is_never_written_over(picture):
    before = picture.read_bytes()

    with pytest.raises(PictureError) as caught:
        convert(picture, picture, overwrite="always")

    assert caught.value.kind == "is-input"
    assert picture.read_bytes() == before


def test_nothing_is_written_over_unasked(picture, tmp_path):
    output = tmp_path / "there.lab.tiff"
    output.write_bytes(b"mine")

    with pytest.raises(PictureError, match="is there already"):
        convert(picture, output)

    assert output.read_bytes() == b"mine"
    assert convert(picture, output, overwrite="always").path == output

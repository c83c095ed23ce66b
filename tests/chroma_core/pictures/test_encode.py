"""Writing what a format can hold, and saying so where it cannot."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from chroma_core.errors import InputError, PictureError
from chroma_core.pictures import tiff_write
from chroma_core.pictures.encode import encode_picture
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_lab_tiff, write_picture

GRAY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLORS = np.dstack([GRAY, GRAY[::-1], GRAY[:, ::-1]])


@pytest.mark.parametrize("pixels", [GRAY, COLORS, GRAY.astype(np.uint16) * 257], ids=str)
def test_a_ppm_holds_three_channels_of_gray_as_of_colour(pixels):
    data = encode_picture(Picture(pixels=pixels), "ppm", None)

    assert data.startswith(b"P6\n8 6\n")
    three = pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)
    np.testing.assert_array_equal(read_picture(data).pixels, three)


@pytest.mark.parametrize("format", ["png", "tiff", "jpeg", "webp", "bmp", "ppm"])
@pytest.mark.parametrize("shape", [(6, 1), (1, 6), (6, 1, 3), (1, 6, 3)], ids=str)
def test_a_turned_picture_of_one_row_or_column_is_written(format, shape):
    """NumPy calls it contiguous, whatever its step is along the side of one pixel."""
    upright = (np.arange(np.prod(shape), dtype=np.uint8) * 10).reshape(shape)

    for turned in (upright[:, ::-1], upright[::-1], upright.swapaxes(0, 1)):
        usual = np.frombuffer(turned.tobytes(), np.uint8).reshape(turned.shape)

        written = encode_picture(Picture(pixels=turned), format, 90)

        assert written == encode_picture(Picture(pixels=usual), format, 90)


def test_a_gray_jpeg_has_no_profile_for_colours():
    gray = encode_picture(Picture(pixels=GRAY, iptc=b"odd"), "jpeg", 95)
    colored = encode_picture(Picture(pixels=COLORS), "jpeg", 95)

    assert b"ICC_PROFILE" not in gray
    assert b"ICC_PROFILE" in colored
    assert read_picture(gray).iptc == b"odd"


def test_tables_that_are_none_are_an_error_that_names_the_format():
    broken = Picture(pixels=GRAY, jpeg_tables=((1, 2, 3),))

    with pytest.raises(PictureError, match="cannot be encoded as JPEG") as caught:
        encode_picture(broken, "jpeg", None)

    assert caught.value.kind == "unsupported"
    assert "png" in caught.value.hint


def test_metadata_too_long_for_a_segment_of_jpeg_is_left_out():
    """A segment has 65,533 bytes; the prefix of XMP takes 29 of them."""
    fits, too_long = b"<" + b"x" * (65533 - 30), b"<" + b"x" * (65533 - 29)

    for xmp, kept in ((fits, fits), (too_long, b"")):
        assert read_picture(encode_picture(Picture(pixels=GRAY, xmp=xmp), "jpeg", 90)).xmp == kept


def test_a_tiff_of_more_than_four_gigabytes_is_refused(monkeypatch):
    """Offsets have 32 bits; 64 MiB are kept free for what stands behind the pixels."""
    monkeypatch.setattr(tiff_write, "_LARGEST", (1 << 26) + 20)

    with pytest.raises(PictureError, match="more than 4 GiB") as caught:
        encode_picture(Picture(pixels=COLORS), "tiff", None)

    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize("depth", [0, 12, 32])
def test_a_depth_that_no_file_has_is_refused(depth, tmp_path):
    with pytest.raises(InputError, match=f"depth is {depth}, wanted 8 or 16"):
        write_picture(GRAY, tmp_path / "a.png", depth=depth)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("lab", "depth", "words"),
    [
        (np.zeros((4, 4)), 8, r"shape \(4, 4\)"),
        (np.zeros((4, 4, 2)), 8, r"shape \(4, 4, 2\)"),
        (np.full((4, 4, 3), np.nan), 8, "finite"),
        (np.zeros((4, 4, 3)), 12, "depth is 12, wanted 8, 16 or 'float'"),
        (np.zeros((4, 4, 3)), "double", "depth is 'double'"),
    ],
)
def test_what_is_no_lab_is_not_written(lab, depth, words, tmp_path):
    with pytest.raises(InputError, match=words):
        write_lab_tiff(lab, tmp_path / "a.tif", depth=depth)

    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_written_over_only_if_asked(tmp_path):
    path = write_picture(GRAY, tmp_path / "a.png")
    with pytest.raises(PictureError, match="there already"):
        write_picture(COLORS, path)
    assert read_picture(path).is_gray

    write_picture(COLORS, path, overwrite="always")

    np.testing.assert_array_equal(read_picture(path).pixels, COLORS)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        assert image.mode == "RGB"

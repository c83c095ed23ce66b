"""BMP by its header: OS/2's and Windows', upwards and downwards, with and without a fourth byte."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures.read import read_picture

WIDTH, HEIGHT = 5, 3
COLORS = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint8).reshape(HEIGHT, WIDTH, 3) * 5


def rows(codes: np.ndarray) -> bytes:
    """Return rows of bytes, each padded to whole numbers of four."""
    flat = [row.tobytes() for row in codes]
    return b"".join(row + b"\0" * (-len(row) % 4) for row in flat)


def bmp(
    pixels: bytes,
    bits: int = 24,
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
    packing: int = 0,
    metres: tuple[int, int] = (0, 0),
    palette: bytes = b"",
) -> bytes:
    """Return a BMP of Windows 3, with a header of 40 bytes."""
    start = 54 + len(palette)
    info = struct.pack("<IiiHHIIii", 40, width, height, 1, bits, packing, 0, *metres)
    info += struct.pack("<II", len(palette) // 4, 0)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + info + palette + pixels


UPWARDS = rows(COLORS[::-1, :, ::-1])


def refusal(data: bytes) -> PictureError:
    """Return the error that reading a file ends with."""
    with pytest.raises(PictureError) as caught:
        read_picture(data)
    return caught.value


def test_the_last_row_comes_first_unless_the_height_is_negative():
    upwards = bmp(UPWARDS)
    downwards = bmp(rows(COLORS[..., ::-1]), height=-HEIGHT)

    for data in (upwards, downwards):
        np.testing.assert_array_equal(read_picture(data).pixels, COLORS)


def test_the_header_of_os2_holds_sixteen_bits_a_side():
    head = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24)
    data = b"BM" + struct.pack("<IHHI", 26 + len(UPWARDS), 0, 0, 26) + head + UPWARDS

    picture = read_picture(data)

    np.testing.assert_array_equal(picture.pixels, COLORS)
    assert picture.dpi is None


def test_the_short_header_of_os2_is_not_read():
    head = struct.pack("<IIIHH", 16, WIDTH, HEIGHT, 1, 24)
    data = b"BM" + struct.pack("<IHHI", 30 + len(UPWARDS), 0, 0, 30) + head + UPWARDS

    error = refusal(data)

    assert error.kind == "unsupported"
    assert "OS/2" in error.what


@pytest.mark.parametrize("light", [(0, 255), (40, 200)])
def test_two_colours_are_those_of_their_palette(light):
    """Black and white, which Pillow calls mode 1, and any two others, which it calls P."""
    codes = np.array([[0, 1, 1, 0, 1], [1, 0, 0, 0, 1], [0, 0, 1, 1, 0]])
    packed = rows(np.packbits(codes[::-1].astype(bool), axis=1))
    palette = b"".join(bytes([v, v, v, 0]) for v in light)

    picture = read_picture(bmp(packed, 1, palette=palette))

    shown = picture.pixels if picture.is_gray else picture.pixels[..., 1]
    np.testing.assert_array_equal(shown, np.array(light)[codes])


@pytest.mark.parametrize("opacity", [0, 7])
def test_a_fourth_byte_that_is_zero_everywhere_means_nothing(opacity):
    fourth = np.full((HEIGHT, WIDTH, 1), opacity, np.uint8)
    codes = np.concatenate([COLORS[::-1, :, ::-1], fourth], axis=-1)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    start = 14 + 108
    info = struct.pack("<IiiHHIIiiII", 108, WIDTH, HEIGHT, 1, 32, 3, 0, 0, 0, 0, 0) + masks
    info = info.ljust(108, b"\0")
    data = b"BM" + struct.pack("<IHHI", start + codes.size, 0, 0, start) + info + codes.tobytes()

    picture = read_picture(data)

    np.testing.assert_array_equal(picture.pixels, COLORS)
    if opacity:
        np.testing.assert_array_equal(picture.alpha, np.full((HEIGHT, WIDTH), opacity))
    else:
        assert picture.alpha is None


@pytest.mark.parametrize(
    ("metres", "dpi"), [((3937, 7874), (100, 200)), ((0, 3937), None), ((-3937, 3937), None)]
)
def test_resolution_stands_in_metres(metres, dpi):
    picture = read_picture(bmp(UPWARDS, metres=metres))

    assert picture.dpi == (None if dpi is None else pytest.approx(dpi, abs=0.01))


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (bmp(UPWARDS)[:25], "truncated", "the file has 25 bytes"),
        (bmp(UPWARDS)[:53], "truncated", "the file has 53 bytes"),
        (bmp(UPWARDS)[:-1], "truncated", "101 of 102 bytes"),
        (bmp(UPWARDS, 7), "corrupt", "7 bits a pixel"),
        (bmp(UPWARDS, width=0), "corrupt", "0 x 3 pixels"),
        (bmp(UPWARDS, width=-5), "corrupt", "-5 x 3 pixels"),
        (bmp(UPWARDS, packing=9), "corrupt", "cannot be decoded"),
        (bmp(b"\4", 8, packing=1, palette=bytes(1024)), "truncated", "end too early"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_header_that_lies_is_refused(data, kind, words):
    error = refusal(data)

    assert error.kind == kind
    assert words in error.what

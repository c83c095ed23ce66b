"""GIF (89a) by its blocks: frames of a few pixels, packed here by hand."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.read import read_picture

WIDTH, HEIGHT = 4, 3
PALETTE = bytes([0, 0, 0, 200, 10, 20, 30, 210, 40, 250, 250, 250])
CODES = np.array([[0, 1, 2, 3], [3, 2, 1, 0], [1, 1, 2, 2]])


def lzw(codes: np.ndarray, bits: int = 2) -> bytes:
    """Return codes as LZW that never grows its table: a clearing code stands before every two."""
    clear, words = 1 << bits, []
    for number, code in enumerate(codes.ravel()):
        words += [clear, int(code)] if number % 2 == 0 else [int(code)]
    words.append(clear + 1)
    text = "".join(f"{word:0{bits + 1}b}"[::-1] for word in words)
    text += "0" * (-len(text) % 8)
    packed = bytes(int(text[at : at + 8][::-1], 2) for at in range(0, len(text), 8))
    return bytes([bits, len(packed)]) + packed + b"\0"


def screen(width: int = WIDTH, height: int = HEIGHT, palette: bytes = PALETTE) -> bytes:
    """Return the head of a file, with a palette of four colours or none."""
    flags = 0x81 if palette else 0
    return b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0) + palette


def frame(
    codes: np.ndarray = CODES, at: tuple[int, int] = (0, 0), flags: int = 0, palette: bytes = b""
) -> bytes:
    """Return a frame; its rows are stored as they are given."""
    height, width = codes.shape
    head = struct.pack("<HHHHB", at[1], at[0], width, height, flags | (0x81 if palette else 0))
    return b"," + head + palette + lzw(codes)


def control(transparent: int) -> bytes:
    """Return the block that names the colour which is none."""
    return b"!\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0"


COLORS = np.frombuffer(PALETTE, np.uint8).reshape(4, 3)


def refusal(data: bytes, **options: object) -> PictureError:
    """Return the error that reading a file ends with."""
    with pytest.raises(PictureError) as caught:
        read_picture(data, **options)
    return caught.value


def shown(data: bytes) -> np.ndarray:
    """Return the colours of a file, of a gray one three times the same."""
    pixels = read_picture(data).pixels
    return np.repeat(pixels[..., np.newaxis], 3, -1) if pixels.ndim == 2 else pixels


def test_indices_are_colours_of_the_file_or_of_the_frame():
    other = PALETTE[::-1]
    common = screen() + frame() + b";"
    own = screen() + frame(palette=other) + b";"
    only = screen(palette=b"") + frame(palette=other) + b";"

    np.testing.assert_array_equal(shown(common), COLORS[CODES])
    for data in (own, only):
        np.testing.assert_array_equal(
            shown(data), np.frombuffer(other, np.uint8).reshape(4, 3)[CODES]
        )


def test_the_colour_that_is_none_is_transparent():
    picture = read_picture(screen() + control(2) + frame() + b";")

    np.testing.assert_array_equal(picture.alpha, np.where(CODES == 2, 0, 255))
    np.testing.assert_array_equal(picture.pixels[CODES != 2], COLORS[CODES][CODES != 2])


def test_interlaced_rows_are_put_in_their_places():
    """Every 8th row, every 8th from the 4th, every 4th from the 2nd, every 2nd from the 1st."""
    codes = np.resize(np.array([0, 1, 2, 3, 3, 1, 0]), (11, 4))
    order = [*range(0, 11, 8), *range(4, 11, 8), *range(2, 11, 4), *range(1, 11, 2)]

    data = screen(4, 11) + frame(codes[order], flags=0x40) + b";"

    np.testing.assert_array_equal(shown(data), COLORS[codes])


def test_comments_and_stray_zeros_between_blocks_are_passed_over():
    comment = b"!\xfe\x05words\x04more\0"

    data = screen() + comment + b"\0\0" + control(9) + comment + frame() + comment + b";"

    np.testing.assert_array_equal(shown(data), COLORS[CODES])
    assert read_picture(data).warnings == ()


def test_what_comes_after_the_first_frame_need_not_be_right():
    data = screen() + frame() + b",\xff\xff rubbish"

    picture = read_picture(data)

    np.testing.assert_array_equal(picture.pixels, COLORS[CODES])
    assert picture.warnings == ("animated: only its first picture is used",)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (screen()[:12], "truncated", "the file has 12 bytes"),
        (screen() + b";", "corrupt", "there is no picture in it"),
        (screen() + b"?" + frame(), "corrupt", "byte 25 begins no block"),
        (screen(), "truncated", "goes on after 25 bytes"),
        (screen() + b"!\xfe\x05word", "truncated", "goes on after 32 bytes"),
        (screen() + frame()[:9], "truncated", "goes on after 34 bytes"),
        (screen() + frame(palette=PALETTE)[:15], "truncated", "goes on after 40 bytes"),
        (screen() + frame()[:-3], "truncated", "goes on after"),
        (screen() + frame(np.zeros((0, 4), int)) + b";", "corrupt", "4 x 0 pixels"),
        (screen() + frame()[:10] + b"\x0c" + frame()[11:], "corrupt", "code size of 12 bits"),
        (screen() + frame()[:10] + b"\0" + frame()[11:], "corrupt", "code size of 0 bits"),
        (screen(0, 4) + frame() + b";", "corrupt", "0 x 4 pixels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_block_that_cannot_be_true_is_named(data, kind, words):
    error = refusal(data)

    assert error.kind == kind
    assert words in error.what


def test_a_frame_that_reaches_beyond_the_screen_counts_with_all_its_sides():
    data = screen() + frame(at=(0, 60_000)) + b";"

    error = refusal(data, limits=Limits(max_side=1000))

    assert error.kind == "too-large"
    assert "60,004" in error.what

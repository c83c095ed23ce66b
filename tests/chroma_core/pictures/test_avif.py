"""AVIF by its boxes (ISO/IEC 14496-12): lengths of 32 and 64 bits, to the end, and impossible."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.read import read_picture

FTYP = struct.pack(">I", 24) + b"ftypavif\0\0\0\0avifmif1"


@pytest.fixture(scope="module")
def plain() -> bytes:
    """Return an AVIF of 8 bits whose pixels are the last box."""
    stream = io.BytesIO()
    rows, cols = np.mgrid[:16, :24]
    colors = np.stack([5 * rows + 6 * cols, 200 - 4 * rows, 10 * cols], -1).astype(np.uint8)
    Image.fromarray(colors).save(stream, "AVIF", quality=90, speed=9)
    data = stream.getvalue()
    assert data.rindex(b"mdat") > data.rindex(b"meta")
    return data


def box(name: bytes, body: bytes, length: int | None = None) -> bytes:
    """Return a box; of a length that is told, or its own."""
    return struct.pack(">I", 8 + len(body) if length is None else length) + name + body


def refusal(data: bytes, **options: object) -> PictureError:
    """Return the error that reading a file ends with."""
    with pytest.raises(PictureError) as caught:
        read_picture(data, **options)
    return caught.value


def test_a_box_may_have_a_length_of_sixty_four_bits_or_reach_to_the_end(plain):
    wanted = read_picture(plain).pixels
    long = plain + box(b"free", struct.pack(">Q", 20) + b"1234", length=1)
    at = plain.rindex(b"mdat") - 4
    to_the_end = plain[:at] + bytes(4) + plain[at + 4 :]

    for data in (long, to_the_end):
        np.testing.assert_array_equal(read_picture(data).pixels, wanted)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (FTYP + box(b"free", b"1234"), "corrupt", "there is no picture in it"),
        (FTYP + box(b"free", b"1234", length=7), "corrupt", "byte 24 has an impossible length"),
        (FTYP + box(b"free", struct.pack(">Q", 15), length=1), "corrupt", "impossible length"),
        (FTYP + box(b"free", b"1234", length=13), "truncated", "36 of 37 bytes"),
        (FTYP + box(b"iprp", box(b"ipco", b"1234", length=40)), "corrupt", "larger than what it"),
        (FTYP + box(b"iprp", box(b"ipco", box(b"ispe", bytes(12)))), "corrupt", "0 x 0 pixels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_box_that_cannot_be_true_is_named(data, kind, words):
    error = refusal(data)

    assert error.kind == kind
    assert words in error.what


def test_sizes_of_a_sequence_are_looked_at_before_it_is_decoded():
    """The header of a track holds its sides as 16.16 fixed point, at its end."""
    track = box(b"tkhd", bytes(76) + struct.pack(">II", 5000 << 16, 20 << 16))

    error = refusal(FTYP + box(b"moov", box(b"trak", track)), limits=Limits(max_side=4000))

    assert error.kind == "too-large"
    assert "5,000 x 20" in error.what


def test_boxes_inside_of_boxes_are_followed_only_so_far():
    """Nested a thousand deep, they would cost the reader its stack."""
    nested = b""
    for _ in range(1000):
        nested = box(b"iprp", nested)

    assert "there is no picture in it" in refusal(FTYP + nested).what


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_more_than_eight_bits_are_kept_with_and_without_colour_and_alpha(bits, channels):
    top = (1 << bits) - 1
    codes = np.linspace(0, top, 16 * 24 * channels).astype(np.uint16).reshape(16, 24, channels)
    data = imagecodecs.avif_encode(
        codes[..., 0] if channels == 1 else codes, level=100, bitspersample=bits, speed=9
    )

    picture = read_picture(data)

    assert (picture.depth, picture.pixels.dtype) == (16, np.uint16)
    assert (picture.alpha is not None) == (channels in (2, 4))
    if picture.alpha is not None:
        full = (codes[..., -1].astype(np.int64) * 65535 + top // 2) // top
        np.testing.assert_array_equal(picture.alpha, full)
    color = codes if channels in (1, 3) else codes[..., :-1]
    shown = picture.pixels[..., np.newaxis] if picture.is_gray else picture.pixels
    # Level 100 is lossless; gray may be stored as three channels, all the same.
    full = (color.astype(np.int64) * 65535 + top // 2) // top
    np.testing.assert_array_equal(shown, np.broadcast_to(full, shown.shape))


def test_bits_that_no_decoder_gives_are_an_error_and_never_eight_of_them(monkeypatch):
    codes = np.full((16, 24), 500, np.uint16)
    data = imagecodecs.avif_encode(codes, level=100, bitspersample=10, speed=9)

    def refuse(*args: object, **kwargs: object) -> None:
        raise ValueError("out of ideas")

    monkeypatch.setattr(imagecodecs, "avif_decode", lambda *a, **k: codes[:5])
    smaller = refusal(data)
    monkeypatch.setattr(imagecodecs, "avif_decode", lambda *a, **k: codes.astype(np.uint8))
    fewer = refusal(data)
    monkeypatch.setattr(imagecodecs, "avif_decode", refuse)
    none = refusal(data)

    assert smaller.kind == fewer.kind == "unsupported"
    assert none.kind == "corrupt"
    assert "out of ideas" in none.what

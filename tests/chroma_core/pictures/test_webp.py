"""WebP (RFC 9649) by its chunks: what the container says must fit what there is."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from chroma_core.errors import PictureError
from chroma_core.pictures.read import read_picture

GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLORS = np.dstack([GRAY, GRAY[::-1], GRAY[:, ::-1]])


def lossless(**options: object) -> bytes:
    """Return a lossless WebP."""
    stream = io.BytesIO()
    Image.fromarray(COLORS).save(stream, "WEBP", lossless=True, **options)
    return stream.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk, padded to an even length."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def riff(*chunks: bytes, more: int = 0) -> bytes:
    """Return a container that claims some bytes more than it holds."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) + more) + body


def pixels_chunk() -> bytes:
    """Return the chunk of a lossless picture."""
    return lossless()[12:]


def test_chunks_that_nobody_knows_are_passed_over():
    picture = read_picture(riff(pixels_chunk(), chunk(b"WORD", b"words")))

    np.testing.assert_array_equal(picture.pixels, COLORS)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (riff()[:12], "truncated", "the file has 12 bytes"),
        (riff(chunk(b"WORD", b"words")), "corrupt", "there is no picture in it"),
        (riff(pixels_chunk(), more=2), "truncated", "bytes"),
        (riff(pixels_chunk(), more=1000), "truncated", "bytes"),
        (riff(pixels_chunk() + b"WORD" + struct.pack("<I", 70) + b"1234"), "corrupt", "claims 70"),
        (riff(pixels_chunk())[:-2], "truncated", "bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_container_that_lies_is_refused(data, kind, words):
    with pytest.raises(PictureError, match=words) as caught:
        read_picture(data)

    assert caught.value.kind == kind


def test_a_last_chunk_that_is_not_padded_to_an_even_length_is_read():
    whole = riff(pixels_chunk(), chunk(b"WORD", b"words"))

    picture = read_picture(whole[:-1])

    np.testing.assert_array_equal(picture.pixels, COLORS)
    with pytest.raises(PictureError, match="cut short"):
        read_picture(whole[:-2])


def test_orientation_profile_and_xmp_are_read():
    exif = Image.Exif()
    exif[0x0112] = 3
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'

    picture = read_picture(lossless(exif=exif, xmp=xmp, icc_profile=b"no profile"))

    np.testing.assert_array_equal(picture.pixels, COLORS[::-1, ::-1])
    assert picture.xmp == xmp
    assert picture.warnings == ("its colour profile is damaged, and is ignored",)

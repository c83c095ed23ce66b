"""Where the pixels of a JPEG end: their own zeros are kept, padding behind them is not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from chroma_core.errors import PictureError
from chroma_core.pictures.read import read_picture


def jpeg(pixels, **options):
    """Return what Pillow makes of an array."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize("value", [1, 128, 200, 255])
def test_pixels_that_end_in_zeros_are_read(value):
    """One colour with tables made for it: each block is two zero bits, and the last byte is 0."""
    data = jpeg(np.full((64, 64), value, np.uint8), optimize=True)
    assert data[-3] == 0

    picture = read_picture(data)

    assert picture.warnings == ()
    np.testing.assert_array_equal(picture.pixels, np.full((64, 64), value))


def test_every_small_jpeg_of_an_encoder_is_read_without_a_word():
    """One in 500 ends in a zero by chance."""
    rng = np.random.default_rng(0)
    for number in range(1500):
        spread = rng.normal(rng.integers(256), rng.uniform(0, 20), (8, 8 + 8 * (number % 4)))
        pixels = np.clip(spread, 0, 255).astype(np.uint8)
        data = jpeg(pixels, quality=int(rng.integers(20, 96)), optimize=bool(number % 2))
        with Image.open(io.BytesIO(data)) as image:
            wanted = np.asarray(image)

        picture = read_picture(data)

        assert picture.warnings == ()
        np.testing.assert_array_equal(picture.pixels, wanted)


@pytest.mark.parametrize("zeros", [1, 2, 700])
def test_zeros_behind_the_pixels_cost_nothing(zeros, gray):
    """libjpeg does not notice a few of them; of many there is a warning."""
    data = jpeg(gray, quality=90)
    padded = data[:-2] + b"\0" * zeros + data[-2:]

    picture = read_picture(padded)

    np.testing.assert_array_equal(picture.pixels, read_picture(data).pixels)
    if zeros == 700:
        assert picture.warnings == ("there are stray bytes between its segments",)


def test_pixels_that_are_missing_are_an_error(gray):
    data = jpeg(gray, quality=90)

    with pytest.raises(PictureError, match="cut short"):
        read_picture(data[: len(data) // 2] + b"\0\0\xff\xd9")

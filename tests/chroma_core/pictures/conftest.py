"""Small pictures of every format, made anew for each run by libraries other than our writers."""

from __future__ import annotations

import io
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

HEIGHT, WIDTH = 24, 32


def ramp(top: int, dtype: type, channels: int = 1) -> np.ndarray:
    """Return a picture whose quadrants and channels all differ."""
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    planes = [
        ((rows * (3 + k) + cols * (7 - 2 * k)) % 97) / 96 * 0.8 + 0.1 * k for k in range(channels)
    ]
    codes = np.rint(np.clip(np.stack(planes, -1), 0, 1) * top).astype(dtype)
    return codes[..., 0] if channels == 1 else codes


def saved(pixels: np.ndarray, format: str, **options: object) -> bytes:
    """Return what Pillow makes of an array."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format, **options)
    return stream.getvalue()


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    """Return what tifffile makes of an array."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, metadata=None, **options)
    return stream.getvalue()


@pytest.fixture(scope="session")
def make_tiff() -> Callable[..., bytes]:
    """Return a function from array to TIFF file."""
    return tiff


@pytest.fixture(scope="session")
def make_file() -> Callable[..., bytes]:
    """Return a function from array and Pillow's name of a format to a file."""
    return saved


@pytest.fixture(scope="session")
def make_ramp() -> Callable[..., np.ndarray]:
    """Return a function from largest value, dtype and channels to an array."""
    return ramp


@pytest.fixture(scope="session")
def good_files() -> dict[str, bytes]:
    """Return a file of every format that is read, by a telling name."""
    gray8, rgb8, rgba8 = (ramp(255, np.uint8, n) for n in (1, 3, 4))
    gray16, rgb16 = ramp(65535, np.uint16), ramp(65535, np.uint16, 3)
    ppm = b"P6\n32 24\n255\n" + rgb8.tobytes()
    return {
        "png-gray8": saved(gray8, "PNG"),
        "png-rgba8": saved(rgba8, "PNG"),
        "png-rgb16": imagecodecs.png_encode(rgb16),
        "jpeg-gray": saved(gray8, "JPEG", quality=90, dpi=(300, 300)),
        "jpeg-rgb": saved(rgb8, "JPEG", quality=90),
        "jpeg-progressive": saved(rgb8, "JPEG", quality=90, progressive=True),
        "tiff-gray16": tiff(gray16, photometric="minisblack"),
        "tiff-rgb8-deflate": tiff(rgb8, photometric="rgb", compression="zlib", predictor=True),
        "tiff-tiled": tiff(rgb8, photometric="rgb", tile=(16, 16)),
        "webp": saved(rgb8, "WEBP", quality=80),
        "webp-lossless": saved(rgba8, "WEBP", lossless=True),
        "gif": saved(gray8, "GIF"),
        "bmp": saved(rgb8, "BMP"),
        "ppm": ppm,
        "avif": saved(rgb8, "AVIF", quality=80, speed=9),
    }

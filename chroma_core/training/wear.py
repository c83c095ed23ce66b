"""The wear of old photographs and their scans, put on clean ones while a network is trained.

A network that has only seen clean pictures colours the grain, the stains and the faded tones of an
old print: red blotches on clothes and walls. Each kind of wear acts on encoded gray in [0, 1] and
moves no edge, so the true colours stay where they are.
"""

from __future__ import annotations

import numpy as np

from chroma_core.arrays import FloatArray

__all__ = ["worn"]

Random = np.random.Generator

_LUMINANCE_STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.float32,
)
"""Quantisation of luminance: ITU-T T.81, table K.1."""

_ORDERS = np.arange(8, dtype=np.float32)
_DCT = np.cos(np.pi * _ORDERS[:, np.newaxis] * (2 * _ORDERS + 1) / 16) / 2
_DCT[0] /= np.sqrt(np.float32(2))
"""The orthonormal DCT-II of eight values, as a matrix."""


def worn(gray: FloatArray, rng: Random) -> FloatArray:
    """Return a picture with some kinds of wear, each drawn anew.

    Parameters
    ----------
    gray : ndarray, shape (h, w)
        Encoded gray in [0, 1], float32.
    rng : Generator
        What all draws follow from.

    Returns
    -------
    ndarray, shape (h, w)
        Likewise. For 3 in 100 no kind is drawn, and they come back as they are.
    """
    # In the order in which it happens: lens and film, the print, its ageing, the scan.
    steps = (
        (_emulsion, 0.15),
        (_soft, 0.3),
        (_toned, 0.6),
        (_vignetted, 0.15),
        (_grainy, 0.5),
        (_faded, 0.4),
        (_stained, 0.15),
        (_scratched, 0.1),
        (_blocky, 0.3),
        (_framed, 0.06),
    )
    for wear, chance in steps:
        if rng.random() < chance:
            gray = wear(gray, rng)
    return np.clip(gray, 0, 1).astype(np.float32, copy=False)


def _soft(gray: FloatArray, rng: Random) -> FloatArray:
    """Blur of lens, motion or a small scan enlarged."""
    return _blurred(gray, rng.uniform(0.4, 1.6))


def _emulsion(gray: FloatArray, rng: Random) -> FloatArray:
    """Stretch local contrast, as sharpening in the darkroom or in the scanner does."""
    return np.clip(gray + rng.uniform(0.2, 0.8) * (gray - _blurred(gray, 1.2)), 0, 1)


def _toned(gray: FloatArray, rng: Random) -> FloatArray:
    """Another tone curve: a power, and an S of either sense."""
    curved = np.clip(gray, 0, 1) ** np.exp(rng.uniform(-0.5, 0.5))
    bend = rng.uniform(-0.5, 0.7)
    return _floats(curved + bend * curved * (1 - curved) * (2 * curved - 1))


def _faded(gray: FloatArray, rng: Random) -> FloatArray:
    """Blacks turn gray, whites too."""
    black, white = rng.uniform(0, 0.25), 1 - rng.uniform(0, 0.2)
    return black + gray * (white - black)


def _vignetted(gray: FloatArray, rng: Random) -> FloatArray:
    """Darker, or after fading lighter, towards the corners."""
    height, width = gray.shape
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis]
    cols = np.linspace(-1, 1, width, dtype=np.float32)
    return gray * (1 - rng.uniform(-0.15, 0.3) * (rows**2 + cols**2) / 2)


def _grainy(gray: FloatArray, rng: Random) -> FloatArray:
    """Grain: noise of some pixels' width, strongest in the middle tones."""
    noise = rng.standard_normal(gray.shape, dtype=np.float32)
    if rng.random() < 0.6:
        noise = _blurred(noise, rng.uniform(0.4, 1.2))
        noise /= max(float(noise.std()), 1e-6)
    strength = rng.uniform(0.005, 0.06) * (0.4 + 2.4 * gray * (1 - gray))
    return np.clip(gray + noise * strength, 0, 1)


def _stained(gray: FloatArray, rng: Random) -> FloatArray:
    """Large soft stains, lighter or darker."""
    height, width = gray.shape
    rows = np.arange(height, dtype=np.float32)[:, np.newaxis]
    cols = np.arange(width, dtype=np.float32)
    for _ in range(rng.integers(1, 4)):
        middle = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(0.05, 0.3) * min(height, width)
        distance = ((rows - middle[0]) ** 2 + (cols - middle[1]) ** 2) / radius**2
        gray = gray + rng.uniform(-0.2, 0.2) * np.exp(-distance)
    return np.clip(gray, 0, 1)


def _scratched(gray: FloatArray, rng: Random) -> FloatArray:
    """Thin scratches and dust."""
    gray = gray.copy()
    height, width = gray.shape
    for _ in range(rng.integers(1, 6)):
        tone = rng.uniform(0.6, 1) if rng.random() < 0.7 else rng.uniform(0, 0.3)
        begin, lean = rng.uniform(0, width), rng.uniform(-0.2, 0.2)
        start, stop = np.sort(rng.integers(0, height, 2))
        rows = np.arange(start, stop)
        cols = np.clip(begin + lean * rows, 0, width - 1).astype(int)
        gray[rows, cols] = tone
    for _ in range(rng.integers(0, 12)):
        row, col = rng.integers(0, height), rng.integers(0, width)
        gray[row : row + 2, col : col + 2] = rng.uniform(0.7, 1)
    return gray


def _blocky(gray: FloatArray, rng: Random) -> FloatArray:
    """Show the blocks of a JPEG of low quality (ITU-T T.81: DCT and table K.1)."""
    quality = rng.uniform(15, 80)
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    steps = np.maximum(_LUMINANCE_STEPS * scale, 1) / 255
    height, width = gray.shape
    padded = np.pad(gray, ((0, -height % 8), (0, -width % 8)), mode="edge")
    rows, cols = padded.shape[0] // 8, padded.shape[1] // 8
    blocks = padded.reshape(rows, 8, cols, 8).transpose(0, 2, 1, 3)
    coefficients = _DCT @ (blocks - 0.5) @ _DCT.T
    coarse = np.rint(coefficients / steps) * steps
    back = _DCT.T @ coarse @ _DCT + 0.5
    return _floats(back.transpose(0, 2, 1, 3).reshape(padded.shape)[:height, :width])


def _framed(gray: FloatArray, rng: Random) -> FloatArray:
    """Put a mount of one tone around the picture; what it hides keeps its colours as targets."""
    height, width = gray.shape
    most = max(2, min(height, width) // 14)
    top, bottom, left, right = (int(number) for number in rng.integers(1, most, 4))
    framed = np.full_like(gray, rng.uniform(0.75, 1) if rng.random() < 0.7 else 0.05)
    framed[top:-bottom, left:-right] = gray[top:-bottom, left:-right]
    return framed


def _blurred(gray: FloatArray, sigma: float) -> FloatArray:
    """Gaussian blur, edges repeated."""
    reach = max(1, int(np.ceil(2.5 * sigma)))
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-(offsets**2) / (2 * sigma**2)).astype(np.float32)
    kernel /= kernel.sum()
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (reach, reach)
        padded = np.pad(gray, pad, mode="edge")
        length = gray.shape[axis]
        gray = sum(
            weight * np.take(padded, range(start, start + length), axis=axis)
            for start, weight in enumerate(kernel)
        )
    return np.asarray(gray, dtype=np.float32)


def _floats(values: FloatArray) -> FloatArray:
    return np.asarray(values, dtype=np.float32)

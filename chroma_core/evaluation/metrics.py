"""Figures that compare a colour picture with its truth.

All of them look at 8-bit sRGB pictures, which is what a user sees and what is written.

- PSNR: 10 log10(255² / MSE), over all pixels and the three channels.
- SSIM: Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image Quality Assessment: From
  Error Visibility to Structural Similarity", IEEE TIP 13(4), 2004.
- CIEDE2000: G. Sharma, W. Wu and E. N. Dalal, "The CIEDE2000 Color-Difference Formula", Color
  Research & Application 30(1), 2005.
- Colourfulness: D. Hasler and S. Süsstrunk, "Measuring Colourfulness in Natural Images", Proc. SPIE
  5007, 2003.

Each works through the picture in stripes, so that memory does not grow with its height.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from chroma_core.arrays import FloatArray, PixelArray
from chroma_core.color.difference import delta_e_2000
from chroma_core.color.lab import rgb_to_lab
from chroma_core.errors import InputError

__all__ = ["PSNR_CAP", "SSIM_SIDE", "colourfulness", "mean_ciede2000", "psnr", "ssim"]

PSNR_CAP = 99.0
"""dB given to equal pictures, whose PSNR is infinite and could not be averaged; none gets more."""

SSIM_SIDE = 11
"""Side of SSIM's window, in pixels; a picture may not be smaller."""

_SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2

_PIXELS_AT_ONCE = 1 << 14
"""Pixels a stripe: its float64 planes stay in the cache of one core."""


def psnr(truth: PixelArray, picture: PixelArray) -> float:
    """Return the peak signal-to-noise ratio in dB.

    Parameters
    ----------
    truth, picture : ndarray, shape (H, W, 3)
        8-bit sRGB, dtype uint8.

    Returns
    -------
    float
        From 0 (black against white) to `PSNR_CAP`, which is what equal pictures get.

    Raises
    ------
    InputError
        If a picture is no uint8 array of shape (H, W, 3), or the shapes differ.
    """
    _check_pair(truth, picture)
    # Whole numbers throughout, so that the sum does not depend on the order.
    total = 0
    for rows in _stripes(truth.shape):
        difference = truth[rows].astype(np.int32) - picture[rows]
        total += int(np.square(difference).sum(dtype=np.int64))
    if total == 0:
        return PSNR_CAP
    decibels: float = 10 * math.log10(255**2 * truth.size / total)
    return min(PSNR_CAP, decibels)


def ssim(truth: PixelArray, picture: PixelArray) -> float:
    """Return the mean structural similarity.

    Gaussian window of 11 by 11 pixels with a standard deviation of 1.5, K = (0.01, 0.03), data
    range 255, population covariance; the mean over all windows that lie wholly in the picture, then
    over the three channels. These are the settings of the paper, and of scikit-image's
    ``structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    data_range=255, channel_axis=-1)``.

    Parameters
    ----------
    truth, picture : ndarray, shape (H, W, 3)
        8-bit sRGB, dtype uint8; H and W at least 11.

    Returns
    -------
    float
        In [-1, 1]; 1 for equal pictures.

    Raises
    ------
    InputError
        If a picture is no uint8 array of shape (H, W, 3), is smaller than the window, or the shapes
        differ.
    """
    _check_pair(truth, picture)
    height, width = truth.shape[:2]
    if min(height, width) < SSIM_SIDE:
        raise InputError(
            f"SSIM needs at least {SSIM_SIDE} by {SSIM_SIDE} pixels, not {height} by {width}"
        )
    window = _gaussian_window()
    windows: int = (height - SSIM_SIDE + 1) * (width - SSIM_SIDE + 1)
    total = 0.0
    for rows in _stripes((height - SSIM_SIDE + 1, width, 3)):
        reach = slice(rows.start, rows.stop + SSIM_SIDE - 1)
        x = truth[reach].astype(np.float64)
        y = picture[reach].astype(np.float64)
        total += float(_similarity(x, y, window).sum())
    return total / (3 * windows)


def mean_ciede2000(truth: PixelArray, picture: PixelArray) -> float:
    """Return the mean over pixels of the CIEDE2000 colour difference.

    Parameters
    ----------
    truth, picture : ndarray, shape (H, W, 3)
        8-bit sRGB, dtype uint8; taken to LAB with D65, 2°.

    Returns
    -------
    float
        At least 0; about 1 is just noticeable. kL = kC = kH = 1.

    Raises
    ------
    InputError
        If a picture is no uint8 array of shape (H, W, 3), or the shapes differ.
    """
    _check_pair(truth, picture)
    total = 0.0
    for rows in _stripes(truth.shape):
        lab, other = rgb_to_lab(truth[rows] / 255.0), rgb_to_lab(picture[rows] / 255.0)
        total += float(delta_e_2000(lab, other).sum())
    pixels: int = truth.shape[0] * truth.shape[1]
    return total / pixels


def colourfulness(picture: PixelArray) -> float:
    """Return the colourfulness of Hasler and Süsstrunk.

    With rg = R − G and yb = (R + G)/2 − B in code values: √(σ²_rg + σ²_yb) + 0.3 √(μ²_rg + μ²_yb).

    Parameters
    ----------
    picture : ndarray, shape (H, W, 3)
        8-bit sRGB, dtype uint8.

    Returns
    -------
    float
        0 on gray, exactly. The paper's viewers called about 15 slightly, 33 moderately, 59 quite
        and 109 extremely colourful.

    Raises
    ------
    InputError
        If the picture is no uint8 array of shape (H, W, 3).
    """
    _check(picture, "picture")
    sums = np.zeros(2, dtype=np.int64)
    squares = np.zeros(2, dtype=np.int64)
    for rows in _stripes(picture.shape):
        red, green, blue = np.moveaxis(picture[rows].astype(np.int32), -1, 0)
        # Twice yb, so that all sums are whole numbers and gray gives 0 exactly.
        opponents = (red - green, red + green - 2 * blue)
        sums += [int(values.sum(dtype=np.int64)) for values in opponents]
        squares += [int(np.square(values).sum(dtype=np.int64)) for values in opponents]
    count = picture.shape[0] * picture.shape[1]
    mean = sums / count / (1, 2)
    # In Python's integers n Σx² − (Σx)² neither overflows nor cancels.
    spread = [
        count * int(square) - int(total) ** 2 for square, total in zip(squares, sums, strict=True)
    ]
    variance = spread[0] / count**2 + spread[1] / (2 * count) ** 2
    return math.sqrt(variance) + 0.3 * math.hypot(*mean)


def _gaussian_window() -> FloatArray:
    offsets = np.arange(SSIM_SIDE) - SSIM_SIDE // 2
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    return np.asarray(weights / weights.sum())


def _similarity(x: FloatArray, y: FloatArray, window: FloatArray) -> FloatArray:
    mean_x, mean_y = _blur(x, window), _blur(y, window)
    product = mean_x * mean_y
    squares = mean_x * mean_x + mean_y * mean_y
    covariance = _blur(x * y, window) - product
    variances = _blur(x * x + y * y, window) - squares
    return np.asarray(
        (2 * product + _C1) * (2 * covariance + _C2) / ((squares + _C1) * (variances + _C2))
    )


def _blur(values: FloatArray, window: FloatArray) -> FloatArray:
    rows, cols = values.shape[0] - SSIM_SIDE + 1, values.shape[1] - SSIM_SIDE + 1
    middle = SSIM_SIDE // 2
    down = values[middle : middle + rows] * window[middle]
    across = np.empty((rows, cols, *values.shape[2:]))
    # The window is symmetric: what lies as far before as behind is added, then weighed once.
    for i in range(middle):
        pair = values[i : i + rows] + values[SSIM_SIDE - 1 - i :][:rows]
        pair *= window[i]
        down += pair
    np.multiply(down[:, middle : middle + cols], window[middle], out=across)
    for i in range(middle):
        pair = down[:, i : i + cols] + down[:, SSIM_SIDE - 1 - i :][:, :cols]
        pair *= window[i]
        across += pair
    return across


def _stripes(shape: tuple[int, ...]) -> Iterator[slice]:
    height, width = shape[:2]
    step = max(SSIM_SIDE, _PIXELS_AT_ONCE // width)
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _check(picture: PixelArray, name: str) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise InputError(f"{name} has shape {picture.shape}, wanted (H, W, 3), not empty")
    if picture.dtype != np.uint8:
        raise InputError(f"{name} has dtype {picture.dtype}, wanted uint8")


def _check_pair(truth: PixelArray, picture: PixelArray) -> None:
    _check(truth, "truth")
    _check(picture, "picture")
    if truth.shape != picture.shape:
        raise InputError(f"picture has shape {picture.shape}, its truth {truth.shape}")

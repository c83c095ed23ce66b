"""Resampling of pictures: shrink by exact area averages, sample at any position bilinearly.

`area_shrink` gives the mean over the rectangle that an output pixel covers, with fractional
weights at its rim, for any ratio of sizes. It is the box filter of Heckbert, "Fundamentals of
Texture Mapping and Image Warping" (1989), 3.5, done one axis after the other. `sample_bilinear`
takes positions rather than a size, so that a map of nodes is placed back exactly where its nodes
lie: resizing to the picture's size would shift it by up to half a step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chroma_core.arrays import FloatArray, IntArray, PixelArray

__all__ = ["area_shrink", "sample_bilinear"]

_BLOCK = 1 << 18
"""Numbers in one block of work: 2 MiB of float64, which stays in the cache of one core."""


def area_shrink(picture: PixelArray, shape: tuple[int, int]) -> FloatArray:
    """Return a smaller picture whose pixels are means over the areas that they cover.

    Sums are done in float64. Beside the result it holds six blocks of 2 MiB at most (of one row of
    the picture, where that is more), never a second picture.

    Parameters
    ----------
    picture : ndarray, shape (H, W) or (H, W, C)
        Any numbers. NaN in gives NaN in the pixels that cover it.
    shape : tuple of int
        Rows and columns of the result, each at least 1 and at most that of `picture`.

    Returns
    -------
    ndarray, shape (*shape,) or (*shape, C)
        Means, float64 for a float64 picture, else float32.

    Raises
    ------
    ValueError
        If the picture is empty or `shape` would enlarge it.

    Examples
    --------
    Three columns to two: each covers one and a half.

    >>> area_shrink(np.array([[0.0, 3.0, 6.0]]), (1, 2))
    array([[1., 5.]])
    """
    height, width = picture.shape[:2]
    rows, cols = shape
    if not (1 <= rows <= height and 1 <= cols <= width):
        raise ValueError(f"cannot shrink a picture of {height} x {width} to {rows} x {cols}")
    dtype = np.float64 if picture.dtype == np.float64 else np.float32
    result = np.empty((rows, cols, *picture.shape[2:]), dtype=dtype)
    down, across = _Areas(height, rows), _Areas(width, cols)
    step = max(1, _BLOCK // max(1, picture[0].size))
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        band = down.means(picture, slice(start, stop))
        # Columns become rows, so that one function serves both axes on contiguous memory.
        turned = np.ascontiguousarray(np.moveaxis(band, 1, 0))
        result[start:stop] = np.moveaxis(across.means(turned, slice(None)), 0, 1)
    return result


def sample_bilinear(values: FloatArray, rows: FloatArray, cols: FloatArray) -> FloatArray:
    """Return values between the nodes of a map, at every crossing of `rows` and `cols`.

    Parameters
    ----------
    values : ndarray, shape (h, w) or (h, w, C)
        Values at whole positions. NaN spreads to the positions beside it.
    rows : ndarray, shape (m,)
        Rows to sample at, in index units: 0 is the first row of `values`, ``h - 1`` the last.
        Positions outside take the nearest edge.
    cols : ndarray, shape (n,)
        Columns to sample at, likewise.

    Returns
    -------
    ndarray, shape (m, n) or (m, n, C)
        float64 for float64 values, else float32.

    Examples
    --------
    >>> sample_bilinear(np.array([[0.0, 4.0], [8.0, 12.0]]), np.array([0.5]), np.array([0.25, 9]))
    array([[5., 8.]])
    """
    dtype = np.float64 if values.dtype == np.float64 else np.float32
    values = values.astype(dtype, copy=False)
    above, below, down = _between(values.shape[0], rows, dtype)
    left, right, along = _between(values.shape[1], cols, dtype)
    down = down.reshape(-1, *[1] * (values.ndim - 1))
    along = along.reshape(-1, *[1] * (values.ndim - 2))
    result = np.empty((len(rows), len(cols), *values.shape[2:]), dtype=dtype)
    step = max(1, _BLOCK // max(1, values[0].size, result[:1].size))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        upper = values[above[part]]
        band = upper + (values[below[part]] - upper) * down[part]
        near = band[:, left]
        # Not near * (1 - t) + far * t: this form gives back constants and nodes to the bit.
        result[part] = near + (band[:, right] - near) * along
    return result


class _Areas:
    """Which rows each part of `size` rows covers, and how much of them.

    Positions are counted in such fractions of a row that all of them are whole numbers, so that
    means over whole rows are exact.
    """

    def __init__(self, size: int, parts: int) -> None:
        common = math.gcd(size, parts)
        self._covers, pieces = size // common, parts // common
        edges = np.arange(parts + 1, dtype=np.int64) * self._covers
        self._first = edges[:-1] // pieces
        taps = int((-(-edges[1:] // pieces) - self._first).max())
        begin = (self._first[:, np.newaxis] + np.arange(taps)) * pieces
        covered = np.minimum(begin + pieces, edges[1:, np.newaxis])
        covered -= np.maximum(begin, edges[:-1, np.newaxis])
        self._weights = np.maximum(covered, 0)

    def means(self, rows: PixelArray, parts: slice) -> FloatArray:
        """Return the means over some of the parts, float64."""
        first, weights = self._first[parts], self._weights[parts]
        total = np.zeros((len(first), *rows.shape[1:]), dtype=np.float64)
        wide = (-1, *[1] * (rows.ndim - 1))
        for tap in range(weights.shape[1]):
            weight = weights[:, tap].astype(np.float64)
            # Beyond its area a part takes nothing: there may be no row, or NaN.
            used = weight > 0
            if used.all():
                total += rows[first + tap] * weight.reshape(wide)
            else:
                total[used] += rows[first[used] + tap] * weight[used].reshape(wide)
        total /= self._covers
        return total


def _between(
    size: int, positions: FloatArray, dtype: type[np.floating[Any]]
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the nodes on both sides of each position and how far it lies from the first."""
    inside = np.clip(np.asarray(positions, dtype=np.float64), 0, size - 1)
    before = np.floor(inside).astype(np.intp)
    after = np.minimum(before + 1, size - 1)
    return before, after, (inside - before).astype(dtype)

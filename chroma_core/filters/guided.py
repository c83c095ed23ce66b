"""Guided filter: smooth a map so that its edges are those of a guide.

He, Sun & Tang, "Guided Image Filtering", IEEE TPAMI 35(6), 2013. In every window of radius r the
result is an affine function of the guide, q = α I + β, fitted to the values; each pixel takes the
mean of α and β over the windows that it lies in (equations 5, 6 and 8). The fast variant of He &
Sun, "Fast Guided Filter" (2015), fits α and β on a small picture: take `guided_coefficients` there
and sample them at full size.

Box means use summed areas, so a radius costs nothing, and reflect the picture at its edges with
the edge repeated. Sums are float64: in float32 the difference ⟨I²⟩ - ⟨I⟩² is lost on large
pictures.
"""

from __future__ import annotations

import numpy as np

from chroma_core.arrays import FloatArray, IntArray

__all__ = ["box_mean", "guided_coefficients", "guided_filter"]

_BLOCK = 1 << 20
"""Pixels of one stripe: 8 MiB for each of about ten float64 planes."""


def box_mean(picture: FloatArray, radius: int) -> FloatArray:
    """Return the mean over the window of ``2 * radius + 1`` pixels on a side.

    Parameters
    ----------
    picture : ndarray, shape (H, W) or (H, W, C)
        Finite. Reflected at the edges, the edge repeated (``numpy.pad`` calls this symmetric); the
        radius may be larger than the picture.
    radius : int
        Pixels, at least 0.

    Returns
    -------
    ndarray, shape of `picture`
        float64 for a float64 picture, else float32.

    Examples
    --------
    >>> box_mean(np.array([[0.0, 3.0, 9.0]]), 1)
    array([[1., 4., 7.]])
    """
    if radius < 0:
        raise ValueError(f"radius is {radius}, wanted at least 0")
    dtype = np.float64 if picture.dtype == np.float64 else np.float32
    return _box_mean(picture.astype(np.float64, copy=False), radius).astype(dtype, copy=False)


def guided_coefficients(
    values: FloatArray, guide: FloatArray, radius: int, epsilon: float
) -> tuple[FloatArray, FloatArray]:
    """Return ⟨α⟩ and ⟨β⟩, so that the filtered values are ``⟨α⟩ guide + ⟨β⟩``.

    Parameters
    ----------
    values : ndarray, shape (H, W) or (H, W, C)
        What to smooth, finite; channels are filtered one by one.
    guide : ndarray, shape (H, W)
        Whose edges to keep, in [0, 1], finite.
    radius : int
        Pixels; the coefficients look ``2 * radius`` around.
    epsilon : float
        Variance of the guide, in its units squared, at which half of an edge is kept; above 0.

    Returns
    -------
    alpha, beta : ndarray, shape of `values`
        float64 for float64 values, else float32.

    Examples
    --------
    Where the values are a multiple of the guide, so is the fit, but for epsilon.

    >>> ramp = np.linspace(0, 1, 5)[np.newaxis]
    >>> alpha, beta = guided_coefficients(3 * ramp, ramp, radius=1, epsilon=1e-6)
    >>> alpha.round(3)
    array([[3., 3., 3., 3., 3.]])
    """
    dtype = np.float64 if values.dtype == np.float64 else np.float32
    alpha = np.empty(values.shape, dtype=dtype)
    beta = np.empty(values.shape, dtype=dtype)
    for wide, inner, rows in _stripes(values.shape, radius):
        for channel in _channels(values):
            part = _coefficients(values[wide][channel], guide[wide], radius, epsilon)
            alpha[rows][channel], beta[rows][channel] = part[0][inner], part[1][inner]
    return alpha, beta


def guided_filter(values: FloatArray, guide: FloatArray, radius: int, epsilon: float) -> FloatArray:
    """Return the values, smoothed inside regions where the guide is smooth.

    Parameters
    ----------
    values : ndarray, shape (H, W) or (H, W, C)
        What to smooth, finite; channels are filtered one by one.
    guide : ndarray, shape (H, W)
        Whose edges to keep, in [0, 1], finite.
    radius : int
        Pixels; a pixel of the result looks ``2 * radius`` around.
    epsilon : float
        Variance of the guide, in its units squared, at which half of an edge is kept; above 0.

    Returns
    -------
    ndarray, shape of `values`
        float64 for float64 values, else float32.

    Examples
    --------
    An edge that the guide has stays, an edge that it has not goes.

    >>> step = np.repeat([[0.0, 1.0]], 4, axis=1)
    >>> guided_filter(10 * step, step, 2, 1e-3).round(1)
    array([[ 0.,  0.,  0.,  0., 10., 10., 10., 10.]])
    >>> guided_filter(10 * step, 0 * step, 2, 1e-3).round(1)
    array([[0.4, 1.2, 2.4, 4. , 6. , 7.6, 8.8, 9.6]])
    """
    dtype = np.float64 if values.dtype == np.float64 else np.float32
    result = np.empty(values.shape, dtype=dtype)
    for wide, inner, rows in _stripes(values.shape, radius):
        for channel in _channels(values):
            alpha, beta = _coefficients(values[wide][channel], guide[wide], radius, epsilon)
            result[rows][channel] = alpha[inner] * guide[rows] + beta[inner]
    return result


def _coefficients(
    values: FloatArray, guide: FloatArray, radius: int, epsilon: float
) -> tuple[FloatArray, FloatArray]:
    """Return ⟨α⟩ and ⟨β⟩ of one channel of a stripe, float64 (equations 5, 6 and 8)."""
    p = values.astype(np.float64, copy=False)
    i = guide.astype(np.float64, copy=False)
    mean_i = _box_mean(i, radius)
    mean_p = _box_mean(p, radius)
    # Rounding can leave a variance below 0, and epsilon may be as small.
    variance = np.maximum(_box_mean(i * i, radius) - mean_i * mean_i, 0)
    alpha = (_box_mean(i * p, radius) - mean_i * mean_p) / (variance + epsilon)
    beta = mean_p - alpha * mean_i
    return _box_mean(alpha, radius), _box_mean(beta, radius)


def _box_mean(picture: FloatArray, radius: int) -> FloatArray:
    for axis in (0, 1):
        picture = _window_sums(picture, radius, axis) / (2 * radius + 1)
    return picture


def _window_sums(picture: FloatArray, radius: int, axis: int) -> FloatArray:
    size = picture.shape[axis]
    sums = np.zeros([n + (k == axis) for k, n in enumerate(picture.shape)])
    np.cumsum(picture, axis=axis, out=sums[(slice(None),) * axis + (slice(1, None),)])
    centre = np.arange(size)
    return _sum_before(sums, centre + radius + 1, axis) - _sum_before(sums, centre - radius, axis)


def _sum_before(sums: FloatArray, position: IntArray, axis: int) -> FloatArray:
    """Return the sum of the reflected, endless picture from 0 up to each position.

    The reflected picture repeats after twice its size, so its running sum follows from the sums
    inside the picture, and no padded copy is needed.
    """
    size = sums.shape[axis] - 1
    period, place = np.divmod(position, 2 * size)
    back = place > size
    wide = [1] * sums.ndim
    wide[axis] = -1
    sign = np.where(back, -1.0, 1.0).reshape(wide)
    whole = (2.0 * (period + back)).reshape(wide)
    total = np.take(sums, [size], axis=axis)
    inside = np.take(sums, np.where(back, 2 * size - place, place), axis=axis)
    return np.asarray(inside * sign + whole * total)


def _stripes(shape: tuple[int, ...], radius: int) -> list[tuple[slice, slice, slice]]:
    """Return stripes with their surroundings, the stripe within those, and its rows."""
    height, width = shape[:2]
    step = max(_BLOCK // max(1, width), 4 * radius, 1)
    stripes = []
    for start in range(0, height, step):
        stop = min(start + step, height)
        top, bottom = max(0, start - 2 * radius), min(height, stop + 2 * radius)
        stripes.append((slice(top, bottom), slice(start - top, stop - top), slice(start, stop)))
    return stripes


def _channels(values: FloatArray) -> list[tuple[slice | int, ...]]:
    if values.ndim == 2:
        return [(slice(None), slice(None))]
    return [(slice(None), slice(None), channel) for channel in range(values.shape[2])]

"""Guided filter: smooth a map so that its edges are those of a guide.

He, Sun & Tang, "Guided Image Filtering", IEEE TPAMI 35(6), 2013. In every window of radius r the
result is an affine function of the guide, q = α I + β, fitted to the values; each pixel takes the
mean of α and β over the windows that it lies in (equations 5, 6 and 8). The fast variant of He &
Sun, "Fast Guided Filter" (2015), fits α and β on a small picture: take `guided_coefficients` there
and sample them at full size.

A window's sum follows from its neighbour's by what comes in and what goes out, so the cost does not
depend on the radius. Pictures are reflected at their edges, the edge repeated. Sums are float64: in
float32 the difference ⟨I²⟩ - ⟨I⟩² is lost on large pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from chroma_core.arrays import FloatArray, IntArray

__all__ = ["box_mean", "guided_coefficients", "guided_filter"]

_BLOCK = 1 << 16
"""Pixels of one block of rows: its float64 planes, 512 KiB each, stay in the cache."""


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

    Raises
    ------
    ValueError
        If the radius is below 0.

    Examples
    --------
    >>> box_mean(np.array([[0.0, 3.0, 9.0]]), 1)
    array([[1., 4., 7.]])
    """
    mean = np.empty(picture.shape, dtype=_kept(picture))
    planes = np.moveaxis(np.atleast_3d(picture), -1, 0)
    result = np.moveaxis(np.atleast_3d(mean), -1, 0)
    for plane, filtered in zip(planes, result, strict=True):
        for rows, means in _box_rows([plane.__getitem__], plane.shape, radius):
            filtered[rows] = means[0]
    return mean


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
        Pixels, at least 0; the coefficients look ``2 * radius`` around.
    epsilon : float
        Variance of the guide, in its units squared, at which half of an edge is kept; above 0.

    Returns
    -------
    alpha, beta : ndarray, shape of `values`
        float64 for float64 values, else float32.

    Raises
    ------
    ValueError
        If the radius is below 0, epsilon not above 0, or the guide of another size.

    Examples
    --------
    Where the values are a multiple of the guide, so is the fit, but for epsilon.

    >>> ramp = np.linspace(0, 1, 5)[np.newaxis]
    >>> alpha, beta = guided_coefficients(3 * ramp, ramp, radius=1, epsilon=1e-6)
    >>> alpha.round(3)
    array([[3., 3., 3., 3., 3.]])
    """
    alpha = np.empty(values.shape, dtype=_kept(values))
    beta = np.empty(values.shape, dtype=_kept(values))
    for channel in _channels(values):
        for rows, slopes, offsets in _fitted(values[channel], guide, radius, epsilon):
            alpha[channel][rows], beta[channel][rows] = slopes, offsets
    return alpha, beta


def guided_filter(values: FloatArray, guide: FloatArray, radius: int, epsilon: float) -> FloatArray:
    """Return the values, smoothed inside regions where the guide is smooth.

    Beside the result it holds two planes of one channel, of the dtype of the result.

    Parameters
    ----------
    values : ndarray, shape (H, W) or (H, W, C)
        What to smooth, finite; channels are filtered one by one.
    guide : ndarray, shape (H, W)
        Whose edges to keep, in [0, 1], finite.
    radius : int
        Pixels, at least 0; a pixel of the result looks ``2 * radius`` around.
    epsilon : float
        Variance of the guide, in its units squared, at which half of an edge is kept; above 0.

    Returns
    -------
    ndarray, shape of `values`
        float64 for float64 values, else float32.

    Raises
    ------
    ValueError
        If the radius is below 0, epsilon not above 0, or the guide of another size.

    Examples
    --------
    An edge that the guide has stays, an edge that it has not goes.

    >>> step = np.repeat([[0.0, 1.0]], 4, axis=1)
    >>> guided_filter(10 * step, step, 2, 1e-3).round(1)
    array([[ 0.,  0.,  0.,  0., 10., 10., 10., 10.]])
    >>> guided_filter(10 * step, 0 * step, 2, 1e-3).round(1)
    array([[0.4, 1.2, 2.4, 4. , 6. , 7.6, 8.8, 9.6]])
    """
    filtered = np.empty(values.shape, dtype=_kept(values))
    for channel in _channels(values):
        for rows, slopes, offsets in _fitted(values[channel], guide, radius, epsilon):
            filtered[channel][rows] = slopes * guide[rows] + offsets
    return filtered


Source = Callable[[IntArray], FloatArray]
"""Takes the numbers of n rows, gives those rows, shape (n, W)."""


def _fitted(
    values: FloatArray, guide: FloatArray, radius: int, epsilon: float
) -> Iterator[tuple[slice, FloatArray, FloatArray]]:
    """Yield rows, ⟨α⟩ and ⟨β⟩ of one channel, block by block, float64 (equations 5, 6 and 8)."""
    if guide.shape != values.shape:
        raise ValueError(f"guide has shape {guide.shape}, wanted {values.shape}")
    if not epsilon > 0:
        raise ValueError(f"epsilon is {epsilon}, wanted above 0")
    alpha = np.empty(values.shape, dtype=_kept(values))
    beta = np.empty(values.shape, dtype=_kept(values))
    moments: list[Source] = [
        lambda i: guide[i],
        lambda i: values[i],
        lambda i: np.square(guide[i], dtype=np.float64),
        lambda i: np.multiply(guide[i], values[i], dtype=np.float64),
    ]
    for rows, (mean_i, mean_p, mean_ii, mean_ip) in _box_rows(moments, values.shape, radius):
        # Rounding can leave a variance below 0, and epsilon may be as small.
        variance = np.maximum(mean_ii - mean_i * mean_i, 0)
        slopes = (mean_ip - mean_i * mean_p) / (variance + epsilon)
        alpha[rows] = slopes
        beta[rows] = mean_p - slopes * mean_i
    fits: list[Source] = [lambda i: alpha[i], lambda i: beta[i]]
    for rows, (slopes, offsets) in _box_rows(fits, values.shape, radius):
        yield rows, slopes, offsets


def _box_rows(
    sources: list[Source], shape: tuple[int, ...], radius: int
) -> Iterator[tuple[slice, FloatArray]]:
    """Yield rows and the means of each source over the windows around them, block by block.

    The means have shape (sources, n, W). Only blocks of rows are held, whatever the radius.
    """
    if radius < 0:
        raise ValueError(f"radius is {radius}, wanted at least 0")
    height, width = shape
    size = 2 * radius + 1
    step = max(1, _BLOCK // max(1, width))
    # One more column on the left: the sum of a window is the difference of two running sums.
    columns = _reflected(np.arange(-radius - 1, width + radius), width)
    sums = _sums_of_first_window(sources, (height, width), radius, step)
    for start in range(0, height, step):
        stop = min(start + step, height)
        centre = np.arange(start, stop)
        means = np.empty((len(sources), stop - start, width))
        coming = _reflected(centre + radius, height)
        going = _reflected(centre - radius - 1, height)
        for source, total, mean in zip(sources, sums, means, strict=True):
            down = np.empty((stop - start, width))
            for row, (enters, leaves) in enumerate(zip(source(coming), source(going), strict=True)):
                # The first window was summed up as a whole.
                if start + row > 0:
                    total += enters
                    total -= leaves
                down[row] = total
            running = np.cumsum(np.take(down, columns, axis=1), axis=1)
            np.subtract(running[:, size:], running[:, :-size], out=mean)
            mean /= size * size
        yield slice(start, stop), means


def _sums_of_first_window(
    sources: list[Source], shape: tuple[int, int], radius: int, step: int
) -> FloatArray:
    """Return the sums down the columns of the windows around row 0, shape (sources, W)."""
    height, width = shape
    times = np.bincount(_reflected(np.arange(-radius, radius + 1), height), minlength=height)
    used = np.flatnonzero(times)
    sums = np.zeros((len(sources), width))
    for start in range(0, len(used), step):
        rows = used[start : start + step]
        for total, source in zip(sums, sources, strict=True):
            total += times[rows].astype(np.float64) @ source(rows)
    return sums


def _reflected(index: IntArray, size: int) -> IntArray:
    """Return where an index outside a row of `size` pixels falls, the edge pixel repeated."""
    place = index % (2 * size)
    return np.where(place < size, place, 2 * size - 1 - place)


def _channels(values: FloatArray) -> list[tuple[slice | int, ...]]:
    if values.ndim == 2:
        return [(slice(None), slice(None))]
    return [(slice(None), slice(None), channel) for channel in range(values.shape[2])]


def _kept(values: FloatArray) -> type[np.float64] | type[np.float32]:
    return np.float64 if values.dtype == np.float64 else np.float32

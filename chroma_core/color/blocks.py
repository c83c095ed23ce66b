"""Work on large pictures a block of pixels at a time.

A conversion needs several temporary planes. Over a whole picture they go through main memory again
and again; over a block of some ten thousand pixels they stay in the processor's cache and cost next
to nothing, in time as in memory. Nothing here looks at a pixel's neighbours, so results do not
depend on where blocks begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray

__all__ = ["BLOCK", "as_colors", "as_floats", "map_planes", "map_values", "power", "quiet"]

BLOCK = 16_384
"""Pixels a block: a dozen float32 planes of it fit in a 1 MiB cache."""


def as_floats(values: npt.ArrayLike) -> FloatArray:
    """Return `values` as float32 or float64, without a copy where they are that already.

    Parameters
    ----------
    values : array_like
        float32 and float64 are kept; signed integers and other floats become float64.

    Raises
    ------
    TypeError
        If the values are unsigned code values: those are scaled to [0, 1] where they are read.
    """
    array = np.asarray(values)
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind == "u":
        raise TypeError(
            f"got code values of dtype {array.dtype}, wanted floats "
            f"(divide by {np.iinfo(array.dtype).max} first)"
        )
    return array.astype(np.float64, casting="same_kind")


def as_colors(colors: npt.ArrayLike) -> FloatArray:
    """Return `colors` as floats of shape (..., 3).

    Raises
    ------
    ValueError
        If the last axis does not hold three channels.
    """
    array = as_floats(colors)
    if array.ndim == 0 or array.shape[-1] != 3:
        raise ValueError(f"colours have shape {array.shape}, wanted (..., 3)")
    return array


def quiet() -> np.errstate:
    """Return a context in which NaN, infinity and the logarithm of 0 raise no warning."""
    return np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore")


def map_planes(
    kernel: Callable[[FloatArray, FloatArray, FloatArray], Iterable[FloatArray]],
    colors: npt.ArrayLike,
) -> FloatArray:
    """Apply a function of three channels to every pixel.

    Parameters
    ----------
    kernel : callable
        Takes three planes of shape (n,), gives three planes of shape (n,).
    colors : array_like, shape (..., 3)
        Any leading shape; NaN is let through without a warning.

    Returns
    -------
    ndarray, shape (..., 3)
        float32 where `colors` is, else float64.
    """
    colors = as_colors(colors)
    converted = np.empty(colors.shape, dtype=colors.dtype)
    pixels, converted_pixels = colors.reshape(-1, 3), converted.reshape(-1, 3)
    with quiet():
        for start in range(0, len(pixels), BLOCK):
            block = slice(start, start + BLOCK)
            planes = np.ascontiguousarray(pixels[block].T)
            for channel, plane in enumerate(kernel(*planes)):
                converted_pixels[block, channel] = plane
    return converted


def map_values(kernel: Callable[[FloatArray], FloatArray], values: npt.ArrayLike) -> FloatArray:
    """Apply a function of one channel to every value.

    Parameters
    ----------
    kernel : callable
        Takes values of shape (n,), gives values of shape (n,).
    values : array_like, any shape
        NaN is let through without a warning.

    Returns
    -------
    ndarray
        The shape of `values`; float32 where `values` is, else float64.
    """
    values = as_floats(values)
    converted = np.empty(values.shape, dtype=values.dtype)
    flat, converted_flat = values.reshape(-1), converted.reshape(-1)
    with quiet():
        for start in range(0, flat.size, BLOCK):
            block = slice(start, start + BLOCK)
            converted_flat[block] = kernel(flat[block])
    return converted


def power(base: FloatArray, exponent: float) -> FloatArray:
    """Raise one block to a power, inside `quiet`.

    In float32 by exponential and logarithm, which have vector code on more processors than the
    power has, and the same bits with AVX2 as with AVX-512. An exponent above 2 is split, because a
    logarithm's error counts as often as it is multiplied.

    Parameters
    ----------
    base : ndarray, shape (n,)
        At least 0; below gives NaN.
    exponent : float
        Above 0.
    """
    if base.dtype != np.float32:
        return np.power(base, exponent)
    square = exponent > 2
    raised: FloatArray = np.log(base)
    raised *= exponent - 2 if square else exponent
    np.exp(raised, out=raised)
    if square:
        raised *= base
        raised *= base
    return raised

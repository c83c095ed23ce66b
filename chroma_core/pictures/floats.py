"""Pictures of floats: on which scale they are, and what becomes of values that are no numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.reading import Reading

__all__ = ["HIGHEST", "LOWEST", "on_unit_scale", "without_nan"]

LOWEST, HIGHEST = -0.01, 1.5
"""Floats a little outside of [0, 1] are over-exposure and rounding; further out they are of
another scale."""


def on_unit_scale(samples: PixelArray, reading: Reading, warnings: list[str]) -> PixelArray:
    """Return samples of which 0 is black and 1 is white; integers come back as they are.

    Parameters
    ----------
    samples : ndarray, any shape
        As stored.
    reading : Reading
        `Reading.value_range` and `Reading.nan` count.
    warnings : list of str
        What was replaced or clipped is added to it.

    Returns
    -------
    ndarray
        Floats within `LOWEST` to `HIGHEST`; within [0, 1] where a range was given.

    Raises
    ------
    PictureError
        ``unsupported`` if values are NaN, infinite, or of another scale, and nothing says what
        they shall be.
    """
    if samples.dtype.kind != "f":
        return samples
    samples = without_nan(samples, reading, warnings)
    low, high = float(samples.min()), float(samples.max())
    if reading.value_range is None:
        if low < LOWEST or high > HIGHEST:
            raise PictureError(
                f"its values go from {low:g} to {high:g}, floats are taken as 0 to 1",
                kind="unsupported",
                hint=f"--range LOW,HIGH, such as --range {min(low, 0):g},{high:g}",
            )
        return samples
    black, white = (samples.dtype.type(end) for end in reading.value_range)
    if low < black or high > white:
        outside = int(((samples < black) | (samples > white)).sum())
        warnings.append(
            f"{outside:,} values of {low:g} to {high:g} are outside of {black:g} to {white:g}, "
            "and are clipped"
        )
    unit: PixelArray = np.clip((samples - black) / (white - black), 0, 1)
    return unit


def without_nan(samples: PixelArray, reading: Reading, warnings: list[str]) -> PixelArray:
    """Return floats with `Reading.nan` in place of those that are NaN or infinite.

    Half precision becomes float32: what is put in may be more than that can hold.

    Raises
    ------
    PictureError
        ``unsupported`` if there are such values, and nothing says what they shall be.
    """
    if samples.dtype.itemsize == 2:
        samples = samples.astype(np.float32)
    # A sum would overflow; the extremes are NaN if anything is.
    if np.isfinite(samples.min()) and np.isfinite(samples.max()):
        return samples
    bad = ~np.isfinite(samples)
    count = int(bad.sum())
    if reading.nan is None:
        raise PictureError(
            f"{count:,} of its values are NaN or infinite",
            kind="unsupported",
            hint="--nan VALUE says what they shall be, such as --nan 0",
        )
    warnings.append(f"{count:,} values are NaN or infinite, and count as {reading.nan:g}")
    stands_for: Any = samples.dtype.type(reading.nan)
    return np.where(bad, stands_for, samples)

"""Intervals for the mean of paired differences: the percentile bootstrap.

Two ways of colouring are compared on the same pictures, so the pictures' own difficulty cancels in
the difference of the two figures of each picture. The interval says how far the mean of those
differences would move if other pictures of the same kind had been drawn (B. Efron and
R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall 1993, chapter 13).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chroma_core.errors import InputError

__all__ = ["Interval", "paired_bootstrap"]

_DRAWS_AT_ONCE = 4_000_000


class Interval(NamedTuple):
    """A mean and the bounds of its interval, in the unit of what was averaged."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether both bounds lie on one side of zero."""
        return self.low > 0 or self.high < 0


def paired_bootstrap(
    differences: npt.ArrayLike,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return the mean of paired differences with its percentile bootstrap interval.

    Parameters
    ----------
    differences : array_like, shape (n,)
        One difference per picture, finite; n at least 1.
    resamples : int, optional
        How often n pictures are drawn again with replacement.
    seed : int, optional
        Seed of the draws: the same differences and seed give the same interval.
    level : float, optional
        Part of the resampled means that lies between the bounds, in (0, 1).

    Returns
    -------
    Interval
        Mean, lower and upper bound. With one picture all three are its difference: the bootstrap
        cannot see how pictures differ when there is only one.

    Raises
    ------
    InputError
        If there is no difference, or one is NaN or infinite, or `resamples` or `level` is out of
        range.

    Examples
    --------
    >>> paired_bootstrap([2.0, 2.0, 2.0])
    Interval(mean=2.0, low=2.0, high=2.0)
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise InputError(f"differences have shape {values.shape}, wanted (n,) with n at least 1")
    if not np.isfinite(values).all():
        count = int(np.count_nonzero(~np.isfinite(values)))
        raise InputError(f"{count} of {values.size} differences are NaN or infinite")
    if resamples < 1:
        raise InputError(f"resamples is {resamples}, wanted at least 1")
    if not 0 < level < 1:
        raise InputError(f"level is {level}, wanted between 0 and 1")
    rng = np.random.default_rng(seed)
    # Blocks bound the memory; the stream of draws is the same however it is cut.
    block = max(1, _DRAWS_AT_ONCE // values.size)
    means = np.concatenate(
        [
            values[rng.integers(values.size, size=(count, values.size))].mean(axis=1)
            for count in _parts(resamples, block)
        ]
    )
    tail = 50 * (1 - level)
    low, high = np.percentile(means, [tail, 100 - tail])
    return Interval(mean=float(values.mean()), low=float(low), high=float(high))


def _parts(total: int, largest: int) -> list[int]:
    whole, rest = divmod(total, largest)
    return [largest] * whole + ([rest] if rest else [])

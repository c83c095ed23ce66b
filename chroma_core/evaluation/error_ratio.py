"""Error over variance: how much of the chroma's spread a prediction leaves unexplained.

The figure of a training card: mean squared error of the predicted a* (or b*), divided by the mean
squared error of a constant. 1 is what the constant reaches, 0 is perfect, above 1 is worse than no
prediction. With the mean of the training pictures as the constant it is the held-out figure of a
card; with the mean of the true values themselves it is 1 - R², the unexplained variance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray
from chroma_core.errors import InputError

__all__ = ["ChromaErrorRatio", "ErrorRatio", "error_over_variance"]


class ErrorRatio(NamedTuple):
    """Error over variance of each chroma channel, and of both together.

    Attributes
    ----------
    a, b : float
        Of a* and of b*.
    both : float
        Sum of both channels' squared errors over the sum of both channels' spreads.
    """

    a: float
    b: float
    both: float


class ChromaErrorRatio:
    """Error over variance, added up picture by picture.

    Sums are kept about the first value that comes, so that a large mean costs no digits.

    Parameters
    ----------
    mean_ab : pair of float, optional
        The constant to compare with, in LAB units: the mean a* and b* of the training pictures.
        Without it the mean of all true values that were added.

    Examples
    --------
    >>> ratio = ChromaErrorRatio()
    >>> ratio.add(np.zeros((2, 2)), np.array([[1.0, 2.0], [-1.0, -2.0]]))
    >>> ratio.result()
    ErrorRatio(a=1.0, b=1.0, both=1.0)
    """

    def __init__(self, mean_ab: tuple[float, float] | None = None) -> None:
        self._origin = None if mean_ab is None else np.asarray(mean_ab, dtype=np.float64)
        self._given = mean_ab is not None
        self._count = 0
        self._error = np.zeros(2)
        self._sum = np.zeros(2)
        self._squares = np.zeros(2)

    @property
    def count(self) -> int:
        """Number of pairs added so far."""
        return self._count

    def add(self, predicted_ab: npt.ArrayLike, true_ab: npt.ArrayLike) -> None:
        """Add nodes or pixels.

        Parameters
        ----------
        predicted_ab, true_ab : array_like, shape (..., 2)
            a* and b* in LAB units, finite, both of one shape; may be empty.

        Raises
        ------
        InputError
            If the shapes differ or do not end in 2, or a value is NaN or infinite.
        """
        predicted, true = _pairs("predicted_ab", predicted_ab), _pairs("true_ab", true_ab)
        if predicted.shape != true.shape:
            raise InputError(
                f"predicted_ab has shape {np.shape(predicted_ab)}, true_ab {np.shape(true_ab)}, "
                "wanted one shape"
            )
        if not len(true):
            return
        if self._origin is None:
            self._origin = true[0].copy()
        about = true - self._origin
        self._count += len(true)
        self._error += np.square(predicted - true).sum(axis=0)
        self._sum += about.sum(axis=0)
        self._squares += np.square(about).sum(axis=0)

    def result(self) -> ErrorRatio:
        """Return the ratios of all that was added.

        Raises
        ------
        InputError
            If nothing was added, or a channel of the truth does not differ from the constant, so
            that the ratio has no meaning.
        """
        if not self._count:
            raise InputError("no chroma was added, so there is no error to divide")
        spread = self._squares.copy()
        if not self._given:
            spread -= np.square(self._sum) / self._count
        # What is left by cancellation when all values are equal is not spread.
        spread[spread <= 1e-12 * self._squares] = 0.0
        if not (spread > 0).all():
            raise InputError("the true chroma does not vary, so error over variance has no meaning")
        ratio = self._error / spread
        both = float(self._error.sum() / spread.sum())
        return ErrorRatio(a=float(ratio[0]), b=float(ratio[1]), both=both)


def error_over_variance(
    predicted_ab: npt.ArrayLike,
    true_ab: npt.ArrayLike,
    *,
    mean_ab: tuple[float, float] | None = None,
) -> ErrorRatio:
    """Return mean squared error over variance, for a*, for b* and for both.

    Parameters
    ----------
    predicted_ab, true_ab : array_like, shape (..., 2)
        a* and b* in LAB units, finite, both of one shape.
    mean_ab : pair of float, optional
        The constant to compare with (the mean of the training pictures); without it the mean of
        `true_ab`.

    Raises
    ------
    InputError
        If shapes differ, a value is NaN or infinite, there is none, or the truth does not vary.

    Examples
    --------
    >>> truth = np.array([[1.0, 2.0], [-1.0, -2.0]])
    >>> error_over_variance(truth / 2, truth)
    ErrorRatio(a=0.25, b=0.25, both=0.25)
    """
    ratio = ChromaErrorRatio(mean_ab)
    ratio.add(predicted_ab, true_ab)
    return ratio.result()


def _pairs(name: str, chroma: npt.ArrayLike) -> FloatArray:
    values = np.asarray(chroma, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] != 2:
        raise InputError(f"{name} has shape {values.shape}, wanted (..., 2)")
    bad = int(values.size - np.count_nonzero(np.isfinite(values)))
    if bad:
        raise InputError(f"{name} holds {bad} values that are NaN or infinite")
    return values.reshape(-1, 2)

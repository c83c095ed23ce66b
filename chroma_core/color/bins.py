"""Distributions over colours: the a*b* plane in bins, and from probabilities back to one colour.

Zhang, Isola & Efros, "Colorful Image Colorization", ECCV 2016: the plane of a* and b* is cut into a
grid, a true colour is told softly to its nearest bins (section 2.2), rare colours weigh more than
frequent ones (equation 4), and the predicted distribution is brought to one colour by the mean of
its annealed form (equation 5). A net that was trained with such weights answers with probabilities
that are tilted towards rare colours, and one that was not can be tilted by them afterwards;
`chroma_of_logits` takes as much of that tilt back as is asked for.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from chroma_core.arrays import FloatArray, IntArray
from chroma_core.color.lab import lab_to_rgb

__all__ = [
    "SPACING",
    "ab_bins",
    "bin_weights",
    "chroma_kept",
    "chroma_of_logits",
    "expected_distances",
    "probabilities",
    "soft_codes",
]

SPACING = 10.0
"""Distance of neighbouring bins along a* and b*; that of Zhang et al."""

_LIGHTNESS_STEP = 1.0

_DISTANCES_AT_ONCE = 4096
"""Nodes whose distances to all bins are in memory together: 7 MB in float32."""


@lru_cache(maxsize=4)
def _bins(spacing: float) -> FloatArray:
    reach = np.arange(-np.ceil(130 / spacing), np.ceil(130 / spacing) + 1) * spacing
    a, b = np.meshgrid(reach, reach, indexing="ij")
    plane = np.stack([a.ravel(), b.ravel()], axis=-1)
    lightness = np.arange(_LIGHTNESS_STEP, 100, _LIGHTNESS_STEP)
    found = np.zeros(len(plane), dtype=bool)
    for value in lightness:
        lab = np.concatenate([np.full((len(plane), 1), value), plane], axis=1)
        rgb = lab_to_rgb(lab)
        found |= ((rgb >= 0) & (rgb <= 1)).all(axis=1)
    bins = np.ascontiguousarray(plane[found])
    bins.flags.writeable = False
    return bins


def ab_bins(spacing: float = SPACING) -> FloatArray:
    """Return the centres of the bins: the nodes of a grid that are in sRGB at some whole L*.

    Parameters
    ----------
    spacing : float, optional
        Distance of the nodes along a* and b*.

    Returns
    -------
    ndarray, shape (n, 2)
        a* and b*, float64, sorted by a* and then b*; read-only.

    Examples
    --------
    >>> len(ab_bins()), (ab_bins() == 0).all(axis=1).sum()
    (225, 1)
    """
    return _bins(float(spacing))


def soft_codes(
    chroma: FloatArray, bins: FloatArray, *, neighbours: int = 5, sigma: float = 5.0
) -> tuple[IntArray, FloatArray]:
    """Tell colours softly to their nearest bins.

    Parameters
    ----------
    chroma : ndarray, shape (n, 2)
        a* and b*.
    bins : ndarray, shape (k, 2)
        Centres of the bins, at least `neighbours` of them.
    neighbours : int, optional
        Bins that a colour is told to.
    sigma : float, optional
        Standard deviation, in units of a* and b*, of the Gaussian that weighs them.

    Returns
    -------
    tuple of ndarray, shape (n, neighbours)
        Indices of the bins, nearest first, and their shares, float32, which add up to 1.
    """
    gaps = np.square(chroma[:, np.newaxis, :].astype(np.float64) - bins).sum(axis=-1)
    nearest = np.argsort(gaps, axis=1, kind="stable")[:, :neighbours]
    near = np.take_along_axis(gaps, nearest, axis=1)
    # The nearest gap is taken off first: a colour far from every bin would divide by zero.
    shares = np.exp(-(near - near[:, :1]) / (2 * sigma**2))
    shares /= shares.sum(axis=1, keepdims=True)
    return nearest, shares.astype(np.float32)


def bin_weights(frequencies: FloatArray, *, mix: float = 0.5) -> FloatArray:
    """Return how much a colour of each bin weighs in training.

    Parameters
    ----------
    frequencies : ndarray, shape (k,)
        How often each bin occurs, not negative, not all 0. One that never occurs weighs as
        much as the rarest that does.
    mix : float, optional
        Lambda of Zhang et al.: 0 weighs by the inverse of the frequency, 1 all alike.

    Returns
    -------
    ndarray, shape (k,)
        Weights, float64; the mean weight of a colour that occurs is 1.
    """
    shares = frequencies / frequencies.sum()
    # A bin that never occurs weighs as much as the rarest that does.
    found = np.maximum(shares, shares[shares > 0].min())
    weights = 1 / ((1 - mix) * found + mix / len(shares))
    scaled: FloatArray = weights / (weights * shares).sum()
    return scaled


def probabilities(logits: FloatArray) -> FloatArray:
    """Return the softmax of logits along the last axis."""
    powers = np.asarray(logits - logits.max(axis=-1, keepdims=True))
    np.exp(powers, out=powers)
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def chroma_of_logits(
    logits: FloatArray,
    bins: FloatArray,
    weights: FloatArray,
    *,
    undo: float,
    temperature: float,
    gain: float = 1.0,
) -> FloatArray:
    """Return one colour for each distribution.

    Parameters
    ----------
    logits : ndarray, shape (..., k)
        What the net answers.
    bins : ndarray, shape (k, 2)
        a* and b* of the bins.
    weights : ndarray, shape (k,)
        What the bins' probabilities are tilted by.
    undo : float
        How much of the weights is taken back: 0 nothing, 1 all.
    temperature : float
        Above 0; 1 gives the mean of the distribution, near 0 its mode.
    gain : float, optional
        Multiplies chroma.

    Returns
    -------
    ndarray, shape (..., 2)
        a* and b* in the dtype of `logits`.
    """
    tilt = (undo * np.log(weights)).astype(logits.dtype)
    shares = probabilities((logits - tilt) / logits.dtype.type(temperature))
    return np.asarray(shares @ bins.astype(logits.dtype)) * logits.dtype.type(gain)


def chroma_kept(logits: FloatArray, bins: FloatArray, weights: FloatArray) -> FloatArray:
    """Return how much of the chroma that is expected in a picture is left in its expected colours.

    Where a dress may be red or blue much chroma is expected, and the mean of both has little.

    Parameters
    ----------
    logits : ndarray, shape (..., n, k)
        Answers at all nodes of pictures.
    bins, weights
        As for `chroma_of_logits`; the weights are taken back wholly.

    Returns
    -------
    ndarray, shape (...)
        Mean C*ab of the expected colours over mean expected C*ab, from 0 to 1, in the dtype of
        `logits`; 1 where none is expected.
    """
    grid = bins.astype(logits.dtype)
    shares = probabilities(logits - np.log(weights).astype(logits.dtype))
    expected = shares @ grid
    left = np.hypot(expected[..., 0], expected[..., 1]).mean(axis=-1)
    whole = (shares @ np.hypot(grid[:, 0], grid[:, 1])).mean(axis=-1)
    tiny = np.finfo(logits.dtype).tiny
    return np.asarray(np.minimum((left + tiny) / (whole + tiny), 1), dtype=logits.dtype)


def expected_distances(
    logits: FloatArray,
    bins: FloatArray,
    weights: FloatArray,
    chroma: FloatArray,
    *,
    temperature: float = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """Return how far the true colour is expected to be from one that was chosen, and from gray.

    Parameters
    ----------
    logits, bins, weights
        As for `chroma_of_logits`; the weights are taken back wholly, so that the probabilities are
        those of colours as they occur.
    chroma : ndarray, shape (..., 2)
        The chosen a* and b*.
    temperature : float, optional
        Calibrates the probabilities; 1 leaves them as they are.

    Returns
    -------
    tuple of ndarray, shape (...)
        Expected distances in the a*b* plane, from `chroma` and from (0, 0), in the dtype of
        `logits`.
    """
    tilt = np.log(weights).astype(logits.dtype)
    grid = bins.astype(logits.dtype)
    flat, chosen = logits.reshape(-1, logits.shape[-1]), chroma.reshape(-1, 2)
    ours = np.empty(len(flat), dtype=logits.dtype)
    grays = np.empty_like(ours)
    away = np.hypot(grid[:, 0], grid[:, 1])
    for start in range(0, len(flat), _DISTANCES_AT_ONCE):
        part = slice(start, start + _DISTANCES_AT_ONCE)
        shares = probabilities((flat[part] - tilt) / logits.dtype.type(temperature))
        # Not by hypot, which is slow: distances of colours are far from where squares overflow.
        squares = np.square(chosen[part, :1].astype(logits.dtype) - grid[:, 0])
        squares += np.square(chosen[part, 1:].astype(logits.dtype) - grid[:, 1])
        ours[part] = (shares * np.sqrt(squares, out=squares)).sum(axis=-1)
        grays[part] = shares @ away
    shape = logits.shape[:-1]
    return ours.reshape(shape), grays.reshape(shape)

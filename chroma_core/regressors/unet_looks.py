"""How the network of ``bins-unet/2`` looks at a picture: twice, in two sizes.

A network errs less on things that are as large as those that it was trained on. It learns from
squares that are parts of pictures, so whole pictures hold smaller things (Touvron et al., "Fixing
the Train-Test Resolution Discrepancy", NeurIPS 2019). The second look is at the picture in a mirror
and at the size that held-out pictures are guessed best from, whatever the first one's is; the
answer is the mean of both. Another network that was trained apart errs elsewhere, so it may take
the second look (Hansen & Salamon, "Neural Network Ensembles", IEEE TPAMI 12(10), 1990): the time is
that of one.

Nothing is put around a picture but what fills its sides up to multiples of 32. At its borders the
network pads with zeros, which it has learnt to live with; on held-out pictures a margin of 16
reflected pixels all around costs 0.6 % of the squared error of the expected colour.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.color.lab import lightness_to_gray
from chroma_core.errors import ModelMismatch
from chroma_core.filters.resize import area_shrink, sample_bilinear
from chroma_core.regressors.unet_net import MULTIPLE, STEP
from chroma_core.stages import Grid

__all__ = [
    "MOST_ENLARGED",
    "SECOND_SIDE",
    "Network",
    "filled_up",
    "first_node",
    "gray_of",
    "logits_of",
    "second_shape",
]

Network = Callable[[FloatArray], FloatArray]
"""Encoded gray in [0, 1], (h, w) float32 with sides that are multiples of 32, to logits, shape
(h / 4, w / 4, k)."""

SECOND_SIDE = 384
"""Short side of the second look, in pixels."""

MOST_ENLARGED = 2.0
"""Small pictures are not enlarged further for it."""


def gray_of(lightness: FloatArray, grid: Grid, name: str) -> FloatArray:
    """Return what the network sees of a picture.

    Parameters
    ----------
    lightness : ndarray, shape (h, w)
        L* of every pixel.
    grid : Grid
        The nodes that the regressor was asked for: every pixel.
    name : str
        Of the regressor, for messages.

    Returns
    -------
    ndarray, shape (h, w)
        Encoded gray in [0, 1], float32.

    Raises
    ------
    ModelMismatch
        If the nodes are not the picture's pixels.
    """
    if grid.step != (1.0, 1.0):
        raise ModelMismatch(
            f"regressor {name} looks at every pixel, these features have a node every "
            f"{grid.step[0]:g} pixels",
            hint="--features pixels",
        )
    return lightness_to_gray(np.clip(lightness, 0, 100).astype(np.float32, copy=False))


def logits_of(
    network: Network, gray: FloatArray, *, twice: bool = True, second: Network | None = None
) -> FloatArray:
    """Return what a network answers for a picture.

    Parameters
    ----------
    network : callable
        See `Network`.
    gray : ndarray, shape (h, w)
        Encoded gray in [0, 1], float32; any size from 1 x 1.
    twice : bool
        Whether to average with a second look.
    second : callable, optional
        The network that takes it; without one, the same.

    Returns
    -------
    ndarray, shape (ceil(h / 4), ceil(w / 4), k)
        Logits at the middle of each 4 x 4 pixels, float32.
    """
    first = _seen(network, gray)
    if not twice:
        return first
    other = _resized(gray, second_shape(gray.shape))
    mirrored = _seen(network if second is None else second, other[:, ::-1])[:, ::-1]
    rows, cols = (
        # Middles of the first look's nodes, in pixels of the second, then in its nodes.
        ((np.arange(count) * STEP + STEP / 2) * (there / here) - STEP / 2) / STEP
        for count, here, there in zip(first.shape[:2], gray.shape, other.shape, strict=True)
    )
    answer: FloatArray = (first + sample_bilinear(mirrored, rows, cols)) / 2
    return answer


def second_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the size of the second look: proportions give way to sides that need no filling."""
    scale = min(SECOND_SIDE / min(shape), MOST_ENLARGED)
    rows, cols = (max(1, round(length * scale / MULTIPLE)) * MULTIPLE for length in shape)
    return rows, cols


def filled_up(gray: FloatArray) -> tuple[FloatArray, tuple[int, int]]:
    """Fill the sides of a picture up with its reflection.

    Parameters
    ----------
    gray : ndarray, shape (h, w)
        The picture.

    Returns
    -------
    tuple
        The picture inside of a larger one, sides multiples of 32, contiguous, float32; the row and
        column of the answer's node that lies on the picture's first 4 x 4 pixels.
    """
    sides = [_fillings(length) for length in gray.shape]
    # "symmetric" repeats the reflection where the picture is smaller than what is missing.
    padded = np.pad(gray, sides, mode="symmetric").astype(np.float32, copy=False)
    return np.ascontiguousarray(padded), (sides[0][0] // STEP, sides[1][0] // STEP)


def first_node(grid: Grid) -> tuple[float, float]:
    """Return where the answer's first node lies for a grid of pixels: amid 4 x 4 of them."""
    middle = (STEP - 1) / 2
    return grid.origin[0] + middle, grid.origin[1] + middle


def _seen(network: Network, gray: FloatArray) -> FloatArray:
    padded, (top, left) = filled_up(gray)
    rows, cols = (-(-length // STEP) for length in gray.shape)
    return network(padded)[top : top + rows, left : left + cols]


def _resized(gray: FloatArray, shape: tuple[int, int]) -> FloatArray:
    if all(there <= here for there, here in zip(shape, gray.shape, strict=True)):
        return area_shrink(gray, shape)
    rows, cols = (
        (np.arange(there) + 0.5) * (here / there) - 0.5
        for there, here in zip(shape, gray.shape, strict=True)
    )
    return sample_bilinear(gray, rows, cols)


def _fillings(length: int) -> tuple[int, int]:
    total = -length % MULTIPLE
    before = total // 2 // STEP * STEP
    return before, total - before

"""Into the gamut of sRGB, at constant lightness and hue.

Clipping the channels of a colour that a screen cannot show changes its lightness and its hue. Here
only its chroma is lowered: the largest s in [0, 1] found such that (L*, s a*, s b*) lies in the
cube of linear sRGB. Y is constant along that ray and X and Z are cubic in s, so the search is a
bisection on a few planes, done only for the pixels that lie outside.

The part of a ray that lies in the gamut is not always one piece: near yellow (hue 96 to 106
degrees, L* 88 to 99) a few rays leave the cube and come back. So a colour that lies inside is left
as it is, even where a less colourful one does not; for a colour outside, the boundary that the
bisection meets is taken.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray
from chroma_core.color.blocks import BLOCK, as_colors, quiet
from chroma_core.color.lab import (
    A_SCALE,
    B_SCALE,
    as_key,
    luminance_of,
    mix,
    relative_matrices,
    rgb_to_lab,
)
from chroma_core.color.white_points import D65, WhitePoint
from chroma_core.color.xyz import Rows

__all__ = ["inside_srgb", "into_srgb"]


def inside_srgb(
    lab: npt.ArrayLike, *, white_point: WhitePoint = D65, gap: float | None = None
) -> npt.NDArray[np.bool_]:
    """Tell which colours sRGB can show.

    Parameters
    ----------
    lab : array_like, shape (..., 3)
        L*, a*, b*. NaN is outside.
    white_point : str, (x, y) or (X, Y, Z)
        The white of LAB.
    gap : float, optional
        How far a linear channel may lie outside [0, 1]; 1e-9 for float64, 1e-6 for float32, which
        is what rounding needs.

    Returns
    -------
    ndarray of bool, shape (...)

    Examples
    --------
    >>> inside_srgb([[50.0, 20.0, 0.0], [50.0, 120.0, 0.0]])
    array([ True, False])
    """
    lab = as_colors(lab)
    _, rows = relative_matrices(as_key(white_point))
    allowed = _default_gap(lab.dtype) if gap is None else gap
    inside = np.empty(lab.shape[:-1], dtype=np.bool_)
    pixels, flat = lab.reshape(-1, 3), inside.reshape(-1)
    with quiet():
        for start in range(0, len(pixels), BLOCK):
            lightness, a, b = np.ascontiguousarray(pixels[start : start + BLOCK].T)
            luminance = luminance_of(lightness)
            flat[start : start + BLOCK] = _fits(rows, allowed, lightness, luminance, a, b)
    return inside


def into_srgb(lab: npt.ArrayLike, *, white_point: WhitePoint = D65) -> FloatArray:
    """Lower chroma, at constant lightness and hue, until sRGB can show the colour.

    Parameters
    ----------
    lab : array_like, shape (..., 3)
        L* in [0, 100]; a*, b* unbounded. Below 0 and above 100 there is no colour in the gamut, and
        chroma becomes 0. NaN in a pixel makes its chroma NaN.
    white_point : str, (x, y) or (X, Y, Z)
        The white of LAB.

    Returns
    -------
    ndarray, shape (..., 3)
        L* as it was; a*, b* scaled by one factor in [0, 1] a pixel, which is 1 exactly for colours
        that `inside_srgb` already. What comes back is `inside_srgb`, so that a second call changes
        nothing. float32 where `lab` is, else float64.

    Examples
    --------
    >>> float(into_srgb([50.0, 120.0, 0.0])[1].round(3))
    78.98
    """
    lab = as_colors(lab)
    key = as_key(white_point)
    _, rows = relative_matrices(key)
    gap = _default_gap(lab.dtype)
    mapped = np.array(lab, order="C")
    pixels = mapped.reshape(-1, 3)
    outside = np.flatnonzero(~inside_srgb(mapped, white_point=key))
    with quiet():
        for start in range(0, len(outside), BLOCK):
            block = outside[start : start + BLOCK]
            lightness, a, b = np.ascontiguousarray(pixels[block].T)
            scale = _largest_scale(rows, gap, _chroma_bound(key), lightness, a, b)
            pixels[block, 1], pixels[block, 2] = scale * a, scale * b
    return mapped


def _default_gap(dtype: np.dtype[np.floating]) -> float:
    return 1e-6 if dtype == np.float32 else 1e-9


def _fits(
    rows: Rows,
    gap: float,
    lightness: FloatArray,
    luminance: FloatArray,
    a: FloatArray,
    b: FloatArray,
) -> npt.NDArray[np.bool_]:
    x = luminance_of(lightness + a / A_SCALE)
    z = luminance_of(lightness - b / B_SCALE)
    inside = np.ones(lightness.shape, dtype=np.bool_)
    for channel in mix(rows, x, luminance, z):
        inside &= channel >= -gap
        inside &= channel <= 1 + gap
    return inside


def _largest_scale(
    rows: Rows,
    gap: float,
    chroma_bound: float,
    lightness: FloatArray,
    a: FloatArray,
    b: FloatArray,
) -> FloatArray:
    # Starting at the largest chroma there is keeps the last halving small for any finite chroma.
    high = np.minimum(1, chroma_bound / np.hypot(a, b)).astype(a.dtype)
    low = np.zeros_like(high)
    luminance = luminance_of(lightness)
    for _ in range(20 if a.dtype == np.float32 else 24):
        middle = (low + high) / 2
        inside = _fits(rows, gap, lightness, luminance, middle * a, middle * b)
        np.copyto(low, middle, where=inside)
        np.copyto(high, middle, where=~inside)
    low[np.isnan(lightness + a + b)] = np.nan
    return low


@lru_cache(maxsize=32)
def _chroma_bound(white_point: tuple[float, float, float]) -> float:
    corners = rgb_to_lab(list(product((0.0, 1.0), repeat=3)), white_point=white_point)
    # Chroma is largest at a corner of the cube; the margin pays for not having proved it.
    return 1.25 * float(np.hypot(corners[:, 1], corners[:, 2]).max())

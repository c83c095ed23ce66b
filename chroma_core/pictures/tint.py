"""Whether a picture is gray, has one tint, as sepia has, or is in colour.

A toned print has one colour for each lightness: its chroma is a function of L* and lies near one
line through gray, on one side of it. In a photograph in colour two things of the same lightness
differ in colour, or colours lie on both sides. That, and nothing else, is measured here.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from chroma_core.arrays import FloatArray, PixelArray
from chroma_core.color.lab import rgb_to_lab
from chroma_core.filters.resize import area_shrink
from chroma_core.pictures.picture import to_unit

__all__ = ["ColorKind", "color_kind", "color_kind_of_pixels"]

ColorKind = Literal["gray", "tinted", "colour"]

GRAY = 4.0
"""Chroma below which a picture counts as gray: scans and JPEG leave as much."""

SPREAD = 3.5
"""Root mean square distance, in a* and b*, from the mean colour of the same lightness."""

ACROSS = 10.0
"""Distance from the line of hue that all but 2 % of the pixels keep."""

BEHIND = -3.0
"""How far 5 % of the pixels may lie on the other side of gray."""

_LIGHTNESS_STEP = 5.0
_SIDE = 256


def color_kind(lab: FloatArray) -> ColorKind:
    """Tell what colours a picture has.

    The limits were set on 804 photographs in colour, 40 old gray and toned ones, and 200 toned by
    computation. Of 25 old toned ones 22 were taken for tinted, of 700 recent photographs in colour
    7 were, of 104 early ones (Prokudin-Gorskii, Kodachrome) 8.

    Parameters
    ----------
    lab : ndarray, shape (..., 3)
        L* in [0, 100]; a*, b*, finite. Best at the size of a work picture: grain is averaged away.

    Returns
    -------
    {"gray", "tinted", "colour"}
        ``tinted`` is one tint on gray, whatever its hue.
    """
    lightness = lab[..., 0].reshape(-1)
    chroma = lab[..., 1:].reshape(-1, 2).astype(np.float64)
    if float(np.percentile(np.hypot(chroma[:, 0], chroma[:, 1]), 95)) < GRAY:
        return "gray"
    # The line through gray that the colours lie nearest to, of unit length.
    _, axes = np.linalg.eigh(chroma.T @ chroma)
    across, along = np.abs(chroma @ axes[:, 0]), chroma @ axes[:, 1]
    if along.mean() < 0:
        along = -along
    if float(np.percentile(across, 98)) > ACROSS or float(np.percentile(along, 5)) < BEHIND:
        return "colour"
    return "tinted" if _spread(lightness, chroma) <= SPREAD else "colour"


def color_kind_of_pixels(pixels: PixelArray) -> ColorKind:
    """Tell what colours a picture file has, on a small copy of it.

    Parameters
    ----------
    pixels : ndarray, shape (H, W) or (H, W, 3)
        Encoded gray or sRGB: uint8, uint16, or floats in [0, 1].
    """
    if pixels.ndim == 2:
        return "gray"
    height, width = pixels.shape[:2]
    shrink = min(1.0, _SIDE / min(height, width), 2 * _SIDE / (height * width) ** 0.5)
    small = area_shrink(pixels, (max(1, round(height * shrink)), max(1, round(width * shrink))))
    top = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    return color_kind(rgb_to_lab(to_unit(small) / np.float32(top)))


def _spread(lightness: FloatArray, chroma: FloatArray) -> float:
    """Return the root mean square distance of colours from the mean of their lightness."""
    steps = np.clip(lightness / _LIGHTNESS_STEP, 0, 100 / _LIGHTNESS_STEP - 1).astype(np.intp)
    counts = np.maximum(np.bincount(steps), 1)
    squares = np.zeros(len(lightness))
    for plane in chroma.T:
        squares += (plane - (np.bincount(steps, plane) / counts)[steps]) ** 2
    return float(np.sqrt(squares.mean()))

"""Colour differences.

CIEDE2000 after G. Sharma, W. Wu and E. N. Dalal, "The CIEDE2000 color-difference formula:
implementation notes, supplementary test data, and mathematical observations", Color Research and
Application 30 (2005), 21-30; equation numbers in the code are theirs, kL = kC = kH = 1. It is
ISO/CIE 11664-6:2014. CIE 1976 is the Euclidean distance (ISO/CIE 11664-4:2019).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray
from chroma_core.color.blocks import BLOCK, as_colors, quiet

__all__ = ["delta_e_76", "delta_e_2000"]


def delta_e_76(lab1: npt.ArrayLike, lab2: npt.ArrayLike) -> FloatArray:
    """Return the Euclidean distance of two colours in LAB (CIE 1976).

    Parameters
    ----------
    lab1, lab2 : array_like, shape (..., 3)
        L*, a*, b*; shapes broadcast. NaN gives NaN.

    Returns
    -------
    ndarray, shape (...)
        float32 where both are, else float64.

    Examples
    --------
    >>> float(delta_e_76([50.0, 0.0, 0.0], [50.0, 3.0, 4.0]))
    5.0
    """
    with quiet():
        difference = as_colors(lab1) - as_colors(lab2)
        distance: FloatArray = np.asarray(np.sqrt(np.square(difference).sum(axis=-1)))
    return distance


def delta_e_2000(lab1: npt.ArrayLike, lab2: npt.ArrayLike) -> FloatArray:
    """Return the CIEDE2000 difference of two colours.

    Parameters
    ----------
    lab1, lab2 : array_like, shape (..., 3)
        L*, a*, b*; shapes broadcast. NaN gives NaN.

    Returns
    -------
    ndarray, shape (...)
        Worked out in float64; float32 where both are, else float64.

    Examples
    --------
    >>> float(delta_e_2000([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485]).round(4))
    2.0425
    """
    first, second = np.broadcast_arrays(as_colors(lab1), as_colors(lab2))
    difference = np.empty(first.shape[:-1], dtype=np.result_type(first, second))
    pixels1, pixels2, flat = first.reshape(-1, 3), second.reshape(-1, 3), difference.reshape(-1)
    with quiet():
        for start in range(0, flat.size, BLOCK):
            block = slice(start, start + BLOCK)
            planes1 = np.ascontiguousarray(pixels1[block].T, dtype=np.float64)
            planes2 = np.ascontiguousarray(pixels2[block].T, dtype=np.float64)
            flat[block] = _delta_e_2000(planes1, planes2)
    return difference


def _delta_e_2000(planes1: FloatArray, planes2: FloatArray) -> FloatArray:
    lightness1, a1, b1 = planes1
    lightness2, a2, b2 = planes2

    # (2) to (6): stretch a*, so that near neutral the axes count alike.
    c_ab_mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1 + (1 - _share_of_25(c_ab_mean)) / 2
    a1, a2 = stretch * a1, stretch * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)

    # (7): arctan2(0, 0) = 0, as the formula wants it. Angles in radians from here.
    h1 = np.arctan2(b1, a1) % (2 * np.pi)
    h2 = np.arctan2(b2, a2) % (2 * np.pi)

    # (8) to (11): the hue difference goes the short way round, and is 0 where a hue is undefined.
    neutral = c1 * c2 == 0
    turn = h2 - h1
    short = np.abs(turn) <= np.pi
    turn = np.where(short, turn, turn - np.copysign(2 * np.pi, turn))
    turn[neutral] = 0
    delta_lightness = lightness2 - lightness1
    delta_c = c2 - c1
    delta_h = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)

    # (12) to (14): the mean hue lies on the short arc; where one hue is undefined, their sum.
    lightness_mean = (lightness1 + lightness2) / 2
    c_mean = (c1 + c2) / 2
    total = h1 + h2
    far = np.where(total < 2 * np.pi, total + 2 * np.pi, total - 2 * np.pi)
    h_mean = np.where(short, total, far) / 2
    h_mean = np.where(neutral, total, h_mean)

    # (15) to (21)
    weight = (
        1
        - 0.17 * np.cos(h_mean - np.radians(30))
        + 0.24 * np.cos(2 * h_mean)
        + 0.32 * np.cos(3 * h_mean + np.radians(6))
        - 0.20 * np.cos(4 * h_mean - np.radians(63))
    )
    bump = np.exp(-np.square((np.degrees(h_mean) - 275) / 25))
    rotation = -np.sin(2 * np.radians(30) * bump) * 2 * _share_of_25(c_mean)
    from_middle = np.square(lightness_mean - 50)
    lightness_term = delta_lightness / (1 + 0.015 * from_middle / np.sqrt(20 + from_middle))
    chroma_term = delta_c / (1 + 0.045 * c_mean)
    hue_term = delta_h / (1 + 0.015 * c_mean * weight)

    # (22). The rotation makes the sum a form that is not below 0, but rounding may.
    squared = (
        np.square(lightness_term)
        + np.square(chroma_term)
        + np.square(hue_term)
        + rotation * chroma_term * hue_term
    )
    difference: FloatArray = np.sqrt(np.maximum(squared, 0))
    return difference


def _share_of_25(c_ab: FloatArray) -> FloatArray:
    # sqrt(C^7 / (C^7 + 25^7)), written so that no chroma overflows.
    ratio = np.power(25 / np.maximum(c_ab, 1e-30), 7)
    share: FloatArray = 1 / np.sqrt(1 + ratio)
    return share

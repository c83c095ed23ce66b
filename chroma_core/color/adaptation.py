"""Chromatic adaptation: what a colour looks like under another white.

The linear Bradford transform (Lam 1985; ICC.1:2022, annex E): XYZ go to sharpened cone responses,
each is scaled by the ratio of the two whites' responses, and back. White goes to white exactly, so
neutral colours stay neutral.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray
from chroma_core.color.blocks import map_planes
from chroma_core.color.white_points import WhitePoint, white_point
from chroma_core.color.xyz import as_rows, multiply

__all__ = ["BRADFORD", "chromatic_adaptation", "chromatic_adaptation_matrix"]

BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
"""XYZ to sharpened cone responses."""


def chromatic_adaptation_matrix(source: WhitePoint, target: WhitePoint) -> FloatArray:
    """Return the matrix that takes XYZ seen under `source` to XYZ seen under `target`.

    Parameters
    ----------
    source, target : str, (x, y) or (X, Y, Z)
        White points.

    Returns
    -------
    ndarray, shape (3, 3)
        float64.

    Examples
    --------
    >>> float(chromatic_adaptation_matrix("D65", "D50")[0, 0].round(10))
    1.0479297925
    """
    bradford = np.array(BRADFORD)
    gains = (bradford @ white_point(target)) / (bradford @ white_point(source))
    matrix: FloatArray = np.linalg.solve(bradford, gains[:, np.newaxis] * bradford)
    return matrix


def chromatic_adaptation(xyz: npt.ArrayLike, source: WhitePoint, target: WhitePoint) -> FloatArray:
    """Adapt colours from one white to another.

    Parameters
    ----------
    xyz : array_like, shape (..., 3)
        X, Y, Z under `source`. NaN in a pixel makes that pixel NaN.
    source, target : str, (x, y) or (X, Y, Z)
        White points.

    Returns
    -------
    ndarray, shape (..., 3)
        X, Y, Z under `target`; float32 where `xyz` is, else float64.

    Examples
    --------
    >>> float(chromatic_adaptation([0.5, 0.5, 0.5], "E", "D65")[2].round(6))
    0.544529
    """
    rows = as_rows(chromatic_adaptation_matrix(source, target))
    return map_planes(lambda *planes: multiply(rows, planes), xyz)

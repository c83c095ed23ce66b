"""Linear RGB and CIE XYZ.

The matrix is derived from the chromaticities of primaries and white (SMPTE RP 177) instead of typed
from a table of four digits, and its inverse is computed: so R = G = B gives the white's XYZ to the
last bits, and the two directions undo each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray
from chroma_core.color import white_points
from chroma_core.color.blocks import map_planes
from chroma_core.color.white_points import D65, WhitePoint

__all__ = ["SRGB_PRIMARIES", "linear_rgb_to_xyz", "rgb_to_xyz_matrix", "xyz_to_linear_rgb"]

Primaries = Sequence[Sequence[float]] | FloatArray

SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
"""(x, y) of red, green and blue, IEC 61966-2-1:1999 (those of ITU-R BT.709)."""


def rgb_to_xyz_matrix(
    primaries: Primaries = SRGB_PRIMARIES, white_point: WhitePoint = D65
) -> FloatArray:
    """Return the matrix from linear RGB to XYZ.

    Parameters
    ----------
    primaries : array_like, shape (3, 2)
        (x, y) of red, green and blue.
    white_point : str, (x, y) or (X, Y, Z)
        What R = G = B = 1 stands for; it gets Y = 1.

    Returns
    -------
    ndarray, shape (3, 3)
        float64; columns are the XYZ of the primaries at full strength, rows sum to the white.

    Raises
    ------
    ValueError
        If the primaries do not have that shape, or lie on one line.

    Examples
    --------
    >>> float(rgb_to_xyz_matrix()[1, 0].round(10))
    0.2126390059
    """
    chromaticities = np.asarray(primaries, dtype=np.float64)
    if chromaticities.shape != (3, 2):
        raise ValueError(f"primaries have shape {chromaticities.shape}, wanted (3, 2)")
    x, y = chromaticities.T
    directions = np.stack([x / y, np.ones(3), (1 - x - y) / y])
    try:
        strengths = np.linalg.solve(directions, white_points.white_point(white_point))
    except np.linalg.LinAlgError:
        raise ValueError(f"primaries {chromaticities.tolist()} lie on one line") from None
    matrix: FloatArray = directions * strengths
    return matrix


def linear_rgb_to_xyz(
    linear_rgb: npt.ArrayLike,
    *,
    primaries: Primaries = SRGB_PRIMARIES,
    white_point: WhitePoint = D65,
) -> FloatArray:
    """Convert linear RGB to XYZ.

    Parameters
    ----------
    linear_rgb : array_like, shape (..., 3)
        Linear light, [0, 1]; not clipped. NaN in a pixel makes that pixel NaN.
    primaries, white_point
        As in `rgb_to_xyz_matrix`.

    Returns
    -------
    ndarray, shape (..., 3)
        X, Y, Z with Y of white = 1; float32 where `linear_rgb` is, else float64.

    Examples
    --------
    >>> float(linear_rgb_to_xyz([0.0, 1.0, 0.0])[1].round(10))
    0.7151686788
    """
    rows = as_rows(rgb_to_xyz_matrix(primaries, white_point))
    return map_planes(lambda *planes: multiply(rows, planes), linear_rgb)


def xyz_to_linear_rgb(
    xyz: npt.ArrayLike,
    *,
    primaries: Primaries = SRGB_PRIMARIES,
    white_point: WhitePoint = D65,
) -> FloatArray:
    """Convert XYZ to linear RGB.

    Parameters
    ----------
    xyz : array_like, shape (..., 3)
        X, Y, Z with Y of white = 1. NaN in a pixel makes that pixel NaN.
    primaries, white_point
        As in `rgb_to_xyz_matrix`.

    Returns
    -------
    ndarray, shape (..., 3)
        Linear light, outside [0, 1] where the colour is out of gamut; float32 where `xyz` is, else
        float64.

    Examples
    --------
    >>> float(xyz_to_linear_rgb([0.0, 1.0, 0.0])[1].round(10))
    1.8759675015
    """
    rows = as_rows(np.linalg.inv(rgb_to_xyz_matrix(primaries, white_point)))
    return map_planes(lambda *planes: multiply(rows, planes), xyz)


Row = tuple[float, float, float]
Rows = tuple[Row, Row, Row]


def as_rows(matrix: FloatArray) -> Rows:
    """Return a 3 x 3 matrix as Python floats, which leave float32 planes float32."""
    first, second, third = (tuple(row) for row in matrix.tolist())
    return first, second, third


def multiply(
    rows: Rows, planes: tuple[FloatArray, FloatArray, FloatArray]
) -> tuple[FloatArray, ...]:
    """Multiply a matrix with every pixel of three planes."""
    first, second, third = planes
    return tuple(row[0] * first + row[1] * second + row[2] * third for row in rows)

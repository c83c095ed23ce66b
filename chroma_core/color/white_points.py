"""White points: what light counts as white.

Chromaticities (x, y) of CIE standard illuminants for the 2 degree (CIE 1931) and the 10 degree
(CIE 1964) standard observer, from CIE 15 (Colorimetry), in the digits that colour-science carries
in ``CCS_ILLUMINANTS``. Tristimulus values with Y = 1 follow from them: X = x / y,
Z = (1 - x - y) / y. D65 for 2 degrees has the four digits that IEC 61966-2-1 builds sRGB on, so
that the gray axis of sRGB is exactly neutral; five-digit values of D65 would tint it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np

from chroma_core.arrays import FloatArray

__all__ = ["D65", "WHITE_POINTS", "Illuminant", "Observer", "WhitePoint", "white_point"]

Illuminant = Literal["A", "C", "D50", "D55", "D65", "D75", "E"]
Observer = Literal[2, 10]

WhitePoint = str | Sequence[float] | FloatArray
"""Name of an illuminant (2 degrees), chromaticity (x, y), or tristimulus (X, Y, Z)."""

WHITE_POINTS: Mapping[tuple[str, int], tuple[float, float]] = MappingProxyType(
    {
        ("A", 2): (0.44758, 0.40745),
        ("C", 2): (0.31006, 0.31616),
        ("D50", 2): (0.34570, 0.35850),
        ("D55", 2): (0.33243, 0.34744),
        ("D65", 2): (0.31270, 0.32900),
        ("D75", 2): (0.29903, 0.31488),
        ("E", 2): (1 / 3, 1 / 3),
        ("A", 10): (0.45117, 0.40594),
        ("C", 10): (0.31039, 0.31905),
        ("D50", 10): (0.34773, 0.35952),
        ("D55", 10): (0.33412, 0.34877),
        ("D65", 10): (0.31382, 0.33100),
        ("D75", 10): (0.29968, 0.31740),
        ("E", 10): (1 / 3, 1 / 3),
    }
)
"""(x, y) by illuminant and observer in degrees."""

D65: tuple[float, float] = WHITE_POINTS["D65", 2]
"""(x, y) of the white of sRGB."""


def white_point(illuminant: WhitePoint = "D65", observer: int = 2) -> FloatArray:
    """Return the tristimulus values of a white point.

    Parameters
    ----------
    illuminant : str, (x, y) or (X, Y, Z)
        Name of an illuminant, its chromaticity, or its tristimulus values in any scale.
    observer : int
        2 or 10 degrees; matters for names only.

    Returns
    -------
    ndarray, shape (3,)
        X, Y, Z with Y = 1, float64.

    Raises
    ------
    ValueError
        If the name or the observer is not in `WHITE_POINTS`, or the numbers are no white point.

    Examples
    --------
    >>> float(white_point("D50")[2].round(6))
    0.825105
    """
    if isinstance(illuminant, str):
        if (illuminant, observer) not in WHITE_POINTS:
            known = ", ".join(dict.fromkeys(name for name, _ in WHITE_POINTS))
            raise ValueError(
                f"no white point {illuminant} for {observer} degrees, "
                f"wanted one of {known} for 2 or 10"
            )
        illuminant = WHITE_POINTS[illuminant, observer]
    given = np.asarray(illuminant, dtype=np.float64)
    if given.shape not in ((2,), (3,)):
        raise ValueError(f"white point has shape {given.shape}, wanted (x, y) or (X, Y, Z)")
    if not (np.isfinite(given).all() and given[1] > 0):
        raise ValueError(f"white point is {given.tolist()}, wanted finite numbers with y above 0")
    xyz: FloatArray = given / given[1]
    if given.size == 2:
        x, y = given
        xyz = np.array([x / y, 1.0, (1 - x - y) / y])
    if (xyz <= 0).any():
        raise ValueError(f"white point is {given.tolist()}, which is no light: X, Y or Z <= 0")
    return xyz

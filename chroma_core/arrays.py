"""Names for the arrays that go from stage to stage.

Shapes, units and ranges stand in the docstrings; these aliases say only what kind of numbers an
array holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["AnyArray", "FloatArray", "IntArray", "PixelArray"]


FloatArray = npt.NDArray[np.floating[Any]]
"""float32 (the fast path) or float64 (the exact path)."""

IntArray = npt.NDArray[np.integer[Any]]
"""Indices, counts and code values."""

PixelArray = npt.NDArray[Any]
"""Pixels as a file holds them: uint8 or uint16 code values, or floats in [0, 1]."""

AnyArray = npt.NDArray[Any]
"""Weights and other tensors of any dtype."""

"""Pictures to try a stage on: a fixed set, and Hypothesis strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from chroma_core.arrays import FloatArray

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["chromas", "labs", "lightness_pictures", "rgbs", "sample_pictures"]


def sample_pictures(height: int, width: int, *, seed: int = 0) -> dict[str, FloatArray]:
    """Return lightness pictures that stages meet in practice and at the edges of it.

    Returns
    -------
    dict of str to ndarray, shape (height, width)
        L* in [0, 100], float32: black, white, flat, a ramp, noise, and soft shapes with an edge.
    """
    rng = np.random.default_rng([seed, height, width])
    rows, cols = np.mgrid[0:height, 0:width]
    ramp = (rows + cols) * (100 / max(1, height + width - 2))
    soft = 50 + 25 * np.sin(rows / 5.0) + 20 * np.cos(cols / 7.0 + rows / 11.0)
    soft = np.where(cols > width // 2, np.clip(soft - 30, 0, 100), soft)
    pictures = {
        "black": np.zeros((height, width)),
        "white": np.full((height, width), 100.0),
        "flat": np.full((height, width), 53.585),
        "ramp": ramp,
        "noise": rng.uniform(0, 100, (height, width)),
        "soft": soft,
    }
    return {name: picture.astype(np.float32) for name, picture in pictures.items()}


def lightness_pictures(*, min_side: int = 1, max_side: int = 24) -> SearchStrategy[FloatArray]:
    """Strategy: lightness pictures, shape (H, W), float32, L* in [0, 100]."""
    return _arrays((), 0.0, 100.0, min_side, max_side, 32)


def chromas(
    *, min_side: int = 1, max_side: int = 8, limit: float = 150.0
) -> SearchStrategy[FloatArray]:
    """Strategy: chroma, shape (H, W, 2), float64, a* and b* within ± `limit`."""
    return _arrays((2,), -limit, limit, min_side, max_side, 64)


def labs(
    *, min_side: int = 1, max_side: int = 8, limit: float = 150.0
) -> SearchStrategy[FloatArray]:
    """Strategy: L*, a*, b*, shape (H, W, 3), float64, L* in [0, 100], a*, b* within ± `limit`."""
    from hypothesis import strategies as st

    def joined(parts: tuple[FloatArray, FloatArray]) -> FloatArray:
        return np.concatenate([parts[0][..., np.newaxis], parts[1]], axis=-1)

    def of_shape(shape: tuple[int, int]) -> SearchStrategy[FloatArray]:
        lightness = _array(shape, 0.0, 100.0, 64)
        return st.tuples(lightness, _array((*shape, 2), -limit, limit, 64)).map(joined)

    sides = st.integers(min_side, max_side)
    return st.tuples(sides, sides).flatmap(of_shape)


def rgbs(*, min_side: int = 1, max_side: int = 8) -> SearchStrategy[FloatArray]:
    """Strategy: encoded sRGB, shape (H, W, 3), float64, [0, 1]."""
    return _arrays((3,), 0.0, 1.0, min_side, max_side, 64)


def _array(
    shape: tuple[int, ...], low: float, high: float, bits: Literal[32, 64]
) -> SearchStrategy[FloatArray]:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as arrays

    elements = st.floats(low, high, width=bits, allow_nan=False)
    return arrays.arrays(np.dtype(f"float{bits}"), shape, elements=elements)


def _arrays(
    last: tuple[int, ...],
    low: float,
    high: float,
    min_side: int,
    max_side: int,
    bits: Literal[32, 64],
) -> SearchStrategy[FloatArray]:
    from hypothesis import strategies as st

    sides = st.integers(min_side, max_side)
    return st.tuples(sides, sides).flatmap(lambda hw: _array((*hw, *last), low, high, bits))

"""Dense DAISY: a descriptor of 200 numbers that do not depend on bands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chroma_opencv import tiles
from chroma_opencv.daisy import DaisyFeatures, DaisyOptions

from chroma_core.stages import Scene
from chroma_core.testing import check_stage

cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
pytestmark = pytest.mark.opencv


def waves(height: int, width: int) -> np.ndarray[Any, Any]:
    rows, cols = np.mgrid[0:height, 0:width]
    lightness = 50 + 20 * np.sin(rows / 5 + cols / 9) + 20 * np.cos(rows * cols / 400)
    return lightness.astype(np.float32)


@pytest.mark.parametrize("radius", [3.0, 15.0, 25.0])
def test_stage_keeps_its_contract(radius: float) -> None:
    check_stage(DaisyFeatures(DaisyOptions(radius=radius)), atol=0.0)


def test_nodes_are_those_of_opencv_in_the_same_order() -> None:
    lightness = waves(70, 90)
    stage = DaisyFeatures()
    codes = np.rint(lightness * np.float32(2.55)).astype(np.uint8)
    nodes = [
        cv2.KeyPoint(float(col), float(row), 1.0, 0.0)
        for row in range(2, 70, 4)
        for col in range(2, 90, 4)
    ]

    found = stage.extract(Scene(lightness=lightness), stage.grid(70, 90))
    _, wanted = cv2.xfeatures2d.DAISY.create().compute(codes, nodes)

    np.testing.assert_allclose(found.reshape(-1, 200), wanted, rtol=0, atol=1e-15)


def test_flat_patches_are_zeros() -> None:
    flat = np.full((40, 50), 20.0, dtype=np.float32)
    stage = DaisyFeatures()

    # The blur of a constant in [0, 1] is one to a rounding or two of float32, not to the bit.
    assert stage.extract(Scene(lightness=flat), stage.grid(40, 50)).max() < 1e-7


def test_steeper_edges_give_larger_numbers() -> None:
    """Nothing is normalized, so twice the contrast is twice the descriptor (codes are rounded)."""
    lightness = waves(60, 60)
    stage = DaisyFeatures()
    grid = stage.grid(60, 60)

    full = stage.extract(Scene(lightness=lightness), grid)
    half = stage.extract(Scene(lightness=lightness / 2), grid)

    np.testing.assert_allclose(half.sum(axis=-1), full.sum(axis=-1) / 2, rtol=0.1)


@pytest.mark.parametrize("radius", [8.0, 15.0, 25.0])
@pytest.mark.parametrize("rows_a_tile", [7, 64])
def test_margin_is_wide_enough(
    radius: float, rows_a_tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles of other heights change no more than the last bit of a value near 0.1."""
    stage = DaisyFeatures(DaisyOptions(radius=radius))
    scene = Scene(lightness=waves(300, 40))
    grid = stage.grid(300, 40)

    whole = stage.extract(scene, grid)
    monkeypatch.setattr(tiles, "PIXELS_A_TILE", rows_a_tile * 40)
    cut = stage.extract(scene, grid)

    np.testing.assert_allclose(cut, whole, rtol=0, atol=1e-8)

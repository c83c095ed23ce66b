"""Dense features: time for a picture of 512 x 512 at step 4 (16,384 nodes).

`OpenCV compute alone` is `cv2.SIFT.compute` with the keypoints made beforehand: what our stage adds
to it is reading the grid, tiles and the copy. scikit-image's DAISY has 200 numbers as OpenCV's but
another weighting, so only its shape is checked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chroma_core.api import build_features
from chroma_core.color.lab import rgb_to_lab
from chroma_core.stages import Grid, Scene

SIDE = 512
NODES = (SIDE // 4) ** 2

STAGES = {
    "sift, cell 4": ("sift", ["sift.sizes=4"]),
    "sift, cell 8": ("sift", ["sift.sizes=8"]),
    "sift, cell 12": ("sift", ["sift.sizes=12"]),
    "sift, cell 16 (shrunken)": ("sift", ["sift.sizes=16"]),
    "sift, cell 32 (shrunken)": ("sift", ["sift.sizes=32"]),
    "sift, cell 8, root": ("sift", ["sift.root=true"]),
    "sift, cell 8, assigned": ("sift", ["sift.orientation=assigned"]),
    "sift, cells 4, 8, 16": ("sift", ["sift.sizes=4,8,16"]),
    "daisy": ("daisy", []),
    "patch": ("patch", ["patch.step=4"]),
    "lightness": ("lightness", []),
    "sift,lightness,position": ("sift,lightness,position", []),
}


@pytest.fixture(scope="module")
def lightness(photograph: Any) -> Any:
    return rgb_to_lab(photograph(SIDE, SIDE).astype(np.float32) / 255)[..., 0]


@pytest.mark.parametrize("name", STAGES)
def test_stage(name: str, lightness: Any, measure: Any) -> None:
    if "sift" in name or "daisy" in name:
        pytest.importorskip("cv2", reason="needs OpenCV")
    stage = build_features(*STAGES[name])
    scene = Scene(lightness=lightness)
    grid = stage.grid(SIDE, SIDE) or Grid.regular(SIDE, SIDE, 4)
    half = stage.extract(scene, grid.band(grid.rows // 2, grid.rows))

    found = measure(
        lambda: stage.extract(scene, grid), group="features of 512 x 512, step 4", name=name
    )
    assert found.shape == (128, 128, stage.width)
    np.testing.assert_array_equal(found[grid.rows // 2 :], half)


@pytest.mark.parametrize("cell", [4, 8, 16, 32])
def test_opencv_sift_alone(cell: int, lightness: Any, measure: Any) -> None:
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
    codes = np.rint(lightness * np.float32(2.55)).astype(np.uint8)
    nodes = [
        cv2.KeyPoint(float(col), float(row), cell / 1.5, 0.0)
        for row in range(2, SIDE, 4)
        for col in range(2, SIDE, 4)
    ]
    if cell < 16:
        stage = build_features("sift", [f"sift.sizes={cell}"])
        ours = stage.extract(Scene(lightness=lightness), stage.grid(SIDE, SIDE))
        wanted = cv2.SIFT.create().compute(codes, nodes)[1]
        np.testing.assert_array_equal(ours.reshape(NODES, 128), wanted)

    measure(
        lambda: cv2.SIFT.create().compute(codes, nodes)[1],
        group="features of 512 x 512, step 4",
        name=f"OpenCV compute alone, cell {cell}",
    )


def test_scikit_image_daisy(lightness: Any, measure: Any) -> None:
    feature = pytest.importorskip("skimage.feature", reason="needs scikit-image")
    picture = np.pad(lightness.astype(np.float64) / 100, 15, mode="symmetric")

    found = measure(
        lambda: feature.daisy(picture, step=4, radius=15, rings=3, histograms=8, orientations=8),
        group="features of 512 x 512, step 4",
        name="scikit-image daisy",
    )
    assert found.shape == (128, 128, 200)

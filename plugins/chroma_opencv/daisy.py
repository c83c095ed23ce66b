"""Dense DAISY: gradient directions around a node, on rings of growing blur.

Tola, Lepetit & Fua, "DAISY: An Efficient Dense Descriptor Applied to Wide-Baseline Stereo", IEEE
TPAMI 32(5), 2010: at the node and at 8 places on each of 3 rings a histogram of 8 gradient
directions, blurred the more the farther out: 25 x 8 = 200 numbers. The blurred planes are shared by
all nodes, so a dense grid costs less than SIFT's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.options import Options, option
from chroma_core.stages import Column, Features, Grid, Scene
from chroma_opencv.tiles import code_values, nearest_pixels, tiles

__all__ = ["DaisyFeatures", "DaisyOptions"]

WIDTH = 200
"""Numbers a descriptor."""


@dataclass(frozen=True, kw_only=True)
class DaisyOptions(Options):
    """Options of `DaisyFeatures`."""

    step: int = option(4, "distance of the grid's nodes", unit="px", ge=1, le=256, run=True)
    radius: float = option(15.0, "radius of the outermost ring", unit="px", ge=3, le=64)


class DaisyFeatures(Features[DaisyOptions]):
    """Upright DAISY descriptors on a grid, not normalized: a flat patch gives zeros."""

    name = "daisy"
    Options = DaisyOptions
    requires = ("cv2",)
    extra = "opencv"

    @property
    def width(self) -> int:
        """Always 200."""
        return WIDTH

    @property
    def columns(self) -> tuple[Column, ...]:
        """Values lie between 0 and about 1, which float16 keeps to 3 digits."""
        return (Column(name=self.name, width=WIDTH, storage="float16"),)

    def grid(self, height: int, width: int) -> Grid:
        """Return nodes `step` apart, the first at ``step // 2``."""
        return Grid.regular(height, width, self.options.step)

    def extract(self, scene: Scene, grid: Grid) -> FloatArray:
        """Return the descriptors.

        Parameters
        ----------
        scene : Scene
            The whole work picture; L* in [0, 100] is quantized to 256 levels.
        grid : Grid
            Any nodes; they are rounded to whole pixels and moved into the picture.

        Returns
        -------
        ndarray, shape (rows, cols, 200)
            float32, gradient magnitudes of the picture in [0, 1], at least 0.
        """
        import cv2

        shape = scene.lightness.shape
        rows = nearest_pixels(grid.row_positions(), shape[0])
        cols = nearest_pixels(grid.col_positions(), shape[1])
        # The outermost ring and its blur: nothing beyond 3.4 radii was seen to count.
        margin = math.ceil(4 * self.options.radius) + 8
        answer = np.empty((*grid.shape, WIDTH), dtype=np.float32)
        for tile in tiles(rows, len(cols), (shape[0], shape[1]), margin):
            codes = code_values(scene.lightness[tile.picture])
            keypoints = [
                cv2.KeyPoint(float(col), float(row), 1.0, 0.0)
                for row in rows[tile.nodes] - tile.picture.start
                for col in cols
            ]
            described = cv2.xfeatures2d.DAISY.create(radius=self.options.radius)
            kept, block = described.compute(codes, keypoints)
            assert len(kept) == len(keypoints), "OpenCV's DAISY dropped keypoints that were given"
            block = block.reshape(-1, len(cols), WIDTH)
            # Interpolation leaves values as low as -1e-16.
            np.maximum(block, 0, out=answer[tile.nodes])
        return answer

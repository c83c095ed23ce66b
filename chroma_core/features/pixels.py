"""Every pixel of the work picture a node, with nothing but its lightness.

For regressors that look at the picture themselves, as convolutional networks do.
"""

from __future__ import annotations

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.options import NoOptions
from chroma_core.stages import Features, Grid, Scene

__all__ = ["PixelFeatures"]


class PixelFeatures(Features[NoOptions]):
    """A node on each pixel, with no numbers of its own: the regressor is given L* there.

    Examples
    --------
    >>> stage = PixelFeatures()
    >>> scene = Scene(lightness=np.zeros((8, 12), np.float32))
    >>> stage.extract(scene, stage.grid(8, 12)).shape
    (8, 12, 0)
    """

    name = "pixels"

    @property
    def anywhere(self) -> bool:
        """There is nothing to compute."""
        return True

    @property
    def width(self) -> int:
        """Numbers a node: 0."""
        return 0

    def grid(self, height: int, width: int) -> Grid:
        """Return the grid with a node on each pixel."""
        return Grid.every_pixel(height, width)

    def extract(self, scene: Scene, grid: Grid) -> FloatArray:
        """Return nothing a node, shape (rows, cols, 0)."""
        return np.empty((*grid.shape, 0), dtype=np.float32)

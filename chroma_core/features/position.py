"""Where in the picture a node lies.

Sky is above, ground below, and photographers put faces near the middle: position alone predicts
some colour.
"""

from __future__ import annotations

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.options import NoOptions
from chroma_core.stages import Column, Features, Grid, Scene

__all__ = ["PositionFeatures"]


class PositionFeatures(Features[NoOptions]):
    """Three numbers in [0, 1] a node: across, down, and distance from the vertical middle line.

    With pixel (x, y) of a w x h picture: u = (x + 1/2) / w, v = (y + 1/2) / h and 2 |u - 1/2|,
    which is the same for a picture and its mirror image.

    Examples
    --------
    >>> scene = Scene(lightness=np.zeros((1, 4), np.float32))
    >>> PositionFeatures().extract(scene, Grid.every_pixel(1, 4))[0, 0].tolist()
    [0.125, 0.5, 0.75]
    """

    name = "position"

    @property
    def width(self) -> int:
        """Numbers a node: 3."""
        return 3

    @property
    def columns(self) -> tuple[Column, ...]:
        """One block; half precision places a node within a 4000th of the picture."""
        return (Column(name=self.name, width=3, storage="float16"),)

    @property
    def anywhere(self) -> bool:
        """Each node is seen by itself."""
        return True

    def grid(self, height: int, width: int) -> None:
        """Answer on any grid."""
        return None

    def extract(self, scene: Scene, grid: Grid) -> FloatArray:
        """Return where the nodes lie.

        Parameters
        ----------
        scene : Scene
            The whole work picture; only its size matters.
        grid : Grid
            Any grid.

        Returns
        -------
        ndarray, shape (rows, cols, 3)
            u, v and 2 |u - 1/2|, float32.
        """
        height, width = scene.lightness.shape
        across = (grid.col_positions() + 0.5) / width
        down = (grid.row_positions() + 0.5) / height
        positions = np.empty((*grid.shape, 3), dtype=np.float32)
        positions[..., 0] = across
        positions[..., 1] = down[:, np.newaxis]
        positions[..., 2] = 2 * np.abs(across - 0.5)
        return positions

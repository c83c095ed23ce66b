"""The gray patch around a node, as it is.

The plainest local feature: what a square window shows, with its mean taken off so that a scene in
shade looks like the same scene in light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import FloatArray, IntArray
from chroma_core.errors import OptionError
from chroma_core.options import Options, option
from chroma_core.stages import Column, Features, Grid, Scene

__all__ = ["PatchFeatures", "PatchFeaturesOptions"]


@dataclass(frozen=True, kw_only=True)
class PatchFeaturesOptions(Options):
    """Settings of `PatchFeatures`."""

    size: int = option(7, "side of the window, odd", unit="px", ge=1, le=63)
    step: int = option(4, "distance of the nodes", unit="px", ge=1, run=True)

    def __post_init__(self) -> None:
        """Refuse a window without a middle."""
        super().__post_init__()
        if self.size % 2 == 0:
            raise OptionError(f"size is {self.size}, wanted an odd number")


class PatchFeatures(Features[PatchFeaturesOptions]):
    """L* in a window around each node, minus its mean.

    Beyond the border the picture is reflected, its edge repeated. Nodes between pixels take the
    nearest one.

    Examples
    --------
    >>> stage = PatchFeatures(PatchFeaturesOptions(size=3))
    >>> scene = Scene(lightness=np.arange(9, dtype=np.float32).reshape(3, 3))
    >>> stage.extract(scene, Grid(rows=1, cols=1, origin=(1.0, 1.0)))[0, 0].astype(int).tolist()
    [-4, -3, -2, -1, 0, 1, 2, 3, 4]
    """

    name = "patch"
    Options = PatchFeaturesOptions

    @property
    def width(self) -> int:
        """Numbers a node: those of the window."""
        return self.options.size**2

    @property
    def columns(self) -> tuple[Column, ...]:
        """One block; half precision keeps L* within 0.03."""
        return (Column(name=self.name, width=self.width, storage="float16"),)

    @property
    def anywhere(self) -> bool:
        """Each node is seen by itself."""
        return True

    def grid(self, height: int, width: int) -> Grid:
        """Return a regular grid with the option's step."""
        return Grid.regular(height, width, self.options.step)

    def extract(self, scene: Scene, grid: Grid) -> FloatArray:
        """Return the windows, row by row.

        Parameters
        ----------
        scene : Scene
            The whole work picture.
        grid : Grid
            Any grid inside it.

        Returns
        -------
        ndarray, shape (rows, cols, size * size)
            L* minus the window's mean, in [-100, 100], float32.
        """
        size = self.options.size
        rows = _windows(grid.row_positions(), scene.lightness.shape[0], size)
        cols = _windows(grid.col_positions(), scene.lightness.shape[1], size)
        picture = scene.lightness.astype(np.float32, copy=False)
        windows = picture[rows[:, np.newaxis, :, np.newaxis], cols[:, np.newaxis, :]]
        patches: FloatArray = windows.reshape(*grid.shape, size * size)
        patches -= patches.mean(axis=-1, keepdims=True, dtype=np.float64).astype(np.float32)
        return patches


def _windows(positions: FloatArray, length: int, size: int) -> IntArray:
    """Return for each node the pixels of its window along one axis, shape (n, size)."""
    radius = size // 2
    reflected = np.pad(np.arange(length), radius, mode="symmetric")
    middles = np.clip(np.rint(positions), 0, length - 1).astype(np.intp)
    windows: IntArray = reflected[middles[:, np.newaxis] + np.arange(size)]
    return windows

"""The whole picture at a glance, the same at every node.

A coarse view of the scene tells a beach from a kitchen before any detail is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.options import Options, option
from chroma_core.stages import Column, Features, Grid, Scene

__all__ = ["WholeFeatures", "WholeFeaturesOptions"]


@dataclass(frozen=True, kw_only=True)
class WholeFeaturesOptions(Options):
    """Settings of `WholeFeatures`."""

    cells: int = option(4, "cells along each axis", ge=1, le=32)


class WholeFeatures(Features[WholeFeaturesOptions]):
    """Mean L* of each cell of a coarse raster, then mean and standard deviation of all of L*.

    The picture is cut into cells x cells rectangles of equal size; pixels on a cut count for both
    by area.

    Examples
    --------
    >>> stage = WholeFeatures(WholeFeaturesOptions(cells=2))
    >>> scene = Scene(lightness=np.array([[0.0, 20.0], [40.0, 100.0]], np.float32))
    >>> stage.extract(scene, Grid(rows=1, cols=1))[0, 0].round().astype(int).tolist()
    [0, 20, 40, 100, 40, 37]
    """

    name = "whole"
    Options = WholeFeaturesOptions

    @property
    def width(self) -> int:
        """Numbers a node: the cells, mean and standard deviation."""
        return self.options.cells**2 + 2

    @property
    def columns(self) -> tuple[Column, ...]:
        """One block; half precision keeps L* within 0.03."""
        return (Column(name=self.name, width=self.width, storage="float16"),)

    @property
    def anywhere(self) -> bool:
        """Each node is seen by itself."""
        return True

    def grid(self, height: int, width: int) -> None:
        """Answer on any grid."""
        return None

    def extract(self, scene: Scene, grid: Grid) -> FloatArray:
        """Return the same numbers at every node.

        Parameters
        ----------
        scene : Scene
            The whole work picture.
        grid : Grid
            Any grid.

        Returns
        -------
        ndarray, shape (rows, cols, cells * cells + 2)
            L* in [0, 100], float32.
        """
        picture = scene.lightness
        height, width = picture.shape
        cells = _shares(self.options.cells, height) @ picture @ _shares(self.options.cells, width).T
        spread = (picture.mean(dtype=np.float64), picture.std(dtype=np.float64))
        glance = np.concatenate([cells.ravel(), spread]).astype(np.float32)
        return np.tile(glance, (*grid.shape, 1))


def _shares(cells: int, length: int) -> FloatArray:
    """Return what share of each cell's length each pixel covers, shape (cells, length), float64."""
    cuts = np.linspace(0, length, cells + 1)[:, np.newaxis]
    edges = np.arange(length)
    overlap = np.minimum(cuts[1:], edges + 1) - np.maximum(cuts[:-1], edges)
    shares: FloatArray = np.maximum(overlap, 0) * (cells / length)
    return shares

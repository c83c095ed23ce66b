"""No features at all: a grid, and nothing seen at its nodes.

A regressor then has only the lightness at each node, which is the simplest thing that can be
trained and what everything else has to beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.options import Options, option
from chroma_core.stages import Features, Grid, Scene

__all__ = ["NoFeatures", "NoFeaturesOptions"]


@dataclass(frozen=True, kw_only=True)
class NoFeaturesOptions(Options):
    """Settings of `NoFeatures`."""

    step: int = option(4, "distance of the nodes", unit="px", ge=1, run=True)


class NoFeatures(Features[NoFeaturesOptions]):
    """A regular grid of nodes with no numbers each.

    Examples
    --------
    >>> stage = NoFeatures()
    >>> scene = Scene(lightness=np.zeros((8, 12), np.float32))
    >>> stage.extract(scene, stage.grid(8, 12)).shape
    (2, 3, 0)
    """

    name = "none"
    Options = NoFeaturesOptions

    @property
    def width(self) -> int:
        """Numbers a node: 0."""
        return 0

    def grid(self, height: int, width: int) -> Grid:
        """Return a regular grid with the option's step."""
        return Grid.regular(height, width, self.options.step)

    def extract(self, scene: Scene, grid: Grid) -> FloatArray:
        """Return nothing a node, shape (rows, cols, 0)."""
        return np.empty((*grid.shape, 0), dtype=np.float32)

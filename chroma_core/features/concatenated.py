"""Several features stages as one.

They answer on one grid, that of the first stage that has one, and their numbers stand side by side
in the order given. Stages that all answer anywhere are asked at the nodes themselves. Otherwise a
stage whose own grid is finer is area-averaged over each node's cell; along an axis where it is
coarser, it is interpolated linearly between its nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chroma_core.arrays import FloatArray, IntArray
from chroma_core.errors import OptionError
from chroma_core.options import NoOptions
from chroma_core.stages import Column, Features, Grid, Scene, Weights, WeightShapes

__all__ = ["Concatenated"]

DEFAULT_STEP = 4
"""Step in pixels of the grid where no stage has one."""


class Concatenated(Features[NoOptions]):
    """Features stages side by side.

    Parameters
    ----------
    stages : sequence of Features
        At least one, each name once.

    Raises
    ------
    OptionError
        If there is none, or a name comes twice.
    """

    name = "concatenated"

    def __init__(self, stages: Sequence[Features[Any]]) -> None:
        super().__init__(NoOptions())
        names = [stage.name for stage in stages]
        if not names:
            raise OptionError("no features are given, wanted at least one stage")
        for name in names:
            if names.count(name) > 1:
                raise OptionError(f"features {name} are given twice")
        self.stages = tuple(stages)
        self.requires = tuple(dict.fromkeys(part for s in stages for part in s.requires))  # type: ignore[misc]  # those of its stages
        self.side_inputs = tuple(dict.fromkeys(part for s in stages for part in s.side_inputs))  # type: ignore[misc]  # those of its stages

    @property
    def width(self) -> int:
        """Numbers a node: those of all stages."""
        return sum(stage.width for stage in self.stages)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The blocks of all stages."""
        return tuple(column for stage in self.stages for column in stage.columns)

    @property
    def anywhere(self) -> bool:
        """Whether all stages answer at any nodes."""
        return all(stage.anywhere for stage in self.stages)

    def grid(self, height: int, width: int) -> Grid:
        """Return the grid of the first stage that has one; if none has, a node every 4 pixels."""
        for stage in self.stages:
            grid = stage.grid(height, width)
            if grid is not None:
                return grid
        return Grid.regular(height, width, DEFAULT_STEP)

    def extract(self, scene: Scene, grid: Grid) -> FloatArray:
        """Return what each stage sees at the nodes, side by side.

        Parameters
        ----------
        scene : Scene
            The whole work picture.
        grid : Grid
            The grid, or a run of its rows.

        Returns
        -------
        ndarray, shape (rows, cols, width)
            float32.
        """
        height, width = scene.lightness.shape
        ours = self.grid(height, width)
        maps = []
        for stage in self.stages:
            theirs = stage.grid(height, width)
            if theirs is None or theirs == ours or self.anywhere:
                maps.append(stage.extract(scene, grid))
            else:
                maps.append(_brought_to(grid, stage, theirs, scene))
        if len(maps) == 1:
            return maps[0]
        return np.concatenate(maps, axis=-1, dtype=np.float32)

    def weight_shapes(self, width: int) -> WeightShapes:
        """Return the stages' own, each file named ``<stage>.<file>``."""
        return {
            f"{stage.name}.{file}": shapes
            for stage in self.stages
            for file, shapes in stage.weight_shapes(width).items()
        }

    def weights(self) -> Weights:
        """Return the stages' own, each file named ``<stage>.<file>``."""
        return {
            f"{stage.name}.{file}": tensors
            for stage in self.stages
            for file, tensors in stage.weights().items()
        }

    def with_weights(self, weights: Weights) -> Concatenated:
        """Return the stages with their own weights, side by side."""
        stages: list[Features[Any]] = []
        for stage in self.stages:
            prefix = f"{stage.name}."
            own = {
                file.removeprefix(prefix): tensors
                for file, tensors in weights.items()
                if file.startswith(prefix)
            }
            with_own = stage.with_weights(own)
            assert isinstance(with_own, Features)
            stages.append(with_own)
        return Concatenated(stages)

    def __repr__(self) -> str:
        """Return the stages."""
        return f"Concatenated({list(self.stages)!r})"


def _brought_to(grid: Grid, stage: Features[Any], theirs: Grid, scene: Scene) -> FloatArray:
    rows, down = _shares(grid.row_positions(), grid.step[0], theirs.row_positions(), theirs.step[0])
    cols, across = _shares(
        grid.col_positions(), grid.step[1], theirs.col_positions(), theirs.step[1]
    )
    first = int(rows.min())
    nodes = stage.extract(scene, theirs.band(first, int(rows.max()) + 1))
    between: FloatArray = np.zeros((grid.rows, *nodes.shape[1:]), dtype=np.float64)
    for row, share in zip(rows.T, down.T, strict=True):
        between += share[:, np.newaxis, np.newaxis] * nodes[row - first]
    brought: FloatArray = np.zeros((*grid.shape, stage.width), dtype=np.float64)
    for col, share in zip(cols.T, across.T, strict=True):
        brought += share[:, np.newaxis] * between[:, col]
    return brought.astype(np.float32)


def _shares(
    positions: FloatArray, step: float, nodes: FloatArray, node_step: float
) -> tuple[IntArray, FloatArray]:
    """Return which nodes count for each position and their shares, both of shape (n, most)."""
    inside = np.clip(positions, nodes[0], nodes[-1])[:, np.newaxis]
    # Two cells a step wide overlap in a triangle: linear interpolation. A wider target cell
    # averages by area, and one that reaches past the outermost node takes what there is.
    reach = max(step, node_step) / 2
    low = np.maximum(inside - reach, nodes - node_step / 2)
    high = np.minimum(inside + reach, nodes + node_step / 2)
    overlap = np.maximum(high - low, 0)
    overlap /= overlap.sum(axis=1, keepdims=True)
    first = (overlap > 0).argmax(axis=1)
    most = int(np.count_nonzero(overlap, axis=1).max())
    counting = first[:, np.newaxis] + np.arange(most)
    clipped = np.minimum(counting, len(nodes) - 1)
    shares = np.take_along_axis(overlap, clipped, axis=1)
    shares[counting != clipped] = 0
    return clipped, shares

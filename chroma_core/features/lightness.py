"""Lightness at a node, and around it at several widths.

SIFT and patches do not say how light a place is; this does: L* at the node itself, and L* blurred
by Gaussians, from the near surroundings to the scene.

Only the nodes are worked out: a Gaussian is separable, so a map of blurred values is R P C, with
the picture P and one small matrix of weights an axis. The rows of R for a band of nodes touch only
the rows of the picture around it, so that bands cost little more than the whole and nothing is kept
between calls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.options import Options, option
from chroma_core.stages import Column, Features, Grid, Scene

__all__ = ["LightnessFeatures", "LightnessFeaturesOptions"]


@dataclass(frozen=True, kw_only=True)
class LightnessFeaturesOptions(Options):
    """Settings of `LightnessFeatures`."""

    sigmas: tuple[float, ...] = option(
        (2.0, 8.0, 32.0), "standard deviations of the Gaussians", unit="px", gt=0, le=1000
    )


class LightnessFeatures(Features[LightnessFeaturesOptions]):
    """L* at each node and its Gaussian means.

    Beyond the border the picture is reflected, its edge repeated. Gaussians are cut off at 4
    standard deviations, which are multiplied by `Scene.scale`. Between pixels, L* at the node is
    interpolated linearly.

    Examples
    --------
    >>> stage = LightnessFeatures(LightnessFeaturesOptions(sigmas=(2.0,)))
    >>> scene = Scene(lightness=np.full((6, 6), 40.0, np.float32))
    >>> stage.extract(scene, Grid.regular(6, 6, 4))[0, 0].tolist()
    [40.0, 40.0]
    """

    name = "lightness"
    Options = LightnessFeaturesOptions

    @property
    def width(self) -> int:
        """Numbers a node: one, and one a Gaussian."""
        return 1 + len(self.options.sigmas)

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
        """Return L* and its blurred values.

        Parameters
        ----------
        scene : Scene
            The whole work picture.
        grid : Grid
            Any grid.

        Returns
        -------
        ndarray, shape (rows, cols, 1 + number of sigmas)
            L* in [0, 100], float32.
        """
        height, width = scene.lightness.shape
        seen = np.empty((*grid.shape, self.width), dtype=np.float32)
        for channel, sigma in enumerate((0.0, *self.options.sigmas)):
            first_row, down = _weights(grid.row_positions(), height, sigma * scene.scale)
            first_col, across = _weights(grid.col_positions(), width, sigma * scene.scale)
            window = scene.lightness[
                first_row : first_row + down.shape[1], first_col : first_col + across.shape[1]
            ]
            seen[..., channel] = down @ window @ across.T
        return seen


def _weights(positions: FloatArray, length: int, sigma: float) -> tuple[int, FloatArray]:
    """Return the first pixel that matters and each node's weights from it on, shape (n, pixels).

    Float64, so that bands of a grid, whose sums run in another order, round to the same float32.
    """
    positions = np.clip(positions, 0, length - 1)
    reach = max(1, math.ceil(4 * sigma))
    first = max(0, math.floor(positions.min()) - reach)
    stop = min(length, math.ceil(positions.max()) + reach + 1)
    beyond = np.arange(math.floor(positions.min()) - reach, math.ceil(positions.max()) + reach + 1)
    distance = np.abs(beyond - positions[:, np.newaxis])
    if sigma == 0:
        spread = np.maximum(1 - distance, 0)
    else:
        spread = np.where(distance <= 4 * sigma, np.exp(-np.square(distance / sigma) / 2), 0)
    folded = beyond % (2 * length)
    folded = np.where(folded < length, folded, 2 * length - 1 - folded)
    # A reflection longer than the picture, or at its far side, may lead outside first:stop.
    if folded.min() < first or folded.max() >= stop:
        first, stop = 0, length
    weights = np.zeros((stop - first, len(positions)))
    np.add.at(weights, folded - first, spread.T)
    return first, (weights / weights.sum(axis=0)).T

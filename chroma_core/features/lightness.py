"""Lightness at a node, and around it at several widths.

SIFT and patches do not say how light a place is; this does: L* at the node itself, and L* blurred
by Gaussians, from the near surroundings to the scene.

Only the nodes are worked out: a Gaussian is separable, so a map of blurred values is R P C, with
the picture P and one small matrix of weights an axis. They are cut into runs of nodes, whose
weights touch only the pixels around them. A wide Gaussian looks at a picture shrunk until its
standard deviation is 32 pixels, where shrinking widens it by less than a 20,000th. So cost does not
grow with the width, bands cost little more than the whole, and nothing is kept between calls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.filters.resize import area_shrink, sample_bilinear
from chroma_core.options import Options, option
from chroma_core.stages import Column, Features, Grid, Scene

__all__ = ["LightnessFeatures", "LightnessFeaturesOptions"]

WIDEST_SIGMA = 32.0
"""Standard deviation in pixels above which the picture is shrunk first."""

RUN = 64
"""Nodes along an axis that share one matrix of weights."""


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
        rows, cols = grid.row_positions(), grid.col_positions()
        seen = np.empty((*grid.shape, self.width), dtype=np.float32)
        seen[..., 0] = sample_bilinear(scene.lightness, rows, cols)
        for channel, sigma in enumerate(self.options.sigmas, start=1):
            seen[..., channel] = _blurred(scene.lightness, rows, cols, sigma * scene.scale)
        return seen


def _blurred(picture: FloatArray, rows: FloatArray, cols: FloatArray, sigma: float) -> FloatArray:
    """Return Gaussian means at every crossing of `rows` and `cols`, float64.

    Sums are done in float64, so that bands of a grid, whose sums run in another order, round to the
    same float32.
    """
    height, width = (
        min(length, math.ceil(length * WIDEST_SIGMA / sigma)) for length in picture.shape
    )
    down, across = height / picture.shape[0], width / picture.shape[1]
    if (height, width) != picture.shape:
        picture = area_shrink(picture, (height, width))
    rows, cols = (rows + 0.5) * down - 0.5, (cols + 0.5) * across - 0.5
    blurred = np.empty((len(rows), len(cols)))
    for i in range(0, len(rows), RUN):
        first, along_rows = _weights(rows[i : i + RUN], height, sigma * down)
        band = along_rows @ picture[first : first + along_rows.shape[1]]
        for j in range(0, len(cols), RUN):
            first, along_cols = _weights(cols[j : j + RUN], width, sigma * across)
            window = band[:, first : first + along_cols.shape[1]]
            blurred[i : i + RUN, j : j + RUN] = window @ along_cols.T
    return blurred


def _weights(positions: FloatArray, length: int, sigma: float) -> tuple[int, FloatArray]:
    """Return the first pixel that counts and each node's weights from it on, shape (n, pixels)."""
    positions = np.clip(positions, 0, length - 1)
    reach = math.ceil(4 * sigma)
    around = np.arange(math.floor(positions.min()) - reach, math.ceil(positions.max()) + reach + 1)
    distance = np.abs(around - positions[:, np.newaxis])
    spread = np.where(distance <= reach, np.exp(-np.square(distance / sigma) / 2), 0)
    reflected = around % (2 * length)
    reflected = np.minimum(reflected, 2 * length - 1 - reflected)
    first = int(reflected.min())
    weights = np.zeros((int(reflected.max()) + 1 - first, len(positions)))
    np.add.at(weights, reflected - first, spread.T)
    return first, (weights / weights.sum(axis=0)).T

"""Local structure: how strongly lightness changes around a node, and in which direction.

The structure tensor, the mean over a window of the products of the two slopes (Bigün & Granlund,
"Optimal orientation detection of linear symmetry", ICCV 1987). From it come the strength of change
and the direction as a double angle, which is the same for a line and the line turned by half a
turn: three numbers a node.
"""

from dataclasses import dataclass

import numpy as np

from chroma_core.filters.guided import box_mean
from chroma_core.filters.resize import sample_bilinear
from chroma_core.options import Options, option
from chroma_core.stages import Features


@dataclass(frozen=True, kw_only=True)
class StructureOptions(Options):
    """Settings of `StructureFeatures`."""

    radius: int = option(4, "radius of the window", unit="px", ge=0, le=256)


class StructureFeatures(Features[StructureOptions]):
    """Strength and direction of change: three numbers a node.

    The strength is the root of the tensor's trace, in L* per pixel. The other two are cosine and
    sine of twice the direction's angle, times how clearly there is one: 0 where all is flat or
    equal in all directions, length 1 along a straight edge.
    """

    name = "structure"
    Options = StructureOptions
    width = 3

    def grid(self, height, width):
        """Answer on any grid."""
        return None

    def extract(self, scene, grid):
        """Return the structure at the nodes, shape (rows, cols, 3), float32."""
        lightness = scene.lightness.astype(np.float64)
        down, along = _slope(lightness, 0), _slope(lightness, 1)
        products = np.stack([down * down, along * along, down * along], axis=-1)
        radius = round(self.options.radius * scene.scale)
        tensor = sample_bilinear(
            box_mean(products, radius), grid.row_positions(), grid.col_positions()
        )
        yy, xx, xy = np.moveaxis(tensor, -1, 0)
        trace = yy + xx
        # Where nothing changes there is no direction: the quotient's limit is taken as 0.
        inverse = np.divide(1, trace, out=np.zeros_like(trace), where=trace > FLAT)
        return np.stack(
            [np.sqrt(np.maximum(trace, 0)), (xx - yy) * inverse, 2 * xy * inverse], axis=-1
        ).astype(np.float32)


FLAT = 1e-9
"""Squared L* per pixel: far below one step of an 8-bit picture, above what rounding leaves."""


def _slope(lightness, axis):
    """Return the central difference along an axis, the edge repeated; 0 where there is one row."""
    around = [(1, 1) if at == axis else (0, 0) for at in range(2)]
    padded = np.moveaxis(np.pad(lightness, around, mode="edge"), axis, 0)
    return np.moveaxis((padded[2:] - padded[:-2]) / 2, 0, axis)

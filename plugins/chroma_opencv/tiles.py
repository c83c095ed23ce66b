"""Cut a work picture into tiles of rows, so that dense descriptors need bounded memory.

OpenCV's descriptors keep many float32 planes of the whole picture (SIFT 24 bytes a pixel, DAISY
more than 128), and what they give for a node can depend, in the last bit, on the row the picture
starts at. So a picture is cut at rows that depend on its own size alone, each tile with the rows
around it that its nodes see; a node is always described from the same cut, whatever run of rows
was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray, IntArray

__all__ = ["Tile", "code_values", "nearest_pixels", "tiles"]

PIXELS_A_TILE = 1 << 20
"""Pixels of one tile, without the rows around it."""

NODES_AT_ONCE = 1 << 16
"""Nodes described by one call: 32 MiB of SIFT, and as many `KeyPoint` objects."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """Some grid rows, and the picture rows that their descriptors are computed from.

    Attributes
    ----------
    nodes : slice
        Grid rows.
    picture : slice
        Picture rows.
    """

    nodes: slice
    picture: slice


def tiles(rows: IntArray, cols: int, shape: tuple[int, int], margin: int) -> Iterator[Tile]:
    """Yield the tiles that hold these rows of nodes.

    Parameters
    ----------
    rows : ndarray, shape (n,)
        Pixel row of each grid row, rising.
    cols : int
        Nodes a grid row.
    shape : tuple of int
        Height and width of the picture.
    margin : int
        Rows above and below a node that its descriptor may depend on.
    """
    height, width = shape
    tile_height = max(1, PIXELS_A_TILE // width)
    at_once = max(1, NODES_AT_ONCE // cols)
    tile_of_row = rows // tile_height
    for tile in np.unique(tile_of_row).tolist():
        first, stop = np.searchsorted(tile_of_row, [tile, tile + 1]).tolist()
        top = max(0, tile * tile_height - margin)
        bottom = min(height, (tile + 1) * tile_height + margin)
        for start in range(first, stop, at_once):
            nodes = slice(start, min(start + at_once, stop))
            yield Tile(nodes=nodes, picture=slice(top, bottom))


def nearest_pixels(positions: FloatArray, length: int) -> IntArray:
    """Return the pixel next to each position, halves upwards, moved into the picture.

    OpenCV rounds half to even, which depends on where a cut starts.
    """
    nearest = np.clip(np.floor(positions + 0.5), 0, length - 1)
    return np.asarray(nearest, dtype=np.int64)


def code_values(lightness: FloatArray) -> npt.NDArray[np.uint8]:
    """Return L* as the 256 levels that SIFT and DAISY read.

    Parameters
    ----------
    lightness : ndarray, any shape
        L*; what lies outside [0, 100] is clipped.

    Returns
    -------
    ndarray of uint8, same shape
        ``rint(2.55 * L*)``.
    """
    scaled = np.rint(np.clip(lightness, 0, 100) * np.float32(2.55))
    return np.ascontiguousarray(scaled, dtype=np.uint8)

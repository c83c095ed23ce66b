"""Draw what SIFT sees: the detected keypoints, and the dense grid that colour is predicted on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray
from chroma_core.color.lab import lightness_to_gray
from chroma_core.stages import Grid
from chroma_opencv.tiles import code_values, nearest_pixels

if TYPE_CHECKING:
    from chroma_opencv.sift import SiftOptions

__all__ = ["draw_keypoints"]

DETECTED = (255, 220, 0)
NODE = (0, 200, 255)
CELLS = 4
"""Cells on a side of a descriptor."""


def draw_keypoints(
    lightness: FloatArray, grid: Grid, options: SiftOptions
) -> tuple[npt.NDArray[np.uint8], int]:
    """Draw keypoints with size and orientation, and the nodes of a grid.

    Keypoints are found by Lowe's detector (IJCV 2004, sections 3 to 5): a circle of their size with
    a line in their direction, yellow. Nodes are blue dots; one square, around the node nearest to
    the centre, shows the patch of each of `options.sizes`.

    Parameters
    ----------
    lightness : ndarray, shape (H, W)
        L* in [0, 100].
    grid : Grid
        The nodes to draw.
    options : SiftOptions
        For the sizes of the patches.

    Returns
    -------
    picture : ndarray, shape (H, W, 3)
        Encoded sRGB, uint8, red first.
    detected : int
        Number of keypoints.
    """
    import cv2

    found = cv2.SIFT.create().detect(code_values(lightness), None)
    # The picture as people see it: L* is brighter than the code values that show it.
    gray = np.rint(255 * np.clip(lightness_to_gray(lightness), 0, 1)).astype(np.uint8)
    drawing = np.ascontiguousarray(np.repeat(gray[..., np.newaxis], 3, axis=-1))
    rich = cv2.DRAW_MATCHES_FLAGS_DRAW_RICH_KEYPOINTS
    over = cv2.DRAW_MATCHES_FLAGS_DRAW_OVER_OUTIMG
    cv2.drawKeypoints(drawing, found, drawing, color=DETECTED, flags=rich | over)
    rows = nearest_pixels(grid.row_positions(), lightness.shape[0])
    cols = nearest_pixels(grid.col_positions(), lightness.shape[1])
    drawing[np.ix_(rows, cols)] = NODE
    row, col = int(rows[len(rows) // 2]), int(cols[len(cols) // 2])
    for cell in options.sizes:
        half = round(CELLS * cell / 2)
        corners = (col - half, row - half), (col + half, row + half)
        cv2.rectangle(drawing, *corners, color=NODE)
    return drawing, len(found)

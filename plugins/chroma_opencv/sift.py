"""Dense SIFT: one descriptor a grid node and cell size.

The descriptor is step 6 of Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV
2004: 4 x 4 cells of 8 gradient directions, 128 numbers. Detected keypoints cover less than one
pixel in a hundred, and colour is wanted everywhere, so the descriptor is computed on a grid of
nodes, the way of Liu, Yuen & Torralba, "SIFT Flow", ECCV 2008. OpenCV computes it; what lies around
that (tiles, scales, orientation, RootSIFT) is ours.

Facts of OpenCV's `SIFT.compute` that this file stands on, each with a test:

- A cell is 1.5 times `KeyPoint.size` wide; samples within 5.3 times the size count.
- `KeyPoint.angle` is -1 unless it is given, and -1 turns the patch by one degree: upright is 0.
- Positions are rounded to whole pixels; nodes are rounded here, before OpenCV sees them.
- Samples outside the picture are skipped, keypoints at the border are kept, and order is kept.
- Values are whole numbers in 0..255.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray, IntArray, PixelArray
from chroma_core.errors import OptionError
from chroma_core.options import Options, option
from chroma_core.stages import Column, Features, Grid, Scene
from chroma_opencv.keypoints import draw_keypoints
from chroma_opencv.tiles import code_values, nearest_pixels, tiles

__all__ = ["SiftFeatures", "SiftOptions"]

WIDTH = 128
"""Numbers a descriptor."""

SHRINK_FROM = 16.0
"""Cells of this many pixels and more are computed on a shrunken picture."""

BLUR = math.sqrt(1.6**2 - 0.5**2)
"""From the 0.5 px a picture is taken to be blurred by to SIFT's 1.6 px (Lowe 2004, section 3.3)."""

BINS = 36
"""Directions of the histogram that assigns an orientation (Lowe 2004, section 5)."""

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class SiftOptions(Options):
    """Options of `SiftFeatures`."""

    step: int = option(4, "distance of the grid's nodes", unit="px", ge=1, le=256, run=True)
    sizes: tuple[float, ...] = option(
        (8.0,), "width of a descriptor's cells; one descriptor for each", unit="px", ge=2, le=256
    )
    root: bool = option(False, "RootSIFT: square root of the descriptor divided by its sum")
    orientation: Literal["upright", "assigned"] = option(
        "upright", "upright, or turned to the strongest gradient around the node"
    )

    def __post_init__(self) -> None:
        """Refuse an empty list of sizes, besides what the fields refuse."""
        super().__post_init__()
        if not self.sizes:
            raise OptionError("sizes is empty, wanted at least one width of a cell")


class SiftFeatures(Features[SiftOptions]):
    """SIFT descriptors on a grid, one after another for each of the option `sizes`.

    Cells of 16 px and more are computed on a picture shrunk by a power of two (area average), so
    that they are 8 to 16 px there: that is as cheap as small cells, and takes the wider smoothing
    that Lowe's scale space gives to wide cells.

    Memory is bounded beside the answer: about a megapixel of the picture is worked at once.
    """

    name = "sift"
    Options = SiftOptions
    requires = ("cv2",)
    extra = "opencv"

    @property
    def width(self) -> int:
        """128 for each size."""
        return WIDTH * len(self.options.sizes)

    @property
    def columns(self) -> tuple[Column, ...]:
        """SIFT is whole numbers in 0..255, so uint8 keeps it; RootSIFT is kept as float16."""
        storage: Literal["uint8", "float16"] = "float16" if self.options.root else "uint8"
        return (Column(name=self.name, width=self.width, storage=storage),)

    @property
    def anywhere(self) -> bool:
        """Each node is seen by itself."""
        return True

    def grid(self, height: int, width: int) -> Grid:
        """Return nodes `step` apart, the first at ``step // 2``."""
        return Grid.regular(height, width, self.options.step)

    def extract(self, scene: Scene, grid: Grid) -> FloatArray:
        """Return the descriptors.

        Parameters
        ----------
        scene : Scene
            The whole work picture; L* in [0, 100] is quantized to 256 levels, as SIFT wants it.
        grid : Grid
            Any nodes; they are rounded to whole pixels and moved into the picture.

        Returns
        -------
        ndarray, shape (rows, cols, 128 * len(sizes))
            float32: whole numbers in 0..255, or with `root` in [0, 1] with norm 1. A flat patch
            gives zeros.
        """
        answer = np.empty((*grid.shape, self.width), dtype=np.float32)
        for index, cell in enumerate(self.options.sizes):
            factor = _shrink_factor(cell)
            height, width = (-(-length // factor) for length in scene.lightness.shape)
            rows = nearest_pixels((grid.row_positions() + 0.5) / factor - 0.5, height)
            cols = nearest_pixels((grid.col_positions() + 0.5) / factor - 0.5, width)
            size = cell / factor / 1.5
            # Samples reach 5.3 sizes; 8 px more for the blur and the gradient. The window that
            # assigns an orientation (2.25 sizes) is smaller.
            margin = math.ceil(5.3 * size) + 8
            block = answer[..., WIDTH * index : WIDTH * (index + 1)]
            for tile in tiles(rows, len(cols), (height, width), margin):
                top, bottom = tile.picture.start * factor, tile.picture.stop * factor
                codes = code_values(_shrink(scene.lightness[top:bottom], factor))
                in_tile = rows[tile.nodes] - tile.picture.start
                block[tile.nodes] = self._describe(codes, in_tile, cols, size)
        return answer

    def draw(self, scene: Scene) -> tuple[PixelArray, str]:
        """Draw detected keypoints with size and orientation, and the nodes that are described.

        Parameters
        ----------
        scene : Scene
            The gray picture, at the size in which it is to be drawn.

        Returns
        -------
        tuple of ndarray, shape (H, W, 3), uint8 encoded sRGB, and str
            The drawing, and what it shows in words.
        """
        grid = self.grid(*scene.lightness.shape)
        drawing, detected = draw_keypoints(scene.lightness, grid, self.options)
        return drawing, f"sift: {detected} keypoints detected, {grid.rows} x {grid.cols} nodes"

    def _describe(self, codes: Codes, rows: IntArray, cols: IntArray, size: float) -> FloatArray:
        """Return the descriptors of one size, shape (len(rows), len(cols), 128)."""
        import cv2

        if self.options.orientation == "assigned":
            angles = _assigned_angles(codes, rows, cols, size)
        else:
            angles = np.zeros((len(rows), len(cols)))
        keypoints = [
            cv2.KeyPoint(float(col), float(row), size, angle)
            for row, line in zip(rows, angles.tolist(), strict=True)
            for col, angle in zip(cols, line, strict=True)
        ]
        kept, block = cv2.SIFT.create().compute(codes, keypoints)
        assert len(kept) == len(keypoints), "OpenCV's SIFT dropped keypoints that were given"
        if self.options.root:
            total = block.sum(axis=1, keepdims=True)
            np.divide(block, total, out=block, where=total > 0)
            np.sqrt(block, out=block)
        return np.asarray(block, dtype=np.float32).reshape(len(rows), len(cols), WIDTH)


def _shrink_factor(cell: float) -> int:
    """Return the power of two that leaves a wide cell 8 to 16 px, 1 for a small one."""
    return 1 if cell < SHRINK_FROM else int(2 ** math.floor(math.log2(cell / 8)))


def _shrink(lightness: FloatArray, factor: int) -> FloatArray:
    """Average blocks of factor x factor pixels; the last ones average what the picture has."""
    if factor == 1:
        return lightness
    shrunken: Any = lightness
    for axis, length in enumerate(lightness.shape):
        starts = np.arange(0, length, factor)
        counts = np.diff(np.append(starts, length)).astype(np.float32)
        total = np.add.reduceat(shrunken, starts, axis=axis, dtype=np.float32)
        shrunken = total / np.expand_dims(counts, 1 - axis)
    return np.asarray(shrunken)


def _assigned_angles(codes: Codes, rows: IntArray, cols: IntArray, size: float) -> FloatArray:
    """Return the direction of the strongest gradient around each node, in degrees.

    Lowe 2004, section 5: a histogram of 36 directions, weighted by gradient magnitude and by a
    Gaussian of 1.5 times the keypoint's scale (half its size), smoothed, its peak placed by a
    parabola. Only the highest peak is taken: a node has one descriptor. Directions run clockwise
    from the column axis, as `KeyPoint.angle` wants them; a flat window gets 0.
    """
    import cv2

    scale = size / 2
    blurred = cv2.GaussianBlur(codes.astype(np.float32), (0, 0), BLUR)
    across, down = np.zeros_like(blurred), np.zeros_like(blurred)
    inner = (slice(1, -1), slice(1, -1))
    across[inner] = blurred[1:-1, 2:] - blurred[1:-1, :-2]
    down[inner] = blurred[2:, 1:-1] - blurred[:-2, 1:-1]
    magnitude = np.hypot(across, down)
    direction = np.arctan2(down, across) * np.float32(BINS / (2 * np.pi))

    reach = np.arange(-round(4.5 * scale), round(4.5 * scale) + 1)
    window = np.exp(-(reach**2) / (2 * (1.5 * scale) ** 2)).astype(np.float32)
    histogram = np.empty((BINS, len(rows), len(cols)), dtype=np.float32)
    for index in range(BINS):
        # Each gradient counts for the two directions next to its own, the more the nearer.
        away = np.abs((direction - index + BINS // 2) % BINS - BINS // 2)
        weight = magnitude * np.maximum(1 - away, 0)
        around = cv2.sepFilter2D(weight, cv2.CV_32F, window, window, borderType=cv2.BORDER_CONSTANT)
        histogram[index] = around[np.ix_(rows, cols)]
    return _peak(histogram)


def _peak(histogram: FloatArray) -> FloatArray:
    """Return where a circular histogram (36, ...) has its peak, in degrees in [0, 360)."""
    smooth = histogram * np.float32(6 / 16)
    for shift, weight in ((1, 4 / 16), (2, 1 / 16)):
        both = np.roll(histogram, shift, axis=0) + np.roll(histogram, -shift, axis=0)
        smooth = smooth + both * np.float32(weight)
    best = smooth.argmax(axis=0)
    left, middle, right = (
        np.take_along_axis(smooth, (best[np.newaxis] + shift) % BINS, axis=0)[0].astype(np.float64)
        for shift in (-1, 0, 1)
    )
    bend = left - 2 * middle + right
    offset = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    degrees = ((best + offset) * (360 / BINS)) % 360
    return np.where(middle > 0, degrees, 0.0)

"""Make the pictures of the documentation from the shipped photographs with a shipped model.

Every picture is what the library gives, side by side; nothing is retouched. Takes about a minute.

Usage: ``python docs/scripts/make_pictures.py docs/assets``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from chroma_core.api import build, build_features, build_refiners
from chroma_core.arrays import FloatArray, PixelArray
from chroma_core.color import into_srgb, lab_to_rgb, rgb_to_lab
from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.demo import demo_photographs
from chroma_core.filters.resize import area_shrink
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture
from chroma_core.pipeline import lightness_of, merge, scene_scale
from chroma_core.stages import Scene

MODEL = "unet"
"""Made the pictures that show what to expect."""

WALKED_MODEL = "sift-dense"
"""Made those of the walk through the design."""

WALKED = "kodak-22-barn"
"""The photograph that the walk through the design follows."""

SHOWN = ("kodak-16-palms", "kodak-22-barn")
OLD = ("gray-1870-girl", "gray-1908-family")
GAP = 8
SIDE = 320
"""Height in pixels at which old photographs are shown."""

QUALITY = 78
LIGHTNESS_OF_MAPS = 65.0
"""L* at which a map of a* or of b* is shown, so that both ends have room in sRGB."""


def photograph(name: str) -> PixelArray:
    """Return a shipped photograph, shape (H, W, 3) or (H, W), uint8."""
    return read_picture({path.stem: path for path in demo_photographs()}[name]).pixels


def gray_of(pixels: PixelArray) -> PixelArray:
    """Return the gray picture of the same L*, shape (H, W, 3), uint8."""
    lightness = lightness_of(pixels, LabColorspace())
    colorless = np.zeros((*lightness.shape, 3), dtype=np.float32)
    colorless[..., 0] = lightness
    return merge(colorless, LabColorspace(), np.uint8)


def shrunk(pixels: PixelArray) -> PixelArray:
    """Return a picture at the height of `SIDE`."""
    height, width = pixels.shape[:2]
    shape = (SIDE, round(width * SIDE / height))
    return np.rint(area_shrink(pixels.astype(np.float32), shape)).astype(np.uint8)


def map_of(channel: FloatArray, index: int) -> PixelArray:
    """Show a map of a* (index 1) or b* (index 2) as the colours that it stands for."""
    lab = np.zeros((*channel.shape, 3))
    lab[..., 0] = LIGHTNESS_OF_MAPS
    lab[..., index] = channel
    return np.rint(255 * np.clip(lab_to_rgb(into_srgb(lab)), 0, 1)).astype(np.uint8)


def side_by_side(pictures: Sequence[PixelArray]) -> PixelArray:
    """Return pictures of one height beside each other on white."""
    height = max(picture.shape[0] for picture in pictures)
    parts: list[PixelArray] = []
    for picture in pictures:
        below = np.full((height - picture.shape[0], picture.shape[1], 3), 255, np.uint8)
        parts += [np.concatenate([picture, below]), np.full((height, GAP, 3), 255, np.uint8)]
    return np.concatenate(parts[:-1], axis=1)


def stacked(rows: Sequence[PixelArray]) -> PixelArray:
    """Return rows of pictures below each other on white."""
    width = max(row.shape[1] for row in rows)
    parts: list[PixelArray] = []
    for row in rows:
        beside = np.full((row.shape[0], width - row.shape[1], 3), 255, np.uint8)
        parts += [np.concatenate([row, beside], axis=1), np.full((GAP, width, 3), 255, np.uint8)]
    return np.concatenate(parts[:-1])


def make_pictures(folder: Path) -> list[Path]:
    """Write all pictures and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pipeline = build(model=MODEL, regressor="onnx")
    made = []

    def keep(name: str, pixels: PixelArray) -> None:
        path = folder / f"{name}.jpg"
        made.append(write_picture(pixels, path, quality=QUALITY, overwrite="always"))

    rows = []
    for name in SHOWN:
        truth = photograph(name)
        rows.append(side_by_side([gray_of(truth), pipeline(truth), truth]))
    keep("before-after", stacked(rows))
    old = [photograph(name) for name in OLD]
    for name, gray in zip(OLD, old, strict=True):
        keep(name, shrunk(side_by_side([gray_of(gray), pipeline(gray)])))

    truth = photograph(WALKED)
    lab = rgb_to_lab(truth / 255)
    keep("walk-truth", truth)
    keep(
        "walk-channels",
        side_by_side([gray_of(truth), map_of(lab[..., 1], 1), map_of(lab[..., 2], 2)]),
    )
    lightness = lightness_of(truth, LabColorspace())
    sift = build_features("sift", {"sift.step": "8"})
    drawing, _ = sift.draw(Scene(lightness=lightness, scale=scene_scale(lightness.shape)))
    keep("walk-features", drawing)
    pipeline = build(model=WALKED_MODEL, regressor="dense")
    prediction = pipeline.predict_lightness(lightness)
    step = int(prediction.grid.step[0])
    maps = [
        np.kron(
            map_of(prediction.chroma[..., index], index + 1), np.ones((step, step, 1), np.uint8)
        )
        for index in (0, 1)
    ]
    keep("walk-predicted", side_by_side(maps))
    fused = replace(pipeline, refiners=()).fuse(lightness, prediction)
    keep("walk-fused", fused)
    refined = [
        replace(pipeline, refiners=build_refiners(name)).fuse(lightness, prediction)
        for name in ("seed", "ratio", "intensity")
    ]
    keep("walk-refined", side_by_side(refined))

    refined = [
        replace(pipeline, refiners=build_refiners(name)).refine_pixels(truth)
        for name in ("seed", "ratio", "intensity")
    ]
    keep(
        "refiners-on-truth", stacked([side_by_side([truth, refined[0]]), side_by_side(refined[1:])])
    )
    return made


if __name__ == "__main__":
    for path in make_pictures(Path(sys.argv[1])):
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")

"""Make the contact sheet of photographs that nobody chose: the first of each set, by name.

Rows of gray, coloured by the default pipeline, and, where there is one, the truth. Nothing is
retouched, and none is left out.

Usage: ``python docs/scripts/make_contact_sheet.py OUT.jpg COLUMNS PICTURE...``
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from make_pictures import GAP, gray_of

from chroma_core.api import build
from chroma_core.arrays import PixelArray
from chroma_core.filters.resize import area_shrink
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

HEIGHT = 120
"""Height in pixels at which a picture is shown."""

QUALITY = 70

GRAY = "gray-"
"""Begins the name of a photograph that has no true colours to show, as among the shipped ones."""


def main(out: Path, columns: int, paths: list[Path]) -> None:
    """Write the sheet."""
    pipeline = build()
    rows = [
        row_of(read_picture(path).pixels, pipeline, truth=not path.name.startswith(GRAY))
        for path in paths
    ]
    width = max(row.shape[1] for row in rows)
    height = max(row.shape[0] for row in rows)
    lines = -(-len(rows) // columns)
    sheet = np.full(
        (lines * (height + GAP) - GAP, columns * (width + 2 * GAP) - 2 * GAP, 3), 255, np.uint8
    )
    for index, row in enumerate(rows):
        top = index // columns * (height + GAP)
        left = index % columns * (width + 2 * GAP)
        sheet[top : top + row.shape[0], left : left + row.shape[1]] = row
    write_picture(sheet, out, quality=QUALITY, overwrite="always")


def row_of(pixels: PixelArray, pipeline: object, *, truth: bool) -> PixelArray:
    """Return gray, coloured and true pictures beside each other."""
    gray = gray_of(pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1))
    colored = pipeline(gray[..., 0])  # type: ignore[operator]  # a Pipeline
    parts = [gray, colored]
    if truth:
        parts.append(pixels)
    shown = [shrunk(part) for part in parts]
    between = np.full((HEIGHT, GAP // 2, 3), 255, np.uint8)
    return np.concatenate([piece for part in shown for piece in (part, between)][:-1], axis=1)


def shrunk(pixels: PixelArray) -> PixelArray:
    """Return a picture at the height of `HEIGHT`."""
    height, width = pixels.shape[:2]
    shape = (HEIGHT, max(1, round(width * HEIGHT / height)))
    return np.rint(area_shrink(pixels.astype(np.float32), shape)).astype(np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), [Path(name) for name in sys.argv[3:]])

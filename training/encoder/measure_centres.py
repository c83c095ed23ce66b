"""Measure where the nodes of the encoder's maps stand, by dots.

::

    python training/encoder/measure_centres.py PICTURE...

A faint dot is put at random places into the middle of each photograph. What it changes in a map,
squared and summed over the channels, is a heap of numbers around the nodes that look there; by how
far the dot lies behind each node, all heaps are laid on one another. Printed is the heap's centre
within two steps to either side, found by moving that window until it stands still: the pixel of
the padded picture on which the map's first node stands. The spread is that of 20 resamplings of
the dots.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from chroma_onnx.encoder import CENTRES, DEPTHS, load_session

from chroma_core.color import lightness_to_gray
from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.training.sampling import work_lab

SIDE = 448
RANGE = 128
"""Dots lie in the middle square of this side: each is further from the border than the window."""

DOTS = 80
HEIGHT, SIGMA = 0.2, 1.5
"""A dot's height in encoded gray, and its size in pixels."""

WINDOW = 2
"""Half the side of the window, in steps of the map."""


def main(pictures: list[Path]) -> None:
    """Print row and column of the first node, by depth."""
    encoder = Path(sys.modules["chroma_onnx"].__file__ or "").with_name("encoder") / "lite0.onnx"
    session = load_session(encoder.read_bytes(), 1)
    rng = np.random.default_rng(0)
    heaps: dict[str, list[Any]] = {depth: [] for depth in DEPTHS}
    pixels = np.arange(SIDE)
    for picture in pictures:
        gray = _square(lightness_to_gray(work_lab(picture, LabColorspace(), 256)[..., 0]))
        before = _maps(session, gray)
        for _ in range(DOTS):
            row, col = rng.uniform((SIDE - RANGE) / 2, (SIDE + RANGE) / 2, 2)
            down, across = (np.exp(-(((pixels - at) / SIGMA) ** 2) / 2) for at in (row, col))
            height = HEIGHT if gray[int(row), int(col)] < 0.5 else -HEIGHT
            after = _maps(session, gray + height * np.outer(down, across))
            for depth, step in DEPTHS.items():
                energy = ((after[depth] - before[depth]) ** 2).sum(axis=0)
                nodes = step * np.arange(len(energy))
                heaps[depth].append((row - nodes, col - nodes, energy / energy.sum()))
    for depth, step in DEPTHS.items():
        found = heaps[depth]
        centre = _centre(found, step)
        again = [rng.choice(len(found), len(found)) for _ in range(20)]
        spread = np.std([_centre([found[i] for i in few], step) for few in again], axis=0)
        print(
            f"{depth:13} row {centre[0]:5.2f} ± {spread[0]:.2f}, column {centre[1]:5.2f} ± "
            f"{spread[1]:.2f}; taken: {CENTRES[depth]}"
        )


def _square(gray: Any) -> Any:
    """Return the picture with its reflection around it, cut to a square."""
    ends = [(side // 2, side - side // 2) for side in (max(0, SIDE - n) for n in gray.shape)]
    return np.pad(gray, ends, mode="symmetric")[:SIDE, :SIDE]


def _maps(session: Any, gray: Any) -> dict[str, Any]:
    given = {"gray": gray[np.newaxis, np.newaxis].astype(np.float32)}
    answers = session.run(list(DEPTHS), given)
    return {
        depth: answer[0].astype(np.float64) for depth, answer in zip(DEPTHS, answers, strict=True)
    }


def _centre(heaps: list[Any], step: int) -> Any:
    """Return the centre of all heaps within a window that stands around it."""
    centre = np.full(2, step / 2)
    for _ in range(100):
        total, sums = 0.0, np.zeros(2)
        for rows, cols, energy in heaps:
            near_rows = np.abs(rows - centre[0]) <= WINDOW * step
            near_cols = np.abs(cols - centre[1]) <= WINDOW * step
            near = energy[np.ix_(near_rows, near_cols)]
            total += near.sum()
            sums += near.sum(axis=1) @ rows[near_rows], near.sum(axis=0) @ cols[near_cols]
        moved = sums / total
        if np.abs(moved - centre).max() < 1e-3:
            break
        centre = moved
    return centre


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])

"""Measure how neutral gray stays under several constants, and how large rounded knees jump.

Usage: ``python docs/scripts/colour_figures.py docs/scripts/colour_figures.md``
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.color import (
    D65,
    lab_to_rgb,
    rgb_to_lab,
    rgb_to_xyz_matrix,
    white_point,
    xyz_to_lab,
)
from chroma_core.color.srgb import srgb_eotf

FOUR_DIGITS = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
"""The matrix as IEC 61966-2-1 prints it."""

ASTM_D65 = np.array([0.95047, 1.0, 1.08883])
"""D65 as ASTM E308 prints it."""

GRAYS = np.repeat(np.arange(256)[:, np.newaxis] / 255, 3, axis=1)


def largest_chroma(xyz: FloatArray, white: FloatArray) -> float:
    """Return the largest |a*| or |b*| of XYZ relative to a white, by the formula of CIE 15."""
    ratio = xyz / white
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    a, b = 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])
    return float(max(np.abs(a).max(), np.abs(b).max()))


def jump(epsilon: float, kappa: float) -> float:
    """Return by how much L* jumps at the knee."""
    return float(abs(116 * (np.cbrt(epsilon) - (kappa * epsilon + 16) / 116)))


def figures() -> str:
    """Return the table in Markdown."""
    linear = srgb_eotf(GRAYS)
    matrix = rgb_to_xyz_matrix()
    white = white_point(D65)
    ours = float(np.abs(rgb_to_lab(GRAYS)[:, 1:]).max())
    ours32 = float(np.abs(rgb_to_lab(GRAYS.astype(np.float32))[:, 1:]).max())
    colours = np.stack(np.meshgrid(*[np.arange(0, 256, 3) / 255] * 3, indexing="ij"), axis=-1)
    trip = float(np.abs(lab_to_rgb(rgb_to_lab(colours)) - colours).max())
    single = colours.astype(np.float32)
    back = np.rint(255 * lab_to_rgb(rgb_to_lab(single))).astype(int)
    lost = int((back != np.rint(255 * colours).astype(int)).any(axis=-1).sum())
    d50 = xyz_to_lab(white, white_point=(0.3457, 0.3585))
    rows = [
        ("largest \\|a\\*\\|, \\|b\\*\\| of 256 grays, chroma, float64", f"{ours:.1e}"),
        ("the same, chroma, float32", f"{ours32:.1e}"),
        (
            "the same, four-digit matrix with ASTM's D65",
            f"{largest_chroma(linear @ FOUR_DIGITS.T, ASTM_D65):.4f}",
        ),
        (
            "the same, derived matrix with ASTM's D65",
            f"{largest_chroma(linear @ matrix.T, ASTM_D65):.4f}",
        ),
        (
            "jump of L\\* at the knee, 216/24389 and 24389/27",
            f"{jump(216 / 24389, 24389 / 27):.1e}",
        ),
        ("jump of L\\* at the knee, 0.008856 and 903.3", f"{jump(0.008856, 903.3):.1e}"),
        (
            f"largest error of RGB → LAB → RGB, {colours[..., 0].size:,} colours, float64",
            f"{trip:.1e}",
        ),
        ("8-bit colours that the same changes in float32", f"{lost}"),
        ("(a\\*, b\\*) of white under D50 without adaptation", f"({d50[1]:.1f}, {d50[2]:.1f})"),
    ]
    table = "".join(f"| {what} | {value} |\n" for what, value in rows)
    return "| what | measured |\n| --- | --- |\n" + table


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(figures(), encoding="utf-8")

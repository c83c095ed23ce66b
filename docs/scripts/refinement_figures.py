"""Measure what the refiners make of perfect chroma, on four photographs of scikit-image.

The true a* and b* stand in for a prediction, so that what is lost is the refiner's doing. Results
are brought into gamut at constant lightness and hue, and compared as 8-bit sRGB.

Usage: ``python docs/scripts/refinement_figures.py docs/scripts/refinement_figures.md``
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.color import inside_srgb, into_srgb, lab_to_rgb, rgb_to_lab
from chroma_core.refiners.intensity import IntensityRefiner
from chroma_core.refiners.ratio import RatioRefiner
from chroma_core.refiners.seed import SeedRefiner
from chroma_core.stages import Scene

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
REFINERS = (SeedRefiner(), RatioRefiner(), IntensityRefiner())
HEAD = (
    "| photograph | mean C\\*ab: true → `seed`, `ratio` | out of gamut: `seed`, `ratio` "
    "| hue turned by more than 90°: `seed`, `ratio` | PSNR in dB: `seed`, `ratio`, `intensity` "
    "| PSNR of all gray |\n| --- | --- | --- | --- | --- | --- |\n"
)


def psnr(one: FloatArray, other: FloatArray) -> float:
    """Return the PSNR in dB of two pictures of encoded sRGB, rounded to 8 bits."""
    codes = [np.rint(255 * np.clip(rgb, 0, 1)) for rgb in (one, other)]
    error = float(((codes[0] - codes[1]) ** 2).mean())
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def mean_chroma(lab: FloatArray) -> float:
    """Return the mean C*ab."""
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def row_of(name: str) -> str:
    """Measure one photograph and return its row of the table."""
    import skimage.data

    rgb = getattr(skimage.data, name)()[..., :3] / 255
    lab = rgb_to_lab(rgb)
    gray = lab * [1, 0, 0]
    refined = [refiner.refine(lab, Scene(lightness=lab[..., 0])) for refiner in REFINERS]
    outside = [100 * float((~inside_srgb(result)).mean()) for result in refined[:2]]
    turned = [
        100 * float(((result[..., 1:] * lab[..., 1:]).sum(axis=-1) < 0).mean())
        for result in refined[:2]
    ]
    quality = [psnr(lab_to_rgb(into_srgb(result)), rgb) for result in refined]
    equal = [f"{value:.2f}" if np.isfinite(value) else "equal" for value in quality]
    return (
        f"| {name} | {mean_chroma(lab):.1f} → {mean_chroma(refined[0]):.1f}, "
        f"{mean_chroma(refined[1]):.1f} | {outside[0]:.1f} %, {outside[1]:.1f} % "
        f"| {turned[0]:.1f} %, {turned[1]:.1f} % | {', '.join(equal)} "
        f"| {psnr(lab_to_rgb(gray), rgb):.2f} |\n"
    )


if __name__ == "__main__":
    table = HEAD + "".join(row_of(name) for name in PHOTOGRAPHS)
    Path(sys.argv[1]).write_text(table, encoding="utf-8")

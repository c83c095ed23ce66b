"""Draw how far confidence can be trusted, from what `measure.py` found.

::

    python training/unet/draw_confidence.py MEASURED.json OUT.png

Left: how often the likeliest bin is the true one, by how likely the network says it is; the size of
a point shows how many nodes it stands for. Right: error over gray's of the surest nodes, by how
many of them are kept.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure

NAMES = {
    "vividness 0.0": "expected colour",
    "vividness 0.5": "vividness 0.5",
    "vividness 1.0": "vividness 1",
}


def main(measured: Path, out: Path) -> None:
    """Write the drawing."""
    found = json.loads(measured.read_text(encoding="utf-8"))["confidence"]
    figure = Figure(figsize=(10, 4.5), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = found["reliability"]
    left.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    left.plot([row["said"] for row in rows], [row["right"] for row in rows], color="#303030")
    left.scatter(
        [row["said"] for row in rows],
        [row["right"] for row in rows],
        [20 + 900 * row["nodes"] for row in rows],
        color="#303030",
        alpha=0.5,
    )
    left.set(
        xlabel="probability of the likeliest bin",
        ylabel="how often it is the true one",
        title=f"expected calibration error {found['expected calibration error']:.3f}",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    for name, label in NAMES.items():
        curve = found[name]["risk and coverage"]
        right.plot(
            [point["coverage"] for point in curve],
            [point["error over gray's"] for point in curve],
            marker="o",
            markersize=3,
            label=label,
        )
    right.axhline(1, color="0.7", linewidth=1)
    right.set(xlabel="share of nodes, the surest first", ylabel="error / gray's error", xlim=(0, 1))
    right.legend(frameon=False)
    for axes in (left, right):
        axes.grid(alpha=0.25)
    figure.savefig(out, metadata={"Software": "chroma"})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Compare two models on the same pictures, from the tables that ``chroma evaluate --csv`` wrote.

::

    python training/compare_models.py BEFORE.csv AFTER.csv

Prints, for each set and for all pictures together, the mean of the paired differences (after less
before) with its 95 % interval.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from chroma_core.evaluation.intervals import paired_bootstrap

FIGURES = ("psnr_ours", "ciede2000_ours", "colourfulness_ours")


def main(before: Path, after: Path) -> None:
    """Print a line a set and figure."""
    one, other = _rows(before), _rows(after)
    if one.keys() != other.keys():
        raise SystemExit("the tables do not hold the same pictures")
    names = sorted({name for name, _ in one})
    for name in [*names, "all"] if len(names) > 1 else names:
        keys = [key for key in one if name in ("all", key[0])]
        for figure in FIGURES:
            gaps = [float(other[key][figure]) - float(one[key][figure]) for key in keys]
            mean, low, high = paired_bootstrap(gaps)
            shown = " to ".join(
                f"{sum(float(held[key][figure]) for key in keys) / len(keys):.2f}"
                for held in (one, other)
            )
            print(f"{name}, {len(keys)}: {figure} {shown}, {mean:+.3f} [{low:+.3f}, {high:+.3f}]")


def _rows(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {(row["set"], row["picture"]): row for row in csv.DictReader(file)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

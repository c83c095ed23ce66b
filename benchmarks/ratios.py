"""Print the result file of one run as tables of ratios: ``python benchmarks/ratios.py run.json``.

In each group the first entry is 1. Time is the best of the rounds, and so is CPU time, which is
summed over threads: the ratio to believe where the machine has other work. Times of different runs,
or of different machines, say nothing beside each other, so none are compared here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FACTS = {
    "largest_difference": "largest difference",
    "share_out_of_gamut": "out of gamut",
    "modules": "modules",
    "peak_mib": "peak MiB",
}


def tables(run: dict[str, Any]) -> str:
    """Return a Markdown table for each group, in the order of the run.

    Parameters
    ----------
    run : dict
        What ``--benchmark-json`` wrote.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in run["benchmarks"]:
        groups.setdefault(entry["group"], []).append(entry)
    return "\n".join(_table(name, entries) for name, entries in groups.items())


def _table(group: str, entries: list[dict[str, Any]]) -> str:
    facts = [fact for fact in FACTS if fact in entries[0]["extra_info"]]
    head = ["", "ms", "ratio", "CPU ms", "CPU ratio", *(FACTS[fact] for fact in facts)]
    lines = [f"**{group}**", "", _row(head), _row(["---"] * len(head))]
    first, first_cpu = _times(entries[0])
    for entry in entries:
        best, cpu = _times(entry)
        cells = [_milliseconds(best), f"{best / first:.2f}"]
        cells += [_milliseconds(cpu), f"{cpu / first_cpu:.2f}"]
        cells += [_fact(entry["extra_info"][fact]) for fact in facts]
        lines.append(_row([entry["extra_info"]["name"], *cells]))
    return "\n".join([*lines, ""])


def _times(entry: dict[str, Any]) -> tuple[float, float]:
    return entry["stats"]["min"], entry["extra_info"]["cpu_seconds"]


def _fact(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.2g}"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f}" if seconds >= 0.1 else f"{1000 * seconds:.2g}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(tables(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))

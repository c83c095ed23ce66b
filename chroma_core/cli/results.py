"""What `chroma run` says of each picture and of all: lines for people, JSON, a report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chroma_core.cli.output import error_line, print_json, say, warn

if TYPE_CHECKING:
    from chroma_core.batch.color import Coloring
    from chroma_core.batch.run import Result
    from chroma_core.pictures.atomic import Overwrite

__all__ = ["name_others", "name_stages", "reporting", "tell"]


def tell(result: Result, *, quiet: bool, json: bool) -> None:
    """Say what became of a picture."""
    job, error = result.job, result.error
    if json:
        print_json(
            {
                "input": str(job.input),
                "output": None if error or _left_alone(result) else str(job.output),
                "status": result.status,
                "class": error.kind if error else None,
                "exit": error.exit_status if error else 0,
                "message": error.what if error else None,
                "hint": error.hint if error else None,
                "warnings": list(result.warnings),
                "seconds": round(result.seconds, 3),
                "size": [result.width, result.height] if result.width else None,
                "sha256": result.sha256 or None,
                "note": result.note or None,
            }
        )
    if error is not None:
        print(error_line(error), file=sys.stderr)
        return
    for warning in result.warnings:
        warn(f"{job.input}: {warning}")
    if not json:
        skipped = " (is there already, left as it is)" if result.status == "skipped" else ""
        if _left_alone(result):
            return
        say(f"{job.output}{skipped}", quiet=quiet)


def _left_alone(result: Result) -> bool:
    """Tell whether a picture has no result on purpose."""
    return result.status == "skipped" and not result.job.exists


def name_stages(coloring: Coloring) -> None:
    """Say on stderr which stages coloured the pictures."""
    made_by = coloring.pipeline.describe()
    features = made_by["features"]
    names = ",".join(part["name"] for part in features.get("stages", [features]))
    refiners = ",".join(stage["name"] for stage in made_by["refiners"]) or "none"
    model = f"model {made_by['model']}: " if "model" in made_by else ""
    print(f"chroma: {model}{names} > {made_by['regressor']['name']} > {refiners}", file=sys.stderr)


def name_others(count: int) -> None:
    """Say on stderr how many files were no pictures."""
    files = "1 other file is no picture" if count == 1 else f"{count:,} other files are no pictures"
    print(f"chroma: {files}", file=sys.stderr)


@contextmanager
def reporting(path: Path | None, overwrite: Overwrite) -> Iterator[Callable[[Result], None]]:
    """Give a function that takes results; a report is written at the end, also of half a batch."""
    from chroma_core.batch.report import Row, check_report, report_row, write_report

    rows: list[Row] = []
    if path is None:
        yield lambda result: None
        return
    check_report(path, overwrite)
    try:
        yield lambda result: rows.append(report_row(result))
    finally:
        write_report(path, rows, overwrite)

"""An evaluation as text, JSON, CSV and one HTML page.

The text is for a terminal, the JSON for programs, the CSV for one's own statistics (a line a
picture, every figure with all its digits), the page for looking at pictures beside their figures.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chroma_core.evaluation.evaluate import (
    METRICS,
    Evaluation,
    PictureRow,
    SetSummary,
)
from chroma_core.evaluation.gallery import Gallery
from chroma_core.evaluation.page import page
from chroma_core.pictures.atomic import Overwrite, write_bytes_atomically

__all__ = [
    "CSV_COLUMNS",
    "in_words",
    "to_card",
    "to_json",
    "to_record",
    "to_text",
    "write_csv",
    "write_html",
]

_WAYS = ("gray", "mean_colour", "ours")
_CARD_DIGITS = {"psnr": 2, "ssim": 4, "ciede2000": 2, "colourfulness": 1}

CSV_COLUMNS = (
    "set",
    "picture",
    "height",
    "width",
    *(f"{metric.key}_{way}" for metric in METRICS for way in _WAYS),
    "colourfulness_truth",
)
"""Columns of the table that `write_csv` writes."""


def to_record(evaluation: Evaluation) -> dict[str, Any]:
    """Return the summaries as plain dicts, lists, strings and numbers, ready for JSON.

    Every interval is ``[mean, low, high]``. Gains are differences of figures, ours − the other's,
    also where less is better (CIEDE2000): ``"better"`` says which way is up.
    """
    return {
        "label": evaluation.label,
        "gray_input": evaluation.gray_input,
        "mean_ab": list(evaluation.mean_ab),
        "bootstrap": {
            "resamples": evaluation.resamples,
            "seed": evaluation.seed,
            "level": evaluation.level,
        },
        "facts": dict(evaluation.facts),
        "sets": [_set_record(summary) for summary in evaluation.sets],
        "failures": [
            {"set": item.set_name, "path": _path_text(item.path), "reason": item.reason}
            for item in evaluation.failures
        ],
    }


def to_json(evaluation: Evaluation) -> str:
    """Return the summaries as JSON text; see `to_record`."""
    return json.dumps(to_record(evaluation), indent=2, allow_nan=False)


def to_text(evaluation: Evaluation) -> str:
    """Return the summaries as aligned tables in plain ASCII, for a terminal.

    Names that come from the user are shown with their control characters escaped.
    """
    blocks = []
    for summary in evaluation.sets:
        plural = "" if summary.n == 1 else "s"
        heading = f"{_printable(summary.name)}: {summary.n} picture{plural}"
        blocks.append(f"{heading}\n\n{_aligned(_text_rows(evaluation, summary))}")
    blocks.append("\n".join(_notes(evaluation)))
    return "\n\n".join(blocks) + "\n"


def to_card(evaluation: Evaluation) -> dict[str, dict[str, str]]:
    """Return the summaries in words, by set, as a model's card holds them.

    Every interval is of the mean paired difference, ours less the other's, at 95 %.
    """
    return {part["name"]: in_words(part) for part in to_record(evaluation)["sets"]}


def in_words(part: Mapping[str, Any]) -> dict[str, str]:
    """Return the summary of one set, as `to_record` has it, in words."""
    words = {"pictures": str(part["n"])}
    for key, digits in _CARD_DIGITS.items():
        figures = part["metrics"][key]
        text = ", ".join(f"{way.replace('_', ' ')} {figures[way]:.{digits}f}" for way in _WAYS)
        for name in ("gain_over_gray", "gain_over_mean_colour"):
            mean, low, high = figures[name]
            text += f"; {name.replace('_', ' ')} {mean:+.3f} [{low:+.3f}, {high:+.3f}]"
        if key == "colourfulness":
            text += f"; truth {figures['truth']:.{digits}f}"
        words[key] = text
    return words


def write_csv(path: str | Path, evaluation: Evaluation, *, overwrite: Overwrite = "never") -> Path:
    """Write a table with a line for each picture.

    Parameters
    ----------
    path : path
        Where to; UTF-8, comma-separated, columns `CSV_COLUMNS`, figures with all their digits.
    evaluation : Evaluation
        What to write.
    overwrite : {"never", "always"}, optional
        Whether a file of that name may be replaced.

    Raises
    ------
    PictureError
        If the file exists and may not be replaced, or cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_csv_row(row) for row in evaluation.rows)
    data = text.getvalue().encode("utf-8", "backslashreplace")
    return write_bytes_atomically(path, data, overwrite)


def write_html(
    path: str | Path,
    evaluation: Evaluation,
    gallery: Gallery | None = None,
    *,
    overwrite: Overwrite = "never",
) -> Path:
    """Write one page that holds the figures, the pictures and all it needs to be shown.

    Parameters
    ----------
    path : path
        Where to.
    evaluation : Evaluation
        What to write.
    gallery : Gallery, optional
        Small pictures, gathered by giving ``gallery.add`` to `evaluate` as ``watch``.
    overwrite : {"never", "always"}, optional
        Whether a file of that name may be replaced.

    Raises
    ------
    PictureError
        If the file exists and may not be replaced, or cannot be written.
    """
    text = page(evaluation, gallery if gallery is not None else Gallery())
    data = text.encode("utf-8", "backslashreplace")
    return write_bytes_atomically(path, data, overwrite)


def _set_record(summary: SetSummary) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for metric in METRICS:
        comparison = summary.metrics[metric.key]
        metrics[metric.key] = {
            "better": metric.better,
            **{way: getattr(comparison, way) for way in _WAYS},
            "gain_over_gray": list(comparison.ours_minus_gray),
            "gain_over_mean_colour": list(comparison.ours_minus_mean_colour),
            "mean_colour_gain_over_gray": list(comparison.mean_colour_minus_gray),
        }
    metrics["colourfulness"].update(
        truth=summary.truth_colourfulness,
        ratio_to_truth=summary.colourfulness_ratio,
        minus_truth=list(summary.colourfulness_minus_truth),
        distance_to_truth=list(summary.colourfulness_distance),
    )
    return {"name": summary.name, "n": summary.n, "metrics": metrics}


def _csv_row(row: PictureRow) -> list[str | int | float]:
    figures = [getattr(getattr(row, way), metric.key) for metric in METRICS for way in _WAYS]
    size = [row.height, row.width]
    return [row.set_name, row.picture, *size, *figures, row.truth_colourfulness]


def _text_rows(evaluation: Evaluation, summary: SetSummary) -> list[list[str]]:
    label = _printable(evaluation.label)
    heads = ["", "gray", "mean colour", label, "truth", f"{label} - gray", f"{label} - mean colour"]
    rows = [heads]
    of_truth = {"ssim": "1", "ciede2000": "0"}
    for metric in METRICS:
        comparison = summary.metrics[metric.key]
        if metric.key == "colourfulness":
            of_truth[metric.key] = metric.text(summary.truth_colourfulness)
        rows.append(
            [
                metric.heading,
                *(metric.text(getattr(comparison, way)) for way in _WAYS),
                of_truth.get(metric.key, ""),
                metric.interval_text(comparison.ours_minus_gray),
                metric.interval_text(comparison.ours_minus_mean_colour),
            ]
        )
    return rows


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("   ".join([row[0].ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def _notes(evaluation: Evaluation) -> list[str]:
    a, b = evaluation.mean_ab
    notes = [
        f"Gray input {evaluation.gray_input}. Mean colour: a* = {a:.2f}, b* = {b:.2f}.",
        f"[low, high]: {100 * evaluation.level:g} % interval of the mean difference, paired "
        f"bootstrap over pictures, {evaluation.resamples} resamples, seed {evaluation.seed}.",
        "Higher PSNR and SSIM are better, lower CIEDE2000, colourfulness near the truth's.",
    ]
    notes += [
        f"Not scored: {_printable(_path_text(item.path))}: {_printable(item.reason)}"
        for item in evaluation.failures
    ]
    return notes


def _printable(text: str) -> str:
    """Return `text` with what could steer a terminal written as escapes."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "backslashreplace").decode()
        for sign in text
    )


def _path_text(path: Path) -> str:
    """Return a path as text that UTF-8 can hold, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")

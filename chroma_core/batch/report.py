"""What became of every picture of a batch, as a table: CSV for programs, HTML for people."""

from __future__ import annotations

import contextlib
import csv
import html
import io
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from chroma_core.batch.confidence import LOW_CONFIDENCE
from chroma_core.batch.run import Result
from chroma_core.errors import OptionError
from chroma_core.pictures.atomic import Overwrite, refuse_existing, write_bytes_atomically
from chroma_core.version import VERSION

__all__ = ["Row", "check_report", "report_row", "to_csv", "to_html", "write_report"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_HIDDEN = {0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem;
  color: #222; background: #fff; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem;
  border-bottom: 1px solid #ddd; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td { overflow-wrap: anywhere; }
tr.failed td { background: #fdecea; }
small { color: #666; }
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One picture of a report.

    Attributes
    ----------
    input, output : str
        Paths, control characters made visible; `output` is empty where there is none.
    status : str
        ``coloured``, ``low confidence``, ``already colour``, ``skipped`` (the result was there) or
        ``failed``.
    reason : str
        Why it failed, or what there is to know of it.
    hint : str
        What to do about a failure.
    note : str
        See `chroma_core.batch.run.Done`.
    seconds : float
        Wall time.
    width, height : int or None
        Pixels; None where the picture was not read.
    input_bytes, output_bytes : int or None
        Sizes of the files; None where there is none.
    """

    input: str
    output: str
    status: str
    reason: str
    hint: str
    note: str
    seconds: float
    width: int | None
    height: int | None
    input_bytes: int | None
    output_bytes: int | None


def check_report(path: Path, overwrite: Overwrite = "never") -> None:
    """Raise before a batch begins if its report could not be written at the end.

    Raises
    ------
    OptionError
        If the name ends neither in ``.csv`` nor in ``.html``.
    PictureError
        ``exists`` if there is such a file and it may not be replaced.
    """
    if path.suffix.lower() not in (".csv", ".html"):
        raise OptionError(f"a report named {path.name!r}: wanted a name that ends in .csv or .html")
    if overwrite == "never":
        refuse_existing(path)


def report_row(result: Result) -> Row:
    """Return what a report says of a result; looks up the sizes of its files."""
    error = result.error
    made = result.status == "ok" or result.job.exists
    status = {"ok": "coloured", "skipped": "skipped", "failed": "failed"}[result.status]
    if result.note == "already-colour" and (result.status == "skipped" or result.kept):
        status = "already colour"
    elif result.note == LOW_CONFIDENCE and result.status == "ok":
        status = "low confidence"
    said = "; ".join(result.warnings)
    if result.job.exists:
        said = "; ".join(["the result is there already", *result.warnings])
    return Row(
        input=_printable(str(result.job.input)),
        output=_printable(str(result.job.output)) if made else "",
        status=status,
        reason=_printable(error.what if error else said),
        hint=_printable(error.hint if error else ""),
        note=result.note,
        seconds=round(result.seconds, 3),
        width=result.width or None,
        height=result.height or None,
        input_bytes=_size(result.job.input),
        output_bytes=_size(result.job.output) if made else None,
    )


def write_report(path: Path, rows: Sequence[Row], overwrite: Overwrite = "never") -> Path:
    """Write a report; its name's ending says which kind."""
    check_report(path, overwrite)
    text = to_csv(rows) if path.suffix.lower() == ".csv" else to_html(rows)
    return write_bytes_atomically(path, text.encode("utf-8"), overwrite)


def to_csv(rows: Iterable[Row]) -> str:
    """Return a table with a line of names first (RFC 4180).

    Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow([field.name for field in fields(Row)])
    for row in rows:
        writer.writerow([_cell(getattr(row, field.name)) for field in fields(Row)])
    return stream.getvalue()


def to_html(rows: Sequence[Row]) -> str:
    """Return one page that loads nothing and runs nothing."""
    counts = Counter(row.status for row in rows)
    summary = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
    seconds = sum(row.seconds for row in rows)
    made = time.strftime("%Y-%m-%d %H:%M:%S %z")
    head = "".join(
        f"<th>{title}</th>"
        for title in ("Picture", "Status", "Reason", "Result", "Pixels", "Bytes", "Seconds")
    )
    body = "\n".join(_html_row(row) for row in rows)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Pictures coloured by chroma</title>
<style>{_STYLE}</style>
<h1>Pictures coloured by chroma</h1>
<p>{len(rows)} pictures: {html.escape(summary or "none")}; {seconds:.1f} s.
The colours are artificial: a program guessed them.</p>
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
<p><small>chroma {html.escape(VERSION)}, {made}</small></p>
</html>
"""


def _html_row(row: Row) -> str:
    pixels = f"{row.width:,} x {row.height:,}" if row.width and row.height else ""
    sizes = [f"{size:,}" for size in (row.input_bytes, row.output_bytes) if size is not None]
    hint = f"<br><small>{html.escape(row.hint)}</small>" if row.hint else ""
    return (
        f'<tr class="{row.status.replace(" ", "-")}"><td>{html.escape(row.input)}</td>'
        f"<td>{html.escape(row.status)}</td><td>{html.escape(row.reason)}{hint}</td>"
        f"<td>{html.escape(row.output)}</td>"
        f'<td class="number">{pixels}</td><td class="number">{" &rarr; ".join(sizes)}</td>'
        f'<td class="number">{row.seconds:.2f}</td></tr>'
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = str(value)
    return "'" + text if isinstance(value, str) and text.startswith(_FORMULA) else text


def _size(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return os.stat(path).st_size
    return None


def _printable(text: str) -> str:
    """Return text with control characters, marks of direction and odd bytes made visible."""
    shown = []
    for character in text:
        code = ord(character)
        if 0xD800 <= code <= 0xDFFF:
            shown.append(f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:x}")
        elif code < 0x20 or 0x7F <= code < 0xA0 or code in _HIDDEN:
            shown.append(character.encode("unicode_escape").decode("ascii"))
        else:
            shown.append(character)
    return "".join(shown)

"""What the program prints: results to stdout, everything else to stderr, one line each."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from chroma_core.errors import ChromaError

if TYPE_CHECKING:
    from chroma_core.stages import Progress

__all__ = ["error_line", "escaped", "print_json", "say", "showing_progress", "warn"]

LONGEST_LINE = 500


def escaped(text: str) -> str:
    r"""Return text with control characters and marks of direction made visible (``\x1b``)."""
    hidden = {0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
    parts = []
    for character in text:
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:
            parts.append(f"\\x{code - 0xDC00:02x}")
        elif code < 0x20 or 0x7F <= code < 0xA0 or code in hidden:
            parts.append(character.encode("unicode_escape").decode("ascii"))
        else:
            parts.append(character)
    return "".join(parts)


def error_line(error: ChromaError) -> str:
    """Return ``chroma: error: <path>: <what> (<hint>)``, at most 500 bytes."""
    return _cut(f"chroma: error: {escaped(str(error))}")


def warn(message: str) -> None:
    """Print a warning to stderr."""
    print(_cut(f"chroma: warning: {escaped(message)}"), file=sys.stderr)


def say(message: str, *, quiet: bool = False) -> None:
    """Print a result for people to stdout."""
    if not quiet:
        print(escaped(message))


def print_json(value: Any) -> None:
    """Print one JSON value on one line, in ASCII."""
    print(json.dumps(value, ensure_ascii=True, allow_nan=False))


@contextmanager
def showing_progress(label: str, *, quiet: bool = False) -> Iterator[Progress]:
    """Give a progress callback that draws a bar on stderr, where that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total, facts: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Remaining(),
        TextColumn("{task.fields[facts]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None, facts="")

        def show(done: int, total: int, facts: Mapping[str, str]) -> None:
            text = "  ".join(f"{name} {value}" for name, value in facts.items())
            bar.update(task, completed=done, total=total, facts=text)

        yield show


def _cut(line: str) -> str:
    encoded = line.encode("utf-8", "backslashreplace")
    if len(encoded) <= LONGEST_LINE:
        return line
    return encoded[: LONGEST_LINE - 3].decode("utf-8", "ignore") + "..."

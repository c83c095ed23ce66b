"""The page of exit statuses and the table of refusals say what the program does."""

from __future__ import annotations

import re
import signal

from chroma_core import errors
from chroma_core.errors import ChromaError, PictureError


def statuses(text):
    """Return the numbers in the first column of a table."""
    rows = re.findall(r"^\| ([0-9, ]+) \|", text, re.MULTILINE)
    return [int(number) for row in rows for number in row.split(",")]


def test_every_status_of_the_program_has_a_row_and_no_other(documentation):
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    of_errors = {kind.exit_status for kind in kinds if issubclass(kind, ChromaError)}
    by_signals = {128 + number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}
    # 0 and 1 are no errors of one picture.
    wanted = {0, 1, *of_errors, *PictureError.EXIT_STATUS_OF_KIND.values(), *by_signals}

    rows = statuses(documentation.text("docs/reference/exit-codes.md"))

    assert sorted(rows) == sorted(wanted)


def test_every_class_of_refusal_stands_beside_its_status(documentation):
    page = documentation.text("docs/reference/formats.md")
    table = page[page.index("## What is refused") : page.index("## Limits")]

    told = {
        name: int(status)
        for names, status in re.findall(r"^\| (`.*?`) \| ([0-9]+)", table, re.MULTILINE)
        for name in re.findall(r"`(.*?)`", names)
    }

    assert told == PictureError.EXIT_STATUS_OF_KIND

"""Write the reference page of the command line from what ``--help`` prints.

Usage: ``python docs/scripts/make_cli_page.py docs/reference/cli.md``
"""

from __future__ import annotations

import sys
from pathlib import Path

from typer.testing import CliRunner

from chroma_core.cli.program import app

COLUMNS = "80"

HEAD = """# Command line

This page is what `--help` prints, made by `docs/scripts/make_cli_page.py`.
What the commands end with is in [Exit statuses](exit-codes.md), \
what stages and options there are in [Stages](stages.md).

Any command takes `--debug`, which shows the traceback of an error.
A plugin may bring commands of its own; they run as `chroma NAME` \
and explain themselves with `chroma NAME --help`.
"""


def help_text(*words: str) -> str:
    """Return what ``chroma WORDS --help`` prints on a terminal of 80 columns."""
    result = CliRunner().invoke(
        app, [*words, "--help"], prog_name="chroma", env={"COLUMNS": COLUMNS}
    )
    if result.exit_code != 0:
        raise RuntimeError(f"chroma {' '.join(words)} --help ended with {result.exit_code}")
    return "\n".join(line.rstrip() for line in result.stdout.splitlines()).strip()


def command_names() -> list[str]:
    """Return the names of the commands in the order in which ``--help`` lists them."""
    return [command.name or "" for command in app.registered_commands]


def page() -> str:
    """Return the page in Markdown."""
    parts = [HEAD, f"## chroma\n\n```text\n{help_text()}\n```\n"]
    parts += [f"## chroma {name}\n\n```text\n{help_text(name)}\n```\n" for name in command_names()]
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")

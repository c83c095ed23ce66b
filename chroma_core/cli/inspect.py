"""``chroma inspect``: what a result says of how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from chroma_core.cli.choices import Json
from chroma_core.cli.output import print_json, say, warn

NAME = "inspect"
EXAMPLES = (
    "Examples: chroma inspect photo.color.jpg · chroma inspect photo.color.jpg --json · "
    "chroma inspect photo.jpg.chroma.json · chroma inspect book.color.tif --page 3"
)


def command(
    file: Annotated[Path, typer.Argument(help="A result, or its sidecar.")],
    page: Annotated[
        int | None,
        typer.Option(min=1, help="Page of a TIFF. Default: the first, with a warning."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what made a picture, from its metadata or from the sidecar beside it."""
    from chroma_core.pictures.inspect import inspect_file

    found = inspect_file(file, page=page, guarded=True)
    if json:
        print_json(
            {
                "file": str(file),
                "artificial_colour": found.made_by is not None,
                "source": found.source or None,
                "made_by": found.made_by,
                "sidecar": found.sidecar,
                "unchanged": found.unchanged,
                "picture": found.picture or None,
                "warnings": found.warnings,
            }
        )
        return
    for warning in found.warnings:
        warn(f"{file}: {warning}")
    for line in _lines("picture", found.picture):
        say(line)
    if found.made_by is None:
        say("made by: nothing in it says that chroma coloured it")
        return
    say(f"made by (as its {found.source} says); its colours are artificial")
    for line in _lines("", found.made_by):
        say(line)
    for name in ("input", "output"):
        for line in _lines(name, (found.sidecar or {}).get(name)):
            say(line)
    if found.unchanged is False:
        say("the file is not the one that its sidecar tells of: it was changed since")


def _lines(name: str, value: Any) -> list[str]:
    """Return nested values as lines of ``a.b: value``."""
    if isinstance(value, Mapping):
        inner = list(value.items())
    elif isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
        inner = [(str(number), part) for number, part in enumerate(value, start=1)]
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        line = f"{name}: {text}".encode("utf-8", "backslashreplace").decode()
        return [] if value in (None, "", []) else [line]
    return [line for key, part in inner for line in _lines(f"{name}.{key}".lstrip("."), part)]

"""``chroma verify``: whether a result kept what it had to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chroma_core.cli.choices import Json, Quiet
from chroma_core.cli.output import print_json, say, warn
from chroma_core.cli.reading import Nan, Page, Range, Salvage, nan_of, page_of, range_of

NAME = "verify"
EXAMPLES = (
    "Examples: chroma verify photo.tif photo.color.tif · "
    "chroma verify photo.jpg photo.color.jpg --json · "
    "chroma verify photo.png photo.color.png --max-delta 0.3 · "
    "chroma verify book.tif book.color.tif --page all"
)


def command(
    original: Annotated[Path, typer.Argument(help="The picture that was coloured.")],
    result: Annotated[Path, typer.Argument(help="What was made of it.")],
    max_delta: Annotated[
        float | None, typer.Option(min=0.0, help="Most |dL*| of a pixel. Default: by format.")
    ] = None,
    mean_delta: Annotated[
        float | None, typer.Option(min=0.0, help="Most |dL*| on average. Default: by format.")
    ] = None,
    page: Page = None,
    range_: Range = None,
    nan: Nan = "error",
    salvage: Salvage = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Compare lightness, size, depth and metadata; exit status 1 if something was not kept."""
    from dataclasses import asdict

    from chroma_core.pictures.verify import verify_file

    found = verify_file(
        original,
        result,
        max_delta=max_delta,
        mean_delta=mean_delta,
        page=page_of(page),
        value_range=range_of(range_),
        nan=nan_of(nan),
        salvage=salvage,
        guarded=True,
    )
    if json:
        print_json(
            {
                "original": str(original),
                "result": str(result),
                "kept": found.kept,
                "max_delta": found.max_delta,
                "mean_delta": found.mean_delta,
                "checks": [asdict(check) for check in found.checks],
                "warnings": found.warnings,
            }
        )
    else:
        for warning in found.warnings:
            warn(warning)
        for check in found.checks:
            of = "" if check.page is None else f" of page {check.page}"
            kept = "kept    " if check.kept else "NOT KEPT"
            say(f"{kept} {check.name}{of}: {check.story}", quiet=quiet)
    if not found.kept:
        raise typer.Exit(1)

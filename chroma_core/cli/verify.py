"""``chroma verify``: whether a result kept what it had to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chroma_core.cli.choices import Json, Quiet
from chroma_core.cli.output import print_json, say

NAME = "verify"
EXAMPLES = (
    "Examples: chroma verify photo.tif photo.color.tif · "
    "chroma verify photo.jpg photo.color.jpg --json · "
    "chroma verify photo.png photo.color.png --max-delta 0.3"
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
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Compare lightness, size, depth and metadata; exit status 1 if something was not kept."""
    from chroma_core.pictures.verify import verify_file

    found = verify_file(original, result, max_delta=max_delta, mean_delta=mean_delta, guarded=True)
    if json:
        checks = [{"name": c.name, "kept": c.kept, "story": c.story} for c in found.checks]
        print_json(
            {
                "original": str(original),
                "result": str(result),
                "kept": found.kept,
                "max_delta": found.max_delta,
                "mean_delta": found.mean_delta,
                "checks": checks,
            }
        )
    else:
        for check in found.checks:
            say(
                f"{'kept    ' if check.kept else 'NOT KEPT'} {check.name}: {check.story}",
                quiet=quiet,
            )
    if not found.kept:
        raise typer.Exit(1)

"""``chroma refine``: chrominance refinement of any coloured picture (module 4 of the design)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chroma_core.cli.choices import (
    Colorspace,
    Output,
    Overwrite,
    OverwriteChoice,
    Quiet,
    Setting,
)
from chroma_core.cli.output import say

NAME = "refine"
EXAMPLES = (
    "Examples: chroma refine colour.png -o refined.png --refiner seed · "
    "chroma refine colour.png -o refined.png --refiner guided,intensity --set guided.radius=8"
)


def command(
    picture: Annotated[Path, typer.Argument(help="A picture in colour.")],
    output: Output,
    refiner: Annotated[
        str, typer.Option(help="Refiners in order, with commas: guided,intensity.")
    ] = "intensity",
    colorspace: Colorspace = None,
    settings: Setting = None,
    overwrite: Overwrite = OverwriteChoice.never,
    quiet: Quiet = False,
) -> None:
    """Refine the chrominance of a picture; its own lightness is the guide."""
    from chroma_core.steps import refine_file

    path = refine_file(
        picture,
        output,
        refiner=refiner,
        colorspace=colorspace,
        settings=settings,
        overwrite=overwrite.value,
    )
    say(str(path), quiet=quiet)

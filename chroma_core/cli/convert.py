"""``chroma convert``: RGB to LAB and back (module 1 of the design)."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chroma_core.cli.choices import Output, Overwrite, OverwriteChoice, Quiet
from chroma_core.cli.output import say, warn

NAME = "convert"
EXAMPLES = (
    "Examples: chroma convert photo.jpg -o photo.lab.tiff · "
    "chroma convert photo.jpg -o photo.lab.tiff --depth float --illuminant D50 · "
    "chroma convert photo.lab.tiff -o photo.png"
)


class Depth(StrEnum):
    """Numbers in a LAB TIFF."""

    eight = "8"
    sixteen = "16"
    floating = "float"


class Illuminant(StrEnum):
    """White points of CIE 15."""

    A = "A"
    C = "C"
    D50 = "D50"
    D55 = "D55"
    D65 = "D65"
    D75 = "D75"
    E = "E"


def command(
    picture: Annotated[Path, typer.Argument(help="A picture, or a CIELAB TIFF to take back.")],
    output: Output,
    depth: Annotated[
        Depth, typer.Option(help="8 opens in Pillow as mode LAB; 16 and float in other readers.")
    ] = Depth.eight,
    illuminant: Annotated[Illuminant, typer.Option(help="White point of LAB.")] = Illuminant.D65,
    observer: Annotated[int, typer.Option(help="2 or 10 degrees.")] = 2,
    overwrite: Overwrite = OverwriteChoice.never,
    quiet: Quiet = False,
) -> None:
    """Convert a picture to L*, a*, b* in a TIFF, or a LAB TIFF back to RGB."""
    from chroma_core.conversion import convert

    if observer not in (2, 10):
        raise typer.BadParameter("wanted 2 or 10", param_hint="--observer")
    done = convert(
        picture,
        output,
        depth=depth.value,
        illuminant=illuminant.value,
        observer=observer,
        overwrite=overwrite.value,
    )
    for warning in done.warnings:
        warn(f"{picture}: {warning}")
    say(f"{done.path}: {done.story}", quiet=quiet)

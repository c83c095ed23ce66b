"""Options that several commands share, declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Avoid",
    "Certainty",
    "Colorspace",
    "Features",
    "Join",
    "JoinChoice",
    "Json",
    "MaxBytes",
    "MaxPixels",
    "Model",
    "Output",
    "Overwrite",
    "OverwriteChoice",
    "Quiet",
    "Refiner",
    "Regressor",
    "Setting",
    "Validation",
    "Vividness",
    "WorkSize",
    "number_of",
    "work_size_of",
]


class JoinChoice(StrEnum):
    """How chroma comes to full size."""

    guided = "guided"
    bilinear = "bilinear"


class OverwriteChoice(StrEnum):
    """What happens to an output that is there already."""

    never = "never"
    always = "always"


Features = Annotated[
    str | None,
    typer.Option(help="Features stage, or several with commas: sift,lightness,position."),
]
Regressor = Annotated[str | None, typer.Option(help="Regressor stage, such as tf-dense or dense.")]
Refiner = Annotated[
    str | None,
    typer.Option(help="Refiners in order, with commas: guided,intensity. Default: the model's."),
]
Colorspace = Annotated[
    str | None, typer.Option(help="Colorspace stage. Default: the model's, else lab.")
]
Model = Annotated[
    str | None, typer.Option(help="Name of a shipped or local model, or a model folder.")
]
Avoid = Annotated[
    list[Path] | None,
    typer.Option(
        help="Picture, or folder of them, that must not be trained on, nor copies of it; "
        "may be repeated."
    ),
]
Validation = Annotated[
    str | None,
    typer.Option(
        metavar="modN",
        help="How photographs are parted by their numbers: in N, one goes into the card and one "
        "validates. Default: mod10.",
    ),
]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="STAGE.OPTION=VALUE",
        help="Set an option of a stage; may be repeated. `chroma stages NAME` lists them.",
    ),
]
Join = Annotated[
    JoinChoice, typer.Option(help="How chroma comes to full size: along edges, or not.")
]
WorkSize = Annotated[
    str | None,
    typer.Option(help="Short side of the work picture in pixels, or full. Default: the model's."),
]
Vividness = Annotated[
    float, typer.Option(min=0.0, max=4.0, help="Strength of colour; 1 is as shipped.")
]
Certainty = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="How much colour fades where the model is not sure. Default: as the model advises.",
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where the result goes.")]
Overwrite = Annotated[
    OverwriteChoice, typer.Option(help="What happens to outputs that are there already.")
]
MaxPixels = Annotated[
    str | None, typer.Option(help="Most pixels of a picture, such as 400M. Default: 178,956,970.")
]
MaxBytes = Annotated[
    str | None, typer.Option(help="Most bytes of a picture file, such as 4Gi. Default: 2Gi.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def number_of(text: str | None, option: str) -> int | None:
    """Read a number such as ``400M`` or ``2Gi``, at least 1, or nothing (None)."""
    if text is None:
        return None
    from chroma_core.pictures.limits import number_with_suffix

    try:
        number = int(number_with_suffix(text))
    except ValueError:
        number = 0
    if number < 1:
        raise typer.BadParameter(
            f"{text!r}: wanted a number such as 400M or 2Gi", param_hint=option
        )
    return number


def work_size_of(text: str | None) -> int | None:
    """Read ``--work-size``: a number of pixels, ``full`` (0), or nothing (None)."""
    if text is None:
        return None
    if text == "full":
        return 0
    if not text.isdecimal() or not 16 <= int(text) <= 65536:
        raise typer.BadParameter(
            f"{text!r}: wanted 16 to 65536 pixels, or full", param_hint="--work-size"
        )
    return int(text)

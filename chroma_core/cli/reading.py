"""Options of how pictures are read: pages, floats, damaged files."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["Nan", "Page", "Range", "Salvage", "nan_of", "page_of", "range_of"]

Page = Annotated[
    str | None,
    typer.Option(
        metavar="N|all",
        help="Page of a TIFF, or all of TIFF to TIFF. Default: the first, with a warning.",
    ),
]
Range = Annotated[
    str | None,
    typer.Option(
        "--range",
        metavar="LOW,HIGH",
        help="Values of floats that are black and white. Default: 0,1.",
    ),
]
Nan = Annotated[
    str,
    typer.Option(metavar="VALUE|error", help="What stands for floats that are NaN or infinite."),
]
Salvage = Annotated[
    bool,
    typer.Option(
        "--salvage", help="Decode damaged PNG, JPEG and TIFF files as far as they go, and say so."
    ),
]


def page_of(text: str | None) -> int | Literal["all"] | None:
    """Read ``--page``: a number from 1, ``all``, or nothing (None)."""
    if text is None or text == "all":
        return None if text is None else "all"
    if not (text.isascii() and text.isdecimal()) or not int(text[:9]) >= 1 or len(text) > 9:
        raise typer.BadParameter(f"{text!r}: wanted 1 or more, or all", param_hint="--page")
    return int(text)


def range_of(text: str | None) -> tuple[float, float] | None:
    """Read ``--range``: two numbers with a comma between, or nothing (None)."""
    if text is None:
        return None
    ends = [_number(part) for part in text.split(",")]
    if len(ends) != 2 or None in ends or not ends[0] < ends[1]:  # type: ignore[operator]  # no None
        raise typer.BadParameter(
            f"{text!r}: wanted two numbers, the lower one first, such as 0,255",
            param_hint="--range",
        )
    return ends[0], ends[1]  # type: ignore[return-value]  # no None, just above


def nan_of(text: str) -> float | None:
    """Read ``--nan``: a number, or ``error`` (None)."""
    if text == "error":
        return None
    number = _number(text)
    if number is None:
        raise typer.BadParameter(f"{text!r}: wanted a number, or error", param_hint="--nan")
    return number


def _number(text: str) -> float | None:
    """Return a finite number, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None

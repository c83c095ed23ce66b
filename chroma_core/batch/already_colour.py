"""Pictures that have colours before they are coloured: what becomes of them, and what is said."""

from __future__ import annotations

from typing import Literal

from chroma_core.pictures.picture import Picture

__all__ = ["KEPT", "LEFT", "AlreadyColour", "judged"]

AlreadyColour = Literal["recolour", "keep", "skip"]
"""What becomes of a picture that is in colour: coloured anew, its own colours, no result."""

KEPT = "it is in colour already, and keeps its own colours"
LEFT = "it is in colour already, and has no result"

_RECOLOURED = "it is in colour already: its own colours are replaced (--already-colour keep|skip)"
_TINTED = "it has one tint, such as sepia: the tint is replaced"


def judged(source: Picture, kind: str) -> tuple[tuple[str, ...], str]:
    """Return warnings and note of a picture that is coloured, by the colours that it had.

    Parameters
    ----------
    source : Picture
        What was read.
    kind : str
        What `chroma_core.pictures.tint.color_kind_of_pixels` said of it.
    """
    said = {"colour": (_RECOLOURED, "already-colour"), "tinted": (_TINTED, "tinted")}.get(kind)
    if said is None:
        return source.warnings, ""
    return (*source.warnings, said[0]), said[1]

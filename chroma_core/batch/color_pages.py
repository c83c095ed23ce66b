"""Colouring every page of a TIFF, one at a time, into a TIFF of as many pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chroma_core.batch.already_colour import KEPT, LEFT, AlreadyColour, judged
from chroma_core.batch.confidence import LOW_CONFIDENCE
from chroma_core.batch.plan import no_room_for_pages
from chroma_core.batch.run import Done
from chroma_core.pictures.atomic import Overwrite
from chroma_core.pictures.names import format_of_suffix
from chroma_core.pictures.pages import Pages
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.tint import color_kind_of_pixels
from chroma_core.pictures.write import write_pages

if TYPE_CHECKING:
    from chroma_core.batch.color import Coloring

__all__ = ["color_pages"]

NOTES = ("already-colour", "tinted", LOW_CONFIDENCE)
"""Of several pages the first of these that one of them has."""

_NAMED_AT_MOST = 5


@dataclass
class _Tally:
    """What was seen of the pages that were coloured so far."""

    said: dict[str, list[int]] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    salvaged: list[str] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    pages: int = 0
    kept: int = 0

    def note_page(self, source: Picture) -> None:
        """Count a page."""
        self.pages += 1
        if self.pages == 1:
            self.size = source.width, source.height
        if source.salvaged:
            self.salvaged.append(f"page {self.pages:,}: {source.salvaged}")

    def warn(self, warnings: tuple[str, ...], note: str) -> None:
        """Keep what there is to say of the page that was counted last."""
        for text in warnings:
            self.said.setdefault(text, []).append(self.pages)
        self.notes.add(note)

    def done(self) -> Done:
        """Return what there is to say of all pages."""
        note = next((name for name in NOTES if name in self.notes), "")
        return Done(
            warnings=tuple(f"{_named(numbers)}: {text}" for text, numbers in self.said.items()),
            note=note,
            kept=self.kept == self.pages,
            width=self.size[0],
            height=self.size[1],
        )


class _NothingToColour(Exception):
    """Ends the writing of a file none of whose pages was coloured."""


def color_pages(
    coloring: Coloring,
    pages: Pages,
    output: Path,
    *,
    already_colour: AlreadyColour,
    overwrite: Overwrite,
) -> tuple[Done, str, bool]:
    """Colour all pages of a file into another; there is no file if one of them cannot be read.

    Pages that are in colour are coloured anew, or else keep their own colours.

    Parameters
    ----------
    coloring : Coloring
        How.
    pages : Pages
        From where.
    output : Path
        Where to, a TIFF.
    already_colour : {"recolour", "keep", "skip"}
        ``skip`` leaves a file alone all of whose pages are in colour.
    overwrite : {"never", "always"}
        Whether a file that exists may be replaced.

    Returns
    -------
    done : Done
        What there is to say.
    salvaged : str
        What is missing of which pages.
    written : bool
        Whether there is a file: not where all pages are in colour and nothing is to change.

    Raises
    ------
    PictureError
        If a page cannot be read, naming it, or the file cannot be written.
    OptionError
        If the output is no TIFF.
    """
    if (target := coloring.format or format_of_suffix(output)) != "tiff":
        # The plan sees names alone; this file may be a TIFF by its content.
        raise no_room_for_pages(target)
    tally = _Tally()
    written = True
    try:
        colored = _colored(coloring, pages, already_colour, tally)
        write_pages(colored, output, depth=coloring.depth, overwrite=overwrite)
    except _NothingToColour:
        written = False
    return tally.done(), "; ".join(tally.salvaged), written


def _colored(
    coloring: Coloring, pages: Pages, already_colour: AlreadyColour, tally: _Tally
) -> Iterator[tuple[Picture, str | None]]:
    """Yield pages in colour with what made them; those that keep their colours without."""
    for source in pages:
        tally.note_page(source)
        kind = color_kind_of_pixels(source.pixels)
        if kind == "colour" and already_colour != "recolour":
            tally.kept += 1
            tally.warn((*source.warnings, KEPT), "already-colour")
            yield source, None
            continue
        warnings, looked = judged(source, kind)
        colored, doubtful = coloring.colored(source)
        tally.warn((*warnings, *doubtful), looked or (LOW_CONFIDENCE if doubtful else ""))
        note = coloring.note(source)
        del source
        yield colored, note
    unchanged = coloring.depth is None and not tally.salvaged
    if tally.kept == tally.pages and (already_colour == "skip" or unchanged):
        if already_colour == "skip":
            tally.said = {LEFT: [*range(1, tally.pages + 1)]}
        raise _NothingToColour


def _named(numbers: list[int]) -> str:
    """Return pages by number, the first few of them."""
    if len(numbers) == 1:
        return f"page {numbers[0]:,}"
    first = ", ".join(f"{number:,}" for number in numbers[:_NAMED_AT_MOST])
    more = len(numbers) - _NAMED_AT_MOST
    return f"pages {first} and {more:,} more" if more > 0 else f"pages {first}"

"""Where a TIFF keeps its directories, and which of them are pages.

The list is followed in the bytes themselves: a page is found, or counted, before a decoder sees the
file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from chroma_core.errors import PictureError
from chroma_core.pictures.ifd import Value, raw_directory
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.stored import cut_short, spoilt

__all__ = ["Layout", "count_pages", "directory_of_page", "read_layout"]

_SUBFILE_TYPE, _OLD_SUBFILE_TYPE = 254, 255
_PREVIEW_OR_MASK = 5


@dataclass(frozen=True)
class Layout:
    """Where a file keeps its directories.

    Attributes
    ----------
    order : str
        ``"<"`` or ``">"``.
    big : bool
        Whether it is a BigTIFF.
    first : int
        Where the first directory lies, in bytes.
    """

    order: str
    big: bool
    first: int


def read_layout(data: bytes) -> Layout:
    """Read the header, and look whether the first directory lies in the file.

    Raises
    ------
    PictureError
        If it does not.
    """
    order = "<" if data[:1] == b"I" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    if len(data) < (16 if big else 8):
        raise cut_short(f"cut short: the file has {len(data)} bytes")
    (first,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    if first < 8:
        raise spoilt(f"its first directory is said to lie at byte {first}")
    if first + 2 > len(data):
        raise cut_short(f"cut short: {len(data):,} bytes, its directory lies at byte {first:,}")
    return Layout(order, big, first)


def count_pages(data: bytes, limits: Limits) -> int:
    """Return how many pages a TIFF has, those left out that are previews or masks.

    Raises
    ------
    PictureError
        If the list of its directories is damaged or cut short, or longer than `Limits.max_pages`.
    """
    return sum(1 for _ in _pages(data, read_layout(data), limits))


def directory_of_page(data: bytes, layout: Layout, number: int, limits: Limits) -> int:
    """Return at which place of the list, from 0, the directory of a page stands.

    Parameters
    ----------
    data : bytes
        The file.
    layout : Layout
        What `read_layout` said.
    number : int
        Which page, 1 for the first.
    limits : Limits
        `Limits.max_pages` counts.

    Raises
    ------
    PictureError
        ``unsupported`` if there are fewer pages; else see `count_pages`.
    """
    found = list(islice(_pages(data, layout, limits), number))
    if len(found) < number:
        has = "1 page" if len(found) == 1 else f"{len(found):,} pages"
        raise PictureError(
            f"there is no page {number:,}, it has {has}", kind="unsupported", hint="see --page"
        )
    return found[-1]


def _pages(data: bytes, layout: Layout, limits: Limits) -> Iterator[int]:
    """Yield the places of directories that are pages; of the first one if none is."""
    offset_form, head_form, entry_size = ("Q", "Q", 20) if layout.big else ("I", "H", 12)
    head_size, offset_size = struct.calcsize(head_form), struct.calcsize(offset_form)
    at, seen, pages = layout.first, set[int](), 0
    while at and at not in seen:
        number = pages + 1
        if len(seen) >= limits.max_pages:
            raise PictureError(
                f"it has more than {limits.max_pages:,} pages",
                kind="too-large",
                hint="CHROMA_MAX_PAGES",
            )
        if at < 8:
            raise spoilt(f"page {number:,}: its directory is said to lie at byte {at}")
        if at + head_size > len(data):
            raise cut_short(
                f"page {number:,}: cut short: {len(data):,} bytes, "
                f"its directory lies at byte {at:,}"
            )
        (count,) = struct.unpack_from(layout.order + head_form, data, at)
        behind = at + head_size + count * entry_size
        if behind + offset_size > len(data):
            raise cut_short(f"page {number:,}: cut short: its directory ends outside of the file")
        if not _is_aside(raw_directory(data, layout.order, at, big=layout.big), layout.order):
            pages += 1
            yield len(seen)
        seen.add(at)
        (at,) = struct.unpack_from(layout.order + offset_form, data, behind)
    if not pages:
        yield 0


def _is_aside(tags: dict[int, Value], order: str) -> bool:
    """Tell whether a directory is that of a preview or a mask (TIFF 6.0, tags 254 and 255)."""
    kind, old = (
        int.from_bytes(tags[tag].data, "little" if order == "<" else "big") if tag in tags else 0
        for tag in (_SUBFILE_TYPE, _OLD_SUBFILE_TYPE)
    )
    return bool(kind & _PREVIEW_OR_MASK) or old == 2

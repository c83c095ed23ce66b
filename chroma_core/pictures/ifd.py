"""Image file directories (TIFF 6.0, section 2): read as raw bytes, and written.

They hold what TIFF and EXIF files say. Values stay bytes in the byte order of their file, so that
what is carried from one file to another is carried exactly.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "TYPE_SIZES",
    "Value",
    "build_directory",
    "build_exif",
    "in_order",
    "parse_exif",
    "raw_directory",
]

TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of one value, by the number of its type."""

_PART_SIZES = {**TYPE_SIZES, 5: 4, 10: 4}
"""Bytes of one number; a fraction is two."""

_MOST_ENTRIES = 512
_LARGEST_VALUE = 1 << 20

EXIF_IFD, GPS_IFD = 0x8769, 0x8825

CARRIED = frozenset(
    {269, 270, 271, 272, 282, 283, 296, 285, 305, 306, 315, 316, 18246, 18249, 33432}
)
"""Tags of the first directory that say something of the picture, not of how it is stored."""

_NOT_CARRIED_INSIDE = frozenset({0x927C, 0xA005})
"""Makers' notes and the interoperability directory point to places in their own file."""


@dataclass(frozen=True)
class Value:
    """What one tag holds.

    Attributes
    ----------
    type : int
        Number of the type, one of `TYPE_SIZES`.
    count : int
        How many values.
    data : bytes
        The values.
    """

    type: int
    count: int
    data: bytes


def raw_directory(
    data: bytes | memoryview, order: str, offset: int, *, big: bool = False
) -> dict[int, Value]:
    """Return the tags of a directory; those that lie outside of the file are left out.

    Parameters
    ----------
    data : bytes
        The file.
    order : str
        ``"<"`` or ``">"``.
    offset : int
        Where the directory lies.
    big : bool, optional
        Whether the file is a BigTIFF.
    """
    head, entry, inline = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    head_size, entry_size = struct.calcsize("=" + head), 20 if big else 12
    tags: dict[int, Value] = {}
    if not 8 <= offset <= len(data) - head_size:
        return tags
    (count,) = struct.unpack_from(order + head, data, offset)
    for index in range(min(count, _MOST_ENTRIES)):
        at = offset + head_size + entry_size * index
        if at + entry_size > len(data):
            break
        tag, kind, number = struct.unpack_from(order + entry, data, at)
        size = TYPE_SIZES.get(kind, 0) * number
        place = at + entry_size - inline
        if size > inline:
            (place,) = struct.unpack_from(order + ("Q" if big else "I"), data, place)
        if 0 < size <= _LARGEST_VALUE and place + size <= len(data):
            tags.setdefault(tag, Value(kind, number, bytes(data[place : place + size])))
    return tags


def parse_exif(
    exif: bytes,
) -> tuple[str, dict[int, Value], dict[int, Value], dict[int, Value]] | None:
    """Return byte order, and the first, the EXIF and the GPS directory; None if it is no EXIF."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(exif[:4]))
    if order is None or len(exif) < 8:
        return None
    (offset,) = struct.unpack_from(order + "I", exif, 4)
    first = raw_directory(exif, order, offset)
    inner, gps = (_inner(exif, order, first, tag) for tag in (EXIF_IFD, GPS_IFD))
    return order, first, inner, gps


def _inner(
    data: bytes, order: str, first: Mapping[int, Value], tag: int, *, big: bool = False
) -> dict[int, Value]:
    """Return a directory that a tag points to."""
    value = first.get(tag)
    if value is None or value.count != 1 or len(value.data) not in (4, 8):
        return {}
    (offset,) = struct.unpack(order + ("I" if len(value.data) == 4 else "Q"), value.data)
    inside = raw_directory(data, order, offset, big=big)
    return {tag: value for tag, value in inside.items() if tag not in _NOT_CARRIED_INSIDE}


def exif_of_tiff(data: bytes, order: str, first: Mapping[int, Value], *, big: bool) -> bytes:
    """Return what the first page of a TIFF says of its picture, as an EXIF block."""
    carried = {tag: value for tag, value in first.items() if tag in CARRIED}
    inner, gps = (_inner(data, order, first, tag, big=big) for tag in (EXIF_IFD, GPS_IFD))
    return build_exif(order, carried, inner, gps) if carried or inner or gps else b""


def build_exif(
    order: str,
    first: Mapping[int, Value],
    inner: Mapping[int, Value],
    gps: Mapping[int, Value],
) -> bytes:
    """Return an EXIF block of three directories."""
    tags = dict(first)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    for tag, inside in ((EXIF_IFD, inner), (GPS_IFD, gps)):
        tags.pop(tag, None)
        if inside:
            tags[tag] = Value(4, 1, b"\0\0\0\0")
    # Written twice: the first time only to learn how long the first directory is.
    place = 8 + len(build_directory(order, tags, 8))
    blocks = []
    for tag, inside in ((EXIF_IFD, inner), (GPS_IFD, gps)):
        if inside:
            tags[tag] = Value(4, 1, struct.pack(order + "I", place))
            blocks.append(build_directory(order, inside, place))
            place += len(blocks[-1])
    return b"".join([head, build_directory(order, tags, 8), *blocks])


def in_order(tags: Mapping[int, Value], order: str, wanted: str) -> dict[int, Value]:
    """Return tags, read in one byte order (``"<"`` or ``">"``), in another."""
    if order == wanted:
        return dict(tags)
    return {
        tag: Value(value.type, value.count, _swapped(value.data, _PART_SIZES[value.type]))
        for tag, value in tags.items()
    }


def _swapped(data: bytes, size: int) -> bytes:
    """Return numbers of so many bytes with their bytes the other way round."""
    return b"".join(data[at : at + size][::-1] for at in range(0, len(data), size))


def build_directory(order: str, tags: Mapping[int, Value], offset: int) -> bytes:
    """Return a directory with its values behind it, to stand at an offset; no other follows it."""
    entries, behind = [], b""
    place = offset + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        value = tags[tag]
        if len(value.data) <= 4:
            inline = value.data.ljust(4, b"\0")
        else:
            inline = struct.pack(order + "I", place + len(behind))
            behind += value.data + b"\0" * (len(value.data) % 2)
        entries.append(struct.pack(order + "HHI", tag, value.type, value.count) + inline)
    return struct.pack(order + "H", len(tags)) + b"".join(entries) + b"\0\0\0\0" + behind

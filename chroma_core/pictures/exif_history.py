"""A note of what made a picture, in its EXIF: beside what was there, never over it.

It is a line of ImageHistory, "a record of what has been done to the image" (TIFF/EP, ISO 12234-2,
tag 37395). Directories that get it are written once more at the end of the block. All else stays in
its place: makers' notes point to absolute places.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from chroma_core.pictures.ifd import EXIF_IFD, Value, build_exif, raw_directory
from chroma_core.provenance import parse_record

__all__ = ["IMAGE_HISTORY", "exif_with_note", "history_without_note", "record_of_exif"]

IMAGE_HISTORY = 0x9213

_ASCII, _LONG = 2, 4
_PREFIX = (
    b"colours are artificial (IPTC digital source type algorithmicallyEnhanced), made by chroma: "
)
_LINE = re.compile(rb"\n?" + re.escape(_PREFIX) + rb"([^\n\0]*)")


def exif_with_note(exif: bytes, note: str) -> bytes:
    """Return EXIF that holds a note besides what it held.

    A note of an earlier run is replaced. A block that is damaged is kept as it is.

    Parameters
    ----------
    exif : bytes
        EXIF without the prefix of its container, or nothing.
    note : str
        What made the picture.
    """
    said = note.encode("ascii", "backslashreplace").replace(b"\0", b"").replace(b"\n", b" ")
    line = _PREFIX + said + b"\0"
    if not exif:
        return build_exif("<", {}, {IMAGE_HISTORY: Value(_ASCII, len(line), line)}, {})
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    first = _entries(exif, order, _number(exif, order, 4)) if order else None
    if order is None or first is None:
        return exif
    place = _number(first[EXIF_IFD], order, 8) if EXIF_IFD in first else 0
    inner = _entries(exif, order, place) if place else {}
    if inner is None or place == _number(exif, order, 4):
        return exif
    held = raw_directory(exif, order, place).get(IMAGE_HISTORY)
    earlier = history_without_note(held.data) if held and held.type == _ASCII else b""
    text = earlier + b"\n" + line if earlier else line
    block = bytearray(exif + b"\0" * (len(exif) % 2))
    inner[IMAGE_HISTORY] = struct.pack(order + "HHII", IMAGE_HISTORY, _ASCII, len(text), len(block))
    block += text + b"\0" * (len(text) % 2)
    first[EXIF_IFD] = struct.pack(order + "HHII", EXIF_IFD, _LONG, 1, len(block))
    block += _directory(inner, order)
    struct.pack_into(order + "I", block, 4, len(block))
    return bytes(block + _directory(first, order))


def history_without_note(history: bytes) -> bytes:
    """Return the text of ImageHistory as it was before `exif_with_note`, without its end mark."""
    return _LINE.sub(b"", history).rstrip(b"\0")


def record_of_exif(exif: bytes) -> dict[str, Any] | None:
    """Return what the EXIF of a result says of how it was made; None where it says nothing.

    Parameters
    ----------
    exif : bytes
        Of a picture that anybody may have written: it is searched, not followed.
    """
    found = _LINE.search(exif)
    return None if found is None else parse_record(found[1].decode("ascii", "replace"))


def _number(data: bytes, order: str, at: int) -> int:
    """Return a number of four bytes; 0 where there is none."""
    return int(struct.unpack_from(order + "I", data, at)[0]) if at + 4 <= len(data) else 0


def _entries(exif: bytes, order: str, at: int) -> dict[int, bytes] | None:
    """Return the entries of a directory as they stand, by tag; None if they do not end in it."""
    if not 8 <= at <= len(exif) - 2:
        return None
    (count,) = struct.unpack_from(order + "H", exif, at)
    if at + 2 + 12 * count > len(exif):
        return None
    entries = (exif[start : start + 12] for start in range(at + 2, at + 2 + 12 * count, 12))
    return {struct.unpack_from(order + "H", entry)[0]: entry for entry in entries}


def _directory(entries: dict[int, bytes], order: str) -> bytes:
    """Return a directory of these entries that no other follows."""
    ordered = b"".join(entries[tag] for tag in sorted(entries))
    return struct.pack(order + "H", len(entries)) + ordered + b"\0\0\0\0"

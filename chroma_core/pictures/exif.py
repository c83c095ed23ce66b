"""EXIF, XMP and IPTC: what is needed from them, read and changed in place, the rest untouched.

EXIF is a TIFF structure (CIPA DC-008). It is patched byte by byte, never written anew, because the
makers' notes in it point to absolute places. XMP is text and is searched, never parsed: an XML
parser is a risk that one number is not worth.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "exif_dpi",
    "exif_orientation",
    "exif_upright",
    "photoshop_iptc",
    "sane_dpi",
    "xmp_upright",
]

_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_SHORT, _LONG, _RATIONAL = 3, 4, 5


@dataclass(frozen=True)
class _Entry:
    """One entry of an image file directory."""

    tag: int
    type: int
    count: int
    at: int


def _order(exif: bytes | bytearray) -> str | None:
    """Return the byte order of an EXIF block as `struct` writes it, or None."""
    return {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(exif[:4]))


def _entries(exif: bytes | bytearray, order: str, offset: int) -> Iterator[_Entry]:
    """Yield the entries of the directory at an offset; stops where the block ends."""
    if not 8 <= offset <= len(exif) - 2:
        return
    (count,) = struct.unpack_from(order + "H", exif, offset)
    for index in range(count):
        at = offset + 2 + 12 * index
        if at + 12 > len(exif):
            return
        tag, kind, number = struct.unpack_from(order + "HHI", exif, at)
        yield _Entry(tag, kind, number, at)


def _first_offset(exif: bytes | bytearray, order: str) -> int:
    """Return where the first directory lies."""
    return int(struct.unpack_from(order + "I", exif, 4)[0]) if len(exif) >= 8 else 0


def exif_orientation(exif: bytes) -> int | None:
    """Return the orientation, 1 to 8; None if there is none; 0 if it cannot be meant.

    Parameters
    ----------
    exif : bytes
        EXIF without the prefix of its container.
    """
    order = _order(exif)
    if order is None:
        return None
    for entry in _entries(exif, order, _first_offset(exif, order)):
        if entry.tag == _ORIENTATION:
            if entry.type == _SHORT and entry.count == 1:
                (value,) = struct.unpack_from(order + "H", exif, entry.at + 8)
            elif entry.type == _LONG and entry.count == 1:
                (value,) = struct.unpack_from(order + "I", exif, entry.at + 8)
            else:
                return 0
            return int(value) if 1 <= value <= 8 else 0
    return None


def exif_dpi(exif: bytes) -> tuple[float, float] | None:
    """Return horizontal and vertical resolution in pixels an inch, or None."""
    order = _order(exif)
    if order is None:
        return None
    found: dict[int, float] = {}
    unit = 2
    for entry in _entries(exif, order, _first_offset(exif, order)):
        if entry.tag in (0x011A, 0x011B) and entry.type == _RATIONAL and entry.count == 1:
            (offset,) = struct.unpack_from(order + "I", exif, entry.at + 8)
            if offset + 8 <= len(exif):
                above, below = struct.unpack_from(order + "II", exif, offset)
                found[entry.tag] = above / below if below else 0.0
        elif entry.tag == 0x0128 and entry.type == _SHORT:
            (unit,) = struct.unpack_from(order + "H", exif, entry.at + 8)
    if unit not in (2, 3) or len(found) != 2:
        return None
    return sane_dpi(found[0x011A], found[0x011B], 2.54 if unit == 3 else 1.0)


def sane_dpi(x: float, y: float, factor: float = 1.0) -> tuple[float, float] | None:
    """Return a resolution times a factor, or None where it can't be one."""
    pair = (x * factor, y * factor)
    return pair if all(math.isfinite(v) and 0.1 <= v <= 1e6 for v in pair) else None


def exif_upright(exif: bytes, *, turned: bool) -> bytes:
    """Return EXIF that fits an upright sRGB picture made from the one it stood in.

    Orientation becomes 1, the colour space sRGB, the pixel dimensions change places if the picture
    was turned by a quarter, and the preview in the second directory is cut off: it would show the
    old picture. Empty if the block is no EXIF.

    Parameters
    ----------
    exif : bytes
        EXIF without the prefix of its container.
    turned : bool
        Whether width and height changed places.
    """
    order = _order(exif)
    if order is None or len(exif) < 14:
        return b""
    block = bytearray(exif)
    first = _first_offset(block, order)
    entries = list(_entries(block, order, first))
    if not entries:
        return b""
    inner = 0
    for entry in entries:
        if entry.tag == _ORIENTATION:
            struct.pack_into(order + "HIHH", block, entry.at + 2, _SHORT, 1, 1, 0)
        elif entry.tag == _EXIF_IFD and entry.type == _LONG:
            (inner,) = struct.unpack_from(order + "I", block, entry.at + 8)
    (declared,) = struct.unpack_from(order + "H", block, first)
    after = first + 2 + 12 * declared
    if len(entries) == declared and after + 4 <= len(block):
        struct.pack_into(order + "I", block, after, 0)
    sizes = {}
    for entry in _entries(block, order, inner) if inner != first else ():
        if entry.tag == 0xA001 and entry.type == _SHORT and entry.count == 1:
            struct.pack_into(order + "H", block, entry.at + 8, 1)
        elif entry.tag in (0xA002, 0xA003) and entry.count == 1:
            sizes[entry.tag] = entry
    if turned and len(sizes) == 2 and sizes[0xA002].type == sizes[0xA003].type:
        across, down = sizes[0xA002].at + 8, sizes[0xA003].at + 8
        width, height = block[across : across + 4], block[down : down + 4]
        block[across : across + 4], block[down : down + 4] = height, width
    return bytes(block)


_XMP_ORIENTATION = re.compile(
    rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)([^<\"']{0,20}?)(\s*[\"'<])"
)


def xmp_upright(xmp: bytes) -> bytes:
    """Return XMP whose ``tiff:Orientation`` is 1; everything else stays byte for byte."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1\g<3>", xmp)


def photoshop_iptc(block: bytes) -> bytes:
    """Return the IPTC data in a Photoshop resource block (``8BIM`` 0x0404), or nothing."""
    at = 0
    while at + 12 <= len(block) and block[at : at + 4] == b"8BIM":
        (identity,) = struct.unpack_from(">H", block, at + 4)
        name = block[at + 6] + 1
        at += 6 + name + name % 2
        if at + 4 > len(block):
            break
        (size,) = struct.unpack_from(">I", block, at)
        if identity == 0x0404:
            return block[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
    return b""

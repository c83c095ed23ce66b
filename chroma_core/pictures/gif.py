"""GIF (89a): only the first frame reaches the decoder."""

from __future__ import annotations

import struct

from chroma_core.pictures.limits import Limits
from chroma_core.pictures.pillow import decode_with_pillow
from chroma_core.pictures.stored import Stored, check_size, cut_short, spoilt

__all__ = ["read_gif"]


def read_gif(data: bytes, limits: Limits) -> Stored:
    """Read the first frame of a GIF.

    Raises
    ------
    PictureError
        If it is damaged, cut short or too large.
    """
    if len(data) < 13:
        raise cut_short(f"cut short: the file has {len(data)} bytes")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    check_size(width, height, 4, limits)
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    end = None
    while end is None:
        kind = data[at : at + 1]
        if kind == b"!":
            at = _after_blocks(data, at + 2)
        elif kind == b",":
            end = _after_frame(data, at, width, height, limits)
        elif kind == b";":
            raise spoilt("there is no picture in it")
        elif kind == b"\0":
            at += 1
        elif kind:
            raise spoilt(f"byte {at:,} begins no block that a GIF may hold")
        else:
            raise _cut(data)
    stored, _ = decode_with_pillow(data[:end] + b";", "GIF", limits)
    stored.format = "gif"
    if data[end : end + 1] in (b"!", b",") and b"," in data[end:]:
        stored.warnings.append("animated: only its first picture is used")
    return stored


def _after_frame(data: bytes, at: int, width: int, height: int, limits: Limits) -> int:
    """Return where a frame ends that begins at a byte."""
    if at + 11 > len(data):
        raise _cut(data)
    left, top, across, down, flags = struct.unpack_from("<HHHHB", data, at + 1)
    check_size(max(width, left + across), max(height, top + down), 4, limits)
    if across == 0 or down == 0:
        raise spoilt(f"its first picture has {across} x {down} pixels")
    at += 10 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    if at >= len(data):
        raise _cut(data)
    if not 1 <= data[at] <= 11:
        raise spoilt(f"its pixels begin with a code size of {data[at]} bits")
    return _after_blocks(data, at + 1)


def _after_blocks(data: bytes, at: int) -> int:
    """Return where a run of data blocks ends."""
    while at < len(data):
        length = data[at]
        at += 1 + length
        if length == 0:
            return at
    raise _cut(data)


def _cut(data: bytes) -> Exception:
    """Return the error of a file that ends inside its first picture."""
    return cut_short(f"cut short: the first picture goes on after {len(data):,} bytes")

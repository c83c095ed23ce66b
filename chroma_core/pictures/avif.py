"""AVIF: the boxes are checked here, Pillow decodes 8 bits and imagecodecs more."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.pillow import decode_with_pillow
from chroma_core.pictures.stored import Stored, check_size, cut_short, spoilt
from chroma_core.pictures.webp import describe_from_info

__all__ = ["boxes", "read_avif"]

_FOLDERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0}
_DEEPEST = 8


def read_avif(data: bytes, limits: Limits) -> Stored:
    """Read an AVIF; a sequence gives its first picture.

    Raises
    ------
    PictureError
        If it is damaged, cut short or too large.
    """
    bits, sizes, sequence = 8, 0, False
    for name, body in boxes(memoryview(data)):
        if name == b"ispe" and len(body) >= 12:
            width, height = struct.unpack_from(">II", body, 4)
            check_size(width, height, 4, limits)
            sizes += 1
        elif name == b"tkhd" and len(body) >= 8:
            width, height = struct.unpack(">II", body[-8:])
            check_size(max(width >> 16, 1), max(height >> 16, 1), 4, limits)
        elif name == b"av1C" and len(body) >= 3 and body[2] & 0x40:
            bits = 12 if body[2] & 0x20 else 10
        sequence |= name == b"moov"
    if not sizes and not sequence:
        raise spoilt("there is no picture in it")
    stored, image = decode_with_pillow(data, "AVIF", limits)
    stored.format = "avif"
    if sequence or getattr(image, "n_frames", 1) > 1:
        stored.warnings.append("animated: only its first picture is used")
    elif bits > 8:
        _take_more_bits(stored, data, bits)
    describe_from_info(stored, image.info, limits)
    return stored


def boxes(data: memoryview, depth: int = 0) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the boxes of a file (ISO/IEC 14496-12), those inside of boxes too.

    Parameters
    ----------
    data : memoryview
        The file, or what a box holds.
    depth : int, optional
        In how many boxes that lies.

    Raises
    ------
    PictureError
        If a box is larger than what it lies in.
    """
    at = 0
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        start = 8
        if length == 1 and at + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, at + 8)
            start = 16
        elif length == 0:
            length = len(data) - at
        if length < start:
            raise spoilt(f"its box at byte {at:,} has an impossible length")
        if at + length > len(data):
            if depth:
                raise spoilt(f"its box {name!r} is larger than what it lies in")
            raise cut_short(f"cut short: {len(data):,} of {at + length:,} bytes")
        body = data[at + start : at + length]
        yield name, body
        if name in _FOLDERS and depth < _DEEPEST:
            yield from boxes(body[_FOLDERS[name] :], depth + 1)
        at += length


def _take_more_bits(stored: Stored, data: bytes, bits: int) -> None:
    """Replace 8-bit samples by those of 10 or 12 bits at full scale of uint16."""
    import imagecodecs

    try:
        deep = imagecodecs.avif_decode(data, index=0)
    except Exception as error:
        raise spoilt(f"it cannot be decoded ({error})") from error
    if deep.shape[:2] != stored.samples.shape[:2] or deep.dtype != np.uint16:
        raise PictureError("an AVIF of this kind is not read", kind="unsupported")
    top = (1 << bits) - 1
    scaled = ((deep.astype(np.uint32) * 65535 + top // 2) // top).astype(np.uint16)
    channels = 1 if scaled.ndim == 2 else scaled.shape[2]
    stored.alpha = scaled[..., -1] if channels in (2, 4) else None
    if channels in (3, 4):
        stored.color, stored.samples = "rgb", scaled[..., :3]
    else:
        stored.color, stored.samples = "gray", scaled if channels == 1 else scaled[..., 0]
    stored.depth = 16

"""WebP (RFC 9649): the container is checked here, Pillow decodes."""

from __future__ import annotations

import struct
from typing import Any

from chroma_core.pictures.exif import exif_dpi, exif_orientation
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.pillow import decode_with_pillow
from chroma_core.pictures.stored import Stored, check_size, cut_short, drop_large, spoilt

__all__ = ["describe_from_info", "read_webp"]


def read_webp(data: bytes, limits: Limits) -> Stored:
    """Read a WebP; an animated one gives its first frame.

    Raises
    ------
    PictureError
        If it is damaged, cut short or too large.
    """
    if len(data) < 20:
        raise cut_short(f"cut short: the file has {len(data)} bytes")
    size = struct.unpack_from("<I", data, 4)[0] + 8
    animated, pictures, at = False, 0, 12
    while at + 8 <= min(size, len(data)):
        name, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + 30]
        if at + 8 + length > size:
            raise spoilt(f"its chunk {name!r} claims {length:,} bytes, more than there are")
        if at + 8 + length > len(data):
            raise _too_short(data, size)
        _check_chunk(name, body, limits)
        animated |= name == b"ANMF"
        pictures += name in (b"VP8 ", b"VP8L", b"ANMF")
        if name == b"ANMF" or (pictures > 1 and not animated):
            break
        at += 8 + length + length % 2
    if size > len(data) + 1:
        raise _too_short(data, size)
    if not pictures:
        raise spoilt("there is no picture in it")
    # Some writers forget to pad the last chunk to an even length: one byte, which Pillow misses.
    stored, image = decode_with_pillow(data[:size].ljust(size, b"\0"), "WEBP", limits)
    stored.format = "webp"
    if animated:
        stored.warnings.append("animated: only its first picture is used")
    describe_from_info(stored, image.info, limits)
    return stored


def _too_short(data: bytes, size: int) -> Exception:
    """Return the error of a file that is shorter than its container says."""
    return cut_short(f"cut short: {len(data):,} of {size:,} bytes")


def _check_chunk(name: bytes, body: bytes, limits: Limits) -> None:
    """Refuse a picture by the sizes in its chunks' headers."""
    if name == b"VP8X" and len(body) >= 10:
        width = 1 + int.from_bytes(body[4:7], "little")
        height = 1 + int.from_bytes(body[7:10], "little")
    elif name == b"VP8L" and len(body) >= 5:
        (bits,) = struct.unpack_from("<I", body, 1)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif name == b"VP8 " and len(body) >= 10:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
    else:
        return
    check_size(width, height, 4, limits)


def describe_from_info(stored: Stored, info: dict[Any, Any], limits: Limits) -> None:
    """Fill in profile, EXIF and XMP from what Pillow found."""
    exif, xmp = info.get("exif") or b"", info.get("xmp") or b""
    exif = exif[6:] if exif[:6] == b"Exif\0\0" else exif
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    stored.exif = drop_large(exif, "EXIF", limits, stored.warnings)
    stored.xmp = drop_large(xmp, "XMP", limits, stored.warnings)
    stored.icc = drop_large(info.get("icc_profile") or b"", "ICC", limits, stored.warnings)
    stored.orientation = exif_orientation(stored.exif)
    stored.dpi = exif_dpi(stored.exif)

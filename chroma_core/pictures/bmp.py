"""BMP: sizes are checked here, Pillow decodes."""

from __future__ import annotations

import struct

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.pillow import decode_with_pillow
from chroma_core.pictures.stored import Stored, check_size, cut_short, sane_inches, spoilt

__all__ = ["read_bmp"]

_PLAIN = {0, 3, 6}


def read_bmp(data: bytes, limits: Limits) -> Stored:
    """Read a BMP.

    Raises
    ------
    PictureError
        If it is damaged, cut short or too large.
    """
    if len(data) < 26:
        raise cut_short(f"cut short: the file has {len(data)} bytes")
    start, header = struct.unpack_from("<II", data, 10)
    packing, dpi = 0, None
    if header == 16:
        raise PictureError(
            "a BMP with the short header of OS/2 is not read",
            kind="unsupported",
            hint="convert it to PNG or TIFF",
        )
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        if len(data) < 54:
            raise cut_short(f"cut short: the file has {len(data)} bytes")
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", data, 18)
        dpi = sane_inches(*struct.unpack_from("<ii", data, 38))
    if bits not in (1, 2, 4, 8, 16, 24, 32):
        raise spoilt(f"its header says {bits} bits a pixel")
    check_size(width, abs(height), 4, limits)
    wanted = start + (width * bits + 31) // 32 * 4 * abs(height)
    if packing in _PLAIN and wanted > len(data):
        raise cut_short(f"cut short: {len(data):,} of {wanted:,} bytes")
    stored, _ = decode_with_pillow(data, "BMP", limits)
    stored.format, stored.dpi = "bmp", dpi
    if stored.alpha is not None and not stored.alpha.any():
        # The fourth byte of a 32-bit BMP is zero in most, and means nothing then.
        stored.alpha = None
    return stored

"""What can be decoded of a PNG that is cut short or damaged: its rows up to there."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from chroma_core.errors import PictureError
from chroma_core.pictures.inflate import inflated_so_far
from chroma_core.pictures.png_chunks import CHANNELS, png_chunk

__all__ = ["mended_chunks"]

_LAST_FILTER = 4


def mended_chunks(
    chunks: Sequence[bytes | memoryview], error: PictureError
) -> tuple[list[bytes | memoryview], str]:
    """Return chunks that decode: the rows that are there, and zeros below.

    Parameters
    ----------
    chunks : sequence of bytes
        Header, palette and pixels, as the file holds them; the last may be cut.
    error : PictureError
        Why they do not decode.

    Returns
    -------
    chunks : list of bytes
        Chunks with the same header.
    missing : str
        What is missing, in words.

    Raises
    ------
    PictureError
        `error` if there is not one row; ``unsupported`` for interlaced pictures, of which the
        beginning is spread over all rows.
    """
    width, height, depth, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", chunks[0], 8)
    if interlaced:
        raise PictureError(
            f"{error.what}; an interlaced PNG is not salvaged", kind=error.kind, hint=error.hint
        ) from error
    row_bytes = 1 + (width * CHANNELS[kind] * depth + 7) // 8
    packed = b"".join(chunk[8:-4] for chunk in chunks if chunk[4:8] == b"IDAT")
    plain, _ = inflated_so_far(packed, row_bytes * height)
    rows = min(len(plain) // row_bytes, height)
    # The first byte of a row says how it is filtered (ISO/IEC 15948, 9.2).
    filters = np.frombuffer(plain, np.uint8, rows * row_bytes)[::row_bytes]
    bad = np.flatnonzero(filters > _LAST_FILTER)
    rows = int(bad[0]) if len(bad) else rows
    if not rows:
        raise error
    filled = plain[: rows * row_bytes].ljust(height * row_bytes, b"\0")
    before = [chunk for chunk in chunks if chunk[4:8] not in (b"IDAT", b"IEND")]
    mended = [*before, png_chunk(b"IDAT", zlib.compress(filled, 1)), png_chunk(b"IEND", b"")]
    return mended, f"{height - rows:,} of {height:,} rows are missing ({error.what})"

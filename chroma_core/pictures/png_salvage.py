"""What can be decoded of a PNG that is cut short or damaged: its rows up to there.

An interlaced PNG (Adam7; ISO/IEC 15948, 8.2) is seven pictures one after the other, each of more
pixels than all before it. So the beginning of such a file shows the whole picture coarsely: each
pixel that is there stands for those that would have come between it and the next.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.inflate import inflated_so_far
from chroma_core.pictures.png_chunks import CHANNELS, SIGNATURE, png_chunk

__all__ = ["salvaged_samples"]

_LAST_FILTER = 4


@dataclass(frozen=True)
class _Pass:
    """Every so-many-th pixel of a picture: first row, rows between, rows that one stands for."""

    top: int
    down: int
    high: int
    left: int
    across: int
    wide: int


_WHOLE = (_Pass(0, 1, 1, 0, 1, 1),)
_ADAM7 = (
    _Pass(0, 8, 8, 0, 8, 8),
    _Pass(0, 8, 8, 4, 8, 4),
    _Pass(4, 8, 4, 0, 4, 4),
    _Pass(0, 4, 4, 2, 4, 2),
    _Pass(2, 4, 2, 0, 2, 2),
    _Pass(0, 2, 2, 1, 2, 1),
    _Pass(1, 2, 1, 0, 1, 1),
)


def salvaged_samples(
    chunks: Sequence[bytes | memoryview], error: PictureError
) -> tuple[PixelArray, str]:
    """Decode the rows that are there; where nothing is known samples are 0.

    Parameters
    ----------
    chunks : sequence of bytes
        Header, palette and pixels, as the file holds them; the last may be cut.
    error : PictureError
        Why they do not decode.

    Returns
    -------
    samples : ndarray, shape (H, W) or (H, W, C)
        As the decoder gives them.
    missing : str
        What is missing, in words.

    Raises
    ------
    PictureError
        `error` if there is not one row.
    """
    width, height, depth, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", chunks[0], 8)
    parts = []
    for one in _ADAM7 if interlaced else _WHOLE:
        columns = -(-(width - one.left) // one.across)
        rows = -(-(height - one.top) // one.down)
        if columns > 0 and rows > 0:
            parts.append((one, columns, rows, 1 + (columns * CHANNELS[kind] * depth + 7) // 8))
    packed = b"".join(chunk[8:-4] for chunk in chunks if chunk[4:8] == b"IDAT")
    plain, _ = inflated_so_far(packed, sum(rows * row_bytes for _, _, rows, row_bytes in parts))
    samples: PixelArray | None = None
    at = kept_rows = kept_pixels = 0
    for one, columns, rows, row_bytes in parts:
        whole = _whole_rows(plain, at, rows, row_bytes)
        if whole:
            filtered = plain[at : at + whole * row_bytes]
            piece = _decoded(chunks, columns, whole, filtered, error)
            if samples is None:
                samples = np.zeros((height, width, *piece.shape[2:]), piece.dtype)
            _place(samples, piece, one)
        kept_rows, kept_pixels = kept_rows + whole, kept_pixels + whole * columns
        if whole < rows:
            break
        at += rows * row_bytes
    if samples is None:
        raise error
    if interlaced:
        missing = f"{width * height - kept_pixels:,} of {width * height:,} pixels"
        return samples, f"{missing} are missing, their neighbours stand for them ({error.what})"
    return samples, f"{height - kept_rows:,} of {height:,} rows are missing ({error.what})"


def _whole_rows(plain: bytes, at: int, rows: int, row_bytes: int) -> int:
    """Return how many rows from a byte on are there, up to one of a filter that there is not."""
    there = min((len(plain) - at) // row_bytes, rows)
    # The first byte of a row says how it is filtered (ISO/IEC 15948, 9.2).
    filters = np.frombuffer(plain, np.uint8, there * row_bytes, at)[::row_bytes]
    bad = np.flatnonzero(filters > _LAST_FILTER)
    return int(bad[0]) if len(bad) else there


def _decoded(
    chunks: Sequence[bytes | memoryview], width: int, height: int, rows: bytes, error: PictureError
) -> PixelArray:
    """Return filtered rows as a picture of their own, with the palette of the file."""
    import imagecodecs

    header = struct.pack(">II", width, height) + bytes(chunks[0][16:20]) + b"\0"
    palette = [chunk for chunk in chunks[1:] if chunk[4:8] not in (b"IDAT", b"IEND")]
    pixels = png_chunk(b"IDAT", zlib.compress(rows, 1))
    parts = [SIGNATURE, png_chunk(b"IHDR", header), *palette, pixels, png_chunk(b"IEND", b"")]
    try:
        samples: PixelArray = imagecodecs.png_decode(b"".join(parts))
    except Exception as failure:
        raise error from failure
    return samples


def _place(samples: PixelArray, piece: PixelArray, where: _Pass) -> None:
    """Put pixels in their places, and into those that they stand for."""
    for below in range(where.high):
        for beside in range(where.wide):
            place = samples[where.top + below :: where.down, where.left + beside :: where.across]
            rows, columns = (min(a, b) for a, b in zip(place.shape, piece.shape[:2], strict=False))
            place[:rows, :columns] = piece[:rows, :columns]

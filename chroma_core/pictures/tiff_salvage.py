"""What can be decoded of a TIFF page that is cut short or damaged."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.inflate import inflated_so_far
from chroma_core.pictures.stored import cut_short
from chroma_core.pictures.tiff_checks import judge_jpeg_segment

__all__ = ["salvaged_samples"]

_NONE, _JPEG = 1, 7
_DEFLATE = {8, 32946}


def salvaged_samples(page: Any, data: bytes) -> tuple[PixelArray, str]:
    """Decode strips and tiles as far as they go; what is missing is 0.

    Of a strip or tile that is cut, what comes before the cut is kept where it is not compressed,
    deflated, or JPEG; others are left out whole.

    Parameters
    ----------
    page : tifffile.TiffPage
        The page.
    data : bytes
        The file.

    Returns
    -------
    samples : ndarray, shape (planes, depth, H, W, channels)
        As ``page.asarray(squeeze=False)`` gives them.
    missing : str
        How much is missing, in words; empty if nothing is.

    Raises
    ------
    PictureError
        ``truncated`` if nothing can be decoded.
    """
    samples: PixelArray = np.zeros(page.shaped, page.dtype)
    _, _, height, width, _ = samples.shape
    tables, header = page.jpegtables, page.jpegheader
    hurt = lost = total = 0
    for index, (offset, count) in enumerate(
        zip(page.dataoffsets, page.databytecounts, strict=False)
    ):
        _, (plane, _, row, column, _), shape = page.decode(None, index)
        if plane >= samples.shape[0]:
            break
        total += 1
        whole, piece = _mended(page, data[offset : offset + count], count, shape)
        hurt += not whole
        try:
            segment, _, _ = page.decode(piece, index, jpegtables=tables, jpegheader=header)
        except Exception:
            segment = None
        if segment is None:
            lost += 1
            hurt += whole
            continue
        place = samples[plane, 0, row : row + shape[1], column : column + shape[2]]
        place[...] = segment[0, : min(shape[1], height - row), : min(shape[2], width - column)]
    if not hurt:
        return samples, ""
    if lost == total:
        raise cut_short(f"cut short: none of its {total:,} strips or tiles can be decoded")
    return samples, f"{hurt:,} of {total:,} strips or tiles are cut short, damaged or missing"


def _mended(
    page: Any, piece: bytes, count: int, shape: tuple[int, ...]
) -> tuple[bool, bytes | None]:
    """Return whether a strip or tile is whole, and bytes that the decoder takes for one.

    Parameters
    ----------
    page : tifffile.TiffPage
        The page.
    piece : bytes
        What is there of it.
    count : int
        How many bytes it should have.
    shape : tuple of int
        Depth, height, width, channels.
    """
    if not piece:
        return False, None
    codec = int(page.compression)
    row_bits = shape[2] * shape[3] * int(page.bitspersample)
    wanted = shape[0] * shape[1] * ((row_bits + 7) // 8)
    if codec == _NONE:
        return len(piece) >= wanted, piece.ljust(wanted, b"\0")
    if codec in _DEFLATE:
        return _inflated_again(piece, wanted)
    if codec == _JPEG:
        try:
            judge_jpeg_segment(page, piece)
        except PictureError:
            return False, piece
        return True, piece
    return len(piece) == count, piece if len(piece) == count else None


def _inflated_again(piece: bytes, wanted: int) -> tuple[bool, bytes | None]:
    """Return whether a deflated piece is whole, and one that is, zeros for what is missing."""
    plain, whole = inflated_so_far(piece, wanted)
    if whole:
        return True, piece
    return False, zlib.compress(plain.ljust(wanted, b"\0"), 1) if plain else None

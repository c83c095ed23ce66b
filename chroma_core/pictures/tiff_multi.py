"""A TIFF of several pages, written one after the other: no more than one is in memory."""

from __future__ import annotations

import os
import struct

from chroma_core.arrays import PixelArray
from chroma_core.pictures.atomic import write_all
from chroma_core.pictures.tiff_write import PageTags, byte_order, encode_page, file_header

__all__ = ["TiffPagesWriter"]

_FIRST_LINK = 4
"""Where the header says at which byte the first directory lies."""


class TiffPagesWriter:
    """Appends pages to a file that was just made.

    Parameters
    ----------
    descriptor : int
        Open for writing, empty.

    Attributes
    ----------
    pages : int
        How many there are.
    """

    def __init__(self, descriptor: int) -> None:
        self.pages = 0
        self._descriptor = descriptor
        self._order = "<"
        self._end = 0
        self._link = _FIRST_LINK

    def add(self, codes: PixelArray, photometric: int, tags: PageTags) -> None:
        """Append a page; see `chroma_core.pictures.tiff_write.encode_tiff`.

        All pages have the byte order of the first one's EXIF.

        Raises
        ------
        PictureError
            If the file would be larger than 4 GiB.
        OSError
            If the system cannot write.
        """
        if not self.pages:
            self._order = byte_order(tags.exif)
            self._append(file_header(self._order, 0))
        strips, directory = encode_page(codes, photometric, tags, self._order, self._end)
        for strip in strips:
            self._append(strip)
        start = self._end
        self._append(directory + b"\0" * (len(directory) % 2))
        self._point_to(start)
        (entries,) = struct.unpack_from(self._order + "H", directory)
        self._link = start + 2 + 12 * entries
        self.pages += 1

    def _append(self, data: bytes) -> None:
        write_all(self._descriptor, data)
        self._end += len(data)

    def _point_to(self, directory: int) -> None:
        """Let the directory before, or the header, name this one."""
        os.lseek(self._descriptor, self._link, os.SEEK_SET)
        write_all(self._descriptor, struct.pack(self._order + "I", directory))
        os.lseek(self._descriptor, self._end, os.SEEK_SET)

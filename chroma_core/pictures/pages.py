"""All pages of a TIFF, one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import bytes_of, named_right, read_picture
from chroma_core.pictures.signature import identify
from chroma_core.pictures.tiff_pages import count_pages

__all__ = ["Pages", "open_pages"]


class Pages:
    """The pages of a file; going through them decodes one at a time.

    Parameters
    ----------
    data : bytes
        The file.
    source : str
        Its name.
    limits : Limits
        What a page may not pass.
    guarded, value_range, nan, salvage
        See `chroma_core.pictures.read.read_picture`.

    Raises
    ------
    PictureError
        If the list of pages is damaged, or longer than `Limits.max_pages`.
    """

    def __init__(
        self,
        data: bytes,
        source: str,
        limits: Limits,
        *,
        guarded: bool = False,
        value_range: tuple[float, float] | None = None,
        nan: float | None = None,
        salvage: bool = False,
    ) -> None:
        self.format = identify(data, len(data))
        self._data = data
        self._source = source
        self._limits = limits
        self._guarded = guarded
        self._range = value_range
        self._nan = nan
        self._salvage = salvage
        self._count = count_pages(data, limits) if self.format == "tiff" else 1

    def __len__(self) -> int:
        """Return how many there are; 1 where a format has no pages."""
        return self._count

    def __iter__(self) -> Iterator[Picture]:
        """Yield the pages in order.

        Raises
        ------
        PictureError
            If one of them cannot be read right; names the page.
        """
        for number in range(1, self._count + 1):
            yield self.read(number if self.format == "tiff" else None)

    def read(self, number: int | None) -> Picture:
        """Return one page, 1 for the first."""
        try:
            picture = read_picture(
                self._data,
                limits=self._limits,
                guarded=self._guarded,
                page=number,
                value_range=self._range,
                nan=self._nan,
                salvage=self._salvage,
            )
        except PictureError as error:
            error.path = error.path or self._source
            raise
        picture = replace(picture, source=self._source)
        return named_right(picture) if number in (None, 1) else picture


def open_pages(
    source: str | os.PathLike[str] | bytes | IO[bytes],
    *,
    limits: Limits | None = None,
    guarded: bool = False,
    value_range: tuple[float, float] | None = None,
    nan: float | None = None,
    salvage: bool = False,
) -> Pages:
    """Return the pages of a file; they are decoded when they are asked for.

    Parameters
    ----------
    source, limits, guarded, value_range, nan, salvage
        See `chroma_core.pictures.read.read_picture`.

    Raises
    ------
    PictureError
        If it cannot be read, or its list of pages is damaged.
    """
    limits = Limits.from_environment() if limits is None else limits
    name = str(source) if isinstance(source, (str, os.PathLike)) else ""
    try:
        return Pages(
            bytes_of(source, limits),
            name,
            limits,
            guarded=guarded,
            value_range=value_range,
            nan=nan,
            salvage=salvage,
        )
    except PictureError as error:
        error.path = error.path or name
        raise

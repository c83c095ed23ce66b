"""Pictures from files, bytes or streams."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import IO

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.names import format_of_suffix
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.reading import Reading
from chroma_core.pictures.source import read_bytes

__all__ = ["bytes_of", "named_right", "read_bytes", "read_picture"]


def read_picture(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes],
    *,
    limits: Limits | None = None,
    guarded: bool = False,
    keep_floats: bool = False,
    page: int | None = None,
    value_range: tuple[float, float] | None = None,
    nan: float | None = None,
    salvage: bool = False,
) -> Picture:
    """Read a picture: upright, in sRGB, with what its file said besides.

    Parameters
    ----------
    source : path, bytes or binary stream
        The picture; its content decides what it is, not its name.
    limits : Limits, optional
        What may not be passed; those of the environment by default.
    guarded : bool, optional
        Whether to decode in another process, which may crash or be stopped without harm here
        (POSIX only; elsewhere it has no effect).
    keep_floats : bool, optional
        Whether pictures of floats stay float32 instead of becoming uint16.
    page, value_range, nan, salvage
        Which page, what floats stand for, and how strictly: see
        `chroma_core.pictures.reading.Reading`.

    Raises
    ------
    PictureError
        If it cannot be read right: says why, and what can be done.
    OptionError
        If a page, range or stand-in cannot be meant.
    """
    reading = Reading(page=page, value_range=value_range, nan=nan, salvage=salvage)
    limits = Limits.from_environment() if limits is None else limits
    name = str(source) if isinstance(source, (str, os.PathLike)) else ""
    try:
        data = bytes_of(source, limits)
        decode = _decoder(guarded)
        picture = decode(data, limits, keep_floats=keep_floats, source=name, reading=reading)
        return named_right(picture)
    except PictureError as error:
        error.path = error.path or name
        raise


def _decoder(guarded: bool) -> Callable[..., Picture]:
    """Return the function that decodes, here or in another process."""
    if guarded and os.name == "posix":
        from chroma_core.pictures.worker import decode_guarded

        return decode_guarded
    from chroma_core.pictures.decode import decode_picture

    return decode_picture


def named_right(picture: Picture) -> Picture:
    """Return the picture, with a warning if its name says another format than its content."""
    said = format_of_suffix(picture.source) if picture.source else None
    found = "ppm" if picture.format == "pnm" else picture.format
    if said is None or said == found:
        return picture
    warning = f"its name says {said}, its content is {picture.format}"
    return replace(picture, warnings=(*picture.warnings, warning))


def bytes_of(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes], limits: Limits
) -> bytes:
    """Return the bytes of a picture file, a stream, or bytes; see `read_picture`.

    Raises
    ------
    PictureError
        If they cannot be read, or are too many.
    """
    if isinstance(source, bytes):
        data = source
    elif isinstance(source, (str, os.PathLike)):
        return read_bytes(source, limits)
    elif isinstance(source, (bytearray, memoryview)):
        data = bytes(source)
    else:
        try:
            data = source.read(limits.max_bytes + 1)
        except OSError as error:
            raise PictureError(f"cannot be read: {error}", kind="io") from error
    if len(data) > limits.max_bytes:
        raise PictureError(
            f"it has more than {limits.max_bytes:,} bytes",
            kind="too-large",
            hint="--max-bytes, or CHROMA_MAX_BYTES",
        )
    return data

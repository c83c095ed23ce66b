"""A picture as its file stores it: not yet upright, not yet sRGB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.exif import sane_dpi
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.picture import JpegTables

__all__ = [
    "ColorModel",
    "Stored",
    "announcing_size",
    "check_size",
    "cut_short",
    "drop_large",
    "sane_inches",
    "spoilt",
]

ColorModel = Literal["gray", "rgb", "cmyk", "lab"]


@dataclass(kw_only=True)
class Stored:
    """What a reader of one format finds in a file.

    Attributes
    ----------
    format : str
        See `Picture.format`.
    color : ColorModel
        What the samples are: ``cmyk`` are inks with 0 for none, ``lab`` is L*, a*, b* in float32.
    samples : ndarray, shape (H, W) or (H, W, C)
        Code values at full scale of their dtype, or floats.
    alpha : ndarray, shape (H, W), or None
        Straight.
    depth : int
        8 or 16.
    orientation : int or None
        1 to 8, 0 for one that cannot be meant, None where the file says nothing.
    icc : bytes
        Profile.
    icc_space : ColorModel or empty
        What the profile should be of, where it is not `color`.
    exif, xmp, iptc : bytes
        As found.
    texts : list of (str, bytes)
        See `Picture.texts`.
    dpi : tuple of float, or None
        As stored, not yet turned.
    jpeg_tables : tuple, or None
        See `Picture.jpeg_tables`.
    salvaged : str
        What is missing of a damaged picture that was decoded as far as it goes.
    white_point : tuple of float, or None
        x and y of the white that ``lab`` refers to.
    warnings : list of str
        One line each.
    """

    format: str
    color: ColorModel
    samples: PixelArray
    alpha: PixelArray | None = None
    depth: int = 8
    orientation: int | None = None
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    texts: list[tuple[str, bytes]] = field(default_factory=list)
    dpi: tuple[float, float] | None = None
    jpeg_tables: JpegTables | None = None
    salvaged: str = ""
    white_point: tuple[float, float] | None = None
    warnings: list[str] = field(default_factory=list)


_announce: ContextVar[Callable[[int], None] | None] = ContextVar("announce", default=None)


@contextmanager
def announcing_size(announce: Callable[[int], None]) -> Iterator[None]:
    """Call a function with the number of pixels as soon as a header has told it."""
    token = _announce.set(announce)
    try:
        yield
    finally:
        _announce.reset(token)


def check_size(width: int, height: int, sample_bytes: int, limits: Limits) -> None:
    """Refuse a picture by its header, before a decoder gets it.

    Parameters
    ----------
    width, height : int
        As the header says.
    sample_bytes : int
        Bytes that one decoded pixel takes.
    limits : Limits
        What may not be passed.

    Raises
    ------
    PictureError
        ``corrupt`` for no pixels at all, ``too-large``.
    """
    if width < 1 or height < 1:
        raise spoilt(f"its header says {width} x {height} pixels")
    if max(width, height) > limits.max_side:
        raise PictureError(
            f"{width:,} x {height:,} pixels, a side may have {limits.max_side:,}",
            kind="too-large",
            hint="CHROMA_MAX_SIDE",
        )
    if width * height > limits.max_pixels:
        raise PictureError(
            f"{width:,} x {height:,} are {width * height:,} pixels, "
            f"more than {limits.max_pixels:,}",
            kind="too-large",
            hint="--max-pixels, or CHROMA_MAX_PIXELS",
        )
    announce = _announce.get()
    if announce is not None:
        announce(width * height)
    needed = width * height * sample_bytes
    if needed > limits.max_memory:
        raise PictureError(
            f"{width:,} x {height:,} pixels take {needed:,} bytes, more than {limits.max_memory:,}",
            kind="too-large",
            hint="CHROMA_MAX_DECODED",
        )


def drop_large(block: bytes, what: str, limits: Limits, warnings: list[str]) -> bytes:
    """Return a block of metadata, or nothing and a warning if it is larger than allowed."""
    if len(block) <= limits.max_metadata:
        return block
    warnings.append(f"{what} of {len(block):,} bytes is left out, it is larger than allowed")
    return b""


def cut_short(what: str) -> PictureError:
    """Return the error of a file that ends too early."""
    return PictureError(what, kind="truncated", hint="copy or scan it again")


def spoilt(what: str) -> PictureError:
    """Return the error of a file that says impossible things."""
    return PictureError(what, kind="corrupt", hint="copy or scan it again")


def sane_inches(x: float, y: float) -> tuple[float, float] | None:
    """Return pixels a metre as pixels an inch, or None where that cannot be meant."""
    return sane_dpi(x, y, 0.0254)

"""TIFF 6.0: a page, in strips, with what the picture carried in its directories.

Written here because no library in use writes 16-bit colour and EXIF directories both.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.ifd import (
    CARRIED,
    EXIF_IFD,
    GPS_IFD,
    Value,
    build_directory,
    in_order,
    parse_exif,
)

__all__ = [
    "CIELAB",
    "GRAY",
    "RGB",
    "PageTags",
    "byte_order",
    "encode_page",
    "encode_tiff",
    "file_header",
]

GRAY, RGB, CIELAB = 1, 2, 8
"""Photometric interpretations."""

_STRIP_BYTES = 1 << 20
_LARGEST = (1 << 32) - 1
_LEVEL = 6


@dataclass(frozen=True, kw_only=True)
class PageTags:
    """What a page says besides its pixels.

    Attributes
    ----------
    alpha : bool
        Whether the last channel is opacity, straight.
    icc, exif, xmp, iptc : bytes
        What the picture carries.
    dpi : tuple of float, or None
        Pixels an inch.
    white_point : tuple of float, or None
        x and y of the white, for `CIELAB`.
    """

    alpha: bool = False
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    dpi: tuple[float, float] | None = None
    white_point: tuple[float, float] | None = None


def encode_tiff(codes: PixelArray, photometric: int, tags: PageTags | None = None) -> bytes:
    """Return a TIFF file: deflate, with differences of neighbours where samples are integers.

    Parameters
    ----------
    codes : ndarray, shape (H, W) or (H, W, C)
        uint8, uint16 or float32.
    photometric : int
        `GRAY`, `RGB` or `CIELAB`.
    tags : PageTags, optional
        What the page says besides.

    Raises
    ------
    PictureError
        If it takes more than 4 GiB.
    """
    tags = PageTags() if tags is None else tags
    order = byte_order(tags.exif)
    strips, directory = encode_page(codes, photometric, tags, order, 8)
    start = 8 + sum(map(len, strips))
    return b"".join([file_header(order, start), *strips, directory])


def byte_order(exif: bytes) -> str:
    """Return the byte order of EXIF, ``"<"`` or ``">"``; ``"<"`` where there is none."""
    parsed = parse_exif(exif)
    return "<" if parsed is None else parsed[0]


def file_header(order: str, first: int) -> bytes:
    """Return the first eight bytes of a file whose first directory lies at a byte."""
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", first)


def encode_page(
    codes: PixelArray, photometric: int, said: PageTags, order: str, at: int
) -> tuple[list[bytes], bytes]:
    """Return a page's strips, padded to an even length, and its directory, which ends the list.

    Parameters
    ----------
    codes, photometric
        See `encode_tiff`.
    said : PageTags
        What the page says besides.
    order : str
        Byte order of the file, ``"<"`` or ``">"``.
    at : int
        Where the strips begin in the file; even.

    Raises
    ------
    PictureError
        If it ends beyond 4 GiB.
    """
    parsed = parse_exif(said.exif)
    first, inner, gps = (
        ({}, {}, {}) if parsed is None else (in_order(t, parsed[0], order) for t in parsed[1:])
    )
    image = codes.reshape(codes.shape[0], codes.shape[1], -1)
    height, width, channels = image.shape
    floating = codes.dtype.kind == "f"
    rows = max(1, min(height, _STRIP_BYTES // max(1, image[:1].nbytes)))
    strips = [_packed(image[row : row + rows], order) for row in range(0, height, rows)]
    counts = [len(strip) for strip in strips]
    offsets = _running(counts, at)
    size = sum(counts)
    if at + size + (1 << 26) > _LARGEST:
        raise PictureError(
            "a TIFF cannot hold more than 4 GiB",
            kind="unsupported",
            hint="take its pages one by one: --page 1, --page 2",
        )

    def short(*values: int) -> Value:
        return Value(3, len(values), struct.pack(f"{order}{len(values)}H", *values))

    def long(*values: int) -> Value:
        return Value(4, len(values), struct.pack(f"{order}{len(values)}I", *values))

    tags: dict[int, Value] = {tag: value for tag, value in first.items() if tag in CARRIED}
    tags |= {
        256: long(width),
        257: long(height),
        258: short(*[8 * codes.dtype.itemsize] * channels),
        259: short(8),
        262: short(photometric),
        273: long(*offsets),
        274: short(1),
        277: short(channels),
        278: long(rows),
        279: long(*counts),
        284: short(1),
        339: short(*[3 if floating else 1] * channels),
    }
    if not floating:
        tags[317] = short(2)
    if said.alpha:
        tags[338] = short(2)
    if said.dpi is not None:
        tags[282], tags[283] = (_rational(order, value) for value in said.dpi)
        tags[296] = short(2)
    if said.white_point is not None:
        tags[318] = _rational(order, *said.white_point)
    for tag, kind, block in ((34675, 7, said.icc), (700, 1, said.xmp), (33723, 7, said.iptc)):
        if block:
            tags[tag] = Value(kind, len(block), block)
    if size % 2:
        strips.append(b"\0")
    return strips, _directories(order, tags, inner, gps, at + size + size % 2)


def _running(counts: list[int], start: int) -> list[int]:
    """Return where each of some blocks begins that lie one behind the other."""
    places = [start]
    for count in counts[:-1]:
        places.append(places[-1] + count)
    return places


def _packed(strip: PixelArray, order: str) -> bytes:
    """Return a strip as deflated differences, or deflated floats."""
    import imagecodecs

    if strip.dtype.kind != "f":
        # Horizontal differences that wrap around (TIFF 6.0, section 14).
        differences = strip.copy()
        differences[:, 1:] -= strip[:, :-1]
        strip = differences
    raw = np.ascontiguousarray(strip.astype(strip.dtype.newbyteorder("<" if order == "<" else ">")))
    return bytes(imagecodecs.zlib_encode(raw.tobytes(), level=_LEVEL))


def _rational(order: str, *values: float) -> Value:
    """Return numbers as fractions of 32-bit integers."""
    parts = []
    for value in values:
        fraction = Fraction(value).limit_denominator(1_000_000)
        parts += [fraction.numerator, fraction.denominator]
    return Value(5, len(values), struct.pack(f"{order}{len(parts)}I", *parts))


def _directories(
    order: str,
    tags: dict[int, Value],
    inner: Mapping[int, Value],
    gps: Mapping[int, Value],
    start: int,
) -> bytes:
    """Return the page's directory and those of EXIF and GPS behind it."""
    inside = [(tag, entries) for tag, entries in ((EXIF_IFD, inner), (GPS_IFD, gps)) if entries]
    tags |= {tag: Value(4, 1, b"\0\0\0\0") for tag, _ in inside}
    place = start + len(build_directory(order, tags, start))
    blocks = []
    for tag, entries in inside:
        tags[tag] = Value(4, 1, struct.pack(order + "I", place))
        blocks.append(build_directory(order, entries, place))
        place += len(blocks[-1])
    return b"".join([build_directory(order, tags, start), *blocks])

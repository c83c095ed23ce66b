"""What formats hold besides pixels, and what of a picture a format would lose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from chroma_core.pictures.picture import Picture

__all__ = ["CARRIES", "JPEG_COMMENT", "PNG_TEXTS", "left_out", "room"]

Block = Literal["exif", "xmp", "iptc"]

CARRIES: Mapping[str, frozenset[str]] = {
    "exif": frozenset({"png", "tiff", "jpeg", "webp", "avif"}),
    "xmp": frozenset({"png", "tiff", "jpeg", "webp", "avif"}),
    "iptc": frozenset({"tiff", "jpeg"}),
    "dpi": frozenset({"png", "tiff", "jpeg", "bmp"}),
    "alpha": frozenset({"png", "tiff", "webp", "avif"}),
}
"""Formats that hold each of these; a result in another one cannot have kept it."""

PNG_TEXTS = frozenset({"tEXt", "zTXt", "iTXt"})
JPEG_COMMENT = "COM"

_JPEG_ROOM: Mapping[Block, int] = {"exif": 65533 - 6, "xmp": 65533 - 29, "iptc": 65533 - 14 - 13}
"""Bytes in one segment of a JPEG, behind what says what it is (and one that makes IPTC even)."""

_UNBOUNDED = 1 << 32


def room(format: str, block: Block) -> int:
    """Return how many bytes of a block of metadata a format holds; 0 if it holds none."""
    if format not in CARRIES[block]:
        return 0
    return _JPEG_ROOM[block] if format == "jpeg" else _UNBOUNDED


def left_out(picture: Picture, format: str) -> tuple[str, ...]:
    """Return what of a picture's metadata a format cannot hold, one line each.

    Parameters
    ----------
    picture : Picture
        The picture, as it was read.
    format : str
        One of `chroma_core.pictures.names.FORMATS`.
    """
    lost = []
    blocks: Mapping[Block, bytes] = {
        "exif": picture.exif,
        "xmp": picture.xmp,
        "iptc": picture.iptc,
    }
    for name, block in blocks.items():
        most = room(format, name)
        if len(block) > most:
            holds = f"{most:,} bytes" if most else "none"
            lost.append(f"its {name.upper()} is left out, {format} holds {holds} of it")
    of_png = any(name in PNG_TEXTS for name, _ in picture.texts)
    if of_png and format != "png":
        lost.append(f"its texts are left out, {format} holds none as a PNG does")
    if picture.texts and not of_png and format != "jpeg":
        lost.append(f"its comment is left out, {format} holds none as a JPEG does")
    if picture.dpi is not None and format == "ppm":
        lost.append("its resolution is left out, ppm holds none")
    return tuple(lost)

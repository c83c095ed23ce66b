"""Chunks of a PNG (ISO/IEC 15948, clause 5): walked, checked, sorted into pixels and the rest."""

from __future__ import annotations

import struct
import zlib

from chroma_core.pictures.exif import sane_dpi
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.stored import Stored, cut_short, drop_large, spoilt

__all__ = ["CHANNELS", "SIGNATURE", "PngChunks", "png_chunk"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Channels of each colour type; a palette's indices count as one."""

_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_FOR_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_XMP = b"XML:com.adobe.xmp"
_RAW = b"Raw profile type "
_MOST_TEXTS = 1000


def png_chunk(name: bytes, body: bytes | memoryview) -> bytes:
    """Return a chunk with its length and checksum."""
    checksum = zlib.crc32(body, zlib.crc32(name))
    return b"".join([struct.pack(">I", len(body)), name, body, struct.pack(">I", checksum)])


class PngChunks:
    """What the chunks of a PNG say, those for the pixels kept for the decoder.

    Parameters
    ----------
    data : bytes
        The file.
    limits : Limits
        What may not be passed.
    salvage : bool, optional
        Whether pixels may end early: a chunk that is cut is kept, one that is damaged ends them.

    Raises
    ------
    PictureError
        If chunks are missing or damaged that a picture needs.
    """

    def __init__(self, data: bytes, limits: Limits, *, salvage: bool = False) -> None:
        self.limits = limits
        self.salvage = salvage
        self.kept: list[bytes | memoryview] = []
        self.side: dict[bytes, bytes] = {}
        self.xmp: bytes | None = None
        self.texts: list[tuple[str, bytes]] = []
        self._room = limits.max_metadata
        self.warnings: list[str] = []
        self.pixel_data = False
        self.ended = False
        self.missing = ""
        self.header = (0, 0, 0, 0)
        self._walk(memoryview(data))

    def _walk(self, data: memoryview) -> None:
        """Go through the chunks up to IEND; what lies behind it is no matter."""
        at = len(SIGNATURE)
        while not self.ended:
            if at + 8 > len(data):
                self.missing = f"cut short: the file ends after {len(data):,} bytes, without IEND"
                break
            (length,) = struct.unpack_from(">I", data, at)
            name = bytes(data[at + 4 : at + 8])
            first = at == len(SIGNATURE)
            if first and name != b"IHDR":
                raise spoilt("it begins like a PNG, but no header follows")
            if length > 0x7FFFFFFF or not name.isalpha():
                raise spoilt(f"chunk at byte {at:,} has an impossible length or name")
            whole = data[at : at + 12 + length]
            if len(whole) < 12 + length:
                self._cut(name, whole, 12 + length)
                break
            body = whole[8 : 8 + length]
            (checksum,) = struct.unpack_from(">I", whole, 8 + length)
            if zlib.crc32(whole[4 : 8 + length]) != checksum:
                if name[:1].isupper():
                    self._refuse_checksum(name, at)
                    break
                self.warnings.append(f"{name.decode()} is left out, its checksum is wrong")
            elif name in _FOR_PIXELS:
                self._keep(name, body, whole)
            elif name[:1].isupper():
                raise spoilt(f"it needs a chunk {name.decode()} that no standard knows")
            else:
                self._note(name, body)
            at += 12 + length
        if _has_no_header(self.header):
            raise cut_short(self.missing or "it has no header")

    def _refuse_checksum(self, name: bytes, at: int) -> None:
        """Refuse a chunk for the pixels; a picture to be salvaged ends before it."""
        self.missing = f"checksum of {name.decode()} at byte {at:,} is wrong"
        if not (self.salvage and self.pixel_data):
            raise spoilt(self.missing)

    def _cut(self, name: bytes, piece: memoryview, wanted: int) -> None:
        """Note a file that ends inside a chunk; only the last checksum may be missing."""
        have = len(piece)
        self.missing = f"cut short: {have:,} of {wanted:,} bytes of {name.decode(errors='replace')}"
        if name == b"IEND":
            self.kept.append(png_chunk(b"IEND", b""))
            self.warnings.append("the last bytes of the file are missing")
            self.ended = True
        elif name == b"IDAT":
            self.pixel_data = True
            self.kept.append(png_chunk(name, piece[8 : wanted - 4]))
        elif name not in _FOR_PIXELS and wanted > 0x1000_0000:
            raise spoilt(f"a chunk of {wanted - 12:,} bytes in a file that ends before")

    def _keep(self, name: bytes, body: memoryview, whole: memoryview) -> None:
        """Keep a chunk for the decoder."""
        if name == b"IHDR":
            self._read_header(body)
        self.pixel_data |= name == b"IDAT"
        self.ended = name == b"IEND"
        self.kept.append(whole)

    def _read_header(self, body: memoryview) -> None:
        """Read IHDR."""
        if len(body) != 13 or self.kept:
            raise spoilt("its header is damaged (IHDR)")
        width, height, depth, kind, packing, filters, interlace = struct.unpack(">IIBBBBB", body)
        if depth not in _DEPTHS.get(kind, ()) or packing or filters or interlace > 1:
            raise spoilt(f"its header says colour type {kind} with {depth} bits (IHDR)")
        self.header = (width, height, depth, kind)

    def _note(self, name: bytes, body: memoryview) -> None:
        """Keep what a chunk besides the pixels says."""
        if name in (b"eXIf", b"iCCP", b"pHYs", b"sRGB", b"acTL"):
            if len(body) > self.limits.max_metadata:
                self.warnings.append(f"{name.decode()} is left out, it is larger than allowed")
            else:
                self.side.setdefault(name, bytes(body))
        elif name == b"iTXt" and bytes(body[: len(_XMP)]) == _XMP:
            if self.xmp is None:
                self.xmp = bytes(body[: self.limits.max_metadata + 1])
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            self._note_text(name.decode(), bytes(body[: self._room + 1]))

    def _note_text(self, name: str, body: bytes) -> None:
        """Keep a text as it stands, unless it is too large or would contradict the result."""
        keyword, end, rest = body.partition(b"\0")
        called = keyword[:79].decode("latin-1")
        named = bool(end) and 1 <= len(keyword) <= 79
        packed = {"zTXt": rest[1:], "iTXt": rest[2:].split(b"\0", 2)[-1]}.get(name, b"")
        unfolds = name == "zTXt" or (name == "iTXt" and rest[:1] == b"\x01")
        if keyword.startswith(_RAW):
            # ImageMagick's way of old: the orientation in it would turn the result once more.
            self.warnings.append(f"its text {called!r} is left out")
        elif (
            not named
            or len(self.texts) >= _MOST_TEXTS
            or len(body) > self._room
            or (unfolds and _inflate(packed, self._room) is None)
        ):
            self.warnings.append(f"its text {called!r} is left out, it is damaged or too large")
        else:
            self.texts.append((name, body))
            self._room -= len(body)

    def describe(self, stored: Stored) -> None:
        """Fill in profile, metadata and resolution."""
        stored.warnings += self.warnings
        if b"acTL" in self.side:
            stored.warnings.append("animated: only its first picture is used")
        stored.exif = _without_prefix(self.side.get(b"eXIf", b""))
        if b"sRGB" not in self.side:
            stored.icc = self._profile(stored.warnings)
        if self.xmp is not None:
            stored.xmp = drop_large(self._xmp(self.xmp, stored.warnings), "XMP", self.limits, [])
        stored.texts = self.texts
        physical = self.side.get(b"pHYs", b"")
        if len(physical) == 9 and physical[8] == 1:
            x, y = struct.unpack(">II", physical[:8])
            stored.dpi = sane_dpi(x, y, 0.0254)

    def _profile(self, warnings: list[str]) -> bytes:
        """Return the profile in iCCP; nothing and a warning if it does not inflate."""
        body = self.side.get(b"iCCP", b"")
        if not body:
            return b""
        name, _, rest = body.partition(b"\0")
        del name
        profile = _inflate(rest[1:], self.limits.max_metadata)
        if profile is None:
            warnings.append("its colour profile is damaged or too large, and is ignored")
            return b""
        return profile

    def _xmp(self, body: bytes, warnings: list[str]) -> bytes:
        """Return the text of an XMP chunk."""
        rest = body[len(_XMP) :]
        if len(rest) < 3 or rest[:1] != b"\0":
            return b""
        packed = rest[1] == 1
        _, _, rest = rest[3:].partition(b"\0")
        _, _, text = rest.partition(b"\0")
        if not packed:
            return text
        inflated = _inflate(text, self.limits.max_metadata)
        if inflated is None:
            warnings.append("its XMP is damaged or too large, and is left out")
        return inflated or b""


def _has_no_header(header: tuple[int, int, int, int]) -> bool:
    """Return whether no header was read; its sizes may be wrong, its depth never 0."""
    return header[2] == 0


def _inflate(packed: bytes, most: int) -> bytes | None:
    """Return inflated bytes; None if they are damaged, or more than allowed."""
    try:
        machine = zlib.decompressobj()
        plain = machine.decompress(packed, most + 1)
    except zlib.error:
        return None
    return plain if machine.eof and len(plain) <= most else None


def _without_prefix(exif: bytes) -> bytes:
    """Return EXIF without the prefix that some writers take over from JPEG."""
    return exif[6:] if exif[:6] == b"Exif\0\0" else exif

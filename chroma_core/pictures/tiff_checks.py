"""What a page of a TIFF may not say: looked at before anything of it is unpacked."""

from __future__ import annotations

from typing import Any

from chroma_core.errors import PictureError
from chroma_core.pictures.jpeg import judge_scan
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.stored import check_size, cut_short, spoilt

__all__ = [
    "CHANNELS",
    "check_page",
    "judge_jpeg",
    "judge_jpeg_segment",
    "not_read",
    "refuse_stand_in",
]

_CODECS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34925, 50000}
"""None, fax (2, 3, 4), LZW, JPEG, deflate, PackBits, LZMA, Zstandard."""

_CODEC_NAMES = {6: "old JPEG", 34712: "JPEG 2000", 34887: "LERC", 50001: "WebP", 50002: "JPEG XL"}

CHANNELS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3}
"""Channels of each photometric interpretation, alpha left out."""

_CMYK, _INK_SET, _SUB_DIRECTORIES = 5, 332, 330
_DEVELOP = "develop it first"

_RAW = {32803: "raw data of a camera (CFA)", 34892: "raw data of a camera (LinearRaw)"}


def check_page(page: Any, size: int, limits: Limits, *, salvage: bool = False) -> None:
    """Refuse a page whose tags cannot be true, before anything is unpacked.

    Parameters
    ----------
    page : tifffile.TiffPage
        The page.
    size : int
        Bytes of the file.
    limits : Limits
        What may not be passed.
    salvage : bool, optional
        Whether strips and tiles may lie, or end, outside of the file.

    Raises
    ------
    PictureError
        Saying what is wrong.
    """
    width, height = int(page.imagewidth), int(page.imagelength)
    channels, bits = int(page.samplesperpixel), page.bitspersample
    check_size(width, height, 1, limits)
    photometric = int(page.photometric) if page.photometric is not None else 1
    if photometric in _RAW:
        raise not_read(_RAW[photometric], _DEVELOP)
    if photometric == _CMYK and _ink_set(page) != 1:
        raise not_read("inks other than CMYK", "convert it to RGB")
    if photometric not in CHANNELS:
        raise spoilt(f"its photometric interpretation is {photometric}, which means nothing")
    if isinstance(bits, tuple) or not 1 <= int(bits) <= 64:
        raise spoilt(f"it says {bits} bits a sample")
    if not CHANNELS[photometric] <= channels <= 64:
        raise spoilt(f"it says {channels} channels, wanted {CHANNELS[photometric]} or more")
    check_size(width, height, channels * max(int(bits) // 8, 1), limits)
    codec = int(page.compression)
    if codec not in _CODECS:
        name = _CODEC_NAMES.get(codec, f"number {codec}")
        raise not_read(f"compression {name}", "save it anew with LZW or deflate")
    if int(page.sampleformat or 1) not in (1, 3) and photometric not in (8, 9):
        raise not_read("signed or complex samples", "save it anew with unsigned samples")
    if int(page.imagedepth or 1) != 1:
        raise not_read("a volume", "save its slices one by one")
    _check_segments(page, size, channels * int(bits), salvage)


def refuse_stand_in(page: Any) -> None:
    """Refuse a preview whose picture lies in a directory below it, as cameras write raw files."""
    if page.tags.get(_SUB_DIRECTORIES) is not None:
        raise not_read("nothing but a preview at its top (the raw file of a camera?)", _DEVELOP)


def _ink_set(page: Any) -> int:
    """Return which inks a page is printed with: 1 for CMYK, also where it does not say."""
    tag = page.tags.get(_INK_SET)
    if tag is None:
        return 1
    try:
        return int(tag.value)
    except (TypeError, ValueError):
        return 0


def _check_segments(page: Any, size: int, pixel_bits: int, salvage: bool) -> None:
    """Refuse strips and tiles that are too many, too large, or outside of the file."""
    width, height = int(page.imagewidth), int(page.imagelength)
    planes = int(page.samplesperpixel) if int(page.planarconfig or 1) == 2 else 1
    if page.is_tiled:
        across, down = int(page.tilewidth), int(page.tilelength)
        if across < 1 or down < 1:
            raise spoilt(f"its tiles have {across} x {down} pixels")
        if across > width + 65536 or down > height + 65536 or across * down > 4 * (1 << 26):
            raise spoilt(f"its tiles have {across:,} x {down:,} pixels")
        wanted = -(-width // across) * -(-height // down) * planes
        segment_bits = across * down * pixel_bits // planes
    else:
        rows = min(int(page.rowsperstrip), height)
        if rows < 1:
            raise spoilt(f"its strips have {rows} rows")
        wanted = -(-height // rows) * planes
        segment_bits = 0
    offsets, counts = page.dataoffsets, page.databytecounts
    if len(offsets) < wanted or len(counts) < wanted:
        raise spoilt(f"it lists {len(offsets):,} of {wanted:,} strips or tiles")
    for offset, count in zip(offsets[:wanted], counts[:wanted], strict=True):
        if offset < 8 or count < 1:
            raise spoilt("a strip or tile has no place in the file")
        if offset + count > size and not salvage:
            raise cut_short(f"cut short: pixels lie at byte {offset:,}, the file has {size:,}")
    if int(page.compression) == 1 and not salvage:
        have = sum(int(count) for count in counts[:wanted])
        rows_bits = (width * pixel_bits // planes + 7) // 8 * height * planes
        needed = wanted * ((segment_bits + 7) // 8) if page.is_tiled else rows_bits
        if have < needed:
            raise cut_short(f"cut short: {have:,} of {needed:,} bytes of pixels")


def judge_jpeg(page: Any, data: bytes) -> None:
    """Refuse strips of JPEG that libjpeg would fill up with gray."""
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        judge_jpeg_segment(page, data[offset : offset + count])


def judge_jpeg_segment(page: Any, segment: bytes) -> None:
    """Refuse one strip or tile of JPEG."""
    tables = bytes(page.jpegtables or b"")
    across = int(page.tilewidth if page.is_tiled else page.imagewidth)
    for marker in range(0xC0, 0xC3):
        at = segment.find(bytes((0xFF, marker, 0, 17, 8)))
        if at >= 0 and int.from_bytes(segment[at + 7 : at + 9], "big") > across + 64:
            raise spoilt("a strip or tile is wider than its header says")
    if int(page.bitspersample) == 8:
        judge_scan(segment[:2] + tables[2:-2] + segment[2:])


def not_read(what: str, hint: str) -> PictureError:
    """Return the error of a TIFF of a kind that is not read."""
    return PictureError(f"a TIFF with {what} is not read", kind="unsupported", hint=hint)

"""TIFF and BigTIFF: what a page means is worked out here, tifffile unpacks its strips and tiles.

==============  ======================================  ==========================================
photometric     stored                                  made of it
==============  ======================================  ==========================================
0 MINISWHITE    1 to 16 bits, 32 bits                   inverted
1 MINISBLACK    1 to 32 bits, floats                    full scale of its bits
2 RGB           8 to 32 bits, floats                    full scale of its bits
3 palette       1 to 8 bits, 16-bit colours             colours; 8 bits where they hold no more
5 CMYK          8, 16 bits                              inks
6 YCbCr         JPEG, or 8 bits without subsampling     RGB (TIFF 6.0, section 21)
8 CIELAB        8, 16 bits, floats                      L*, a*, b*
9 ICCLAB        8, 16 bits                              L*, a*, b*
==============  ======================================  ==========================================
"""

from __future__ import annotations

import io
import logging
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.exif import exif_dpi
from chroma_core.pictures.ifd import Value, exif_of_tiff, raw_directory
from chroma_core.pictures.jpeg import judge_scan
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.pnm import full_scale
from chroma_core.pictures.stored import Stored, check_size, cut_short, drop_large, spoilt

__all__ = ["read_tiff"]

_LOCK = threading.Lock()

_CODECS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34925, 50000}
"""None, fax (2, 3, 4), LZW, JPEG, deflate, PackBits, LZMA, Zstandard."""

_CODEC_NAMES = {6: "old JPEG", 34712: "JPEG 2000", 34887: "LERC", 50001: "WebP", 50002: "JPEG XL"}

_CHANNELS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3}
_RAW = {32803: "raw data of a camera (CFA)", 34892: "raw data of a camera (LinearRaw)"}


@dataclass(frozen=True)
class _Layout:
    """Where a file keeps its directories."""

    order: str
    big: bool
    first: int


def read_tiff(data: bytes, limits: Limits) -> Stored:
    """Read the first page of a TIFF that is no preview.

    Raises
    ------
    PictureError
        If it is damaged, cut short, too large, or of a kind that is not read.
    """
    import tifffile

    layout = _layout(data)
    with _quiet_tifffile():
        try:
            # Closed here: tifffile's pages refer to each other, and would keep the file's bytes.
            with io.BytesIO(data) as stream, tifffile.TiffFile(stream) as tiff:
                page, others = _choose_page(tiff, limits)
                _check_page(page, len(data), limits)
                if page.compression == 7:
                    _judge_jpeg(page, data)
                samples = page.asarray(squeeze=False, maxworkers=1)
                stored = _interpret(page, samples)
                icc = _tag_bytes(page, 34675)
                xmp, iptc = _tag_bytes(page, 700), _tag_bytes(page, 33723)
                offset = int(page.offset)
        except PictureError:
            raise
        except MemoryError as error:
            raise PictureError("there is not enough memory for it", kind="memory") from error
        except Exception as error:
            raise _decoder_error(error) from error
    tags = raw_directory(data, layout.order, offset, big=layout.big)
    stored.exif = exif_of_tiff(data, layout.order, tags, big=layout.big)
    stored.orientation = _orientation(tags.get(274), layout.order)
    stored.dpi = exif_dpi(stored.exif)
    stored.icc = drop_large(icc, "its colour profile", limits, stored.warnings)
    stored.xmp = drop_large(xmp, "XMP", limits, stored.warnings)
    stored.iptc = drop_large(iptc, "IPTC", limits, stored.warnings)
    if others:
        stored.warnings.append("it has more than one page: only the first is used")
    return stored


@contextmanager
def _quiet_tifffile() -> Iterator[None]:
    """Keep tifffile from writing to the log: what matters is raised."""
    logger = logging.getLogger("tifffile")
    with _LOCK:
        before, logger.disabled = logger.disabled, True
        try:
            yield
        finally:
            logger.disabled = before


def _layout(data: bytes) -> _Layout:
    """Read the header, and look whether the first directory lies in the file."""
    order = "<" if data[:1] == b"I" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    if len(data) < (16 if big else 8):
        raise cut_short(f"cut short: the file has {len(data)} bytes")
    (first,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    if first < 8:
        raise spoilt(f"its first directory is said to lie at byte {first}")
    if first + 2 > len(data):
        raise cut_short(f"cut short: {len(data):,} bytes, its directory lies at byte {first:,}")
    return _Layout(order, big, first)


def _choose_page(tiff: Any, limits: Limits) -> tuple[Any, bool]:
    """Return the first page that is neither preview nor mask, and whether there are more."""
    kept = None
    for index in range(limits.max_pages):
        try:
            page = tiff.pages.get(index, validate=False, aspage=True)
        except IndexError:
            break
        except Exception:
            if kept is not None:
                break
            raise
        if int(page.subfiletype) & 5:
            continue
        if kept is not None:
            return kept, True
        kept = page
    return (kept, False) if kept is not None else (tiff.pages.get(0, aspage=True), False)


def _check_page(page: Any, size: int, limits: Limits) -> None:
    """Refuse a page whose tags cannot be true, before anything is unpacked."""
    width, height = int(page.imagewidth), int(page.imagelength)
    channels, bits = int(page.samplesperpixel), page.bitspersample
    check_size(width, height, 1, limits)
    photometric = int(page.photometric) if page.photometric is not None else 1
    if photometric in _RAW:
        raise _not_read(_RAW[photometric], "develop it first")
    if photometric not in _CHANNELS:
        raise spoilt(f"its photometric interpretation is {photometric}, which means nothing")
    if isinstance(bits, tuple) or not 1 <= int(bits) <= 64:
        raise spoilt(f"it says {bits} bits a sample")
    if not _CHANNELS[photometric] <= channels <= 64:
        raise spoilt(f"it says {channels} channels, wanted {_CHANNELS[photometric]} or more")
    check_size(width, height, channels * max(int(bits) // 8, 1), limits)
    codec = int(page.compression)
    if codec not in _CODECS:
        name = _CODEC_NAMES.get(codec, f"number {codec}")
        raise _not_read(f"compression {name}", "save it anew with LZW or deflate")
    if int(page.sampleformat or 1) not in (1, 3) and photometric not in (8, 9):
        raise _not_read("signed or complex samples", "save it anew with unsigned samples")
    if int(page.imagedepth or 1) != 1:
        raise _not_read("a volume", "save its slices one by one")
    _check_segments(page, size, channels * int(bits))


def _check_segments(page: Any, size: int, pixel_bits: int) -> None:
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
        if offset + count > size:
            raise cut_short(f"cut short: pixels lie at byte {offset:,}, the file has {size:,}")
    if int(page.compression) == 1:
        have = sum(int(count) for count in counts[:wanted])
        rows_bits = (width * pixel_bits // planes + 7) // 8 * height * planes
        needed = wanted * ((segment_bits + 7) // 8) if page.is_tiled else rows_bits
        if have < needed:
            raise cut_short(f"cut short: {have:,} of {needed:,} bytes of pixels")


def _judge_jpeg(page: Any, data: bytes) -> None:
    """Refuse strips of JPEG that libjpeg would fill up with gray."""
    tables = bytes(page.jpegtables or b"")
    across = int(page.tilewidth if page.is_tiled else page.imagewidth)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        segment = data[offset : offset + count]
        stream = segment[:2] + tables[2:-2] + segment[2:]
        for marker in range(0xC0, 0xC3):
            at = segment.find(bytes((0xFF, marker, 0, 17, 8)))
            if at >= 0 and int.from_bytes(segment[at + 7 : at + 9], "big") > across + 64:
                raise spoilt("a strip or tile is wider than its header says")
        if int(page.bitspersample) == 8:
            judge_scan(stream)


def _interpret(page: Any, samples: PixelArray) -> Stored:
    """Return samples as what they mean; `samples` is (planes, depth, H, W, channels)."""
    planes, _, height, width, channels = samples.shape
    if planes > 1:
        image = np.moveaxis(samples[:, 0, ..., 0], 0, -1)
    else:
        image = samples.reshape(height, width, channels)
    photometric = int(page.photometric) if page.photometric is not None else 1
    used = _CHANNELS[photometric]
    bits = int(page.bitspersample)
    depth = 8 if bits <= 8 else 16
    if photometric in (8, 9):
        return _lab(page, image[..., :3], photometric, bits)
    if photometric == 3:
        return _palette(page, image[..., 0], bits)
    alpha, associated = _alpha(page, image, used)
    color = image[..., :used]
    if photometric == 6 and int(page.compression) != 7:
        color = _ycbcr(page, color)
    stored = Stored(format="tiff", color="gray", samples=_scaled(color, bits), depth=depth)
    if alpha is not None:
        stored.alpha = _scaled(alpha, bits)
    if photometric == 0:
        stored.samples = _inverted(stored.samples)
    if associated and stored.alpha is not None:
        stored.samples = _straight(stored.samples, stored.alpha)
    if used == 1:
        stored.samples = stored.samples[..., 0]
    else:
        stored.color = "cmyk" if photometric == 5 else "rgb"
    if photometric == 5 and int(getattr(page, "inkset", 1) or 1) != 1:
        raise _not_read("inks other than CMYK", "convert it to RGB")
    return stored


def _scaled(codes: PixelArray, bits: int) -> PixelArray:
    """Return code values at full scale of uint8 or uint16, or floats as they are."""
    if codes.dtype.kind == "f":
        return codes
    if codes.dtype == bool:
        return codes.astype(np.uint8) * np.uint8(255)
    if bits in (8, 16):
        return codes
    if bits < 16:
        return full_scale(
            np.minimum(codes, (1 << bits) - 1), (1 << bits) - 1, 8 if bits < 8 else 16
        )
    if bits in (24, 32, 64):
        top = float((1 << bits) - 1)
        return np.rint(codes.astype(np.float64) * (65535.0 / top)).astype(np.uint16)
    raise _not_read(f"{bits} bits a sample", "save it anew with 16")


def _inverted(codes: PixelArray) -> PixelArray:
    """Return samples in which 0 is black, of samples in which it is white."""
    top: Any = 1 if codes.dtype.kind == "f" else np.iinfo(codes.dtype).max
    inverted: PixelArray = codes.dtype.type(top) - codes
    return inverted


def _alpha(page: Any, image: PixelArray, used: int) -> tuple[PixelArray | None, bool]:
    """Return the first alpha channel, and whether colours are multiplied by it."""
    for index, kind in enumerate(page.extrasamples or ()):
        if int(kind) in (1, 2) and used + index < image.shape[2]:
            return image[..., used + index], int(kind) == 1
    return None, False


def _straight(samples: PixelArray, alpha: PixelArray) -> PixelArray:
    """Return colours divided by alpha; where it is 0 nothing is known, and they stay."""
    top = 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)
    share = alpha[..., np.newaxis].astype(np.float64) / top
    with np.errstate(divide="ignore", invalid="ignore"):
        divided = np.where(share > 0, samples / share, samples)
    if samples.dtype.kind == "f":
        return np.clip(divided, 0, 1).astype(samples.dtype)
    codes: PixelArray = np.rint(np.clip(divided, 0, top)).astype(samples.dtype)
    return codes


def _palette(page: Any, indices: PixelArray, bits: int) -> Stored:
    """Return colours of a palette."""
    colors = np.asarray(page.colormap)
    if colors.ndim != 2 or colors.shape[0] != 3 or colors.shape[1] < (1 << bits):
        raise spoilt("its palette is too short")
    table = colors.T.astype(np.uint16)
    # TIFF says 16 bits; many writers put 8-bit values there, either times 256 or times 257.
    if not np.any(table & 0xFF) or np.array_equal(table >> 8, table & 0xFF):
        samples = (table >> 8).astype(np.uint8)[indices]
        return Stored(format="tiff", color="rgb", samples=samples, depth=8)
    if int(table.max()) < 256:
        return Stored(format="tiff", color="rgb", samples=table.astype(np.uint8)[indices], depth=8)
    return Stored(format="tiff", color="rgb", samples=table[indices], depth=16)


def _ycbcr(page: Any, codes: PixelArray) -> PixelArray:
    """Return RGB of YCbCr that is not subsampled, 8 bits (TIFF 6.0, section 21, its defaults)."""
    if codes.dtype != np.uint8:
        raise _not_read("YCbCr of more than 8 bits", "convert it to RGB")
    red, blue = 0.299, 0.114
    y, cb, cr = (codes[..., i].astype(np.float32) - (128 if i else 0) for i in range(3))
    r = y + cr * (2 - 2 * red)
    b = y + cb * (2 - 2 * blue)
    g = (y - blue * b - red * r) / (1 - red - blue)
    rgb: PixelArray = np.clip(np.rint(np.stack([r, g, b], -1)), 0, 255).astype(np.uint8)
    return rgb


def _lab(page: Any, codes: PixelArray, photometric: int, bits: int) -> Stored:
    """Return L*, a*, b* in float32."""
    if codes.dtype.kind == "f":
        lab = codes.astype(np.float32)
    elif bits in (8, 16):
        steps = np.float32(1 << (bits - 8))
        unsigned, signed = (np.uint8, np.int8) if bits == 8 else (np.uint16, np.int16)
        plain = np.ascontiguousarray(codes).view(unsigned)
        top = (1 << bits) - 1 if photometric == 8 or bits == 8 else 0xFF00
        lab = np.empty(codes.shape, np.float32)
        lab[..., 0] = plain[..., 0].astype(np.float32) * np.float32(100 / top)
        if photometric == 8:
            lab[..., 1:] = plain[..., 1:].view(signed).astype(np.float32) / steps
        else:
            lab[..., 1:] = plain[..., 1:].astype(np.float32) / steps - 128
    else:
        raise _not_read(f"CIELAB of {bits} bits", "convert it to RGB")
    stored = Stored(format="tiff", color="lab", samples=lab, depth=8 if bits == 8 else 16)
    white = page.tags.get(318)
    if white is not None and len(white.value) == 4:
        x, x_below, y, y_below = (int(part) for part in white.value)
        if x_below and y_below and 0.1 < x / x_below < 0.8 and 0.1 < y / y_below < 0.8:
            stored.white_point = (x / x_below, y / y_below)
    return stored


def _tag_bytes(page: Any, number: int) -> bytes:
    """Return the bytes of a tag; nothing if it is not there or cannot be read."""
    tag = page.tags.get(number)
    if tag is None:
        return b""
    try:
        raw = tag.value
        if isinstance(raw, bytes):
            return raw
        if isinstance(raw, str):
            return raw.encode()
        # Photoshop writes IPTC as LONG: the numbers' bytes in the order of the file.
        size = 4 if int(tag.dtype) in (4, 9, 13) else 1
        order = "little" if page.parent.byteorder == "<" else "big"
        return b"".join(int(part).to_bytes(size, order) for part in raw)  # type: ignore[arg-type]  # one of the two literals
    except Exception:
        return b""


def _orientation(value: Value | None, order: str) -> int | None:
    """Return the orientation, 0 where it cannot be meant, None where there is none."""
    if value is None:
        return None
    if value.type != 3 or value.count != 1:
        return 0
    (number,) = struct.unpack(order + "H", value.data)
    return int(number) if 1 <= number <= 8 else 0


def _not_read(what: str, hint: str) -> PictureError:
    """Return the error of a TIFF of a kind that is not read."""
    return PictureError(f"a TIFF with {what} is not read", kind="unsupported", hint=hint)


def _decoder_error(error: Exception) -> PictureError:
    """Return what tifffile says as one of our errors."""
    text = (str(error) or type(error).__name__).splitlines()[0][:200]
    if "cannot be reshaped" in text or "too small" in text or "truncated" in text.lower():
        return cut_short(f"cut short: there are fewer pixels than its header says ({text})")
    return spoilt(f"it cannot be decoded ({text})")

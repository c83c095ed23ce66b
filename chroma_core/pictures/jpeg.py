"""JPEG (ITU-T T.81): segments are walked here, and the decoder gets those for pixels alone.

libjpeg only counts a warning where scan data end early, and paints the rest gray. simplejpeg's
strict mode makes such warnings errors. Marker segments that hold metadata never reach it, so that
what it complains of is always the picture itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from chroma_core.errors import PictureError
from chroma_core.pictures.exif import exif_dpi, exif_orientation, photoshop_iptc, sane_dpi
from chroma_core.pictures.jpeg_salvage import salvaged_pixels
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.picture import JpegTables
from chroma_core.pictures.reading import PLAIN, Reading
from chroma_core.pictures.stored import Stored, check_size, cut_short, drop_large, spoilt

__all__ = ["ZIGZAG", "judge_scan", "read_jpeg"]

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_READ_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_FRAME_KINDS = {
    **dict.fromkeys((0xC3, 0xC7, 0xCB, 0xCF), "lossless"),
    **dict.fromkeys((0xC5, 0xC6, 0xCD, 0xCE), "hierarchical"),
}
_ALONE = {0x01, *range(0xD0, 0xD8)}

_MOST_COMMENTS = 100
_EXTENDED = "its XMP beyond 64 KiB (ExtendedXMP) is left out"

_SHARES = {(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4)}
"""How many times less chroma than luma there is, across and down, that TurboJPEG knows."""

ZIGZAG = tuple(
    row * 8 + col
    for row, col in sorted(
        ((row, col) for row in range(8) for col in range(8)),
        key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]),
    )
)
"""Place in the 8 x 8 table of the k-th number in zigzag order (T.81, figure A.6)."""


@dataclass
class _Segments:
    """What the segments of a JPEG say."""

    kept: list[bytes | memoryview] = field(default_factory=list)
    frame: tuple[int, int, int, int, int] | None = None
    factors: tuple[tuple[int, int], ...] = ()
    scans: int = 0
    ended: bool = False
    tables: dict[int, tuple[int, ...]] = field(default_factory=dict)
    adobe: bool = False
    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    comments: list[bytes] = field(default_factory=list)
    dpi: tuple[float, float] | None = None
    profile: dict[int, bytes] = field(default_factory=dict)
    profile_parts: int = 0
    warnings: list[str] = field(default_factory=list)


def read_jpeg(data: bytes, limits: Limits, reading: Reading = PLAIN) -> Stored:
    """Read a JPEG: gray, YCbCr or RGB, CMYK or YCCK, of 8 bits; baseline or progressive.

    Raises
    ------
    PictureError
        If it is damaged, cut short, too large, or of a kind that is not read.
    """
    import simplejpeg

    found = _walk(memoryview(data), limits)
    if found.frame is None:
        if len(data) < 64 or not found.ended:
            raise cut_short(f"cut short: the file ends after {len(data):,} bytes, before a picture")
        raise spoilt("there is no picture in it")
    marker, _precision, height, width, components = found.frame
    if not found.scans:
        raise cut_short("cut short: the pixels are missing")
    missing = ""
    if not found.ended:
        if marker in (0xC2, 0xCA):
            missing = "cut short: the end of the progressive picture is missing"
            if not reading.salvage:
                raise cut_short(missing)
        found.warnings.append("its end mark is missing")
    space = {1: "GRAY", 3: "RGB", 4: "CMYK"}[components]
    stream = b"".join([*found.kept, b"\xff\xd9"])
    try:
        try:
            samples = simplejpeg.decode_jpeg(stream, colorspace=space, strict=True)
        except ValueError as error:
            # Pixels may end in zeros, too: only where libjpeg has bytes left they are padding.
            if "extraneous byte" not in str(error):
                raise
            plain = [_without_padding(part) for part in found.kept]
            stream = b"".join([*plain, b"\xff\xd9"])
            samples = simplejpeg.decode_jpeg(stream, colorspace=space, strict=True)
            found.warnings.append("there are stray bytes between its segments")
    except ValueError as error:
        # TurboJPEG says the same of a damaged header: its own words alone do not tell.
        if "subsampling level" in str(error) and _oddly_sampled(found.factors):
            said = ", ".join(f"{across} x {down}" for across, down in found.factors)
            raise PictureError(
                f"a JPEG whose channels are sampled {said} is not read",
                kind="unsupported",
                hint="convert it to PNG or TIFF",
            ) from error
        if not reading.salvage or not any(map(_is_scan, found.kept)):
            raise _decoder_error(error) from error
        samples, missing = salvaged_pixels(stream, space, _decoder_error(error))
    if samples.shape[:2] != (height, width):
        raise spoilt(f"it decodes to {samples.shape[1]} x {samples.shape[0]} pixels")
    stored = Stored(format="jpeg", color="rgb", samples=samples, warnings=found.warnings)
    if components == 1:
        stored.color, stored.samples = "gray", samples[..., 0]
    elif components == 4:
        # Adobe writes inks inverted, and nearly all CMYK JPEGs carry its marker.
        stored.color, stored.samples = "cmyk", 255 - samples if found.adobe else samples
    _describe(stored, found, limits)
    stored.salvaged = missing
    return stored


def judge_scan(stream: bytes) -> None:
    """Raise PictureError where libjpeg would warn and go on."""
    import simplejpeg

    try:
        simplejpeg.decode_jpeg(stream, colorspace="GRAY", strict=True)
    except ValueError as error:
        if "color conversion" in str(error):
            return
        raise _decoder_error(error) from error


def _walk(data: memoryview, limits: Limits) -> _Segments:
    """Go through the segments up to the end of the first picture."""
    found = _Segments(kept=[b"\xff\xd8"])
    at = 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            if not found.scans:
                raise spoilt(f"it begins like a JPEG, but byte {at:,} is no marker")
            found.warnings.append("there are stray bytes between its segments")
            at = _next_marker(data, at)
            continue
        marker = data[at + 1]
        if marker in (0xFF, 0x00) or marker in _ALONE:
            if marker == 0x00:
                raise spoilt(f"byte {at:,} is no marker")
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            found.ended = True
            break
        if marker == 0xD8:
            raise spoilt("a second picture begins inside the first")
        if at + 4 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, at + 2)
        whole = data[at : at + 2 + length]
        if length < 2 or len(whole) < 2 + length:
            if length < 2:
                raise spoilt(f"segment {marker:02X} at byte {at:,} has an impossible length")
            break
        _take(found, marker, whole, limits)
        at += 2 + length
        if marker == 0xDA:
            end = _scan_end(data, at)
            found.kept.append(data[at:end])
            found.scans += 1
            if found.scans > limits.max_scans:
                raise PictureError(
                    f"it has more than {limits.max_scans} scans, each of which costs a whole "
                    "decoding",
                    kind="too-large",
                    hint="CHROMA_MAX_SCANS, or save it anew",
                )
            at = end
    return found


def _take(found: _Segments, marker: int, whole: memoryview, limits: Limits) -> None:
    """Note what a segment says, and keep it for the decoder if it is about pixels."""
    body = whole[4:]
    if marker in _FRAMES:
        _take_frame(found, marker, body, limits)
    elif marker == 0xDB:
        _take_tables(found, body)
    elif marker == 0xDA and found.frame is None:
        raise spoilt("pixels come before the header that describes them")
    if 0xE0 <= marker <= 0xEF or marker == 0xFE:
        _take_metadata(found, marker, bytes(body), limits)
        jfif = marker == 0xE0 and bytes(body[:5]) == b"JFIF\0" and len(body) >= 14
        adobe = marker == 0xEE and bytes(body[:5]) == b"Adobe" and len(body) >= 12
        if not (jfif or adobe):
            return
        found.adobe |= adobe
    found.kept.append(whole)


def _take_frame(found: _Segments, marker: int, body: memoryview, limits: Limits) -> None:
    """Read the header of a frame and refuse what is not read."""
    if len(body) < 6:
        raise spoilt("its header is damaged (SOF)")
    precision, height, width, components = struct.unpack_from(">BHHB", body)
    if found.frame is not None:
        raise spoilt("it has two headers (SOF)")
    if len(body) != 6 + 3 * components or components == 0:
        raise spoilt(f"its header is damaged (SOF with {components} components)")
    check_size(width, height, max(components, 3), limits)
    if marker not in _READ_FRAMES or precision != 8:
        what = _FRAME_KINDS.get(marker, f"of {precision} bits")
        raise PictureError(
            f"a JPEG that is {what} (SOF{marker - 0xC0}) is not read",
            kind="unsupported",
            hint="convert it to PNG or TIFF",
        )
    if components not in (1, 3, 4):
        raise spoilt(f"its header says {components} channels (SOF)")
    found.factors = tuple((code >> 4, code & 15) for code in body[7::3])
    for across, down in found.factors:
        if not (1 <= across <= 4 and 1 <= down <= 4):
            raise spoilt(f"its header is damaged (SOF with samples of {across} x {down})")
    found.frame = (marker, precision, height, width, components)


def _oddly_sampled(factors: tuple[tuple[int, int], ...]) -> bool:
    """Return whether channels are of sizes that no decoder here knows, though T.81 allows them."""
    luma = factors[0]
    shares = {(luma[0] / across, luma[1] / down) for across, down in factors[1:3]}
    return len(factors) > 1 and not (len(shares) == 1 and shares <= _SHARES)


def _take_tables(found: _Segments, body: memoryview) -> None:
    """Read quantisation tables (DQT)."""
    at = 0
    while at < len(body):
        wide, identity = body[at] >> 4, body[at] & 15
        form = ">64H" if wide else ">64B"
        if wide > 1 or at + 1 + struct.calcsize(form) > len(body):
            raise spoilt("its quantisation tables are damaged (DQT)")
        numbers = struct.unpack_from(form, body, at + 1)
        table = [0] * 64
        for place, number in zip(ZIGZAG, numbers, strict=True):
            table[place] = number
        found.tables[identity] = tuple(table)
        at += 1 + struct.calcsize(form)


def _take_metadata(found: _Segments, marker: int, body: bytes, limits: Limits) -> None:
    """Keep EXIF, XMP, IPTC, profile and resolution."""
    if marker == 0xE0 and body[:5] == b"JFIF\0" and len(body) >= 12:
        unit, x, y = struct.unpack_from(">BHH", body, 7)
        found.dpi = sane_dpi(x, y, {1: 1.0, 2: 2.54}.get(unit, 0.0))
    elif marker == 0xE1 and body[:6] == b"Exif\0\0":
        found.exif = found.exif or body[6:]
    elif marker == 0xE1 and body[:29] == b"http://ns.adobe.com/xap/1.0/\0":
        found.xmp = found.xmp or body[29:]
    elif marker == 0xE1 and body[:35] == b"http://ns.adobe.com/xmp/extension/\0":
        if _EXTENDED not in found.warnings:
            found.warnings.append(_EXTENDED)
    elif marker == 0xFE:
        size = sum(map(len, found.comments)) + len(body)
        if size <= limits.max_metadata and len(found.comments) < _MOST_COMMENTS:
            found.comments.append(body)
    elif marker == 0xED and body[:14] == b"Photoshop 3.0\0":
        found.iptc = found.iptc or photoshop_iptc(body[14:])
    elif marker == 0xE2 and body[:12] == b"ICC_PROFILE\0" and len(body) > 14:
        size = sum(map(len, found.profile.values())) + len(body)
        if size <= limits.max_metadata:
            found.profile_parts = max(found.profile_parts, body[13])
            found.profile[body[12]] = body[14:]


def _describe(stored: Stored, found: _Segments, limits: Limits) -> None:
    """Fill in what the segments said."""
    stored.exif = drop_large(found.exif, "EXIF", limits, stored.warnings)
    stored.xmp = drop_large(found.xmp, "XMP", limits, stored.warnings)
    stored.iptc = drop_large(found.iptc, "IPTC", limits, stored.warnings)
    stored.texts = [("COM", comment) for comment in found.comments]
    stored.orientation = exif_orientation(stored.exif)
    stored.dpi = found.dpi or exif_dpi(stored.exif)
    stored.jpeg_tables = _tables(found.tables)
    if found.profile:
        wanted = range(1, found.profile_parts + 1)
        if sorted(found.profile) == list(wanted):
            stored.icc = b"".join(found.profile[part] for part in wanted)
        else:
            stored.warnings.append("parts of its colour profile are missing, and it is ignored")


def _tables(tables: dict[int, tuple[int, ...]]) -> JpegTables | None:
    """Return the tables in order, if all can stand in a baseline JPEG."""
    if not tables or any(not 1 <= number <= 255 for t in tables.values() for number in t):
        return None
    return tuple(tables[identity] for identity in sorted(tables))[:2]


def _scan_end(data: memoryview, at: int) -> int:
    """Return where entropy-coded data end: at a marker that is neither stuffing nor a restart."""
    codes = np.frombuffer(data, dtype=np.uint8)
    step = 1 << 20
    while at < len(data):
        window = codes[at : at + step + 1]
        marks = np.flatnonzero((window[:-1] == 0xFF) & (window[1:] != 0) & (window[1:] != 0xFF))
        for mark in marks:
            if not 0xD0 <= window[mark + 1] <= 0xD7:
                return at + int(mark)
        at += step
    return len(data)


def _is_scan(part: bytes | memoryview) -> bool:
    """Tell entropy-coded data, any at all, from a segment whose length counts every byte."""
    return len(part) > 0 and (part[:1] != b"\xff" or part[:2] == b"\xff\x00")


def _without_padding(scan: bytes | memoryview) -> bytes | memoryview:
    """Return entropy-coded data without zeros behind them, which some cameras write."""
    if not _is_scan(scan):
        return scan
    end = len(scan)
    while end > 1 and scan[end - 1] == 0 and scan[end - 2] == 0:
        end -= 1
    if end > 1 and scan[end - 1] == 0 and scan[end - 2] != 0xFF:
        end -= 1
    return scan[:end]


def _next_marker(data: memoryview, at: int) -> int:
    """Return where the next marker begins."""
    codes = np.frombuffer(data, dtype=np.uint8)[at:]
    marks = np.flatnonzero((codes[:-1] == 0xFF) & (codes[1:] >= 0xC0) & (codes[1:] != 0xFF))
    return at + int(marks[0]) if len(marks) else len(data)


def _decoder_error(error: ValueError) -> PictureError:
    """Return what libjpeg says as one of our errors."""
    text = str(error).splitlines()[0] if str(error) else "no reason given"
    if "remature end" in text:
        return cut_short(f"cut short: the pixels end too early ({text})")
    if "not supported" in text.lower() or "unsupported" in text.lower():
        return PictureError(
            f"a JPEG of this kind is not read ({text})",
            kind="unsupported",
            hint="convert it to PNG or TIFF",
        )
    return spoilt(f"its pixels are damaged ({text})")

"""PBM, PGM, PPM, PAM and PFM: read here, in a few lines, exactly."""

from __future__ import annotations

import math
import re

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.floats import on_unit_scale
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.reading import PLAIN, Reading
from chroma_core.pictures.stored import Stored, check_size, cut_short, spoilt

__all__ = ["full_scale", "read_pnm"]

_TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r]?)*([^\s#]{1,40})")
_PAM_ALPHA = {b"GRAYSCALE_ALPHA", b"RGB_ALPHA", b"BLACKANDWHITE_ALPHA"}


def read_pnm(data: bytes, limits: Limits, reading: Reading = PLAIN) -> Stored:
    """Read a picture of the Netpbm family; values are brought to full scale.

    Raises
    ------
    PictureError
        If it is damaged, cut short or too large.
    """
    kind = data[1:2]
    if kind == b"7":
        return _read_pam(data, limits)
    if kind in b"Ff":
        return _read_pfm(data, limits, reading)
    plain, bits = kind in b"123", kind in b"14"
    channels = 3 if kind in b"36" else 1
    (width, height, *rest), at = _numbers(data, 2, 2 if bits else 3)
    top = rest[0] if rest else 1
    if not 1 <= top <= 65535:
        raise spoilt(f"its header says a maximum of {top}")
    check_size(width, height, channels * (2 if top > 255 else 1), limits)
    shape = (height, width, channels) if channels == 3 else (height, width)
    if plain:
        codes = _text_values(data, at, math.prod(shape), bits).reshape(shape)
    elif bits:
        stride = (width + 7) // 8
        rows = _raw(data, at + 1, stride * height).reshape(height, stride)
        codes = np.unpackbits(rows, axis=1, count=width)
    else:
        wide = 2 if top > 255 else 1
        raw = _raw(data, at + 1, math.prod(shape) * wide)
        codes = raw.view(">u2" if wide == 2 else np.uint8).reshape(shape)
    codes = 1 - codes.astype(np.uint8) if bits else codes
    return _finish(codes, top, None)


def _read_pam(data: bytes, limits: Limits) -> Stored:
    """Read a PAM."""
    head, mark, _ = data[: 1 << 16].partition(b"ENDHDR\n")
    if not mark:
        raise cut_short("cut short: its header does not end")
    words = dict(
        line.split(None, 1) for line in head.splitlines()[1:] if len(line.split(None, 1)) == 2
    )
    try:
        width, height, channels, top = (
            int(words[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")
        )
    except (KeyError, ValueError) as error:
        raise spoilt("its header is damaged") from error
    if not 1 <= channels <= 4 or not 1 <= top <= 65535:
        raise spoilt(f"its header says {channels} channels and a maximum of {top}")
    wide = 2 if top > 255 else 1
    check_size(width, height, channels * wide, limits)
    raw = _raw(data, len(head) + len(mark), width * height * channels * wide)
    codes = raw.view(">u2" if wide == 2 else np.uint8).reshape(height, width, channels)
    named_alpha = words.get(b"TUPLTYPE", b"").strip() in _PAM_ALPHA
    alpha = None
    if channels in (2, 4):
        if named_alpha or b"TUPLTYPE" not in words:
            alpha = codes[..., -1]
        codes = codes[..., :-1]
    return _finish(codes[..., 0] if codes.shape[2] == 1 else codes, top, alpha)


def _read_pfm(data: bytes, limits: Limits, reading: Reading) -> Stored:
    """Read a PFM: floats, the last row first."""
    channels = 3 if data[1:2] == b"F" else 1
    at, words = 2, []
    for _ in range(3):
        found = _TOKEN.match(data, at)
        if found is None:
            raise cut_short("cut short: its header does not end")
        words.append(found[1])
        at = found.end()
    try:
        width, height, scale = int(words[0]), int(words[1]), float(words[2])
    except ValueError as error:
        raise spoilt("its header is damaged") from error
    if not math.isfinite(scale) or scale == 0:
        raise spoilt(f"its header says a scale of {scale}")
    check_size(width, height, 4 * channels, limits)
    raw = _raw(data, at + 1, width * height * channels * 4).view("<f4" if scale < 0 else ">f4")
    shape = (height, width, 3) if channels == 3 else (height, width)
    samples = np.ascontiguousarray(raw.reshape(shape)[::-1], dtype=np.float32)
    stored = Stored(format="pnm", color="gray", samples=samples, depth=16)
    stored.color = "rgb" if channels == 3 else "gray"
    stored.samples = on_unit_scale(samples, reading, stored.warnings)
    return stored


def _numbers(data: bytes, at: int, count: int) -> tuple[list[int], int]:
    """Return numbers of a header, and where the last one ends."""
    numbers = []
    for _ in range(count):
        found = _TOKEN.match(data, at)
        if found is None:
            raise cut_short("cut short: its header does not end")
        if not found[1].isdigit():
            raise spoilt(f"its header holds {found[1]!r} where a number should be")
        numbers.append(int(found[1]))
        at = found.end()
    return numbers, at


def _raw(data: bytes, at: int, wanted: int) -> PixelArray:
    """Return so many bytes from a place."""
    have = max(len(data) - at, 0)
    if have < wanted:
        raise cut_short(f"cut short: {have:,} of {wanted:,} bytes of pixels")
    return np.frombuffer(data, dtype=np.uint8, count=wanted, offset=at)


def _text_values(data: bytes, at: int, wanted: int, bits: bool) -> PixelArray:
    """Return values that are written as text; bits need no blanks between."""
    if len(data) - at < wanted:
        raise cut_short(f"cut short: {len(data) - at:,} characters for {wanted:,} values")
    text = re.sub(rb"#[^\n\r]*", b"", data[at:])
    if bits:
        text = b" ".join(text[i : i + 1] for i in range(len(text)) if text[i : i + 1] in b"01")
    words = text.split()[:wanted]
    if len(words) < wanted:
        raise cut_short(f"cut short: {len(words):,} of {wanted:,} values")
    try:
        values = np.array(words).astype(np.int64)
    except (ValueError, OverflowError) as error:
        raise spoilt("its pixels hold something that is no number") from error
    if values.min() < 0 or values.max() > 65535:
        raise spoilt(f"its pixels go from {values.min()} to {values.max()}")
    return values


def _finish(codes: PixelArray, top: int, alpha: PixelArray | None) -> Stored:
    """Return codes at full scale."""
    if int(codes.max()) > top:
        raise PictureError(
            f"its pixels go up to {int(codes.max())}, its header says {top}", kind="corrupt"
        )
    depth = 16 if top > 255 else 8
    return Stored(
        format="pnm",
        color="rgb" if codes.ndim == 3 else "gray",
        samples=full_scale(codes, top, depth),
        alpha=None if alpha is None else full_scale(alpha, top, depth),
        depth=depth,
    )


def full_scale(codes: PixelArray, top: int, depth: int) -> PixelArray:
    """Return code values whose largest is `top` as uint8 or uint16 at full scale, rounded."""
    most = (1 << depth) - 1
    dtype = np.uint8 if depth == 8 else np.uint16
    if top == most:
        return codes.astype(dtype)
    levels = (np.arange(top + 1, dtype=np.int64) * most + top // 2) // top
    scaled: PixelArray = levels.astype(dtype)[codes]
    return scaled

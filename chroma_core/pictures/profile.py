"""Colour profiles (ICC.1:2022): from a file's own colours to sRGB.

LittleCMS does the arithmetic, in floats: at 16 bits its default optimisation is wrong by up to
0.038 of full scale for a linear gray profile. Gray goes through a table of all code values.
"""

from __future__ import annotations

import functools
import struct
from typing import Any

import numpy as np

from chroma_core.arrays import FloatArray, PixelArray
from chroma_core.pictures.picture import to_codes
from chroma_core.pictures.stored import ColorModel, Stored

__all__ = ["apply_profile", "profile_name", "srgb_profile"]

_SPACES: dict[bytes, ColorModel] = {b"GRAY": "gray", b"RGB ": "rgb", b"CMYK": "cmyk"}

_SAME = 1.5e-3
"""A profile that moves no colour by more than this is sRGB under another maker's name."""

_ROWS_AT_ONCE = 1 << 20


def apply_profile(stored: Stored) -> str:
    """Bring samples to sRGB by their profile, in place; return what was done, in words.

    A profile that is damaged, or of another kind than the samples, is ignored with a warning.
    """
    if not stored.icc:
        return ""
    space = _SPACES.get(stored.icc[16:20])
    if len(stored.icc) < 132 or stored.icc[36:40] != b"acsp" or space is None:
        stored.warnings.append("its colour profile is damaged, and is ignored")
        return "damaged profile ignored"
    if space != stored.color:
        stored.warnings.append(
            f"its colour profile is for {space}, the picture is {stored.color}: it is ignored"
        )
        return f"profile for {space} ignored"
    name = profile_name(stored.icc)
    try:
        if stored.color == "gray":
            changed = _apply_to_gray(stored)
        elif stored.color == "rgb" and _is_srgb(stored.icc):
            changed = False
        else:
            _apply_to_colors(stored)
            changed = True
    except Exception:
        stored.warnings.append("its colour profile cannot be used, and is ignored")
        return "damaged profile ignored"
    return f"sRGB from {name}" if changed else f"sRGB as {name}"


def _transform(values: PixelArray, profile: bytes, space: str) -> FloatArray:
    """Return encoded sRGB, float32, of values in a profile's space."""
    import imagecodecs

    result: FloatArray = imagecodecs.cms_transform(
        np.ascontiguousarray(values),
        profile,
        srgb_profile(),
        colorspace=space,
        outcolorspace="rgb",
        outdtype="float32",
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=imagecodecs.CMS.FLAGS.NOOPTIMIZE,
    )
    return result


def _apply_to_gray(stored: Stored) -> bool:
    """Apply a gray profile by a table; return whether it changes anything."""
    floating = stored.samples.dtype.kind == "f"
    top = 65535 if floating else int(np.iinfo(stored.samples.dtype).max)
    ramp = np.arange(top + 1, dtype=np.float32) / np.float32(top)
    curve = _transform(ramp.reshape(1, -1, 1), stored.icc, "gray").reshape(-1, 3).mean(axis=1)
    if not np.isfinite(curve).all():
        raise ValueError("the profile gives no finite values")
    if float(np.abs(curve - ramp).max()) <= _SAME:
        return False
    if floating:
        inside = np.clip(stored.samples, 0, 1)
        stored.samples = np.interp(inside, ramp, curve).astype(np.float32)
        return True
    stored.samples = to_codes(curve, 8 if top == 255 else 16)[stored.samples]
    return True


def _apply_to_colors(stored: Stored) -> None:
    """Apply an RGB or CMYK profile, some rows at a time."""
    samples = stored.samples
    height, width = samples.shape[:2]
    depth = 8 if samples.dtype == np.uint8 else 16
    floating = samples.dtype.kind == "f"
    dtype: Any = np.float32 if floating else (np.uint8 if depth == 8 else np.uint16)
    result = np.empty((height, width, 3), dtype)
    step = max(1, _ROWS_AT_ONCE // width)
    for row in range(0, height, step):
        part = samples[row : row + step]
        unit = part.astype(np.float32)
        if not floating:
            unit /= np.float32(np.iinfo(samples.dtype).max)
        if stored.color == "cmyk":
            # LittleCMS takes inks in floats as 0 to 100.
            unit *= np.float32(100)
        rgb = _transform(unit, stored.icc, stored.color)
        if not np.isfinite(rgb).all():
            raise ValueError("the profile gives no finite values")
        result[row : row + step] = np.clip(rgb, 0, 1) if floating else to_codes(rgb, depth)
    stored.samples, stored.color = result, "rgb"


@functools.lru_cache(maxsize=16)
def _is_srgb(profile: bytes) -> bool:
    """Return whether a profile means sRGB, tried on a lattice of colours."""
    steps = np.linspace(0, 1, 9, dtype=np.float32)
    lattice = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(1, -1, 3)
    ramp = np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[np.newaxis, :, np.newaxis], 3, -1)
    colors = np.concatenate([lattice, ramp], axis=1)
    return float(np.abs(_transform(colors, profile, "rgb") - colors).max()) <= _SAME


@functools.lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """Return an sRGB profile, the same bytes every time (LittleCMS writes the date of the day)."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(profile)


def profile_name(profile: bytes) -> str:
    """Return the description of a profile in printable characters, or its colour space."""
    space = profile[16:20].decode("ascii", "replace").strip()
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        for index in range(min(count, 100)):
            tag, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
            if tag == b"desc":
                return _text(profile[offset : offset + min(size, 4096)]) or space
    except struct.error:
        pass
    return space


def _text(element: bytes) -> str:
    """Return the text of a description, of version 2 or 4."""
    if element[:4] == b"desc":
        (length,) = struct.unpack_from(">I", element, 8)
        text = element[12 : 12 + length].decode("ascii", "replace")
    elif element[:4] == b"mluc":
        length, offset = struct.unpack_from(">II", element, 20)
        text = element[offset : offset + length].decode("utf-16-be", "replace")
    else:
        return ""
    printable = "".join(c for c in text.partition("\0")[0] if c.isprintable())
    return printable[:80].strip()

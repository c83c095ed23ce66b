"""What the samples of a TIFF mean, by photometric interpretation.

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

from typing import Any

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.pictures.floats import on_unit_scale, without_nan
from chroma_core.pictures.pnm import full_scale
from chroma_core.pictures.reading import PLAIN, Reading
from chroma_core.pictures.stored import Stored, spoilt
from chroma_core.pictures.tiff_checks import CHANNELS, not_read

__all__ = ["interpret"]


def interpret(page: Any, samples: PixelArray, reading: Reading = PLAIN) -> Stored:
    """Return samples as what they mean.

    Parameters
    ----------
    page : tifffile.TiffPage
        The page.
    samples : ndarray, shape (planes, depth, H, W, channels)
        As stored.
    reading : Reading, optional
        What floats stand for.

    Raises
    ------
    PictureError
        If they are of a kind that is not read.
    """
    planes, _, height, width, channels = samples.shape
    if planes > 1:
        image = np.moveaxis(samples[:, 0, ..., 0], 0, -1)
    else:
        image = samples.reshape(height, width, channels)
    photometric = int(page.photometric) if page.photometric is not None else 1
    used = CHANNELS[photometric]
    bits = int(page.bitspersample)
    depth = 8 if bits <= 8 else 16
    if photometric in (8, 9):
        return _lab(page, image[..., :3], photometric, bits, reading)
    if photometric == 3:
        return _palette(page, image[..., 0], bits)
    alpha, associated = _alpha(page, image, used)
    color = image[..., :used]
    if photometric == 6 and int(page.compression) != 7:
        color = _ycbcr(page, color)
    notes: list[str] = []
    color = on_unit_scale(_scaled(color, bits), reading, notes)
    stored = Stored(format="tiff", color="gray", samples=color, depth=depth, warnings=notes)
    if alpha is not None:
        # Opacity is a share of 1, whatever the scale of colours.
        share = Reading(nan=reading.nan)
        stored.alpha = on_unit_scale(_scaled(alpha, bits), share, notes)
    if photometric == 0:
        stored.samples = _inverted(stored.samples)
    if associated and stored.alpha is not None:
        stored.samples = _straight(stored.samples, stored.alpha)
    if used == 1:
        stored.samples = stored.samples[..., 0]
    else:
        stored.color = "cmyk" if photometric == 5 else "rgb"
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
    raise not_read(f"{bits} bits a sample", "save it anew with 16")


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
        raise not_read("YCbCr of more than 8 bits", "convert it to RGB")
    red, blue = 0.299, 0.114
    y, cb, cr = (codes[..., i].astype(np.float32) - (128 if i else 0) for i in range(3))
    r = y + cr * (2 - 2 * red)
    b = y + cb * (2 - 2 * blue)
    g = (y - blue * b - red * r) / (1 - red - blue)
    rgb: PixelArray = np.clip(np.rint(np.stack([r, g, b], -1)), 0, 255).astype(np.uint8)
    return rgb


def _lab(page: Any, codes: PixelArray, photometric: int, bits: int, reading: Reading) -> Stored:
    """Return L*, a*, b* in float32."""
    notes: list[str] = []
    if codes.dtype.kind == "f":
        lab = without_nan(codes, reading, notes).astype(np.float32, copy=False)
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
        raise not_read(f"CIELAB of {bits} bits", "convert it to RGB")
    depth = 8 if bits == 8 else 16
    stored = Stored(format="tiff", color="lab", samples=lab, depth=depth, warnings=notes)
    white = page.tags.get(318)
    if white is not None and len(white.value) == 4:
        x, x_below, y, y_below = (int(part) for part in white.value)
        if x_below and y_below and 0.1 < x / x_below < 0.8 and 0.1 < y / y_below < 0.8:
            stored.white_point = (x / x_below, y / y_below)
    return stored

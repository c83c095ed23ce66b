"""A picture in memory: upright pixels in sRGB, and everything that its file said besides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from chroma_core.arrays import FloatArray, PixelArray
from chroma_core.errors import InputError

__all__ = ["JpegTables", "Picture", "Texts", "to_codes", "to_depth", "to_unit"]

JpegTables = tuple[tuple[int, ...], ...]
"""Quantisation tables of a JPEG, 64 numbers each, luminance first."""

Texts = tuple[tuple[str, bytes], ...]
"""Texts of a PNG or comments of a JPEG: what the chunk or segment is called, and its bytes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    r"""What `read_picture` returns and `write_picture` takes.

    Attributes
    ----------
    pixels : ndarray, shape (H, W) or (H, W, 3)
        Upright, encoded sRGB: gray or RGB; uint8 or uint16 code values, or float32 in [0, 1].
    alpha : ndarray, shape (H, W), or None
        Opacity, straight (colours are not multiplied by it), dtype of `pixels`.
    depth : int
        8 or 16: bits a channel that a picture made from this one should have.
    format : str
        What the file was: ``"png"``, ``"jpeg"``, ``"tiff"``, ``"webp"``, ``"avif"``, ``"bmp"``,
        ``"gif"``, ``"heic"``, ``"pnm"``; empty for pixels that came from no file.
    icc_note : str
        What became of its colour profile, such as ``"sRGB from Dot Gain 20%"``; empty without one.
    exif, xmp, iptc : bytes
        Metadata as the file held them, orientation already set to 1; empty if there were none.
        `exif` is a TIFF structure without the ``Exif\0\0`` in front.
    texts : tuple of (str, bytes)
        Texts of a PNG (``"tEXt"``, ``"zTXt"``, ``"iTXt"``) or comments of a JPEG (``"COM"``), as
        the file held them; a result of the same format holds them again.
    dpi : tuple of float, or None
        Horizontal and vertical resolution of the upright picture, in pixels an inch.
    warnings : tuple of str
        What a person should know of this reading, one line each.
    jpeg_tables : tuple of tuple of int, or None
        Quantisation tables, where the file was a JPEG.
    salvaged : str
        What is missing of a damaged picture that was decoded as far as it goes; empty for a whole
        one.
    source : str
        The file as the caller named it.
    """

    pixels: PixelArray
    alpha: PixelArray | None = None
    depth: int = 8
    format: str = ""
    icc_note: str = ""
    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    texts: Texts = field(default=(), repr=False)
    dpi: tuple[float, float] | None = None
    warnings: tuple[str, ...] = ()
    jpeg_tables: JpegTables | None = field(default=None, repr=False)
    salvaged: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse pixels that are no picture."""
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)) or 0 in shape:
            raise InputError(f"pixels have shape {shape}, wanted (H, W) or (H, W, 3)")
        if dtype not in (np.uint8, np.uint16, np.float32):
            raise InputError(f"pixels have dtype {dtype}, wanted uint8, uint16 or float32")
        if self.alpha is not None and (self.alpha.shape != shape[:2] or self.alpha.dtype != dtype):
            raise InputError(
                f"alpha has shape {self.alpha.shape} and dtype {self.alpha.dtype}, "
                f"wanted {shape[:2]} and {dtype}"
            )
        if self.depth not in (8, 16):
            raise InputError(f"depth is {self.depth}, wanted 8 or 16")

    @property
    def height(self) -> int:
        """Rows of the upright picture."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of the upright picture."""
        return int(self.pixels.shape[1])

    @property
    def is_gray(self) -> bool:
        """Whether the picture has one channel of colour."""
        return self.pixels.ndim == 2

    def rgb(self, start: int = 0, stop: int | None = None) -> FloatArray:
        """Return rows ``start`` to ``stop`` as encoded sRGB, float32 in [0, 1], (rows, W, 3)."""
        unit = to_unit(self.pixels[start:stop])
        return np.repeat(unit[..., np.newaxis], 3, axis=-1) if unit.ndim == 2 else unit

    def gray(self, start: int = 0, stop: int | None = None) -> FloatArray:
        """Return rows of a gray picture as encoded sRGB, float32 in [0, 1], (rows, W).

        Raises
        ------
        InputError
            If the picture has three channels; what gray they make is the colorspace's matter.
        """
        if not self.is_gray:
            raise InputError("the picture has three channels, wanted a gray one")
        return to_unit(self.pixels[start:stop])

    def with_pixels(self, pixels: PixelArray) -> Picture:
        """Return this picture with other pixels of the same size, everything else carried along.

        Alpha is brought to the dtype of the new pixels.
        """
        alpha = self.alpha
        if alpha is not None and alpha.dtype != pixels.dtype:
            floating = pixels.dtype.kind == "f"
            alpha = to_unit(alpha) if floating else to_depth(alpha, 8 * pixels.dtype.itemsize)
        return replace(self, pixels=pixels, alpha=alpha)


def to_unit(codes: PixelArray) -> FloatArray:
    """Return code values as float32 in [0, 1]; floats come back as float32.

    Parameters
    ----------
    codes : ndarray, any shape
        uint8, uint16, or floats in [0, 1].
    """
    if codes.dtype.kind == "f":
        return codes.astype(np.float32, copy=False)
    return codes.astype(np.float32) / np.float32(np.iinfo(codes.dtype).max)


def to_codes(unit: PixelArray, depth: int) -> PixelArray:
    """Return floats in [0, 1] as code values, rounded to the nearest; clipped where outside.

    Parameters
    ----------
    unit : ndarray, any shape
        Encoded values, finite.
    depth : int
        8 or 16.
    """
    top = (1 << depth) - 1
    scaled = np.rint(np.clip(unit, 0, 1) * unit.dtype.type(top))
    codes: PixelArray = scaled.astype(np.uint8 if depth == 8 else np.uint16)
    return codes


def to_depth(values: PixelArray, depth: int) -> PixelArray:
    """Return code values or floats in [0, 1] as code values of 8 or 16 bits, rounded.

    Parameters
    ----------
    values : ndarray, any shape
        uint8, uint16, or finite floats.
    depth : int
        8 or 16.
    """
    if values.dtype.kind == "f":
        return to_codes(values, depth)
    if values.dtype.itemsize * 8 == depth:
        return values
    if depth == 16:
        return values.astype(np.uint16) * np.uint16(257)
    # 65535 = 255 * 257: exact, and half a step rounds up.
    table = ((np.arange(65536, dtype=np.uint32) + 128) // 257).astype(np.uint8)
    codes: PixelArray = table[values]
    return codes

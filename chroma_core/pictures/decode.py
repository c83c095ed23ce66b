"""From a file's bytes to a picture: route, decode, apply profile, turn upright."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.avif import read_avif
from chroma_core.pictures.bmp import read_bmp
from chroma_core.pictures.exif import exif_upright, xmp_upright
from chroma_core.pictures.gif import read_gif
from chroma_core.pictures.heic import read_heic
from chroma_core.pictures.jpeg import read_jpeg
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.picture import Picture, to_codes
from chroma_core.pictures.png import read_png
from chroma_core.pictures.pnm import read_pnm
from chroma_core.pictures.profile import apply_profile
from chroma_core.pictures.reading import PLAIN, Reading, refuse_pages
from chroma_core.pictures.signature import identify
from chroma_core.pictures.stored import Stored, spoilt
from chroma_core.pictures.tiff import read_tiff
from chroma_core.pictures.webp import read_webp

__all__ = ["decode_picture"]

_READERS: dict[str, Callable[[bytes, Limits], Stored]] = {
    "webp": read_webp,
    "avif": read_avif,
    "bmp": read_bmp,
    "gif": read_gif,
    "heic": read_heic,
}

_READERS_WITH_CHOICES: dict[str, Callable[[bytes, Limits, Reading], Stored]] = {
    "png": read_png,
    "jpeg": read_jpeg,
    "tiff": read_tiff,
    "pnm": read_pnm,
}


def decode_picture(
    data: bytes,
    limits: Limits,
    *,
    keep_floats: bool = False,
    source: str = "",
    reading: Reading = PLAIN,
) -> Picture:
    """Decode a picture in this process.

    Parameters
    ----------
    data : bytes
        The file.
    limits : Limits
        What may not be passed.
    keep_floats : bool, optional
        Whether pictures of floats stay float32 instead of becoming uint16.
    source : str, optional
        Name of the file, for `Picture.source`.
    reading : Reading, optional
        Page, scale of floats, strictness.

    Raises
    ------
    PictureError
        If it cannot be read right.
    """
    form = identify(data, len(data))
    if form != "tiff":
        refuse_pages(form, reading.page)
    if form in _READERS:
        stored = _READERS[form](data, limits)
    else:
        stored = _READERS_WITH_CHOICES[form](data, limits, reading)
    if 0 in stored.samples.shape:
        raise spoilt("there are no pixels in it")
    if stored.salvaged:
        stored.warnings.insert(0, f"salvaged: {stored.salvaged}")
    note = apply_profile(stored)
    pixels = _to_srgb(stored)
    alpha = stored.alpha
    if pixels.dtype.kind == "f" and not keep_floats:
        pixels = to_codes(pixels, stored.depth)
    if alpha is not None:
        alpha = _like(alpha, pixels)
    orientation = stored.orientation or 1
    if stored.orientation == 0:
        stored.warnings.append("its orientation is none of the eight, and is ignored")
    turned = orientation >= 5
    return Picture(
        pixels=_upright(pixels, orientation),
        alpha=None if alpha is None else _upright(alpha, orientation),
        depth=stored.depth,
        format=stored.format,
        icc_note=note,
        exif=exif_upright(stored.exif, turned=turned),
        xmp=xmp_upright(stored.xmp),
        iptc=stored.iptc,
        texts=tuple(stored.texts),
        dpi=stored.dpi[::-1] if stored.dpi and turned else stored.dpi,
        warnings=tuple(dict.fromkeys(stored.warnings)),
        jpeg_tables=stored.jpeg_tables,
        salvaged=stored.salvaged,
        source=source,
    )


def _to_srgb(stored: Stored) -> PixelArray:
    """Return encoded sRGB: code values, or float32 in [0, 1]."""
    samples = stored.samples
    if stored.color == "lab":
        return _lab_to_srgb(stored)
    if stored.color == "cmyk":
        top = 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)
        paper = (top - samples.astype(np.float32)) / np.float32(top)
        return np.clip(paper[..., :3] * paper[..., 3:], 0, 1)
    if samples.dtype.kind == "f":
        return np.clip(samples.astype(np.float32), 0, 1)
    return samples.astype(samples.dtype.newbyteorder("="), copy=False)


def _lab_to_srgb(stored: Stored) -> PixelArray:
    """Return float32 sRGB of L*, a*, b*; what sRGB cannot show is clipped."""
    from chroma_core.color.adaptation import chromatic_adaptation
    from chroma_core.color.lab import lab_to_rgb, lab_to_xyz, xyz_to_lab

    lab = stored.samples
    if not np.isfinite(lab).all() or lab[..., 0].max() > 101 or lab[..., 0].min() < -1:
        raise PictureError("its L* is not within 0 to 100", kind="unsupported")
    # TIFF 6.0 names no default; Photoshop and ICC mean D50.
    white = stored.white_point or (0.3457, 0.3585)
    if white != (0.3127, 0.3290):
        xyz = lab_to_xyz(lab, white_point=white)
        lab = xyz_to_lab(chromatic_adaptation(xyz, white, (0.3127, 0.3290)))
    return np.clip(lab_to_rgb(lab), 0, 1).astype(np.float32)


def _like(alpha: PixelArray, pixels: PixelArray) -> PixelArray:
    """Return alpha in the dtype of the pixels."""
    if alpha.dtype == pixels.dtype:
        return alpha
    top = 1.0 if alpha.dtype.kind == "f" else float(np.iinfo(alpha.dtype).max)
    unit = np.clip(alpha.astype(np.float32) / np.float32(top), 0, 1)
    return unit if pixels.dtype.kind == "f" else to_codes(unit, 8 * pixels.dtype.itemsize)


def _upright(plane: PixelArray, orientation: int) -> PixelArray:
    """Return a plane turned and mirrored as an orientation of 1 to 8 asks (TIFF 6.0, tag 274)."""
    if orientation in (5, 6, 7, 8):
        plane = plane.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    return np.ascontiguousarray(plane)

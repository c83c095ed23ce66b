"""Pictures to files: whole or not at all, in the depth of their input, with what it carried."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.lib.format

from chroma_core.arrays import AnyArray, FloatArray, PixelArray
from chroma_core.errors import InputError, PictureError
from chroma_core.pictures.atomic import (
    Overwrite,
    refuse_existing,
    write_bytes_atomically,
    writing_atomically,
)
from chroma_core.pictures.carried import room
from chroma_core.pictures.exif import exif_upright, xmp_upright
from chroma_core.pictures.names import FORMATS, format_of_suffix
from chroma_core.pictures.picture import Picture, to_codes, to_depth

__all__ = [
    "Overwrite",
    "write_bytes_atomically",
    "write_lab_tiff",
    "write_npy",
    "write_pages",
    "write_picture",
]


def write_picture(
    picture: Picture | PixelArray,
    path: str | os.PathLike[str],
    *,
    like: Picture | None = None,
    format: str | None = None,
    depth: int | None = None,
    quality: int | None = None,
    overwrite: Overwrite = "never",
    note: str | None = None,
) -> Path:
    """Write a picture, tagged as sRGB.

    Parameters
    ----------
    picture : Picture, or ndarray of shape (H, W) or (H, W, 3)
        The picture, or its pixels alone: uint8, uint16, or floats in [0, 1].
    path : path
        Where to.
    like : Picture, optional
        The picture that this one was made from: its alpha, depth, metadata, resolution and JPEG
        tables are carried over where `picture` is an array.
    format : str, optional
        One of `chroma_core.pictures.names.FORMATS`; the extension of `path` tells by default.
    depth : int, optional
        8 or 16; the picture's own by default, 8 where the format holds no more.
    quality : int, optional
        1 to 100, for JPEG, WebP and AVIF; by default a JPEG's own tables, else 95 (AVIF: 90).
        A WebP of quality 100 is lossless.
    overwrite : {"never", "always"}, optional
        Whether a file that exists may be replaced.
    note : str, optional
        What made the picture, for its XMP and EXIF.

    Raises
    ------
    PictureError
        If it cannot be written; there is no file then.
    InputError
        If the pixels are no picture.
    """
    from chroma_core.pictures.encode import encode_picture

    target = Path(path)
    whole = _whole(picture, like)
    form = format or format_of_suffix(target)
    try:
        if form not in FORMATS:
            raise PictureError(
                f"pictures cannot be written as {form or target.suffix or target.name}",
                kind="unsupported",
                hint=f"choose one of {', '.join(FORMATS)}",
            )
        if overwrite == "never":
            refuse_existing(target)
        data = encode_picture(_ready(whole, form, depth, note), form, quality)
    except PictureError as error:
        error.path = error.path or str(path)
        raise
    return write_bytes_atomically(target, data, overwrite)


def write_pages(
    pages: Iterable[tuple[Picture, str | None]],
    path: str | os.PathLike[str],
    *,
    depth: int | None = None,
    overwrite: Overwrite = "never",
) -> int:
    """Write a TIFF of several pages, tagged as sRGB, one after the other as they come.

    Parameters
    ----------
    pages : iterable of (Picture, str or None)
        The pages, each with its own depth and metadata, and with what made it, for its XMP and
        EXIF. What the iterable raises leaves no file.
    path : path
        Where to.
    depth : int, optional
        8 or 16, of all pages; each page's own by default.
    overwrite : {"never", "always"}, optional
        Whether a file that exists may be replaced.

    Returns
    -------
    int
        How many pages were written.

    Raises
    ------
    PictureError
        If it cannot be written; there is no file then.
    InputError
        If there is no page.
    """
    from chroma_core.pictures.encode import tiff_page
    from chroma_core.pictures.tiff_multi import TiffPagesWriter

    with writing_atomically(path, overwrite) as descriptor:
        writer = TiffPagesWriter(descriptor)
        for picture, note in pages:
            writer.add(*tiff_page(_ready(picture, "tiff", depth, note)))
        if not writer.pages:
            raise InputError("there are no pages to write", path=str(path))
    return writer.pages


def _ready(picture: Picture, format: str, depth: int | None, note: str | None) -> Picture:
    """Return a picture as its file shall hold it: depth, orientation, what made it."""
    from chroma_core.pictures.exif_history import exif_with_note
    from chroma_core.pictures.provenance import with_note

    bits = _bits(picture, format, depth)
    ready = replace(
        picture,
        pixels=to_depth(picture.pixels, bits),
        alpha=None if picture.alpha is None else to_depth(picture.alpha, bits),
        depth=bits,
        exif=exif_upright(picture.exif, turned=False),
        xmp=xmp_upright(picture.xmp),
    )
    if not note:
        return ready
    exif, xmp = exif_with_note(ready.exif, note), with_note(ready.xmp, note)
    # What the user's camera and programs said is worth more than our note.
    return replace(
        ready,
        exif=exif if len(exif) <= room(format, "exif") else ready.exif,
        xmp=xmp if len(xmp) <= room(format, "xmp") else ready.xmp,
    )


def _whole(picture: Picture | PixelArray, like: Picture | None) -> Picture:
    """Return pixels with what goes along with them."""
    if isinstance(picture, Picture):
        return picture
    pixels = np.asarray(picture)
    if pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float32, copy=False)
        if not np.isfinite(pixels).all():
            raise InputError("pixels hold values that are NaN or infinite")
    if like is None:
        return Picture(pixels=pixels, depth=16 if pixels.dtype == np.uint16 else 8)
    if pixels.shape[:2] != like.pixels.shape[:2]:
        raise InputError(f"pixels have shape {pixels.shape}, the picture {like.pixels.shape}")
    return like.with_pixels(pixels)


def _bits(picture: Picture, format: str, depth: int | None) -> int:
    """Return the bits a channel of a file."""
    from chroma_core.pictures.encode import DEEP_FORMATS

    if depth not in (None, 8, 16):
        raise InputError(f"depth is {depth}, wanted 8 or 16")
    if format in DEEP_FORMATS:
        return picture.depth if depth is None else depth
    if depth == 16 or (depth is None and picture.depth == 16 and picture.format == format):
        raise PictureError(
            f"{format} is written with 8 bits, and the picture has more",
            kind="unsupported",
            hint="choose png or tiff, or a depth of 8",
        )
    return 8


def write_lab_tiff(
    lab: FloatArray,
    path: str | os.PathLike[str],
    *,
    depth: int | str = 8,
    white_point: tuple[float, float] = (0.3127, 0.3290),
    overwrite: Overwrite = "never",
) -> Path:
    """Write L*, a*, b* as a TIFF of photometric CIELAB.

    Parameters
    ----------
    lab : ndarray, shape (H, W, 3)
        L* in [0, 100]; a*, b* rounded and held within what the depth can say.
    path : path
        Where to.
    depth : {8, 16, "float"}, optional
        8: L* as 0..255, a* and b* as signed bytes (Pillow opens it as mode ``LAB``). 16: L* as
        0..65535, a* and b* times 256, signed. ``"float"``: the numbers themselves, float32.
    white_point : tuple of float, optional
        x and y of the white that the numbers refer to, D65 by default; stands in tag 318.
    overwrite : {"never", "always"}, optional
        Whether a file that exists may be replaced.

    Raises
    ------
    InputError
        If `lab` is no such array or holds NaN, or `depth` is another.
    PictureError
        If it cannot be written.
    """
    from chroma_core.pictures.tiff_write import CIELAB, PageTags, encode_tiff

    values = np.asarray(lab)
    if values.ndim != 3 or values.shape[2] != 3 or not np.isfinite(values).all():
        raise InputError(f"lab has shape {values.shape}, wanted (H, W, 3), finite")
    if depth == "float":
        codes: PixelArray = values.astype(np.float32)
    elif depth in (8, 16):
        codes = _lab_codes(values, int(depth))
    else:
        raise InputError(f"depth is {depth!r}, wanted 8, 16 or 'float'")
    data = encode_tiff(codes, CIELAB, PageTags(white_point=white_point))
    return write_bytes_atomically(path, data, overwrite)


def _lab_codes(lab: FloatArray, bits: int) -> PixelArray:
    """Return L*, a*, b* as TIFF 6.0, section 23, stores them."""
    signed, unsigned = (np.int8, np.uint8) if bits == 8 else (np.int16, np.uint16)
    edge = np.iinfo(signed)
    chroma = np.clip(np.rint(lab[..., 1:] * (1 << (bits - 8))), edge.min, edge.max)
    return np.dstack([to_codes(lab[..., 0] / 100, bits), chroma.astype(signed).view(unsigned)])


def write_npy(
    path: str | os.PathLike[str], array: AnyArray, overwrite: Overwrite = "never"
) -> Path:
    """Write an array as ``.npy``, C-contiguous and without pickles, whole or not at all."""
    stream = io.BytesIO()
    numpy.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    return write_bytes_atomically(path, stream.getbuffer(), overwrite)

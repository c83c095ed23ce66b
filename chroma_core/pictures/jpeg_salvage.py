"""What can be decoded of a JPEG that is cut short or damaged: libjpeg paints the rest gray."""

from __future__ import annotations

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError

__all__ = ["salvaged_pixels"]


def salvaged_pixels(stream: bytes, colorspace: str, error: PictureError) -> tuple[PixelArray, str]:
    """Decode a stream as far as it goes.

    Parameters
    ----------
    stream : bytes
        A JPEG that ends with an end mark.
    colorspace : str
        ``"GRAY"``, ``"RGB"`` or ``"CMYK"``.
    error : PictureError
        Why it does not decode strictly.

    Returns
    -------
    samples : ndarray, shape (H, W, C)
        uint8.
    missing : str
        What is missing, in words.

    Raises
    ------
    PictureError
        `error` if there is nothing but gray.
    """
    import simplejpeg

    try:
        samples = simplejpeg.decode_jpeg(stream, colorspace=colorspace, strict=False)
    except ValueError:
        raise error from None
    height = len(samples)
    plain = (samples == samples[-1, -1]).all(axis=(1, 2))
    empty = height if plain.all() else int(np.argmin(plain[::-1]))
    if empty == height:
        raise error
    rest = f", about {empty:,} of {height:,} rows are empty" if empty else ""
    return samples, f"{error.what}{rest}"

"""What the least effort reaches: no colour at all, and one colour for everything.

Both keep the truth's L*. The gray picture has a* = b* = 0; it is also what a regressor is given to
colour. The mean colour is one constant pair (a*, b*), brought into gamut where it does not fit.

A gray picture made by luma (0.299 R' + 0.587 G' + 0.114 B', as most programs do) has another L*
than its truth, by up to 26 units at pure green; that error would be charged to the colour. So the
gray pictures of an evaluation are made from L*.
"""

from __future__ import annotations

import numpy as np

from chroma_core.arrays import FloatArray, PixelArray
from chroma_core.color.gamut import into_srgb
from chroma_core.color.lab import lab_to_rgb, lightness_to_gray, rgb_to_lab
from chroma_core.errors import InputError
from chroma_core.pictures.picture import to_codes

__all__ = ["gray_of", "lightness_of", "mean_colour", "to_gray_picture"]


def lightness_of(truth_pixels: PixelArray) -> FloatArray:
    """Return the L* of a colour picture.

    Parameters
    ----------
    truth_pixels : ndarray, shape (H, W, 3)
        8-bit sRGB, dtype uint8.

    Returns
    -------
    ndarray, shape (H, W)
        L* in [0, 100], float64.

    Raises
    ------
    InputError
        If the picture has another shape or dtype.
    """
    if truth_pixels.ndim != 3 or truth_pixels.shape[2] != 3 or truth_pixels.dtype != np.uint8:
        raise InputError(
            f"the truth is {truth_pixels.dtype} of shape {truth_pixels.shape}, "
            "wanted uint8 of shape (H, W, 3)"
        )
    return np.ascontiguousarray(rgb_to_lab(truth_pixels / 255.0)[..., 0])


def gray_of(truth_pixels: PixelArray) -> FloatArray:
    """Return the gray picture with the L* of a colour picture, not rounded to code values.

    Parameters
    ----------
    truth_pixels : ndarray, shape (H, W, 3)
        8-bit sRGB, dtype uint8.

    Returns
    -------
    ndarray, shape (H, W)
        Encoded sRGB gray in [0, 1], float64.

    Raises
    ------
    InputError
        If the picture has another shape or dtype.
    """
    # The lightness of white may come out one rounding above 100.
    return np.clip(lightness_to_gray(lightness_of(truth_pixels)), 0.0, 1.0)


def to_gray_picture(gray: FloatArray) -> PixelArray:
    """Return a gray picture of three equal channels in 8 bits.

    Parameters
    ----------
    gray : ndarray, shape (H, W)
        Encoded sRGB gray in [0, 1].

    Returns
    -------
    ndarray, shape (H, W, 3)
        uint8, R = G = B, rounded once.
    """
    return np.repeat(to_codes(gray, 8)[..., np.newaxis], 3, axis=-1)


def mean_colour(lightness: FloatArray, mean_ab: tuple[float, float]) -> PixelArray:
    """Return a picture of one chroma, at every pixel's own lightness.

    Parameters
    ----------
    lightness : ndarray, shape (H, W)
        L* in [0, 100].
    mean_ab : pair of float
        a* and b*. Where they do not fit into sRGB at a pixel's L*, chroma is lowered at constant
        lightness and hue; channels are never clipped.

    Returns
    -------
    ndarray, shape (H, W, 3)
        8-bit sRGB, uint8.

    Raises
    ------
    InputError
        If `mean_ab` is not finite.
    """
    a, b = (float(value) for value in mean_ab)
    if not np.isfinite([a, b]).all():
        raise InputError(f"the mean colour is ({a}, {b}), wanted finite a* and b*")
    lab = np.empty((*lightness.shape, 3), dtype=np.float64)
    lab[..., 0] = lightness
    lab[..., 1:] = a, b
    return to_codes(lab_to_rgb(into_srgb(lab)), 8)

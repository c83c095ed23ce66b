"""The sRGB transfer function: from code values to light and back.

IEC 61966-2-1:1999, clause 5.2: an encoded value v decodes to the linear value

    l = v / 12.92                      v <= 0.04045
    l = ((v + 0.055) / 1.055) ** 2.4   v >  0.04045

and encodes back with the threshold 0.0031308. Both thresholds are rounded: the decoding curve jumps
by 2.3e-9 there, the encoding curve by 2.9e-8. With ``continuous=True`` the two pieces meet where
they really cross, and the round trip is exact to rounding; 8- and 16-bit code values survive it
either way. Outside [0, 1] both functions go on: oddly below 0, with the power above 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray
from chroma_core.color.blocks import map_values, power

__all__ = ["srgb_eotf", "srgb_eotf_inverse"]

ENCODED_THRESHOLD = 0.04045
LINEAR_THRESHOLD = 0.0031308

# The upper one of the two points where the pieces cross.
ENCODED_CROSSING = 0.0404482362771077
LINEAR_CROSSING = ENCODED_CROSSING / 12.92


def srgb_eotf(encoded: npt.ArrayLike, *, continuous: bool = False) -> FloatArray:
    """Decode: from encoded sRGB to linear light.

    Parameters
    ----------
    encoded : array_like, any shape
        Encoded values, [0, 1]; not clipped. NaN gives NaN.
    continuous : bool
        Whether the pieces meet where they cross instead of at the standard's rounded threshold.

    Returns
    -------
    ndarray
        Linear values in the shape of `encoded`; float32 where `encoded` is, else float64.

    Examples
    --------
    >>> float(srgb_eotf(0.5).round(6))
    0.214041
    """
    threshold = ENCODED_CROSSING if continuous else ENCODED_THRESHOLD
    return map_values(lambda values: decode(values, threshold), encoded)


def srgb_eotf_inverse(linear: npt.ArrayLike, *, continuous: bool = False) -> FloatArray:
    """Encode: from linear light to encoded sRGB.

    Parameters
    ----------
    linear : array_like, any shape
        Linear values, [0, 1]; not clipped. NaN gives NaN.
    continuous : bool
        Whether the pieces meet where they cross instead of at the standard's rounded threshold.

    Returns
    -------
    ndarray
        Encoded values in the shape of `linear`; float32 where `linear` is, else float64.

    Examples
    --------
    >>> float(srgb_eotf_inverse(0.5).round(6))
    0.735357
    """
    threshold = LINEAR_CROSSING if continuous else LINEAR_THRESHOLD
    return map_values(lambda values: encode(values, threshold), linear)


def decode(values: FloatArray, threshold: float = ENCODED_THRESHOLD) -> FloatArray:
    """Decode one block."""
    if _any_negative(values):
        return np.copysign(decode(np.abs(values), threshold), values)
    linear = power((values + 0.055) / 1.055, 2.4)
    np.copyto(linear, values / 12.92, where=values <= threshold)
    return linear


def encode(values: FloatArray, threshold: float = LINEAR_THRESHOLD) -> FloatArray:
    """Encode one block."""
    if _any_negative(values):
        return np.copysign(encode(np.abs(values), threshold), values)
    encoded = power(values, 1 / 2.4)
    encoded *= 1.055
    encoded -= 0.055
    np.copyto(encoded, values * 12.92, where=values <= threshold)
    return encoded


def _any_negative(values: FloatArray) -> bool:
    # fmin looks past NaN. Most blocks hold no negative value and are spared the sign's detour.
    return bool(np.fmin.reduce(values) < 0)

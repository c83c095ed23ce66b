"""CIE 1976 L*a*b* (CIELAB).

ISO/CIE 11664-4:2019 (CIE 15): with f(t) = cube root of t above epsilon = (6/29)**3 and
(kappa t + 16) / 116 below,

    L* = 116 f(Y/Yn) - 16      a* = 500 (f(X/Xn) - f(Y/Yn))      b* = 200 (f(Y/Yn) - f(Z/Zn))

The rationals epsilon = 216/24389 and kappa = 24389/27 make f continuous to the last bit; the
rounded 0.008856 and 903.3 do not. The code writes g = 116 f - 16, the lightness function itself:
then L* = g(Y/Yn), a* and b* are differences of g times 500/116 and 200/116, and black is exactly 0.

From RGB, X/Xn, Y/Yn and Z/Zn are weighted means of R, G and B: each row of the matrix sums to 1.
Written as G + m (R - G) + n (B - G) they are *equal* where R = G = B, so gray has a* = b* = 0 to
the last bit, in float32 as in float64, under every white point; and back.

Where the white point is not that of sRGB, colours are adapted to it (Bradford), or gray would turn.
float64 is the exact path; float32 is the fast one and stays within 2e-4 of it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray
from chroma_core.color import white_points
from chroma_core.color.adaptation import chromatic_adaptation_matrix
from chroma_core.color.blocks import map_planes, map_values, power
from chroma_core.color.srgb import decode, encode
from chroma_core.color.white_points import D65, WhitePoint
from chroma_core.color.xyz import Rows, as_rows, rgb_to_xyz_matrix

__all__ = [
    "gray_to_lightness",
    "lab_to_rgb",
    "lab_to_xyz",
    "lightness_to_gray",
    "lightness_to_luminance",
    "luminance_to_lightness",
    "rgb_to_lab",
    "xyz_to_lab",
]

EPSILON = 216 / 24389  # (6/29)**3
KAPPA = 24389 / 27  # (29/3)**3; EPSILON * KAPPA = 8
A_SCALE = 500 / 116
B_SCALE = 200 / 116

# Encoded gray of luminance EPSILON: L* = 8, where the cube root begins.
KNEE_GRAY = 1.055 * (6 / 29) ** 1.25 - 0.055


def luminance_to_lightness(luminance: npt.ArrayLike) -> FloatArray:
    """Convert luminance, relative to white, to L*.

    Parameters
    ----------
    luminance : array_like, any shape
        Y / Yn, [0, 1]; not clipped. NaN gives NaN.

    Returns
    -------
    ndarray
        L* in [0, 100], in the shape of `luminance`; float32 where that is, else float64.

    Examples
    --------
    >>> float(luminance_to_lightness(0.18).round(4))
    49.4961
    """
    return map_values(lightness_of, luminance)


def lightness_to_luminance(lightness: npt.ArrayLike) -> FloatArray:
    """Convert L* to luminance relative to white.

    Parameters
    ----------
    lightness : array_like, any shape
        L*, [0, 100]; not clipped. NaN gives NaN.

    Returns
    -------
    ndarray
        Y / Yn in [0, 1], in the shape of `lightness`; float32 where that is, else float64.

    Examples
    --------
    >>> float(lightness_to_luminance(50.0).round(6))
    0.184187
    """
    return map_values(luminance_of, lightness)


def gray_to_lightness(gray: npt.ArrayLike) -> FloatArray:
    """Convert encoded sRGB gray to L*; the same as `rgb_to_lab` of R = G = B, and faster.

    Parameters
    ----------
    gray : array_like, any shape
        Encoded gray, [0, 1]; not clipped. NaN gives NaN.

    Returns
    -------
    ndarray
        L* in [0, 100], in the shape of `gray`; float32 where that is, else float64.

    Examples
    --------
    >>> float(gray_to_lightness(128 / 255).round(10))
    53.5850134522
    """
    return map_values(_gray_to_lightness, gray)


def lightness_to_gray(lightness: npt.ArrayLike) -> FloatArray:
    """Convert L* to encoded sRGB gray.

    Parameters
    ----------
    lightness : array_like, any shape
        L*, [0, 100]; not clipped. NaN gives NaN.

    Returns
    -------
    ndarray
        Encoded gray in [0, 1], in the shape of `lightness`; float32 where that is, else float64.

    Examples
    --------
    >>> float(lightness_to_gray(50.0).round(6))
    0.466327
    """
    return map_values(_lightness_to_gray, lightness)


def xyz_to_lab(xyz: npt.ArrayLike, *, white_point: WhitePoint = D65) -> FloatArray:
    """Convert XYZ to LAB.

    Parameters
    ----------
    xyz : array_like, shape (..., 3)
        X, Y, Z seen under `white_point`, Y of white = 1. NaN gives NaN in the channels that depend
        on it.
    white_point : str, (x, y) or (X, Y, Z)
        The white.

    Returns
    -------
    ndarray, shape (..., 3)
        L* in [0, 100]; a*, b* unbounded. float32 where `xyz` is, else float64.

    Examples
    --------
    >>> float(xyz_to_lab([0.3, 0.2, 0.1])[1].round(4))
    48.0324
    """
    xn, yn, zn = white_points.white_point(white_point).tolist()

    def kernel(x: FloatArray, y: FloatArray, z: FloatArray) -> tuple[FloatArray, ...]:
        return _relative_to_lab(x / xn, y / yn, z / zn)

    return map_planes(kernel, xyz)


def lab_to_xyz(lab: npt.ArrayLike, *, white_point: WhitePoint = D65) -> FloatArray:
    """Convert LAB to XYZ.

    Parameters
    ----------
    lab : array_like, shape (..., 3)
        L* in [0, 100]; a*, b* unbounded. NaN gives NaN in the channels that depend on it.
    white_point : str, (x, y) or (X, Y, Z)
        The white.

    Returns
    -------
    ndarray, shape (..., 3)
        X, Y, Z, Y of white = 1; float32 where `lab` is, else float64.

    Examples
    --------
    >>> float(lab_to_xyz([50.0, 20.0, 0.0])[0].round(6))
    0.21464
    """
    xn, yn, zn = white_points.white_point(white_point).tolist()

    def kernel(
        lightness: FloatArray, a: FloatArray, b: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        x, y, z = _lab_to_relative(lightness, a, b)
        return x * xn, y * yn, z * zn

    return map_planes(kernel, lab)


def rgb_to_lab(rgb: npt.ArrayLike, *, white_point: WhitePoint = D65) -> FloatArray:
    """Convert encoded sRGB to LAB.

    Parameters
    ----------
    rgb : array_like, shape (..., 3)
        Encoded sRGB, [0, 1]; not clipped. NaN in a pixel makes that pixel NaN.
    white_point : str, (x, y) or (X, Y, Z)
        The white of LAB; colours are adapted to it.

    Returns
    -------
    ndarray, shape (..., 3)
        L* in [0, 100]; a*, b* usually within 128 of 0, and 0 exactly where R = G = B. float32 where
        `rgb` is, else float64.

    Examples
    --------
    >>> float(rgb_to_lab([1.0, 0.0, 0.0])[0].round(10))
    53.2371155954
    """
    rows, _ = relative_matrices(as_key(white_point))

    def kernel(red: FloatArray, green: FloatArray, blue: FloatArray) -> tuple[FloatArray, ...]:
        return _relative_to_lab(*mix(rows, decode(red), decode(green), decode(blue)))

    return map_planes(kernel, rgb)


def lab_to_rgb(lab: npt.ArrayLike, *, white_point: WhitePoint = D65) -> FloatArray:
    """Convert LAB to encoded sRGB.

    Parameters
    ----------
    lab : array_like, shape (..., 3)
        L* in [0, 100]; a*, b* unbounded. NaN in a pixel makes that pixel NaN.
    white_point : str, (x, y) or (X, Y, Z)
        The white of LAB; colours are adapted from it.

    Returns
    -------
    ndarray, shape (..., 3)
        Encoded sRGB, outside [0, 1] where the colour is out of gamut, and R = G = B exactly where
        a* = b* = 0. float32 where `lab` is, else float64.

    Examples
    --------
    >>> float(lab_to_rgb([50.0, 20.0, 0.0])[0].round(6))
    0.594755
    """
    _, rows = relative_matrices(as_key(white_point))

    def kernel(lightness: FloatArray, a: FloatArray, b: FloatArray) -> tuple[FloatArray, ...]:
        return tuple(encode(plane) for plane in mix(rows, *_lab_to_relative(lightness, a, b)))

    return map_planes(kernel, lab)


def lightness_of(luminance: FloatArray) -> FloatArray:
    """Return g(t) = 116 f(t) - 16 of one block."""
    # np.cbrt is right to the last bit, but 20 times slower without AVX-512.
    exact = luminance.dtype == np.float64
    lightness = np.cbrt(luminance) if exact else power(luminance, 1 / 3)
    lightness *= 116
    lightness -= 16
    np.copyto(lightness, KAPPA * luminance, where=luminance <= EPSILON)
    return lightness


def luminance_of(lightness: FloatArray) -> FloatArray:
    """Return the inverse of g of one block."""
    root = (lightness + 16) / 116
    luminance: FloatArray = root * root
    luminance *= root
    np.copyto(luminance, lightness / KAPPA, where=lightness <= 8)
    return luminance


def _gray_to_lightness(gray: FloatArray) -> FloatArray:
    # Decoding raises to 2.4, lightness takes the cube root: one power of 0.8 does both.
    lightness = power((gray + 0.055) / 1.055, 0.8)
    lightness *= 116
    lightness -= 16
    dark = gray < KNEE_GRAY
    if dark.any():
        lightness[dark] = lightness_of(decode(gray[dark]))
    return lightness


def _lightness_to_gray(lightness: FloatArray) -> FloatArray:
    # The cube and the encoding power of 1 / 2.4 make 1.25: two square roots and a product.
    root = (lightness + 16) / 116
    gray: FloatArray = 1.055 * (root * np.sqrt(np.sqrt(root))) - 0.055
    dark = lightness < 8
    if dark.any():
        gray[dark] = encode(luminance_of(lightness[dark]))
    return gray


def _relative_to_lab(x: FloatArray, y: FloatArray, z: FloatArray) -> tuple[FloatArray, ...]:
    lightness = lightness_of(y)
    return (
        lightness,
        A_SCALE * (lightness_of(x) - lightness),
        B_SCALE * (lightness - lightness_of(z)),
    )


def _lab_to_relative(
    lightness: FloatArray, a: FloatArray, b: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    x = luminance_of(lightness + a / A_SCALE)
    return x, luminance_of(lightness), luminance_of(lightness - b / B_SCALE)


def mix(
    rows: Rows, first: FloatArray, second: FloatArray, third: FloatArray
) -> tuple[FloatArray, ...]:
    """Multiply with a matrix whose rows sum to 1, so that equal channels stay exactly equal."""
    from_first, from_third = first - second, third - second
    return tuple(second + (row[0] * from_first + row[2] * from_third) for row in rows)


def as_key(white_point: WhitePoint) -> tuple[float, float, float]:
    x, y, z = white_points.white_point(white_point).tolist()
    return x, y, z


@lru_cache(maxsize=32)
def relative_matrices(white_point: tuple[float, float, float]) -> tuple[Rows, Rows]:
    """Return the matrix from linear sRGB to X/Xn, Y/Yn, Z/Zn under a white, and its inverse.

    Every row of both sums to 1 (to rounding), because white goes to white.
    """
    adaptation = chromatic_adaptation_matrix(D65, white_point)
    matrix = adaptation @ rgb_to_xyz_matrix() / np.array(white_point)[:, np.newaxis]
    return as_rows(matrix), as_rows(np.linalg.inv(matrix))

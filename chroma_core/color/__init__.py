"""Colour mathematics on arrays of shape (..., 3): NumPy only."""

from __future__ import annotations

from chroma_core.color.adaptation import chromatic_adaptation, chromatic_adaptation_matrix
from chroma_core.color.difference import delta_e_76, delta_e_2000
from chroma_core.color.gamut import inside_srgb, into_srgb
from chroma_core.color.lab import (
    gray_to_lightness,
    lab_to_rgb,
    lab_to_xyz,
    lightness_to_gray,
    lightness_to_luminance,
    luminance_to_lightness,
    rgb_to_lab,
    xyz_to_lab,
)
from chroma_core.color.srgb import srgb_eotf, srgb_eotf_inverse
from chroma_core.color.white_points import D65, WHITE_POINTS, white_point
from chroma_core.color.xyz import (
    SRGB_PRIMARIES,
    linear_rgb_to_xyz,
    rgb_to_xyz_matrix,
    xyz_to_linear_rgb,
)

__all__ = [
    "D65",
    "SRGB_PRIMARIES",
    "WHITE_POINTS",
    "chromatic_adaptation",
    "chromatic_adaptation_matrix",
    "delta_e_76",
    "delta_e_2000",
    "gray_to_lightness",
    "inside_srgb",
    "into_srgb",
    "lab_to_rgb",
    "lab_to_xyz",
    "lightness_to_gray",
    "lightness_to_luminance",
    "linear_rgb_to_xyz",
    "luminance_to_lightness",
    "rgb_to_lab",
    "rgb_to_xyz_matrix",
    "srgb_eotf",
    "srgb_eotf_inverse",
    "white_point",
    "xyz_to_lab",
    "xyz_to_linear_rgb",
]

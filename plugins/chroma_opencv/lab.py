"""CIE 1976 L*a*b* of sRGB, as OpenCV computes it.

`COLOR_RGB2LAB` is off by up to 0.6 because it takes the transfer function from a table too, so the
transfer function is chroma's own (IEC 61966-2-1) and OpenCV gets linear light (`COLOR_LRGB2LAB`).
What is left, on 200,000 random colours against the exact formula: at most 0.007 in L*, 0.034 in a*
and 0.013 in b*, of which the most comes from a matrix rounded to six digits. There and back it is
2.5e-4 of the full scale: 8-bit codes come back as they were, 16-bit ones do not.

`COLOR_LAB2LRGB` clips, so that nobody could tell what is out of gamut; the way back is the inverse
formula with OpenCV's white point and matrix (`COLOR_XYZ2RGB`), which does not.
"""

from __future__ import annotations

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.color.lab import lab_to_xyz
from chroma_core.color.srgb import srgb_eotf, srgb_eotf_inverse
from chroma_core.options import NoOptions
from chroma_core.stages import Colorspace

__all__ = ["LabOpenCVColorspace"]

WHITE = (0.950456, 1.0, 1.088754)
"""X, Y, Z of white: the row sums of OpenCV's matrix."""

ROW = 256
"""Pixels of a row for OpenCV, a multiple of every vector register.

OpenCV has a fast path and one for the pixels that are left at the end of a row, and they differ by
up to 0.012: whole rows of one length make a pixel's colour independent of where it lies.
"""


class LabOpenCVColorspace(Colorspace[NoOptions]):
    """L*, a*, b* of encoded sRGB by OpenCV, in float32, for pictures of 8 bits.

    Attributes
    ----------
    max_depth : int
        Bits a channel that survive the way there and back; the pipeline refuses deeper pictures.
    """

    name = "lab-opencv"
    requires = ("cv2",)
    extra = "opencv"
    max_depth = 8

    def from_rgb(self, rgb: FloatArray) -> FloatArray:
        """Convert encoded sRGB to LAB.

        Parameters
        ----------
        rgb : ndarray, shape (..., 3)
            Encoded sRGB; clipped to [0, 1]. NaN in a pixel makes that pixel NaN.

        Returns
        -------
        ndarray, shape (..., 3)
            L* in [0, 100], a*, b*, which are 0 exactly where R = G = B; dtype of `rgb`, precision
            of float32.
        """
        import cv2

        linear = srgb_eotf(rgb.astype(np.float32, copy=False))
        lab = _convert(linear, cv2.COLOR_LRGB2LAB)
        # OpenCV leaves up to 3e-5 on gray.
        lab[(linear[..., 0] == linear[..., 1]) & (linear[..., 1] == linear[..., 2]), 1:] = 0
        return lab.astype(rgb.dtype, copy=False)

    def to_rgb(self, color: FloatArray) -> FloatArray:
        """Convert LAB to encoded sRGB; not clipped.

        Parameters
        ----------
        color : ndarray, shape (..., 3)
            L*, a*, b*. NaN in a pixel makes that pixel NaN.

        Returns
        -------
        ndarray, shape (..., 3)
            Encoded sRGB, outside [0, 1] where the colour is out of gamut; dtype of `color`,
            precision of float32.
        """
        import cv2

        xyz = lab_to_xyz(color.astype(np.float32, copy=False), white_point=WHITE)
        linear = _convert(xyz, cv2.COLOR_XYZ2RGB)
        return srgb_eotf_inverse(linear).astype(color.dtype, copy=False)

    def into_gamut(self, color: FloatArray) -> FloatArray:
        """Lower chroma, at constant lightness and hue, until the colour lies in sRGB.

        Parameters
        ----------
        color : ndarray, shape (..., 3)
            L*, a*, b*. What lies in the gamut already is returned as it is.

        Returns
        -------
        ndarray, shape (..., 3)
            L* as it was, a* and b* scaled; dtype of `color`.
        """
        rgb = self.to_rgb(color)
        outside = ~((rgb >= 0) & (rgb <= 1)).all(axis=-1)
        mapped = color.copy()
        if outside.any():
            mapped[outside] = super().into_gamut(color[outside])
        return mapped


def _convert(values: FloatArray, code: int) -> FloatArray:
    """Run `cv2.cvtColor` on any shape (..., 3), float32; NaN stays."""
    import cv2

    pixels = values.reshape(-1, 3)
    if not len(pixels):
        return values.copy()
    rows = -(-len(pixels) // ROW)
    padded = np.zeros((rows * ROW, 3), dtype=np.float32)
    padded[: len(pixels)] = pixels
    converted = cv2.cvtColor(padded.reshape(rows, ROW, 3), code).reshape(-1, 3)[: len(pixels)]
    missing = np.isnan(pixels).any(axis=-1)
    if missing.any():
        converted[missing] = np.nan
    return np.asarray(converted.reshape(values.shape))

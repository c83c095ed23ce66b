"""CIE 1976 L*a*b* as a colorspace stage.

The white point is an option: colours are adapted to it (Bradford), so that gray is neutral under
every one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from chroma_core.arrays import FloatArray
from chroma_core.color.gamut import into_srgb
from chroma_core.color.lab import lab_to_rgb, rgb_to_lab
from chroma_core.color.white_points import WHITE_POINTS, Illuminant, Observer
from chroma_core.options import Options, option
from chroma_core.stages import Colorspace

__all__ = ["LabColorspace", "LabOptions"]


@dataclass(frozen=True, kw_only=True)
class LabOptions(Options):
    """Settings of `LabColorspace`."""

    illuminant: Illuminant = option("D65", "light that counts as white")
    observer: Observer = option(2, "field of view of the standard observer", unit="degrees")


class LabColorspace(Colorspace[LabOptions]):
    """L*, a*, b* of encoded sRGB.

    Examples
    --------
    >>> import numpy as np
    >>> space = LabColorspace()
    >>> float(space.from_rgb(np.array([1.0, 0.0, 0.0]))[0].round(4))
    53.2371
    """

    name = "lab"
    Options = LabOptions

    @property
    def white_point(self) -> tuple[float, float]:
        """The white, (x, y)."""
        return WHITE_POINTS[self.options.illuminant, self.options.observer]

    def from_rgb(self, rgb: FloatArray) -> FloatArray:
        """Convert encoded sRGB to LAB.

        Parameters
        ----------
        rgb : ndarray, shape (..., 3)
            Encoded sRGB, [0, 1]. NaN in a pixel makes that pixel NaN.

        Returns
        -------
        ndarray, shape (..., 3)
            L* in [0, 100], a*, b*; dtype of `rgb`.
        """
        return rgb_to_lab(rgb, white_point=self.white_point)

    def to_rgb(self, color: FloatArray) -> FloatArray:
        """Convert LAB to encoded sRGB; not clipped.

        Parameters
        ----------
        color : ndarray, shape (..., 3)
            L*, a*, b*. NaN in a pixel makes that pixel NaN.

        Returns
        -------
        ndarray, shape (..., 3)
            Encoded sRGB, outside [0, 1] where the colour is out of gamut; dtype of `color`.
        """
        return lab_to_rgb(color, white_point=self.white_point)

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
        return into_srgb(color, white_point=self.white_point)

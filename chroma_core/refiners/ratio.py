"""The printed formula with the sign that keeps its promise: a* : b* stays, their mean is L*.

From lightness L and the predicted pair (x, y) = (a*, b*)

    X = 2 L / (1 + y / x) = 2 L x / (x + y)        Y = 2 L / (1 + x / y) = 2 L y / (x + y)

so that X / Y = x / y and (X + Y) / 2 = L, in which its authors saw the intensity. In LAB that mean
is no intensity: a* and b* are opponent axes, L* alone carries it. The strength of the prediction is
thrown away, chroma is never below √2 L, there is a pole at y = -x, and where x + y < 0 the hue
turns by 180 degrees unless ``hue="keep"``. `intensity` takes the two stated conditions seriously.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.options import Options, option
from chroma_core.refiners import refuse_not_finite
from chroma_core.stages import Refiner, Scene

__all__ = ["RatioOptions", "RatioRefiner"]


@dataclass(frozen=True, kw_only=True)
class RatioOptions(Options):
    """Settings of `RatioRefiner`."""

    # Just above the largest C*ab in sRGB, 133.8 at blue.
    cap: float = option(150.0, "largest C*ab given back", unit="LAB", gt=0, le=1000)
    hue: Literal["formula", "keep"] = option(
        "formula", "whether hue may turn by 180 degrees, as the formula has it, or is kept"
    )


class RatioRefiner(Refiner[RatioOptions]):
    """Keep a* : b* and make the mean of both L*.

    Examples
    --------
    Skin:

    >>> lab = np.array([[[65.0, 18.0, 20.0]]])
    >>> RatioRefiner().refine(lab, Scene(lightness=lab[..., 0])).round(4)
    array([[[65.    , 61.5789, 68.4211]]])
    """

    name = "ratio"
    Options = RatioOptions

    def reach(self, scale: float) -> int:
        """Look at no neighbour."""
        return 0

    def refine(self, lab: FloatArray, scene: Scene) -> FloatArray:
        """Return `lab` with the formula's a* and b*, and L* as it was.

        Parameters
        ----------
        lab : ndarray, shape (..., 3)
            L* in [0, 100]; a* and b* finite, unbounded.
        scene : Scene
            The gray picture, whose lightness is the formula's L.

        Returns
        -------
        ndarray, shape (..., 3)
            L*, a*, b* in the dtype of `lab`; computed in float64.

        Raises
        ------
        InputError
            If `lab` or the lightness holds NaN or infinity.
        """
        refuse_not_finite(self, lab, scene)
        chroma = lab[..., 1:].astype(np.float64)
        lightness = scene.lightness.astype(np.float64)
        largest = np.abs(chroma).max(axis=-1)
        gray = (largest == 0) | (lightness <= 0)
        # The division by the larger one first keeps denormals and 1e300 in range.
        direction = chroma / np.where(largest == 0, 1.0, largest)[..., np.newaxis]
        length = np.hypot(direction[..., 0], direction[..., 1])
        direction /= np.where(largest == 0, 1.0, length)[..., np.newaxis]
        total = direction[..., 0] + direction[..., 1]
        if self.options.hue == "keep":
            total = np.abs(total)
        # At the pole the quotient is +inf, and the cap is what is left of it.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            c_ab = np.clip(2 * lightness / total, -self.options.cap, self.options.cap)
        pair = np.where(gray[..., np.newaxis], 0.0, c_ab[..., np.newaxis] * direction)
        return np.concatenate([lab[..., :1], pair.astype(lab.dtype)], axis=-1)

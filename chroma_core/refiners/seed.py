"""The refinement formula that this project began with, as it was printed.

From lightness L and the predicted pair (x, y) = (a*, b*) it makes

    X = 2 L / (1 + y / x)        Y = 2 L / (1 - x / y)

so that "x / y = X / Y must remain". It does not: multiplied out, X / Y = (x / y) (y - x) / (y + x).
The strength of the prediction is thrown away, for X and Y depend on the ratio alone; there are
poles at y = -x and y = x; where x + y < 0, X points away from x: a blue sky turns orange. It is
here because it is the formula, never as a default. `ratio` has the sign that keeps the ratio,
`intensity` takes the two stated conditions seriously.

The only additions make it total: no chroma or no lightness gives gray, and each of X and Y is
limited to a cap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.options import Options, option
from chroma_core.refiners import refuse_not_finite
from chroma_core.stages import Refiner, Scene

__all__ = ["SeedOptions", "SeedRefiner"]


@dataclass(frozen=True, kw_only=True)
class SeedOptions(Options):
    """Settings of `SeedRefiner`."""

    # Just above the largest C*ab in sRGB, 133.8 at blue.
    cap: float = option(150.0, "largest |a*| and |b*| given back", unit="LAB", gt=0, le=1000)


class SeedRefiner(Refiner[SeedOptions]):
    """Replace chroma by the printed formula.

    Examples
    --------
    A sky:

    >>> lab = np.array([[[70.0, -5.0, -25.0]]])
    >>> SeedRefiner().refine(lab, Scene(lightness=lab[..., 0])).round(4)
    array([[[ 70.    ,  23.3333, 150.    ]]])
    """

    name = "seed"
    Options = SeedOptions

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
        x, y = np.moveaxis(lab[..., 1:].astype(np.float64), -1, 0)
        lightness = scene.lightness.astype(np.float64)
        # IEEE division gives the limits: x = 0 gives X = 0, y = 0 gives Y = 0, a pole infinity.
        with np.errstate(all="ignore"):
            pair = np.stack([2 * lightness / (1 + y / x), 2 * lightness / (1 - x / y)], axis=-1)
        gray = ((x == 0) & (y == 0)) | (lightness <= 0)
        pair = np.where(gray[..., np.newaxis], 0.0, pair)
        pair = np.clip(pair, -self.options.cap, self.options.cap)
        return np.concatenate([lab[..., :1], pair.astype(lab.dtype)], axis=-1)

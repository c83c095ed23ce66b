"""Guided filter of predicted chroma: smooth inside regions, sharp at the edges of lightness.

He, Sun & Tang, "Guided Image Filtering", IEEE TPAMI 35(6), 2013, with L* / 100 as the guide. See
`chroma_core.filters.guided`. The default radius and epsilon gave the lowest error of those tried on
predictions of a small net at 256 pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from chroma_core.arrays import FloatArray
from chroma_core.filters.guided import guided_filter
from chroma_core.options import Options, option
from chroma_core.refiners import refuse_not_finite
from chroma_core.stages import Refiner, Scene

__all__ = ["GuidedOptions", "GuidedRefiner"]


@dataclass(frozen=True, kw_only=True)
class GuidedOptions(Options):
    """Settings of `GuidedRefiner`."""

    radius: float = option(
        16.0, "half the side of the window", unit="px of the work picture", gt=0, le=256
    )
    epsilon: float = option(
        1e-3, "variance of lightness at which half of an edge is kept", unit="(L*/100)²", ge=1e-9
    )


class GuidedRefiner(Refiner[GuidedOptions]):
    """Smooth a* and b* with the edges of L*. The cost does not depend on the radius.

    Examples
    --------
    >>> import numpy as np
    >>> lab = np.array([[[20.0, 8.0, 0.0], [20.0, 4.0, 0.0], [80.0, -9.0, 0.0]]])
    >>> refiner = GuidedRefiner(GuidedOptions(radius=1.0))
    >>> refiner.refine(lab, Scene(lightness=lab[..., 0]))[..., 1].round(1)
    array([[ 6.4,  5.5, -8.9]])
    """

    name = "guided"
    Options = GuidedOptions

    def reach(self, scale: float) -> int:
        """Look twice the radius around: a mean of windows that reach a radius each."""
        return math.ceil(2 * self.options.radius * scale) + 1

    def refine(self, lab: FloatArray, scene: Scene) -> FloatArray:
        """Return `lab` with a* and b* filtered, and L* as it was.

        Parameters
        ----------
        lab : ndarray, shape (H, W, 3)
            L* in [0, 100]; a* and b* finite, unbounded.
        scene : Scene
            The gray picture, whose lightness is the guide.

        Returns
        -------
        ndarray, shape (H, W, 3)
            L*, a*, b* in the dtype of `lab`.

        Raises
        ------
        InputError
            If `lab` or the lightness holds NaN or infinity.
        """
        refuse_not_finite(self, lab, scene)
        radius = max(1, round(self.options.radius * scene.scale))
        guide = scene.lightness / scene.lightness.dtype.type(100)
        refined = lab.copy()
        refined[..., 1:] = guided_filter(lab[..., 1:], guide, radius, self.options.epsilon)
        return refined

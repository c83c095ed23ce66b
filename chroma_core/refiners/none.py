"""No refinement: the colours as they were predicted."""

from __future__ import annotations

from chroma_core.arrays import FloatArray
from chroma_core.options import NoOptions
from chroma_core.refiners import refuse_not_finite
from chroma_core.stages import Refiner, Scene

__all__ = ["NoRefiner"]


class NoRefiner(Refiner[NoOptions]):
    """Give every colour back as it came.

    Examples
    --------
    >>> import numpy as np
    >>> lab = np.array([[[50.0, 20.0, -5.0]]])
    >>> NoRefiner().refine(lab, Scene(lightness=lab[..., 0]))
    array([[[50., 20., -5.]]])
    """

    name = "none"

    def reach(self, scale: float) -> int:
        """Look at no neighbour."""
        return 0

    def refine(self, lab: FloatArray, scene: Scene) -> FloatArray:
        """Return a copy of `lab`.

        Parameters
        ----------
        lab : ndarray, shape (..., 3)
            L* in [0, 100]; a* and b* finite, unbounded.
        scene : Scene
            The gray picture. Not used.

        Returns
        -------
        ndarray, shape (..., 3)
            L*, a*, b* in the dtype of `lab`.

        Raises
        ------
        InputError
            If `lab` or the lightness holds NaN or infinity.
        """
        refuse_not_finite(self, lab, scene)
        return lab.copy()

"""Reference refiner stages."""

from __future__ import annotations

from typing import Any

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.errors import InputError
from chroma_core.stages import Refiner, Scene

__all__ = ["refuse_not_finite"]


def refuse_not_finite(refiner: Refiner[Any], lab: FloatArray, scene: Scene) -> None:
    """Refuse a picture that holds NaN or infinity: no refiner has an answer to it.

    Parameters
    ----------
    refiner : Refiner
        The stage that was asked, for the message.
    lab : ndarray, shape (..., 3)
        L*, a*, b*.
    scene : Scene
        The gray picture.

    Raises
    ------
    InputError
        Says how many values of each are NaN or infinite.
    """
    for what, values in (("lab", lab), ("lightness", scene.lightness)):
        bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        if bad:
            raise InputError(
                f"refiner {refiner.name}: {what} holds {bad} values that are NaN or infinite, "
                f"wanted finite numbers"
            )

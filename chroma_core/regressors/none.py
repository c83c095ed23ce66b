"""Regressor ``none``: no colour anywhere.

What every regressor has to beat, and the way to run conversion, join and refiners alone.
"""

from __future__ import annotations

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.options import NoOptions
from chroma_core.stages import Grid, Prediction, Regressor

__all__ = ["NoRegressor"]


class NoRegressor(Regressor[NoOptions]):
    """Predicts a* = b* = 0 at every node.

    Examples
    --------
    >>> grid = Grid.regular(8, 12, 4)
    >>> NoRegressor().predict(np.zeros((2, 3, 0)), np.zeros((2, 3)), grid).chroma.max()
    np.float32(0.0)
    """

    name = "none"
    per_node = True

    def predict(self, features: FloatArray, lightness: FloatArray, grid: Grid) -> Prediction:
        """Return zero chroma at the nodes, whatever is seen there.

        Parameters
        ----------
        features : ndarray, shape (rows, cols, D)
            Not looked at.
        lightness : ndarray, shape (rows, cols)
            Not looked at.
        grid : Grid
            Where the nodes lie.
        """
        return Prediction(chroma=np.zeros((*grid.shape, 2), dtype=np.float32), grid=grid)

"""How much of the colour of unseen pictures a trained regressor explains, node by node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.errors import TrainingError
from chroma_core.filters.resize import sample_bilinear
from chroma_core.stages import Grid, Regressor, Samples, Split, TrainingData

__all__ = ["Unexplained", "measure"]


@dataclass(frozen=True, kw_only=True)
class Unexplained:
    """Error over variance on a part of the data.

    Attributes
    ----------
    pictures, rows : int
        What it was measured on.
    a, b : float
        Mean squared error of a* and b*, divided by that of the training mean: 1 is as good as one
        colour everywhere, 0 is perfect.
    """

    pictures: int
    rows: int
    a: float
    b: float


def measure(
    regressor: Regressor[Any], data: TrainingData, split: Split, mean_chroma: FloatArray
) -> Unexplained:
    """Measure a regressor on a part of the data, in one pass.

    Parameters
    ----------
    regressor : Regressor
        With its weights.
    data : TrainingData
        Samples; whole maps for a regressor that looks at more than single nodes.
    split : str
        ``"train"``, ``"validation"`` or ``"card"``.
    mean_chroma : ndarray, shape (2,)
        Mean a* and b* of the training rows, to compare with.

    Raises
    ------
    TrainingError
        If the part has no rows or only one colour, or the regressor needs maps and there are none.
    """
    errors, spreads = np.zeros(2), np.zeros(2)
    rows = pictures = 0
    for sample in data.samples(split):
        truth = sample.chroma.astype(np.float64)
        errors += np.square(_predicted(regressor, sample) - truth).sum(axis=0)
        spreads += np.square(truth - mean_chroma).sum(axis=0)
        rows += len(truth)
        pictures += 1
    if not rows or not (spreads > 0).all():
        raise TrainingError(f"there is no colour in the {split} pictures to measure by")
    a, b = (errors / spreads).tolist()
    return Unexplained(pictures=pictures, rows=rows, a=a, b=b)


def _predicted(regressor: Regressor[Any], sample: Samples) -> FloatArray:
    """Return a* and b* at the nodes of a sample, shape (n, 2)."""
    count = len(sample.lightness)
    if regressor.per_node:
        # Where the nodes lie is nothing to such a regressor: they stand in one row.
        grid = Grid(rows=1, cols=count)
    elif sample.shape is not None:
        grid = _grid_of(sample, sample.shape)
    else:
        raise TrainingError(
            f"regressor {regressor.name} needs whole maps, these are samples of nodes",
            hint="extract all nodes (leave --per-image out)",
        )
    prediction = regressor.predict(
        sample.features.reshape(*grid.shape, sample.features.shape[1]),
        sample.lightness.reshape(grid.shape),
        grid,
    )
    answer = prediction.grid
    if answer == grid:
        return prediction.chroma.reshape(count, 2)
    at = sample_bilinear(
        prediction.chroma,
        (grid.row_positions() - answer.origin[0]) / answer.step[0],
        (grid.col_positions() - answer.origin[1]) / answer.step[1],
    )
    return at.reshape(count, 2)


def _grid_of(sample: Samples, shape: tuple[int, int]) -> Grid:
    rows, cols = shape
    positions = sample.positions.astype(np.float64).reshape(rows, cols, 2)
    first, last = positions[0, 0], positions[-1, -1]
    return Grid(
        rows=rows,
        cols=cols,
        origin=(float(first[0]), float(first[1])),
        step=(
            float((last[0] - first[0]) / (rows - 1)) if rows > 1 else 1.0,
            float((last[1] - first[1]) / (cols - 1)) if cols > 1 else 1.0,
        ),
    )

"""Regressor ``ridge``: a* and b* as linear functions of the features and L*.

Ridge regression (Hoerl & Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems",
Technometrics 12, 1970) in closed form. With inputs x and targets y standardised by the training
rows, the weights minimise ``mean((w . x - y)^2) + alpha |w|^2``, so they solve
``(C + alpha I) w = c`` with the correlations C of the inputs and c of inputs and target. The one
pass that this needs keeps sums of at most (D + 3)^2 numbers, whatever the number of rows.

In a model folder each target is one file, ``a`` and ``b``, in the format ``ridge/1``:

==============  ==========  ======================================================
tensor          shape       meaning
==============  ==========  ======================================================
``input_mean``  (inputs,)   subtracted from the inputs: the features, then L*
``weight``      (inputs,)   what one unit of each input adds, in LAB units
``bias``        (1,)        mean of the target
==============  ==========  ======================================================
"""

from __future__ import annotations

import time
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.errors import ModelError, ModelMismatch, OptionError, TrainingError
from chroma_core.options import Options, option
from chroma_core.stages import (
    Checkpoint,
    Grid,
    Prediction,
    Progress,
    Samples,
    TrainableRegressor,
    TrainingData,
    TrainingReport,
    Weights,
    WeightShapes,
)

__all__ = ["FORMAT", "RidgeOptions", "RidgeRegressor", "RidgeTrainOptions"]

FORMAT = "ridge/1"

AnyOptions: TypeAlias = Options
"""The base class, by a name that the classes' own ``Options`` does not hide."""

TARGETS = ("a", "b")

BLOCK_ROWS = 4096
"""Rows of one block of work: 8 MB of float64 at 263 inputs."""


@dataclass(frozen=True, kw_only=True)
class RidgeOptions(Options):
    """Settings of `RidgeRegressor`."""

    lightness: bool = option(True, "whether L* at the node is an input, after the features")


@dataclass(frozen=True, kw_only=True)
class RidgeTrainOptions(Options):
    """How `RidgeRegressor` is trained."""

    alpha: float = option(
        1e-3, "price of a standardised weight's square; 0 is ordinary least squares", ge=0
    )


class RidgeRegressor(TrainableRegressor[RidgeOptions]):
    """Linear regression with a price on large weights.

    Parameters
    ----------
    options : RidgeOptions, optional
        What the inputs are.
    weights : Mapping, optional
        Weights by file and tensor name; a stage without weights can train but not predict.
    """

    name = "ridge"
    Options = RidgeOptions
    TrainOptions = RidgeTrainOptions
    reads = frozenset({FORMAT})
    writes = FORMAT
    wants = "nodes"
    per_node = True

    def __init__(self, options: RidgeOptions | None = None, weights: Weights | None = None) -> None:
        super().__init__(options)
        self._weights: Weights = weights if weights is not None else types.MappingProxyType({})

    def weight_shapes(self, width: int) -> WeightShapes:
        """Return the tensors of both targets for features of this width."""
        inputs = width + int(self.options.lightness)
        shapes = {"input_mean": (inputs,), "weight": (inputs,), "bias": (1,)}
        return {target: dict(shapes) for target in TARGETS}

    def weights(self) -> Weights:
        """Return the weights by file; empty before training or loading."""
        return self._weights

    def with_weights(self, weights: Weights) -> RidgeRegressor:
        """Return this stage with the given weights."""
        return type(self)(self.options, weights)

    def predict(self, features: FloatArray, lightness: FloatArray, grid: Grid) -> Prediction:
        """Predict a* and b* at every node, each from that node alone.

        Parameters
        ----------
        features : ndarray, shape (rows, cols, D)
            float32.
        lightness : ndarray, shape (rows, cols)
            L* in [0, 100].
        grid : Grid
            Where the nodes lie.

        Raises
        ------
        ModelError
            If the stage has no weights.
        ModelMismatch
            If they want features of another width.
        """
        if not self._weights:
            raise ModelError(
                "this regressor has no weights yet", hint="choose a model, or train one"
            )
        width = features.shape[-1]
        wanted = self._weights["a"]["weight"].size - int(self.options.lightness)
        if width != wanted:
            raise ModelMismatch(f"features have {width} numbers a node, this model wants {wanted}")
        seen = features.reshape(lightness.size, width)
        light = lightness.reshape(-1, 1)
        chroma = np.empty((len(light), 2), dtype=np.float32)
        for start in range(0, len(light), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            inputs = seen[part]
            if self.options.lightness:
                inputs = np.concatenate([inputs, light[part]], axis=1)
            for place, target in enumerate(TARGETS):
                tensors = self._weights[target]
                # Not a matrix product: BLAS adds up in another order for another number of rows,
                # and a band of rows must give the same bits as the whole.
                terms = (inputs - tensors["input_mean"]) * tensors["weight"]
                chroma[part, place] = terms.sum(axis=1) + tensors["bias"][0]
        return Prediction(chroma=chroma.reshape(grid.rows, grid.cols, 2), grid=grid)

    def train(
        self,
        data: TrainingData,
        options: AnyOptions,
        progress: Progress,
        checkpoint: Checkpoint,
    ) -> TrainingReport:
        """Solve for the weights in one pass over the training rows.

        Parameters
        ----------
        data : TrainingData
            Samples of nodes; the part "train" is read.
        options : RidgeTrainOptions
            How to train.
        progress : callable
            Told of rows read and to read.
        checkpoint : Checkpoint
            Not used: one pass is begun anew.

        Returns
        -------
        TrainingReport
            Its one history entry has ``loss_a`` and ``loss_b``: error over variance on the training
            rows.

        Raises
        ------
        TrainingError
            If there are no training rows, or a value is not finite.
        """
        if not isinstance(options, RidgeTrainOptions):
            raise OptionError(
                f"training options are {type(options).__name__}, wanted RidgeTrainOptions"
            )
        began = time.monotonic()
        rows, mean, products = self._sums(data, progress)
        inputs = len(mean) - 2
        sd = np.sqrt(np.diag(products) / rows)
        # A column that never changes gets no weight: after this its correlations are all 0.
        # Never: by less than float32 can tell, for sums leave a rounding of their own.
        varies = sd > 1e-7 * np.abs(mean)
        scale = np.where(varies, sd, 1.0)
        correlations = products / rows / np.outer(scale, scale) * np.outer(varies, varies)
        of_inputs, with_targets = correlations[:inputs, :inputs], correlations[:inputs, inputs:]
        solution = _solve(of_inputs, with_targets, options.alpha)
        weights = {}
        history = {"epoch": 1.0}
        for place, target in enumerate(TARGETS):
            slopes = solution[:, place] * scale[inputs + place] / scale[:inputs]
            weights[target] = {
                "input_mean": mean[:inputs].astype(np.float32),
                "weight": slopes.astype(np.float32),
                "bias": mean[inputs + place : inputs + place + 1].astype(np.float32),
            }
            found = solution[:, place]
            history[f"loss_{target}"] = float(
                correlations[inputs + place, inputs + place]
                - 2 * found @ with_targets[:, place]
                + found @ of_inputs @ found
            )
        history["seconds"] = time.monotonic() - began
        return TrainingReport(
            regressor=self.with_weights(weights),
            history=(history,),
            facts={"rows": rows, "inputs": inputs},
        )

    def _sums(self, data: TrainingData, progress: Progress) -> tuple[int, FloatArray, FloatArray]:
        """Return rows, means, and centred sums of products of (inputs, a*, b*).

        Blocks are joined by the pairwise update of Chan, Golub & LeVeque (1979), which loses no
        digits to a large mean.
        """
        size = data.width + int(self.options.lightness) + 2
        rows = 0
        mean = np.zeros(size)
        products = np.zeros((size, size))
        for block in self._blocks(data):
            count = len(block)
            block_mean = block.mean(axis=0)
            centred = block - block_mean
            gap = block_mean - mean
            total = rows + count
            products += centred.T @ centred + np.outer(gap, gap) * (rows * count / total)
            mean += gap * (count / total)
            rows = total
            if not np.isfinite(mean).all():
                raise TrainingError(f"the training data hold NaN or infinity before row {rows}")
            progress(rows, max(rows, data.rows("train")), {})
        if rows == 0:
            raise TrainingError("there are no training rows")
        return rows, mean, products

    def _blocks(self, data: TrainingData) -> Iterator[FloatArray]:
        """Yield (inputs, a*, b*), shape (n, inputs + 2), float64, n about `BLOCK_ROWS`."""
        waiting: list[FloatArray] = []
        held = 0
        for sample in data.samples("train"):
            for start in range(0, len(sample.lightness), BLOCK_ROWS):
                waiting.append(self._table(sample, slice(start, start + BLOCK_ROWS)))
                held += len(waiting[-1])
                if held >= BLOCK_ROWS:
                    yield np.concatenate(waiting, dtype=np.float64)
                    waiting, held = [], 0
        if held:
            yield np.concatenate(waiting, dtype=np.float64)

    def _table(self, sample: Samples, part: slice) -> FloatArray:
        columns = [sample.features[part], sample.chroma[part]]
        if self.options.lightness:
            columns.insert(1, sample.lightness[part, np.newaxis])
        return np.concatenate(columns, axis=1)


def _solve(matrix: FloatArray, targets: FloatArray, alpha: float) -> FloatArray:
    if alpha > 0:
        return np.linalg.solve(matrix + alpha * np.eye(len(matrix)), targets)
    # Inputs that follow from others leave a choice: the shortest weights.
    return np.linalg.lstsq(matrix, targets, rcond=None)[0]

"""Regressor ``dense``: runs deep fully connected nets with NumPy alone.

It runs every model folder of the format ``dense-net/1`` (see `dense_net`), such as those that the
stage ``tf-dense`` trains, without TensorFlow.
"""

from __future__ import annotations

import types
from collections.abc import Mapping

from chroma_core.arrays import FloatArray
from chroma_core.regressors import dense_net
from chroma_core.regressors.dense_net import DenseOptions
from chroma_core.stages import Grid, Prediction, Regressor, Weights, WeightShapes

__all__ = ["DenseRegressor"]


class DenseRegressor(Regressor[DenseOptions]):
    """Deep fully connected nets, one each for a* and b*, in NumPy.

    Parameters
    ----------
    options : DenseOptions, optional
        Shape of the nets; by default the seed's ten layers of 128 sigmoid units.
    weights : Mapping, optional
        Weights by file and tensor name, as `weight_shapes` says; a stage without weights cannot
        predict.
    """

    name = "dense"
    Options = DenseOptions
    reads = frozenset({dense_net.FORMAT})
    per_node = True

    def __init__(self, options: DenseOptions | None = None, weights: Weights | None = None) -> None:
        super().__init__(options)
        self._weights: Weights = weights if weights is not None else types.MappingProxyType({})

    def weight_shapes(self, width: int) -> WeightShapes:
        """Return the tensors of the nets for features of this width."""
        return dense_net.weight_shapes(self.options, width)

    def weights(self) -> Weights:
        """Return the nets' tensors by file; empty before any model was loaded."""
        return self._weights

    def with_weights(self, weights: Mapping[str, Mapping[str, FloatArray]]) -> DenseRegressor:
        """Return this stage with the given nets."""
        return type(self)(self.options, weights)

    def predict(self, features: FloatArray, lightness: FloatArray, grid: Grid) -> Prediction:
        """Predict a* and b* at every node, each from that node alone.

        Parameters
        ----------
        features : ndarray, shape (rows, cols, D)
            Features, float32.
        lightness : ndarray, shape (rows, cols)
            L* in [0, 100].
        grid : Grid
            Where the nodes lie.

        Raises
        ------
        ModelError
            If the stage has no weights, or they want features of another width.
        """
        answers = {}
        for file, net in dense_net.nets_of_weights(self._weights, self.options).items():
            rows, last = dense_net.rows_of_map(net, features, lightness, self.options)
            answers[file] = dense_net.forward(net, rows, last, block=self.options.block)
        return dense_net.join_files(answers, grid)

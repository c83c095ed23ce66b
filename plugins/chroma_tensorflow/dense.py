"""Regressor ``tf-dense``: deep fully connected nets, trained and run by TensorFlow."""

from __future__ import annotations

import types
from functools import cached_property
from typing import Any

from chroma_core.arrays import FloatArray
from chroma_core.errors import OptionError
from chroma_core.options import Options as AnyOptions
from chroma_core.regressors import dense_net
from chroma_core.regressors.dense_net import DenseNet, DenseOptions
from chroma_core.stages import (
    Checkpoint,
    Grid,
    Prediction,
    Progress,
    TrainableRegressor,
    TrainingData,
    TrainingReport,
    Weights,
    WeightShapes,
)
from chroma_tensorflow.runtime import set_threads, tensorflow
from chroma_tensorflow.train_options import DenseTrainOptions
from chroma_tensorflow.trainer import train_nets

__all__ = ["TFDenseRegressor"]


class TFDenseRegressor(TrainableRegressor[DenseOptions]):
    """Deep fully connected nets, one each for a* and b*, in TensorFlow.

    Parameters
    ----------
    options : DenseOptions, optional
        Shape of the nets; by default the seed's ten layers of 128 sigmoid units.
    weights : Mapping, optional
        Weights by file and tensor name; a stage without weights can train but not predict.
    """

    name = "tf-dense"
    Options = DenseOptions
    TrainOptions = DenseTrainOptions
    requires = ("tensorflow",)
    extra = "tensorflow"
    reads = frozenset({dense_net.FORMAT})
    writes = dense_net.FORMAT
    wants = "nodes"
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

    def with_weights(self, weights: Weights) -> TFDenseRegressor:
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
        PluginError
            If TensorFlow cannot be imported.
        """
        answers = {}
        for file, (net, function) in self._functions.items():
            rows, last = dense_net.rows_of_map(net, features, lightness, self.options)
            answers[file] = function(rows, last)
        return dense_net.join_files(answers, grid)

    def train(
        self,
        data: TrainingData,
        options: AnyOptions,
        progress: Progress,
        checkpoint: Checkpoint,
    ) -> TrainingReport:
        """Train new nets on `data`; those of their best validation epochs come back.

        Parameters
        ----------
        data : TrainingData
            Samples of nodes, with the parts "train" and "validation"; errors on "card" are
            measured once at the end, if it has pictures.
        options : DenseTrainOptions
            How to train.
        progress : callable
            Told of rows done and to do, epoch, loss, rows a second and time left.
        checkpoint : Checkpoint
            Where the state goes after each epoch, and comes from at the start.

        Raises
        ------
        TrainingError
            If a loss is not finite or has diverged; names epoch and step.
        """
        if not isinstance(options, DenseTrainOptions):
            raise OptionError(
                f"training options are {type(options).__name__}, wanted DenseTrainOptions"
            )
        tf = tensorflow()
        set_threads(tf, options.threads, side_by_side=1 if self.options.shared else 2)
        trained = train_nets(tf, data, self.options, options, progress, checkpoint)
        weights = {file: net.tensors() for file, net in trained.nets.items()}
        return TrainingReport(
            regressor=self.with_weights(weights), history=trained.history, facts=trained.facts
        )

    @cached_property
    def _functions(self) -> dict[str, tuple[DenseNet, Any]]:
        """Each net with the function that runs it, made at the first prediction."""
        tf = tensorflow()
        nets = dense_net.nets_of_weights(self._weights, self.options)
        return {file: (net, _function(tf, net, self.options)) for file, net in nets.items()}


def _function(tf: Any, net: DenseNet, options: DenseOptions) -> Any:
    """Return a function from features (n, D) and L* (n,) or None to chroma (n, outputs)."""
    activate = getattr(tf.nn, options.activation)
    layers = net.layers
    pairs = [
        (tf.constant(weight.T), tf.constant(bias))
        for weight, bias in zip(layers.weights, layers.biases, strict=True)
    ]

    signature = [tf.TensorSpec([None, net.input_mean.size], tf.float32)]

    def compute(inputs: Any) -> Any:
        state = (inputs - net.input_mean) / net.input_sd
        for weight, bias in pairs[:-1]:
            state = activate(tf.nn.bias_add(state @ weight, bias))
        weight, bias = pairs[-1]
        return tf.nn.bias_add(state @ weight, bias) * net.target_sd + net.target_mean

    graph = tf.function(compute, input_signature=signature, autograph=False)

    def run(features: FloatArray, lightness: FloatArray | None) -> FloatArray:
        return dense_net.in_blocks(
            lambda rows: graph(rows).numpy(), net, features, lightness, block=options.block
        )

    return run

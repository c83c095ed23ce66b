"""Regressor ``tf-unet``: a network that looks at the picture, trained and run by Keras."""

from __future__ import annotations

import types
from functools import cached_property

from chroma_core.arrays import FloatArray
from chroma_core.errors import ModelError, OptionError
from chroma_core.options import Options as AnyOptions
from chroma_core.regressors import unet_looks, unet_net
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
from chroma_tensorflow.unet_model import import_keras, network_of
from chroma_tensorflow.unet_options import UNetOptions, UNetTrainOptions

__all__ = ["TFUNetRegressor"]


class TFUNetRegressor(TrainableRegressor[UNetOptions]):
    """EfficientNet-Lite0 with a decoder and a distribution over colours, in Keras.

    Parameters
    ----------
    options : UNetOptions, optional
        How it is run.
    weights : Mapping, optional
        Weights by file and tensor name; a stage without weights can train but not predict.
    """

    name = "tf-unet"
    Options = UNetOptions
    TrainOptions = UNetTrainOptions
    requires = ("tensorflow",)
    extra = "tensorflow"
    reads = frozenset({unet_net.FORMAT})
    writes = unet_net.FORMAT
    wants = "maps"
    trains_on = "pixels"

    def __init__(self, options: UNetOptions | None = None, weights: Weights | None = None) -> None:
        super().__init__(options)
        self._weights: Weights = weights if weights is not None else types.MappingProxyType({})

    def weight_shapes(self, width: int) -> WeightShapes:
        """Return the tensors of the network."""
        return unet_net.weight_shapes(self.options)

    def weights(self) -> Weights:
        """Return the network's tensors; empty before any model was loaded."""
        return self._weights

    def with_weights(self, weights: Weights) -> TFUNetRegressor:
        """Return this stage with the given network."""
        return type(self)(self.options, weights)

    def predict(self, features: FloatArray, lightness: FloatArray, grid: Grid) -> Prediction:
        """Predict a* and b* at a node in each 4 x 4 pixels.

        Parameters
        ----------
        features : ndarray, shape (h, w, 0)
            None are looked at.
        lightness : ndarray, shape (h, w)
            L* in [0, 100] of every pixel.
        grid : Grid
            Every pixel of the work picture.

        Raises
        ------
        ModelError
            If the stage has no weights, or the nodes are not the picture's pixels.
        PluginError
            If Keras or TensorFlow cannot be imported.
        """
        gray = unet_looks.gray_of(lightness, grid, self.name)
        logits = unet_looks.logits_of(
            self._first,
            gray,
            twice=self.options.twice,
            second=self._second if self.options.second else None,
        )
        return unet_net.prediction_of(logits, self._weights, unet_looks.first_node(grid))

    def train(
        self,
        data: TrainingData,
        options: AnyOptions,
        progress: Progress,
        checkpoint: Checkpoint,
    ) -> TrainingReport:
        """Train on from the model that the options name; the mean of the weights comes back.

        Parameters
        ----------
        data : TrainingData
            Whole pictures, with the parts "train" and "validation".
        options : UNetTrainOptions
            How to train.
        progress : callable
            Told of steps done and to do, epoch, loss, pictures a second and time left.
        checkpoint : Checkpoint
            Where the state goes after each part of an epoch, and comes from at the start.

        Raises
        ------
        TrainingError
            If the loss is not finite; names epoch and step.
        """
        if not isinstance(options, UNetTrainOptions):
            raise OptionError(
                f"training options are {type(options).__name__}, wanted UNetTrainOptions"
            )
        if self.options.second != bool(options.second):
            raise OptionError(
                "a second network goes into a model that has a place for it, and into no other",
                hint=f"--set {self.name}.second=true and --set train.second=MODEL, or neither",
            )
        # Imported here: a stage that only predicts needs none of it.
        from chroma_tensorflow.unet_trainer import train_unet

        keras = import_keras()
        if keras.backend.backend() == "tensorflow":
            set_threads(tensorflow(), options.threads, side_by_side=1)
        trained = train_unet(keras, data, options, progress, checkpoint)
        return TrainingReport(
            regressor=self.with_weights(trained.weights),
            history=trained.history,
            facts=trained.facts,
        )

    @cached_property
    def _first(self) -> unet_looks.Network:
        return self._network(unet_net.FILE)

    @cached_property
    def _second(self) -> unet_looks.Network:
        return self._network(unet_net.SECOND)

    def _network(self, file: str) -> unet_looks.Network:
        if file not in self._weights:
            raise ModelError(f"regressor {self.name} has no weights", hint="--model NAME")
        return network_of(import_keras(), self._weights[file])

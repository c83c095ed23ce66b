"""Regressor ``tf-unet``: a network that looks at the picture, trained and run by Keras."""

from __future__ import annotations

import types
from functools import cached_property
from typing import Any

import numpy as np

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
from chroma_tensorflow.unet_model import import_keras, set_tensors, unet_model
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
        return unet_net.weight_shapes()

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
        logits = unet_looks.logits_of(self._logits, gray, twice=self.options.twice)
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
        # Imported here: a stage that only predicts needs none of it.
        from chroma_tensorflow.unet_trainer import train_unet

        keras = import_keras()
        if keras.backend.backend() == "tensorflow":
            set_threads(tensorflow(), options.threads, side_by_side=1)
        trained = train_unet(keras, data, options, progress, checkpoint)
        return TrainingReport(
            regressor=self.with_weights({unet_net.FILE: trained.tensors}),
            history=trained.history,
            facts=trained.facts,
        )

    def _logits(self, gray: FloatArray) -> FloatArray:
        answer = self._model.predict_on_batch(gray[np.newaxis, ..., np.newaxis])
        return np.asarray(answer[0], dtype=np.float32)

    @cached_property
    def _model(self) -> Any:
        if unet_net.FILE not in self._weights:
            raise ModelError(f"regressor {self.name} has no weights", hint="--model NAME")
        model = unet_model(import_keras())
        set_tensors(model, self._weights[unet_net.FILE])
        return model

"""Regressor ``onnx``: runs what ``tf-unet`` trained, without TensorFlow.

The graph lies beside this file and holds no weights (``training/unet/make_graph.py`` writes it);
they come from the model folder, in memory. A graph that names files is never loaded from a path.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.errors import ModelError
from chroma_core.options import option
from chroma_core.regressors import unet_looks, unet_net
from chroma_core.stages import Grid, Prediction, Regressor, Weights, WeightShapes
from chroma_onnx.encoder import load_session

__all__ = ["OnnxOptions", "OnnxRegressor"]


@dataclass(frozen=True, kw_only=True)
class OnnxOptions(unet_net.UNetShape):
    """What networks there are, and how they are run."""

    twice: bool = option(
        True, "average with a second look, at the mirrored picture in another size", run=True
    )
    threads: int = option(2, "threads of onnxruntime; 0: as many as it likes", ge=0, run=True)


class OnnxRegressor(Regressor[OnnxOptions]):
    """EfficientNet-Lite0 with a decoder and a distribution over colours, run by onnxruntime.

    Parameters
    ----------
    options : OnnxOptions, optional
        How it is run.
    weights : Mapping, optional
        Weights by file and tensor name.
    """

    name = "onnx"
    Options = OnnxOptions
    requires = ("onnxruntime",)
    extra = "onnx"
    reads = frozenset({unet_net.FORMAT})

    def __init__(self, options: OnnxOptions | None = None, weights: Weights | None = None) -> None:
        super().__init__(options)
        self._weights: Weights = weights if weights is not None else types.MappingProxyType({})

    def weight_shapes(self, width: int) -> WeightShapes:
        """Return the tensors of the network."""
        return unet_net.weight_shapes(self.options)

    def weights(self) -> Weights:
        """Return the network's tensors; empty before any model was loaded."""
        return self._weights

    def with_weights(self, weights: Weights) -> OnnxRegressor:
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
            If onnxruntime cannot be imported.
        """
        gray = unet_looks.gray_of(lightness, grid, self.name)
        logits = unet_looks.logits_of(
            self._first,
            gray,
            twice=self.options.twice,
            second=self._second if self.options.second else None,
        )
        return unet_net.prediction_of(logits, self._weights, unet_looks.first_node(grid))

    @cached_property
    def _first(self) -> unet_looks.Network:
        return self._network(unet_net.FILE)

    @cached_property
    def _second(self) -> unet_looks.Network:
        return self._network(unet_net.SECOND)

    def _network(self, file: str) -> unet_looks.Network:
        if file not in self._weights:
            raise ModelError(f"regressor {self.name} has no weights", hint="--model NAME")
        tensors = self._weights[file]
        names = (
            f"{convolution.name}.{part}"
            for convolution in unet_net.CONVOLUTIONS
            for part in ("kernel", "bias")
        )
        graph = resources.files("chroma_onnx").joinpath("unet.onnx").read_bytes()
        session = load_session(
            graph,
            self.options.threads,
            {name: tensors[name].astype(np.float32) for name in names},
        )

        def logits(gray: FloatArray) -> FloatArray:
            (answer,) = session.run(["logits"], {"gray": gray[np.newaxis, np.newaxis]})
            return np.ascontiguousarray(np.moveaxis(answer[0], 0, -1))

        return logits

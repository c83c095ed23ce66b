"""The network of ``bins-unet/2`` in Keras 3, on whichever backend Keras runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray
from chroma_core.errors import PluginError
from chroma_core.regressors.unet_looks import Network
from chroma_core.regressors.unet_net import CONVOLUTIONS, Convolution

__all__ = ["import_keras", "logits_by", "network_of", "set_tensors", "tensors_of", "unet_model"]

DROPPED = ("head", "join32", "join16")
"""Where whole channels are left out in training, so that no few of them decide."""


def import_keras() -> Any:
    """Import Keras and return it; TensorFlow is its backend unless KERAS_BACKEND says otherwise.

    Raises
    ------
    PluginError
        If Keras or its backend cannot be imported.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend == "tensorflow":
        from chroma_tensorflow.runtime import tensorflow

        tensorflow()
    try:
        import keras
    except ImportError as error:
        raise PluginError(
            f"Keras cannot be imported: {error}",
            hint="pip install 'chroma-colorize[tensorflow]'",
        ) from error
    return keras


def unet_model(keras: Any, *, dropout: float = 0.0, seed: int = 0) -> Any:
    """Return the network: (N, H, W, 1) encoded gray to (N, H / 4, W / 4, bins) logits.

    Parameters
    ----------
    keras : module
        Keras 3.
    dropout : float, optional
        Share of channels of `DROPPED` that are left out in each step of a training.
    seed : int, optional
        What is left out follows from.
    """
    layers = keras.layers
    gray = keras.Input((None, None, 1), name="gray", dtype="float32")
    scaled = layers.Rescaling(255 / 128, offset=-127 / 128, name="scaled")(gray)
    found = {"gray": layers.Concatenate(name="three")([scaled, scaled, scaled])}
    for convolution in CONVOLUTIONS:
        x = _answer(layers, convolution, found)
        if dropout and convolution.name in DROPPED:
            name = f"{convolution.name}_dropped"
            x = layers.SpatialDropout2D(dropout, seed=seed, name=name)(x)
        found[convolution.name] = x
    return keras.Model(gray, found["logits"], name="unet")


def _answer(layers: Any, convolution: Convolution, found: Mapping[str, Any]) -> Any:
    name = convolution.name
    first, *others = (found[seen] for seen in convolution.inputs)
    if others:
        larger = layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_larger")(first)
        first = layers.Concatenate(name=f"{name}_joined")([larger, *others])
    facts = {"strides": convolution.stride, "padding": "same", "name": name}
    if convolution.depthwise:
        x = layers.DepthwiseConv2D(convolution.size, **facts)(first)
    else:
        x = layers.Conv2D(convolution.channels_out, convolution.size, **facts)(first)
    if convolution.adds:
        x = layers.Add(name=f"{name}_sum")([x, found[convolution.adds]])
    if convolution.relu:
        bound = convolution.relu if np.isfinite(convolution.relu) else None
        x = layers.ReLU(max_value=bound, name=f"{name}_relu")(x)
    if convolution.pooled:
        x = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pooled")(x)
    return x


def logits_by(model: Any) -> Network:
    """Return the network as one that looks: a picture's gray (h, w) to logits, float32."""

    def logits(gray: FloatArray) -> FloatArray:
        answer = model.predict_on_batch(gray[np.newaxis, ..., np.newaxis])
        return np.asarray(answer[0], dtype=np.float32)

    return logits


def network_of(keras: Any, tensors: Mapping[str, AnyArray]) -> Network:
    """Return the network with the weights of a model folder's file, as one that looks."""
    model = unet_model(keras)
    set_tensors(model, tensors)
    return logits_by(model)


def set_tensors(model: Any, tensors: Mapping[str, AnyArray]) -> None:
    """Give the network the weights of a model folder's file; names that are missing stay."""
    for convolution in CONVOLUTIONS:
        if f"{convolution.name}.kernel" not in tensors:
            continue
        kernel = tensors[f"{convolution.name}.kernel"].astype(np.float32)
        bias = tensors[f"{convolution.name}.bias"].astype(np.float32)
        axes = (2, 3, 0, 1) if convolution.depthwise else (2, 3, 1, 0)
        model.get_layer(convolution.name).set_weights([kernel.transpose(axes), bias])


def tensors_of(model: Any) -> dict[str, AnyArray]:
    """Return the network's weights as a model folder's file holds them."""
    tensors: dict[str, AnyArray] = {}
    for convolution in CONVOLUTIONS:
        kernel, bias = model.get_layer(convolution.name).get_weights()
        axes = (2, 3, 0, 1) if convolution.depthwise else (3, 2, 0, 1)
        tensors[f"{convolution.name}.kernel"] = np.ascontiguousarray(kernel.transpose(axes))
        tensors[f"{convolution.name}.bias"] = np.asarray(bias)
    return tensors

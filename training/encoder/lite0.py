"""EfficientNet-Lite0 without its classifier: folded arrays, a Keras model, an ONNX file.

The network is that of Tan & Le, "EfficientNet", ICML 2019, in the "lite" form of its authors
(ReLU6, no squeeze-and-excite). It is described once, as a list of convolutions with biases into
which batch normalisation is folded; Keras and ONNX both follow that list. Pictures are gray, with
encoded values in [0, 1], their sides multiples of 32. Where the nodes of a map stand was measured,
see `chroma_onnx.encoder`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
TAPS = {2: "quarter", 4: "eighth", 10: "sixteenth", 15: "thirtysecond"}
"""Which of the 16 blocks is the last at its depth."""

OUTPUTS = (*TAPS.values(), "pooled")
EPSILON = 1e-3
"""Of batch normalisation."""


@dataclass(frozen=True, kw_only=True)
class Conv:
    """One convolution.

    Attributes
    ----------
    name : str
        Name.
    kernel : ndarray, shape (out, in, k, k), or (channels, 1, k, k) where `depthwise`
        Weights, float32.
    bias : ndarray, shape (out,)
        Bias, float32.
    stride : int
        1 or 2, padded so that the map is the picture's size over the stride.
    relu : bool
        Whether ReLU6 follows.
    depthwise : bool
        Whether each channel is convolved by itself.
    opens, closes : bool
        Whether it is the first of a residual block, and the last of one whose input is added.
    tap : str
        Name under which its answer (with what is added) leaves the network, or empty.
    """

    name: str
    kernel: Any
    bias: Any
    stride: int = 1
    relu: bool = True
    depthwise: bool = False
    opens: bool = False
    closes: bool = False
    tap: str = ""


def convolutions(arrays: Mapping[str, Any], strides: Sequence[int] = STRIDES) -> Iterator[Conv]:
    """Yield the network's convolutions in order, from the arrays of the torch file.

    Other strides, one a block, make it those of a relative, such as Lite2.
    """

    def folded(name: str, conv: str, norm: str, **facts: Any) -> Conv:
        def of(part: str) -> Any:
            return arrays[f"{norm}.{part}"].astype(np.float64)

        scale = of("weight") / np.sqrt(of("running_var") + EPSILON)
        kernel = arrays[f"{conv}.weight"] * scale[:, np.newaxis, np.newaxis, np.newaxis]
        bias = of("bias") - of("running_mean") * scale
        return Conv(
            name=name, kernel=kernel.astype(np.float32), bias=bias.astype(np.float32), **facts
        )

    yield folded("stem", "_conv_stem", "_bn0", stride=2)
    for index, stride in enumerate(strides):
        block = f"_blocks.{index}."
        expands = f"{block}_expand_conv.weight" in arrays
        if expands:
            yield folded(f"expand{index}", f"{block}_expand_conv", f"{block}_bn0", opens=True)
        yield folded(
            f"depthwise{index}",
            f"{block}_depthwise_conv",
            f"{block}_bn1",
            stride=stride,
            depthwise=True,
            opens=not expands,
        )
        enters = arrays[f"{block}{'_expand' if expands else '_depthwise'}_conv.weight"]
        channels = enters.shape[1] if expands else enters.shape[0]
        leaves = arrays[f"{block}_project_conv.weight"].shape[0]
        yield folded(
            f"project{index}",
            f"{block}_project_conv",
            f"{block}_bn2",
            relu=False,
            closes=stride == 1 and channels == leaves,
            tap=TAPS.get(index, ""),
        )
    yield folded("head", "_conv_head", "_bn1")


def keras_model(convs: list[Conv]) -> Any:
    """Return the network as a Keras 3 model: (N, H, W, 1) to a dict of maps (N, h, w, C)."""
    import keras

    layers = keras.layers
    picture = keras.Input((None, None, 1), name="gray")
    x = layers.Rescaling(255 / 128, offset=-127 / 128)(picture)
    x = layers.Concatenate()([x, x, x])
    kept, found, weights = x, {}, []
    for conv in convs:
        kept = x if conv.opens else kept
        size = conv.kernel.shape[-1]
        facts = {"strides": conv.stride, "padding": "same", "name": conv.name}
        if conv.depthwise:
            layer = layers.DepthwiseConv2D(size, **facts)
            weights.append((layer, conv.kernel.transpose(2, 3, 0, 1)))
        else:
            layer = layers.Conv2D(len(conv.bias), size, **facts)
            weights.append((layer, conv.kernel.transpose(2, 3, 1, 0)))
        x = layer(x)
        x = layers.ReLU(max_value=6)(x) if conv.relu else x
        x = layers.Add()([x, kept]) if conv.closes else x
        if conv.tap:
            found[conv.tap] = x
    found["pooled"] = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(picture, found, name="lite0")
    for (layer, kernel), conv in zip(weights, convs, strict=True):
        layer.set_weights([kernel, conv.bias])
    return model


def onnx_bytes(convs: list[Conv], *, half: bool = True) -> bytes:
    """Return the network as an ONNX file: ``gray`` (N, 1, H, W) to `OUTPUTS` (N, C, h, w).

    Parameters
    ----------
    convs : list of Conv
        The network.
    half : bool, optional
        Keep kernels in half precision; they are cast to float32 when the file is loaded.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, held = [], []

    def constant(name: str, value: Any) -> str:
        held.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    scale = constant("scale", np.float32(255 / 128))
    offset = constant("offset", np.float32(-127 / 128))
    zero, six = constant("zero", np.float32(0)), constant("six", np.float32(6))
    one = node("Add", [node("Mul", ["gray", scale], "scaled"), offset], "one")
    x = kept = node("Concat", [one, one, one], "three", axis=1)
    for conv in convs:
        kept = x if conv.opens else kept
        size, stride = conv.kernel.shape[-1], conv.stride
        kernel = constant(f"{conv.name}.kernel", conv.kernel.astype("f2" if half else "f4"))
        if half:
            kernel = node("Cast", [kernel], f"{conv.name}.single", to=TensorProto.FLOAT)
        before, after = (size - stride) // 2, (size - stride + 1) // 2
        x = node(
            "Conv",
            [x, kernel, constant(f"{conv.name}.bias", conv.bias)],
            conv.name,
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=len(conv.bias) if conv.depthwise else 1,
        )
        x = node("Clip", [x, zero, six], f"{conv.name}.relu") if conv.relu else x
        x = node("Add", [x, kept], f"{conv.name}.sum") if conv.closes else x
        if conv.tap:
            node("Identity", [x], conv.tap)
    node("Flatten", [node("GlobalAveragePool", [x], "mean")], "pooled")

    maps = [
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, ["n", None, f"{name} h", f"{name} w"]
        )
        for name in OUTPUTS[:-1]
    ]
    maps.append(helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["n", None]))
    gray = helper.make_tensor_value_info("gray", TensorProto.FLOAT, ["n", 1, "h", "w"])
    graph = helper.make_graph(nodes, "lite0", [gray], maps, initializer=held)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="chroma"
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())

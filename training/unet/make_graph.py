"""Write the graph of ``bins-unet/2`` as an ONNX file without weights.

::

    python training/unet/make_graph.py plugins/chroma_onnx/unet.onnx

The graph follows `chroma_core.regressors.unet_net.CONVOLUTIONS`. Its weights are declared as lying
elsewhere; `chroma_onnx.unet` hands them over from the model folder, so each net is stored once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from chroma_core.regressors.unet_net import CONVOLUTIONS, Convolution


def main(out: Path) -> None:
    """Write the graph."""
    content = graph_bytes()
    out.write_bytes(content)
    print(f"{out}: {len(content):,} bytes, {len(CONVOLUTIONS)} convolutions")


def graph_bytes() -> bytes:
    """Return the graph: ``gray`` (n, 1, h, w) to ``logits`` (n, bins, h / 4, w / 4)."""
    nodes, held = [], []

    def constant(name: str, value: object) -> str:
        held.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def elsewhere(name: str, shape: tuple[int, ...]) -> str:
        tensor = TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT)
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "given"
        held.append(tensor)
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    scale, offset = (
        constant("scale", np.float32(255 / 128)),
        constant("offset", np.float32(-127 / 128)),
    )
    zero, six = constant("zero", np.float32(0)), constant("six", np.float32(6))
    twice = constant("twice", np.array([1, 1, 2, 2], dtype=np.float32))
    scaled = node("Add", [node("Mul", ["gray", scale], "scaled"), offset], "centred")
    answers = {"gray": node("Concat", [scaled, scaled, scaled], "three", axis=1)}

    def larger(name: str, seen: str) -> str:
        return node(
            "Resize",
            [seen, "", twice],
            f"{name}.larger",
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )

    def answer(convolution: Convolution) -> str:
        name, size, stride = convolution.name, convolution.size, convolution.stride
        first, *others = (answers[seen] for seen in convolution.inputs)
        if others:
            first = node("Concat", [larger(name, first), *others], f"{name}.joined", axis=1)
        before, after = (size - stride) // 2, (size - stride + 1) // 2
        x = node(
            "Conv",
            [
                first,
                elsewhere(f"{name}.kernel", convolution.kernel_shape),
                elsewhere(f"{name}.bias", (convolution.channels_out,)),
            ],
            f"{name}.sum",
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=convolution.channels_out if convolution.depthwise else 1,
        )
        if convolution.adds:
            x = node("Add", [x, answers[convolution.adds]], f"{name}.added")
        if convolution.relu == 6:
            x = node("Clip", [x, zero, six], f"{name}.relu")
        elif convolution.relu:
            x = node("Relu", [x], f"{name}.relu")
        if convolution.pooled:
            x = node("GlobalAveragePool", [x], f"{name}.pooled")
        return x

    for convolution in CONVOLUTIONS:
        answers[convolution.name] = answer(convolution)
    node("Identity", [answers["logits"]], "logits")
    bins = CONVOLUTIONS[-1].channels_out
    graph = helper.make_graph(
        nodes,
        "bins-unet-1",
        [helper.make_tensor_value_info("gray", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", bins, "rows", "cols"])],
        initializer=held,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="chroma"
    )
    return bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

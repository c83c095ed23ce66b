"""Running the dense nets: NumPy, TensorFlow and ONNX Runtime on the same random nets.

Two nets (a* and b*) of 10 layers of 128 sigmoid units on 128 features and L*; `rows` nodes at once.
Answers are compared before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chroma_core.regressors.dense import DenseRegressor
from chroma_core.stages import Grid

SIZES = [1024, 16_384, pytest.param(262_144, marks=pytest.mark.slow)]
WIDTH = 128


def inputs(rows: int) -> tuple[Any, Any, Grid]:
    rng = np.random.default_rng(rows)
    shape = (rows // 128, 128)
    features = rng.integers(0, 160, (*shape, WIDTH)).astype(np.float32)
    return features, rng.uniform(0, 100, shape).astype(np.float32), Grid(rows=shape[0], cols=128)


def chroma_of(stage: Any) -> Callable[..., Any]:
    """Return a function that predicts with a stage and gives the chroma alone."""
    return lambda features, lightness, grid: stage.predict(features, lightness, grid).chroma


def onnx_model(tensors: dict[str, Any]) -> bytes:
    """Write a net as ONNX: standardise, Gemm and Sigmoid in turn, scale."""
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    helper = onnx.helper
    made, nodes = [], []

    def constant(name: str) -> str:
        made.append(onnx.numpy_helper.from_array(np.ascontiguousarray(tensors[name]), name))
        return name

    nodes.append(helper.make_node("Sub", ["x", constant("input_mean")], ["centred"]))
    nodes.append(helper.make_node("Div", ["centred", constant("input_sd")], ["state_0"]))
    for number in range(1, 11):
        name = f"layer_{number:02d}"
        layer = [f"state_{number - 1}", constant(f"{name}.weight"), constant(f"{name}.bias")]
        nodes.append(helper.make_node("Gemm", layer, [f"sum_{number}"], transB=1))
        nodes.append(helper.make_node("Sigmoid", [f"sum_{number}"], [f"state_{number}"]))
    last = ["state_10", constant("output.weight"), constant("output.bias")]
    nodes.append(helper.make_node("Gemm", last, ["standard"], transB=1))
    nodes.append(helper.make_node("Mul", ["standard", constant("target_sd")], ["scaled"]))
    nodes.append(helper.make_node("Add", ["scaled", constant("target_mean")], ["y"]))
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, ["n", WIDTH + 1])],
        [helper.make_tensor_value_info("y", kind, ["n", 1])],
        made,
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("runner", ["dense (NumPy)", "tf-dense (TensorFlow)", "ONNX Runtime"])
def test_predict(runner: str, rows: int, nets: Any, measure: Any) -> None:
    weights = nets(WIDTH)
    features, lightness, grid = inputs(rows)
    reference = DenseRegressor(weights=weights)
    wanted = reference.predict(features[:4], lightness[:4], grid.band(0, 4)).chroma

    if runner.startswith("dense"):
        predict = chroma_of(reference)
    elif runner.startswith("tf"):
        pytest.importorskip("tensorflow", reason="needs TensorFlow")
        from chroma_tensorflow.dense import TFDenseRegressor

        predict = chroma_of(TFDenseRegressor(weights=weights))
    else:
        onnxruntime = pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
        cpu = ["CPUExecutionProvider"]
        sessions = [
            onnxruntime.InferenceSession(onnx_model(weights[stem]), providers=cpu) for stem in "ab"
        ]

        def predict(features: Any, lightness: Any, grid: Grid) -> Any:
            table = np.concatenate([features, lightness[..., np.newaxis]], axis=-1)
            table = table.reshape(-1, WIDTH + 1)
            # Blocks of 1,024 rows stay in the cache and are its fastest.
            blocks = [table[start : start + 1024] for start in range(0, len(table), 1024)]
            answers = [
                np.concatenate([session.run(None, {"x": block})[0] for block in blocks])
                for session in sessions
            ]
            return np.concatenate(answers, axis=1).reshape(*grid.shape, 2)

    # float32 sums of 128 terms in other orders, through ten layers, of colours within ±50.
    np.testing.assert_allclose(
        predict(features[:4], lightness[:4], grid.band(0, 4)), wanted, rtol=0, atol=2e-3
    )
    assert np.ptp(wanted) > 1
    found = measure(
        lambda: predict(features, lightness, grid),
        group=f"two nets, {rows} rows",
        name=runner,
    )
    assert found.shape == (*grid.shape, 2)

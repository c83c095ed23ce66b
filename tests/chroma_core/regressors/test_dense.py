"""The stage ``dense`` keeps the contract of a regressor."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.errors import ModelError
from chroma_core.regressors import dense_net
from chroma_core.regressors.dense import DenseRegressor
from chroma_core.regressors.dense_net import DenseNet, DenseOptions
from chroma_core.stages import Grid
from chroma_core.testing import check_stage


def trained(options: DenseOptions, width: int, seed: int = 0) -> DenseRegressor:
    """Return a stage with random nets for features of this width."""
    rng = np.random.default_rng(seed)
    weights = {}
    for file, shapes in dense_net.weight_shapes(options, width).items():
        inputs, outputs = shapes["input_mean"][0], shapes["target_mean"][0]
        layers = dense_net.start_layers(
            rng,
            "image",
            options.activation,
            inputs=inputs,
            units=options.units,
            depth=options.depth,
            outputs=outputs,
        )
        weights[file] = DenseNet(
            layers=layers,
            input_mean=rng.normal(50, 10, inputs),
            input_sd=rng.uniform(5, 30, inputs),
            target_mean=rng.normal(0, 5, outputs),
            target_sd=rng.uniform(5, 20, outputs),
        ).tensors()
    return DenseRegressor(options, weights)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("shared", [False, True], ids=["apart", "shared"])
@pytest.mark.parametrize("lightness", [False, True], ids=["features", "with-lightness"])
def test_stage_keeps_its_contract(activation, shared, lightness):
    options = DenseOptions(
        depth=3, units=16, activation=activation, shared=shared, lightness=lightness, block=50
    )

    # Matrix products sum in another order for another number of rows: 1e-6 of some tens.
    check_stage(trained(options, 6), width=6, rtol=1e-5, atol=1e-4)


def test_a_and_b_come_from_their_own_nets():
    stage = trained(DenseOptions(depth=2, units=8), 4)
    swapped = stage.with_weights({"a": stage.weights()["b"], "b": stage.weights()["a"]})
    grid = Grid(rows=3, cols=5)
    rng = np.random.default_rng(3)
    features = rng.uniform(0, 100, (3, 5, 4)).astype(np.float32)
    lightness = rng.uniform(0, 100, (3, 5)).astype(np.float32)

    chroma = stage.predict(features, lightness, grid).chroma

    np.testing.assert_array_equal(
        swapped.predict(features, lightness, grid).chroma, chroma[..., ::-1]
    )


def test_without_weights_it_says_so():
    with pytest.raises(ModelError, match="no weights"):
        DenseRegressor().predict(
            np.zeros((1, 1, 128), dtype=np.float32),
            np.zeros((1, 1), dtype=np.float32),
            Grid(rows=1, cols=1),
        )

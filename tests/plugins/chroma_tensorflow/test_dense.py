"""The stage ``tf-dense`` keeps the contract, and answers as the NumPy stage ``dense`` does."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from chroma_tensorflow.dense import TFDenseRegressor
from chroma_tensorflow.train_options import DenseTrainOptions
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_core.errors import ModelError
from chroma_core.options import options_from_text, options_to_text
from chroma_core.regressors import dense_net
from chroma_core.regressors.dense import DenseRegressor
from chroma_core.regressors.dense_net import DenseNet, DenseOptions, Layers
from chroma_core.stages import Grid
from chroma_core.testing import check_stage

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow


def random_weights(options: DenseOptions, width: int, seed: int):
    """Return weights of nets that see features of 0 to 255 and answer some tens of LAB units."""
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
        # A trained net has biases, and weights that have moved apart from orthogonal ones.
        moved = Layers(
            weights=tuple(w + rng.normal(0, 0.05, w.shape) for w in layers.weights),
            biases=tuple(b + rng.normal(0, 0.2, b.shape) for b in layers.biases),
            activation=options.activation,
        )
        weights[file] = DenseNet(
            layers=moved,
            input_mean=rng.uniform(10, 50, inputs),
            input_sd=rng.uniform(15, 40, inputs),
            target_mean=rng.normal(0, 5, outputs),
            target_sd=rng.uniform(10, 17, outputs),
        ).tensors()
    return weights


def gap(options: DenseOptions, width: int, seed: int, shape: tuple[int, int]) -> float:
    """Return the largest difference of the two stages, in LAB units."""
    weights = random_weights(options, width, seed)
    rng = np.random.default_rng(seed)
    features = rng.gamma(1, 20, (*shape, width)).clip(0, 255).round().astype(np.float32)
    lightness = rng.uniform(0, 100, shape).astype(np.float32)
    grid = Grid(rows=shape[0], cols=shape[1])
    answers = [
        stage(options, weights).predict(features, lightness, grid).chroma
        for stage in (DenseRegressor, TFDenseRegressor)
    ]
    assert answers[0].std() > 0
    return float(np.abs(answers[0] - answers[1]).max())


@settings(max_examples=15)  # each traces a new graph
@given(
    options=st.builds(
        DenseOptions,
        depth=st.integers(1, 10),
        units=st.integers(1, 48),
        activation=st.sampled_from(["sigmoid", "tanh"]),
        shared=st.booleans(),
        lightness=st.booleans(),
        block=st.integers(1, 100),
    ),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 9),
    cols=st.integers(1, 9),
)
def test_law_tensorflow_and_numpy_answer_alike(options, width, seed, rows, cols):
    assert gap(options, width, seed, (rows, cols)) < 1e-4


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_tensorflow_and_numpy_answer_alike_at_the_size_of_the_seed(activation):
    """A work picture's map at step 4: 64 by 64 nodes, ten layers of 128 units."""
    assert gap(DenseOptions(activation=activation), 128, 7, (64, 64)) < 1e-4


def test_stage_keeps_its_contract():
    options = DenseOptions(depth=3, units=16, block=50)
    stage = TFDenseRegressor(options, random_weights(options, 6, 0))

    # Matrix products sum in another order for another number of rows: 1e-6 of some tens.
    check_stage(stage, width=6, rtol=1e-5, atol=1e-4)


def test_without_weights_it_says_so():
    with pytest.raises(ModelError, match="no weights"):
        TFDenseRegressor().predict(
            np.zeros((1, 1, 128), dtype=np.float32),
            np.zeros((1, 1), dtype=np.float32),
            Grid(rows=1, cols=1),
        )


@given(
    st.builds(
        DenseTrainOptions,
        epochs=st.integers(1, 1000),
        learning_rate=st.floats(1e-9, 10),
        dropout=st.floats(0, 0.9),
        start=st.sampled_from(["image", "glorot"]),
        scale=st.sampled_from(["standardise", "divide512"]),
        log_dir=st.sampled_from(["", "logs"]),
    )
)
def test_law_training_options_survive_their_text_form(options):
    assert options_from_text(DenseTrainOptions, options_to_text(options)) == options


def test_plugin_loads_without_tensorflow_and_offers_the_stage():
    code = (
        "import sys, chroma_tensorflow.plugin as p;"
        "assert 'tensorflow' not in sys.modules;"
        "print([stage.name for stage in p.chroma_stages()])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['tf-dense', 'tf-unet']"


def test_tensorflow_comes_in_without_a_word_and_leaves_stderr_open():
    code = (
        "import sys; from chroma_tensorflow.runtime import tensorflow;"
        "tf = tensorflow(); tf.constant(1) + 1; print('mine', file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == ""
    assert done.stderr == "mine\n"

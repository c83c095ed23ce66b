"""Laws of the format ``dense-net/1``: images of nets compute the same, starts are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import ModelError, ModelFormatError, ModelMismatch, OptionError
from chroma_core.options import options_from_text, options_to_text
from chroma_core.regressors import dense_net
from chroma_core.regressors.dense_net import DenseNet, DenseOptions, Layers

seeds = st.integers(0, 2**32 - 1)
shapes = st.fixed_dictionaries(
    {
        "inputs": st.integers(1, 20),
        "units": st.integers(1, 24),
        "depth": st.integers(1, 10),
        "outputs": st.integers(1, 2),
    }
)


def tanh_layers(seed: int, shape: dict[str, int]) -> Layers:
    """Return an orthogonal tanh net whose biases are random too."""
    rng = np.random.default_rng(seed)
    layers = dense_net.orthogonal_tanh_start(rng, **shape)
    biases = tuple(rng.normal(0, 0.3, bias.shape) for bias in layers.biases)
    return Layers(weights=layers.weights, biases=biases, activation="tanh")


def exact(layers: Layers, inputs):
    """Compute a net as its definition says, in the precision of its weights."""
    functions = {
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "tanh": np.tanh,
        "relu": lambda x: np.maximum(x, 0),
    }
    state = inputs
    for weight, bias in zip(layers.weights[:-1], layers.biases[:-1], strict=True):
        state = functions[layers.activation](state @ weight.T + bias)
    return state @ layers.weights[-1].T + layers.biases[-1]


def net_of(layers: Layers, rng: np.random.Generator) -> DenseNet:
    inputs, outputs = layers.weights[0].shape[1], layers.weights[-1].shape[0]
    return DenseNet(
        layers=layers,
        input_mean=rng.normal(50, 10, inputs).astype(np.float32),
        input_sd=rng.uniform(5, 30, inputs).astype(np.float32),
        target_mean=rng.normal(0, 5, outputs).astype(np.float32),
        target_sd=rng.uniform(5, 20, outputs).astype(np.float32),
    )


@given(seeds, shapes)
def test_law_sigmoid_image_computes_what_the_tanh_net_computes(seed, shape):
    tanh = tanh_layers(seed, shape)
    inputs = np.random.default_rng(seed).normal(size=(50, shape["inputs"]))

    image = dense_net.sigmoid_image_of_tanh(tanh)

    assert image.activation == "sigmoid"
    # Ten layers of float64 at 1e-16 each, row sums of at most 24 weights: 1e-13 leaves ten times.
    np.testing.assert_allclose(exact(image, inputs), exact(tanh, inputs), rtol=0, atol=1e-13)


@given(seeds, shapes)
def test_law_image_and_back_is_the_same_net(seed, shape):
    tanh = tanh_layers(seed, shape)

    back = dense_net.tanh_image_of_sigmoid(dense_net.sigmoid_image_of_tanh(tanh))

    assert back.activation == "tanh"
    for have, want in zip(back.weights, tanh.weights, strict=True):
        np.testing.assert_array_equal(have, want)  # factors are powers of two
    for have, want in zip(back.biases, tanh.biases, strict=True):
        np.testing.assert_allclose(have, want, rtol=0, atol=1e-14)


@given(seeds, shapes, st.sampled_from(["sigmoid", "tanh", "relu"]), st.integers(1, 60))
def test_law_forward_is_the_definition_in_blocks_of_any_size(seed, shape, activation, block):
    rng = np.random.default_rng(seed)
    layers = dense_net.start_layers(rng, "image", activation, **shape)
    net = net_of(layers, rng)
    inputs = rng.normal(50, 15, (50, shape["inputs"])).astype(np.float32)

    have = dense_net.forward(net, inputs[:, :-1], inputs[:, -1], block=block)

    standard = (inputs.astype(np.float64) - net.input_mean) / net.input_sd
    want = exact(layers, standard) * net.target_sd + net.target_mean
    assert have.dtype == np.float32
    # float32 through ten layers: 1e-6 of the output, times a target_sd of at most 20, and for
    # relu an output of up to 5 or so.
    np.testing.assert_allclose(have, want, rtol=1e-5, atol=2e-4)


def test_images_agree_to_rounding_at_the_size_of_the_seed():
    rng = np.random.default_rng(0)
    tanh = dense_net.orthogonal_tanh_start(rng, 129, 128, 10, 1)
    image = dense_net.sigmoid_image_of_tanh(tanh)
    inputs = rng.normal(size=(4096, 129))

    def single(layers):
        return Layers(
            weights=tuple(weight.astype(np.float32) for weight in layers.weights),
            biases=tuple(bias.astype(np.float32) for bias in layers.biases),
            activation=layers.activation,
        )

    gap64 = np.abs(exact(image, inputs) - exact(tanh, inputs)).max()
    inputs32 = inputs.astype(np.float32)
    gap32 = np.abs(exact(single(image), inputs32) - exact(single(tanh), inputs32)).max()
    # Sums of 128 products: 3.4e-15 and 1.7e-6 were seen.
    assert gap64 < 2e-14
    assert gap32 < 1e-5


@given(seeds, st.integers(1, 40), st.integers(1, 40))
def test_law_orthogonal_start_keeps_lengths_one_way_or_the_other(seed, inputs, units):
    rng = np.random.default_rng(seed)

    layers = dense_net.orthogonal_tanh_start(rng, inputs, units, 2, 1)

    for weight in layers.weights:
        rows, cols = weight.shape
        product = weight @ weight.T if rows <= cols else weight.T @ weight
        np.testing.assert_allclose(product, np.eye(min(rows, cols)), atol=1e-12)
    assert all(not bias.any() for bias in layers.biases)


def test_glorot_start_stays_within_its_limit_and_fills_it():
    layers = dense_net.glorot_start(np.random.default_rng(0), 128, 64, 2, 1)

    for weight in layers.weights[:2]:
        limit = np.sqrt(6 / sum(weight.shape))
        assert 0.98 * limit < np.abs(weight).max() <= limit


def test_image_start_spreads_the_last_layer_where_glorot_has_collapsed():
    """Seed formulas: spread of units 0.11 after ten layers of the image, 5e-7 of Glorot's."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2000, 128))

    def spread(start):
        layers = dense_net.start_layers(
            rng, start, "sigmoid", inputs=128, units=128, depth=10, outputs=1
        )
        state = inputs
        for weight, bias in zip(layers.weights[:-1], layers.biases[:-1], strict=True):
            state = 1 / (1 + np.exp(-(state @ weight.T + bias)))
        return state.std(axis=0).mean()

    assert spread("image") > 0.05
    assert spread("glorot") < 1e-5


@given(
    st.builds(
        DenseOptions,
        depth=st.integers(1, 99),
        units=st.integers(1, 65536),
        activation=st.sampled_from(["sigmoid", "tanh", "relu"]),
        shared=st.booleans(),
        lightness=st.booleans(),
        block=st.integers(1, 10**9),
    )
)
def test_law_options_survive_their_text_form(options):
    assert options_from_text(DenseOptions, options_to_text(options)) == options


@given(seeds, shapes, st.sampled_from(["sigmoid", "tanh", "relu"]))
def test_law_tensors_have_the_declared_shapes_and_come_back(seed, shape, activation):
    rng = np.random.default_rng(seed)
    shared = shape["outputs"] == 2
    options = DenseOptions(
        depth=shape["depth"], units=shape["units"], activation=activation, shared=shared
    )
    net = net_of(dense_net.start_layers(rng, "glorot", activation, **shape), rng)

    tensors = net.tensors()
    back = DenseNet.from_tensors(tensors, options)

    declared = dense_net.weight_shapes(options, shape["inputs"] - 1)
    assert list(declared) == (["ab"] if shared else ["a", "b"])
    for file in declared.values():
        assert {name: tensor.shape for name, tensor in tensors.items()} == dict(file)
    for name, tensor in back.tensors().items():
        np.testing.assert_array_equal(tensor, tensors[name])


def test_seed_net_has_165377_weights():
    shapes = dense_net.weight_shapes(DenseOptions(), 128)["a"]

    assert sum(int(np.prod(shape)) for name, shape in shapes.items() if "." in name) == 165_377


def test_weights_as_float16_move_the_answer_by_hundredths():
    rng = np.random.default_rng(1)
    layers = dense_net.start_layers(
        rng, "image", "sigmoid", inputs=129, units=128, depth=10, outputs=1
    )
    net = net_of(layers, rng)
    rows = rng.normal(50, 15, (2000, 129)).astype(np.float32)
    half = {name: tensor.astype(np.float16) for name, tensor in net.tensors().items()}

    exact_answer = dense_net.forward(net, rows[:, :-1], rows[:, -1])
    rough = dense_net.forward(
        DenseNet.from_tensors(half, DenseOptions()), rows[:, :-1], rows[:, -1]
    )

    scaled = np.abs(rough - exact_answer) / net.target_sd
    # Inputs here are standardised by float16 numbers too. 5e-4 rms was seen for weights alone.
    assert 0 < scaled.max() < 0.02


def test_sums_beyond_the_range_of_exp_saturate_without_a_warning():
    layers = Layers(
        weights=(np.full((1, 1), 1e4), np.ones((1, 1))),
        biases=(np.zeros(1), np.zeros(1)),
        activation="sigmoid",
    )
    one = np.ones(1, dtype=np.float32)
    net = DenseNet(
        layers=layers, input_mean=0 * one, input_sd=one, target_mean=0 * one, target_sd=one
    )

    answer = dense_net.forward(net, np.array([[-1.0], [1.0]], dtype=np.float32), None)

    np.testing.assert_array_equal(answer, [[0.0], [1.0]])


@pytest.mark.parametrize("bad", [{"depth": 0}, {"units": 0}, {"activation": "gelu"}], ids=str)
def test_options_outside_their_domain_are_refused(bad):
    with pytest.raises(OptionError, match=next(iter(bad))):
        DenseOptions(**bad)


def test_a_missing_tensor_a_missing_file_and_a_zero_spread_are_refused():
    options = DenseOptions(depth=1, units=2)
    rng = np.random.default_rng(0)
    net = net_of(dense_net.glorot_start(rng, 3, 2, 1, 1), rng)
    tensors = net.tensors()
    flat = {**tensors, "input_sd": np.array([1.0, 0.0, 1.0], dtype=np.float32)}
    short = {name: tensor for name, tensor in tensors.items() if name != "output.bias"}

    with pytest.raises(ModelFormatError, match=r"output\.bias"):
        DenseNet.from_tensors(short, options)
    with pytest.raises(ModelFormatError, match="input_sd"):
        DenseNet.from_tensors(flat, options)
    with pytest.raises(ModelFormatError, match="net b"):
        dense_net.nets_of_weights({"a": tensors}, options)
    with pytest.raises(ModelError, match="no weights"):
        dense_net.nets_of_weights({}, options)
    with pytest.raises(ModelMismatch, match="5 numbers a node, this model wants 2"):
        dense_net.rows_of_map(net, np.zeros((1, 1, 5)), np.zeros((1, 1)), options)

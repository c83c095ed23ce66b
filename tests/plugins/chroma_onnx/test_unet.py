"""Regressor ``onnx``: it keeps its contract, and its graph is what the format says."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chroma_onnx.encoder import activations, load_session
from chroma_onnx.unet import OnnxOptions, OnnxRegressor
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.errors import ModelError, ModelFormatError, ModelMismatch, PluginError
from chroma_core.features.pixels import PixelFeatures
from chroma_core.models import load_model, save_model
from chroma_core.plugins import find_stage
from chroma_core.regressors import unet_looks, unet_net
from chroma_core.regressors.unet_net import CONVOLUTIONS, FILE, SECOND, UNetShape
from chroma_core.stages import Grid
from chroma_core.testing import check_stage

pytest.importorskip("onnxruntime")

ROOT = Path(__file__).parents[3]
GRAPH = ROOT / "plugins/chroma_onnx/unet.onnx"


@pytest.fixture(scope="module")
def stage(unet_weights):
    return OnnxRegressor(OnnxOptions(twice=False), unet_weights)


def predict(stage, lightness):
    grid = Grid.every_pixel(*lightness.shape)
    return stage.predict(np.empty((*lightness.shape, 0), np.float32), lightness, grid)


def drawn(height, width, seed=0):
    return np.random.default_rng(seed).uniform(0, 100, (height, width)).astype(np.float32)


def convolved(given, kernel, bias, *, stride=1):
    """Convolve (channels, h, w) as the definition says, tap by tap, in double precision."""
    size = kernel.shape[-1]
    before, after = (size - stride) // 2, (size - stride + 1) // 2
    padded = np.pad(given, ((0, 0), (before, after), (before, after)))
    rows, cols = (length // stride for length in given.shape[1:])
    answer = np.zeros((len(kernel), rows, cols)) + bias[:, np.newaxis, np.newaxis]
    for row in range(size):
        for col in range(size):
            taps = padded[:, row : row + rows * stride : stride, col : col + cols * stride : stride]
            if kernel.shape[1] == 1 and len(given) > 1:
                answer += kernel[:, 0, row, col, np.newaxis, np.newaxis] * taps
            else:
                answer += np.tensordot(kernel[:, :, row, col], taps, axes=1)
    return answer


def by_definition(gray, tensors):
    """Return the network's logits (h / 4, w / 4, bins) as `CONVOLUTIONS` says, in NumPy."""
    scaled = (gray.astype(np.float64) * 255 - 127) / 128
    found = {"gray": np.stack([scaled] * 3)}
    for convolution in CONVOLUTIONS:
        first, *others = (found[name] for name in convolution.inputs)
        if others:
            first = np.concatenate([first.repeat(2, axis=1).repeat(2, axis=2), *others])
        kernel, bias = (
            tensors[f"{convolution.name}.{part}"].astype(np.float64) for part in ("kernel", "bias")
        )
        answer = convolved(first, kernel, bias, stride=convolution.stride)
        if convolution.adds:
            answer = answer + found[convolution.adds]
        if convolution.relu:
            answer = answer.clip(0, convolution.relu)
        if convolution.pooled:
            answer = answer.mean(axis=(1, 2), keepdims=True)
        found[convolution.name] = answer
    return np.moveaxis(found["logits"], 0, -1)


# What it computes


def test_the_graph_computes_what_the_convolutions_say(stage, unet_weights):
    lightness = drawn(37, 53)
    gray = unet_looks.gray_of(lightness, Grid.every_pixel(37, 53), "onnx")

    wanted = unet_looks.logits_of(
        lambda padded: by_definition(padded, unet_weights[FILE]), gray, twice=False
    )

    # Fifty layers in single precision, answers of some units.
    np.testing.assert_allclose(predict(stage, lightness).logits, wanted, rtol=0, atol=5e-4)


class OnEveryPixel(OnnxRegressor):
    """The stage, on grids whose nodes it takes for pixels: the kit's own lie 4 pixels apart."""

    def predict(self, features, lightness, grid):
        return super().predict(features, lightness, replace(grid, step=(1.0, 1.0)))


def test_stage_keeps_its_contract(unet_weights):
    # Few shapes, for the kit asks a fresh copy for each, which loads the network anew.
    check_stage(
        OnEveryPixel(weights=unet_weights), width=0, shapes=((1, 1), (1, 7), (33, 21)), scales=(1,)
    )


@settings(max_examples=12)
@given(st.integers(1, 70), st.integers(1, 70), st.booleans())
def test_law_every_size_gets_a_node_in_each_4_by_4_pixels(stage, height, width, twice):
    stage = OnnxRegressor(OnnxOptions(twice=twice), stage.weights())

    found = predict(stage, drawn(height, width))

    rows, cols = -(-height // 4), -(-width // 4)
    assert found.grid == Grid(rows=rows, cols=cols, origin=(1.5, 1.5), step=(4.0, 4.0))
    assert found.chroma.shape == (rows, cols, 2)
    assert found.chroma.dtype == np.float32
    assert np.isfinite(found.chroma).all()
    assert (found.confidence >= 0).all()
    assert (found.confidence <= 1).all()


def test_a_photograph_gets_colours_that_follow_it(stage, portrait):
    found = predict(stage, portrait)

    assert found.grid.shape == tuple(-(-side // 4) for side in portrait.shape)
    assert found.chroma.std(axis=(0, 1)).min() > 1


def test_two_looks_know_less_of_left_and_right_than_one(stage, unet_weights):
    both = OnnxRegressor(weights=unet_weights)
    lightness = drawn(40, 64)
    mirrored = np.ascontiguousarray(lightness[:, ::-1])

    gaps = [
        np.abs(predict(one, lightness).chroma - predict(one, mirrored).chroma[:, ::-1]).mean()
        for one in (both, stage)
    ]

    assert gaps[0] < gaps[1]


def test_looking_twice_is_the_default_and_the_mean_of_two_answers(stage, unet_weights):
    both = OnnxRegressor(weights=unet_weights)
    lightness = drawn(40, 64)
    # Nothing to resize: the second look is as large as the first, only mirrored.
    large = np.kron(lightness, np.ones((10, 10), np.float32))[:384, :384]

    one, other = (predict(stage, picture).logits for picture in (large, large[:, ::-1]))

    np.testing.assert_allclose(
        predict(both, large).logits, (one + other[:, ::-1]) / 2, rtol=0, atol=1e-4
    )


def test_a_second_network_takes_the_second_look(stage, unet_weights, pair_weights):
    pair = OnnxRegressor(OnnxOptions(second=True), pair_weights)
    alone = {FILE: {**unet_weights[FILE], **pair_weights[SECOND]}}
    other = OnnxRegressor(OnnxOptions(twice=False), alone)
    large = np.kron(drawn(40, 64), np.ones((10, 10), np.float32))[:384, :384]

    mirrored = predict(other, large[:, ::-1]).logits[:, ::-1]

    np.testing.assert_allclose(
        predict(pair, large).logits,
        (predict(stage, large).logits + mirrored) / 2,
        rtol=0,
        atol=1e-4,
    )
    once = OnnxRegressor(OnnxOptions(second=True, twice=False), pair_weights)
    np.testing.assert_array_equal(predict(once, large).logits, predict(stage, large).logits)


@pytest.mark.parametrize("threads", [0, 2])
def test_threads_change_nothing_but_the_order_of_sums(stage, unet_weights, threads):
    lightness = drawn(33, 47)

    other = OnnxRegressor(OnnxOptions(twice=False, threads=threads), unet_weights)
    found = predict(other, lightness)

    np.testing.assert_allclose(found.chroma, predict(stage, lightness).chroma, rtol=0, atol=1e-3)


def test_its_encoder_is_that_of_semantic(portrait):
    """The convolutions before the decoder are Lite0's: given its weights, they answer alike."""
    onnx = pytest.importorskip("onnx")
    from onnx import numpy_helper

    held = onnx.load(ROOT / "plugins/chroma_onnx/encoder/lite0.onnx").graph
    kernels = [numpy_helper.to_array(one) for one in held.initializer if len(one.dims) == 4]

    shapes = [kernel.shape for kernel in kernels if kernel.shape[0] > 1]
    assert sorted(shapes) == sorted(c.kernel_shape for c in unet_net.ENCODER)
    assert activations(portrait).maps["quarter"].shape[0] == next(
        c.channels_out for c in CONVOLUTIONS if c.name == "quarter"
    )


# What it refuses


def test_without_weights_it_says_so():
    with pytest.raises(ModelError, match="onnx has no weights"):
        predict(OnnxRegressor(), drawn(4, 4))


def test_nodes_that_are_not_the_pixels_are_refused(stage):
    with pytest.raises(ModelMismatch, match="every pixel") as caught:
        stage.predict(np.empty((2, 2, 0), np.float32), drawn(2, 2), Grid.regular(8, 8, 4))

    assert "--features pixels" in caught.value.hint


def test_without_onnxruntime_the_extra_is_named(unet_weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(PluginError) as caught:
        predict(OnnxRegressor(weights=unet_weights), drawn(4, 4))

    assert "chroma-colorize[onnx]" in caught.value.hint


# Its graph


def test_the_graph_is_what_its_script_writes(tmp_path, capsys):
    pytest.importorskip("onnx")
    place = ROOT / "training/unet/make_graph.py"
    spec = importlib.util.spec_from_file_location("make_graph", place)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    script.main(tmp_path / "unet.onnx")

    assert (tmp_path / "unet.onnx").read_bytes() == GRAPH.read_bytes()
    assert f"{len(CONVOLUTIONS)} convolutions" in capsys.readouterr().out


def test_the_graph_holds_no_weights_and_declares_all_of_them():
    onnx = pytest.importorskip("onnx")
    graph = onnx.load_model_from_string(GRAPH.read_bytes()).graph

    outside = {
        one.name: tuple(one.dims)
        for one in graph.initializer
        if one.data_location == onnx.TensorProto.EXTERNAL
    }

    assert outside == {
        name: shape
        for name, shape in unet_net.weight_shapes(UNetShape())[FILE].items()
        if "." in name
    }
    assert GRAPH.stat().st_size < 30_000


def test_a_graph_that_names_files_never_opens_them(tmp_path, monkeypatch, unet_weights):
    """The shipped graph names a file: as nobody gives the tensors, it is refused, file or not."""
    monkeypatch.chdir(tmp_path)
    Path("given").write_bytes(bytes(10**7))
    tensors = {
        name: array.astype(np.float32) for name, array in unet_weights[FILE].items() if "." in name
    }
    one_less = {name: array for name, array in tensors.items() if name != "blend4.bias"}

    for given_ones in (None, one_less):
        with pytest.raises(ModelFormatError, match="External data path validation failed"):
            load_session(GRAPH.read_bytes(), 1, given_ones)
    load_session(GRAPH.read_bytes(), 1, tensors)


def test_tensors_of_another_shape_are_refused(unet_weights):
    tensors = {
        name: array.astype(np.float32) for name, array in unet_weights[FILE].items() if "." in name
    }
    tensors["blend4.bias"] = tensors["blend4.bias"][:-1]

    with pytest.raises(ModelFormatError):
        load_session(GRAPH.read_bytes(), 1, tensors)


# As a part of a model


def test_it_is_found_by_name_and_says_what_it_reads_and_needs():
    found = find_stage("regressor", "onnx")

    assert found is OnnxRegressor
    assert found.reads == {"bins-unet/2"}
    assert found.requires == ("onnxruntime",)
    assert found.extra == "onnx"
    assert not found.per_node


@pytest.mark.parametrize("second", [False, True], ids=["one network", "two networks"])
def test_a_model_folder_gives_it_back(unet_weights, pair_weights, tmp_path, portrait, second):
    stage = OnnxRegressor(OnnxOptions(second=second), pair_weights if second else unet_weights)
    save_model(
        tmp_path / "net",
        colorspace=LabColorspace(),
        features=PixelFeatures(),
        regressor=stage,
        work_size=256,
    )

    model = load_model(tmp_path / "net")

    assert model.weight_format == "bins-unet/2"
    assert isinstance(model.regressor, OnnxRegressor)
    assert sorted(path.name for path in (tmp_path / "net").glob("*.safetensors")) == [
        "net.safetensors",
        *(["second.safetensors"] if second else []),
    ]
    np.testing.assert_array_equal(
        predict(model.regressor, portrait).chroma, predict(stage, portrait).chroma
    )

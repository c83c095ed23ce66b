"""Regressor ``tf-unet``: it answers as ``onnx`` does, learns, and goes on where it was stopped."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chroma_tensorflow.unet import TFUNetRegressor
from chroma_tensorflow.unet_maps import CODES, MapStore, batch_at, bin_shares, chroma_of, code_of
from chroma_tensorflow.unet_options import UNetOptions, UNetTrainOptions
from PIL import Image

from chroma_core.color.bins import ab_bins, soft_codes
from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.errors import ModelError, ModelMismatch, OptionError, TrainingError
from chroma_core.features.pixels import PixelFeatures
from chroma_core.models import load_model, save_model
from chroma_core.regressors.ridge import RidgeRegressor
from chroma_core.regressors.unet_net import FILE, SECOND
from chroma_core.stages import Grid
from chroma_core.testing import check_stage
from chroma_core.training.checkpoint import NoCheckpoint
from chroma_core.training.data import PhotographData

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow


def predict(stage, lightness):
    grid = Grid.every_pixel(*lightness.shape)
    return stage.predict(np.empty((*lightness.shape, 0), np.float32), lightness, grid)


def drawn(height, width):
    return np.random.default_rng(0).uniform(0, 100, (height, width)).astype(np.float32)


def silent(done, total, facts):
    """Report nothing."""


# Prediction


@pytest.fixture(scope="module")
def stage(unet_weights):
    # A mapping that cannot be copied: the kit would build the network for each picture anew.
    return TFUNetRegressor(UNetOptions(twice=False), types.MappingProxyType(unet_weights))


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("shape", [None, (37, 53), (8, 200), (1, 1)], ids=str)
def test_tensorflow_and_onnxruntime_answer_alike(stage, unet_weights, portrait, shape, twice):
    pytest.importorskip("onnxruntime")
    from chroma_onnx.unet import OnnxOptions, OnnxRegressor

    lightness = portrait if shape is None else drawn(*shape)
    ours = predict(stage, lightness)
    if twice:
        looking = TFUNetRegressor(UNetOptions(twice=True), stage.weights())
        # The network is the same, and takes seconds to build.
        looking.__dict__["_first"] = stage._first
        ours = predict(looking, lightness)
    theirs = predict(OnnxRegressor(OnnxOptions(twice=twice), unet_weights), lightness)

    assert ours.grid == theirs.grid
    assert ours.chroma.std() > 0
    # The same sums in another order, through fifty layers.
    np.testing.assert_allclose(ours.chroma, theirs.chroma, rtol=0, atol=1e-3)
    np.testing.assert_allclose(ours.confidence, theirs.confidence, rtol=0, atol=1e-3)


def test_two_networks_answer_alike_too(stage, pair_weights):
    pytest.importorskip("onnxruntime")
    from chroma_onnx.unet import OnnxOptions, OnnxRegressor

    ours = TFUNetRegressor(UNetOptions(second=True), pair_weights)
    ours.__dict__["_first"] = stage._first
    theirs = OnnxRegressor(OnnxOptions(second=True), pair_weights)
    lightness = drawn(37, 53)

    found = predict(ours, lightness).chroma

    np.testing.assert_allclose(found, predict(theirs, lightness).chroma, rtol=0, atol=1e-3)
    assert np.abs(found - predict(stage, lightness).chroma).max() > 1


class OnEveryPixel(TFUNetRegressor):
    """The stage, on grids whose nodes it takes for pixels: the kit's own lie 4 pixels apart."""

    def predict(self, features, lightness, grid):
        return super().predict(features, lightness, replace(grid, step=(1.0, 1.0)))


def test_stage_keeps_its_contract(stage):
    check_stage(OnEveryPixel(weights=stage.weights()), width=0, shapes=((1, 7),), scales=(1,))


def test_without_weights_it_says_so():
    with pytest.raises(ModelError, match="tf-unet has no weights"):
        predict(TFUNetRegressor(), drawn(4, 4))


def test_nodes_that_are_not_the_pixels_are_refused(stage):
    with pytest.raises(ModelMismatch, match="every pixel") as caught:
        stage.predict(np.empty((2, 2, 0), np.float32), drawn(2, 2), Grid.regular(8, 8, 4))

    assert "--features pixels" in caught.value.hint


# What a training is given


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Return a folder of six pictures to train on and two to validate by."""
    folder = tmp_path_factory.mktemp("photographs")
    for number in (1, 11, 2, 3, 4, 5, 6, 7):
        coarse = np.random.default_rng(number).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((80, 64)).save(folder / f"{number:04d}.png")
    return folder


@pytest.fixture(scope="module")
def data(photographs):
    return PhotographData(photographs, PixelFeatures(), LabColorspace(), 64)


@pytest.fixture(scope="module")
def store(data):
    return MapStore(data, "train", silent)


def cut(store, number, *, seed=3, wear=0.5, sizes=(64, 96)):
    return batch_at(store, number, batch=2, sizes=sizes, closest=1.4, seed=seed, wear=wear)


def test_a_batch_follows_from_the_seed_and_its_number(store, data):
    again = MapStore(data, "train", silent)
    wanted = [cut(store, number) for number in range(6)]

    # In another order, and from pictures that were read anew.
    for number in (5, 0, 3):
        found = cut(again, number)
        np.testing.assert_array_equal(found.gray, wanted[number].gray)
        np.testing.assert_array_equal(found.codes, wanted[number].codes)
    other = cut(store, 0, seed=4, sizes=(64,)).gray
    assert not np.array_equal(cut(store, 0, sizes=(64,)).gray, other)


@pytest.mark.parametrize("number", range(5))
def test_a_batch_holds_gray_and_the_codes_of_4_by_4_pixels(store, number):
    found = cut(store, number)

    size = found.gray.shape[1]
    assert size in (64, 96)
    assert found.gray.shape == (2, size, size, 1)
    assert found.gray.dtype == np.float32
    assert found.gray.min() >= 0
    assert found.gray.max() <= 1
    assert found.codes.shape == (2, size // 4, size // 4)
    assert found.codes.min() >= 0
    assert found.codes.max() < CODES**2


def test_wear_leaves_the_colours_where_they_are(store):
    for number in range(4):
        worn, clean = (cut(store, number, sizes=(64,), wear=wear) for wear in (1.0, 0.0))
        # The first square's draws come before any wear's.
        np.testing.assert_array_equal(worn.codes[0], clean.codes[0])


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_the_squares_is_worn(store, share):
    counts = 0
    for number in range(100):
        worn, clean = (
            cut(store, number, sizes=(64,), seed=number, wear=wear).gray[0] for wear in (share, 0.0)
        )
        counts += not np.array_equal(worn, clean)

    # For 3 in 100 no kind is drawn; 200 squares have a standard deviation of 0.043 at a quarter.
    assert abs(counts / 100 - share) <= (0.13 if share == 0.25 else 0.08 * share)


def test_codes_tell_colours_to_one_unit():
    chroma = np.random.default_rng(0).uniform(-120, 120, (500, 2))

    assert np.abs(chroma_of(code_of(chroma)) - chroma).max() <= 1


def test_shares_of_bins_are_those_of_the_pictures_colours(store):
    bins = ab_bins()
    wanted = np.zeros(len(bins))
    for index in range(len(store)):
        seen = store.picture(index)[1][::2, ::2].reshape(-1, 2).astype(np.float32)
        # As near as colours are kept, which is to one unit.
        nearest, shares = soft_codes(2 * np.rint(seen / 2), bins)
        np.add.at(wanted, nearest, shares)

    found = bin_shares(store, bins)

    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found, wanted / wanted.sum(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("sizes", ["", "63", "32", "64,100", "64;96"])
def test_sizes_that_the_network_cannot_take_are_refused(data, sizes):
    with pytest.raises(OptionError, match=r"train\.sizes"):
        TFUNetRegressor().train(data, UNetTrainOptions(sizes=sizes), silent, NoCheckpoint())


def test_a_start_of_another_format_is_refused(data, tmp_path):
    from chroma_tensorflow.unet_trainer import _start
    from safetensors.numpy import save_file

    save_file({"stem.bias": np.zeros(32, np.float32)}, tmp_path / "part.safetensors")
    (tmp_path / "none.safetensors").write_bytes(b"nothing")
    ridge = RidgeRegressor()
    weights = {
        file: {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        for file, shapes in ridge.weight_shapes(0).items()
    }
    save_model(
        tmp_path / "ridge",
        colorspace=LabColorspace(),
        features=PixelFeatures(),
        regressor=ridge.with_weights(weights),
        work_size=64,
    )

    with pytest.raises(ModelMismatch, match="wanted 'bins-unet/2'"):
        _start(str(tmp_path / "ridge"))
    with pytest.raises(ModelMismatch, match="no convolution stem"):
        _start(str(tmp_path / "part.safetensors"))
    with pytest.raises(OptionError, match=r"train\.start cannot be read"):
        _start(str(tmp_path / "none.safetensors"))


def saved(folder, regressor):
    save_model(
        folder,
        colorspace=LabColorspace(),
        features=PixelFeatures(),
        regressor=regressor,
        work_size=64,
    )
    return str(folder)


def test_the_second_network_comes_from_a_model_or_a_file(tmp_path, unet_weights, pair_weights):
    from chroma_tensorflow.unet_trainer import _second
    from safetensors.numpy import save_file

    first = {name: array for name, array in unet_weights[FILE].items() if "." in name}
    tilt = {"weights": unet_weights[FILE]["weights"]}
    places = {
        # Of a model with two networks it is the second one.
        saved(tmp_path / "one", TFUNetRegressor(weights=unet_weights)): first,
        saved(
            tmp_path / "two", TFUNetRegressor(UNetOptions(second=True), pair_weights)
        ): pair_weights[SECOND],
        str(tmp_path / "net.safetensors"): first,
    }
    save_file({**first, **tilt}, tmp_path / "net.safetensors")

    for place, wanted in places.items():
        found = _second(place)

        for name, array in (wanted | tilt).items():
            np.testing.assert_array_equal(found[name], array, err_msg=name)
    assert _second("") == {}


def test_a_second_network_that_is_none_is_refused(tmp_path, unet_weights):
    from chroma_tensorflow.unet_trainer import _second
    from safetensors.numpy import save_file

    network = {name: array for name, array in unet_weights[FILE].items() if "." in name}
    save_file(network, tmp_path / "untold.safetensors")
    save_file({"stem.kernel": network["stem.kernel"]}, tmp_path / "part.safetensors")

    with pytest.raises(ModelMismatch, match="how its answers are tilted"):
        _second(str(tmp_path / "untold.safetensors"))
    with pytest.raises(ModelMismatch, match="no convolution depthwise0"):
        _second(str(tmp_path / "part.safetensors"))
    with pytest.raises(OptionError, match=r"train\.second cannot be read"):
        _second(str(tmp_path / "none.safetensors"))


@pytest.mark.parametrize(("place", "network"), [(True, ""), (False, "unet")])
def test_a_second_network_wants_a_model_with_a_place_for_it(data, place, network):
    stage = TFUNetRegressor(UNetOptions(second=place))

    with pytest.raises(OptionError, match="a place for it") as caught:
        stage.train(data, UNetTrainOptions(second=network), silent, NoCheckpoint())

    assert "--set tf-unet.second=true" in caught.value.hint


# A training, in a process of its own: TensorFlow is told before it computes that sums are to be
# taken in one order.

TRAINING = """
import json, shutil, sys
from pathlib import Path
from chroma_tensorflow.runtime import tensorflow
from chroma_tensorflow.unet import TFUNetRegressor
from chroma_tensorflow.unet_options import UNetOptions, UNetTrainOptions
from chroma_core.errors import TrainingError
from chroma_core.training.train import train

tensorflow().config.experimental.enable_op_determinism()
photographs, folder = Path(sys.argv[1]), Path(sys.argv[2])
told = []


def progress(done, total, facts):
    told.append([done, total])
    if done == 7 and not (folder / "resumed.training").exists():
        shutil.copytree(folder / "whole.training", folder / "resumed.training")


def run(name, rate, epochs=2.5, second="", **how):
    options = UNetTrainOptions(
        epochs=epochs, batch=2, sizes="64", warmup=0, parts=1, validate=2, threads=1,
        learning_rate=rate, start=str(folder / "start.safetensors"), second=second,
    )
    return train(
        photographs, folder / name, regressor=TFUNetRegressor(UNetOptions(second=bool(second))),
        work_size=64, workers=0,
        train_options=options, progress=progress, **how,
    )


whole = run("whole", 6e-4)
steps = list(told)
told.clear()
resumed = run("resumed", 6e-4, resume=True)
rest = list(told)
run("kept", 6e-4, epochs=0)
run("brief", 6e-4, epochs=0.6)
run("paired", 6e-4, epochs=0, second=str(folder / "brief"))
error = ""
try:
    run("diverged", 1e30)
except TrainingError as caught:
    error = str(caught)
print(json.dumps({
    "steps": steps, "rest": rest, "error": error,
    "histories": [list(map(dict, one.history)) for one in (whole, resumed)],
}))
"""


@pytest.fixture(scope="module")
def trained(photographs, unet_weights, tmp_path_factory):
    """Return the folder of two trained models, the second one stopped and resumed, and a report."""
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("trained")
    start = {
        name: array
        for name, array in unet_weights[FILE].items()
        if "." in name or name == "weights"
    }
    save_file(start, folder / "start.safetensors")
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, str(photographs), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_training_takes_the_steps_that_it_announced(trained):
    _, report = trained

    assert report["steps"][-8:] == [[step, 8] for step in range(1, 9)]
    # Checkpoints lie at the ends of parts, of three steps each.
    assert report["rest"][-2:] == [[7, 8], [8, 8]]
    assert [3, 8] not in report["rest"]
    assert len(report["histories"][0]) == 3


@pytest.mark.slow
def test_resumed_training_gives_the_weights_of_an_uninterrupted_one(trained):
    folder, report = trained
    whole, resumed = (
        load_model(folder / name).regressor.weights()[FILE] for name in ("whole", "resumed")
    )

    assert set(whole) == set(resumed)
    for name, tensor in whole.items():
        np.testing.assert_allclose(
            resumed[name].astype(np.float64), tensor, rtol=0, atol=1e-6, err_msg=name
        )
    one, other = report["histories"]
    for entry, same in zip(one, other, strict=True):
        kept = {name: value for name, value in entry.items() if name != "seconds"}
        assert {name: same[name] for name in kept} == pytest.approx(kept, rel=1e-5)


@pytest.mark.slow
def test_training_moves_the_weights_encoder_and_decoder(trained, unet_weights):
    folder, _ = trained
    held = load_model(folder / "whole").regressor.weights()[FILE]

    for name in ("stem.kernel", "blend4.kernel", "logits.bias"):
        # Half precision moves nothing by itself: the start had it already.
        assert np.abs(held[name].astype(np.float64) - unet_weights[FILE][name]).max() > 1e-4


@pytest.mark.slow
def test_the_model_is_run_by_onnx_as_well(trained, portrait):
    pytest.importorskip("onnxruntime")
    folder, _ = trained
    ours, theirs = load_model(folder / "whole"), load_model(folder / "whole", regressor="onnx")

    assert ours.weight_format == "bins-unet/2"
    assert (ours.regressor.name, theirs.regressor.name) == ("tf-unet", "onnx")
    np.testing.assert_allclose(
        predict(ours.regressor, portrait).chroma,
        predict(theirs.regressor, portrait).chroma,
        rtol=0,
        atol=1e-3,
    )


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_with_epoch_and_step(trained):
    folder, report = trained

    assert "the loss is nan in epoch" in report["error"] or "the loss is inf" in report["error"]
    assert "step " in report["error"]
    assert not Path(folder / "diverged").exists()


def test_no_pictures_large_enough_are_told(tmp_path):
    for number in (1, 2):
        Image.new("RGB", (40, 40), (200, 90, number)).save(tmp_path / f"{number:04d}.png")
    small = PhotographData(tmp_path, PixelFeatures(), LabColorspace(), 0)

    with pytest.raises(TrainingError, match="short side of 64 px"):
        MapStore(small, "train", silent)


@pytest.mark.slow
def test_no_epochs_keep_the_weights_and_choose_how_answers_are_decoded(trained, unet_weights):
    folder, _ = trained
    kept = load_model(folder / "kept")

    tensors = kept.regressor.weights()[FILE]
    start = unet_weights[FILE]
    for name, tensor in start.items():
        if "." in name and name != "logits.bias":
            np.testing.assert_array_equal(tensors[name], tensor, err_msg=name)
    # The tilt is that of the pictures it saw now; the distributions stay, but for half precision.
    untilted = [one["logits.bias"] - np.log(one["weights"]) for one in (tensors, start)]
    assert not np.array_equal(tensors["weights"], start["weights"])
    np.testing.assert_allclose(*untilted, rtol=0, atol=4e-3)
    assert tensors["path"].shape == unet_weights[FILE]["path"].shape
    # What the model advises stands in its record, where a pipeline looks for it.
    assert kept.record["certainty"] == 0.06
    assert kept.record["training"]["steps"] == 0


@pytest.mark.slow
def test_fewer_steps_than_the_mean_is_taken_at_count_too(trained, unet_weights):
    folder, _ = trained
    brief = load_model(folder / "brief")

    assert brief.record["training"]["steps"] < 5
    kernel = brief.regressor.weights()[FILE]["logits.kernel"]
    assert not np.array_equal(kernel, unet_weights[FILE]["logits.kernel"])


@pytest.mark.slow
def test_a_second_network_goes_into_the_model_and_into_how_it_is_decoded(trained, portrait):
    pytest.importorskip("onnxruntime")
    folder, _ = trained
    paired, kept, brief = (
        load_model(folder / name, regressor="onnx") for name in ("paired", "kept", "brief")
    )
    held = paired.regressor.weights()

    for name, array in brief.regressor.weights()[FILE].items():
        if "." in name:
            # Half precision, tilted there and back.
            np.testing.assert_allclose(held[SECOND][name], array, rtol=0, atol=2e-3, err_msg=name)
    for name, array in kept.regressor.weights()[FILE].items():
        if "." in name:
            np.testing.assert_array_equal(held[FILE][name], array, err_msg=name)
    assert not np.array_equal(held[FILE]["path"], kept.regressor.weights()[FILE]["path"])
    gap = np.abs(
        predict(paired.regressor, portrait).logits - predict(kept.regressor, portrait).logits
    )
    assert gap.max() > 0.01

"""From data to a model folder."""

import csv
import dataclasses
import json
import sys

import numpy as np
import pytest

from chroma_core.colorspaces.lab import LabColorspace, LabOptions
from chroma_core.errors import OptionError, TrainingError
from chroma_core.features.concatenated import Concatenated
from chroma_core.features.lightness import LightnessFeatures
from chroma_core.features.patch import PatchFeatures
from chroma_core.features.position import PositionFeatures
from chroma_core.models import load_model
from chroma_core.options import NoOptions
from chroma_core.regressors.none import NoRegressor
from chroma_core.regressors.ridge import RidgeOptions, RidgeRegressor, RidgeTrainOptions
from chroma_core.stages import Grid, Prediction, Regressor, Samples
from chroma_core.training.data import ShardData, moments
from chroma_core.training.extract import extract
from chroma_core.training.measure import measure
from chroma_core.training.train import (
    HISTORY,
    LEARNING_CURVE,
    has_checkpoint,
    is_shards,
    stages_of,
    train,
)

pytest.importorskip("pyarrow")
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def shards(photographs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    extract(
        photographs,
        folder,
        colorspace=LabColorspace(),
        features=PatchFeatures(),
        work_size=24,
        per_image=30,
        workers=0,
        validation="mod5",
    )
    return folder


def test_a_model_folder_is_made_that_can_be_loaded(shards, tmp_path):
    made = train(shards, tmp_path / "ridge-patch", regressor=RidgeRegressor(), licence="CC0-1.0")
    model = load_model(tmp_path / "ridge-patch")

    assert (model.work_size, model.features.name, model.regressor.name) == (24, "patch", "ridge")
    assert [name for name, _ in model.refiners] == ["intensity"]
    assert model.licence == "CC0-1.0"
    for file, tensors in made.regressor.weights().items():
        for name, array in tensors.items():
            np.testing.assert_array_equal(model.regressor.weights()[file][name], array)
    with open(tmp_path / "ridge-patch" / HISTORY, newline="") as file:
        assert next(iter(csv.DictReader(file)))["epoch"] == "1"
    assert (tmp_path / "ridge-patch" / LEARNING_CURVE).stat().st_size > 1000
    # What was kept while it worked is gone.
    assert [path.name for path in tmp_path.iterdir()] == ["ridge-patch"]


def test_the_card_tells_data_errors_and_mean_colour(shards, tmp_path):
    made = train(
        shards, tmp_path / "m", regressor=RidgeRegressor(), record={"summary": "A try."}, name="try"
    )
    record = load_model(tmp_path / "m").record
    card = (tmp_path / "m" / "README.md").read_text()

    data = ShardData(shards)
    mean = moments(data, "train").chroma_mean
    np.testing.assert_allclose(record["mean_chroma"], mean, atol=5e-5)
    assert record["data"]["train pictures"] == data.pictures("train")
    validation = record["metrics"]["error over variance, validation"]
    assert validation["a*"] == pytest.approx(made.errors["validation"].a, abs=5e-5)
    assert record["options"] == {"alpha": "0.001"}
    assert card.startswith("# try\n\nA try.")
    assert "error over variance, card" in card


def test_errors_are_measured_against_the_training_mean(shards, tmp_path):
    made = train(shards, tmp_path / "m", regressor=RidgeRegressor())
    data = ShardData(shards)
    mean = moments(data, "train").chroma_mean
    error, spread = np.zeros(2), np.zeros(2)
    for sample in data.samples("card"):
        answer = made.regressor.predict(
            sample.features[np.newaxis], sample.lightness[np.newaxis], Grid(rows=1, cols=30)
        ).chroma[0]
        error += np.square(answer - sample.chroma.astype(np.float64)).sum(axis=0)
        spread += np.square(sample.chroma - mean).sum(axis=0)

    found = made.errors["card"]
    assert (found.a, found.b) == pytest.approx(tuple(error / spread), rel=1e-9)
    assert (found.pictures, found.rows) == (data.pictures("card"), data.rows("card"))


def test_photographs_and_their_shards_give_the_same_weights(photographs, shards, tmp_path):
    from_shards = train(shards, tmp_path / "a", regressor=RidgeRegressor())
    how = {"features": PatchFeatures(), "work_size": 24, "per_image": 30, "workers": 0}
    # The rule of parts is the default here, so shards of that rule are made for comparison.
    from_photographs = train(photographs, tmp_path / "b", regressor=RidgeRegressor(), **how)
    again = train(tmp_path / "b.training" / "shards", tmp_path / "c", regressor=RidgeRegressor())

    for file in "ab":
        np.testing.assert_array_equal(
            from_photographs.regressor.weights()[file]["weight"],
            again.regressor.weights()[file]["weight"],
        )
        assert not np.array_equal(
            from_shards.regressor.weights()[file]["weight"],
            again.regressor.weights()[file]["weight"],
        )


def test_several_features_come_back_from_the_manifest(photographs, tmp_path):
    features = Concatenated([PatchFeatures(), PositionFeatures()])
    extract(
        photographs,
        tmp_path / "shards",
        colorspace=LabColorspace(),
        features=features,
        work_size=24,
        per_image=9,
        workers=0,
        validation="mod5",
    )
    data = ShardData(tmp_path / "shards")
    made, space = stages_of(data.settings)

    assert [stage.name for stage in made.stages] == ["patch", "position"]
    assert made.width == data.width
    assert space.options == LabColorspace().options
    train(tmp_path / "shards", tmp_path / "m", regressor=RidgeRegressor(), features=features)
    assert [s.name for s in load_model(tmp_path / "m").features.stages] == ["patch", "position"]


@pytest.mark.parametrize(
    ("given", "said"),
    [({"features": LightnessFeatures()}, "made with"), ({"work_size": 256}, "work size of 24")],
)
def test_other_stages_than_the_shards_own_are_refused(shards, tmp_path, given, said):
    with pytest.raises(TrainingError, match=said):
        train(shards, tmp_path / "m", regressor=RidgeRegressor(), **given)
    assert not (tmp_path / "m").exists()


def test_photographs_need_features(photographs, tmp_path):
    with pytest.raises(OptionError, match="needs features"):
        train(photographs, tmp_path / "m", regressor=RidgeRegressor())


def test_options_of_another_regressor_are_refused(shards, tmp_path):
    with pytest.raises(OptionError, match="wanted RidgeTrainOptions"):
        train(shards, tmp_path / "m", regressor=RidgeRegressor(), train_options=NoOptions())


def test_a_folder_that_is_there_is_refused_before_anything_is_trained(shards, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine.txt").write_text("mine")

    class Unasked(RidgeRegressor):
        def train(self, data, options, progress, checkpoint):
            raise AssertionError("trained for nothing")

    with pytest.raises(TrainingError, match="something already") as caught:
        train(shards, tmp_path / "m", regressor=Unasked())
    assert caught.value.exit_status == 73
    assert (tmp_path / "m" / "mine.txt").read_text() == "mine"


def test_a_model_is_replaced_when_asked(shards, tmp_path):
    train(shards, tmp_path / "m", regressor=RidgeRegressor())
    train(
        shards,
        tmp_path / "m",
        regressor=RidgeRegressor(),
        train_options=RidgeTrainOptions(alpha=0.5),
        overwrite=True,
    )

    assert load_model(tmp_path / "m").record["options"] == {"alpha": "0.5"}
    assert (tmp_path / "m" / HISTORY).is_file()


class InSteps(RidgeRegressor):
    """Counts to three, saving a checkpoint each time; stops after `most` the first time."""

    counted = 0
    most = 3

    def train(self, data, options, progress, checkpoint):
        saved = checkpoint.load()
        start = 0 if saved is None else saved[1]["count"]
        for count in range(start + 1, 4):
            type(self).counted += 1
            checkpoint.save({"x": np.full(2, count)}, {"count": count})
            if count == self.most:
                raise KeyboardInterrupt
        return super().train(data, options, progress, checkpoint)


def test_training_goes_on_from_its_checkpoint(shards, tmp_path, monkeypatch):
    monkeypatch.setattr(InSteps, "counted", 0)
    monkeypatch.setattr(InSteps, "most", 2)
    with pytest.raises(KeyboardInterrupt):
        train(shards, tmp_path / "m", regressor=InSteps())
    monkeypatch.setattr(InSteps, "most", 99)
    train(shards, tmp_path / "m", regressor=InSteps(), resume=True)

    assert InSteps.counted == 3
    assert not (tmp_path / "m.training").exists()


def test_a_training_that_is_done_is_not_done_again(shards, tmp_path, monkeypatch):
    """It may have been killed after its model was safe, and before it had tidied up."""
    monkeypatch.setattr(InSteps, "most", 99)
    made = train(shards, tmp_path / "m", regressor=InSteps())
    monkeypatch.setattr(InSteps, "most", 1)
    with pytest.raises(KeyboardInterrupt):
        train(shards, tmp_path / "m", regressor=InSteps(), overwrite=True)
    monkeypatch.setattr(InSteps, "counted", 0)
    assert has_checkpoint(tmp_path / "m")

    again = train(shards, tmp_path / "m", regressor=RidgeRegressor(), resume=True)

    assert InSteps.counted == 0
    assert again.errors == made.errors
    assert [entry.keys() for entry in again.history] == [entry.keys() for entry in made.history]
    assert again.record["metrics"] == made.record["metrics"]
    for file, tensors in made.regressor.weights().items():
        for name, array in tensors.items():
            np.testing.assert_array_equal(again.regressor.weights()[file][name], array)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(
    "other",
    [
        {"train_options": RidgeTrainOptions(alpha=0.5)},
        {"regressor": RidgeRegressor(RidgeOptions(lightness=False))},
        {"name": "another"},
        {"licence": "CC0-1.0"},
        {"refiners": ()},
    ],
    ids=lambda other: next(iter(other)),
)
def test_the_model_of_another_training_is_still_refused(shards, tmp_path, other):
    train(shards, tmp_path / "m", regressor=RidgeRegressor())
    before = (tmp_path / "m" / "model.json").read_bytes()

    with pytest.raises(TrainingError, match="something already"):
        train(shards, tmp_path / "m", **{"regressor": RidgeRegressor(), **other}, resume=True)
    assert (tmp_path / "m" / "model.json").read_bytes() == before


def test_a_missing_drawing_library_costs_the_drawing_alone(shards, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    train(shards, tmp_path / "m", regressor=RidgeRegressor())

    assert load_model(tmp_path / "m")
    assert not (tmp_path / "m" / LEARNING_CURVE).exists()
    assert "no learning curve" in caplog.text


def test_a_checkpoint_of_other_options_or_data_is_refused(shards, tmp_path, monkeypatch):
    monkeypatch.setattr(InSteps, "most", 1)
    with pytest.raises(KeyboardInterrupt):
        train(shards, tmp_path / "m", regressor=InSteps())

    with pytest.raises(TrainingError, match="other options"):
        train(
            shards,
            tmp_path / "m",
            regressor=InSteps(),
            train_options=RidgeTrainOptions(alpha=0.1),
            resume=True,
        )
    with pytest.raises(TrainingError, match="other options"):
        train(shards, tmp_path / "m", regressor=InSteps(RidgeOptions(lightness=False)), resume=True)


def test_shards_of_samples_are_refused_for_maps(shards, tmp_path):
    class WantsMaps(RidgeRegressor):
        wants = "maps"

    with pytest.raises(TrainingError, match="wants whole maps"):
        train(shards, tmp_path / "m", regressor=WantsMaps())


def test_shards_of_another_version_of_a_stage_are_refused(shards):
    settings = ShardData(shards).settings
    newer = dataclasses.replace(settings, features=({**settings.features[0], "version": 99},))

    with pytest.raises(TrainingError, match="version 99, installed is version 1"):
        stages_of(newer)


def test_shards_are_told_from_photographs(shards, photographs, tmp_path):
    assert is_shards(shards)
    assert is_shards(str(shards))
    assert not is_shards(photographs)
    assert not is_shards([shards])


# Measuring.


class OneMap:
    """A part with one picture: a map whose a* is its column in pixels and b* its row."""

    width = 1

    def __init__(self, shape):
        rows, cols = np.meshgrid(2 + 4.0 * np.arange(4), 1 + 3.0 * np.arange(6), indexing="ij")
        positions = np.column_stack([rows.flat, cols.flat]).astype(np.float32)
        self.sample = Samples(
            picture="x",
            features=np.zeros((24, 1), np.float32),
            lightness=np.zeros(24, np.float32),
            chroma=positions[:, ::-1],
            positions=positions,
            shape=shape,
        )

    def samples(self, split, order=None):
        yield self.sample


class Coarse(Regressor):
    """Answers its own positions on a grid of its own, as an encoder's map would."""

    name = "coarse"

    def predict(self, features, lightness, grid):
        answer = Grid(rows=3, cols=3, origin=(0.0, 0.0), step=(8.0, 9.0))
        rows, cols = np.meshgrid(answer.row_positions(), answer.col_positions(), indexing="ij")
        return Prediction(chroma=np.stack([cols, rows], axis=-1).astype(np.float32), grid=answer)


def test_answers_on_another_grid_are_read_at_the_nodes():
    found = measure(Coarse(), OneMap((4, 6)), "card", np.zeros(2))

    # Positions are linear, so interpolation between the coarse nodes is exact.
    assert found.a == found.b == 0


def test_a_regressor_of_maps_is_not_measured_on_samples():
    with pytest.raises(TrainingError, match="whole maps"):
        measure(Coarse(), OneMap(None), "card", np.zeros(2))


def test_no_colour_at_all_explains_nothing(shards):
    found = measure(NoRegressor(), ShardData(shards), "card", np.zeros(2))

    assert (found.a, found.b) == (1.0, 1.0)


def test_the_manifest_and_the_model_agree_on_the_data(shards, tmp_path):
    train(shards, tmp_path / "m", regressor=RidgeRegressor())
    record = json.loads((tmp_path / "m" / "model.json").read_text())["training"]

    assert record["data"]["split"] == "by picture, mod5"
    assert len(record["data"]["manifest_sha256"]) == 64


# What is not the rule.


class OfMaps(RidgeRegressor):
    """Asks for whole maps, as a regressor that looks around its node would."""

    wants = "maps"


def test_a_regressor_of_maps_is_trained_from_photographs_without_shards(photographs, tmp_path):
    how = {"features": PatchFeatures(), "work_size": 24, "workers": 0}
    shapes = []

    class Looks(OfMaps):
        def train(self, data, options, progress, checkpoint):
            shapes.extend(sample.shape for sample in data.samples("train"))
            return super().train(data, options, progress, checkpoint)

    made = train(photographs, tmp_path / "m", regressor=Looks(), **how)
    extract(
        photographs,
        tmp_path / "shards",
        colorspace=LabColorspace(),
        **how,
    )
    of_shards = train(tmp_path / "shards", tmp_path / "s", regressor=RidgeRegressor())

    assert shapes
    assert None not in shapes
    for split in ("validation", "card"):
        found, wanted = made.errors[split], of_shards.errors[split]
        assert found.rows == wanted.rows
        # Shards keep L* in half precision, to 0.03 of 100; photographs give it as it is.
        assert (found.a, found.b) == pytest.approx((wanted.a, wanted.b), rel=1e-3)
    assert made.record["data"]["nodes a picture"] == "all"
    assert len(made.record["data"]["settings_sha256"]) == 64
    assert "manifest_sha256" not in made.record["data"]
    assert not (tmp_path / "m.training").exists()


def test_the_colorspace_may_be_chosen_for_photographs(photographs, tmp_path):
    space = LabColorspace(LabOptions(illuminant="D50"))
    how = {"features": PatchFeatures(), "work_size": 24, "per_image": 9, "workers": 0}

    made = train(photographs, tmp_path / "m", regressor=RidgeRegressor(), colorspace=space, **how)
    usual = train(photographs, tmp_path / "u", regressor=RidgeRegressor(), **how)

    assert load_model(tmp_path / "m").colorspace.options.illuminant == "D50"
    assert load_model(tmp_path / "u").colorspace.options.illuminant == "D65"
    # Under a yellower white the same colours are others.
    assert np.abs(np.subtract(made.record["mean_chroma"], usual.record["mean_chroma"])).max() > 0.01


def test_shards_of_another_width_than_their_features_give_are_refused(write_shards, tmp_path):
    write_shards(tmp_path / "shards", [5] * 12)

    with pytest.raises(TrainingError, match="hold 5 numbers a node, features patch give") as caught:
        train(tmp_path / "shards", tmp_path / "m", regressor=RidgeRegressor())
    assert caught.value.hint == "extract anew"


def test_pictures_of_the_mean_colour_alone_measure_nothing():
    flat = OneMap((4, 6))
    flat.sample = dataclasses.replace(
        flat.sample, chroma=np.full((24, 2), (3, -2), dtype=np.float32)
    )

    with pytest.raises(TrainingError, match="no colour in the card pictures"):
        measure(Coarse(), flat, "card", np.array([3.0, -2.0]))
    # Against another mean there is something to measure.
    assert measure(Coarse(), flat, "card", np.zeros(2)).rows == 24

"""What is saved is what is loaded, and nothing is lost when saving fails."""

import dataclasses
import errno
import hashlib
import json
import os
import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load_file

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.errors import (
    ContractError,
    InputError,
    ModelError,
    ModelFormatError,
    ModelMismatch,
    OptionError,
)
from chroma_core.features.position import PositionFeatures
from chroma_core.models import add_metrics, load_model, save_model
from chroma_core.models.files import read_weights, weights_bytes
from chroma_core.options import Options, option
from chroma_core.plugins import Registry, hookimpl
from chroma_core.refiners.guided import GuidedRefiner
from chroma_core.regressors.dense import DenseRegressor
from chroma_core.regressors.none import NoRegressor
from chroma_core.stages import Features, Regressor

from .conftest import edit_description, some_weights


def assert_same_weights(found, wanted):
    assert {s: set(t) for s, t in found.items()} == {s: set(t) for s, t in wanted.items()}
    for stem, tensors in wanted.items():
        for name, array in tensors.items():
            np.testing.assert_array_equal(found[stem][name], array)


def test_all_that_was_saved_comes_back(good, parts):
    model = load_model(good)

    assert (model.name, model.path, model.work_size, model.licence) == ("good", good, 256, "CC0")
    assert type(model.colorspace) is LabColorspace
    assert [type(part) for part in model.features.stages] == [
        type(part) for part in parts["features"].stages
    ]
    assert model.features.width == parts["features"].width
    assert model.regressor.options == parts["regressor"].options
    assert_same_weights(model.regressor.weights(), parts["regressor"].weights())
    assert model.weight_format == "dense-net/1"
    assert [name for name, _ in model.refiners] == ["guided", "none"]
    assert model.refiners[0][1]["radius"] == "4"
    assert model.record["seed"] == 7


def test_saving_what_was_loaded_gives_the_same_bytes(good, tmp_path):
    model = load_model(good)

    again = save_model(
        tmp_path / "again",
        name="good",
        colorspace=model.colorspace,
        features=model.features,
        regressor=model.regressor,
        work_size=model.work_size,
        refiners=model.refiners,
        record=model.record,
        licence=model.licence,
    )

    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in good.iterdir()
    }
    assert load_model(again).digest == model.digest


def test_digest_follows_weights_and_record(good, tmp_path, parts):
    first = load_model(good).digest
    edit_description(good, lambda description: description["training"].update(seed=8))
    other = {
        **parts,
        "regressor": parts["regressor"].with_weights(
            some_weights(parts["regressor"], parts["features"].width, seed=1)
        ),
    }
    second = save_model(tmp_path / "x" / "good", licence="CC0", **other)

    assert len({first, load_model(good).digest, load_model(second).digest}) == 3


def test_a_model_without_weights_is_a_folder_of_description_and_card(tmp_path):
    folder = save_model(
        tmp_path / "plain",
        colorspace=LabColorspace(),
        features=PositionFeatures(),
        regressor=NoRegressor(),
        work_size=64,
    )

    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "model.json"]
    assert type(load_model(folder).regressor) is NoRegressor


# --- weights -------------------------------------------------------------------------------------


@given(
    arrays.arrays(
        st.sampled_from([np.float16, np.float32]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
        elements=st.floats(-100, 100, width=16),
    )
)
def test_law_tensors_come_back_in_every_layout(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("tensors") / "a.safetensors"
    tensors = {
        "plain": array,
        "transposed": array.T,
        "reversed": array[::-1] if array.ndim else array,
        "fortran": np.asfortranarray(array),
        "strided": np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array,
    }
    content = weights_bytes(tensors, "a")
    path.write_bytes(content)

    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    found = read_weights(path, shapes, hashlib.sha256(content).hexdigest())

    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)
        assert found[name].dtype == tensor.dtype


def test_transposed_and_strided_weights_come_back(tmp_path, parts):
    regressor = parts["regressor"]
    odd = {
        stem: {
            name: np.asfortranarray(array) if array.ndim == 2 else np.repeat(array, 2)[::2]
            for name, array in tensors.items()
        }
        for stem, tensors in regressor.weights().items()
    }
    folder = save_model(tmp_path / "odd", **{**parts, "regressor": regressor.with_weights(odd)})

    assert_same_weights(load_model(folder).regressor.weights(), regressor.weights())


def test_other_readers_of_safetensors_read_the_files(good, parts):
    for stem, tensors in parts["regressor"].weights().items():
        found = load_file(good / f"{stem}.safetensors")

        for name, array in tensors.items():
            np.testing.assert_array_equal(found[name], array)


def test_loaded_weights_cannot_be_written_into(good):
    tensor = next(iter(load_model(good).regressor.weights()["a"].values()))

    with pytest.raises(ValueError, match="read-only"):
        tensor[...] = 0


def with_one_tensor(weights, change):
    stem = next(iter(weights))
    name = next(iter(weights[stem]))
    return {**weights, stem: {**weights[stem], name: change(weights[stem][name])}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda array: array.astype(np.float64), "float64"),
        (lambda array: array[:-1], "wanted float32"),
        (lambda array: array * np.nan, "NaN or infinity"),
    ],
    ids=["float64", "shape", "nan"],
)
def test_weights_other_than_declared_are_not_saved(tmp_path, parts, change, said):
    regressor = parts["regressor"]
    bad = DenseRegressor(regressor.options, with_one_tensor(regressor.weights(), change))

    with pytest.raises(ContractError, match=said):
        save_model(tmp_path / "bad", **{**parts, "regressor": bad})

    assert list(tmp_path.iterdir()) == []


def test_an_untrained_regressor_is_not_saved(tmp_path, parts):
    untrained = DenseRegressor(parts["regressor"].options)

    with pytest.raises(ContractError, match="has it been trained"):
        save_model(tmp_path / "bad", **{**parts, "regressor": untrained})


# --- stages of other plugins ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ProjectionOptions(Options):
    size: int = option(2, "numbers a node", ge=1, le=8)
    table: Path = option(Path(), "a file that it reads")
    threads: int = option(1, "threads", ge=1, run=True)


class ProjectionFeatures(Features):
    """Features that own weights."""

    name = "projection"
    Options = ProjectionOptions

    def __init__(self, options=None, matrix=None):
        super().__init__(options)
        self.matrix = matrix

    @property
    def width(self):
        return self.options.size

    def weight_shapes(self, width):
        return {"matrix": {"m": (1, self.options.size)}}

    def weights(self):
        return {} if self.matrix is None else {"matrix": {"m": self.matrix}}

    def with_weights(self, weights):
        return type(self)(self.options, weights["matrix"]["m"])

    def grid(self, height, width):
        return None

    def extract(self, scene, grid):
        return np.ones((*grid.shape, 1), np.float32) @ self.matrix


class OtherDense(DenseRegressor):
    """Another regressor that runs the same weights."""

    name = "other-dense"


class Unrelated(NoRegressor):
    name = "unrelated"
    reads = frozenset({"unrelated/1"})


class Plugin:
    @hookimpl
    def chroma_stages(self):
        return [ProjectionFeatures, OtherDense, Unrelated]


@pytest.fixture
def registry():
    registry = Registry()
    registry.register(Plugin(), distribution="stranger")
    return registry


def test_features_may_own_weights(tmp_path, parts, registry):
    matrix = np.array([[1, 2, 3]], dtype=np.float32)
    features = ProjectionFeatures(ProjectionOptions(size=3), matrix)
    regressor = parts["regressor"].with_weights(some_weights(parts["regressor"], 3))
    changed = {**parts, "features": features, "regressor": regressor}
    folder = save_model(tmp_path / "own", registry=registry, **changed)

    assert (folder / "features.projection.matrix.safetensors").is_file()
    np.testing.assert_array_equal(load_model(folder, registry=registry).features.matrix, matrix)


def test_options_of_the_run_are_not_recorded(tmp_path, parts, registry):
    options = ProjectionOptions(size=1, threads=8)
    features = ProjectionFeatures(options, np.ones((1, 1), np.float32))
    regressor = parts["regressor"].with_weights(some_weights(parts["regressor"], 1))
    changed = {**parts, "features": features, "regressor": regressor}
    folder = save_model(tmp_path / "own", registry=registry, **changed)

    assert load_model(folder, registry=registry).features.options.threads == 1
    assert "threads" not in (folder / "model.json").read_text()


def test_a_model_names_no_file_as_option(tmp_path, parts, registry):
    options = ProjectionOptions(size=1, table=Path("/etc/passwd"))
    features = ProjectionFeatures(options, np.ones((1, 1), np.float32))
    regressor = parts["regressor"].with_weights(some_weights(parts["regressor"], 1))
    changed = {**parts, "features": features, "regressor": regressor}

    with pytest.raises(ModelFormatError, match="names a file"):
        save_model(tmp_path / "own", registry=registry, **changed)

    changed["features"] = ProjectionFeatures(ProjectionOptions(size=1), features.matrix)
    folder = save_model(tmp_path / "own", registry=registry, **changed)
    edit_description(folder, lambda d: d["features"][0]["options"].update(table="/etc/passwd"))
    with pytest.raises(ModelFormatError, match=r"own: projection.table names a file"):
        load_model(folder, registry=registry)


def test_another_regressor_of_the_same_format_runs_the_model(good, parts, registry):
    model = load_model(good, regressor="other-dense", registry=registry)

    assert type(model.regressor) is OtherDense
    assert model.regressor.options == parts["regressor"].options
    assert_same_weights(model.regressor.weights(), parts["regressor"].weights())


def test_a_regressor_of_another_format_is_refused_and_both_are_named(good, registry):
    with pytest.raises(ModelMismatch, match=r"dense-net/1.*unrelated reads unrelated/1"):
        load_model(good, regressor="unrelated", registry=registry)


def test_a_stage_that_is_not_installed_is_named(tmp_path, good):
    edit_description(good, lambda d: d["features"][0].update(name="projection"))

    with pytest.raises(
        ModelMismatch, match="features projection, which is not installed"
    ) as caught:
        load_model(good)

    assert caught.value.exit_status == 78


def test_a_default_refiner_that_is_not_installed_is_no_reason_to_refuse(good):
    edit_description(good, lambda d: d["refiners"][0].update(name="not-there"))

    assert load_model(good).refiners[0][0] == "not-there"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d["features"][0].update(version=9), "version 9, installed is version 1"),
        (lambda d: d["colorspace"].update(version=2), "lab version 2, installed is version 1"),
        (lambda d: d["features"][0].update(width=5), "5 numbers of lightness.*gives 4"),
        (lambda d: d["features"][0]["options"].update(sigmas="1"), "4 numbers.*gives 2"),
        (lambda d: d["features"][0]["options"].update(sigma="1"), "unknown option lightness.sigma"),
        (lambda d: d["regressor"]["options"].update(depth="-3"), "dense.depth is -3"),
        (lambda d: d["regressor"].update(weights="dense-net/9"), "'dense-net/9', regressor dense"),
        (lambda d: d["refiners"][0]["options"].update(radius="many"), "guided.radius is 'many'"),
        (lambda d: d["files"].pop("b.safetensors"), "its files are a.safetensors, its stages want"),
        (lambda d: d["files"].update({"c.safetensors": "0" * 64}), "its files are .*c.safetensors"),
    ],
)
def test_a_model_that_does_not_fit_its_stages_says_what_both_are(good, edit, said):
    edit_description(good, edit)

    with pytest.raises(ModelMismatch, match=said) as caught:
        load_model(good)

    assert str(good) in str(caught.value)


def test_one_features_stage_twice_is_refused(good):
    edit_description(good, lambda d: d["features"].append(d["features"][0]))

    with pytest.raises(ModelFormatError, match="given twice"):
        load_model(good)


def test_refusals_of_the_stage_itself_name_the_folder(good):
    class Picky(DenseRegressor):
        name = "picky"

        def with_weights(self, weights):
            raise IndexError("no such layer")

    class Offer:
        @hookimpl
        def chroma_stages(self):
            return [Picky]

    registry = Registry()
    registry.register(Offer())

    with pytest.raises(ModelFormatError, match=r"good: .*picky: no such layer"):
        load_model(good, regressor="picky", registry=registry)


# --- saving --------------------------------------------------------------------------------------


def test_an_empty_folder_may_be_filled(tmp_path, parts):
    (tmp_path / "empty").mkdir()

    assert load_model(save_model(tmp_path / "empty", **parts)).name == "empty"


def test_nothing_is_replaced_unless_told(good, parts):
    before = (good / "model.json").read_bytes()

    with pytest.raises(ModelError, match="is there already") as caught:
        save_model(good, **parts)

    assert caught.value.exit_status == 73
    assert (good / "model.json").read_bytes() == before


def test_a_model_is_replaced_when_told(good, parts):
    save_model(good, overwrite=True, record={"seed": 99}, **parts)

    assert load_model(good).record == {"seed": 99}
    assert sorted(path.name for path in good.parent.iterdir()) == ["good"]


def test_further_files_lie_beside_the_model(tmp_path, parts):
    save_model(tmp_path / "m", beside={"history.csv": b"epoch"}, **parts)

    assert (tmp_path / "m" / "history.csv").read_bytes() == b"epoch"
    assert load_model(tmp_path / "m").name == "m"


@pytest.mark.parametrize("name", ["model.json", "a.safetensors", "../up", "sub/file", ".."])
def test_further_files_stay_in_the_folder_and_replace_nothing(tmp_path, parts, name):
    with pytest.raises(InputError, match="no name for a further file"):
        save_model(tmp_path / "m", beside={name: b""}, **parts)

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_saving_left_goes_with_the_next(tmp_path, parts):
    for left in (".m.0123456789ab.partial", ".m.0123456789ab.old"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "a.safetensors").write_bytes(b"half")
    others = [".n.0123456789ab.partial", ".m.mine.partial"]
    for name in others:
        (tmp_path / name).mkdir()

    save_model(tmp_path / "m", **parts)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["m", *others])


@pytest.mark.skipif(os.name != "posix", reason="needs flock")
def test_what_another_process_is_saving_stays(tmp_path, parts):
    import fcntl

    busy = tmp_path / ".m.0123456789ab.partial"
    busy.mkdir()
    descriptor = os.open(busy, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        save_model(tmp_path / "m", **parts)

        assert busy.is_dir()
    finally:
        os.close(descriptor)


def test_only_a_model_folder_is_ever_replaced(tmp_path, parts):
    home = tmp_path / "home"
    home.mkdir()
    (home / "letters.txt").write_text("dear")

    with pytest.raises(ModelError, match="is not empty"):
        save_model(home, overwrite=True, **parts)

    assert (home / "letters.txt").read_text() == "dear"


def test_a_file_or_a_link_is_not_replaced(tmp_path, good, parts):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(good)

    for name in ("file", "link"):
        with pytest.raises(ModelError, match="is there already"):
            save_model(tmp_path / name, overwrite=True, **parts)


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_full_disk_leaves_nothing_behind(tmp_path, parts, monkeypatch, at):
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError, match="No space left") as caught:
        save_model(tmp_path / "new", **parts)

    assert caught.value.exit_status == 73
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_replacing_keeps_the_old_model(good, parts, monkeypatch):
    before = load_model(good).digest
    rename = Path.rename

    def failing(self, target):
        if self.name.endswith(".partial"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(ModelError, match="cannot be written"):
        save_model(good, overwrite=True, record={"seed": 99}, **parts)

    assert load_model(good).digest == before
    assert [path.name for path in good.parent.iterdir()] == ["good"]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"work_size": 3}, InputError, "work_size 3"),
        ({"work_size": 10**6}, InputError, "work_size 1000000"),
        ({"name": "../up"}, InputError, "name"),
        ({"record": {"loss": float("nan")}}, InputError, "not JSON compliant|nan"),
        ({"record": {"stage": object()}}, InputError, "object in the training record"),
        ({"record": {"notes": "x" * 2_000_000}}, InputError, "bytes"),
        ({"refiners": [("guided", {"radius": "-1"})]}, OptionError, "guided.radius"),
    ],
    ids=["small", "large", "name", "nan", "object", "long", "refiner"],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, parts, change, error, said):
    with pytest.raises(error, match=said):
        save_model(tmp_path / "new", **{**parts, **change})

    assert list(tmp_path.iterdir()) == []


def test_numpy_numbers_and_paths_may_stand_in_the_record(tmp_path, parts):
    record = {"loss": np.float32(0.5), "rows": np.int64(7), "from": Path("shards"), "t": (1, 2)}
    folder = save_model(tmp_path / "new", record=record, **parts)

    assert load_model(folder).record == {"loss": 0.5, "rows": 7, "from": "shards", "t": [1, 2]}


def test_default_refiners_record_all_their_options(good):
    written = json.loads((good / "model.json").read_text("utf-8"))["refiners"][0]["options"]

    fields = {item.name for item in dataclasses.fields(GuidedRefiner.Options)}
    assert set(written) == fields


def test_a_colorspace_cannot_own_weights(tmp_path, parts):
    class Weighty(LabColorspace):
        def weights(self):
            return {"a": {"m": np.ones(1, np.float32)}}

    with pytest.raises(ContractError, match="colorspace lab has weights"):
        save_model(tmp_path / "new", **{**parts, "colorspace": Weighty()})


def test_a_regressor_of_two_formats_must_say_which_it_writes(tmp_path, parts):
    class Both(DenseRegressor):
        reads = frozenset({"dense-net/1", "dense-net/2"})

    regressor = Both(parts["regressor"].options, parts["regressor"].weights())
    assert isinstance(regressor, Regressor)
    with pytest.raises(ContractError, match="does not say which"):
        save_model(tmp_path / "new", **{**parts, "regressor": regressor})


@pytest.mark.parametrize("stem", ["", "../a", "a/b", "a.b", "A", "ä"])
def test_weights_under_a_name_that_is_no_word_are_not_saved(tmp_path, parts, stem):
    class Oddly(DenseRegressor):
        def weight_shapes(self, width):
            return {stem: {"w": (1,)}}

        def weights(self):
            return {stem: {"w": np.ones(1, np.float32)}}

    with pytest.raises(ContractError, match="wanted a word"):
        save_model(tmp_path / "m", **{**parts, "regressor": Oddly(parts["regressor"].options)})
    assert list(tmp_path.iterdir()) == []


def test_tensors_that_a_stage_did_not_declare_are_not_saved(tmp_path, parts):
    regressor = parts["regressor"]
    weights = {file: dict(tensors) for file, tensors in regressor.weights().items()}
    weights["a"]["layer_99.weight"] = np.ones(1, np.float32)

    class Talkative(DenseRegressor):
        def weights(self):
            return weights

    with pytest.raises(ContractError, match=r"weights a hold .*layer_99.*declared are"):
        save_model(tmp_path / "m", **{**parts, "regressor": Talkative(regressor.options)})
    assert list(tmp_path.iterdir()) == []


def test_a_record_may_hold_mappings_paths_and_numbers_of_numpy(tmp_path, parts):
    record = {
        "facts": types.MappingProxyType({"epochs": np.int64(3), "rate": np.float32(0.5)}),
        "source": Path("shards"),
    }

    save_model(tmp_path / "m", **parts, record=record)

    found = load_model(tmp_path / "m").record
    assert found == {"facts": {"epochs": 3, "rate": 0.5}, "source": "shards"}


def test_metrics_are_added_to_record_and_card_and_nothing_else_changes(good):
    before = {path.name: path.read_bytes() for path in good.iterdir()}
    add_metrics(good, {"holiday": {"pictures": "3"}, "sea": {"pictures": "5"}})
    add_metrics(good, {"sea": {"pictures": "7"}})

    after = {path.name: path.read_bytes() for path in good.iterdir()}

    metrics = load_model(good).record["metrics"]
    assert metrics["holiday"] == {"pictures": "3"}
    assert metrics["sea"] == {"pictures": "7"}
    assert "- sea: pictures 7" in (good / "README.md").read_text(encoding="utf-8")
    assert set(after) == set(before)
    assert {name for name in after if after[name] != before[name]} == {"model.json", "README.md"}


def test_metrics_are_added_to_models_alone(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("mine")

    with pytest.raises(ModelError):
        add_metrics(tmp_path / "notes", {"sea": {"pictures": "5"}})

    assert (tmp_path / "notes" / "diary.txt").read_text() == "mine"

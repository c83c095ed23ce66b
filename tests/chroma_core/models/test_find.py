"""Models by name, by path, and by the stages that they were made for."""

import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from chroma_core.errors import ModelError, ModelFormatError, StageNotFound
from chroma_core.models import find_model, list_models, model_for, model_info, save_model
from chroma_core.plugins import Registry, hookimpl

from .conftest import edit_description, small_parts


@pytest.fixture
def registry(tmp_path):
    """Return a registry that ships two models and a broken one, and what a stranger ships."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    first = save_model(ours / "first", **small_parts())
    second = save_model(ours / "second", **small_parts())
    edit_description(second, lambda d: d["features"].pop())
    broken = save_model(ours / "broken", **small_parts())
    (broken / "model.json").write_text("{")
    shutil.copytree(first, theirs / "first")
    shutil.copytree(first, theirs / "third")

    class Ours:
        @hookimpl
        def chroma_models(self):
            return [first, second, broken]

    class Theirs:
        @hookimpl
        def chroma_models(self):
            return [theirs / "first", theirs / "third"]

    # The core's stages, and none of the models that chroma ships.
    registry = Registry([EntryPoint(name="core", value="chroma_core.builtin", group="chroma")])
    registry.register(Ours(), distribution="chroma-colorize")
    registry.register(Theirs(), distribution="Other_Models")
    return registry


def named(registry):
    return {info.name: info for info in list_models(registry=registry)}


def test_shipped_names_cannot_be_taken(registry, tmp_path):
    assert find_model("first", registry=registry) == tmp_path / "ours" / "first"
    assert find_model("other-models:first", registry=registry) == tmp_path / "theirs" / "first"
    assert find_model("third", registry=registry) == tmp_path / "theirs" / "third"


def test_a_broken_model_is_listed_with_its_problem(registry):
    found = named(registry)

    assert set(found) == {"first", "second", "broken", "other-models:first", "third"}
    assert "is not JSON" in found["broken"].problem
    assert found["first"].problem == ""
    assert found["first"].features == ("lightness", "position")
    assert (found["first"].regressor, found["first"].weight_format) == ("dense", "dense-net/1")


def test_a_name_is_a_model_before_it_is_a_folder(registry, tmp_path, monkeypatch):
    (tmp_path / "first").mkdir()
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)

    assert find_model("first", registry=registry) == tmp_path / "ours" / "first"
    assert find_model("./first", registry=registry) == Path("first")
    assert find_model(Path("first"), registry=registry) == Path("first")
    assert find_model("mine", registry=registry) == Path("mine")


def test_what_is_not_there_names_what_is(registry):
    with pytest.raises(ModelError, match=r"no model 'frist' \(installed: .*first") as caught:
        find_model("frist", registry=registry)

    assert caught.value.exit_status == 69


@pytest.mark.parametrize("name", ["x\0y", "/x\0y", "x" * 5000, ""])
def test_names_that_no_folder_can_have_are_not_found(registry, name):
    with pytest.raises(ModelError, match="there is no model"):
        find_model(name, registry=registry)


def test_a_file_is_no_model(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(ModelFormatError, match="is no folder"):
        find_model(tmp_path / "file")


def test_the_model_made_for_stages_is_found(registry, tmp_path):
    ours = tmp_path / "ours"

    assert model_for(["lightness", "position"], "dense", registry=registry) == ours / "first"
    assert model_for(["lightness"], registry=registry) == ours / "second"
    assert model_for([], "dense", registry=registry) == ours / "first"


def test_any_regressor_that_reads_the_weights_has_the_model(registry, tmp_path):
    from chroma_core.regressors.dense import DenseRegressor

    class Other(DenseRegressor):
        name = "other"

    class Plugin:
        @hookimpl
        def chroma_stages(self):
            return [Other]

    registry.register(Plugin())

    assert model_for(["lightness"], "other", registry=registry) == tmp_path / "ours" / "second"


def test_stages_without_a_model_are_named(registry):
    with pytest.raises(ModelError, match="features position,lightness and regressor dense"):
        model_for(["position", "lightness"], "dense", registry=registry)
    with pytest.raises(StageNotFound, match="dnse"):
        model_for(["lightness"], "dnse", registry=registry)


def test_every_shipped_model_can_be_described():
    for info in list_models():
        assert info.problem == ""
        assert info.licence, f"{info.name} says no licence"


def test_facts_of_one_folder(registry, tmp_path):
    info = model_info(tmp_path / "ours" / "first")

    assert (info.name, info.work_size, info.problem) == ("first", 256, "")

"""From names to stages: what is found, what is refused, and that refusals name both sides."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from chroma_core import api
from chroma_core.api import (
    Settings,
    build,
    build_features,
    build_refiners,
    build_stage,
    colorize,
)
from chroma_core.errors import (
    ChromaError,
    ModelError,
    ModelMismatch,
    OptionError,
    PluginError,
    StageNotFound,
)
from chroma_core.features.concatenated import Concatenated
from chroma_core.pictures.read import read_picture

# Settings.


@pytest.mark.parametrize(
    "given",
    [
        ["patch.size=5", "patch.step=2", "lab.illuminant=D50"],
        ("patch.size=5", "patch.step=2", "lab.illuminant=D50"),
        {"patch.size": "5", "patch.step": "2", "lab.illuminant": "D50"},
    ],
    ids=["list", "tuple", "mapping"],
)
def test_settings_are_read_from_text(given):
    assert Settings.parse(given).values == {
        "patch": {"size": "5", "step": "2"},
        "lab": {"illuminant": "D50"},
    }


def test_one_setting_may_be_a_bare_text():
    assert Settings.parse("patch.size=5").values == {"patch": {"size": "5"}}


def test_a_value_may_hold_equals_signs_and_dots():
    assert Settings.parse(["a.b=c=d.e"]).values == {"a": {"b": "c=d.e"}}


def test_a_stage_of_a_distribution_may_have_a_dot():
    assert Settings.parse(["my.dist:sift.step=8"]).values == {"my.dist:sift": {"step": "8"}}


def test_the_last_of_two_settings_counts():
    assert Settings.parse(["a.b=1", "a.b=2"]).values == {"a": {"b": "2"}}


@pytest.mark.parametrize("bad", ["", "patch", "patch.size", "size=5", ".size=5", "patch.=5", "=5"])
def test_settings_of_another_form_are_refused(bad):
    with pytest.raises(OptionError, match=r"not of the form STAGE\.OPTION=VALUE"):
        Settings.parse([bad])


def test_no_settings_are_none():
    assert Settings.parse(None).values == {}


def test_a_setting_for_a_stage_that_is_not_in_use_is_refused():
    with pytest.raises(OptionError, match="setting for patch, which is not in use") as caught:
        build(features="none", regressor="none", settings=["patch.size=5"])
    assert "lab" in caught.value.hint


def test_an_unknown_option_is_refused_and_the_nearest_is_offered():
    with pytest.raises(OptionError, match=r"unknown option patch\.sise") as caught:
        build(features="patch", regressor="none", settings=["patch.sise=5"])
    assert caught.value.hint == "did you mean patch.size?"


@pytest.mark.parametrize("bad", ["five", "4", "0", "65", "5.0", ""])
def test_a_value_that_is_not_allowed_is_refused_and_named(bad):
    with pytest.raises(OptionError, match=r"patch\.size") as caught:
        build(features="patch", regressor="none", settings={"patch.size": bad})
    assert repr(bad) in str(caught.value) or bad in str(caught.value)


def test_a_setting_reaches_the_stage_of_a_shared_name_that_has_the_option():
    """Features, regressor and refiner each have a stage called none; one of them has a step."""
    pipeline = build(features="none", regressor="none", refiner="none", settings=["none.step=7"])

    assert pipeline.features.options.step == 7


def test_an_option_that_no_stage_of_a_shared_name_has_is_refused():
    with pytest.raises(OptionError, match=r"unknown option none\.stride"):
        build(features="none", regressor="none", refiner="none", settings=["none.stride=7"])


@pytest.mark.parametrize(
    "make",
    [
        lambda settings: build_stage("features", "patch", settings),
        lambda settings: build_features("patch,position", settings),
        lambda settings: build_refiners("guided", settings),
    ],
    ids=["stage", "features", "refiners"],
)
def test_single_stages_refuse_settings_of_others(make):
    with pytest.raises(OptionError, match="setting for sift"):
        make(["sift.step=4"])


# Names.


@pytest.mark.parametrize(
    ("names", "nearest"),
    [
        ({"features": "pach", "regressor": "none"}, "patch"),
        ({"features": "none", "regressor": "rigde"}, "ridge"),
        ({"features": "none", "regressor": "none", "refiner": "intensty"}, "intensity"),
        ({"features": "none", "regressor": "none", "colorspace": "lba"}, "lab"),
        ({"features": "sfit", "regressor": "dense"}, "sift"),
    ],
    ids=["features", "regressor", "refiner", "colorspace", "features of a model"],
)
def test_an_unknown_stage_is_refused_and_the_nearest_is_offered(names, nearest):
    with pytest.raises(StageNotFound) as caught:
        build(**names)

    assert caught.value.exit_status == 2
    assert f"did you mean {nearest}?" in caught.value.hint


def test_several_features_stand_side_by_side_in_the_order_given():
    pipeline = build(features=" position , patch", regressor="none")

    assert isinstance(pipeline.features, Concatenated)
    assert [part.name for part in pipeline.features.stages] == ["position", "patch"]


def test_features_named_twice_are_refused():
    with pytest.raises(OptionError, match="patch are given twice"):
        build(features="patch,patch", regressor="none")


def test_refiners_may_be_a_list_and_come_in_order():
    pipeline = build(features="none", regressor="none", refiner=["guided", "intensity", "guided"])

    assert [stage.name for stage in pipeline.refiners] == ["guided", "intensity", "guided"]


def test_without_a_model_there_are_no_refiners_unless_named():
    assert build(features="none", regressor="none").refiners == ()


def test_the_seeds_literal_prediction_can_be_asked_for():
    """--work-size full and a node on each pixel."""
    pipeline = build(
        features="none", regressor="none", work_size=0, settings=["none.step=1"], join="bilinear"
    )

    assert pipeline.predict(np.zeros((9, 11), np.uint8)).grid.shape == (9, 11)


# Models.


def test_a_model_brings_its_stages_and_its_refiners(tiny_model):
    pipeline = build(model=tiny_model)

    assert [part.name for part in pipeline.features.stages] == ["patch", "position"]
    assert pipeline.regressor.name == "ridge"
    assert [stage.name for stage in pipeline.refiners] == ["intensity"]
    assert pipeline.work_size == 64
    assert pipeline.mean_chroma == (1.0, 5.0)
    assert pipeline.describe()["model"] == "tiny"
    assert len(pipeline.describe()["model_sha256"]) == 64


def test_a_model_s_refiner_takes_options_and_may_be_replaced(tiny_model):
    changed = build(model=tiny_model, settings=["intensity.of=rec601"])
    replaced = build(model=tiny_model, refiner="none")
    removed = build(model=tiny_model, refiner=())

    assert changed.refiners[0].options.of == "rec601"
    assert [stage.name for stage in replaced.refiners] == ["none"]
    assert removed.refiners == ()


def test_work_size_of_the_call_goes_before_the_model_s(tiny_model):
    assert build(model=tiny_model, work_size=0).work_size == 0
    assert build(model=tiny_model, work_size=32).work_size == 32


def test_an_option_that_cannot_change_the_model_s_input_may_differ(tiny_model):
    pipeline = build(model=tiny_model, settings=["patch.step=2"])

    assert pipeline.features.stages[0].options.step == 2
    assert pipeline.regressor.weights()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"features": "patch"}, ["tiny", "patch,position", "not patch"]),
        ({"features": "position,patch"}, ["patch,position", "not position,patch"]),
        ({"colorspace": "lab-opencv"}, ["tiny", "lab", "lab-opencv"]),
        ({"settings": ["patch.size=5"]}, ["patch.size is 5", "tiny", "made with 3"]),
        ({"settings": ["lab.illuminant=D50"]}, ["lab.illuminant is D50", "made with D65"]),
        ({"settings": ["ridge.lightness=false"]}, ["ridge.lightness is false", "made with true"]),
        ({"regressor": "dense"}, ["dense", "ridge/1"]),
    ],
    ids=["features", "order", "colorspace", "option", "white point", "regressor option", "weights"],
)
def test_what_contradicts_the_model_is_refused_and_both_sides_are_named(tiny_model, asked, words):
    with pytest.raises(ModelMismatch) as caught:
        build(model=tiny_model, **asked)

    assert caught.value.exit_status == 78
    for word in words:
        assert word in str(caught.value)


def test_the_model_s_own_names_may_be_said_again(tiny_model):
    pipeline = build(
        model=tiny_model,
        features="patch,position",
        regressor="ridge",
        colorspace="lab",
        settings=["patch.size=3"],
    )

    assert pipeline.work_size == 64


def test_a_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        build(model=tmp_path / "nowhere")


def test_a_regressor_with_weights_wants_a_model():
    with pytest.raises(ChromaError) as caught:
        build(features="patch", regressor="ridge")
    assert "patch" in str(caught.value)
    assert "ridge" in str(caught.value)


def test_a_stage_without_its_library_says_which_extra_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)

    with pytest.raises(PluginError, match="features sift needs cv2") as caught:
        build(features="sift", regressor="none")
    assert caught.value.hint == "pip install 'chroma-colorize[opencv]'"
    assert caught.value.exit_status == 69


# Colorize.


def test_colorize_takes_arrays_paths_and_pictures(tiny_model, photo, gray):
    from_array = colorize(gray, model=tiny_model)

    assert from_array.dtype == np.uint8
    assert from_array.shape == (90, 120, 3)
    np.testing.assert_array_equal(colorize(photo, model=tiny_model), from_array)
    np.testing.assert_array_equal(colorize(str(photo), model=tiny_model), from_array)
    np.testing.assert_array_equal(colorize(read_picture(photo), model=tiny_model), from_array)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_colorize_answers_in_the_depth_of_its_input(tiny_model, gray, dtype):
    picture = gray / np.float32(255) if dtype == np.float32 else gray.astype(dtype)

    assert colorize(picture, model=tiny_model).dtype == dtype


def test_sixteen_bits_and_eight_give_the_same_colours(tiny_model, gray):
    deep = colorize(gray.astype(np.uint16) * 257, model=tiny_model)

    # Both are within half a code of the same colour, and 16 bits within 1/514 of one.
    eight = colorize(gray, model=tiny_model)
    assert np.abs(deep / 257 - eight).max() <= 0.51


def test_a_pipeline_may_be_used_again(tiny_model, gray):
    pipeline = build(model=tiny_model)

    np.testing.assert_array_equal(pipeline(gray), pipeline(gray))


def test_where_no_shipped_model_can_run_the_best_one_s_need_is_told(monkeypatch):
    asked = []

    def needs(name, **wanted):
        asked.append((name, wanted["regressor"]))
        raise PluginError(f"{name} needs a library")

    monkeypatch.setattr(api, "load_model", needs)

    with pytest.raises(PluginError, match=f"{api.DEFAULT_MODELS[0][0]} needs a library"):
        api.build()
    assert asked == [(name, stage) for name, stages in api.DEFAULT_MODELS for stage in stages]

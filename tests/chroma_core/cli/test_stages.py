"""What is installed is listed, with options, for people and for programs."""

from __future__ import annotations

import sys

import pytest

from chroma_core.plugins import installed_stages

SHIPPED = {(info.role, info.name) for info in installed_stages()}


def test_every_stage_is_listed_with_its_role(chroma):
    lines = chroma("stages").out.splitlines()

    listed = {tuple(line.split()[:2]) for line in lines}
    assert listed >= SHIPPED
    assert {("features", "sift"), ("regressor", "tf-dense"), ("refiner", "intensity")} <= listed


def test_a_stage_is_shown_with_units_defaults_and_what_is_allowed(chroma):
    shown = chroma("stages", "guided")

    assert shown.status == 0
    assert "guided.radius=16" in shown.out
    assert "px of the work picture" in shown.out
    assert "above 0 and at most 256" in shown.out


def test_stages_of_one_name_are_all_shown(chroma):
    out = chroma("stages", "none").out

    for role in ("features", "regressor", "refiner"):
        assert f"{role} none " in out


def test_options_that_may_differ_from_a_model_s_are_marked(chroma):
    lines = chroma("stages", "patch").out.splitlines()

    (step,) = (line for line in lines if "patch.step=" in line)
    (size,) = (line for line in lines if "patch.size=" in line)
    assert "may differ" in step
    assert "may differ" not in size


def test_an_unknown_stage_is_refused_and_the_nearest_is_offered(chroma, refused):
    refused(chroma("stages", "intensty"), 2, "no stage is named intensty", "intensity")


def test_programs_get_json(chroma):
    (stages,) = chroma("stages", "--json").json

    assert {(stage["role"], stage["name"]) for stage in stages} == SHIPPED
    for stage in stages:
        assert set(stage) == {"role", "name", "distribution", "version", "missing", "options"}
        for option in stage["options"]:
            assert set(option) == {"name", "default", "allowed", "unit", "help", "run"}
            assert option["help"]


@pytest.mark.parametrize(
    ("library", "stage", "extra"),
    [("cv2", "sift", "opencv"), ("tensorflow", "tf-dense", "tensorflow")],
)
def test_a_stage_without_its_library_says_what_brings_it(
    chroma, monkeypatch, library, stage, extra
):
    monkeypatch.setitem(sys.modules, library, None)

    shown = chroma("stages", stage)

    assert shown.status == 0
    assert f"needs {library}: pip install 'chroma-colorize[{extra}]'" in shown.out

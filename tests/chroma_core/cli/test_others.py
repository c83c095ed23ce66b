"""Commands on models and photographs: models, demo, evaluate, extract, train."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest

from chroma_core.demo import demo_photographs
from chroma_core.models import list_models
from chroma_core.pictures.write import write_picture

SHIPPED = [info.name for info in list_models() if not info.problem]


@pytest.fixture
def photographs(tmp_path):
    """Return a folder of small photographs in colour."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(4):
        coarse = rng.integers(40, 216, (6, 8, 3))
        write_picture(
            np.repeat(np.repeat(coarse, 10, 0), 10, 1).astype(np.uint8), folder / f"{index}.png"
        )
    return folder


# Models.


def test_a_model_shows_its_card_and_its_chain(chroma, tiny_model):
    shown = chroma("models", tiny_model)

    assert shown.status == 0
    assert f"tiny: patch,position > ridge > intensity  ({tiny_model})" in shown.out
    assert (tiny_model / "README.md").read_text().splitlines()[0] in shown.out


def test_models_for_programs(chroma, tiny_model):
    (info,) = chroma("models", tiny_model, "--json").json

    assert set(info) == {
        "name",
        "path",
        "distribution",
        "features",
        "regressor",
        "weights",
        "refiners",
        "work_size",
        "licence",
        "problem",
        "training",
    }
    assert info["features"] == ["patch", "position"]
    assert info["weights"] == "ridge/1"
    assert info["problem"] is None


def test_every_shipped_model_is_listed(chroma):
    listed = chroma("models")

    assert listed.status == 0
    for name in SHIPPED:
        assert f"{name}: " in listed.out


@pytest.mark.parametrize("name", ["no-such-model", "./no/such/folder"])
def test_a_model_that_is_not_there_is_one_line(chroma, refused, name):
    refused(chroma("models", name), 69, name)


def test_a_folder_that_is_no_model_is_one_line(chroma, refused, tmp_path):
    (tmp_path / "folder").mkdir()

    refused(chroma("models", tmp_path / "folder"), 78, "folder")


# The demo.


def test_the_demo_names_its_sheets(chroma, tmp_path, gray, monkeypatch):
    path = write_picture(gray, tmp_path / "gray-street.jpg")
    monkeypatch.setattr("chroma_core.demo.demo_photographs", lambda: [path])

    people = chroma("demo", "-o", tmp_path / "d", "--features", "none", "--regressor", "none")
    programs = chroma(
        *("demo", "-o", tmp_path / "d", "--features", "none", "--regressor", "none", "--json")
    )

    sheet = tmp_path / "d" / "gray-street.sheet.png"
    assert people.out == f"{sheet}: gray | predicted | refined\n"
    (record,) = programs.json
    assert set(record) == {"gray", "predicted", "refined", "truth", "sheet"}
    assert (record["sheet"], record["truth"]) == (str(sheet), None)


def test_the_demo_leaves_a_folder_of_the_user_s_alone(chroma, refused, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine.txt").write_text("mine")

    outcome = chroma("demo", "-o", tmp_path / "d", "--features", "none", "--regressor", "none")

    refused(outcome, 73, "was not made by a demo")
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["mine.txt"]


def test_the_demo_says_what_is_missing(chroma, refused, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)

    outcome = chroma("demo", "-o", tmp_path / "d", "--features", "sift", "--regressor", "none")

    refused(outcome, 69, "chroma-colorize[opencv]")
    assert not (tmp_path / "d").exists()


@pytest.mark.slow
@pytest.mark.opencv
@pytest.mark.skipif("local-dense" not in SHIPPED, reason="the shipped model is not there yet")
def test_the_shipped_model_colours_a_shipped_photograph(chroma, tmp_path):
    """Without TensorFlow, which not everybody installs."""
    picture = next(path for path in demo_photographs() if "lighthouse" in path.stem)

    outcome = chroma(
        "run", picture, "-o", tmp_path / "out.png", "--model", "local-dense", "--regressor", "dense"
    )

    assert outcome.status == 0
    assert "model local-dense" in outcome.err
    assert "> dense >" in outcome.err


# Evaluate.

FIGURES = ("--features", "none", "--regressor", "none", "--mean-colour", "1,5")


def test_photographs_are_scored_beside_gray_and_a_constant_colour(chroma, photographs, tmp_path):
    people = chroma("evaluate", photographs, *FIGURES, "--csv", tmp_path / "f.csv")
    (record,) = chroma("evaluate", photographs, *FIGURES, "--json").json

    assert people.status == 0
    assert "gray" in people.out
    assert (tmp_path / "f.csv").read_text().count("\n") > 4
    assert isinstance(record, dict)


def test_the_constant_colour_is_the_model_s(chroma, photographs, tiny_model):
    assert chroma("evaluate", photographs, "--model", tiny_model).status == 0


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["evaluate", "GONE", *FIGURES], 66, "no folder with pictures"),
        (["evaluate", "EMPTY", *FIGURES], 66, "no folder with pictures"),
        (["evaluate", "PHOTOS", *FIGURES[:4]], 2, "--mean-colour"),
        (["evaluate", "PHOTOS", "--features", "pach", "--regressor", "none"], 2, "patch"),
        (["evaluate", "PHOTOS", *FIGURES, "--csv", "PHOTOS/0.png"], 73, "is there already"),
        (["extract", "GONE", "-o", "OUT", "--features", "patch"], 66, "GONE"),
        (["extract", "EMPTY", "-o", "OUT", "--features", "patch"], 66, "EMPTY"),
        (["extract", "PHOTOS", "-o", "OUT", "--features", "pach"], 2, "patch"),
        (["extract", "PHOTOS", "-o", "OUT", "--features", "patch", "--set", "a=b"], 2, "a=b"),
        (["train", "GONE", "-o", "OUT", "--regressor", "ridge", "--features", "patch"], 66, "GONE"),
        (["train", "PHOTOS", "-o", "OUT", "--regressor", "none", "--features", "patch"], 2, "none"),
        (["train", "PHOTOS", "-o", "OUT", "--regressor", "rdge"], 2, "ridge"),
        (
            ["train", "PHOTOS", "-o", "OUT", "--regressor", "ridge", "--set", "train.alpa=1"],
            2,
            "train.alpha",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_is_one_line(
    chroma, refused, photographs, tmp_path, arguments, status, words
):
    (tmp_path / "EMPTY").mkdir()
    given = [word.replace("PHOTOS", str(photographs)) for word in arguments]
    given = [str(tmp_path / w) if w in ("GONE", "EMPTY", "OUT") else w for w in given]

    refused(chroma(*given), status, words)
    assert not (tmp_path / "OUT").exists() or not any((tmp_path / "OUT").iterdir())


# Extract and train.


@pytest.mark.slow
def test_photographs_become_shards_and_shards_a_model_that_colours(
    chroma, photographs, photo, tmp_path
):
    shards, model = tmp_path / "shards", tmp_path / "model"

    extracted = chroma(
        *("extract", photographs, "-o", shards, "--features", "patch", "--work-size", "60"),
        *("--set", "patch.size=3", "--workers", "1", "--json"),
    )
    trained = chroma("train", shards, "-o", model, "--regressor", "ridge", "--json")
    coloured = chroma("run", photo, "-o", tmp_path / "out.png", "--model", model)

    assert extracted.status == 0, extracted.err
    (record,) = extracted.json
    assert set(record) == {"folder", "pictures", "rows", "skipped", "seconds"}
    assert sum(record["pictures"].values()) == 4
    assert trained.status == 0, trained.err
    assert trained.json[-1]["model"] == str(model)
    assert coloured.status == 0, coloured.err
    again = chroma("train", shards, "-o", model, "--regressor", "ridge")
    assert (again.status, again.err.count("\n")) == (73, 1)
    shutil.rmtree(shards)

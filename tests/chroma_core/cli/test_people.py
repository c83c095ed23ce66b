"""What commands tell people: warnings, what was left out, what is wrong; `--json` is for others."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest

from chroma_core import doctor, plugins
from chroma_core.models import load_model
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

PATCH = ("--features", "patch", "--work-size", "24", "--workers", "1")


def coarse(seed):
    """Return a picture of coloured blocks, 36 x 48."""
    blocks = np.random.default_rng(seed).integers(40, 216, (6, 8, 3))
    return np.repeat(np.repeat(blocks, 6, 0), 6, 1).astype(np.uint8)


@pytest.fixture
def photographs(tmp_path):
    """Return a folder of colour photographs 0 to 4: one for the card, one that validates."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        write_picture(coarse(number), folder / f"{number}.png")
    return folder


# Extraction and training.


def test_extract_counts_and_names_what_it_left_out(chroma, photographs, tmp_path):
    pytest.importorskip("pyarrow")
    write_picture(coarse(9)[..., 0], photographs / "gray.png")

    outcome = chroma("extract", photographs, "-o", tmp_path / "s", *PATCH, "--per-image", "10")

    assert outcome.status == 0
    assert outcome.out == f"{tmp_path / 's'}: 5 pictures, 50 rows\n"
    assert outcome.err == "chroma: warning: gray.png: left out: the picture is gray\n"


def test_pictures_of_an_evaluation_are_left_out_with_a_warning(chroma, photographs, tmp_path):
    pytest.importorskip("pyarrow")
    for folder, number in (("held-out", 3), ("more", 4)):
        (tmp_path / folder).mkdir()
        write_picture(np.repeat(coarse(number), 2, axis=0), tmp_path / folder / f"{folder}.png")
    avoid = ("--avoid", tmp_path / "held-out", "--avoid", tmp_path / "more" / "more.png")

    outcome = chroma("extract", photographs, "-o", tmp_path / "s", *PATCH, *avoid)

    assert outcome.status == 0
    assert outcome.err == "".join(
        f"chroma: warning: {number}.png: left out: it looks like {name}, which is to be avoided\n"
        for number, name in ((3, "held-out/held-out.png"), (4, "more/more.png"))
    )


def test_train_avoids_pictures_as_extract_does(chroma, photographs, tmp_path, caplog):
    pytest.importorskip("pyarrow")
    pytest.importorskip("matplotlib")
    arguments = ("-o", tmp_path / "m", "--regressor", "ridge", *PATCH)

    outcome = chroma("train", photographs, *arguments, "--avoid", photographs / "3.png")

    assert outcome.status == 0
    assert "3.png gives no samples: it is 3.png, which is to be avoided" in caplog.text
    assert load_model(tmp_path / "m").record["data"]["train pictures"] == 2


def test_train_tells_the_errors_on_pictures_that_it_never_saw(chroma, photographs, tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("matplotlib")
    arguments = ("-o", tmp_path / "m", "--regressor", "ridge", *PATCH)

    outcome = chroma("train", photographs, *arguments)

    first, *rest = outcome.out.splitlines()
    assert (outcome.status, first) == (0, f"{tmp_path / 'm'}: trained")
    metrics = load_model(tmp_path / "m").record["metrics"]
    assert rest == [f"  {split}: {errors}" for split, errors in metrics.items()]
    assert [line.split(":")[0].rpartition(", ")[2] for line in rest] == ["validation", "card"]


def test_train_without_such_pictures_tells_no_errors(chroma, photographs, tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("matplotlib")
    for number in (0, 1):
        (photographs / f"{number}.png").unlink()

    outcome = chroma("train", photographs, "-o", tmp_path / "m", "--regressor", "ridge", *PATCH)

    assert (outcome.status, outcome.out) == (0, f"{tmp_path / 'm'}: trained\n")


def test_train_and_extract_part_photographs_as_they_are_told(chroma, photographs, tmp_path):
    """Modulo 3, the pictures 0 and 3 go into the card, 1 and 4 validate, 2 is left to train."""
    pytest.importorskip("pyarrow")
    pytest.importorskip("matplotlib")
    thirds = ("--validation", "mod3")
    arguments = ("-o", tmp_path / "m", "--regressor", "ridge")

    extracted = chroma("extract", photographs, "-o", tmp_path / "s", *PATCH, "--json", *thirds)
    trained = chroma("train", photographs, *arguments, *PATCH, *thirds)
    again = chroma("train", tmp_path / "s", "-o", tmp_path / "n", "--regressor", "ridge", *thirds)

    assert json.loads(extracted.out)["pictures"] == {"train": 1, "validation": 2, "card": 2}
    data = load_model(tmp_path / "m").record["data"]
    assert [data[f"{part} pictures"] for part in ("train", "validation", "card")] == [1, 2, 2]
    assert trained.status == 0
    assert again.status != 0
    assert "shards are parted already" in again.err


# Evaluation.


def test_an_evaluation_can_be_looked_at(chroma, photographs, tmp_path):
    plain = ("--features", "none", "--regressor", "none", "--mean-colour", "1,5")

    outcome = chroma("evaluate", photographs, *plain, "--html", tmp_path / "page.html")

    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert outcome.status == 0
    for number in range(5):
        assert f"{number}.png" in page
    assert page.count("data:image/") >= 5


def test_figures_are_written_into_the_card_of_a_model_of_ones_own(
    chroma, photographs, tiny_model, tmp_path
):
    own = tmp_path / "own"
    shutil.copytree(tiny_model, own)

    outcome = chroma("evaluate", photographs, "--model", own, "--card", "--quiet")

    assert outcome.status == 0, outcome.err
    assert load_model(own).record["metrics"][photographs.name]["pictures"] == "5"
    assert f"- {photographs.name}: pictures 5, psnr gray" in (own / "README.md").read_text()


@pytest.mark.parametrize("model", [(), ("--model", "sift-dense")], ids=["none", "shipped"])
def test_cards_of_models_that_others_installed_are_left_alone(chroma, photographs, model):
    outcome = chroma("evaluate", photographs, *model, "--card")

    assert outcome.status == 2
    assert "--model FOLDER" in outcome.err


# The demo.


@pytest.mark.opencv
def test_the_demo_does_without_tensorflow_and_says_so(chroma, tmp_path, gray, monkeypatch):
    picture = write_picture(gray, tmp_path / "gray-street.jpg")
    monkeypatch.setattr("chroma_core.demo.demo_photographs", lambda: [picture])
    monkeypatch.setitem(sys.modules, "tensorflow", None)

    outcome = chroma("demo", "-o", tmp_path / "d", "--features", "sift")

    first, second = outcome.out.splitlines()
    assert outcome.status == 0, outcome.err
    assert first == "TensorFlow is not installed: --regressor dense runs the same model"
    assert second == f"{tmp_path / 'd' / 'gray-street.sheet.png'}: gray | predicted | refined"
    pixels = read_picture(tmp_path / "d" / "gray-street.predicted.png").pixels
    assert np.ptp(pixels.astype(int), axis=-1).max() > 0


@pytest.mark.parametrize(("missing", "taken"), [((), "tf-dense"), (("tensorflow",), "dense")])
def test_the_demo_takes_the_design_s_regressor_where_its_library_is(
    chroma, tmp_path, monkeypatch, missing, taken
):
    asked = []
    monkeypatch.setattr(plugins, "missing_libraries", lambda stage: missing)
    monkeypatch.setattr(
        "chroma_core.cli.demo.show_demo", lambda coloring, *rest, **how: asked.append(coloring)
    )

    outcome = chroma("demo", "-o", tmp_path / "d", "--features", "sift")

    assert [(coloring.features, coloring.regressor) for coloring in asked] == [("sift", taken)]
    assert ("TensorFlow is not installed" in outcome.out) == bool(missing)


def test_the_demo_shows_what_is_best_unless_it_is_told(chroma, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "chroma_core.cli.demo.show_demo", lambda coloring, *rest, **how: asked.append(coloring)
    )

    outcome = chroma("demo", "-o", tmp_path / "d")

    (coloring,) = asked
    assert (coloring.features, coloring.regressor, coloring.model) == (None, None, None)
    assert outcome.out == ""


# What is installed.


def test_the_doctor_s_problems_end_its_story(chroma, monkeypatch):
    monkeypatch.setattr(doctor, "list_models", list)
    monkeypatch.setenv("CHROMA_TIMEOUT", "soon")

    outcome = chroma("doctor")

    assert outcome.status == 69
    last = outcome.out.splitlines()[-1]
    assert last == "PROBLEM        CHROMA_TIMEOUT is 'soon', wanted a number of at least 0"
    assert "nothing is wrong" not in outcome.out


def test_a_broken_plugin_is_listed_with_its_problem(chroma, monkeypatch):
    story = plugins.plugin_stories()[0]
    broken = dataclasses.replace(story, plugin="waving", distribution="wave", problem="no hands")
    monkeypatch.setattr(plugins, "plugin_stories", lambda: [story, broken])

    outcome = chroma("stages")

    assert outcome.status == 0
    problems = [line for line in outcome.out.splitlines() if line.startswith("problem")]
    assert [line.split() for line in problems] == [["problem", "waving", "wave:", "no", "hands"]]


# Single steps.


def test_inspect_numbers_the_refiners(chroma, photo, tmp_path):
    chroma(
        *("run", photo, "-o", tmp_path / "out.png", "--features", "none", "--regressor", "none"),
        *("--refiner", "guided,intensity", "--set", "guided.radius=2"),
    )

    lines = chroma("inspect", tmp_path / "out.png").out.splitlines()

    assert "refiners.1.name: guided" in lines
    assert "refiners.1.options.radius: 2" in lines
    assert "refiners.2.name: intensity" in lines


def test_convert_passes_on_what_the_reader_found(chroma, tmp_path):
    from PIL import Image

    folder = tmp_path / "in"
    folder.mkdir()
    frames = [Image.fromarray(coarse(seed)) for seed in (0, 1)]
    frames[0].save(folder / "two.tif", save_all=True, append_images=frames[1:])

    outcome = chroma("convert", folder / "two.tif", "-o", tmp_path / "out.lab.tiff")

    said = read_picture(folder / "two.tif").warnings
    assert outcome.status == 0
    assert said
    assert outcome.err == "".join(
        f"chroma: warning: {folder / 'two.tif'}: {warning}\n" for warning in said
    )

"""Commands for single steps: convert, features, predict, fuse, refine."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from chroma_core.api import colorize
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def colored(tmp_path, photo, tiny_model):
    """Return a picture file in colour."""
    return write_picture(colorize(photo, model=tiny_model), tmp_path / "in" / "colour.png")


def arguments_of(command, picture, output, model):
    """Return a call of a command on a picture."""
    return {
        "convert": ["convert", picture, "-o", output],
        "features": ["features", picture, "-o", output, "--features", "patch"],
        "predict": ["predict", picture, "-o", output, "--model", model],
        "fuse": ["fuse", picture, picture.parent, "-o", output],
        "refine": ["refine", picture, "-o", output],
    }[command]


COMMANDS = ["convert", "features", "predict", "fuse", "refine"]


def test_predict_then_fuse_is_what_run_gives(chroma, photo, tiny_model, tmp_path):
    predicted = chroma("predict", photo, "-o", tmp_path / "ab", "--model", tiny_model)
    fused = chroma(
        "fuse", photo, tmp_path / "ab", "-o", tmp_path / "fused.png", "--refiner", "intensity"
    )
    chroma("run", photo, "-o", tmp_path / "run.png", "--model", tiny_model)

    assert (predicted.status, fused.status) == (0, 0)
    assert [line.rpartition("/")[2] for line in predicted.out.splitlines()] == [
        "photo.a.npy",
        "photo.b.npy",
        "photo.json",
    ]
    assert fused.out == f"{tmp_path / 'fused.png'}\n"
    assert (tmp_path / "fused.png").read_bytes() == (tmp_path / "run.png").read_bytes()


def test_convert_goes_to_lab_and_back(chroma, colored, tmp_path):
    there = chroma(
        *("convert", colored, "-o", tmp_path / "c.lab.tiff"),
        *("--depth", "float", "--illuminant", "D50", "--observer", "10"),
    )
    back = chroma("convert", tmp_path / "c.lab.tiff", "-o", tmp_path / "back.png")

    assert there.out == f"{tmp_path / 'c.lab.tiff'}: CIE L*a*b*, float, white D50 10°\n"
    assert back.out == f"{tmp_path / 'back.png'}: RGB, sRGB\n"
    first = read_picture(colored).pixels / 255
    second = read_picture(tmp_path / "back.png").pixels
    np.testing.assert_allclose(second / np.iinfo(second.dtype).max, first, atol=1e-4)


def test_features_draws_a_grid_and_says_what_it_shows(chroma, photo, tmp_path):
    outcome = chroma(
        *("features", photo, "-o", tmp_path / "g.png"),
        *("--features", "patch", "--set", "patch.step=16"),
    )

    assert outcome.out == f"{tmp_path / 'g.png'}: patch: 6 x 7 nodes\n"


def test_refine_takes_several_refiners_and_their_options(chroma, colored, tmp_path):
    outcome = chroma(
        *("refine", colored, "-o", tmp_path / "r.png"),
        *("--refiner", "guided,intensity", "--set", "guided.radius=3"),
    )

    assert outcome.status == 0
    assert (read_picture(tmp_path / "r.png").pixels != read_picture(colored).pixels).any()


@pytest.mark.parametrize("command", COMMANDS)
def test_quiet_prints_nothing(chroma, photo, colored, tiny_model, tmp_path, command):
    chroma("predict", photo, "-o", photo.parent, "--model", tiny_model)
    picture = colored if command == "refine" else photo
    output = tmp_path / ("ab" if command == "predict" else "out.png")

    outcome = chroma(*arguments_of(command, picture, output, tiny_model), "--quiet")

    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    assert output.exists()


BAD = {
    "missing": (lambda path: None, 66, "no such file"),
    "empty": (lambda path: path.write_bytes(b""), 65, "empty"),
    "text": (lambda path: path.write_text("Dear Sir,"), 65, "not a picture"),
    "cut short": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), 65, "bad.png"),
    "a folder": (lambda path: path.mkdir(), 66, "bad.png"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("bad", BAD)
def test_a_picture_that_cannot_be_read_is_one_line(
    chroma, refused, tiny_model, tmp_path, command, bad
):
    make, status, words = BAD[bad]
    (tmp_path / "in").mkdir()
    make(tmp_path / "in" / "bad.png")
    output = tmp_path / ("ab" if command == "predict" else "out.png")

    outcome = chroma(*arguments_of(command, tmp_path / "in" / "bad.png", output, tiny_model))

    refused(outcome, status, words)
    assert names(tmp_path) == ["in"]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_is_there_is_left_alone(
    chroma, refused, photo, colored, tiny_model, tmp_path, command
):
    chroma("predict", photo, "-o", photo.parent, "--model", tiny_model)
    picture = colored if command == "refine" else photo
    output = photo.parent if command == "predict" else tmp_path / "out.png"
    there = output / "photo.b.npy" if command == "predict" else output
    there.write_bytes(b"mine")

    arguments = arguments_of(command, picture, output, tiny_model)
    refused(chroma(*arguments), 73, "is there already", str(photo.parent.parent))

    assert there.read_bytes() == b"mine"
    assert chroma(*arguments, "--overwrite", "always").status == 0
    assert there.read_bytes() != b"mine"


@pytest.mark.parametrize("command", ["convert", "features", "fuse", "refine"])
def test_an_output_that_is_the_input_is_refused(
    chroma, refused, photo, colored, tiny_model, tmp_path, command
):
    chroma("predict", photo, "-o", photo.parent, "--model", tiny_model)
    picture = colored if command == "refine" else photo
    before = picture.read_bytes()
    os.link(picture, tmp_path / "link.png")

    for output in (picture, tmp_path / "link.png"):
        arguments = arguments_of(command, picture, output, tiny_model)
        refused(chroma(*arguments, "--overwrite", "always"), 73, str(output), "the input")

    assert picture.read_bytes() == before


def test_refining_a_gray_picture_is_one_line(chroma, refused, photo, tmp_path):
    refused(chroma("refine", photo, "-o", tmp_path / "o.png"), 65, str(photo), "is gray")


def test_fusing_without_a_prediction_is_one_line(chroma, refused, photo, tmp_path):
    outcome = chroma("fuse", photo, tmp_path, "-o", tmp_path / "o.png")

    refused(outcome, 66, "no prediction", "chroma predict")


def test_fusing_another_picture_s_prediction_is_one_line(
    chroma, refused, photo, gray, tiny_model, tmp_path
):
    chroma("predict", photo, "-o", tmp_path / "ab", "--model", tiny_model)
    (tmp_path / "x").mkdir()
    other = write_picture(255 - gray, tmp_path / "x" / "photo.png")

    outcome = chroma("fuse", other, tmp_path / "ab", "-o", tmp_path / "o.png")

    refused(outcome, 65, str(other), "another picture")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["convert", "PHOTO", "-o", "OUT.xyz"], 65, "no extension that can be written"),
        (["features", "PHOTO", "-o", "OUT.png", "--features", "pach"], 2, "patch"),
        (["refine", "COLOUR", "-o", "OUT.png", "--refiner", "sead"], 2, "seed"),
        (["refine", "COLOUR", "-o", "OUT.png", "--set", "intensity.off=1"], 2, "intensity.of"),
        (["predict", "PHOTO", "-o", "OUT", "--features", "patch"], None, "patch"),
        (["predict", "PHOTO", "-o", "OUT", "--model", "MODEL", "--set", "patch.size=5"], 78, "5"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_name_or_option_is_one_line(
    chroma, refused, photo, colored, tiny_model, tmp_path, arguments, status, words
):
    places = {"PHOTO": photo, "COLOUR": colored, "MODEL": tiny_model}
    given = [
        str(places.get(word, tmp_path / word if word.startswith("OUT") else word))
        for word in arguments
    ]

    outcome = chroma(*given)

    refused(outcome, outcome.status if status is None else status, words)
    assert outcome.status in (2, 65, 69, 78)
    assert names(tmp_path) == ["in"]


def test_a_missing_extra_is_named(chroma, refused, photo, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)

    refused(chroma("features", photo, "-o", tmp_path / "o.png"), 69, "chroma-colorize[opencv]")
    assert names(tmp_path) == ["in"]

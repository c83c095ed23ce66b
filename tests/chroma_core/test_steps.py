"""The steps one by one, on disk, give what one run gives; originals stay as they are."""

from __future__ import annotations

import json
import os
import stat

import numpy as np
import pytest

from chroma_core.api import build, colorize
from chroma_core.batch.color import Coloring
from chroma_core.batch.plan import Job
from chroma_core.color.lab import rgb_to_lab
from chroma_core.colorspaces.lab import LabColorspace, LabOptions
from chroma_core.errors import InputError, OptionError, PictureError
from chroma_core.features.none import NoFeatures
from chroma_core.models import save_model
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture
from chroma_core.regressors.ridge import RidgeRegressor
from chroma_core.steps import fuse_from_folder, predict_to_folder, refine_file


def one_run(picture, output, model, **options):
    Coloring(model=str(model), **options)(Job(input=picture, output=output))
    return output


@pytest.fixture
def predicted(tmp_path, photo, tiny_model):
    """Return the folder that a prediction of `photo` lies in."""
    predict_to_folder(photo, tmp_path / "ab", build(model=tiny_model))
    return tmp_path / "ab"


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tiff"])
def test_predict_then_fuse_gives_the_bytes_of_one_run(tmp_path, gray, tiny_model, ending):
    """What made the picture stands in it, too, and is the same."""
    picture = write_picture(gray, tmp_path / f"photo{ending}")
    whole = one_run(picture, tmp_path / f"whole{ending}", tiny_model)

    predict_to_folder(picture, tmp_path / "ab", build(model=tiny_model))
    fused = fuse_from_folder(
        picture, tmp_path / "ab", tmp_path / f"fused{ending}", refiner="intensity"
    )

    assert fused.read_bytes() == whole.read_bytes()


def test_predict_then_fuse_gives_the_pixels_of_one_run_at_16_bits(tmp_path, gray, tiny_model):
    picture = write_picture(gray.astype(np.uint16) * 257, tmp_path / "deep.png")
    predict_to_folder(picture, tmp_path / "ab", build(model=tiny_model))

    fused = fuse_from_folder(picture, tmp_path / "ab", tmp_path / "out.png", refiner="intensity")

    pixels = read_picture(fused).pixels
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, colorize(picture, model=tiny_model))


@pytest.mark.parametrize(
    "options", [{"join": "bilinear"}, {"vividness": 0.3}, {"work_size": 32}], ids=str
)
def test_options_of_the_prediction_go_along(tmp_path, photo, tiny_model, options):
    whole = one_run(photo, tmp_path / "whole.png", tiny_model, refiner="guided", **options)
    join = {"join": options.pop("join")} if "join" in options else {}

    predict_to_folder(photo, tmp_path / "ab", build(model=tiny_model, **options))
    fused = fuse_from_folder(
        photo, tmp_path / "ab", tmp_path / "fused.png", refiner="guided", **join
    )

    assert fused.read_bytes() == whole.read_bytes()


def test_without_refiners_fuse_joins_and_nothing_more(tmp_path, photo, predicted, tiny_model):
    fused = fuse_from_folder(photo, predicted, tmp_path / "plain.png")

    wanted = colorize(photo, model=tiny_model, refiner=())
    np.testing.assert_array_equal(read_picture(fused).pixels, wanted)


def test_colours_mean_what_they_meant_when_they_were_predicted(tmp_path, photo):
    """A model of another white point: its prediction is fused under that one."""
    regressor = RidgeRegressor()
    one = np.ones(1, np.float32)
    weights = {
        name: {"input_mean": 50 * one, "weight": 0 * one, "bias": bias * one}
        for name, bias in (("a", 0.0), ("b", 25.0))
    }
    model = save_model(
        tmp_path / "model",
        colorspace=LabColorspace(LabOptions(illuminant="A")),
        features=NoFeatures(),
        regressor=regressor.with_weights(weights),
        work_size=64,
    )
    predict_to_folder(photo, tmp_path / "ab", build(model=model))

    fused = fuse_from_folder(photo, tmp_path / "ab", tmp_path / "out.png")

    pixels = read_picture(fused).pixels
    np.testing.assert_array_equal(pixels, colorize(photo, model=model))
    under_d65 = rgb_to_lab(pixels / 255.0)[..., 1:].reshape(-1, 2).mean(axis=0)
    assert np.abs(under_d65 - [0, 25]).max() > 1
    with pytest.raises(OptionError, match=r"lab\.illuminant is D50.*made with A"):
        fuse_from_folder(
            photo, tmp_path / "ab", tmp_path / "no.png", settings=["lab.illuminant=D50"]
        )


def test_fuse_refuses_another_colorspace(tmp_path, photo, predicted):
    with pytest.raises(InputError, match="made in colorspace lab, not lab-opencv"):
        fuse_from_folder(photo, predicted, tmp_path / "out.png", colorspace="lab-opencv")
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("other", ["size", "content"])
def test_fuse_refuses_a_prediction_of_another_picture(tmp_path, gray, predicted, other):
    pixels = gray[:-1] if other == "size" else 255 - gray
    (tmp_path / "other").mkdir()
    picture = write_picture(pixels, tmp_path / "other" / "photo.png")

    with pytest.raises(InputError, match="made from another picture"):
        fuse_from_folder(picture, predicted, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_fuse_without_a_prediction_says_how_to_make_one(tmp_path, photo):
    with pytest.raises(InputError, match="no prediction") as caught:
        fuse_from_folder(photo, tmp_path, tmp_path / "out.png")
    assert caught.value.exit_status == 66


def test_a_prediction_says_what_made_it(predicted):
    facts = json.loads((predicted / "photo.json").read_text())

    assert facts["made_by"]["model"] == "tiny"
    assert facts["made_by"]["regressor"]["name"] == "ridge"
    assert facts["size"] == [90, 120]


def test_settings_of_fuse_reach_its_refiners_and_no_others(tmp_path, photo, predicted):
    settings = ["guided.radius=2"]
    fused = fuse_from_folder(
        photo, predicted, tmp_path / "a.png", refiner="guided", settings=settings
    )
    other = fuse_from_folder(photo, predicted, tmp_path / "b.png", refiner="guided")

    assert (read_picture(fused).pixels != read_picture(other).pixels).any()
    with pytest.raises(OptionError, match="not in use"):
        fuse_from_folder(photo, predicted, tmp_path / "c.png", settings=settings)


# Refine.


@pytest.fixture
def colored(tmp_path, photo, tiny_model):
    """Return a picture file in colour."""
    return write_picture(colorize(photo, model=tiny_model), tmp_path / "in" / "colour.png")


@pytest.mark.parametrize("refiner", ["none", "intensity", "guided", "ratio", "seed", "guided,seed"])
def test_refine_keeps_the_lightness_of_a_picture(tmp_path, colored, refiner):
    before = rgb_to_lab(read_picture(colored).pixels / 255.0)

    path = refine_file(colored, tmp_path / "out.png", refiner=refiner)

    after = rgb_to_lab(read_picture(path).pixels / 255.0)
    # Both are rounded to 8 bits, each within 0.26 of its lightness.
    assert np.abs(after[..., 0] - before[..., 0]).max() <= 0.52


def test_refine_by_the_printed_formula_gives_its_colours(tmp_path):
    """One picture of one colour, worked out by hand: X = 2L/(1 + y/x), Y = 2L/(1 - x/y)."""
    lab = np.array([20.0, 6.0, 18.0])
    rgb = np.rint(255 * LabColorspace().to_rgb(lab)).astype(np.uint8)
    picture = write_picture(np.broadcast_to(rgb, (8, 8, 3)), tmp_path / "sky.png")
    lightness, x, y = rgb_to_lab(rgb / 255.0)

    path = refine_file(picture, tmp_path / "out.png", refiner="seed")

    after = rgb_to_lab(read_picture(path).pixels[0, 0] / 255.0)
    formula = 2 * lightness * np.array([1 / (1 + y / x), 1 / (1 - x / y)])
    # The formula leaves sRGB here (a* 10, b* 60 at L* 20): hue is kept, chroma gives way.
    assert np.degrees(np.arctan2(after[2], after[1])) == pytest.approx(
        np.degrees(np.arctan2(formula[1], formula[0])), abs=2
    )
    assert after[0] == pytest.approx(lightness, abs=0.52)
    assert np.hypot(*after[1:]) < np.hypot(*formula)


def test_refining_a_gray_picture_is_refused(tmp_path, photo):
    with pytest.raises(InputError, match="is gray"):
        refine_file(photo, tmp_path / "out.png", refiner="intensity")
    assert not (tmp_path / "out.png").exists()


# Originals.

STEPS = {
    "fuse": lambda picture, output, folder, **o: fuse_from_folder(picture, folder, output, **o),
    "refine": lambda picture, output, folder, **o: refine_file(
        picture, output, refiner="intensity", **o
    ),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("by", ["name", "hard link", "symbolic link"])
def test_no_step_writes_over_its_input(tmp_path, photo, colored, predicted, step, by):
    picture = colored if step == "refine" else photo
    before, times = picture.read_bytes(), picture.stat().st_mtime_ns
    output = picture if by == "name" else tmp_path / "link.png"
    if by == "hard link":
        os.link(picture, output)
    elif by == "symbolic link":
        output.symlink_to(picture)

    with pytest.raises(PictureError) as caught:
        STEPS[step](picture, output, predicted, overwrite="always")

    assert caught.value.kind == "is-input"
    assert caught.value.exit_status == 73
    assert picture.read_bytes() == before
    assert picture.stat().st_mtime_ns == times


@pytest.mark.parametrize("step", STEPS)
def test_no_step_writes_over_anything_unasked(tmp_path, photo, colored, predicted, step):
    output = tmp_path / "there.png"
    output.write_bytes(b"mine")
    picture = colored if step == "refine" else photo

    with pytest.raises(PictureError, match="is there already"):
        STEPS[step](picture, output, predicted)
    assert output.read_bytes() == b"mine"

    STEPS[step](picture, output, predicted, overwrite="always")
    assert read_picture(output).pixels.shape == (90, 120, 3)


def test_inputs_may_be_read_only(tmp_path, photo, predicted):
    photo.chmod(stat.S_IRUSR)

    fuse_from_folder(photo, predicted, tmp_path / "out.png")

    assert stat.S_IMODE(photo.stat().st_mode) == stat.S_IRUSR


def test_a_prediction_that_names_no_colorspace_is_taken_for_lab(tmp_path, photo, predicted):
    facts = json.loads((predicted / "photo.json").read_text())
    wanted = fuse_from_folder(photo, predicted, tmp_path / "wanted.png")
    del facts["made_by"]["colorspace"]
    (predicted / "photo.json").write_text(json.dumps(facts))

    fused = fuse_from_folder(photo, predicted, tmp_path / "fused.png")

    np.testing.assert_array_equal(read_picture(fused).pixels, read_picture(wanted).pixels)

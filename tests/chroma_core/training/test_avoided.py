"""Pictures of an evaluation take no part in training, whatever was done to their copies."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.errors import OptionError, TrainingError
from chroma_core.features.patch import PatchFeatures
from chroma_core.regressors.ridge import RidgeRegressor
from chroma_core.training.avoided import Avoided, avoided_pictures
from chroma_core.training.data import PhotographData
from chroma_core.training.extract import extract
from chroma_core.training.manifest import file_sha256
from chroma_core.training.train import train

pytest.importorskip("pyarrow")

SPLITS = ("train", "validation", "card")


def taken(photographs, folder, **how):
    """Return the report of an extraction."""
    how = {"work_size": 24, "per_image": 6, "workers": 0, **how}
    return extract(photographs, folder, colorspace=LabColorspace(), features=PatchFeatures(), **how)


def left_out(report):
    return {item.picture: item.reason for item in report.skipped if item.kind == "evaluation"}


@pytest.fixture(scope="module")
def photographs(scene, tmp_path_factory):
    """Return a folder of 24 drawn photographs, one cut off; hues change slowly across each."""
    folder = tmp_path_factory.mktemp("photographs")
    for place in range(24):
        height, width = 60 + place, 90
        rows, cols = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        chroma = [20 * np.cos(3 * rows + place), 20 * np.sin(4 * cols - place)]
        lab = np.stack([scene(place, height, width), *chroma], axis=-1)
        rgb = np.clip(LabColorspace().to_rgb(lab), 0, 1)
        where = folder / ("town" if place % 2 else "sea") / f"{place:03d}.png"
        where.parent.mkdir(exist_ok=True)
        Image.fromarray(np.round(rgb * 255).astype(np.uint8)).save(where)
    cut = folder / "sea" / "014.png"
    cut.write_bytes(cut.read_bytes()[:200])
    return folder


@pytest.fixture
def evaluation(photographs, tmp_path):
    """Return a function that puts a copy of town/007.png into a folder of an evaluation."""
    original = Image.open(photographs / "town" / "007.png")

    def put(change, name="held-out.png", **how):
        folder = tmp_path / "evaluation"
        folder.mkdir(exist_ok=True)
        change(original).save(folder / name, **how)
        return folder

    return put


def test_a_file_of_the_evaluation_is_left_out(photographs, tmp_path, caplog):
    planted = photographs / "town" / "007.png"
    report = taken(photographs, tmp_path / "shards", avoid=planted)

    assert left_out(report) == {"town/007.png": "it is 007.png, which is to be avoided"}
    assert "town/007.png gives no samples: it is 007.png, which is to be avoided" in caplog.text


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda picture: picture, {"name": "held-out.jpg", "quality": 60}),
        (lambda picture: picture.resize((173, 112)), {"name": "held-out.jpg", "quality": 80}),
        (lambda picture: picture.convert("L"), {}),
        (ImageOps.mirror, {"name": "held-out.webp", "quality": 70}),
    ],
    ids=["compressed again", "scaled and compressed", "gray", "mirrored"],
)
def test_a_copy_of_a_picture_of_the_evaluation_is_left_out(
    photographs, tmp_path, evaluation, change, how
):
    folder = evaluation(change, **how)
    report = taken(photographs, tmp_path / "shards", avoid=[folder])

    name = how.get("name", "held-out.png")
    assert left_out(report) == {"town/007.png": f"it looks like {name}, which is to be avoided"}
    assert sum(report.pictures.values()) == 22


def test_other_photographs_are_not_taken_for_the_evaluation_s(photographs, tmp_path):
    """Each of twelve against twelve others."""
    report = taken(photographs / "town", tmp_path / "shards", avoid=photographs / "sea")

    assert not left_out(report)


def test_processes_make_no_difference(photographs, tmp_path, evaluation):
    folder = evaluation(lambda picture: picture.resize((100, 70)))
    alone = taken(photographs, tmp_path / "alone", avoid=folder)
    together = taken(photographs, tmp_path / "together", avoid=folder, workers=2)

    assert left_out(alone) == left_out(together) != {}
    assert alone.rows == together.rows


def test_photographs_that_are_read_anew_are_left_out_too(photographs, evaluation, caplog):
    folder = evaluation(lambda picture: picture.resize((100, 70)))
    data = PhotographData(
        photographs, PatchFeatures(), LabColorspace(), 24, per_image=5, avoid=folder
    )
    names = {sample.picture for split in SPLITS for sample in data.samples(split)}

    assert len(names) == 22
    assert data.avoided == 1
    assert "held-out.png" in data.skipped["town/007.png"]
    assert "town/007.png gives no samples: it looks like held-out.png" in caplog.text


def test_a_training_from_photographs_avoids_and_its_card_counts(photographs, tmp_path, evaluation):
    pytest.importorskip("matplotlib")
    folder = evaluation(lambda picture: picture.resize((100, 70)))
    how = {"regressor": RidgeRegressor(), "features": PatchFeatures(), "work_size": 24}
    free = train(photographs, tmp_path / "free", workers=0, **how)
    kept = train(photographs, tmp_path / "kept", workers=0, avoid=folder, **how)

    counts = [model.record["data"]["train pictures"] for model in (free, kept)]
    assert counts[0] - counts[1] == 1


def test_what_shards_were_made_of_cannot_be_avoided_any_more(photographs, tmp_path):
    taken(photographs, tmp_path / "shards")

    with pytest.raises(OptionError, match="cannot be avoided any more"):
        train(tmp_path / "shards", tmp_path / "m", regressor=RidgeRegressor(), avoid=photographs)


def test_shards_with_other_pictures_avoided_are_left_alone(photographs, tmp_path):
    taken(photographs, tmp_path / "shards")

    with pytest.raises(TrainingError, match="or others were avoided"):
        taken(photographs, tmp_path / "shards", avoid=photographs / "town" / "007.png")


def test_a_picture_that_cannot_be_decoded_is_known_by_its_digest_alone(photographs, caplog):
    broken = photographs / "sea" / "014.png"
    avoided = avoided_pictures(broken, LabColorspace())

    assert avoided == Avoided(digests={file_sha256(broken)[0]: "014.png"})
    assert "014.png: only its very copies are avoided" in caplog.text


def test_a_picture_of_one_lightness_is_no_copy_of_another(tmp_path, caplog):
    for name, value in (("one.png", 90), ("other.png", 160)):
        Image.new("RGB", (40, 30), (value, value, 255)).save(tmp_path / name)
    avoided = avoided_pictures(tmp_path / "one.png", LabColorspace())

    avoided.refuse(tmp_path / "other.png", np.full((30, 40), 60.0))
    with pytest.raises(TrainingError, match=r"it is one\.png"):
        avoided.refuse(tmp_path / "one.png", np.full((30, 40), 60.0))
    assert "nothing to tell it by" in caplog.text


@pytest.mark.parametrize("lost", ["GONE", "EMPTY"])
def test_an_evaluation_that_is_not_there_is_refused(photographs, tmp_path, lost):
    """Or a slip of the pen would let all its pictures in."""
    (tmp_path / "EMPTY").mkdir()

    with pytest.raises(TrainingError, match=lost):
        taken(photographs, tmp_path / "shards", avoid=tmp_path / lost)

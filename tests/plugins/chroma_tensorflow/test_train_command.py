"""``chroma train`` of ``tf-dense``: a model comes out that runs, also after an interruption."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from chroma_core.cli.program import run_program
from chroma_core.models import load_model
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture
from chroma_core.training.checkpoint import FolderCheckpoint

pytest.importorskip("tensorflow")
pytest.importorskip("pyarrow")
pytest.importorskip("matplotlib")
pytestmark = pytest.mark.tensorflow

TINY = ("--features", "patch", "--work-size", "24", "--per-image", "40", "--workers", "1")
NET = ("--set", "tf-dense.depth=3", "--set", "tf-dense.units=8")
TWO_EPOCHS = ("--set", "train.epochs=2", "--set", "train.batch=32", "--set", "train.warmup=4")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Return a folder of twelve photographs, numbered from 0: bright is warm, dark is cold."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for number in range(12):
        level = rng.integers(50, 206, (6, 8, 1))
        rgb = level + (level - 128) // 3 * np.array([1, 0, -1])
        large = np.repeat(np.repeat(rgb, 6, 0), 6, 1).astype(np.uint8)
        write_picture(large, folder / f"{number:03}.png")
    return folder


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """Return a function that runs the program and gives its status and what it printed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*words):
        capsys.readouterr()
        status = run_program([str(word) for word in words])
        return status, *capsys.readouterr()

    return run


def tensors(folder):
    """Return all tensors of a model, by file and name."""
    weights = load_model(folder).regressor.weights()
    return {(file, name): array for file in weights for name, array in weights[file].items()}


def test_a_training_interrupted_after_an_epoch_ends_as_if_undisturbed(
    command, photographs, tmp_path, monkeypatch
):
    def train(model, *more):
        return command("train", photographs, "-o", model, *TINY, *NET, *TWO_EPOCHS, *more)

    save = FolderCheckpoint.save
    epochs = []

    def save_and_be_interrupted(self, arrays, facts):
        save(self, arrays, facts)
        epochs.append(facts["epoch"])
        if len(epochs) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    status, _, err = train(whole)
    assert status == 0, err
    with monkeypatch.context() as patched:
        patched.setattr(FolderCheckpoint, "save", save_and_be_interrupted)
        assert train(resumed)[0] == 128 + signal.SIGINT
    # It was not through when it ended, and what it had learnt is kept.
    assert not resumed.exists()
    assert set(epochs) == {1}
    kept = tmp_path / "resumed.training" / "checkpoint"
    assert list(kept.glob("state-*.safetensors"))

    status, _, err = train(resumed, "--resume")

    assert status == 0, err
    wanted = tensors(whole)
    found = tensors(resumed)
    assert found.keys() == wanted.keys()
    for key, tensor in wanted.items():
        # The same steps on the same batches; threads may sum in another order.
        np.testing.assert_allclose(found[key], tensor, rtol=0, atol=1e-6, err_msg=str(key))
    history = (resumed / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history] == ["epoch", "1", "2"]
    assert not kept.exists()


def test_a_shared_net_is_trained_run_and_measured_by_command(command, photographs, tmp_path):
    model = tmp_path / "shared"
    shared = ("--set", "tf-dense.shared=true")
    trained = command("train", photographs, "-o", model, *TINY, *NET, *TWO_EPOCHS, *shared)
    assert trained[0] == 0, trained[2]

    assert sorted(path.name for path in model.glob("*.safetensors")) == ["ab.safetensors"]
    assert load_model(model).regressor.options.shared
    pixels = {}
    for regressor in ("tf-dense", "dense"):
        out = tmp_path / f"{regressor}.png"
        named = ("--model", model, "--regressor", regressor)
        status, _, err = command("run", photographs / "003.png", "-o", out, *named)
        assert status == 0, err
        assert f"patch > {regressor} > intensity" in err
        pixels[regressor] = read_picture(out).pixels.astype(int)
        assert command("evaluate", photographs, *named)[0] == 0
    assert np.ptp(pixels["dense"], axis=-1).max() > 0
    # Both compute in float32; a value on the edge between two levels may fall either way.
    assert np.abs(pixels["dense"] - pixels["tf-dense"]).max() <= 1


def test_photographs_of_which_none_validates_are_refused_in_one_line(
    command, photographs, tmp_path
):
    few = tmp_path / "few"
    few.mkdir()
    for number in (2, 3, 4):
        (few / f"{number}.png").write_bytes((photographs / f"{number:03}.png").read_bytes())
    arguments = ("train", few, "-o", tmp_path / "model", *TINY, *NET, *TWO_EPOCHS)

    status, out, err = command(*arguments)

    assert (status, out, err.count("\n")) == (65, "", 1)
    assert "there are no validation pictures among 3" in err
    assert "give 10 photographs, numbered in a row, or name one 0001.jpg" in err
    assert not (tmp_path / "model").exists()
    # The advice is good: with a picture of that name the same command trains.
    (few / "0001.png").write_bytes((photographs / "001.png").read_bytes())
    assert command(*arguments[:3], tmp_path / "other", *arguments[4:])[0] == 0


def test_validation_pictures_of_one_colour_say_so(command, photographs, tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    for number in (1, 2, 3):
        flat = np.full((36, 48, 3), (90, 60, 30), np.uint8)
        write_picture(flat, folder / f"{number}.png")

    status, _, err = command("train", folder, "-o", tmp_path / "m", *TINY, *NET, *TWO_EPOCHS)

    assert (status, err.count("\n")) == (65, 1)
    assert "the validation pictures have no colour to measure by" in err

"""Extraction and training are killed at any moment, and end as if nobody had disturbed them."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal

import numpy as np
import pytest
from safetensors import safe_open

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.features.patch import PatchFeatures
from chroma_core.models import load_model
from chroma_core.training.extract import extract
from chroma_core.training.manifest import MANIFEST, Manifest
from tests.killing import FEW, MOMENTS, Forks, Moment, alive, moments, side_by_side

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Extraction.

SHARDS_OF_THREE = {"chroma_core.training.extract:extract.__kwdefaults__": {"shard_pictures": 3}}


def extraction(photographs, folder, workers=1):
    how = ("--features", "patch", "--work-size", "24", "--per-image", "6", "--quiet")
    return ("extract", photographs, "-o", folder, *how, "--workers", str(workers))


def extracting():
    return Forks("chroma_core.cli.program", "chroma_core.training.extract", "pyarrow.parquet")


@pytest.mark.parametrize("count", [FEW, pytest.param(MOMENTS, marks=pytest.mark.slow)])
def test_a_killed_extraction_ends_in_the_same_bytes(photographs, tmp_path, count):
    with extracting() as one, extracting() as other:
        whole = one.run(
            *extraction(photographs, tmp_path / "whole"), below=tmp_path, values=SHARDS_OF_THREE
        )
        assert whole.status == 0, whole.said
        wanted = contents(tmp_path / "whole")

        def trial(forks, moment, own):
            command = extraction(photographs, own / "shards", workers=1 + len(own.name) % 2)
            killed = forks.run(*command, below=own, until=moment, values=SHARDS_OF_THREE)
            # One that was done before its time came is an undisturbed one.
            assert killed.status in (0, -signal.SIGKILL), killed.said
            if (own / "shards" / MANIFEST).exists():
                Manifest.load(own / "shards")
            assert alive(killed.session) == []
            again = forks.run(*command, below=own, values=SHARDS_OF_THREE)
            assert again.status == 0, again.said
            assert contents(own / "shards") == wanted
            assert [path.name for path in own.iterdir()] == ["shards"]

        assert len(Manifest.load(tmp_path / "whole").shards) == 8
        side_by_side(trial, moments(whole, count, seed=1), tmp_path, (one, other))


# Training.

SMALL_STEPS = {
    "chroma_tensorflow.trainer:CHUNK_ROWS": 128,
    "chroma_tensorflow.trainer:SAVE_SECONDS": 0.0,
}
"""So that there are five states within each epoch."""


@pytest.fixture(scope="module")
def shards(photographs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    extract(
        photographs,
        folder,
        colorspace=LabColorspace(),
        features=PatchFeatures(),
        work_size=24,
        per_image=30,
        workers=0,
        validation="mod5",
    )
    return folder


def training(shards, folder, *more):
    options = ("tf-dense.depth=3", "tf-dense.units=16", "train.epochs=4", "train.batch=32")
    options += ("train.threads=1", "train.dropout=0.1", "train.warmup=10")
    settings = [word for option in options for word in ("--set", option)]
    return ("train", shards, "-o", folder, "--regressor", "tf-dense", *settings, *more)


@pytest.fixture(scope="module")
def trainings():
    """Return two processes that have TensorFlow already, on one thread and deterministic."""
    pytest.importorskip("tensorflow")
    pytest.importorskip("matplotlib")
    modules = ("tensorflow", "chroma_tensorflow.trainer", "chroma_core.cli.program")
    modules += ("chroma_core.training.request", "matplotlib.figure", "pyarrow.parquet")
    quiet = {"TF_DETERMINISTIC_OPS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    quiet["TF_ENABLE_ONEDNN_OPTS"] = "0"
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Forks(*modules, environment=quiet)) for _ in range(2)]


def history(folder):
    """Return what a history says, but for the time that it took."""
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {n: v for n, v in row.items() if "seconds" not in n and "second" not in n} for row in rows
    ]


def assert_same_model(found, wanted):
    assert {path.name for path in found.iterdir()} == {path.name for path in wanted.iterdir()}
    assert history(found) == history(wanted)
    one, other = (
        load_model(folder, regressor="dense").regressor.weights() for folder in (found, wanted)
    )
    for file, tensors in other.items():
        for name, tensor in tensors.items():
            # One thread and deterministic operations: nothing but the order of steps could differ.
            np.testing.assert_allclose(one[file][name], tensor, rtol=0, atol=1e-6, err_msg=name)


@pytest.fixture(scope="module")
def undisturbed(trainings, shards, tmp_path_factory):
    """Return a model that nobody disturbed, and how its training went."""
    folder = tmp_path_factory.mktemp("undisturbed")
    whole = trainings[0].run(*training(shards, folder / "model"), below=folder, values=SMALL_STEPS)
    assert whole.status == 0, whole.said
    assert os.listdir(folder) == ["model"]
    return folder / "model", whole


@pytest.mark.tensorflow
@pytest.mark.parametrize("count", [FEW, pytest.param(MOMENTS, marks=pytest.mark.slow)])
def test_a_killed_training_ends_in_the_same_weights(
    trainings, shards, undisturbed, tmp_path, count
):
    model, whole = undisturbed

    def trial(mine, moment, own):
        command = training(shards, own / "model")
        killed = mine.run(*command, below=own, until=moment, values=SMALL_STEPS)
        assert killed.status in (0, -signal.SIGKILL), killed.said
        if (own / "model").exists():
            assert_same_model(own / "model", model)
        assert alive(killed.session) == []
        again = mine.run(*command, "--resume", below=own, values=SMALL_STEPS)
        assert again.status == 0, again.said
        assert_same_model(own / "model", model)
        assert os.listdir(own) == ["model"]

    side_by_side(trial, moments(whole, count, seed=2), tmp_path, trainings)


@pytest.mark.tensorflow
def test_a_training_that_is_told_to_stop_keeps_what_it_learnt(
    trainings, shards, undisturbed, tmp_path
):
    """Told while it saves its second epoch; without saving within an epoch on its own."""
    by = signal.SIGTERM
    chunks = {name: value for name, value in SMALL_STEPS.items() if "CHUNK" in name}
    command = training(shards, tmp_path / "model")
    stopped = trainings[0].run(
        *command, below=tmp_path, until=Moment(change=6), by=by, values=chunks
    )

    assert stopped.status == 128 + by
    (line,) = stopped.said.splitlines()
    assert line.startswith(
        f"chroma: error: {tmp_path / 'model'}: training was stopped by {by.name}"
    )
    assert "--resume" in line
    states = sorted((tmp_path / "model.training" / "checkpoint").iterdir())
    with safe_open(states[-1], framework="numpy") as file:
        facts = json.loads(file.metadata()["chroma"])["facts"]
    assert facts["epoch"] >= 1
    # The chunk that was being worked on is done, and no more.
    assert facts["tally"]["chunks"] == 1
    resumed = trainings[0].run(*command, "--resume", below=tmp_path, values=chunks)
    assert resumed.status == 0, resumed.said
    assert_same_model(tmp_path / "model", undisturbed[0])
    assert os.listdir(tmp_path) == ["model"]

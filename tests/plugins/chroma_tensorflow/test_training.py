"""Training ``tf-dense``: it learns, stops where it must, and goes on as if never interrupted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from chroma_tensorflow.dense import TFDenseRegressor
from chroma_tensorflow.train_options import DenseTrainOptions

from chroma_core.errors import OptionError, TrainingError
from chroma_core.options import NoOptions
from chroma_core.regressors.dense_net import DenseOptions
from chroma_core.stages import Grid, Samples
from chroma_core.training.checkpoint import FolderCheckpoint, NoCheckpoint

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

SMALL = DenseOptions(depth=3, units=16)


class MadeUp:
    """Pictures of random features whose chroma follows from them by a law and some noise.

    Parameters
    ----------
    noise : float
        Standard deviation of what cannot be learnt, in LAB units; the law's is 10.
    spoilt : int
        Training picture that holds one NaN, or -1.
    """

    width = 5
    rereadable = True

    def __init__(self, *, noise: float = 1.0, spoilt: int = -1, card: int = 0) -> None:
        self.noise, self.spoilt = noise, spoilt
        self.counts = {"train": 30, "validation": 6, "card": card}

    def pictures(self, split: str) -> int:
        return self.counts[split]

    def rows(self, split: str) -> int:
        return 100 * self.counts[split]

    def samples(self, split: str, order=None) -> Iterator[Samples]:
        for index in range(self.counts[split]) if order is None else order:
            rng = np.random.default_rng([sorted(self.counts).index(split), int(index)])
            features = rng.uniform(0, 255, (100, self.width)).astype(np.float32)
            lightness = rng.uniform(0, 100, 100).astype(np.float32)
            law = np.stack([np.sin(features[:, 0] / 50), np.cos(lightness / 30)], axis=1)
            chroma = 14 * law + rng.normal(3, self.noise, (100, 2))
            if split == "train" and index == self.spoilt:
                features[17, 2] = np.nan
            yield Samples(
                picture=f"{split}-{index}",
                features=features,
                lightness=lightness,
                chroma=chroma.astype(np.float32),
                positions=np.zeros((100, 2), dtype=np.float32),
            )


def silent(done, total, facts) -> None:
    """Report nothing."""


def train(options: DenseTrainOptions, data=None, *, shape=SMALL, checkpoint=None, progress=silent):
    return TFDenseRegressor(shape).train(
        data or MadeUp(), options, progress, checkpoint or NoCheckpoint()
    )


QUICK = DenseTrainOptions(epochs=4, batch=50, learning_rate=1e-2, warmup=20, patience=9)


def test_both_nets_learn_a_law():
    report = train(QUICK, MadeUp(card=4))

    # The law is 0.98 of a* and b*'s variance or more; four epochs of 60 steps get most of it.
    assert report.facts["error_validation_a"] < 0.3
    assert report.facts["error_validation_b"] < 0.3
    assert report.facts["error_card_a"] == pytest.approx(
        report.facts["error_validation_a"], abs=0.1
    )
    assert [entry["epoch"] for entry in report.history] == [1, 2, 3, 4]
    assert all(entry["rows"] == 3000 for entry in report.history)


def test_trained_stage_predicts_what_was_measured():
    """The error in the report is the error of the stage that comes back."""
    data = MadeUp()
    report = train(QUICK, data)
    mean = np.concatenate([sample.chroma for sample in data.samples("train")]).mean(axis=0)

    gaps, spreads = np.zeros(2), np.zeros(2)
    for sample in data.samples("validation"):
        chroma = report.regressor.predict(
            sample.features[np.newaxis], sample.lightness[np.newaxis], Grid(rows=1, cols=100)
        ).chroma[0]
        gaps += np.square(chroma - sample.chroma).sum(axis=0)
        spreads += np.square(sample.chroma - mean).sum(axis=0)

    measured = [report.facts["error_validation_a"], report.facts["error_validation_b"]]
    np.testing.assert_allclose(gaps / spreads, measured, rtol=1e-4)


def test_a_shared_net_learns_both():
    shape = DenseOptions(depth=3, units=16, shared=True)

    report = train(QUICK, shape=shape)

    assert list(report.regressor.weights()) == ["ab"]
    assert report.facts["error_validation_ab"] < 0.3


@pytest.mark.parametrize(
    "extra",
    [{"dropout": 0.2}, {"noise": 0.3}, {"weight_decay": 0.1}, {"precision": "bfloat16"}],
    ids=str,
)
def test_each_regulariser_and_precision_changes_the_weights_and_still_learns(extra):
    plain = train(QUICK).regressor.weights()["a"]["layer_02.weight"]

    report = train(DenseTrainOptions(**{**QUICK.__dict__, **extra}))

    assert np.abs(report.regressor.weights()["a"]["layer_02.weight"] - plain).max() > 1e-3
    assert report.facts["error_validation_a"] < 0.7


def test_the_best_epoch_of_each_net_is_kept_and_patience_ends_the_training():
    """Pure noise cannot be learnt, so that the validation error soon rises."""
    options = DenseTrainOptions(epochs=40, batch=50, learning_rate=3e-2, warmup=0, patience=2)

    report = train(options, MadeUp(noise=500))

    assert report.facts["epochs"] < 40
    for net in ("a", "b"):
        errors = [e[f"error_{net}"] for e in report.history if f"error_{net}" in e]
        assert report.facts[f"error_validation_{net}"] == min(errors)
        assert report.facts[f"best_epoch_{net}"] == 1 + int(np.argmin(errors))
        # A net rests two epochs after its best, whether the other goes on or not.
        assert len(errors) == report.facts[f"best_epoch_{net}"] + 2


class Interrupted(FolderCheckpoint):
    """Saves, and then is interrupted after some epochs."""

    def __init__(self, folder, epochs: int) -> None:
        super().__init__(folder)
        self.epochs = epochs

    def save(self, arrays, facts) -> None:
        super().save(arrays, facts)
        if facts["epoch"] == self.epochs:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epochs", [1, 3])
def test_resumed_training_gives_the_weights_of_an_uninterrupted_one(tmp_path, epochs):
    options = DenseTrainOptions(**{**QUICK.__dict__, "dropout": 0.1, "noise": 0.1})
    whole = train(options)

    with pytest.raises(KeyboardInterrupt):
        train(options, checkpoint=Interrupted(tmp_path, epochs))
    resumed = train(options, checkpoint=FolderCheckpoint(tmp_path))

    assert [e["epoch"] for e in resumed.history] == [e["epoch"] for e in whole.history]
    for file, tensors in whole.regressor.weights().items():
        for name, tensor in tensors.items():
            # The same steps on the same batches; threads may sum in another order.
            np.testing.assert_allclose(
                resumed.regressor.weights()[file][name], tensor, rtol=0, atol=1e-6, err_msg=name
            )


CHUNKS = 9
"""Of 3000 training rows six, of 600 validating three, where a chunk has 500 and 200 rows."""


@pytest.mark.parametrize("at", [1, 5, 6, 8, 9, 15, 4 * CHUNKS - 1])
def test_a_training_stopped_within_an_epoch_goes_on_from_there(tmp_path, monkeypatch, at):
    """Between two chunks, before and within validation, and at the last report of all."""
    monkeypatch.setattr("chroma_tensorflow.trainer.CHUNK_ROWS", 500)
    monkeypatch.setattr("chroma_tensorflow.feed.CHUNK_ROWS", 200)
    options = DenseTrainOptions(**{**QUICK.__dict__, "dropout": 0.1, "noise": 0.1})
    seen = []
    whole = train(options, progress=lambda *told: seen.append(told))
    assert len(seen) == 4 * CHUNKS
    told = []

    def stopping(done, total, facts):
        told.append(done)
        if len(told) == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(options, checkpoint=FolderCheckpoint(tmp_path), progress=stopping)
    facts = FolderCheckpoint(tmp_path).load()[1]
    # In an epoch's last report all is done but to take note of its errors.
    assert facts["epoch"] * 6 + facts["tally"]["chunks"] == len(set(told))
    rest = []
    resumed = train(
        options, checkpoint=FolderCheckpoint(tmp_path), progress=lambda *told: rest.append(told[0])
    )

    assert [d for d in rest if d > told[-1]] == [d for d, _, _ in seen if d > told[-1]]
    assert min(rest) >= told[-1]
    for one, other in zip(resumed.history, whole.history, strict=True):
        assert {k: v for k, v in one.items() if "second" not in k} == pytest.approx(
            {k: v for k, v in other.items() if "second" not in k}, rel=1e-5
        )
    for file, tensors in whole.regressor.weights().items():
        for name, tensor in tensors.items():
            # The same steps on the same batches; threads may sum in another order.
            np.testing.assert_allclose(
                resumed.regressor.weights()[file][name], tensor, rtol=0, atol=1e-6, err_msg=name
            )


def test_a_long_epoch_is_saved_within(tmp_path, monkeypatch):
    monkeypatch.setattr("chroma_tensorflow.trainer.CHUNK_ROWS", 500)
    monkeypatch.setattr("chroma_tensorflow.trainer.SAVE_SECONDS", 0.0)
    chunks = []

    class Watched(FolderCheckpoint):
        def save(self, arrays, facts):
            super().save(arrays, facts)
            chunks.append((facts["epoch"], facts["tally"]["chunks"]))

    train(DenseTrainOptions(epochs=2, batch=50), checkpoint=Watched(tmp_path))

    within = [(0, chunk) for chunk in range(1, 7)]
    # Six chunks of training, one of validation, and the end of the epoch.
    assert chunks == [
        *within,
        (0, 6),
        (1, 0),
        *((1, chunk) for _, chunk in within),
        (1, 6),
        (2, 0),
    ]


def test_a_checkpoint_of_version_0_1_is_taken_up(tmp_path):
    whole = train(QUICK)
    with pytest.raises(KeyboardInterrupt):
        train(QUICK, checkpoint=Interrupted(tmp_path, 2))
    arrays, facts = FolderCheckpoint(tmp_path).load()
    FolderCheckpoint(tmp_path).save(arrays, {k: v for k, v in facts.items() if k != "tally"})

    resumed = train(QUICK, checkpoint=FolderCheckpoint(tmp_path))

    assert [e["epoch"] for e in resumed.history] == [e["epoch"] for e in whole.history]
    for name, tensor in whole.regressor.weights()["a"].items():
        np.testing.assert_allclose(
            resumed.regressor.weights()["a"][name], tensor, rtol=0, atol=1e-6
        )


def test_another_seed_gives_another_net():
    one = DenseTrainOptions(epochs=1, batch=50)
    two = DenseTrainOptions(epochs=1, batch=50, seed=1)

    weights = [train(o).regressor.weights()["a"]["layer_02.weight"] for o in (one, two)]

    assert np.abs(weights[0] - weights[1]).max() > 0.1


def test_a_training_that_finished_is_not_begun_again(tmp_path):
    first = train(QUICK, checkpoint=FolderCheckpoint(tmp_path))

    again = train(QUICK, checkpoint=FolderCheckpoint(tmp_path))

    assert again.history == first.history
    for name, tensor in first.regressor.weights()["b"].items():
        np.testing.assert_array_equal(again.regressor.weights()["b"][name], tensor)


def test_nan_in_the_data_stops_with_epoch_and_step():
    with pytest.raises(
        TrainingError, match=r"net a \(nan\), b \(nan\) has diverged in epoch 1, step \d+"
    ):
        train(DenseTrainOptions(epochs=2, batch=50, scale="divide512"), MadeUp(spoilt=4))


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_a_rate_of_1e9_stops_and_leaves_the_last_checkpoint(tmp_path, activation):
    train(DenseTrainOptions(epochs=1, batch=50), checkpoint=FolderCheckpoint(tmp_path))
    good = FolderCheckpoint(tmp_path).load()

    with pytest.raises(TrainingError, match=r"has diverged in epoch 1, step \d+"):
        train(
            DenseTrainOptions(epochs=9, batch=50, learning_rate=1e9, warmup=0),
            shape=DenseOptions(depth=3, units=16, activation=activation),
            checkpoint=FolderCheckpoint(tmp_path, resume=False),
        )

    kept = FolderCheckpoint(tmp_path).load()
    assert kept[1] == good[1]
    for name, array in good[0].items():
        np.testing.assert_array_equal(kept[0][name], array)


def test_progress_ends_where_it_said_it_would():
    seen = []

    train(QUICK, progress=lambda done, total, facts: seen.append((done, total, dict(facts))))

    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert seen[-1][0] == seen[-1][1] == 4 * 3000
    assert set(seen[0][2]) == {"epoch", "loss", "rows/s", "time left"}
    assert seen[-1][2]["epoch"] == "4/4"
    assert {"best a", "best b"} <= set(seen[-1][2])


def test_tensorboard_log_holds_each_epoch(tmp_path):
    from tensorflow.compat.v1.train import summary_iterator

    train(DenseTrainOptions(epochs=2, batch=50, log_dir=str(tmp_path)))

    (path,) = tmp_path.iterdir()
    tags = [
        (event.step, value.tag)
        for event in summary_iterator(str(path))
        for value in event.summary.value
    ]
    assert {(1, "loss_a"), (1, "error_b"), (2, "loss_a"), (2, "rows_per_second")} <= set(tags)


def test_no_validation_pictures_are_refused_by_name():
    data = MadeUp()
    data.counts["validation"] = 0

    with pytest.raises(TrainingError, match="validation"):
        train(QUICK, data)


def test_other_options_than_its_own_are_refused():
    with pytest.raises(OptionError, match="DenseTrainOptions"):
        train(NoOptions())


@pytest.fixture(scope="module")
def photographs():
    pytest.importorskip("cv2")
    pytest.importorskip("skimage")
    from training.starts_curves import FourPhotographs

    return FourPhotographs()


@pytest.mark.slow
@pytest.mark.opencv
@pytest.mark.parametrize("seed", [0])
def test_image_start_trains_in_one_epoch_where_glorot_starves(photographs, seed):
    """Seed formulas 4.4, robust test: 0.77 to 0.85 against 0.995 to 1.026 were seen there."""
    shape = DenseOptions(lightness=False)

    image = train(DenseTrainOptions(epochs=1, warmup=200, seed=seed), photographs, shape=shape)
    glorot = train(
        DenseTrainOptions(
            epochs=5, warmup=200, patience=5, start="glorot", scale="divide512", seed=seed
        ),
        photographs,
        shape=shape,
    )

    for net in ("a", "b"):
        assert image.history[0][f"error_{net}"] <= 0.90
        assert min(entry[f"error_{net}"] for entry in glorot.history) >= 0.98


def test_without_validation_pictures_nothing_is_trained(tmp_path):
    data = MadeUp(card=2)
    data.counts["validation"] = 0

    with pytest.raises(TrainingError, match="there are no validation pictures among 32"):
        train(QUICK, data, checkpoint=FolderCheckpoint(tmp_path))
    assert FolderCheckpoint(tmp_path).load() is None


def test_validation_pictures_that_cannot_be_used_are_not_taken_for_gray_ones():
    class Unusable(MadeUp):
        def samples(self, split, order=None):
            return iter(()) if split == "validation" else super().samples(split, order)

    with pytest.raises(TrainingError, match="none of the 6 validation pictures gives samples"):
        train(QUICK, Unusable())

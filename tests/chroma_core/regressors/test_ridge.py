"""Ridge regression: its closed form, its pass over the data, its weights."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import ModelError, ModelMismatch, OptionError, TrainingError
from chroma_core.options import NoOptions
from chroma_core.regressors.ridge import RidgeOptions, RidgeRegressor, RidgeTrainOptions
from chroma_core.stages import Grid, Samples
from chroma_core.testing import check_stage
from chroma_core.training.checkpoint import NoCheckpoint


class Pictures:
    """Training data in memory: the same nodes, cut into pictures of the given sizes."""

    def __init__(self, features, lightness, chroma, sizes):
        edges = np.concatenate([[0], np.cumsum(sizes)])
        self.parts = [
            Samples(
                picture=str(start),
                features=features[start:stop],
                lightness=lightness[start:stop],
                chroma=chroma[start:stop],
                positions=np.zeros((stop - start, 2), np.float32),
            )
            for start, stop in itertools.pairwise(edges)
        ]
        self.width = features.shape[1]

    def pictures(self, split):
        return len(self.parts)

    def rows(self, split):
        return sum(len(part.lightness) for part in self.parts)

    def samples(self, split, order=None):
        assert split == "train"
        yield from self.parts


def some_rows(count, width, seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(40, 15, (count, width)).astype(np.float32)
    lightness = rng.uniform(0, 100, count).astype(np.float32)
    mix = rng.normal(0, 0.1, (width, 2))
    chroma = features @ mix + rng.normal(0, 5, (count, 2)) + 0.05 * lightness[:, np.newaxis]
    return features, lightness, chroma.astype(np.float32)


def trained(data, *, lightness=True, alpha=1e-3):
    stage = RidgeRegressor(RidgeOptions(lightness=lightness))
    report = stage.train(
        data, RidgeTrainOptions(alpha=alpha), lambda done, total, facts: None, NoCheckpoint()
    )
    return report.regressor, report


def answer(stage, features, lightness):
    grid = Grid(rows=1, cols=len(features))
    return stage.predict(features[np.newaxis], lightness[np.newaxis], grid).chroma[0]


def reference(inputs, chroma, alpha):
    """Least squares by SVD on standardised inputs with sqrt(n alpha) I below: another route."""
    inputs, chroma = inputs.astype(np.float64), chroma.astype(np.float64)
    mean, sd = inputs.mean(axis=0), inputs.std(axis=0)
    target_mean, target_sd = chroma.mean(axis=0), chroma.std(axis=0)
    above = (inputs - mean) / sd
    below = np.sqrt(len(inputs) * alpha) * np.eye(inputs.shape[1])
    targets = np.concatenate([(chroma - target_mean) / target_sd, np.zeros((len(below), 2))])
    weights = np.linalg.lstsq(np.concatenate([above, below]), targets, rcond=None)[0]
    return above @ weights * target_sd + target_mean


@pytest.fixture(scope="module")
def stage():
    features, lightness, chroma = some_rows(300, 6, 1)
    return trained(Pictures(features, lightness, chroma, [300]))[0]


def test_law_contract(stage):
    check_stage(stage)


@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=6),
    width=st.integers(0, 5),
    alpha=st.sampled_from([1e-4, 1e-2, 1.0]),
    seed=st.integers(0, 10**6),
)
def test_law_equals_least_squares_of_the_augmented_rows(sizes, width, alpha, seed):
    count = sum(sizes) + 10
    features, lightness, chroma = some_rows(count, width, seed)
    found, _ = trained(Pictures(features, lightness, chroma, [*sizes, 10]), alpha=alpha)

    wanted = reference(np.column_stack([features, lightness]), chroma, alpha)
    # Weights and products are float32 (6e-8) over terms of up to about 100 LAB units.
    np.testing.assert_allclose(answer(found, features, lightness), wanted, atol=5e-4)


@given(cut=st.integers(1, 299), seed=st.integers(0, 1000))
def test_law_does_not_depend_on_how_rows_are_cut_into_pictures(cut, seed):
    features, lightness, chroma = some_rows(300, 3, seed)
    whole, _ = trained(Pictures(features, lightness, chroma, [300]))
    parts, _ = trained(Pictures(features, lightness, chroma, [cut, 300 - cut]))

    for target in "ab":
        # Sums in another order, then rounding to float32.
        np.testing.assert_allclose(
            parts.weights()[target]["weight"], whole.weights()[target]["weight"], rtol=1e-5
        )


def test_blocks_are_joined_without_loss_when_the_mean_is_large(monkeypatch):
    monkeypatch.setattr("chroma_core.regressors.ridge.BLOCK_ROWS", 16)
    features, lightness, chroma = some_rows(400, 2, 5)
    features += 4096
    found, _ = trained(Pictures(features, lightness, chroma, [100, 200, 100]), alpha=1e-4)

    wanted = reference(np.column_stack([features, lightness]), chroma, 1e-4)
    np.testing.assert_allclose(answer(found, features, lightness), wanted, atol=5e-4)


def test_an_exact_line_is_found_when_weights_cost_nothing():
    features, lightness, _ = some_rows(200, 2, 2)
    chroma = np.column_stack([features[:, 0] - 3, 0.5 * lightness]).astype(np.float32)
    found, report = trained(Pictures(features, lightness, chroma, [200]), alpha=0.0)

    np.testing.assert_allclose(answer(found, features, lightness), chroma, atol=1e-3)
    assert report.history[0]["loss_a"] < 1e-9


def test_a_column_that_never_changes_gets_no_weight():
    features, lightness, chroma = some_rows(200, 2, 3)
    features[:, 1] = 0.1
    for alpha in (0.0, 1e-3):
        found, _ = trained(Pictures(features, lightness, chroma, [200]), alpha=alpha)

        assert found.weights()["a"]["weight"][1] == 0


def test_history_tells_error_over_variance_of_the_training_rows():
    features, lightness, chroma = some_rows(500, 4, 4)
    found, report = trained(Pictures(features, lightness, chroma, [500]))

    error = np.square(answer(found, features, lightness) - chroma).mean(axis=0)
    ratio = error / chroma.var(axis=0)
    # The closed form is in float64; chroma and prediction here are float32.
    assert report.history[0]["loss_a"] == pytest.approx(ratio[0], rel=1e-4)
    assert report.history[0]["loss_b"] == pytest.approx(ratio[1], rel=1e-4)


def test_without_lightness_it_is_not_an_input():
    features, lightness, chroma = some_rows(100, 3, 6)
    found, _ = trained(Pictures(features, lightness, chroma, [100]), lightness=False)

    first = answer(found, features, lightness)
    np.testing.assert_array_equal(answer(found, features, 100 - lightness), first)
    assert found.weights()["a"]["weight"].shape == (3,)


def test_training_does_not_change_the_stage_that_was_asked():
    features, lightness, chroma = some_rows(50, 2, 7)
    stage = RidgeRegressor()
    trained_stage = stage.train(
        Pictures(features, lightness, chroma, [50]),
        RidgeTrainOptions(),
        lambda done, total, facts: None,
        NoCheckpoint(),
    ).regressor

    assert stage.weights() == {}
    assert trained_stage is not stage


def test_without_weights_it_cannot_predict():
    with pytest.raises(ModelError, match="no weights"):
        answer(RidgeRegressor(), np.zeros((2, 3), np.float32), np.zeros(2, np.float32))


def test_features_of_another_width_are_refused(stage):
    with pytest.raises(ModelMismatch, match="have 5 numbers a node, this model wants 6"):
        answer(stage, np.zeros((2, 5), np.float32), np.zeros(2, np.float32))


def test_nan_in_the_data_stops_the_training():
    features, lightness, chroma = some_rows(50, 2, 8)
    features[20, 1] = np.nan

    with pytest.raises(TrainingError, match="NaN"):
        trained(Pictures(features, lightness, chroma, [50]))


def test_no_rows_are_refused():
    features, lightness, chroma = some_rows(0, 2, 9)

    with pytest.raises(TrainingError, match="no training rows"):
        trained(Pictures(features, lightness, chroma, []))


def test_options_of_another_training_are_refused():
    features, lightness, chroma = some_rows(9, 2, 9)

    with pytest.raises(OptionError, match="wanted RidgeTrainOptions"):
        RidgeRegressor().train(
            Pictures(features, lightness, chroma, [9]), NoOptions(), print, NoCheckpoint()
        )

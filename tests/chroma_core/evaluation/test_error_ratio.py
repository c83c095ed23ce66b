"""Error over variance: 0 is perfect, 1 is the constant."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import InputError
from chroma_core.evaluation.error_ratio import ChromaErrorRatio, error_over_variance

TRUTH = np.random.default_rng(5).normal((1.2, 6.1), (11.5, 16.6), size=(3, 40, 2))


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_law_a_constant_gets_one_plus_its_distance_from_the_mean(a, b):
    constant = np.broadcast_to([a, b], TRUTH.shape)
    mean, variance = TRUTH.mean(axis=(0, 1)), TRUTH.var(axis=(0, 1))

    # MSE of a constant c is variance + (c − mean)².
    by_hand = 1 + (np.array([a, b]) - mean) ** 2 / variance
    assert error_over_variance(constant, TRUTH)[:2] == pytest.approx(by_hand, rel=1e-12)


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_law_the_constant_that_is_compared_with_gets_one(a, b):
    constant = np.broadcast_to([a, b], TRUTH.shape)
    ratio = error_over_variance(constant, TRUTH, mean_ab=(a, b))

    assert ratio == pytest.approx((1, 1, 1), rel=1e-12)


@given(st.floats(0, 1))
def test_law_shrinking_the_truth_towards_its_mean_leaves_the_square(share):
    mean = TRUTH.mean(axis=(0, 1))
    ratio = error_over_variance(mean + share * (TRUTH - mean), TRUTH)

    assert ratio == pytest.approx(((1 - share) ** 2,) * 3, abs=1e-12)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4))
def test_law_sums_do_not_depend_on_how_the_rows_are_cut(cuts):
    predicted = TRUTH[0] * 0.5 + 1
    whole = error_over_variance(predicted, TRUTH[0])
    parts = ChromaErrorRatio()
    for rows, true_rows in zip(
        np.split(predicted, sorted(cuts)), np.split(TRUTH[0], sorted(cuts)), strict=True
    ):
        parts.add(rows, true_rows)

    assert parts.count == 40
    assert parts.result() == pytest.approx(whole, rel=1e-12)


def test_both_channels_count_by_their_spread():
    truth = np.array([[1.0, 10.0], [-1.0, -10.0]])
    predicted = np.array([[0.0, 10.0], [0.0, -10.0]])

    # a* is lost altogether, b* is perfect: 2 of 2 + 200 squares are error.
    assert error_over_variance(predicted, truth) == pytest.approx((1, 0, 2 / 202))


def test_a_large_mean_costs_no_digits():
    truth = np.random.default_rng(1).normal(0, 1e-3, size=(1000, 2))
    expected = error_over_variance(truth / 2, truth)

    # 1e-10 of the constant's digits are left to a spread of 1e-3.
    assert error_over_variance(truth / 2 + 1e5, truth + 1e5) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("predicted", "truth", "why"),
    [
        (np.zeros((3, 2)), np.zeros((4, 2)), "wanted one shape"),
        (np.zeros((3, 3)), np.zeros((3, 3)), r"predicted_ab has shape \(3, 3\)"),
        (np.zeros((3, 2)), np.full((3, 2), np.nan), "true_ab holds 6 values"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "no chroma was added"),
        (np.zeros((3, 2)), np.full((3, 2), 0.1), "does not vary"),
    ],
    ids=["shapes differ", "three channels", "nan", "nothing", "constant truth"],
)
def test_what_has_no_ratio_is_refused(predicted, truth, why):
    with pytest.raises(InputError, match=why):
        error_over_variance(predicted, truth)

"""The paired bootstrap: known cases, its symmetries, and its edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import InputError
from chroma_core.evaluation import intervals
from chroma_core.evaluation.intervals import Interval, paired_bootstrap

differences = st.lists(st.floats(-100, 100), min_size=1, max_size=30)


@given(differences, st.integers(0, 9))
def test_law_bounds_lie_within_what_was_seen(values, seed):
    mean, low, high = paired_bootstrap(values, resamples=200, seed=seed)

    # Means of equal numbers may differ from them in the last digit.
    slack = 1e-12
    assert min(values) - slack <= low <= high <= max(values) + slack
    assert mean == pytest.approx(np.mean(values), abs=1e-12)


@given(differences, st.floats(-50, 50), st.floats(0.1, 10))
def test_law_the_interval_moves_and_scales_with_the_differences(values, shift, scale):
    before = np.array(paired_bootstrap(values, resamples=200))
    after = np.array(paired_bootstrap(np.array(values) * scale + shift, resamples=200))

    # The same draws; numbers of up to 1050 in float64.
    np.testing.assert_allclose(after, before * scale + shift, rtol=0, atol=1e-10)


@given(differences)
def test_law_exchanging_the_two_sides_mirrors_the_interval(values):
    mean, low, high = paired_bootstrap(values, resamples=200)
    mirrored = paired_bootstrap(-np.array(values), resamples=200)

    assert mirrored == pytest.approx((-mean, -high, -low), abs=1e-12)


@given(differences)
def test_law_a_higher_level_gives_a_wider_interval(values):
    _, low, high = paired_bootstrap(values, resamples=200, level=0.8)
    _, wider_low, wider_high = paired_bootstrap(values, resamples=200, level=0.99)

    assert wider_low <= low
    assert high <= wider_high


def test_interval_of_many_normal_differences_is_that_of_theory():
    values = np.random.default_rng(7).normal(0.3, 2.0, size=2000)
    mean, low, high = paired_bootstrap(values)
    half = 1.959964 * values.std() / np.sqrt(values.size)

    # Percentiles of 10,000 means scatter by 2.6 % of a half-width a bound; 8 % is three of them.
    assert (high - mean, mean - low) == pytest.approx((half, half), rel=0.08)


def test_the_true_mean_is_covered_about_as_often_as_the_level_says():
    rng = np.random.default_rng(11)
    trials = 400
    covered = 0
    for trial in range(trials):
        _, low, high = paired_bootstrap(rng.normal(1.0, 3.0, size=40), resamples=400, seed=trial)
        covered += low <= 1.0 <= high

    # The percentile bootstrap of 40 normal values covers 0.937 (its spread is short by
    # sqrt(39/40), and normal bounds stand for Student's); three standard deviations are 0.036.
    assert covered / trials == pytest.approx(0.937, abs=0.036)


def test_one_seed_gives_one_interval_and_another_seed_another():
    values = np.random.default_rng(3).normal(size=50)

    assert paired_bootstrap(values, seed=4) == paired_bootstrap(values, seed=4)
    assert paired_bootstrap(values, seed=4) != paired_bootstrap(values, seed=5)


def test_draws_do_not_depend_on_how_they_are_cut_into_blocks(monkeypatch):
    values = np.random.default_rng(3).normal(size=7)
    whole = paired_bootstrap(values, resamples=500)
    monkeypatch.setattr(intervals, "_DRAWS_AT_ONCE", 50)

    assert paired_bootstrap(values, resamples=500) == whole


def test_one_picture_has_no_spread():
    assert paired_bootstrap([1.25]) == Interval(1.25, 1.25, 1.25)


@pytest.mark.parametrize(
    ("interval", "answer"),
    [((1, 0.5, 2), True), ((-1, -2, -0.5), True), ((1, -0.5, 2), False), ((0, 0, 0), False)],
)
def test_an_interval_tells_whether_it_excludes_zero(interval, answer):
    assert Interval(*interval).excludes_zero is answer


@pytest.mark.parametrize(
    ("values", "options", "why"),
    [
        ([], {}, "at least 1"),
        ([[1.0, 2.0]], {}, r"shape \(1, 2\)"),
        ([1.0, np.nan, np.inf], {}, "2 of 3"),
        ([1.0], {"resamples": 0}, "resamples is 0"),
        ([1.0], {"level": 1.0}, "level is 1.0"),
        ([1.0], {"level": np.nan}, "level is nan"),
    ],
    ids=["none", "table", "not finite", "no resamples", "level 1", "level nan"],
)
def test_what_has_no_interval_is_refused(values, options, why):
    with pytest.raises(InputError, match=why):
        paired_bootstrap(values, **options)

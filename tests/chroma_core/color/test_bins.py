"""Bins of the a*b* plane: which there are, how colours are told to them, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.color.bins import (
    SPACING,
    ab_bins,
    bin_weights,
    chroma_kept,
    chroma_of_logits,
    expected_distances,
    probabilities,
    soft_codes,
)
from chroma_core.color.lab import lab_to_rgb, rgb_to_lab

BINS = ab_bins()
EVEN = np.ones(len(BINS))

seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int, *shape: int):
    """Return logits of some units' spread, and weights between a tenth and ten."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, rng.uniform(0.1, 6), (*shape, len(BINS)))
    return logits, np.exp(rng.uniform(np.log(0.1), np.log(10), len(BINS)))


def one_hot(places):
    return np.eye(len(BINS), dtype=np.float32)[places] * 1e4


def reachable(chroma) -> bool:
    """Return whether a* and b* are in sRGB at some whole L*."""
    lightness = np.arange(1.0, 100)[:, np.newaxis]
    lab = np.concatenate([lightness, np.tile(chroma, (len(lightness), 1))], axis=1)
    rgb = lab_to_rgb(lab)
    return bool(((rgb >= 0) & (rgb <= 1)).all(axis=1).any())


# Which bins there are


def test_each_bin_is_a_node_of_the_grid_and_in_srgb_at_some_lightness():
    np.testing.assert_array_equal(BINS, np.rint(BINS / SPACING) * SPACING)
    assert all(reachable(chroma) for chroma in BINS)


def test_each_other_node_of_the_grid_is_no_colour_of_srgb():
    have = set(map(tuple, BINS))
    reach = np.arange(-150, 151, SPACING)

    assert not any(reachable(np.array([a, b])) for a in reach for b in reach if (a, b) not in have)


def test_gray_has_a_bin_and_bins_are_sorted_without_doubles():
    assert (BINS == 0).all(axis=1).sum() == 1
    assert list(map(tuple, BINS)) == sorted(set(map(tuple, BINS)))


def test_half_of_a_colour_is_a_colour():
    """Towards gray at constant L* one does not leave the gamut, and so not the bins."""
    have = set(map(tuple, BINS))
    even = BINS[(np.rint(BINS / SPACING) % 2 == 0).all(axis=1)]

    assert len(even) > 40
    assert all(tuple(chroma / 2) in have for chroma in even)


def test_finer_bins_hold_the_coarse_ones():
    fine = set(map(tuple, ab_bins(5)))

    assert all(tuple(chroma) in fine for chroma in BINS)
    # Half the distance, four times as many but for the rim.
    assert 3.5 * len(BINS) < len(fine) < 4.5 * len(BINS)


@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_law_every_colour_of_srgb_has_a_bin_within_a_step_of_the_grid(rgb):
    chroma = rgb_to_lab(np.array(rgb))[1:]

    assert np.hypot(*(BINS - chroma).T).min() < SPACING


def test_bins_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        ab_bins()[0] = 0


# Soft codes


chromas = st.lists(
    st.tuples(st.floats(-150, 150, width=32), st.floats(-150, 150, width=32)), min_size=1
).map(lambda rows: np.array(rows, dtype=np.float32))


@given(chromas, st.integers(1, 9), st.floats(1, 20))
def test_law_soft_codes_are_the_nearest_bins_and_their_gaussian(chroma, neighbours, sigma):
    nearest, shares = soft_codes(chroma, BINS, neighbours=neighbours, sigma=sigma)
    every = np.square(chroma[:, np.newaxis].astype(float) - BINS).sum(axis=-1)
    gaps = np.take_along_axis(every, nearest, axis=1)

    assert nearest.shape == shares.shape == (len(chroma), neighbours)
    assert shares.dtype == np.float32
    # Nine shares of one rounding each.
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    assert (np.diff(gaps, axis=1) >= 0).all()
    assert (np.diff(shares, axis=1) <= 0).all()
    np.testing.assert_array_equal(gaps, np.sort(every, axis=1)[:, :neighbours])
    assert all(len(set(row)) == neighbours for row in nearest.tolist())
    wanted = np.exp((gaps[:, :1] - gaps) / (2 * sigma**2))
    np.testing.assert_allclose(shares / shares[:, :1], wanted, rtol=1e-5, atol=1e-30)


def test_the_middle_of_a_bin_is_told_to_it_most_and_to_its_four_neighbours_alike():
    gray = int(np.flatnonzero((BINS == 0).all(axis=1))[0])

    (nearest,), (shares,) = soft_codes(np.zeros((1, 2), np.float32), BINS)

    assert nearest[0] == gray
    np.testing.assert_array_equal(np.abs(BINS[nearest[1:]]).sum(axis=1), np.full(4, SPACING))
    # exp(-100 / 50) to each of four neighbours.
    np.testing.assert_allclose(shares[1:] / shares[0], np.exp(-2), rtol=1e-6)


def test_a_colour_far_from_every_bin_is_told_to_the_rim():
    nearest, shares = soft_codes(np.array([[1e4, -1e4]], np.float32), BINS)

    assert np.isfinite(shares).all()
    assert shares.sum() == pytest.approx(1)
    assert np.hypot(*BINS[nearest[0, 0]]) > 90


# Weights


frequencies = st.lists(st.floats(0, 1e6), min_size=2, max_size=30).filter(lambda f: sum(f) > 1e-3)


@given(frequencies, st.floats(0.01, 1))
def test_law_a_colour_that_occurs_weighs_1_on_average_and_rare_ones_more(counts, mix):
    counts = np.array(counts)
    weights = bin_weights(counts, mix=mix)

    assert (weights * counts).sum() / counts.sum() == pytest.approx(1)
    assert (np.diff(weights[np.argsort(counts)]) <= 1e-9 * weights.max()).all()


@given(frequencies, st.floats(0.01, 1))
def test_law_weights_know_no_unit_of_frequency(counts, mix):
    counts = np.array(counts)

    np.testing.assert_allclose(
        bin_weights(counts * 7.5, mix=mix), bin_weights(counts, mix=mix), rtol=1e-9
    )


def test_the_mix_goes_from_the_inverse_of_the_frequency_to_all_alike():
    counts = np.array([1.0, 3.0, 16.0])

    np.testing.assert_allclose(bin_weights(counts, mix=1), np.ones(3))
    np.testing.assert_allclose(bin_weights(counts, mix=0) * counts, np.full(3, 20 / 3))


def test_a_bin_that_never_occurs_weighs_as_much_as_the_rarest_that_does():
    weights = bin_weights(np.array([0.0, 3.0, 16.0, 1.0]), mix=0)

    np.testing.assert_allclose(weights * [1, 3, 16, 1], np.full(4, 20 / 3))


# From logits to one colour


@given(st.integers(0, len(BINS) - 1), st.floats(0, 1), st.floats(0.1, 2), st.floats(0, 3), seeds)
def test_law_all_on_one_bin_gives_its_colour_times_the_gain(place, undo, temperature, gain, seed):
    _, weights = drawn(seed)
    logits = one_hot([place])

    found = chroma_of_logits(logits, BINS, weights, undo=undo, temperature=temperature, gain=gain)

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, BINS[[place]] * gain, rtol=1e-6, atol=1e-5)


@given(seeds)
def test_law_a_temperature_near_0_gives_the_mode(seed):
    logits, weights = drawn(seed, 5)
    mode = logits.argmax(axis=-1)
    # A lead of 0.05 at a temperature of 1e-3 leaves the others exp(-50) each.
    np.put_along_axis(logits, mode[:, np.newaxis], logits.max(axis=-1, keepdims=True) + 0.05, 1)

    found = chroma_of_logits(logits, BINS, weights, undo=0, temperature=1e-3)

    np.testing.assert_allclose(found, BINS[mode], atol=1e-9)


@given(seeds, st.floats(0.1, 3), st.floats(0, 1))
def test_law_undoing_takes_back_what_the_weights_added(seed, temperature, undo):
    """A net trained with weights w answers p w, so with logits that are larger by log w."""
    logits, weights = drawn(seed, 5)
    plain = chroma_of_logits(logits, BINS, EVEN, undo=0, temperature=temperature)

    whole = chroma_of_logits(
        logits + np.log(weights), BINS, weights, undo=1, temperature=temperature
    )
    part = chroma_of_logits(
        logits + undo * np.log(weights), BINS, weights, undo=undo, temperature=temperature
    )

    np.testing.assert_allclose(whole, plain, rtol=0, atol=1e-9)
    np.testing.assert_allclose(part, plain, rtol=0, atol=1e-9)


@given(seeds, st.floats(0, 4), st.floats(0.1, 3))
def test_law_gain_multiplies_and_a_constant_changes_nothing(seed, gain, temperature):
    logits, weights = drawn(seed, 2, 3)
    how = {"undo": 0.5, "temperature": temperature}
    plain = chroma_of_logits(logits, BINS, weights, **how)

    assert plain.shape == (2, 3, 2)
    np.testing.assert_array_equal(
        chroma_of_logits(logits, BINS, weights, gain=gain, **how), plain * gain
    )
    np.testing.assert_allclose(
        chroma_of_logits(logits + 9.5, BINS, weights, **how), plain, rtol=0, atol=1e-9
    )


@given(seeds, st.floats(0.05, 3))
def test_law_the_colour_lies_among_the_bins(seed, temperature):
    logits, weights = drawn(seed, 7)

    found = chroma_of_logits(logits, BINS, weights, undo=1, temperature=temperature)

    for axis in (0, 1):
        assert (found[:, axis] >= BINS[:, axis].min() - 1e-9).all()
        assert (found[:, axis] <= BINS[:, axis].max() + 1e-9).all()


def test_without_any_opinion_the_colour_is_the_mean_of_the_bins():
    found = chroma_of_logits(np.zeros((1, len(BINS))), BINS, EVEN, undo=0, temperature=1)

    np.testing.assert_allclose(found[0], BINS.mean(axis=0))


def test_logits_of_any_size_give_probabilities():
    logits = np.array([[1e30, -1e30, 0], [-3e4, -3e4, -3e4]], np.float32)

    found = probabilities(logits)

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[1, 0, 0], [1 / 3] * 3], rtol=1e-6)


@given(seeds)
def test_law_nothing_writes_into_its_arguments(seed):
    logits, weights = drawn(seed, 3)
    logits.flags.writeable = weights.flags.writeable = False

    chroma = chroma_of_logits(logits, BINS, weights, undo=1, temperature=0.5)
    chroma.flags.writeable = False
    expected_distances(logits, BINS, weights, chroma)
    chroma_kept(logits, BINS, weights)
    bin_weights(weights)


# How far off it may be


def distances_by_sum(logits, weights, chroma, temperature):
    """Return the expected distance, bin by bin."""
    powers = np.exp((logits - np.log(weights)) / temperature)
    shares = powers / powers.sum(axis=-1, keepdims=True)
    gaps = np.linalg.norm(BINS - chroma[..., np.newaxis, :], axis=-1)
    return (shares * gaps).sum(axis=-1)


@given(seeds, st.floats(0.3, 3))
def test_law_distances_are_expected_by_the_probabilities(seed, temperature):
    logits, weights = drawn(seed, 4)
    chroma = np.random.default_rng(seed).uniform(-90, 90, (4, 2))

    exact = expected_distances(logits, BINS, weights, chroma, temperature=temperature)
    short = expected_distances(
        logits.astype(np.float32), BINS, weights, chroma.astype(np.float32), temperature=temperature
    )

    for found, single, colour in zip(exact, short, (chroma, np.zeros((4, 2))), strict=True):
        wanted = distances_by_sum(logits, weights, colour, temperature)
        np.testing.assert_allclose(found, wanted, rtol=1e-9)
        # Logits of tens over a temperature of 0.3: their seventh digit is a hundred-thousandth.
        np.testing.assert_allclose(single, wanted, rtol=2e-4)


@given(seeds)
def test_law_gray_is_as_far_from_the_truth_as_the_colour_gray(seed):
    logits, weights = drawn(seed, 5)

    ours, grays = expected_distances(logits, BINS, weights, np.zeros((5, 2)))

    np.testing.assert_allclose(ours, grays, rtol=1e-12)


def test_many_nodes_are_worked_on_in_parts_that_do_not_show():
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 3, (70, 90, len(BINS))).astype(np.float32)
    chroma = rng.normal(0, 20, (70, 90, 2)).astype(np.float32)

    ours, grays = expected_distances(logits, BINS, EVEN, chroma)

    assert ours.shape == grays.shape == (70, 90)
    assert ours.dtype == grays.dtype == np.float32
    last = expected_distances(logits[-1], BINS, EVEN, chroma[-1])
    np.testing.assert_allclose((ours[-1], grays[-1]), last, rtol=1e-6)


def test_who_is_sure_is_not_far_off():
    logits = one_hot([7])

    ours, grays = expected_distances(logits, BINS, EVEN, BINS[[7]].astype(np.float32))

    np.testing.assert_allclose(ours, 0, atol=0.1)
    np.testing.assert_allclose(grays, np.linalg.norm(BINS[7]), atol=0.1)


# How much of it averaging leaves


@given(seeds)
def test_law_averaging_leaves_a_share_of_the_expected_chroma(seed):
    logits, weights = drawn(seed, 3, 7)

    kept = chroma_kept(logits, BINS, weights)

    shares = np.exp(logits) / weights
    shares /= shares.sum(axis=-1, keepdims=True)
    left = np.linalg.norm(shares @ BINS, axis=-1).mean(axis=1)
    whole = (shares @ np.linalg.norm(BINS, axis=1)).mean(axis=1)
    assert kept.shape == (3,)
    assert ((kept >= 0) & (kept <= 1)).all()
    np.testing.assert_allclose(kept, left / whole, rtol=1e-9)


def test_who_is_sure_keeps_all_and_who_may_be_opposite_keeps_nothing():
    red, green = (int(np.flatnonzero(([a, 0] == BINS).all(axis=1))[0]) for a in (50, -50))
    gray = int(np.flatnonzero((BINS == 0).all(axis=1))[0])
    torn = np.full((4, len(BINS)), -1e4, np.float32)
    torn[:, [red, green]] = 0

    assert chroma_kept(one_hot([red, green]), BINS, EVEN) == pytest.approx(1)
    assert chroma_kept(torn, BINS, EVEN) == pytest.approx(0, abs=1e-6)
    # Gray alone has no chroma to lose.
    assert chroma_kept(one_hot([gray, gray]), BINS, EVEN) == 1

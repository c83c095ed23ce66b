"""How a decoding is chosen: what it promises, and that a known answer is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_core.color.bins import ab_bins, chroma_kept, chroma_of_logits, probabilities
from chroma_core.color.difference import delta_e_2000
from chroma_core.color.lab import lab_to_rgb
from chroma_core.evaluation.metrics import colourfulness
from chroma_core.regressors.unet_net import (
    PATH_POINTS,
    SURENESS_POINTS,
    Decoding,
    confidence_of,
    doubts_of,
)
from chroma_core.training.decoding import (
    CALM,
    GAINS,
    RESTORED,
    TEMPERATURES,
    UNDO,
    VIVID,
    calibration,
    choose_path,
    sureness,
)

BINS = ab_bins()
seeds = st.integers(0, 2**32 - 1)


def answers(seed: int, pictures: int = 3, nodes: int = 24):
    """Return logits, L*, truth and weights of a net that knows something.

    The logits are those of the truth's neighbourhood, blurred and noisy; gray is likelier than
    any colour, as in photographs.
    """
    rng = np.random.default_rng(seed)
    spread = rng.uniform(2, 40)
    truth = rng.normal(0, spread, (pictures, nodes, 2)) + rng.normal(
        0, spread / 2, (pictures, 1, 2)
    )
    seen = truth + rng.normal(0, rng.uniform(1, 30), truth.shape)
    gaps = np.square(seen[..., np.newaxis, :] - BINS).sum(axis=-1)
    logits = -gaps / (2 * rng.uniform(8, 40) ** 2) + rng.normal(
        0, 0.5, (pictures, nodes, len(BINS))
    )
    logits -= np.hypot(*BINS.T) * rng.uniform(0, 0.08)
    weights = np.exp(rng.uniform(-2, 2) * np.hypot(*BINS.T) / 100)
    return (
        (logits + np.log(weights)).astype(np.float32),
        rng.uniform(5, 95, (pictures, nodes)).astype(np.float32),
        truth.astype(np.float32),
        weights.astype(np.float32),
    )


def decoded(row, logits, weights):
    """Return a* and b* of pictures, shape (pictures, n, 2), by a row of a path."""
    undo, temperature, gain, restored = (float(number) for number in row[1:])
    how = Decoding(undo=undo, temperature=temperature, gain=gain, restored=restored)
    plain = chroma_of_logits(logits, BINS, weights, undo=undo, temperature=temperature)
    return plain * how.gain_where(chroma_kept(logits, BINS, weights))[:, np.newaxis, np.newaxis]


def mean_chroma(row, logits, weights) -> float:
    return float(np.hypot(*np.moveaxis(decoded(row, logits, weights), -1, 0)).mean())


def _bytes(rgb):
    return np.rint(rgb[np.newaxis] * 255).astype(np.uint8)


# The path


@settings(max_examples=5, deadline=None)
@given(seeds)
def test_law_mean_chroma_does_not_fall_along_the_path(seed):
    logits, lightness, truth, weights = answers(seed)

    path, _ = choose_path(logits, lightness, truth, BINS, weights)

    means = np.array([mean_chroma(row, logits, weights) for row in path])
    # The path is kept in single precision.
    assert (means[1:] >= means[:-1] * (1 - 1e-5)).all()


@settings(max_examples=3, deadline=None)
@given(seeds)
def test_law_the_path_goes_through_what_was_chosen_by_vividness(seed):
    logits, lightness, truth, weights = answers(seed)

    path, rows = choose_path(logits, lightness, truth, BINS, weights)

    assert path.shape == (PATH_POINTS, 5)
    assert path.dtype == np.float32
    np.testing.assert_allclose(path[:, 0], np.linspace(0, 1, PATH_POINTS))
    np.testing.assert_array_equal(path[0, 1:], [1, 1, 1, 0])
    for place, row in zip((0, PATH_POINTS // 2, PATH_POINTS - 1), rows, strict=True):
        assert row.undo in UNDO
        assert row.temperature in TEMPERATURES
        assert row.restored in RESTORED
        assert min(GAINS) <= row.gain <= max(GAINS)
        np.testing.assert_allclose(
            path[place, 1:], [row.undo, row.temperature, row.gain, row.restored], rtol=1e-6
        )
    # Doubts are about the colours at a half, node by node.
    assert rows[1].restored == 0
    # Between them all but the gain goes straight; the gain sees to it that nothing dips.
    for column, name in ((1, "undo"), (2, "temperature"), (4, "restored")):
        ends = [getattr(row, name) for row in rows]
        wanted = np.interp(path[:, 0], [0, 0.5, 1], ends)
        np.testing.assert_allclose(path[:, column], wanted, rtol=1e-6)


@settings(max_examples=3)
@given(seeds)
def test_law_figures_are_those_of_the_decoded_pictures_beside_gray(seed):
    logits, lightness, truth, weights = answers(seed)

    path, rows = choose_path(logits, lightness, truth, BINS, weights)
    path = path[:: PATH_POINTS // 2]

    def shown(chroma):
        lab = np.concatenate([lightness[..., np.newaxis], chroma], axis=-1)
        return lab, np.clip(lab_to_rgb(lab), 0, 1)

    true_lab, true_rgb = shown(truth)
    gray_lab, gray_rgb = shown(np.zeros_like(truth))
    for point, row in zip(path, rows, strict=True):
        lab, rgb = shown(decoded(point, logits, weights))
        psnr = [
            -10 * np.log10(np.square(one - true_rgb).mean(axis=(1, 2))) for one in (rgb, gray_rgb)
        ]
        assert row.psnr_gain == pytest.approx((psnr[0] - psnr[1]).mean(), abs=1e-3)
        wanted = delta_e_2000(lab, true_lab).mean() / delta_e_2000(gray_lab, true_lab).mean()
        assert row.difference == pytest.approx(wanted, rel=1e-3)
        # Colourfulness is that of the evaluation, picture by picture.
        found, true = (
            np.mean([colourfulness(_bytes(picture)) for picture in pictures])
            for pictures in (rgb, true_rgb)
        )
        # Bytes are rounded, the choice sees floats.
        assert row.colourfulness == pytest.approx(found / true, rel=1e-2)


def test_a_net_that_knows_the_truth_is_as_colourful_as_it_and_nearly_right():
    rng = np.random.default_rng(4)
    nearest = rng.integers(0, len(BINS), (4, 50))
    logits = 8 * np.eye(len(BINS), dtype=np.float32)[nearest]

    _, (_, middle, vivid) = choose_path(
        logits,
        np.full((4, 50), 60, np.float32),
        BINS[nearest].astype(np.float32),
        BINS,
        np.ones(len(BINS), np.float32),
    )

    assert vivid.error < 0.01
    assert vivid.colourfulness == pytest.approx(1, abs=0.02)
    assert CALM <= middle.colourfulness <= vivid.colourfulness


def test_the_most_colourful_is_taken_where_nothing_is_colourful_enough():
    """A net that has no opinion answers with one colour, that of the mean bin."""
    rng = np.random.default_rng(4)
    truth = rng.normal(0, 60, (2, 40, 2)).astype(np.float32)

    _, rows = choose_path(
        np.zeros((2, 40, len(BINS)), np.float32),
        np.full((2, 40), 60, np.float32),
        truth,
        BINS,
        np.ones(len(BINS), np.float32),
    )

    assert rows[-1].colourfulness < VIVID
    assert rows[-1].gain == max(GAINS)


@settings(max_examples=5, deadline=None)
@given(seeds)
def test_law_what_is_chosen_is_just_colourful_enough(seed):
    """Unless the colours before are that colourful already, or none can be."""
    logits, lightness, truth, weights = answers(seed)

    _, (expected, calm, vivid) = choose_path(logits, lightness, truth, BINS, weights)

    for before, bound, row in ((expected, CALM, calm), (calm, VIVID, vivid)):
        if row.gain == max(GAINS) or row.chroma <= before.chroma * 1.02:
            continue
        # Colourfulness is taken to go straight between the gains that are tried.
        assert row.colourfulness == pytest.approx(bound, abs=0.04)


# Calibration


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.6, 2.4])
def test_calibration_finds_the_temperature_that_was_put_in(temperature):
    """Truths are drawn from the distributions; the logits say them too surely, or not enough."""
    rng = np.random.default_rng(8)
    kinds = 12
    flat = rng.normal(0, 1.5, (20_000, kinds))
    weights = np.exp(rng.normal(0, 1, kinds))
    shares = probabilities(flat)
    nearest = (shares.cumsum(axis=1) < rng.random((len(flat), 1))).sum(axis=1).clip(0, kinds - 1)
    logits = (flat * temperature + np.log(weights)).astype(np.float32)

    found, before, after = calibration(logits, nearest, weights.astype(np.float32))

    # Temperatures are tried 5 in 100 apart; 20,000 draws tell them to about 1 in 100.
    assert found == pytest.approx(temperature, rel=0.05)
    assert after < 0.02
    assert before >= after or temperature == 1.0
    if temperature in (0.7, 2.4):
        assert before > 0.05


def test_calibration_stays_within_its_bounds():
    rng = np.random.default_rng(8)
    nearest = rng.integers(0, 5, 200)
    right = 9 * np.eye(5, dtype=np.float32)[nearest]
    wrong = 9 * np.eye(5, dtype=np.float32)[(nearest + 1) % 5]
    even = np.ones(5, np.float32)

    assert calibration(right, nearest, even)[0] == pytest.approx(0.5)
    assert calibration(wrong, nearest, even)[0] == pytest.approx(3)


# Sureness


def held_of(weights, temperature):
    """Return what a model holds of decoding."""
    path = np.array([[0, 1, 1, 1, 0], [0.5, 0.75, 0.5, 1.1, 0], [1, 0.5, 0.3, 1.5, 1]], np.float32)
    return {
        "bins": BINS,
        "weights": weights,
        "calibration": np.array([temperature], np.float32),
        "path": path,
    }


@settings(max_examples=20)
@given(seeds, st.floats(0.5, 2))
def test_law_sureness_falls_from_1_to_0_while_doubts_rise(seed, temperature):
    logits, _, _, weights = answers(seed)

    table = sureness(logits.reshape(-1, len(BINS)), held_of(weights, temperature))

    assert table.shape == (SURENESS_POINTS, 2)
    assert table.dtype == np.float32
    assert (table[0, 1], table[-1, 1]) == (1, 0)
    assert (np.diff(table[:, 0]) > 0).all()
    assert (np.diff(table[:, 1]) < 0).all()


def test_confidence_is_the_share_that_is_doubted_more():
    logits, _, _, weights = answers(3, pictures=10, nodes=200)
    flat, held = logits.reshape(-1, len(BINS)), held_of(weights, 1.3)
    doubts = doubts_of(flat, held)

    confidence = confidence_of(doubts, sureness(flat, held))

    share = (doubts[np.newaxis] > doubts[:, np.newaxis]).mean(axis=1)
    # Between the sixteen points the table is straight.
    np.testing.assert_allclose(confidence, share, atol=0.03)


def test_answers_that_are_all_as_sure_make_a_table_too():
    logits = np.zeros((30, len(BINS)), np.float32)

    table = sureness(logits, held_of(np.ones(len(BINS)), 1.0))

    assert (np.diff(table[:, 0]) > 0).all()
    assert np.isfinite(table).all()

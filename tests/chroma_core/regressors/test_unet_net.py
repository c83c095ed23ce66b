"""Laws of the format ``bins-unet/2``: its network, and how its answers are read."""

from __future__ import annotations

import dataclasses
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_core.color.bins import ab_bins, chroma_kept, chroma_of_logits
from chroma_core.errors import ModelError
from chroma_core.regressors import unet_net
from chroma_core.regressors.unet_net import (
    CALM,
    CONVOLUTIONS,
    ENCODER,
    FILE,
    GRAYS_SHARE,
    LEAST_KEPT,
    LITE0,
    MULTIPLE,
    SECOND,
    STEP,
    Decoding,
    UNetShape,
    confidence_of,
    decoder_on,
    decoding_at,
    doubts_of,
    encoder_of,
    prediction_of,
    tilted,
    weight_shapes,
)
from chroma_core.stages import Grid, Prediction

BINS = ab_bins()
seeds = st.integers(0, 2**32 - 1)
vividnesses = st.floats(0, 5)

PATH = np.array(
    [[0, 1, 1, 1, 0], [0.5, 1, 0.65, 1.1, 0], [1, 0.5, 0.4, 1.3, 0.8]], dtype=np.float32
)


def decoding_tensors(seed: int = 0, path=PATH):
    """Return what a model's file says of decoding."""
    rng = np.random.default_rng(seed)
    return {
        "bins": BINS.astype(np.float32),
        "weights": np.exp(rng.normal(0, 1, len(BINS))).astype(np.float32),
        "calibration": np.array([1.3], np.float32),
        "path": path,
        "sureness": np.stack([np.linspace(2, 60, 16), np.linspace(1, 0, 16)], 1).astype("f4"),
    }


def predicted(seed: int, rows: int = 3, cols: int = 4, path=PATH):
    logits = np.random.default_rng(seed).normal(0, 3, (rows, cols, len(BINS))).astype(np.float32)
    return prediction_of(logits, {FILE: decoding_tensors(seed, path)}, (1.5, 1.5))


# The network


def test_convolutions_follow_one_another():
    """Each sees what was computed before, as many channels of it as it says."""
    channels = {"gray": 3}
    for convolution in CONVOLUTIONS:
        assert convolution.name not in channels
        assert sum(channels[seen] for seen in convolution.inputs) == convolution.channels_in
        if convolution.adds:
            assert channels[convolution.adds] == convolution.channels_out
        if convolution.depthwise:
            assert convolution.channels_in == convolution.channels_out
        channels[convolution.name] = convolution.channels_out
    assert channels["logits"] == len(BINS)


def test_joined_maps_are_of_one_size():
    """What is brought to twice its size is then as large as what it is joined with."""
    steps: dict[str, float] = {"gray": 1}
    for convolution in CONVOLUTIONS:
        first, *others = (steps[seen] for seen in convolution.inputs)
        if others:
            assert set(others) == {first / 2}
            first /= 2
        step = first * convolution.stride
        if convolution.adds:
            assert steps[convolution.adds] in (step, np.inf)
        steps[convolution.name] = np.inf if convolution.pooled else step
    assert steps["logits"] == STEP
    assert max(step for step in steps.values() if np.isfinite(step)) == MULTIPLE


def test_encoder_is_efficientnet_lite0():
    """4,652,008 parameters with a classifier of 1,000 kinds, as timm counts them."""
    classifier = 1280 * 1000 + 1000
    # Batch normalisation has two numbers a channel; folded in, they are the bias and nothing more.
    unfolded = sum(int(np.prod(c.kernel_shape)) + 2 * c.channels_out for c in ENCODER)

    assert unfolded + classifier == 4_652_008
    taps = {c.name: c.channels_out for c in ENCODER if c.name in unet_net._TAPS.values()}
    assert taps == {"quarter": 24, "eighth": 40, "sixteenth": 112, "thirtysecond": 320}
    assert sum(c.stride == 2 for c in ENCODER) == 5


def test_a_decoder_goes_on_from_any_encoder():
    """Each convolution takes in what those that it names give, whatever the rows' widths."""
    narrow = tuple(
        (expansion, size, stride, 8 + row, 2)
        for row, (expansion, size, stride, *_) in enumerate(LITE0)
    )
    encoder = tuple(encoder_of(narrow))

    widths = {"gray": 3}
    for convolution in (*encoder, *decoder_on(encoder)):
        assert convolution.channels_in == sum(widths[name] for name in convolution.inputs)
        if convolution.adds:
            assert widths[convolution.adds] == convolution.channels_out
        widths[convolution.name] = convolution.channels_out
    assert [widths[name] for name in ("quarter", "eighth", "sixteenth", "thirtysecond")] == [
        9,
        10,
        12,
        14,
    ]


def test_weights_are_a_kernel_and_a_bias_each_and_what_decoding_needs():
    (shapes,) = weight_shapes(UNetShape()).values()

    assert list(weight_shapes(UNetShape())) == [FILE]
    assert len(shapes) == 2 * len(CONVOLUTIONS) + 5
    for convolution in CONVOLUTIONS:
        assert shapes[f"{convolution.name}.kernel"] == convolution.kernel_shape
        assert shapes[f"{convolution.name}.bias"] == (convolution.channels_out,)
    assert {name: shape for name, shape in shapes.items() if "." not in name} == {
        "bins": (225, 2),
        "weights": (225,),
        "calibration": (1,),
        "path": (9, 5),
        "sureness": (16, 2),
    }
    count = sum(int(np.prod(shape)) for shape in shapes.values())
    # Whoever changes this number makes another format: models that are there hold this many.
    assert count == 4_552_978


def test_a_second_network_is_of_the_same_shape_and_says_nothing_of_decoding():
    one, other = weight_shapes(UNetShape(second=True)).values()

    assert list(weight_shapes(UNetShape(second=True))) == [FILE, SECOND]
    assert one == weight_shapes(UNetShape())[FILE]
    assert other == {name: shape for name, shape in one.items() if "." in name}


# Tilting


@settings(max_examples=30)
@given(seeds, st.floats(0, 1), st.floats(0.2, 1.5))
def test_law_a_tilt_is_what_undoing_takes_back(seed, undo, temperature):
    """The biases carry the tilt: undone by as much as was put on, the colours are as before."""
    rng = np.random.default_rng(seed)
    before = {
        "logits.bias": rng.normal(0, 3, len(BINS)),
        "weights": np.exp(rng.normal(0, 1, len(BINS))),
    }
    weights = np.exp(rng.normal(0, 1, len(BINS)))

    after = tilted(before, weights)
    flat = tilted(after, np.ones(len(BINS)))

    def colour(tensors, undone):
        logits = tensors["logits.bias"].astype(np.float64)
        return chroma_of_logits(
            logits, BINS, tensors["weights"], undo=undone, temperature=temperature
        )

    # Single precision of biases of some tens; a* and b* reach 110.
    np.testing.assert_allclose(colour(after, 1), colour(before, 1), atol=2e-3)
    np.testing.assert_allclose(colour(flat, undo), colour(before, 1), atol=2e-3)


def test_what_has_no_tilt_yet_stays_as_it_is():
    encoder = {"stem.kernel": np.ones(3), "logits.bias": np.ones(len(BINS))}

    assert tilted(encoder, np.full(len(BINS), 2.0)) == encoder
    assert tilted({"weights": np.ones(3)}, np.full(3, 2.0)).keys() == {"weights"}


# How answers are read


def test_decoding_goes_through_the_rows_of_the_path():
    for vividness, undo, temperature, gain, restored in PATH.astype(float):
        wanted = Decoding(undo=undo, temperature=temperature, gain=gain, restored=restored)

        assert decoding_at(PATH, vividness) == wanted


@given(st.floats(0, 1), st.integers(0, 1))
def test_law_decoding_is_linear_between_two_rows(share, row):
    one, other = PATH[row].astype(float), PATH[row + 1].astype(float)

    vividness, *wanted = one + share * (other - one)
    found = decoding_at(PATH, vividness)

    np.testing.assert_allclose(dataclasses.astuple(found), wanted, rtol=1e-9, atol=1e-12)


@given(st.floats(1, 50))
def test_law_beyond_the_last_row_only_the_gain_goes_on(vividness):
    last, beyond = decoding_at(PATH, 1.0), decoding_at(PATH, vividness)

    assert dataclasses.replace(beyond, gain=last.gain) == last
    assert beyond.gain == pytest.approx(last.gain * vividness)


@given(seeds, st.floats(1, 20))
def test_law_beyond_1_chroma_grows_in_proportion_at_its_hue(seed, vividness):
    prediction = predicted(seed)

    # One rounding each of the gain and of its product.
    np.testing.assert_allclose(
        prediction.at(vividness).chroma, prediction.chroma * vividness, rtol=1e-6, atol=1e-6
    )


@given(seeds, st.lists(vividnesses, min_size=2, max_size=5), st.floats(0, 1), st.floats(0.2, 2))
def test_law_mean_chroma_never_falls_where_only_the_gain_rises(seed, points, undo, temperature):
    path = np.array(
        [
            [0, undo, temperature, 1, 0],
            [0.5, undo, temperature, 1.1, 0],
            [1, undo, temperature, 1.6, 0.7],
        ],
        dtype=np.float32,
    )
    prediction = predicted(seed, path=path)

    means = [np.hypot(*np.moveaxis(prediction.at(v).chroma, -1, 0)).mean() for v in sorted(points)]

    assert (np.diff(means) >= -1e-6 * np.array(means[1:])).all()


@given(seeds, vividnesses)
def test_law_a_prediction_at_a_vividness_is_its_logits_decoded(seed, vividness):
    prediction = predicted(seed)
    held = decoding_tensors(seed)
    how = decoding_at(PATH, vividness)

    found = prediction.at(vividness)

    nodes = prediction.logits.reshape(-1, len(BINS))
    kept = chroma_kept(nodes, held["bins"], held["weights"])
    wanted = chroma_of_logits(
        prediction.logits,
        held["bins"],
        held["weights"],
        undo=how.undo,
        temperature=how.temperature,
        gain=float(how.gain_where(kept)),
    )
    np.testing.assert_array_equal(found.chroma, wanted)
    assert found.chroma.dtype == np.float32
    # It can be asked again, for it keeps what the network answered.
    np.testing.assert_array_equal(found.at(0.3).chroma, prediction.at(0.3).chroma)
    np.testing.assert_array_equal(prediction.at(1.0).chroma, prediction.chroma)


@given(st.floats(0.1, 3), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_law_restoring_raises_the_gain_more_where_less_is_kept(gain, restored, one, other):
    how = Decoding(undo=1, temperature=1, gain=gain, restored=restored)
    less, more = sorted((one, other))

    gains = how.gain_where(np.array([less, more, 1.0]))

    assert gain <= gains[1] * (1 + 1e-12) <= gains[0] * (1 + 2e-12)
    assert gains[2] == pytest.approx(gain)
    assert gains[0] <= gain / LEAST_KEPT * (1 + 1e-12)


def test_what_is_restored_whole_is_the_chroma_that_is_expected():
    """At temperature 1 and gain 1, and where enough is kept."""
    path = np.array([[0, 1, 1, 1, 0], [1, 1, 1, 1, 1]], np.float32)
    rng = np.random.default_rng(3)
    logits = -np.hypot(*(BINS - rng.normal(0, 30, (40, 2))[:, np.newaxis]).transpose(2, 0, 1)) / 9
    held = decoding_tensors(path=path) | {"weights": np.ones(len(BINS), np.float32)}

    found = prediction_of(logits[np.newaxis].astype(np.float32), {FILE: held}, (1.5, 1.5))

    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = (shares @ np.hypot(*BINS.T)).mean()
    assert np.hypot(*(shares @ BINS).T).mean() < 0.95 * expected
    assert np.hypot(*found.chroma[0].T).mean() == pytest.approx(expected, rel=1e-4)


def test_vividness_0_is_the_expected_colour():
    prediction = predicted(5)
    held = decoding_tensors(5)
    shares = np.exp(prediction.logits.astype(float)) / held["weights"]
    shares /= shares.sum(axis=-1, keepdims=True)

    np.testing.assert_allclose(prediction.at(0.0).chroma, shares @ BINS, rtol=1e-4, atol=1e-4)


@settings(max_examples=30)
@given(seeds)
def test_law_confidence_lies_in_0_to_1_and_falls_with_doubt(seed):
    prediction = predicted(seed)
    doubts = doubts_of(prediction.logits, decoding_tensors(seed))

    assert prediction.confidence.shape == prediction.chroma.shape[:2]
    assert prediction.confidence.dtype == np.float32
    assert (prediction.confidence >= 0).all()
    assert (prediction.confidence <= 1).all()
    order = np.argsort(doubts.ravel())
    assert (np.diff(prediction.confidence.ravel()[order]) <= 1e-6).all()


@settings(max_examples=30)
@given(seeds)
def test_law_doubt_is_the_calm_colours_distance_less_part_of_grays(seed):
    held = decoding_tensors(seed)
    logits = np.random.default_rng(seed).normal(0, 3, (6, len(BINS)))
    how = decoding_at(held["path"], CALM)
    calm = chroma_of_logits(
        logits,
        held["bins"],
        held["weights"],
        undo=how.undo,
        temperature=how.temperature,
        gain=how.gain,
    )
    powers = np.exp((logits - np.log(held["weights"])) / held["calibration"][0])
    shares = powers / powers.sum(axis=-1, keepdims=True)
    ours = (shares * np.linalg.norm(BINS - calm[:, np.newaxis], axis=-1)).sum(axis=-1)
    grays = shares @ np.linalg.norm(BINS, axis=-1)

    # The tensors are single precision.
    np.testing.assert_allclose(
        doubts_of(logits, held), ours - GRAYS_SHARE * grays, rtol=1e-4, atol=1e-3
    )


def test_a_sure_colour_is_doubted_less_than_a_sure_gray_and_both_less_than_a_guess():
    held = decoding_tensors(0) | {
        "weights": np.ones(len(BINS), np.float32),
        "path": np.array([[0, 1, 1, 1, 0], [0.5, 1, 1, 1, 0], [1, 1, 1, 1, 0]], np.float32),
    }
    red, gray = (np.linalg.norm(BINS - colour, axis=-1).argmin() for colour in ((60, 40), (0, 0)))
    logits = np.full((3, len(BINS)), -50.0, np.float32)
    logits[0, red] = logits[1, gray] = 0
    logits[2, np.linalg.norm(BINS, axis=-1) > 50] = 0

    sure, dull, guess = doubts_of(logits, held)

    assert sure < dull < guess


def test_confidence_is_1_before_the_table_and_0_behind_it():
    table = np.array([[10, 1], [20, 0.5], [60, 0]], np.float32)

    np.testing.assert_allclose(
        confidence_of(np.array([0, 10, 15, 20, 40, 60, 500]), table),
        [1, 1, 0.75, 0.5, 0.25, 0, 0],
    )


def test_confidence_does_not_follow_vividness():
    prediction = predicted(2)

    assert prediction.at(0.2).confidence is prediction.confidence


def test_half_precision_weights_are_decoded_in_single():
    held = {name: array.astype(np.float16) for name, array in decoding_tensors().items()}
    logits = np.random.default_rng(1).normal(0, 3, (2, 2, len(BINS))).astype(np.float32)

    prediction = prediction_of(logits, {FILE: held}, (0.0, 0.0))

    assert prediction.chroma.dtype == np.float32
    single = prediction_of(logits, {FILE: decoding_tensors()}, (0.0, 0.0))
    # Eleven bits of weights, temperature and gain; some tens of units.
    np.testing.assert_allclose(prediction.chroma, single.chroma, atol=0.2)


def test_nodes_of_a_prediction_lie_4_pixels_apart():
    prediction = predicted(0, rows=5, cols=2)

    assert prediction.grid == Grid(rows=5, cols=2, origin=(1.5, 1.5), step=(4.0, 4.0))
    assert set(prediction.tensors) == {"bins", "weights", "calibration", "path", "sureness"}


def test_a_prediction_without_distributions_is_not_decoded():
    plain = Prediction(
        chroma=np.zeros((1, 1, 2), np.float32),
        grid=Grid(rows=1, cols=1),
        decode=predicted(0).decode,
    )

    with pytest.raises(ModelError, match="no distributions"):
        plain.at(0.5)


def test_weights_are_not_changed_by_reading_an_answer():
    held = decoding_tensors()
    for array in held.values():
        array.flags.writeable = False
    logits = np.zeros((1, 1, len(BINS)), np.float32)
    logits.flags.writeable = False

    prediction_of(logits, types.MappingProxyType({FILE: held}), (0.0, 0.0)).at(0.5)

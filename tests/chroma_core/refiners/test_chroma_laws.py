"""What `seed`, `ratio` and `intensity` promise, law by law, on the same unkind colours.

==================================  ====  =====  =========
law                                 seed  ratio  intensity
==================================  ====  =====  =========
total; shape and dtype kept         yes   yes    yes
gray stays gray                     yes   yes    yes
a* : b* kept                        no    yes    yes
hue angle kept                      no    keep   yes
(X + Y) / 2 = L*                    no    yes    no
intensity is that of the gray       L* in gamut  yes
idempotent                          no    yes    yes
in gamut                            no    no     yes
chroma never raised                 no    no     yes
==================================  ====  =====  =========
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chroma_core.color import (
    inside_srgb,
    into_srgb,
    lab_to_rgb,
    lightness_to_gray,
    rgb_to_lab,
)
from chroma_core.refiners.intensity import IntensityOptions, IntensityRefiner
from chroma_core.refiners.none import NoRefiner
from chroma_core.refiners.ratio import RatioOptions, RatioRefiner
from chroma_core.refiners.seed import SeedOptions, SeedRefiner
from chroma_core.stages import Scene

SEED = SeedRefiner()
RATIO = RatioRefiner()
RATIO_KEEP = RatioRefiner(RatioOptions(hue="keep"))
LIGHTNESS, REC601, MEAN = (
    IntensityRefiner(IntensityOptions(of=of)) for of in ("lightness", "rec601", "mean")
)
WEIGHTS = {"rec601": np.array([0.299, 0.587, 0.114]), "mean": np.array([1.0, 1.0, 1.0]) / 3}

REFINERS = {
    "none": st.just(NoRefiner()),
    "seed": st.just(SEED),
    "ratio": st.just(RATIO),
    "ratio-keep": st.just(RATIO_KEEP),
    "intensity": st.sampled_from([LIGHTNESS, REC601, MEAN]),
}


def each(*kinds):
    return pytest.mark.parametrize("kind", kinds or REFINERS)


mild_numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
numbers = mild_numbers | st.sampled_from([0.0, -0.0, 5e-324, -1e-310, 1e-160, 1e300, -1e300])
lightnesses = st.floats(0, 100) | st.sampled_from([0.0, 5e-324, 1e-12, 8.0, 100.0])


@st.composite
def colors(draw, numbers=numbers, lightnesses=lightnesses):
    """Draw L*, a*, b* of any leading shape, many of them with a* = ±b* or without chroma."""
    pairs = st.tuples(numbers, numbers) | numbers.map(lambda x: (x, x))
    pairs = pairs | numbers.map(lambda x: (x, -x)) | st.just((0.0, -0.0))
    pixels = draw(st.lists(st.tuples(lightnesses, pairs), min_size=1, max_size=12))
    lab = np.array([(lightness, *pair) for lightness, pair in pixels])
    shape = draw(st.sampled_from([(len(lab),), (len(lab), 1), (1, len(lab)), (1, 1, len(lab))]))
    return lab[0] if draw(st.booleans()) and len(lab) == 1 else lab.reshape(*shape, 3)


def refine(refiner, lab):
    return refiner.refine(lab, Scene(lightness=lab[..., 0]))


def directions(lab):
    """Return chroma divided by its larger part, so that nothing over- or underflows."""
    chroma = lab[..., 1:]
    largest = np.abs(chroma).max(axis=-1, keepdims=True)
    return chroma / np.where(largest == 0, 1, largest)


@each()
@given(data=st.data(), lab=colors())
def test_law_total_and_shape_and_dtype_kept(kind, data, lab):
    refiner = data.draw(REFINERS[kind])
    before = lab.copy()

    refined = refine(refiner, lab)

    assert refined.shape == lab.shape
    assert refined.dtype == lab.dtype
    assert np.isfinite(refined).all()
    np.testing.assert_array_equal(lab, before)
    if not refiner.moves_lightness:
        np.testing.assert_array_equal(refined[..., 0], lab[..., 0])


@each()
@given(data=st.data(), lab=colors(numbers=mild_numbers | st.just(0.0)))
def test_law_total_in_float32(kind, data, lab):
    refiner = data.draw(REFINERS[kind])
    refined = refine(refiner, lab.astype(np.float32))

    assert refined.dtype == np.float32
    assert np.isfinite(refined).all()


@each()
@given(data=st.data(), lightness=lightnesses, zero=st.sampled_from([0.0, -0.0]))
def test_law_gray_stays_gray(kind, data, lightness, zero):
    refiner = data.draw(REFINERS[kind])
    lab = np.array([[[lightness, zero, 0.0]]])

    np.testing.assert_array_equal(refine(refiner, lab), lab)


@each("ratio", "ratio-keep", "intensity")
@given(data=st.data(), lab=colors())
def test_law_a_to_b_is_kept(kind, data, lab):
    refiner = data.draw(REFINERS[kind])
    x, y = np.moveaxis(directions(lab), -1, 0)

    refined = refine(refiner, lab)

    x_refined, y_refined = np.moveaxis(directions(refined), -1, 0)
    # A chroma of a few denormals has no digits to keep a ratio with.
    digits = np.abs(refined[..., 1:]).max(axis=-1) > 1e-300
    np.testing.assert_allclose((x_refined * y - y_refined * x)[digits], 0, atol=1e-9)


@each("ratio-keep", "intensity")
@given(data=st.data(), lab=colors())
def test_law_hue_angle_is_kept(kind, data, lab):
    refiner = data.draw(REFINERS[kind])
    refined = refine(refiner, lab)

    # With the law above: parallel and not opposed.
    assert ((directions(lab) * directions(refined)).sum(axis=-1) >= 0).all()


@given(lab=colors(lightnesses=st.floats(1e-6, 100)))
def test_law_ratio_turns_hue_exactly_where_the_sum_is_negative(lab):
    x, y = np.moveaxis(directions(lab), -1, 0)

    kept = (directions(lab) * directions(refine(RATIO, lab))).sum(axis=-1) >= 0

    np.testing.assert_array_equal(kept, x + y >= 0)


@given(lab=colors())
def test_law_ratio_makes_lightness_the_mean_where_uncapped(lab):
    refined = refine(RATIO, lab)

    c_ab = np.hypot(refined[..., 1], refined[..., 2])
    uncapped = (c_ab > 0) & (c_ab < 149.999)
    means = refined[..., 1:].sum(axis=-1)[uncapped] / 2
    np.testing.assert_allclose(means, lab[..., 0][uncapped], rtol=0, atol=1e-12)


@each("ratio", "ratio-keep")
@given(data=st.data(), lab=colors())
def test_law_ratio_gives_between_root_two_lightness_and_the_cap(kind, data, lab):
    refiner = data.draw(REFINERS[kind])
    refined = refine(refiner, lab)

    c_ab = np.hypot(refined[..., 1], refined[..., 2])
    colored = (lab[..., 1:] != 0).any(axis=-1) & (lab[..., 0] > 0)
    least = np.minimum(math.sqrt(2) * lab[..., 0], 150.0)
    # Two ulps for the direction's length, one each for the quotient and the root.
    assert (c_ab[colored] >= least[colored] * (1 - 1e-15)).all()
    assert (c_ab <= 150 * (1 + 1e-15)).all()


@each("seed", "ratio", "ratio-keep")
@given(
    data=st.data(),
    lab=colors(numbers=st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-6 or x == 0)),
)
@pytest.mark.parametrize("factor", [2.0**-20, 0.5, 2.0**30])
def test_law_seed_and_ratio_forget_the_strength_of_a_prediction(kind, data, lab, factor):
    refiner = data.draw(REFINERS[kind])
    # A power of two changes no bit of a quotient.
    stronger = lab * np.array([1, factor, factor])

    np.testing.assert_array_equal(refine(refiner, stronger), refine(refiner, lab))


@given(refiner=REFINERS["intensity"], lab=colors())
def test_law_intensity_of_the_colour_is_that_of_the_gray(refiner, lab):
    rgb = lab_to_rgb(refine(refiner, lab))

    gray = lightness_to_gray(lab[..., 0])
    weights = WEIGHTS.get(refiner.options.of)
    if weights is None:
        np.testing.assert_allclose(rgb_to_lab(rgb)[..., 0], lab[..., 0], rtol=0, atol=1e-4)
    else:
        np.testing.assert_allclose(rgb @ weights, gray, rtol=0, atol=1e-6)


@each("seed", "ratio")
@given(data=st.data(), lab=colors())
def test_law_seed_and_ratio_keep_lightness_once_mapped_into_the_gamut(kind, data, lab):
    refiner = data.draw(REFINERS[kind])
    rgb = np.clip(lab_to_rgb(into_srgb(refine(refiner, lab))), 0, 1)

    # What the mapping leaves outside, 1e-9 of linear light, is up to 6.5e-7 in L*.
    np.testing.assert_allclose(rgb_to_lab(rgb)[..., 0], lab[..., 0], rtol=0, atol=1e-6)


@given(refiner=REFINERS["intensity"], lab=colors())
def test_law_intensity_stays_in_gamut(refiner, lab):
    # The tolerance of the search is 1e-9, and rounding comes on top.
    assert inside_srgb(refine(refiner, lab), gap=1.1e-9).all()


@given(refiner=REFINERS["intensity"], lab=colors())
def test_law_intensity_never_raises_chroma(refiner, lab):
    assert (np.abs(refine(refiner, lab)[..., 1:]) <= np.abs(lab[..., 1:])).all()


@given(refiner=REFINERS["intensity"], lab=colors())
def test_law_intensity_is_idempotent(refiner, lab):
    scene = Scene(lightness=lab[..., 0])

    once = refiner.refine(lab, scene)

    np.testing.assert_allclose(refiner.refine(once, scene), once, rtol=0, atol=1e-4)


@each("ratio", "ratio-keep")
@given(data=st.data(), lab=colors())
def test_law_ratio_is_idempotent(kind, data, lab):
    refiner = data.draw(REFINERS[kind])
    # Next to the pole a* = -b* the sum is all rounding; at the pole itself it is exactly 0.
    x, y = np.moveaxis(directions(lab), -1, 0)
    lab = lab[(np.abs(x + y) > 1e-3) | (x + y == 0)]

    once = refine(refiner, lab)

    # The sum is off by some 4e-16 of 1e-3, chroma by that share of 150.
    np.testing.assert_allclose(refine(refiner, once), once, rtol=0, atol=1e-9)


def printed(lightness, x, y, cap):
    """Return X and Y as the formula stands on the page, for numbers that it is defined for."""
    big_x = 2 * lightness / (1 + y / x)
    big_y = 2 * lightness / (1 - x / y)
    return max(-cap, min(big_x, cap)), max(-cap, min(big_y, cap))


parts = st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda x: abs(x) > 1e-200)


@given(st.floats(1e-3, 100), parts, parts, st.floats(1, 1000))
def test_law_seed_is_the_printed_formula_to_the_bit(lightness, x, y, cap):
    assume(y / x != -1 and x / y != 1)

    refined = refine(SeedRefiner(SeedOptions(cap=cap)), np.array([lightness, x, y]))

    assert refined[1:].tolist() == list(printed(lightness, x, y, cap))


@given(st.floats(1e-3, 100), parts)
def test_law_seed_takes_the_limits_where_the_formula_has_none(lightness, x):
    refined = refine(SEED, np.array([[lightness, x, 0], [lightness, 0, x], [lightness, x, x]]))

    # b* = 0: x / (1 + 0) and 1 / (1 - inf). a* = 0: 1 / (1 + inf) and y / (1 - 0). a* = b*: a pole.
    twice = min(2 * lightness, 150.0)
    np.testing.assert_array_equal(
        refined[:, 1:], [[twice, 0], [0, twice], [min(lightness, 150), 150]]
    )


@given(lab=colors(numbers=mild_numbers))
def test_law_seed_has_the_signs_of_the_formula(lab):
    x, y = np.moveaxis(directions(lab), -1, 0)
    # Within an ulp of a pole the quotient rounds onto it, and the cap counts as positive.
    lab = lab[(np.abs(x + y) > 1e-15) & (np.abs(x - y) > 1e-15) & (x * y != 0)]
    x, y = np.moveaxis(directions(lab), -1, 0)

    refined = refine(SEED, lab)

    lit = (lab[..., 0] > 1e-9)[..., np.newaxis]
    signs = np.sign(np.stack([x * (x + y), y * (y - x)], axis=-1))
    found = np.sign(refined[..., 1:])
    # A quotient of more than 1e308 gives 0, which has no sign.
    assert ((found == signs) | (found == 0) | ~lit).all()


@given(lab=colors(numbers=st.floats(-100, 100).filter(lambda x: abs(x) > 1e-3)))
def test_law_seed_breaks_the_ratio_by_what_the_formula_says(lab):
    refined = refine(SeedRefiner(SeedOptions(cap=1000)), lab)

    x, y = lab[..., 1], lab[..., 2]
    sure = (np.abs(refined[..., 1:]) < 999).all(axis=-1) & (lab[..., 0] > 1e-6)
    sure &= (np.abs(x - y) > 1e-3) & (np.abs(x + y) > 1e-3)
    x, y = x[sure], y[sure]
    ratios = refined[sure, 1] / refined[sure, 2]
    # x / y - 1 loses up to five digits next to the poles.
    np.testing.assert_allclose(ratios, x / y * (y - x) / (y + x), rtol=1e-9)


@given(lab=colors(), cap=st.floats(0.1, 1000))
def test_law_seed_never_passes_its_cap(lab, cap):
    refined = refine(SeedRefiner(SeedOptions(cap=cap)), lab)

    assert (np.abs(refined[..., 1:]) <= cap).all()


@pytest.mark.parametrize("refiner", [SEED, RATIO, LIGHTNESS, REC601, MEAN], ids=repr)
def test_without_light_there_is_no_colour(refiner):
    refined = refine(refiner, np.array([[[0.0, 20.0, -30.0]]]))

    # The tolerance of the gamut has room for a chroma of 1e-6.
    assert np.abs(refined[..., 1:]).max() < 1e-5

"""The two baselines keep the truth's lightness, and one of them its hue."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.color.lab import gray_to_lightness, rgb_to_lab
from chroma_core.errors import InputError
from chroma_core.evaluation.baselines import gray_of, lightness_of, mean_colour, to_gray_picture

pictures = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)),
    elements=st.integers(0, 255),
)

# Half a code of all three channels moves L* by at most 0.26 anywhere in the cube (every third code
# tried; the worst is at (3, 27, 33)), and by 0.2544 on gray, where a code is at most 0.5088 L*.
ROUNDING = 0.265


@given(pictures)
def test_law_gray_has_the_lightness_of_its_truth(truth):
    gray = gray_of(truth)

    assert ((gray >= 0) & (gray <= 1)).all()
    # float64 all the way; around the standard's rounded thresholds decoding and encoding differ by
    # 3e-8, times at most 130 L* a unit of encoded gray.
    np.testing.assert_allclose(gray_to_lightness(gray), lightness_of(truth), rtol=0, atol=5e-6)


@given(pictures)
def test_law_float32_is_enough_for_the_gray_input(truth):
    lightness = rgb_to_lab(np.repeat(gray_of(truth).astype(np.float32)[..., None], 3, axis=-1))

    # The fast path of the colour mathematics is held to 2e-4.
    np.testing.assert_allclose(lightness[..., 0], lightness_of(truth), rtol=0, atol=3e-4)


@given(pictures)
def test_law_the_gray_picture_is_gray_and_within_rounding_of_its_truth(truth):
    picture = to_gray_picture(gray_of(truth))

    assert (picture == picture[..., :1]).all()
    np.testing.assert_allclose(lightness_of(picture), lightness_of(truth), rtol=0, atol=ROUNDING)


@given(pictures)
def test_law_a_gray_truth_stays_as_it_is(truth):
    gray = np.repeat(truth[..., :1], 3, axis=-1)

    np.testing.assert_array_equal(to_gray_picture(gray_of(gray)), gray)


@given(pictures)
def test_law_no_mean_colour_is_gray(truth):
    picture = mean_colour(lightness_of(truth), (0.0, 0.0))

    np.testing.assert_array_equal(picture, to_gray_picture(gray_of(truth)))


@given(pictures, st.floats(-90, 90), st.floats(-90, 90))
def test_law_mean_colour_keeps_lightness(truth, a, b):
    lightness = lightness_of(truth)
    picture = mean_colour(lightness, (a, b))

    np.testing.assert_allclose(lightness_of(picture), lightness, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("mean_ab", [(1.16, 6.07), (30.0, 40.0), (-20.0, 15.0)])
def test_mean_colour_is_the_constant_wherever_it_fits(mean_ab):
    lab = rgb_to_lab(mean_colour(np.full((1, 1), 60.0), mean_ab) / 255.0)[0, 0]

    # Half a code of each channel: 0.39 was seen.
    assert lab[1:] == pytest.approx(mean_ab, abs=0.5)


def test_mean_colour_fades_at_constant_hue_where_it_does_not_fit():
    lab = rgb_to_lab(mean_colour(np.full((1, 1), 95.0), (30.0, 40.0)) / 255.0)[0, 0]
    c_ab = np.hypot(lab[1], lab[2])

    assert 1 < c_ab < 20
    # Half a code of each channel turns so pale a colour by no more than 0.5 / c_ab.
    assert np.arctan2(lab[2], lab[1]) == pytest.approx(np.arctan2(40.0, 30.0), abs=0.5 / c_ab)


@pytest.mark.parametrize(
    "truth", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3)), np.zeros((2, 2, 4), np.uint8)]
)
def test_what_is_no_8_bit_colour_picture_is_refused(truth):
    with pytest.raises(InputError, match="wanted uint8"):
        gray_of(truth)


def test_a_mean_colour_that_is_not_finite_is_refused():
    with pytest.raises(InputError, match="finite"):
        mean_colour(np.full((1, 1), 50.0), (np.nan, 0.0))

"""PSNR, SSIM, CIEDE2000 and colourfulness: their laws, and the sources that they agree with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity

from chroma_core.color.lab import rgb_to_lab
from chroma_core.errors import InputError
from chroma_core.evaluation import metrics
from chroma_core.evaluation.metrics import (
    PSNR_CAP,
    SSIM_SIDE,
    colourfulness,
    mean_ciede2000,
    psnr,
    ssim,
)

codes = st.integers(0, 255)


@st.composite
def pairs(draw, smallest=1, largest=24):
    """Two pictures of one size: noise, and the same noise moved by a little or a lot."""
    shape = (draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest)), 3)
    first = draw(hnp.arrays(np.uint8, shape, elements=codes, fill=codes))
    second = draw(hnp.arrays(np.uint8, shape, elements=codes, fill=codes))
    share = draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    mixed = np.rint(first + share * (second.astype(float) - first)).astype(np.uint8)
    return first, mixed


def photograph_like(height, width, seed):
    """A smooth picture with some texture, like nothing that is constant or pure noise."""
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[:height, :width]
    waves = np.stack([np.sin(row / 17 + i) + np.cos(col / (11 + 3 * i)) for i in range(3)], -1)
    return np.clip(127 + 50 * waves + rng.normal(0, 6, waves.shape), 0, 255).astype(np.uint8)


@given(pairs())
def test_law_psnr_is_symmetric_and_lies_between_0_and_the_cap(pair):
    truth, picture = pair

    assert psnr(truth, picture) == psnr(picture, truth)
    assert 0 <= psnr(truth, picture) <= PSNR_CAP


@given(pairs())
def test_law_equal_pictures_get_the_best_of_every_figure(pair):
    truth, _ = pair

    assert psnr(truth, truth) == PSNR_CAP
    assert mean_ciede2000(truth, truth) == 0


@given(st.integers(1, 63), st.integers(1, 63), st.integers(0, 2**32 - 1))
def test_law_more_noise_never_raises_psnr(first, second, seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(64, 192, (9, 7, 3))
    signs = rng.choice([-1, 1], truth.shape)
    noisy = {
        k: psnr(truth.astype(np.uint8), (truth + k * signs).astype(np.uint8))
        for k in (first, second)
    }

    # Every channel is off by k, so that MSE = k² by construction; 1e-12: one logarithm.
    for k, decibels in noisy.items():
        assert decibels == pytest.approx(20 * np.log10(255 / k), abs=1e-12)
    assert (noisy[first] <= noisy[second]) == (first >= second)


def test_psnr_of_black_against_white_is_zero():
    black = np.zeros((4, 5, 3), np.uint8)

    assert psnr(black, black + 255) == 0


def test_psnr_is_taken_over_all_three_channels():
    truth = np.zeros((2, 2, 3), np.uint8)
    picture = truth.copy()
    picture[0, 0, 1] = 12

    # One of 12 numbers is off by 12: MSE = 144 / 12.
    assert psnr(truth, picture) == pytest.approx(10 * np.log10(255**2 / 12), abs=1e-12)


@given(pairs(smallest=SSIM_SIDE))
def test_law_ssim_equals_scikit_image(pair):
    truth, picture = pair
    theirs = structural_similarity(
        truth,
        picture,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1,
    )

    # Both sum float64; variances of codes cancel to about 1e-11 of 255², over C2 = 58.5.
    assert ssim(truth, picture) == pytest.approx(theirs, abs=1e-9)


@given(pairs(smallest=SSIM_SIDE))
def test_law_ssim_is_symmetric_lies_in_its_range_and_is_1_on_equal_pictures(pair):
    truth, picture = pair
    similarity = ssim(truth, picture)

    assert similarity == ssim(picture, truth)
    assert -1 <= similarity <= 1 + 1e-12  # rounding of a mean of ones
    assert ssim(truth, truth) == pytest.approx(1, abs=1e-15)


@given(pairs(smallest=SSIM_SIDE))
def test_law_ssim_does_not_know_left_from_right(pair):
    truth, picture = pair

    # Only the order of sums differs.
    assert ssim(truth[::-1, ::-1], picture[::-1, ::-1]) == pytest.approx(
        ssim(truth, picture), abs=1e-12
    )


def test_ssim_of_two_constant_pictures_is_the_luminance_term():
    dark, light = np.full((12, 13, 3), 50, np.uint8), np.full((12, 13, 3), 200, np.uint8)
    c1 = (0.01 * 255) ** 2

    # Wang et al. 2004, equation (6): without variance the other two terms are 1.
    by_hand = (2 * 50 * 200 + c1) / (50**2 + 200**2 + c1)
    assert ssim(dark, light) == pytest.approx(by_hand, abs=1e-9)


@given(pairs())
def test_law_ciede2000_is_symmetric_and_not_negative(pair):
    truth, picture = pair
    difference = mean_ciede2000(truth, picture)

    assert difference >= 0
    # Sharma, Wu and Dalal 2005, 3: symmetric by construction; sums of up to 576 pixels.
    assert difference == pytest.approx(mean_ciede2000(picture, truth), rel=1e-12, abs=1e-12)


@given(pairs())
def test_law_ciede2000_equals_scikit_image_on_the_same_lab(pair):
    truth, picture = pair
    theirs = deltaE_ciede2000(rgb_to_lab(truth / 255.0), rgb_to_lab(picture / 255.0))

    # On the discontinuity of the mean hue a rounding may take either side: 0.04 was printed for one
    # pixel by Sharma et al., and colours of 8 bits hardly ever meet it. Else both are exact.
    assert mean_ciede2000(truth, picture) == pytest.approx(theirs.mean(), abs=1e-6)


def test_ciede2000_of_a_published_pair_of_grays():
    # L* 53.585 (code 128) against 50.034 (code 119), a* = b* = 0: only the lightness term, with
    # S_L = 1 + 0.015 m² / sqrt(20 + m²), m = mean L* − 50 (Sharma et al. 2005, equation 15).
    first, second = 53.5850134522, 50.0344387925
    mean = ((first + second) / 2 - 50) ** 2
    by_hand = (first - second) / (1 + 0.015 * mean / np.sqrt(20 + mean))

    gray = np.full((3, 4, 3), 128, np.uint8)
    assert mean_ciede2000(gray, gray - 9) == pytest.approx(by_hand, abs=1e-9)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=codes))
def test_law_gray_has_no_colourfulness(gray):
    assert colourfulness(np.repeat(gray[..., np.newaxis], 3, axis=-1)) == 0


@given(pairs())
def test_law_colourfulness_is_the_printed_formula(pair):
    _, picture = pair
    red, green, blue = np.moveaxis(picture.astype(np.float64), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    by_hand = np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)

    # Variances of up to 255² in float64; where they vanish the root makes 1e-13 of 1e-26.
    assert colourfulness(picture) == pytest.approx(by_hand, rel=1e-12, abs=1e-6)


def test_colourfulness_of_one_pure_colour_is_its_mean_term():
    red = np.zeros((5, 6, 3), np.uint8)
    red[..., 0] = 255

    assert colourfulness(red) == pytest.approx(0.3 * np.hypot(255, 127.5), abs=1e-12)


def test_figures_do_not_depend_on_the_stripes(monkeypatch):
    truth, picture = photograph_like(90, 40, seed=1), photograph_like(90, 40, seed=2)
    figures = (psnr, ssim, mean_ciede2000, lambda truth, picture: colourfulness(picture))

    monkeypatch.setattr(metrics, "_PIXELS_AT_ONCE", 1 << 30)
    whole = [figure(truth, picture) for figure in figures]
    monkeypatch.setattr(metrics, "_PIXELS_AT_ONCE", 40 * 13)
    striped = [figure(truth, picture) for figure in figures]

    # Sums are cut elsewhere, which moves the last digits.
    assert striped == pytest.approx(whole, rel=1e-13)


def test_a_picture_one_window_high_or_wide_still_has_an_ssim():
    assert ssim(*(photograph_like(SSIM_SIDE, 40, seed) for seed in (1, 2))) < 1
    assert ssim(*(photograph_like(40, SSIM_SIDE, seed) for seed in (1, 2))) < 1


def test_pictures_smaller_than_the_window_are_refused():
    small = photograph_like(SSIM_SIDE - 1, 40, seed=1)

    with pytest.raises(InputError, match="at least 11 by 11 pixels, not 10 by 40"):
        ssim(small, small)


@pytest.mark.parametrize("figure", [psnr, ssim, mean_ciede2000], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("truth", "picture", "why"),
    [
        (np.zeros((12, 12, 3), np.uint8), np.zeros((12, 13, 3), np.uint8), "its truth"),
        (np.zeros((12, 12, 3)), np.zeros((12, 12, 3), np.uint8), "truth has dtype float64"),
        (np.zeros((12, 12, 3), np.uint8), np.zeros((12, 12, 3), np.uint16), "dtype uint16"),
        (np.zeros((12, 12), np.uint8), np.zeros((12, 12), np.uint8), r"shape \(12, 12\)"),
        (np.zeros((0, 12, 3), np.uint8), np.zeros((0, 12, 3), np.uint8), "not empty"),
    ],
    ids=["sizes differ", "float truth", "16 bits", "one channel", "empty"],
)
def test_what_is_no_pair_of_8_bit_pictures_is_refused(figure, truth, picture, why):
    with pytest.raises(InputError, match=why):
        figure(truth, picture)


def test_no_figure_writes_into_its_pictures():
    truth, picture = photograph_like(20, 20, seed=1), photograph_like(20, 20, seed=2)
    truth.setflags(write=False)
    picture.setflags(write=False)

    for figure in (psnr, ssim, mean_ciede2000):
        figure(truth, picture)
    colourfulness(picture)

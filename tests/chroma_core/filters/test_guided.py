from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.filters.guided import box_mean, guided_coefficients, guided_filter
from chroma_core.filters.resize import area_shrink, sample_bilinear

sizes = st.integers(1, 9)
radii = st.integers(0, 6)
epsilons = st.sampled_from([1e-4, 1e-3, 1e-1])


@st.composite
def guided_pictures(draw):
    shape = draw(st.tuples(sizes, sizes))
    values = draw(hnp.arrays(np.float64, shape, elements=st.floats(-100, 100)))
    guide = draw(hnp.arrays(np.float64, shape, elements=st.floats(0, 1)))
    return values, guide


def windows(picture, radius):
    """Return the reflected window around each pixel, shape (H, W, 2r+1, 2r+1)."""
    padded = np.pad(picture, radius, mode="symmetric")
    side = 2 * radius + 1
    return np.lib.stride_tricks.sliding_window_view(padded, (side, side))


def brute_guided(values, guide, radius, epsilon):
    """Fit every window by itself, then average what the fits of each window say (eq. 5, 6, 8)."""
    alpha, beta = np.empty_like(values), np.empty_like(values)
    for place in np.ndindex(values.shape):
        i = windows(guide, radius)[place].ravel()
        p = windows(values, radius)[place].ravel()
        alpha[place] = np.mean((i - i.mean()) * (p - p.mean())) / (i.var() + epsilon)
        beta[place] = p.mean() - alpha[place] * i.mean()
    return windows(alpha, radius).mean((2, 3)) * guide + windows(beta, radius).mean((2, 3))


@given(hnp.arrays(np.float64, st.tuples(sizes, sizes), elements=st.floats(-1e3, 1e3)), radii)
def test_law_box_means_are_means_of_reflected_windows(picture, radius):
    mean = box_mean(picture, radius)

    np.testing.assert_allclose(mean, windows(picture, radius).mean((2, 3)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("radius", [7, 40, 1001])
def test_a_window_may_be_wider_than_the_picture(radius):
    picture = np.arange(12.0).reshape(3, 4) ** 2

    mean = box_mean(picture, radius)

    padded = np.pad(picture, radius, mode="symmetric")
    corner = padded[: 2 * radius + 1, : 2 * radius + 1].mean()
    np.testing.assert_allclose(mean[0, 0], corner, rtol=1e-12)


def test_channels_are_averaged_one_by_one():
    picture = np.random.default_rng(0).random((5, 6, 2)).astype(np.float32)

    mean = box_mean(picture, 2)

    assert mean.dtype == np.float32
    np.testing.assert_array_equal(mean[..., 1], box_mean(picture[..., 1], 2))


def test_a_negative_radius_is_refused():
    with pytest.raises(ValueError, match="radius is -1"):
        box_mean(np.ones((2, 2)), -1)


@given(guided_pictures(), st.integers(0, 4), epsilons)
def test_law_guided_equals_the_formula_window_by_window(picture, radius, epsilon):
    values, guide = picture

    filtered = guided_filter(values, guide, radius, epsilon)

    # Differences of means of up to 100 at 1e-16, divided by epsilon.
    wanted = brute_guided(values, guide, radius, epsilon)
    np.testing.assert_allclose(filtered, wanted, rtol=0, atol=1e-12 / epsilon + 1e-11)


@given(guided_pictures(), radii, epsilons)
def test_law_coefficients_give_the_filtered_values(picture, radius, epsilon):
    values, guide = picture

    alpha, beta = guided_coefficients(values, guide, radius, epsilon)

    wanted = guided_filter(values, guide, radius, epsilon)
    np.testing.assert_array_equal(alpha * guide + beta, wanted)


@given(guided_pictures(), radii, epsilons, st.floats(-100, 100))
def test_law_a_constant_stays(picture, radius, epsilon, constant):
    _, guide = picture

    filtered = guided_filter(np.full_like(guide, constant), guide, radius, epsilon)

    np.testing.assert_allclose(filtered, constant, rtol=0, atol=1e-12 / epsilon + 1e-11)


@given(guided_pictures(), radii, epsilons, st.floats(-3, 3), st.floats(-10, 10))
def test_law_filtering_is_affine_in_the_values(picture, radius, epsilon, factor, offset):
    values, guide = picture

    filtered = guided_filter(factor * values + offset, guide, radius, epsilon)

    wanted = factor * guided_filter(values, guide, radius, epsilon) + offset
    np.testing.assert_allclose(filtered, wanted, rtol=0, atol=1e-11 / epsilon + 1e-11)


@given(guided_pictures(), st.integers(0, 4), epsilons, st.floats(0, 1))
def test_law_a_flat_guide_gives_the_mean_of_means(picture, radius, epsilon, gray):
    values, guide = picture

    filtered = guided_filter(values, np.full_like(guide, gray), radius, epsilon)

    wanted = box_mean(box_mean(values, radius), radius)
    np.testing.assert_allclose(filtered, wanted, rtol=0, atol=1e-12 / epsilon + 1e-11)


def test_what_the_guide_explains_comes_back_up_to_epsilon():
    guide = np.random.default_rng(1).random((30, 40))
    values = 40 * guide - 10

    # The variance of the guide is 1/12, so a slope of 40 becomes 40 (1 - 12 epsilon).
    for epsilon, most in ((1e-3, 1.0), (1e-6, 1e-3)):
        assert np.abs(guided_filter(values, guide, 4, epsilon) - values).max() < most


def test_float32_is_close_to_float64_on_a_large_picture():
    rng = np.random.default_rng(2)
    guide = rng.random((300, 1200))
    values = rng.normal(0, 30, (300, 1200, 2))

    exact = guided_filter(values, guide, 16, 1e-4)
    fast = guided_filter(values.astype(np.float32), guide.astype(np.float32), 16, 1e-4)

    # Rounding of the inputs alone: 30 · 6e-8 · some σ, divided by the smallest variance.
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, exact, rtol=0, atol=2e-4)


def test_blocks_of_rows_do_not_show():
    # 65,536 pixels are a block: 20 rows of it.
    rng = np.random.default_rng(3)
    guide, values = rng.random((70, 3276)), rng.normal(0, 30, (70, 3276))

    filtered = guided_filter(values, guide, 3, 1e-3)

    wide = guided_filter(values[:, :200], guide[:, :200], 3, 1e-3)
    np.testing.assert_allclose(filtered[:, :194], wide[:, :194], rtol=0, atol=1e-9)


def test_small_coefficients_sampled_at_full_size_come_near_the_filter():
    # He & Sun 2015: fit on a quarter of the size. A smooth guide leaves little to lose.
    row, col = np.mgrid[0:128, 0:160] / 128
    guide = 0.5 + 0.3 * np.sin(4 * row) * np.cos(5 * col)
    values = 30 * np.cos(3 * row + 2 * col)

    alpha, beta = guided_coefficients(
        area_shrink(values, (32, 40)), area_shrink(guide, (32, 40)), 4, 1e-3
    )
    rows, cols = (np.arange(128) + 0.5) / 4 - 0.5, (np.arange(160) + 0.5) / 4 - 0.5
    fast = sample_bilinear(alpha, rows, cols) * guide + sample_bilinear(beta, rows, cols)

    exact = guided_filter(values, guide, 16, 1e-3)
    # Values span 60; measured 0.17 on average.
    assert np.abs(fast - exact).mean() < 0.3


def test_memory_is_two_planes_of_one_channel_whatever_the_radius():
    values = np.ones((1000, 2000, 2), dtype=np.float32)
    guide = np.ones((1000, 2000), dtype=np.float32)

    tracemalloc.start()
    filtered = guided_filter(values, guide, 300, 1e-3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # Two planes of 7.6 MiB, and blocks of 0.5 to 1 MiB.
    assert peak - filtered.nbytes < 26 * 2**20


@pytest.mark.opencv
def test_it_agrees_with_opencv():
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(5)
    guide = area_shrink(rng.random((480, 640)), (120, 160)).astype(np.float32)
    guide = (guide - guide.min()) / (guide.max() - guide.min())
    values = rng.normal(0, 20, (120, 160)).astype(np.float32)

    theirs = cv2.ximgproc.guidedFilter(guide, values, 8, 1e-3)

    # float32 sums there; 1.7e-4 was seen on photographs.
    np.testing.assert_allclose(guided_filter(values, guide, 8, 1e-3), theirs, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((3, 4)), np.ones((4, 3)), 1, 1e-3), r"guide has shape \(4, 3\)"),
        ((np.ones((3, 4)), np.ones((3, 4)), 1, 0.0), "epsilon is 0"),
        ((np.ones((3, 4)), np.ones((3, 4)), -2, 1e-3), "radius is -2"),
    ],
    ids=["shape", "epsilon", "radius"],
)
def test_what_cannot_be_meant_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        guided_filter(*arguments)

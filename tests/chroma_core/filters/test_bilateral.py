from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.filters.bilateral import bilateral_reach, joint_bilateral_filter

sizes = st.integers(1, 8)
spaces = st.floats(0.3, 3)
ranges = st.floats(0.5, 200)
steps = st.integers(1, 3)


@st.composite
def pictures(draw):
    shape = draw(st.tuples(sizes, sizes))
    values = draw(hnp.arrays(np.float64, shape, elements=st.floats(-100, 100)))
    lightness = draw(hnp.arrays(np.float64, shape, elements=st.floats(0, 100)))
    return values, lightness


def brute(values, guide, sigma_space, sigma_range, step=1):
    """Go over every pixel and every neighbour."""
    height, width = guide.shape
    far = math.ceil(2 * sigma_space / step)
    filtered = np.empty_like(values)
    for i, j in np.ndindex(guide.shape):
        total = weights = 0.0
        for down in range(-far, far + 1):
            for along in range(-far, far + 1):
                k, m = i + step * down, j + step * along
                if not (0 <= k < height and 0 <= m < width):
                    continue
                distance = math.hypot(k - i, m - j)
                weight = math.exp(-(distance**2) / (2 * sigma_space**2)) * math.exp(
                    -((guide[i, j] - guide[k, m]) ** 2) / (2 * sigma_range**2)
                )
                total, weights = total + weight * values[k, m], weights + weight
        filtered[i, j] = total / weights
    return filtered


@given(pictures(), st.floats(0.3, 1.5), ranges, steps)
def test_law_it_is_the_printed_sum(picture, sigma_space, sigma_range, step):
    values, guide = picture

    filtered = joint_bilateral_filter(values, guide, sigma_space, sigma_range, step=step)

    wanted = brute(values, guide, sigma_space, sigma_range, step)
    np.testing.assert_allclose(filtered, wanted, rtol=1e-12, atol=1e-11)


@given(pictures(), spaces, ranges, steps, st.floats(-100, 100))
def test_law_a_constant_stays(picture, sigma_space, sigma_range, step, constant):
    _, guide = picture

    filtered = joint_bilateral_filter(
        np.full_like(guide, constant), guide, sigma_space, sigma_range, step=step
    )

    # At most 169 additions, each rounding by half an ulp.
    np.testing.assert_allclose(filtered, constant, rtol=4e-14)


@given(pictures(), spaces, ranges, steps)
def test_law_nothing_passes_the_extremes(picture, sigma_space, sigma_range, step):
    values, guide = picture

    filtered = joint_bilateral_filter(values, guide, sigma_space, sigma_range, step=step)

    slack = 4e-14 * np.abs(values).max()
    assert filtered.min() >= values.min() - slack
    assert filtered.max() <= values.max() + slack


@given(pictures(), spaces, ranges, steps, st.integers(-50, 50))
def test_law_a_lighter_guide_gives_the_same(picture, sigma_space, sigma_range, step, more):
    values, guide = picture
    guide = np.round(guide * 8) / 8  # Differences stay exact.

    filtered = joint_bilateral_filter(values, guide + more, sigma_space, sigma_range, step=step)

    wanted = joint_bilateral_filter(values, guide, sigma_space, sigma_range, step=step)
    np.testing.assert_array_equal(filtered, wanted)


@given(pictures(), spaces)
def test_law_an_endless_range_is_a_gaussian_blur(picture, sigma_space):
    values, guide = picture

    filtered = joint_bilateral_filter(values, guide, sigma_space, math.inf)

    def blurred(picture, axis):
        radius = math.ceil(2 * sigma_space)
        kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma_space**2))
        full = np.apply_along_axis(np.convolve, axis, picture, kernel, "full")
        return np.take(full, np.arange(picture.shape[axis]) + radius, axis=axis)

    shares = blurred(blurred(np.ones_like(values), 0), 1)
    wanted = blurred(blurred(values, 0), 1) / shares
    np.testing.assert_allclose(filtered, wanted, rtol=0, atol=1e-11)


def test_an_edge_of_many_sigmas_is_not_crossed():
    lightness = np.repeat([[20.0, 80.0]], 5, axis=1).repeat(6, axis=0)
    values = np.where(lightness > 50, 30.0, -30.0) + np.random.default_rng(0).normal(0, 1, (6, 10))

    filtered = joint_bilateral_filter(values, lightness, 3.0, 5.0)

    # 60 L* are 12 sigmas: e^-72.
    dark, light = values[:, :5], values[:, 5:]
    np.testing.assert_allclose(
        filtered[:, :5], joint_bilateral_filter(dark, lightness[:, :5], 3.0, 5.0), atol=1e-12
    )
    np.testing.assert_allclose(
        filtered[:, 5:], joint_bilateral_filter(light, lightness[:, 5:], 3.0, 5.0), atol=1e-12
    )
    assert filtered.std() < values.std()


def test_a_sampled_window_is_near_the_whole_one():
    # An edge and a slope in the guide, texture of 2 L*, values that follow the edge.
    rng = np.random.default_rng(1)
    row, col = np.mgrid[0:80, 0:90]
    edge = col > 40 + row / 5
    guide = np.where(edge, 70.0, 35.0) + row / 10 + rng.normal(0, 2, (80, 90))
    values = np.where(edge, 25.0, -15.0) + 5 * np.sin(row / 9) + rng.normal(0, 4, (80, 90))

    whole = joint_bilateral_filter(values, guide, 8.0, 10.0)
    sampled = joint_bilateral_filter(values, guide, 8.0, 10.0, step=2)

    # The filter moves values by 4.1 on average; measured 0.3 between the two.
    assert np.abs(sampled - whole).mean() < 0.12 * np.abs(whole - values).mean()


def test_float32_is_kept_and_near_float64():
    rng = np.random.default_rng(2)
    values, guide = rng.normal(0, 30, (20, 30, 2)), rng.random((20, 30)) * 100

    fast = joint_bilateral_filter(values.astype(np.float32), guide.astype(np.float32), 3.0, 10.0)

    assert fast.dtype == np.float32
    exact = joint_bilateral_filter(values, guide, 3.0, 10.0)
    # 169 terms of up to 100, each off by 6e-8 of itself.
    np.testing.assert_allclose(fast, exact, rtol=0, atol=2e-4)


def test_channels_are_filtered_alike():
    rng = np.random.default_rng(3)
    values, guide = rng.normal(0, 30, (9, 7, 3)), rng.random((9, 7)) * 100

    filtered = joint_bilateral_filter(values, guide, 1.5, 20.0)

    for channel in range(3):
        alone = joint_bilateral_filter(values[..., channel], guide, 1.5, 20.0)
        np.testing.assert_array_equal(filtered[..., channel], alone)


def test_blocks_of_rows_do_not_show():
    # 65,536 pixels are a block: two rows of it.
    rng = np.random.default_rng(4)
    values, guide = rng.normal(0, 30, (7, 30_000)), rng.random((7, 30_000)) * 100

    filtered = joint_bilateral_filter(values, guide, 0.5, 20.0)

    start = joint_bilateral_filter(values[:, :50], guide[:, :50], 0.5, 20.0)
    np.testing.assert_array_equal(filtered[:, :49], start[:, :49])


@given(st.floats(0.3, 4), steps)
def test_law_reach_is_as_far_as_a_single_pixel_shows(sigma_space, step):
    reach = bilateral_reach(sigma_space, step)
    values = np.zeros((1, 61))
    values[0, 30] = 1.0

    filtered = joint_bilateral_filter(values, np.zeros_like(values), sigma_space, 10.0, step=step)

    assert np.flatnonzero(filtered[0]).tolist() == list(range(30 - reach, 30 + reach + 1, step))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sigma_space": 0.0}, "sigmas are 0.0 and 10.0"),
        ({"sigma_range": -1.0}, "sigmas are 2.0 and -1.0"),
        ({"step": 0}, "step is 0"),
        ({"guide": np.ones((4, 3))}, r"guide has shape \(4, 3\), wanted \(3, 4\)"),
    ],
    ids=["space", "range", "step", "shape"],
)
def test_what_cannot_be_meant_is_refused(settings, message):
    usual = {"guide": np.ones((3, 4)), "sigma_space": 2.0, "sigma_range": 10.0}

    with pytest.raises(ValueError, match=message):
        joint_bilateral_filter(np.ones((3, 4)), **(usual | settings))

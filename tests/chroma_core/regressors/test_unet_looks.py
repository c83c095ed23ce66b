"""Laws of how the network of ``bins-unet/2`` looks at pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.color.lab import gray_to_lightness
from chroma_core.errors import ModelMismatch
from chroma_core.regressors.unet_looks import (
    MOST_ENLARGED,
    SECOND_SIDE,
    filled_up,
    first_node,
    gray_of,
    logits_of,
    second_shape,
)
from chroma_core.regressors.unet_net import MULTIPLE, STEP
from chroma_core.stages import Grid

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 90)


def drawn(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width), dtype=np.float32)


def means(gray):
    """Answer as a network would that knows nothing but the mean of 4 x 4 pixels, and its square."""
    rows, cols = (length // STEP for length in gray.shape)
    mean = gray.reshape(rows, STEP, cols, STEP).mean(axis=(1, 3))
    return np.stack([mean, mean**2], axis=-1)


# What the network sees


def test_sides_are_filled_up_to_what_the_network_takes():
    for length in range(1, 301):
        gray = np.zeros((length, 301 - length), np.float32)

        padded, first = filled_up(gray)

        for axis, side in enumerate(gray.shape):
            assert padded.shape[axis] % MULTIPLE == 0
            assert side <= padded.shape[axis] < side + MULTIPLE
            assert first[axis] * STEP + side <= padded.shape[axis]
            # In the middle, as near as nodes allow.
            rest = padded.shape[axis] - side
            assert 0 <= rest / 2 - first[axis] * STEP < STEP


@given(sides, sides, seeds)
def test_law_the_picture_lies_inside_of_what_is_filled_up(height, width, seed):
    gray = drawn(height, width, seed)

    padded, (row, col) = filled_up(gray)

    assert padded.dtype == np.float32
    assert padded.flags.c_contiguous
    inner = padded[row * STEP : row * STEP + height, col * STEP : col * STEP + width]
    np.testing.assert_array_equal(inner, gray)


def test_it_is_filled_up_with_the_picture_in_a_mirror():
    padded, (row, col) = filled_up(drawn(42, 74))

    top, left = row * STEP, col * STEP
    assert top >= 8
    assert left >= 8
    np.testing.assert_array_equal(padded[top - 5 : top], padded[top : top + 5][::-1])
    np.testing.assert_array_equal(padded[:, left - 5 : left], padded[:, left : left + 5][:, ::-1])
    bottom = top + 42
    np.testing.assert_array_equal(padded[bottom : bottom + 5], padded[bottom - 5 : bottom][::-1])


@given(sides, sides, seeds)
def test_law_lightness_becomes_the_gray_that_it_came_from(height, width, seed):
    gray = drawn(height, width, seed)

    found = gray_of(gray_to_lightness(gray), Grid.every_pixel(height, width), "onnx")

    assert found.dtype == np.float32
    # L* and back in single precision; dark tones lie on the straight part.
    np.testing.assert_allclose(found, gray, rtol=0, atol=2e-6)


def test_lightness_outside_of_its_range_is_seen_as_black_and_white():
    found = gray_of(np.array([[-5, 110]], np.float32), Grid.every_pixel(1, 2), "onnx")

    # Encoded white, in single precision.
    np.testing.assert_allclose(found, [[0, 1]], atol=1e-6)


@pytest.mark.parametrize("step", [(4.0, 4.0), (1.0, 2.0), (0.5, 0.5)], ids=str)
def test_other_nodes_than_the_pixels_are_refused_and_the_features_named(step):
    grid = Grid(rows=2, cols=2, origin=(0.0, 0.0), step=step)

    with pytest.raises(ModelMismatch, match="onnx looks at every pixel") as caught:
        gray_of(np.zeros((2, 2), np.float32), grid, "onnx")

    assert "--features pixels" in caught.value.hint


def test_nodes_of_the_answer_stand_amid_their_pixels():
    assert first_node(Grid.every_pixel(9, 9)) == (1.5, 1.5)
    assert first_node(Grid(rows=4, cols=4, origin=(8.0, 2.0))) == (9.5, 3.5)


# How often, and how large


@given(sides, sides, seeds)
def test_law_a_look_answers_for_each_4_by_4_pixels(height, width, seed):
    gray = drawn(height, width, seed)

    found = logits_of(means, gray, twice=False)

    assert found.shape == (-(-height // STEP), -(-width // STEP), 2)
    rows, cols = height // STEP, width // STEP
    if rows and cols:
        whole = means(gray[: rows * STEP, : cols * STEP])
        # Means whose sums go in another order.
        np.testing.assert_allclose(found[:rows, :cols], whole, rtol=0, atol=1e-6)


def test_the_second_look_sees_a_larger_picture_in_a_mirror():
    seen = []

    def network(padded):
        seen.append(padded)
        return means(padded)

    gray = drawn(256, 340)
    gray[:, 170:] = 0
    logits_of(network, gray)

    first, second = seen
    assert first.shape == (256, 352)
    # 510 is no multiple of 32.
    assert second.shape == (384, 512)
    assert first[:, :150].mean() > 0.4 > 0.1 > first[:, -150:].mean()
    assert second[:, :220].mean() < 0.1 < 0.4 < second[:, -220:].mean()


def test_another_network_takes_the_second_look_and_no_other():
    gray = drawn(384, 384)

    def other(padded):
        return means(padded) + np.float32(1)

    both = logits_of(means, gray, second=other)

    np.testing.assert_array_equal(logits_of(means, gray, twice=False, second=other), means(gray))
    # The mean of two, whose sums go in another order.
    np.testing.assert_allclose(both, logits_of(means, gray) + 0.5, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((256, 340), (384, 512)),
        ((384, 384), (384, 384)),
        ((512, 900), (384, 672)),
        ((100, 150), (192, 288)),
        ((1, 7), (32, 32)),
    ],
    ids=str,
)
def test_the_second_look_is_of_one_size_but_enlarges_twice_at_most(shape, wanted):
    assert second_shape(shape) == wanted


@given(st.integers(1, 2000), st.integers(1, 2000))
def test_law_the_second_look_keeps_the_proportions(height, width):
    found = second_shape((height, width))

    scale = min(SECOND_SIDE / min(height, width), MOST_ENLARGED)
    for there, here in zip(found, (height, width), strict=True):
        assert there % MULTIPLE == 0
        assert abs(there - here * scale) <= MULTIPLE / 2 or there == MULTIPLE


@pytest.mark.parametrize("shape", [(48, 64), (45, 63), (384, 384), (500, 700)], ids=str)
def test_both_looks_answer_for_the_same_places(shape):
    """A network that only sees places: both answers, and so their mean, are the places again."""
    height, width = shape
    # From 0.2 to 0.8 along rows and along columns, both at once told by two pictures.
    for axis in (0, 1):
        ramp = 0.2 + 0.6 * (np.arange(shape[axis], dtype=np.float32) + 0.5) / shape[axis]
        gray = np.broadcast_to(ramp[:, np.newaxis] if axis == 0 else ramp, shape)

        both = logits_of(means, gray)[..., 0]

        once = logits_of(means, gray, twice=False)[..., 0]
        # Where nodes lie whole in the picture and off its border, where ramps are bent.
        inner = (slice(2, height // STEP - 2), slice(2, width // STEP - 2))
        slope = 0.6 / shape[axis]
        # A hundredth of a pixel.
        np.testing.assert_allclose(both[inner], once[inner], rtol=0, atol=slope / 100)


@given(sides, sides, st.floats(0, 1, width=32))
def test_law_a_flat_picture_gets_one_answer(height, width, tone):
    gray = np.full((height, width), tone, np.float32)

    found = logits_of(means, gray)

    assert found.shape == (-(-height // STEP), -(-width // STEP), 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], tone, rtol=0, atol=1e-6)

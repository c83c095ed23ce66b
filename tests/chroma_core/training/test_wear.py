"""Wear keeps pictures pictures: in range, of their size, with edges where they were."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chroma_core.training import wear
from chroma_core.training.wear import worn

KINDS = [
    wear._soft,
    wear._emulsion,
    wear._toned,
    wear._faded,
    wear._vignetted,
    wear._grainy,
    wear._stained,
    wear._scratched,
    wear._blocky,
    wear._framed,
]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.strip("_"))
seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 40)


def scene(seed: int = 0, height: int = 96, width: int = 128):
    """Return a picture of flat rectangles: edges at all places, in both senses."""
    rng = np.random.default_rng(seed)
    gray = np.full((height, width), 0.5, np.float32)
    for _ in range(40):
        top, left = rng.integers(0, height - 6), rng.integers(0, width - 6)
        rows, cols = rng.integers(6, 40, 2)
        gray[top : top + rows, left : left + cols] = rng.uniform(0.05, 0.95)
    return gray


def shift_between(one, other, reach: int = 3):
    """Return by how many rows and columns the edges of one picture lie beside the other's."""
    rims = slice(12, -12), slice(12, -12)
    best, found = -np.inf, None
    for rows in range(-reach, reach + 1):
        for cols in range(-reach, reach + 1):
            moved = np.roll(other, (rows, cols), axis=(0, 1))
            agreement = sum(
                (np.diff(one, axis=axis)[rims] * np.diff(moved, axis=axis)[rims]).sum()
                for axis in (0, 1)
            )
            if agreement > best:
                best, found = agreement, (rows, cols)
    return found


# What holds of wear as a whole


@given(seeds, seeds, sides, sides)
def test_law_a_worn_picture_is_a_picture_of_the_same_size(seed, picture, height, width):
    gray = np.random.default_rng(picture).random((height, width), dtype=np.float32)
    gray.flags.writeable = False

    found = worn(gray, np.random.default_rng(seed))

    assert found.shape == gray.shape
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1


@given(seeds)
def test_law_the_same_draws_give_the_same_wear(seed):
    gray = scene()

    one, other = (worn(gray, np.random.default_rng(seed)) for _ in range(2))

    np.testing.assert_array_equal(one, other)


def test_nearly_all_pictures_get_some_wear():
    gray = scene(height=24, width=24)

    same = [np.array_equal(worn(gray, np.random.default_rng(seed)), gray) for seed in range(600)]

    # The chances that no kind is drawn multiply to 0.031; 600 draws have a deviation of 0.007.
    assert 0 < np.mean(same) < 0.05


@pytest.mark.parametrize("seed", range(20))
def test_edges_stay_where_they_are_whatever_is_put_on(seed):
    gray = scene(seed)

    assert shift_between(worn(gray, np.random.default_rng(seed)), gray) == (0, 0)


def test_the_measure_of_shifts_finds_shifts():
    gray = scene(3)

    assert shift_between(np.roll(gray, (1, -2), axis=(0, 1)), gray) == (1, -2)


# What holds of each kind


@kinds
def test_each_kind_keeps_size_and_edges_and_changes_something(kind):
    for seed in range(4):
        gray = scene(seed)
        gray.flags.writeable = False

        found = kind(gray, np.random.default_rng(seed))

        assert found.shape == gray.shape
        assert found.dtype == np.float32
        assert np.abs(found - gray).max() > 0.01
        assert shift_between(found, gray) == (0, 0)


@kinds
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (13, 1), (2, 3)], ids=str)
def test_each_kind_takes_tiny_pictures(kind, shape):
    for seed in range(10):
        found = kind(np.full(shape, 0.5, np.float32), np.random.default_rng(seed))

        assert found.shape == shape
        assert np.isfinite(found).all()


@given(seeds)
def test_law_other_tones_are_in_the_same_order(seed):
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[np.newaxis]

    for kind in (wear._toned, wear._faded):
        found = kind(ramp, np.random.default_rng(seed))

        # Rounding in single precision where the curve is nearly level.
        assert (np.diff(found) > -1e-6).all()
        assert found.min() >= 0
        assert found.max() <= 1


@given(seeds)
def test_law_grain_has_no_mean_and_is_strongest_in_the_middle_tones(seed):
    spreads = []
    for tone in (0.02, 0.5):
        gray = np.full((64, 64), tone, np.float32)
        change = wear._grainy(gray, np.random.default_rng(seed)) - gray
        spreads.append(change[16:-16, 16:-16].std())
        # Clipping at 0 takes a part of the dark half away, at most 0.06 * 0.45 * 0.4.
        assert abs(change.mean()) < 0.012

    assert spreads[1] > 1.5 * spreads[0]


def test_a_blur_leaves_flat_pictures_and_sums_of_what_is_far_from_the_rim():
    flat = np.full((9, 14), 0.3, np.float32)
    point = np.zeros((21, 21), np.float32)
    point[10, 10] = 1

    np.testing.assert_allclose(wear._blurred(flat, 1.3), flat, rtol=1e-6)
    spread = wear._blurred(point, 1.3)
    assert spread.sum() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(spread, spread.T, atol=1e-7)
    offsets = np.arange(-10, 11)
    # The kernel ends after 2.5 sigma, which takes 2 in 100 of the variance of each axis at most.
    assert (spread.sum(axis=1) * offsets**2).sum() == pytest.approx(1.3**2, rel=0.1)


def test_a_frame_hides_only_the_rim():
    gray = scene()

    found = wear._framed(gray, np.random.default_rng(5))

    np.testing.assert_array_equal(found[7:-7, 7:-7], gray[7:-7, 7:-7])
    for rim in (found[0], found[-1], found[:, 0], found[:, -1]):
        assert (rim == found[0, 0]).all()


# The blocks of a JPEG


class Quality:
    """Draws one quality."""

    def __init__(self, quality: float) -> None:
        self.quality = quality

    def uniform(self, low, high):
        assert low <= self.quality <= high
        return self.quality


def test_the_cosine_transform_is_orthonormal():
    np.testing.assert_allclose(wear._DCT @ wear._DCT.T, np.eye(8), rtol=0, atol=1e-6)
    # Its first row is the mean, times the root of 8.
    np.testing.assert_allclose(wear._DCT[0], np.full(8, 8**-0.5), rtol=1e-6)


@pytest.mark.parametrize(("quality", "scale"), [(50, 1), (25, 2)])
def test_blocks_are_those_of_a_jpeg_with_the_same_table(quality, scale):
    """Qualities at which the scaled table K.1 is of whole numbers, as a file must have it."""
    table = (wear._LUMINANCE_STEPS * scale).astype(int).ravel().tolist()
    levels = np.rint(scene(1) * 255 + np.random.default_rng(1).normal(0, 9, (96, 128)))
    levels = levels.clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "JPEG", qtables=[table])
    picture = Image.open(file)
    assert picture.quantization[0] == table
    wanted = np.asarray(picture, dtype=np.float32)

    # A file takes 128 levels off before it transforms, wear the middle of its range: 127.5.
    found = wear._blocky((levels.astype(np.float32) - 0.5) / 255, Quality(quality)) * 255 + 0.5

    gap = np.abs(found.clip(0, 255) - wanted)
    # A file's decoder rounds to whole levels, and one coefficient in some hundreds lies so near the
    # middle between two steps that its integer transform takes the other one, for a whole block.
    assert np.median(gap) <= 0.5
    assert (gap <= 0.6).mean() > 0.85
    assert np.abs(found - levels).mean() > 10 * gap.mean()


@pytest.mark.parametrize("shape", [(8, 8), (9, 17), (5, 30)], ids=str)
def test_blocks_at_the_rim_are_filled_up_with_it(shape):
    gray = np.full(shape, 128 / 255, np.float32)

    found = wear._blocky(gray, Quality(50))

    # A flat block is its mean, to half a step of 16 levels times 8 over 8.
    np.testing.assert_allclose(found, gray, atol=1 / 255)

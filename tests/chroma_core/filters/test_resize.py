from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.filters.resize import area_shrink, sample_bilinear

sizes = st.integers(1, 12)


@st.composite
def shrinkings(draw):
    shape = draw(st.tuples(sizes, sizes) | st.tuples(sizes, sizes, st.integers(1, 3)))
    values = st.floats(-1e3, 1e3)
    picture = draw(hnp.arrays(np.float64, shape, elements=values))
    return picture, (draw(st.integers(1, shape[0])), draw(st.integers(1, shape[1])))


def overlaps(size, parts):
    """Return what part i covers of pixel j, by intervals of real numbers."""
    begin = np.arange(parts)[:, np.newaxis] * size / parts
    end = begin + size / parts
    pixel = np.arange(size)
    return np.clip(np.minimum(end, pixel + 1) - np.maximum(begin, pixel), 0, None) * parts / size


@given(shrinkings())
def test_law_pixels_are_means_over_the_areas_that_they_cover(shrinking):
    picture, (rows, cols) = shrinking

    shrunk = area_shrink(picture, (rows, cols))

    height, width = picture.shape[:2]
    wanted = np.einsum("ih,jw,hw...->ij...", overlaps(height, rows), overlaps(width, cols), picture)
    # Values up to 1e3, 144 terms: rounding of some 1e-11.
    np.testing.assert_allclose(shrunk, wanted, rtol=0, atol=1e-10)


@given(shrinkings())
def test_law_the_mean_is_kept(shrinking):
    picture, shape = shrinking

    shrunk = area_shrink(picture, shape)

    np.testing.assert_allclose(shrunk.mean((0, 1)), picture.mean((0, 1)), rtol=0, atol=1e-10)


@given(shrinkings())
def test_law_the_same_size_changes_nothing(shrinking):
    picture, _ = shrinking

    np.testing.assert_array_equal(area_shrink(picture, picture.shape[:2]), picture)


@given(shrinkings(), st.floats(-100, 100))
def test_law_a_constant_stays(shrinking, constant):
    picture, shape = shrinking

    shrunk = area_shrink(np.full_like(picture, constant), shape)

    np.testing.assert_allclose(shrunk, constant, rtol=1e-14)


def test_whole_ratios_are_means_of_blocks():
    picture = np.arange(24.0).reshape(4, 6)

    shrunk = area_shrink(picture, (2, 2))

    np.testing.assert_array_equal(shrunk, picture.reshape(2, 2, 2, 3).mean((1, 3)))


def test_blocks_of_rows_do_not_show():
    # 300 rows of 3000 numbers are several blocks of work.
    picture = np.random.default_rng(3).random((701, 1000, 3))

    shrunk = area_shrink(picture, (300, 7))

    wanted = np.einsum(
        "ih,jw,hwc->ijc", overlaps(701, 300), overlaps(1000, 7), picture, optimize=True
    )
    np.testing.assert_allclose(shrunk, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(np.uint8, np.float32), (np.float32, np.float32), (np.float64, np.float64)],
)
def test_the_dtype_is_kept_and_code_values_become_floats(given, kept):
    shrunk = area_shrink(np.array([[0, 255], [255, 255]], dtype=given), (1, 1))

    assert shrunk.dtype == kept
    assert shrunk.item() == 191.25


def test_nan_stays_where_it_is():
    picture = np.ones((4, 4))
    picture[0, 0] = np.nan

    shrunk = area_shrink(picture, (2, 2))

    np.testing.assert_array_equal(np.isnan(shrunk), [[True, False], [False, False]])


@pytest.mark.parametrize("shape", [(3, 2), (2, 4), (0, 2), (2, -1)])
def test_enlarging_is_refused(shape):
    with pytest.raises(ValueError, match="cannot shrink a picture of 2 x 3"):
        area_shrink(np.ones((2, 3)), shape)


def test_a_picture_of_no_pixels_is_refused():
    with pytest.raises(ValueError, match="cannot shrink"):
        area_shrink(np.ones((0, 3)), (1, 1))


@pytest.mark.parametrize("shape", [(170, 256), (2999, 3999), (1, 1)], ids=str)
def test_memory_is_bounded_by_blocks(shape):
    picture = np.ones((3000, 4000), dtype=np.float32)

    tracemalloc.start()
    shrunk = area_shrink(picture, shape)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # The picture is 46 MiB. Six blocks of 2 MiB live at the same time.
    assert peak - shrunk.nbytes < 13 * 2**20


maps = hnp.arrays(
    np.float64, st.tuples(sizes, sizes), elements=st.floats(-1e3, 1e3, allow_subnormal=False)
)
positions = hnp.arrays(np.float64, sizes, elements=st.floats(-5, 20))


@given(maps, positions, positions)
def test_law_sampling_is_linear_interpolation_along_both_axes(values, rows, cols):
    sampled = sample_bilinear(values, rows, cols)

    height, width = values.shape
    down = np.stack([np.interp(rows, np.arange(height), column) for column in values.T], axis=1)
    wanted = np.stack([np.interp(cols, np.arange(width), row) for row in down])
    np.testing.assert_allclose(sampled, wanted, rtol=0, atol=1e-11)


@given(maps)
def test_law_at_the_nodes_the_values_come_back_to_the_bit(values):
    height, width = values.shape

    sampled = sample_bilinear(values, np.arange(height), np.arange(width))

    np.testing.assert_array_equal(sampled, values)


@given(st.floats(-1e3, 1e3), positions, positions, st.sampled_from([np.float32, np.float64]))
def test_law_a_constant_comes_back_to_the_bit(constant, rows, cols, dtype):
    values = np.full((3, 4), constant, dtype=dtype)

    sampled = sample_bilinear(values, rows, cols)

    assert sampled.dtype == dtype
    assert (sampled == values[0, 0]).all()


@given(maps, positions, positions)
def test_law_channels_are_sampled_alike(values, rows, cols):
    both = sample_bilinear(np.stack([values, -2 * values], axis=-1), rows, cols)

    np.testing.assert_array_equal(both[..., 0], sample_bilinear(values, rows, cols))
    np.testing.assert_array_equal(both[..., 1], -2 * both[..., 0])


def test_a_plane_is_sampled_exactly():
    row, col = np.mgrid[0:5, 0:9]
    rows, cols = np.linspace(0, 4, 33), np.linspace(0, 8, 65)

    sampled = sample_bilinear(3.0 * row - 2.0 * col, rows, cols)

    np.testing.assert_array_equal(sampled, 3 * rows[:, np.newaxis] - 2 * cols)


def test_blocks_of_positions_do_not_show():
    values = np.random.default_rng(4).random((9, 11, 2)).astype(np.float32)
    rows, cols = np.linspace(-1, 9, 700), np.linspace(-1, 12, 400)

    sampled = sample_bilinear(values, rows, cols)

    one_by_one = np.concatenate(
        [sample_bilinear(values, rows[i : i + 1], cols) for i in range(700)]
    )
    np.testing.assert_array_equal(sampled, one_by_one)

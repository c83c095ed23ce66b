import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.color import gray_to_lightness, into_srgb, lab_to_rgb, rgb_to_lab
from chroma_core.color.blocks import BLOCK, as_colors, as_floats, map_planes, map_values, power


def random_rgb(*shape, dtype=np.float64):
    return np.random.default_rng(7).random((*shape, 3)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("convert", [rgb_to_lab, lambda rgb: lab_to_rgb(100 * rgb), into_srgb])
def test_results_do_not_depend_on_where_blocks_begin(convert, dtype):
    rgb = random_rgb(BLOCK * 2 + 77, dtype=dtype)
    whole = convert(rgb)

    for start, stop in ((0, 1), (5, BLOCK + 5), (BLOCK - 3, BLOCK + 3), (1000, len(rgb))):
        np.testing.assert_array_equal(convert(rgb[start:stop]), whole[start:stop])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layout_in_memory_does_not_matter(dtype):
    rgb = random_rgb(37, 41, dtype=dtype)
    wanted = rgb_to_lab(rgb)
    with_alpha = np.concatenate([rgb, rgb[..., :1]], axis=-1)

    np.testing.assert_array_equal(rgb_to_lab(np.asfortranarray(rgb)), wanted)
    np.testing.assert_array_equal(rgb_to_lab(with_alpha[..., :3]), wanted)
    np.testing.assert_array_equal(rgb_to_lab(rgb[::-1, ::2]), wanted[::-1, ::2])
    np.testing.assert_array_equal(rgb_to_lab(rgb.swapaxes(0, 1)), wanted.swapaxes(0, 1))
    np.testing.assert_array_equal(into_srgb(np.asfortranarray(wanted)), into_srgb(wanted))


def test_broadcast_views_and_read_only_arrays_are_taken():
    rgb = np.broadcast_to(random_rgb(1), (4, 5, 3))
    assert not rgb.flags.writeable

    lab = rgb_to_lab(rgb)
    mapped = into_srgb(lab * 3)

    assert lab.shape == mapped.shape == (4, 5, 3)
    assert lab.flags.writeable
    assert mapped.flags.writeable


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)),
)
def test_law_any_leading_shape_is_kept(leading):
    rgb = np.full((*leading.shape, 3), 0.5)

    assert rgb_to_lab(rgb).shape == rgb.shape
    assert lab_to_rgb(rgb).shape == rgb.shape
    assert into_srgb(rgb).shape == rgb.shape
    assert gray_to_lightness(leading).shape == leading.shape


def test_code_values_are_refused_with_what_to_do():
    with pytest.raises(TypeError, match=r"uint8, wanted floats \(divide by 255 first\)"):
        rgb_to_lab(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(TypeError, match="65535"):
        gray_to_lightness(np.zeros((2, 2), np.uint16))


@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (3, 1)])
def test_arrays_without_three_channels_are_refused(shape):
    with pytest.raises(ValueError, match=r"wanted \(\.\.\., 3\)"):
        as_colors(np.zeros(shape))


def test_complex_numbers_are_refused():
    with pytest.raises(TypeError):
        as_floats(np.zeros(3, complex))


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1, 0, 0], np.float64),
        (np.zeros(3, np.float16), np.float64),
        (np.zeros(3, ">f4"), np.float64),
        (np.zeros(3, np.float32), np.float32),
        (np.zeros(3, np.float64), np.float64),
    ],
    ids=["integers", "half", "big-endian", "single", "double"],
)
def test_single_and_double_precision_are_kept_and_the_rest_becomes_double(values, wanted):
    assert rgb_to_lab(values).dtype == wanted


def test_no_argument_is_written_into():
    rgb = random_rgb(9, 9)
    kept = rgb.copy()

    lab = rgb_to_lab(rgb)
    lab_kept = lab.copy()
    lab_to_rgb(lab)
    into_srgb(lab * 2)
    into_srgb(lab)

    np.testing.assert_array_equal(rgb, kept)
    np.testing.assert_array_equal(lab, lab_kept)
    assert not np.shares_memory(into_srgb(lab), lab)


def test_kernels_see_planes_and_values_of_every_pixel_once():
    colors = np.arange(3.0 * (BLOCK + 5)).reshape(-1, 3)
    seen = []

    def swap(first, second, third):
        seen.append(len(first))
        return third, second, first

    np.testing.assert_array_equal(map_planes(swap, colors), colors[:, ::-1])
    np.testing.assert_array_equal(map_values(lambda values: -values, colors), -colors)
    assert seen == [BLOCK, 5]


@given(
    st.floats(0, 4, width=32, allow_subnormal=False),
    st.sampled_from([2.4, 1 / 2.4, 1 / 3, 0.8]),
)
def test_law_powers_in_single_precision_stay_near_double(base, exponent):
    with np.errstate(divide="ignore", under="ignore"):
        raised = power(np.array([base], np.float32), exponent)

    # A logarithm down to -87 carries 4 ulps of 7.6e-6 into the exponent at the worst; above 1e-3,
    # where colour lives, it stays below 2e-6.
    rtol = 2e-6 if base > 1e-3 else 2e-5
    np.testing.assert_allclose(raised, [base**exponent], rtol=rtol, atol=1e-37)


@pytest.mark.parametrize("convert", [rgb_to_lab, lab_to_rgb, into_srgb, gray_to_lightness])
def test_memory_beside_the_result_does_not_grow_with_the_picture(convert):
    picture = random_rgb(1 << 19, dtype=np.float32)
    convert(picture[:1])

    tracemalloc.start()
    result = convert(picture)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    # Some 30 float32 planes of a block take 2 MB. into_srgb keeps besides which pixels lie outside:
    # a byte for each pixel and 8 for those outside, which most of these are.
    beside = 5.5e6 if convert is into_srgb else 2.5e6
    assert peak < result.nbytes + beside

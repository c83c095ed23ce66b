import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.color import (
    WHITE_POINTS,
    inside_srgb,
    into_srgb,
    lab_to_rgb,
    rgb_to_lab,
    rgb_to_xyz_matrix,
    srgb_eotf,
    white_point,
)

whites = st.sampled_from(sorted(set(WHITE_POINTS.values())))
chroma_values = st.one_of(
    st.floats(-200, 200), st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, 5e-324, 1e300])
)


@st.composite
def labs(draw, dtype=np.float64):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=4))
    lab = np.empty((*shape, 3))
    lab[..., 0] = draw(hnp.arrays(np.float64, shape, elements=st.floats(0, 100)))
    lab[..., 1:] = draw(hnp.arrays(np.float64, (*shape, 2), elements=chroma_values))
    return np.clip(lab, -3e38, 3e38).astype(dtype)


def some_labs(count, seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    c_ab, hue = rng.exponential(40, count), rng.uniform(0, 2 * np.pi, count)
    lab = np.stack([rng.uniform(0, 100, count), c_ab * np.cos(hue), c_ab * np.sin(hue)], axis=-1)
    return lab.astype(dtype)


def first_exit(lab):
    """Return the scale at which the ray of a colour first leaves the cube, in closed form.

    On the ray, X and Z are cubic or linear in the scale, with a break where f meets 6/29; so each
    linear channel is a polynomial on each of at most three pieces, and it leaves [0, 1] at a root.
    """
    from_xyz = np.linalg.inv(rgb_to_xyz_matrix())
    xn, _, zn = white_point()
    lightness, a, b = lab
    fy = (lightness + 16) / 116
    y = fy**3 if fy > 6 / 29 else lightness * 27 / 24389

    def polynomial(slope, middle):
        f = np.polynomial.Polynomial([fy, slope])
        return f**3 if f(middle) > 6 / 29 else (116 * f - 16) * (27 / 24389)

    slopes = a / 500, -b / 200
    breaks = sorted(s for s in ((6 / 29 - fy) / slope for slope in slopes if slope) if 0 < s < 1)
    exits = [1.0]
    for low, high in zip([0.0, *breaks], [*breaks, 1.0], strict=True):
        x, z = (polynomial(slope, (low + high) / 2) for slope in slopes)
        for row in from_xyz:
            channel = row[0] * xn * x + row[1] * y + row[2] * zn * z
            for bound in (0, 1):
                for root in (channel - bound).roots():
                    if abs(root.imag) < 1e-12 and low - 1e-12 <= root.real <= high + 1e-12:
                        beyond = channel(root.real + 1e-6)
                        if beyond < 0 or beyond > 1:
                            exits.append(root.real)
    return max(0.0, min(exits))


def test_bisection_is_the_closed_form_on_ordinary_rays():
    lab = some_labs(1500, seed=1)
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))
    # In this wedge by yellow a ray may leave the gamut and come back, and the two rules differ.
    wedge = (hue > 95) & (hue < 107) & (lab[:, 0] > 87)
    lab = lab[~inside_srgb(lab) & ~wedge & (lab[:, 0] > 0.5)]
    c_ab = np.hypot(lab[:, 1], lab[:, 2])
    wanted = np.array([first_exit(one) for one in lab]) * c_ab
    mapped = into_srgb(lab)

    assert len(lab) > 500
    # 24 halvings of a chroma of at most 168 leave 1e-5. Where the boundary is grazed, the 1e-9 that
    # rounding is allowed moves the crossing further.
    distance = np.abs(np.hypot(mapped[:, 1], mapped[:, 2]) - wanted)
    assert np.quantile(distance, 0.99) < 3e-5
    assert distance.max() < 5e-3


@given(labs(), whites)
def test_law_what_comes_back_can_be_shown(lab, white):
    mapped = into_srgb(lab, white_point=white)
    linear = srgb_eotf(lab_to_rgb(mapped, white_point=white))

    assert inside_srgb(mapped, white_point=white).all()
    # 1e-9 is allowed for rounding; encoding and decoding add their own at the thresholds.
    assert linear.min() >= -1.1e-9
    assert linear.max() <= 1 + 1.1e-9


@given(labs(), whites)
def test_law_lightness_is_untouched_and_hue_kept(lab, white):
    mapped = into_srgb(lab, white_point=white)
    c_ab = np.hypot(lab[..., 1], lab[..., 2])
    turned = mapped[..., 1] * (lab[..., 2] / np.maximum(c_ab, 1)) - mapped[..., 2] * (
        lab[..., 1] / np.maximum(c_ab, 1)
    )

    np.testing.assert_array_equal(mapped[..., 0], lab[..., 0])
    # The same factor on both: an ulp of a chroma of at most 168.
    np.testing.assert_allclose(turned, 0, rtol=0, atol=1e-13)
    assert (mapped[..., 1] * lab[..., 1] >= 0).all()
    assert (mapped[..., 2] * lab[..., 2] >= 0).all()


@given(labs(), whites)
def test_law_chroma_is_never_raised(lab, white):
    mapped = into_srgb(lab, white_point=white)

    assert (np.abs(mapped) <= np.abs(lab)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(data=st.data(), white=whites)
def test_law_a_second_time_changes_nothing(dtype, data, white):
    once = into_srgb(data.draw(labs(dtype)), white_point=white)

    np.testing.assert_array_equal(into_srgb(once, white_point=white), once)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_second_time_changes_nothing_in_bulk(dtype):
    once = into_srgb(some_labs(200_000, seed=2, dtype=dtype))

    assert once.dtype == dtype
    assert inside_srgb(once).all()
    np.testing.assert_array_equal(into_srgb(once), once)


@given(labs())
def test_law_gray_is_fixed(lab):
    lab[..., 1:] = 0

    np.testing.assert_array_equal(into_srgb(lab), lab)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(
    rgb=hnp.arrays(np.float64, (4, 3), elements=st.floats(0, 1)),
    white=whites,
)
def test_law_every_colour_of_srgb_is_inside_and_fixed(dtype, rgb, white):
    lab = rgb_to_lab(rgb.astype(dtype), white_point=white)

    # In single precision a rounding of LAB is up to 2e-6 in linear light, so a colour on the cube's
    # surface may seem to lie outside it by that.
    gap = 4e-6 if dtype == np.float32 else None
    assert inside_srgb(lab, white_point=white, gap=gap).all()
    mapped = into_srgb(lab, white_point=white)
    inside = inside_srgb(lab, white_point=white)
    np.testing.assert_array_equal(mapped[inside], lab[inside])


def test_pure_colours_are_fixed_even_yellow_whose_ray_leaves_the_gamut():
    corners = np.array([[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)], float)
    lab = rgb_to_lab(corners)
    yellow = rgb_to_lab([1.0, 1.0, 0.0])
    on_the_way = yellow * [1, 0.6, 0.6]

    np.testing.assert_array_equal(into_srgb(lab), lab)
    # Half as colourful is not in the gamut, so "the first exit" would make yellow nearly gray.
    assert not inside_srgb(on_the_way, gap=1e-4)


def test_float32_is_near_float64():
    lab = some_labs(100_000, seed=3, dtype=np.float32)
    near, exact = into_srgb(lab), into_srgb(lab.astype(np.float64))
    distance = np.hypot(*(near - exact)[:, 1:].T)

    # 20 halvings leave 1.6e-4; grazing rays and the wedge by yellow magnify the 1e-6 allowed.
    assert np.quantile(distance, 0.999) < 0.01
    assert distance.max() < 0.1


def test_lightness_after_clipping_the_dust():
    for dtype, limit in ((np.float64, 1e-6), (np.float32, 1e-3)):
        mapped = into_srgb(some_labs(100_000, seed=4, dtype=dtype))
        clipped = np.clip(lab_to_rgb(mapped), 0, 1)
        moved = np.abs(rgb_to_lab(clipped)[:, 0] - mapped[:, 0])

        # 903 units of L* a unit of luminance near black, times the gap; above that, rounding.
        assert moved.max() < limit


@given(st.floats(-1e6, 1e6).filter(lambda x: not -1e-3 <= x <= 100.001), st.floats(-150, 150))
def test_law_without_any_colour_of_that_lightness_chroma_becomes_zero(lightness, a):
    assume(a != 0)
    mapped = into_srgb([lightness, a, -a])

    np.testing.assert_array_equal(mapped, [lightness, 0, 0])
    assert not inside_srgb(mapped)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_is_outside_and_stays_in_its_pixel(dtype):
    lab = np.array([[50, 10, 10], [50, np.nan, 10], [np.nan, 10, 10], [50, 300, 0]], dtype)
    mapped = into_srgb(lab)

    np.testing.assert_array_equal(inside_srgb(lab), [True, False, False, False])
    np.testing.assert_array_equal(np.isnan(mapped), [[0, 0, 0], [0, 1, 1], [1, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(mapped[0], lab[0])
    assert mapped[1, 0] == 50


def test_gap_says_how_far_outside_is_still_inside():
    red = rgb_to_lab([1.0, 0.0, 0.0])
    redder = red * [1, 1.001, 1.001]

    assert inside_srgb(red)
    assert not inside_srgb(redder)
    assert inside_srgb(redder, gap=0.01)
    assert inside_srgb(np.zeros((2, 5, 3))).shape == (2, 5)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.color import (
    WHITE_POINTS,
    gray_to_lightness,
    lab_to_rgb,
    lab_to_xyz,
    lightness_to_gray,
    lightness_to_luminance,
    linear_rgb_to_xyz,
    luminance_to_lightness,
    rgb_to_lab,
    srgb_eotf,
    white_point,
    xyz_to_lab,
)

shapes = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)
whites = st.sampled_from(sorted(set(WHITE_POINTS.values())))
precisions = st.sampled_from([np.float32, np.float64])


def colors(low=0.0, high=1.0, width=64):
    dtype = np.float32 if width == 32 else np.float64
    return hnp.arrays(
        dtype, shapes.map(lambda shape: (*shape, 3)), elements=st.floats(low, high, width=width)
    )


# From primaries to white: red, green, blue, yellow, cyan, magenta and some between; 8-bit code
# values, then L*, a*, b* under D65, 2 degrees, as colour-science 0.4.7 gives them with the matrix
# derived from the primaries. Textbooks print the first six with two digits (red 53.24 80.09 67.20).
VECTORS = [
    ((255, 0, 0), (53.2371155954, 80.0901135231, 67.2032635117)),
    ((0, 255, 0), (87.7355191097, -86.1815968904, 83.1866202736)),
    ((0, 0, 255), (32.3008729040, 79.1952703074, -107.8554655397)),
    ((255, 255, 0), (97.1385593418, -21.5599708145, 94.4838400156)),
    ((0, 255, 255), (91.1147523167, -48.0788883870, -14.1289852624)),
    ((255, 0, 255), (60.3227313546, 98.2374438132, -60.8289102310)),
    ((255, 128, 0), (67.0525287230, 42.8204352659, 74.0197954979)),
    ((12, 200, 90), (70.9556586516, -64.8169542281, 43.0666324291)),
    ((128, 64, 32), (34.7235574100, 24.9969733262, 31.3716462925)),
    ((128, 128, 128), (53.5850134522, 0, 0)),
    ((119, 119, 119), (50.0344387925, 0, 0)),
    ((11, 11, 11), (3.0229133610, 0, 0)),
    ((10, 10, 10), (2.7417480007, 0, 0)),
    ((1, 1, 1), (0.2741748001, 0, 0)),
    ((255, 255, 255), (100, 0, 0)),
    ((0, 0, 0), (0, 0, 0)),
]

# Red under other whites, 2 degrees, colours adapted by Bradford; colour-science as above.
RED = [
    ("A", (57.7298, 72.4479, 82.9232)),
    ("C", (53.4422, 77.0184, 67.4709)),
    ("D50", (54.2905, 80.8049, 69.8910)),
    ("D55", (53.8700, 80.7659, 68.7752)),
    ("D75", (52.7848, 79.1461, 66.1474)),
    ("E", (54.3258, 76.7196, 69.5112)),
]


@pytest.mark.parametrize(("codes", "lab"), VECTORS, ids=str)
def test_known_colours(codes, lab):
    rgb = np.array(codes) / 255

    np.testing.assert_allclose(rgb_to_lab(rgb), lab, rtol=0, atol=1e-10)
    np.testing.assert_allclose(lab_to_rgb(lab), rgb, rtol=0, atol=1e-11)
    # Single precision, with room for the exponential, the logarithm and 500 times a rounding.
    np.testing.assert_allclose(rgb_to_lab(rgb.astype(np.float32)), lab, rtol=0, atol=2e-4)


@pytest.mark.parametrize(("illuminant", "lab"), RED)
def test_red_under_other_whites(illuminant, lab):
    red = rgb_to_lab([1.0, 0.0, 0.0], white_point=illuminant)

    np.testing.assert_allclose(red, lab, rtol=0, atol=5.1e-5)


# web-platform-tests, css/css-color/lab-001: CSS defines lab() under D50, and says this is #008000.
def test_the_green_of_the_web_s_own_tests():
    green = lab_to_rgb([46.2775, -47.5621, 48.5837], white_point="D50")

    np.testing.assert_array_equal(np.rint(green * 255) + 0.0, [0, 128, 0])


@given(colors())
def test_law_round_trip(rgb):
    # Near black, encoding multiplies by 12.92 what lightness divided by 903: 1e-13 in all.
    np.testing.assert_allclose(lab_to_rgb(rgb_to_lab(rgb)), rgb, rtol=0, atol=3.1e-8)
    np.testing.assert_allclose(
        xyz_to_lab(lab_to_xyz(rgb_to_lab(rgb))), rgb_to_lab(rgb), rtol=0, atol=1e-12
    )


@given(colors(-0.5, 2.0), whites)
def test_law_round_trip_out_of_gamut_and_under_any_white(rgb, white):
    back = lab_to_rgb(rgb_to_lab(rgb, white_point=white), white_point=white)

    # The rounded thresholds of the standard leave 3.0e-8 between 0.0404482 and 0.04045.
    np.testing.assert_allclose(back, rgb, rtol=0, atol=3.1e-8)


@given(colors(width=32))
def test_law_round_trip_in_single_precision(rgb):
    # A few ulps of L* = 100 (7.6e-6), through a slope of at most 0.018 a unit, three channels.
    np.testing.assert_allclose(lab_to_rgb(rgb_to_lab(rgb)), rgb, rtol=0, atol=2e-5)


def test_eight_bit_colours_survive_single_precision():
    codes = np.stack(np.meshgrid(*[np.arange(0, 256, 3)] * 3, indexing="ij"), axis=-1)
    rgb = (codes / 255).astype(np.float32)

    np.testing.assert_array_equal(np.rint(lab_to_rgb(rgb_to_lab(rgb)) * 255), codes)


@given(hnp.arrays(np.float64, shapes, elements=st.floats(-2, 2)), whites, precisions)
def test_law_gray_is_neutral_to_the_last_bit(gray, white, dtype):
    rgb = np.repeat(gray.astype(dtype)[..., np.newaxis], 3, axis=-1)
    lab = rgb_to_lab(rgb, white_point=white)

    assert (lab[..., 1:] == 0).all()


@given(hnp.arrays(np.float64, shapes, elements=st.floats(-50, 150)), whites, precisions)
def test_law_no_chroma_is_gray_to_the_last_bit(lightness, white, dtype):
    lab = np.zeros((*lightness.shape, 3), dtype)
    lab[..., 0] = lightness
    rgb = lab_to_rgb(lab, white_point=white)

    np.testing.assert_array_equal(rgb[..., 0], rgb[..., 1])
    np.testing.assert_array_equal(rgb[..., 2], rgb[..., 1])


@given(whites)
def test_law_white_has_lightness_100_and_no_chroma(white):
    np.testing.assert_allclose(
        xyz_to_lab(white_point(white), white_point=white), [100, 0, 0], rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ends_of_the_gray_axis_are_exact(dtype):
    ends = np.array([0, 1], dtype)

    np.testing.assert_array_equal(gray_to_lightness(ends), [0, 100])
    np.testing.assert_array_equal(rgb_to_lab(np.repeat(ends[:, None], 3, 1))[:, 0], [0, 100])
    # 1.055 - 0.055 is one ulp below 1.
    np.testing.assert_allclose(lightness_to_gray(ends * 100), ends, rtol=0, atol=1.2e-7)


@given(st.lists(st.floats(-1, 2), min_size=2, max_size=20))
def test_law_lightness_rises_with_gray_and_with_luminance(values):
    ordered = np.sort(values)

    assert (np.diff(luminance_to_lightness(ordered)) >= 0).all()
    # Between two formulas that meet at L* = 8, rounding may take back an ulp (1.8e-15).
    assert (np.diff(gray_to_lightness(ordered)) >= -4e-15).all()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_code_value_has_a_lightness_of_its_own_and_comes_back(bits, dtype):
    gray = (np.arange(2**bits) / (2**bits - 1)).astype(dtype)
    lightness = gray_to_lightness(gray)

    assert (np.diff(lightness) > 0).all()
    np.testing.assert_array_equal(
        np.rint(lightness_to_gray(lightness) * (2**bits - 1)), np.arange(2**bits)
    )


@given(hnp.arrays(np.float64, shapes, elements=st.floats(-1, 2)))
def test_law_gray_is_the_lightness_of_equal_channels(gray):
    rgb = np.repeat(gray[..., np.newaxis], 3, axis=-1)

    # One power instead of a power and a cube root.
    np.testing.assert_allclose(gray_to_lightness(gray), rgb_to_lab(rgb)[..., 0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        gray_to_lightness(gray), luminance_to_lightness(srgb_eotf(gray)), rtol=0, atol=1e-12
    )


@given(hnp.arrays(np.float64, shapes, elements=st.floats(-50, 150)))
def test_law_gray_of_a_lightness_is_that_of_no_chroma(lightness):
    lab = np.zeros((*lightness.shape, 3))
    lab[..., 0] = lightness

    np.testing.assert_allclose(
        lightness_to_gray(lightness), lab_to_rgb(lab)[..., 0], rtol=0, atol=1e-14
    )
    np.testing.assert_allclose(
        luminance_to_lightness(lightness_to_luminance(lightness)), lightness, rtol=0, atol=1e-12
    )


@given(colors(0.05, 1.0), st.floats(0.5, 8.0))
def test_law_brighter_light_scales_as_the_cube_root(xyz, factor):
    dim, bright = xyz_to_lab(xyz), xyz_to_lab(factor * xyz)
    root = np.cbrt(factor)

    # Above (6/29)^3 of white f is homogeneous: L* + 16, a* and b* grow alike.
    np.testing.assert_allclose(bright[..., 0] + 16, root * (dim[..., 0] + 16), rtol=1e-13)
    np.testing.assert_allclose(bright[..., 1:], root * dim[..., 1:], rtol=0, atol=1e-11)


def test_pieces_meet_without_a_jump():
    knee = 216 / 24389
    around = np.array([np.nextafter(knee, 0), knee, np.nextafter(knee, 1)])
    gray = lightness_to_gray(np.array([np.nextafter(8, 0), 8, np.nextafter(8, 9)]))

    # The rounded constants 0.008856 and 903.3 would jump by 3.3e-5 here.
    np.testing.assert_allclose(luminance_to_lightness(around), 8, rtol=0, atol=4e-15)
    np.testing.assert_allclose(lightness_to_luminance([8.0, np.nextafter(8, 9)]), knee, rtol=1e-15)
    assert np.ptp(gray) < 1e-16
    np.testing.assert_allclose(gray_to_lightness(gray), 8, rtol=0, atol=1e-14)


@given(colors(width=32), whites)
def test_law_single_precision_is_near_double(rgb, white):
    double = rgb_to_lab(rgb.astype(np.float64), white_point=white)
    single = rgb_to_lab(rgb, white_point=white)

    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=0, atol=3e-4)
    np.testing.assert_allclose(
        lab_to_rgb(double.astype(np.float32), white_point=white),
        lab_to_rgb(double.astype(np.float32).astype(np.float64), white_point=white),
        rtol=0,
        atol=2e-5,
    )


def test_single_precision_is_within_2e_4_of_double():
    rgb = np.random.default_rng(0).random((400_000, 3))
    rgb[:200_000] **= 3
    rgb = rgb.astype(np.float32)

    np.testing.assert_allclose(rgb_to_lab(rgb), rgb_to_lab(rgb.astype(np.float64)), atol=2e-4)


@pytest.mark.parametrize(
    ("convert", "low", "high"),
    [
        (gray_to_lightness, 0, 1),
        (luminance_to_lightness, 0, 1),
        (lightness_to_gray, 0, 100),
        (lightness_to_luminance, 0, 100),
    ],
)
def test_single_precision_of_one_channel(convert, low, high):
    values = np.linspace(low, high, 300_001).astype(np.float32)
    near, exact = convert(values), convert(values.astype(np.float64))

    assert near.dtype == np.float32
    # Six ulps of the largest result.
    np.testing.assert_allclose(near, exact, rtol=0, atol=7.2e-7 * exact.max())


@pytest.mark.parametrize("illuminant", ["A", "C", "D50", "D55", "D65", "D75", "E"])
@pytest.mark.parametrize("observer", [2, 10])
def test_colour_science_agrees(colour, illuminant, observer):
    rgb = np.random.default_rng(9).random((5_000, 3))
    xy = WHITE_POINTS[illuminant, observer]
    xyz = linear_rgb_to_xyz(colour.models.eotf_sRGB(rgb))
    adapted = colour.chromatic_adaptation(
        xyz, white_point("D65"), white_point(xy), method="Von Kries", transform="Bradford"
    )
    theirs = colour.XYZ_to_Lab(adapted, np.array(xy))

    np.testing.assert_allclose(rgb_to_lab(rgb, white_point=xy), theirs, rtol=0, atol=1e-10)
    np.testing.assert_allclose(xyz_to_lab(adapted, white_point=xy), theirs, rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        lab_to_xyz(theirs, white_point=xy),
        colour.Lab_to_XYZ(theirs, np.array(xy)),
        rtol=0,
        atol=1e-12,
    )


def test_colour_science_agrees_from_end_to_end(colour):
    space = colour.RGB_COLOURSPACES["sRGB"].copy()
    space.use_derived_matrix_RGB_to_XYZ = True
    rgb = np.random.default_rng(10).random((20_000, 3))
    xyz = colour.RGB_to_XYZ(rgb, space, apply_cctf_decoding=True)

    np.testing.assert_allclose(
        rgb_to_lab(rgb), colour.XYZ_to_Lab(xyz, space.whitepoint), rtol=0, atol=1e-10
    )


def test_scikit_image_agrees_with_its_own_constants(skimage_color):
    rgb = np.random.default_rng(12).random((20_000, 3))
    xyz = skimage_color.rgb2xyz(rgb)

    # It types 0.008856 and 7.787 for the rationals: up to 1.6e-4 in a*.
    np.testing.assert_allclose(
        xyz_to_lab(xyz, white_point=(0.95047, 1, 1.08883)),
        skimage_color.xyz2lab(xyz),
        rtol=0,
        atol=5e-4,
    )
    # Its six-digit matrix and white are not sRGB's: 0.015 was measured, and gray is not neutral.
    np.testing.assert_allclose(rgb_to_lab(rgb), skimage_color.rgb2lab(rgb), rtol=0, atol=0.03)


@pytest.mark.opencv
def test_opencv_agrees_loosely():
    cv2 = pytest.importorskip("cv2")
    rgb = np.random.default_rng(13).random((200, 200, 3)).astype(np.float32)

    # It interpolates in a table: 0.61 was measured, so it can only tell a gross error.
    np.testing.assert_allclose(
        rgb_to_lab(rgb), cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), rtol=0, atol=1.0
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_stays_in_its_pixel(dtype):
    values = np.full((4, 3), 0.5, dtype)
    values[1, 0] = values[2, 2] = np.nan

    for convert in (rgb_to_lab, lab_to_rgb):
        converted = convert(values)
        np.testing.assert_array_equal(np.isnan(converted).all(axis=1), [0, 1, 1, 0])
        np.testing.assert_array_equal(np.isnan(converted).any(axis=1), [0, 1, 1, 0])
    # X counts for a* only, Z for b* only.
    np.testing.assert_array_equal(np.isnan(xyz_to_lab(values))[[1, 2]], [[0, 1, 0], [0, 0, 1]])
    for convert in (
        gray_to_lightness,
        lightness_to_gray,
        luminance_to_lightness,
        lightness_to_luminance,
    ):
        np.testing.assert_array_equal(np.isnan(convert(values)), np.isnan(values))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinite_and_enormous_values_make_no_noise(dtype):
    values = np.array([[np.inf, -np.inf, 0.0], [1e30, -1e30, 1e30]], dtype)

    for convert in (rgb_to_lab, lab_to_rgb, xyz_to_lab, lab_to_xyz, gray_to_lightness):
        assert convert(values).shape == values.shape


def test_range_of_the_srgb_cube():
    steps = np.linspace(0, 1, 65)
    rgb = np.stack(np.meshgrid(steps, steps, [0.0, 1.0], indexing="ij"), axis=-1).reshape(-1, 3)
    lab = rgb_to_lab(np.concatenate([rgb, np.roll(rgb, 1, axis=1), np.roll(rgb, 2, axis=1)]))
    c_ab = np.hypot(lab[:, 1], lab[:, 2])

    # The extremes lie at corners: green and magenta, blue and yellow, blue.
    np.testing.assert_allclose(lab.min(axis=0), [0, -86.181597, -107.855466], atol=1e-6)
    np.testing.assert_allclose(lab.max(axis=0), [100, 98.237444, 94.483840], atol=1e-6)
    assert c_ab.max() == pytest.approx(133.808416, abs=1e-6)

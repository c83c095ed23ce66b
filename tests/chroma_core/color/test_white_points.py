import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.color import D65, WHITE_POINTS, white_point

CIE_NAMES = {2: "CIE 1931 2 Degree Standard Observer", 10: "CIE 1964 10 Degree Standard Observer"}


@pytest.mark.parametrize(("illuminant", "observer"), WHITE_POINTS)
def test_table_is_that_of_colour_science(colour, illuminant, observer):
    theirs = colour.CCS_ILLUMINANTS[CIE_NAMES[observer]][illuminant]

    np.testing.assert_allclose(WHITE_POINTS[illuminant, observer], theirs, rtol=0, atol=1e-15)
    np.testing.assert_allclose(
        white_point(illuminant, observer), colour.xy_to_XYZ(theirs), rtol=1e-15
    )


# ASTM E308-01, from spectra: the fourth digit of (x, y) moves X and Z by up to 4e-4.
@pytest.mark.parametrize(
    ("illuminant", "observer", "published"),
    [
        ("A", 2, (1.09850, 1, 0.35585)),
        ("C", 2, (0.98074, 1, 1.18232)),
        ("D50", 2, (0.96422, 1, 0.82521)),
        ("D65", 2, (0.95047, 1, 1.08883)),
        ("A", 10, (1.11144, 1, 0.35200)),
        ("D65", 10, (0.94811, 1, 1.07304)),
    ],
)
def test_published_tristimulus_values_are_near(illuminant, observer, published):
    np.testing.assert_allclose(white_point(illuminant, observer), published, rtol=0, atol=4e-4)


def test_default_is_the_white_of_srgb():
    # IEC 61966-2-1 gives D65 as x = 0.3127, y = 0.3290.
    assert D65 == (0.3127, 0.3290)
    np.testing.assert_array_equal(white_point(), white_point(D65))
    np.testing.assert_allclose(white_point("E"), np.ones(3), rtol=0, atol=5e-16)


@given(st.floats(0.2, 0.5), st.floats(0.2, 0.45))
def test_law_chromaticity_comes_back_from_tristimulus(x, y):
    xyz = white_point((x, y))

    assert xyz[1] == 1
    np.testing.assert_allclose(xyz[:2] / xyz.sum(), (x, y), rtol=1e-14)


@given(st.floats(1e-3, 1e3))
def test_law_scale_of_tristimulus_does_not_matter(scale):
    np.testing.assert_allclose(
        white_point((0.95047 * scale, scale, 1.08883 * scale)),
        (0.95047, 1, 1.08883),
        rtol=1e-15,
    )


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (("D99",), "no white point D99 for 2 degrees, wanted one of A, C, D50"),
        (("D65", 5), "for 5 degrees"),
        (((0.3,),), r"shape \(1,\)"),
        (((0.3, 0.0),), "y above 0"),
        (((0.3, np.nan),), "finite"),
        (((0.9, 0.3),), "is no light"),
        (((0.0, 1.0, 1.0),), "is no light"),
    ],
    ids=str,
)
def test_what_is_no_white_point_is_refused(bad, said):
    with pytest.raises(ValueError, match=said):
        white_point(*bad)


def test_table_cannot_be_changed():
    with pytest.raises(TypeError):
        WHITE_POINTS["D65", 2] = (0.31272, 0.32903)

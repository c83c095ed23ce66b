from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.color import (
    SRGB_PRIMARIES,
    linear_rgb_to_xyz,
    rgb_to_xyz_matrix,
    white_point,
    xyz_to_linear_rgb,
)

colors = hnp.arrays(
    np.float64,
    hnp.array_shapes(max_dims=3, max_side=4).map(lambda shape: (*shape, 3)),
    elements=st.floats(-2, 2),
)

# IEC 61966-2-1:1999, clause 5.2: printed with four digits.
PRINTED = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def exact_matrix():
    """Return the matrix in rational arithmetic, by Cramer's rule."""
    primaries = [(Fraction(64), Fraction(33)), (Fraction(30), Fraction(60)), (15, Fraction(6))]
    x, y = Fraction(3127, 10000), Fraction(3290, 10000)
    white = [x / y, Fraction(1), (1 - x - y) / y]
    columns = [(x / y, Fraction(1), (100 - x - y) / y) for x, y in primaries]

    def determinant(a, b, c):
        return (
            a[0] * (b[1] * c[2] - b[2] * c[1])
            - b[0] * (a[1] * c[2] - a[2] * c[1])
            + c[0] * (a[1] * b[2] - a[2] * b[1])
        )

    whole = determinant(*columns)
    strengths = [
        determinant(*[white if i == k else column for i, column in enumerate(columns)]) / whole
        for k in range(3)
    ]
    return [
        [float(column[row] * s) for column, s in zip(columns, strengths, strict=True)]
        for row in range(3)
    ]


def test_matrix_is_that_of_rational_arithmetic():
    np.testing.assert_allclose(rgb_to_xyz_matrix(), exact_matrix(), rtol=0, atol=3e-16)


def test_printed_matrix_is_this_one_rounded():
    # Half a unit of the fourth digit.
    np.testing.assert_allclose(rgb_to_xyz_matrix(), PRINTED, rtol=0, atol=5e-5)


@given(st.floats(0.25, 0.45), st.floats(0.25, 0.45))
def test_law_rows_sum_to_the_white(x, y):
    np.testing.assert_allclose(
        rgb_to_xyz_matrix(SRGB_PRIMARIES, (x, y)).sum(axis=1), white_point((x, y)), rtol=1e-14
    )


@given(colors)
def test_law_round_trip(linear_rgb):
    back = xyz_to_linear_rgb(linear_rgb_to_xyz(linear_rgb))

    # The matrix's condition number is 4.4; values up to 2.
    np.testing.assert_allclose(back, linear_rgb, rtol=0, atol=1e-14)


@given(colors, colors, st.floats(-3, 3))
def test_law_light_adds_up(first, second, scale):
    second = np.resize(second, first.shape)

    np.testing.assert_allclose(
        linear_rgb_to_xyz(first + scale * second),
        linear_rgb_to_xyz(first) + scale * linear_rgb_to_xyz(second),
        rtol=0,
        atol=1e-14,
    )


def test_other_primaries_are_taken_and_agree_with_colour_science(colour):
    # ITU-R BT.2020 over D65.
    primaries = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
    theirs = colour.normalised_primary_matrix(np.array(primaries), np.array([0.3127, 0.3290]))

    np.testing.assert_allclose(rgb_to_xyz_matrix(primaries), theirs, rtol=0, atol=1e-15)
    rgb = np.random.default_rng(3).random((50, 3))
    np.testing.assert_allclose(
        linear_rgb_to_xyz(rgb, primaries=primaries), rgb @ theirs.T, rtol=0, atol=1e-15
    )


@pytest.mark.parametrize("convert", [linear_rgb_to_xyz, xyz_to_linear_rgb])
def test_single_precision_is_near_double_and_kept(convert):
    values = np.random.default_rng(1).random((10_000, 3)).astype(np.float32)
    near = convert(values)

    assert near.dtype == np.float32
    # Sums of three products, coefficients up to 3.3: a few ulps of 4.
    np.testing.assert_allclose(near, convert(values.astype(np.float64)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("convert", [linear_rgb_to_xyz, xyz_to_linear_rgb])
def test_nan_stays_in_its_pixel(convert):
    values = np.full((4, 3), 0.5)
    values[1, 2] = np.nan
    converted = convert(values)

    assert np.isnan(converted[1]).all()
    assert np.isfinite(converted[[0, 2, 3]]).all()


def test_primaries_that_span_nothing_are_refused():
    with pytest.raises(ValueError, match="shape"):
        rgb_to_xyz_matrix([(0.64, 0.33), (0.3, 0.6)])
    with pytest.raises(ValueError, match="on one line"):
        rgb_to_xyz_matrix([(0.25, 0.25), (0.25, 0.25), (0.5, 0.25)])

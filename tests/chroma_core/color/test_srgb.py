from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.color import srgb_eotf, srgb_eotf_inverse

units = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=6), elements=st.floats(0, 1))
numbers = hnp.arrays(
    np.float64, hnp.array_shapes(max_dims=2, max_side=6), elements=st.floats(-4, 4)
)


@given(units)
def test_law_round_trip(encoded):
    # 12.92 * 0.0031308 is not 0.04045: between the two thresholds the standard's own functions miss
    # each other by 3.0e-8. With the crossing, a power and its inverse are left.
    np.testing.assert_allclose(srgb_eotf_inverse(srgb_eotf(encoded)), encoded, rtol=0, atol=3.1e-8)
    np.testing.assert_allclose(
        srgb_eotf_inverse(srgb_eotf(encoded, continuous=True), continuous=True),
        encoded,
        rtol=0,
        atol=1e-15,
    )


@given(numbers, st.booleans())
def test_law_both_are_odd(values, continuous):
    for function in (srgb_eotf, srgb_eotf_inverse):
        np.testing.assert_array_equal(
            function(-values, continuous=continuous), -function(values, continuous=continuous)
        )


@given(numbers, st.booleans())
def test_law_both_rise(values, continuous):
    ordered = np.sort(values, axis=None)

    # The encoding curve falls by 2.9e-8 at the standard's threshold.
    assert (np.diff(srgb_eotf(ordered, continuous=continuous)) >= 0).all()
    assert (np.diff(srgb_eotf_inverse(ordered, continuous=continuous)) >= -2.91e-8).all()


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.float32), (8, np.float64), (16, np.float64)])
@pytest.mark.parametrize("continuous", [False, True])
def test_every_code_value_survives(bits, dtype, continuous):
    codes = np.arange(2**bits)
    encoded = (codes / (2**bits - 1)).astype(dtype)
    back = srgb_eotf_inverse(srgb_eotf(encoded, continuous=continuous), continuous=continuous)

    np.testing.assert_array_equal(np.rint(back * (2**bits - 1)), codes)


def test_ends_are_exact():
    ends = np.array([0.0, 1.0])

    np.testing.assert_array_equal(srgb_eotf(ends), ends)
    # 1.055 - 0.055 is one ulp below 1 in binary.
    np.testing.assert_allclose(srgb_eotf_inverse(ends), ends, rtol=0, atol=2.3e-16)


def exact_eotf(encoded):
    """Return the upper piece in decimal arithmetic."""
    with localcontext() as context:
        context.prec = 40
        base = (Decimal(encoded) + Decimal("0.055")) / Decimal("1.055")
        return base ** Decimal("2.4")


@pytest.mark.parametrize("encoded", [0.0405, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5])
def test_curve_is_that_of_decimal_arithmetic(encoded):
    linear = float(exact_eotf(encoded))

    # Base, exponent and power are each rounded once: a few ulps.
    assert float(srgb_eotf(encoded)) == pytest.approx(linear, rel=2e-15)
    assert float(srgb_eotf_inverse(linear)) == pytest.approx(encoded, rel=2e-15)


def test_curve_jumps_where_the_standard_s_does_and_not_where_it_need_not():
    threshold = 0.04045
    jump = float(exact_eotf(threshold) - Decimal(threshold) / Decimal("12.92"))
    crossing = 0.0404482362771077

    def step(function, where, **options):
        return float(function(np.nextafter(where, 1), **options) - function(where, **options))

    # The neighbouring numbers themselves are 7e-18 apart, 5e-19 after decoding.
    assert step(srgb_eotf, threshold) == pytest.approx(jump, abs=1e-17)
    assert jump == pytest.approx(2.3e-9, abs=0.05e-9)
    assert abs(step(srgb_eotf, crossing, continuous=True)) < 1e-17
    assert abs(step(srgb_eotf_inverse, crossing / 12.92, continuous=True)) < 3e-17
    assert abs(step(srgb_eotf_inverse, 0.0031308)) == pytest.approx(2.9e-8, abs=0.05e-8)


def test_colour_science_agrees(colour):
    values = np.linspace(0, 1.5, 10_001)

    np.testing.assert_allclose(srgb_eotf(values), colour.models.eotf_sRGB(values), atol=1e-15)
    np.testing.assert_allclose(
        srgb_eotf_inverse(values), colour.models.eotf_inverse_sRGB(values), atol=1e-15
    )


def test_single_precision_is_near_double():
    values = np.linspace(-1, 2, 300_001).astype(np.float32)

    # Half an ulp of what 2 decodes to (4.95) is 2.4e-7; exp and log add a few ulps.
    for function in (srgb_eotf, srgb_eotf_inverse):
        near = function(values)
        assert near.dtype == np.float32
        np.testing.assert_allclose(near, function(values.astype(np.float64)), atol=2e-7, rtol=5e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", [srgb_eotf, srgb_eotf_inverse])
def test_nan_stays_where_it_is(function, dtype):
    values = np.array([0.5, np.nan, -0.5, np.nan, 0.0], dtype)
    converted = function(values)

    np.testing.assert_array_equal(np.isnan(converted), np.isnan(values))
    np.testing.assert_array_equal(converted[[0, 2]], [converted[0], -converted[0]])
    assert np.isnan(function(np.full(3, np.nan, dtype))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinity_makes_no_noise(dtype):
    values = np.array([np.inf, -np.inf], dtype)

    np.testing.assert_array_equal(srgb_eotf(values), values)
    np.testing.assert_array_equal(srgb_eotf_inverse(values), values)

"""Floats: which scale they have, and what stands for values that are no numbers."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import OptionError, PictureError
from chroma_core.pictures.floats import on_unit_scale
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.reading import Reading

UNIT = np.linspace(0, 1, 24 * 32).reshape(24, 32)
ENDS = st.floats(-1e6, 1e6, width=32)


def pfm(values: np.ndarray) -> bytes:
    """Return a PFM of gray floats."""
    head = f"Pf\n{values.shape[1]} {values.shape[0]}\n-1.0\n".encode()
    return head + values[::-1].astype("<f4").tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("low", "high"), [(0, 255), (-1, 1), (1000, 1016)])
def test_a_range_says_what_is_black_and_white(make_tiff, dtype, low, high):
    values = (low + UNIT * (high - low)).astype(dtype)
    data = make_tiff(values, photometric="minisblack")

    picture = read_picture(data, value_range=(low, high))

    # Steps of half precision: 0.5 at 1,000, an eighth at 255.
    step = float(np.spacing(dtype(max(abs(low), abs(high))))) / (high - low)
    np.testing.assert_allclose(picture.pixels / 65535, UNIT, atol=step + 1e-5)
    assert picture.warnings == ()


def test_a_range_holds_for_white_is_zero_and_for_colours(make_tiff):
    values = (UNIT * 255).astype(np.float32)
    inverted = read_picture(make_tiff(values, photometric="miniswhite"), value_range=(0, 255))
    rgb = np.stack([values, values / 2, 255 - values], -1)
    colours = read_picture(make_tiff(rgb, photometric="rgb"), value_range=(0, 255))

    np.testing.assert_allclose(inverted.pixels / 65535, 1 - UNIT, atol=1e-5)
    np.testing.assert_allclose(colours.pixels / 65535, rgb / 255, atol=1e-5)


def test_a_range_holds_for_pfm():
    picture = read_picture(pfm(UNIT * 4 - 2), value_range=(-2, 2))

    np.testing.assert_allclose(picture.pixels / 65535, UNIT, atol=1e-5)


def test_a_range_leaves_opacity_and_integers_alone(make_tiff, make_ramp):
    values = np.stack([UNIT * 255, UNIT], -1).astype(np.float32)
    data = make_tiff(values, photometric="minisblack", extrasamples=["unassalpha"])
    gray = make_ramp(65535, np.uint16)
    plain = make_tiff(gray, photometric="minisblack")

    picture = read_picture(data, value_range=(0, 255))

    np.testing.assert_allclose(picture.alpha / 65535, UNIT, atol=1e-5)
    np.testing.assert_array_equal(read_picture(plain, value_range=(0, 9)).pixels, gray)


def test_what_is_outside_of_the_range_is_clipped_and_counted(make_tiff):
    values = (UNIT * 255).astype(np.float32)

    picture = read_picture(make_tiff(values, photometric="minisblack"), value_range=(0, 127.5))

    (warning,) = picture.warnings
    # Half of 768 values lie above the middle.
    assert warning == "384 values of 0 to 255 are outside of 0 to 127.5, and are clipped"
    np.testing.assert_allclose(picture.pixels / 65535, np.minimum(UNIT * 2, 1), atol=1e-5)


@pytest.mark.parametrize("high", [255.0, 2.0, 1e30])
def test_another_scale_is_refused_and_the_error_says_which(make_tiff, high):
    data = make_tiff((UNIT * high).astype(np.float32), photometric="minisblack")

    with pytest.raises(PictureError, match=f"go from 0 to {high:g}".replace("+", r"\+")) as caught:
        read_picture(data)

    assert caught.value.hint == f"--range LOW,HIGH, such as --range 0,{high:g}"
    assert caught.value.kind == "unsupported"


def test_a_little_outside_is_rounding_and_is_clipped(make_tiff):
    values = (UNIT * 1.5 - 0.005).astype(np.float32)

    picture = read_picture(make_tiff(values, photometric="minisblack"))

    np.testing.assert_allclose(picture.pixels / 65535, np.clip(values, 0, 1), atol=1e-5)
    assert picture.warnings == ()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_is_no_number_is_refused_or_replaced(make_tiff, dtype, bad):
    values = (UNIT * 250).astype(dtype)
    values[3, 4:7] = bad
    data = make_tiff(values, photometric="minisblack")

    with pytest.raises(PictureError, match=r"3 of its values are NaN or infinite.*--nan"):
        read_picture(data, value_range=(0, 250))
    picture = read_picture(data, value_range=(0, 250), nan=125)

    assert set(picture.pixels[3, 4:7]) == {round(65535 / 2)}
    assert picture.warnings == ("3 values are NaN or infinite, and count as 125",)


def test_what_stands_for_nan_must_fit_the_scale(make_tiff):
    values = UNIT.astype(np.float16)
    values[0, 0] = np.nan
    data = make_tiff(values, photometric="minisblack")

    # Half precision holds no 1e6; it is infinite there.
    with pytest.raises(PictureError, match=r"go from .* to 1e\+06"):
        read_picture(data, nan=1e6)


def test_nan_in_opacity_and_in_cielab_is_replaced_too(make_tiff):
    gray = np.stack([UNIT, UNIT], -1).astype(np.float32)
    gray[0, 0, 1] = np.nan
    clear = make_tiff(gray, photometric="minisblack", extrasamples=["unassalpha"])
    lab = np.stack([UNIT * 100, UNIT * 0, UNIT * 0], -1).astype(np.float32)
    lab[0, 0, 0] = np.nan
    cielab = make_tiff(lab, photometric="cielab")

    with pytest.raises(PictureError, match="NaN"):
        read_picture(clear)
    with pytest.raises(PictureError, match="NaN"):
        read_picture(cielab)

    assert read_picture(clear, nan=1).alpha[0, 0] == 65535
    assert read_picture(cielab, nan=100).pixels[0, 0].min() > 65000


@given(ENDS, ENDS, st.lists(st.floats(width=32), min_size=1, max_size=20), ENDS)
def test_law_a_range_and_a_stand_in_always_give_a_picture(one, other, values, nan):
    if one == other:
        return
    reading = Reading(value_range=(min(one, other), max(one, other)), nan=nan)

    unit = on_unit_scale(np.array(values, np.float64), reading, [])

    assert np.isfinite(unit).all()
    assert (unit >= 0).all()
    assert (unit <= 1).all()


@pytest.mark.parametrize(
    "said",
    [
        {"value_range": (1, 1)},
        {"value_range": (2, 1)},
        {"value_range": (0, np.inf)},
        {"value_range": (np.nan, 1)},
        {"nan": np.inf},
        {"page": 0},
        {"page": -3},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(said):
    with pytest.raises(OptionError, match=r"wanted"):
        read_picture(struct.pack("<4s", b"P5 1"), **said)

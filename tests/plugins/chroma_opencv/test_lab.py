"""LAB by OpenCV: how far it is from the exact formula, and that 8-bit codes survive it."""

from __future__ import annotations

import numpy as np
import pytest
from chroma_opencv.lab import LabOpenCVColorspace
from hypothesis import given

from chroma_core.arrays import FloatArray
from chroma_core.color.lab import rgb_to_lab
from chroma_core.testing import check_stage, labs, rgbs

cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
pytestmark = pytest.mark.opencv


def test_stage_keeps_its_contract() -> None:
    check_stage(LabOpenCVColorspace(), atol=0.0)


def test_distance_to_the_exact_formula_is_as_documented() -> None:
    """Largest seen on 10 million colours: 0.007, 0.034, 0.013; the bounds leave a fifth."""
    rgb = np.random.default_rng(0).random((200_000, 3))

    gap = np.abs(LabOpenCVColorspace().from_rgb(rgb) - rgb_to_lab(rgb)).max(axis=0)

    assert (gap < [0.008, 0.041, 0.016]).all()
    assert (gap > [0.003, 0.015, 0.006]).all()  # or else the documentation says too little of it


def test_8_bit_codes_come_back() -> None:
    """Every third code in each channel; what is left over is a tenth of a code."""
    codes = np.arange(0, 256, 3) / 255
    rgb = np.stack(np.meshgrid(codes, codes, codes, indexing="ij"), axis=-1)
    stage = LabOpenCVColorspace()

    back = stage.to_rgb(stage.from_rgb(rgb))

    assert stage.max_depth == 8
    assert np.abs(back - rgb).max() * 255 < 0.1


def test_16_bit_codes_do_not_come_back() -> None:
    """The reason for `max_depth`: errors are several codes of 16 bits."""
    rgb = np.random.default_rng(0).random((50_000, 3))
    stage = LabOpenCVColorspace()

    assert np.abs(stage.to_rgb(stage.from_rgb(rgb)) - rgb).max() * 65535 > 5


@given(rgbs())
def test_law_gray_is_neutral_and_colour_near_the_exact_formula(rgb: FloatArray) -> None:
    gray = np.repeat(rgb[..., :1], 3, axis=-1)
    stage = LabOpenCVColorspace()

    assert not stage.from_rgb(gray)[..., 1:].any()
    np.testing.assert_allclose(stage.from_rgb(rgb), rgb_to_lab(rgb), rtol=0, atol=0.05)


@given(labs())
def test_law_mapped_colours_lie_in_srgb_at_their_lightness_and_hue(lab: FloatArray) -> None:
    stage = LabOpenCVColorspace()

    mapped = stage.into_gamut(lab)
    rgb = stage.to_rgb(mapped)
    turned = mapped[..., 1] * lab[..., 2] - mapped[..., 2] * lab[..., 1]

    # 2e-6: `Colorspace.into_gamut` allows 1e-6, float32 adds some roundings of 6e-8.
    assert rgb.min() >= -2e-6
    assert rgb.max() <= 1 + 2e-6
    np.testing.assert_array_equal(mapped[..., 0], lab[..., 0])
    np.testing.assert_allclose(turned, 0, atol=1e-6 * (1 + np.abs(lab).max() ** 2))
    assert (np.abs(mapped[..., 1:]) <= np.abs(lab[..., 1:])).all()


def test_colours_out_of_gamut_are_not_clipped() -> None:
    """The pipeline tells by the channels what is out."""
    rgb = LabOpenCVColorspace().to_rgb(np.array([[50.0, 120.0, -120.0], [110.0, 0.0, 0.0]]))

    assert rgb[0, 1] < -0.1
    assert rgb[1].min() > 1.05


def test_a_pixel_does_not_depend_on_its_place() -> None:
    """OpenCV's path for the rest of a row differs by up to 0.012 from that for the rest."""
    rgb = np.random.default_rng(1).random((37, 53, 3)).astype(np.float32)
    stage = LabOpenCVColorspace()

    whole = stage.from_rgb(rgb)

    np.testing.assert_array_equal(stage.from_rgb(rgb[5:12, 50:]), whole[5:12, 50:])
    np.testing.assert_array_equal(stage.from_rgb(rgb[36, 52]), whole[36, 52])


def test_nan_stays_in_its_pixel() -> None:
    rgb = np.full((2, 3, 3), 0.5)
    rgb[1, 1, 2] = np.nan
    stage = LabOpenCVColorspace()

    lab = stage.from_rgb(rgb)

    assert np.isnan(lab[1, 1]).all()
    assert np.isnan(lab).sum() == 3
    assert np.isnan(stage.to_rgb(lab)).sum() == 3

"""Encoded sRGB to L*a*b* and back: ours beside the libraries that do the same.

Each answer is held to our float64 path before it is timed; how far it is off stands in the result
as `largest_difference`. What a library wants as input (float32 or float64) is prepared outside the
measured call.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from chroma_core.color.lab import lab_to_rgb, rgb_to_lab

SIZES = [256, 1024, pytest.param(3464, marks=pytest.mark.slow, id="12Mpx")]

# Largest differences in L*, a*, b* from our float64 path that are known of each, with some room:
# other matrices and white points (colour-science's four digits, scikit-image's six), and OpenCV's
# tables. See the tests of chroma_core.color.
FROM_RGB = {
    "chroma float64": 1e-12,
    "chroma float32": 2e-4,
    "chroma lab-opencv": 0.05,
    "OpenCV float32": 1.0,
    "scikit-image float64": 0.05,
    "scikit-image float32": 0.05,
    "colour-science float64": 0.05,
}
# In [0, 1]; the way back enlarges dark colours.
TO_RGB = {
    "chroma float64": 1e-12,
    "chroma float32": 2e-5,
    "chroma lab-opencv": 0.005,
    "OpenCV float32": 0.02,
    "scikit-image float64": 0.005,
    "colour-science float64": 0.005,
}


def converter(name: str, back: bool) -> Any:
    """Return the function that a library converts with, and the dtype that it is fed."""
    dtype = np.float32 if "float32" in name or "opencv" in name else np.float64
    if name.startswith("chroma float"):
        return (lab_to_rgb if back else rgb_to_lab), dtype
    if name == "chroma lab-opencv":
        pytest.importorskip("cv2", reason="needs OpenCV")
        from chroma_opencv.lab import LabOpenCVColorspace

        stage = LabOpenCVColorspace()
        return (stage.to_rgb if back else stage.from_rgb), dtype
    if name.startswith("OpenCV"):
        cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
        code = cv2.COLOR_LAB2RGB if back else cv2.COLOR_RGB2LAB
        return (lambda pixels: cv2.cvtColor(pixels, code)), dtype
    if name.startswith("scikit-image"):
        color = pytest.importorskip("skimage.color", reason="needs scikit-image")
        return (color.lab2rgb if back else color.rgb2lab), dtype
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # colour-science warns of what it would like to have
        colour = pytest.importorskip("colour", reason="needs colour-science")
    white = colour.CCS_ILLUMINANTS["CIE 1931 2 Degree Standard Observer"]["D65"]
    if back:
        return (lambda lab: colour.XYZ_to_sRGB(colour.Lab_to_XYZ(lab, white))), dtype
    return (lambda rgb: colour.XYZ_to_Lab(colour.sRGB_to_XYZ(rgb), white)), dtype


@pytest.mark.parametrize("side", SIZES)
@pytest.mark.parametrize("name", FROM_RGB)
def test_from_rgb(name: str, side: int, photograph: Any, measure: Any) -> None:
    convert, dtype = converter(name, back=False)
    rgb = photograph(side, side).astype(dtype) / 255
    corner = rgb[:256, :256]
    exact = rgb_to_lab(corner.astype(np.float64))
    off = float(np.abs(convert(np.ascontiguousarray(corner)) - exact).max())

    assert off <= FROM_RGB[name]
    lab = measure(
        lambda: convert(rgb),
        group=f"sRGB to LAB, {side} x {side}",
        name=name,
        largest_difference=off,
    )
    assert lab.shape == rgb.shape


@pytest.mark.parametrize("side", SIZES)
@pytest.mark.parametrize("name", TO_RGB)
def test_to_rgb(name: str, side: int, photograph: Any, measure: Any) -> None:
    convert, dtype = converter(name, back=True)
    lab = rgb_to_lab(photograph(side, side) / 255).astype(dtype)
    corner = np.ascontiguousarray(lab[:256, :256])
    off = float(np.abs(convert(corner) - photograph(side, side)[:256, :256] / 255).max())

    assert off <= TO_RGB[name]
    rgb = measure(
        lambda: convert(lab),
        group=f"LAB to sRGB, {side} x {side}",
        name=name,
        largest_difference=off,
    )
    assert rgb.shape == lab.shape

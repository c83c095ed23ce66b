"""Edge-aware filters and the way into the gamut, on a picture of one megapixel.

OpenCV's guided filter is the same formula (checked to 2e-3). Its bilateral filter looks at a disc
where ours looks at a square, and is timed with the window sampled (our plugin) and dense (OpenCV
alone); they are held to each other by the mean difference. For the gamut, the peers are the
contract's default, which bisects whole arrays, and clipping of channels, which is what most
programs do and another answer: it moves lightness and hue.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from chroma_core.color.lab import lab_to_rgb, rgb_to_lab
from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.refiners.guided import GuidedRefiner
from chroma_core.refiners.joint_bilateral import JointBilateralOptions, JointBilateralRefiner
from chroma_core.stages import Colorspace, Scene

SIDE = 1024


@pytest.fixture(scope="module")
def scene(photograph: Any) -> tuple[Any, Scene]:
    """Return a megapixel with its own chroma, and as a scene at scale 1."""
    lab = rgb_to_lab(photograph(SIDE, SIDE).astype(np.float32) / 255)
    return lab, Scene(lightness=np.ascontiguousarray(lab[..., 0]))


@pytest.mark.parametrize("who", ["chroma (NumPy)", "chroma guided-opencv", "OpenCV alone"])
def test_guided(who: str, scene: Any, measure: Any) -> None:
    lab, gray = scene
    if who == "chroma (NumPy)":
        run = partial(GuidedRefiner().refine, lab, gray)
    else:
        cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
        from chroma_opencv.filters import GuidedOpenCVRefiner

        if who == "OpenCV alone":
            guide = gray.lightness / np.float32(100)
            chroma = np.ascontiguousarray(lab[..., 1:])
            run = partial(cv2.ximgproc.guidedFilter, guide, chroma, 16, 1e-3)
        else:
            run = partial(GuidedOpenCVRefiner().refine, lab, gray)
    wanted = GuidedRefiner().refine(lab, gray)[..., 1:]

    found = measure(run, group="guided filter of two channels, radius 16, 1 Mpx", name=who)
    np.testing.assert_allclose(found[..., -2:], wanted, rtol=0, atol=2e-3)


@pytest.mark.parametrize("sigma", [3.0, 12.0])
@pytest.mark.parametrize("who", ["chroma (NumPy)", "chroma joint-bilateral-opencv", "OpenCV alone"])
def test_joint_bilateral(who: str, sigma: float, scene: Any, measure: Any) -> None:
    lab, gray = scene
    options = JointBilateralOptions(sigma_space=sigma)
    if who == "chroma (NumPy)":
        run = partial(JointBilateralRefiner(options).refine, lab, gray)
    else:
        cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
        from chroma_opencv.filters import JointBilateralOpenCVOptions, JointBilateralOpenCVRefiner

        if who == "OpenCV alone":
            diameter = 2 * int(np.ceil(2 * sigma)) + 1
            # One or three channels it takes: (b*, a*, b*), so that the last two are ours.
            three = np.ascontiguousarray(lab[..., [2, 1, 2]])
            joint = cv2.ximgproc.jointBilateralFilter
            run = partial(joint, gray.lightness, three, diameter, 10.0, sigma)
        else:
            stage = JointBilateralOpenCVRefiner(JointBilateralOpenCVOptions(sigma_space=sigma))
            run = partial(stage.refine, lab, gray)
    wanted = JointBilateralRefiner(options).refine(lab, gray)[..., 1:]

    found = measure(run, group=f"joint bilateral filter, sigma {sigma:g} px, 1 Mpx", name=who)
    assert np.abs(found[..., -2:] - wanted).mean() < 0.2 * np.abs(lab[..., 1:] - wanted).mean()


@pytest.mark.parametrize("vividness", [1.25, 3.0], ids=["few out", "many out"])
@pytest.mark.parametrize("who", ["chroma (NumPy)", "bisection of whole arrays", "channels clipped"])
def test_gamut(who: str, vividness: float, scene: Any, measure: Any) -> None:
    lab = scene[0] * np.array([1, vividness, vividness], dtype=np.float32)
    space = LabColorspace()
    out = float(((lab_to_rgb(lab) < 0) | (lab_to_rgb(lab) > 1)).any(axis=-1).mean())
    run = {
        "chroma (NumPy)": lambda: lab_to_rgb(space.into_gamut(lab)),
        "bisection of whole arrays": lambda: lab_to_rgb(Colorspace.into_gamut(space, lab)),
        "channels clipped": lambda: np.clip(lab_to_rgb(lab), 0, 1),
    }[who]

    rgb = measure(
        run,
        group=f"LAB times {vividness:g} to sRGB within the gamut, 1 Mpx",
        name=who,
        share_out_of_gamut=out,
    )
    # float32: 1e-6 in linear light is up to 1.3e-5 encoded, near black.
    assert rgb.min() >= -2e-5
    assert rgb.max() <= 1 + 2e-5

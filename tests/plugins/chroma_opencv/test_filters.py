"""OpenCV's edge-aware filters stand for the core's, as far as is said."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from chroma_opencv.filters import (
    GuidedOpenCVOptions,
    GuidedOpenCVRefiner,
    JointBilateralOpenCVOptions,
    JointBilateralOpenCVRefiner,
)

from chroma_core.errors import InputError
from chroma_core.options import Options, describe_options
from chroma_core.refiners.guided import GuidedOptions, GuidedRefiner
from chroma_core.refiners.joint_bilateral import JointBilateralOptions, JointBilateralRefiner
from chroma_core.stages import Refiner, Scene
from chroma_core.testing import check_stage

cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
pytestmark = pytest.mark.opencv

Array = np.ndarray[Any, Any]


def predicted(height: int, width: int, seed: int = 0) -> tuple[Array, Scene]:
    """Return a picture with edges and smooth chroma within ±50, as a regressor gives it."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 6)
    soft /= np.abs(soft).max()
    texture = cv2.GaussianBlur(noise[..., 0], (0, 0), 1) * 15
    lightness = np.where(soft[..., 0] > 0, 70, 30) + texture
    lab = np.dstack([lightness.clip(0, 100), 50 * soft[..., 1:]]).astype(np.float32)
    return lab, Scene(lightness=lab[..., 0])


def bilateral_on_a_disc(values: Array, guide: Array, sigma: float, sigma_range: float) -> Array:
    """Return equation 3 of Petschnigg et al. 2004 over the disc of two sigmas, float64."""
    height, width = guide.shape
    reach = math.ceil(2 * sigma)
    total, weights = np.zeros(values.shape), np.zeros(guide.shape)
    for down in range(-reach, reach + 1):
        for along in range(-reach, reach + 1):
            if down**2 + along**2 > reach**2:
                continue
            rows = slice(max(0, -down), min(height, height - down))
            cols = slice(max(0, -along), min(width, width - along))
            there = (
                slice(rows.start + down, rows.stop + down),
                slice(cols.start + along, cols.stop + along),
            )
            unlike = guide[there].astype(float) - guide[rows, cols]
            near = (down**2 + along**2) / (2 * sigma**2)
            weight = np.exp(-near - unlike**2 / (2 * sigma_range**2))
            total[rows, cols] += weight[..., np.newaxis] * values[there]
            weights[rows, cols] += weight
    return total / weights[..., np.newaxis]


@pytest.mark.parametrize(
    "stage",
    [
        GuidedOpenCVRefiner(),
        GuidedOpenCVRefiner(GuidedOpenCVOptions(radius=2.0, epsilon=1e-2)),
        JointBilateralOpenCVRefiner(),
        JointBilateralOpenCVRefiner(JointBilateralOpenCVOptions(sigma_space=2.0)),
    ],
    ids=["guided", "guided-narrow", "bilateral", "bilateral-narrow"],
)
def test_stage_keeps_its_contract(stage: Refiner[Any]) -> None:
    # Box sums start elsewhere in a stripe: float32 roundings of a* and b* up to 50, which the
    # guided filter multiplies where lightness is nearly flat.
    check_stage(stage, atol=2e-3)


@pytest.mark.parametrize(
    ("ours", "core"),
    [
        (GuidedOpenCVOptions, GuidedOptions),
        (JointBilateralOpenCVOptions, JointBilateralOptions),
    ],
)
def test_options_are_those_of_the_core(ours: type[Options], core: type[Options]) -> None:
    """The same names, defaults and bounds, so that one may stand for the other."""
    assert [item.name for item in fields(ours)] == [item.name for item in fields(core)]
    assert describe_options(ours) == describe_options(core)


@pytest.mark.parametrize("radius", [1.0, 4.0, 16.0, 40.0])
@pytest.mark.parametrize("shape", [(90, 120), (3, 100), (20, 20)])
@pytest.mark.parametrize("scale", [1.0, 1.7])
def test_guided_is_the_cores(radius: float, shape: tuple[int, int], scale: float) -> None:
    """Within 1e-3 everywhere, border and windows wider than the picture included."""
    lab, scene = predicted(*shape)
    scene = Scene(lightness=scene.lightness, scale=scale)

    found = GuidedOpenCVRefiner(GuidedOpenCVOptions(radius=radius)).refine(lab, scene)
    wanted = GuidedRefiner(GuidedOptions(radius=radius)).refine(lab.astype(np.float64), scene)

    assert np.abs(wanted - lab).max() > 0.5  # it does filter
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("sigma", "sigma_range"), [(1.0, 5.0), (2.3, 20.0), (5.0, 10.0)])
def test_bilateral_is_the_formula_on_a_disc(sigma: float, sigma_range: float) -> None:
    """Border included. The table's steps of 100 / 4096 in lightness cost up to 1e-4."""
    lab, scene = predicted(60, 50)
    options = JointBilateralOpenCVOptions(sigma_space=sigma, sigma_range=sigma_range)

    found = JointBilateralOpenCVRefiner(options).refine(lab, scene)

    wanted = bilateral_on_a_disc(lab[..., 1:], lab[..., 0], sigma, sigma_range)
    np.testing.assert_allclose(found[..., 1:], wanted, rtol=0, atol=2e-4)


@pytest.mark.parametrize(("sigma", "share"), [(2.0, 0.25), (5.0, 0.12), (12.0, 0.12)])
def test_bilateral_is_near_the_cores(sigma: float, share: float) -> None:
    """Disc against square: a share of what the filter does, 0.18, 0.09 and 0.08 when written."""
    lab, scene = predicted(90, 120)
    options = JointBilateralOpenCVOptions(sigma_space=sigma)

    found = JointBilateralOpenCVRefiner(options).refine(lab, scene)[..., 1:]
    core = JointBilateralRefiner(JointBilateralOptions(sigma_space=sigma)).refine(lab, scene)

    done = np.abs(core - lab)[..., 1:].mean()
    assert done > 0.5
    assert np.abs(found - core[..., 1:]).mean() < share * done


def test_wide_bilateral_is_near_the_dense_formula() -> None:
    """Every fourth pixel of a wide disc says nearly what all of them say."""
    lab, scene = predicted(90, 120)
    options = JointBilateralOpenCVOptions(sigma_space=12.0)

    found = JointBilateralOpenCVRefiner(options).refine(lab, scene)[..., 1:]
    wanted = bilateral_on_a_disc(lab[..., 1:], lab[..., 0], 12.0, 10.0)

    assert np.abs(found - wanted).mean() < 0.1 * np.abs(wanted - lab[..., 1:]).mean()


@pytest.mark.parametrize("stage", [GuidedOpenCVRefiner(), JointBilateralOpenCVRefiner()])
def test_flat_chroma_stays(stage: Refiner[Any]) -> None:
    """A mean of equal values is that value, whatever the guide."""
    lab, scene = predicted(50, 40)
    lab[..., 1:] = (12.5, -30.0)

    np.testing.assert_allclose(stage.refine(lab, scene), lab, rtol=0, atol=1e-3)


@pytest.mark.parametrize("stage", [GuidedOpenCVRefiner(), JointBilateralOpenCVRefiner()])
def test_colours_do_not_cross_an_edge_of_lightness(stage: Refiner[Any]) -> None:
    """Two halves of other lightness keep their own colours."""
    lab = np.zeros((40, 60, 3), dtype=np.float32)
    lab[:, :30] = (20, 40, -10)
    lab[:, 30:] = (90, -5, 30)

    refined = stage.refine(lab, Scene(lightness=lab[..., 0]))

    # Epsilon lets 1e-3 / (variance of the edge, 0.12) of the guided one through.
    np.testing.assert_allclose(refined, lab, rtol=0, atol=0.5)


@pytest.mark.parametrize("stage", [GuidedOpenCVRefiner(), JointBilateralOpenCVRefiner()])
def test_pictures_that_are_not_finite_are_refused(stage: Refiner[Any]) -> None:
    lab, scene = predicted(8, 8)
    lab[2, 3, 1] = np.nan

    with pytest.raises(InputError, match="1 values that are NaN or infinite"):
        stage.refine(lab, scene)

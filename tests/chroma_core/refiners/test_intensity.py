"""The solver against bisection, and examples; the laws stand in test_chroma_laws.py."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from chroma_core.color import (
    WHITE_POINTS,
    gray_to_lightness,
    inside_srgb,
    lab_to_rgb,
    lightness_to_gray,
    rgb_to_lab,
)
from chroma_core.errors import OptionError
from chroma_core.refiners.intensity import IntensityOptions, IntensityRefiner
from chroma_core.stages import Scene

WEIGHTS = {"rec601": np.array([0.299, 0.587, 0.114]), "mean": np.array([1.0, 1.0, 1.0]) / 3}
both = pytest.mark.parametrize("of", WEIGHTS)


def refine(lab, gray, of, **options):
    refiner = IntensityRefiner(IntensityOptions(of=of, **options))
    return refiner.refine(lab, Scene(lightness=gray))


def bisected(chroma, gray, weights):
    """Return L' in [-60, 200] by 50 halvings, and whether it fits. Intensity must rise with L'."""
    target = lightness_to_gray(gray)
    low, high = np.full(gray.shape, -60.0), np.full(gray.shape, 200.0)
    for _ in range(50):
        middle = (low + high) / 2
        lab = np.concatenate([middle[..., np.newaxis], chroma], axis=-1)
        dark = lab_to_rgb(lab) @ weights < target
        low, high = np.where(dark, middle, low), np.where(dark, high, middle)
    lab = np.concatenate([low[..., np.newaxis], chroma], axis=-1)
    fits = inside_srgb(lab, gap=1e-8) & (np.abs(lab_to_rgb(lab) @ weights - target) < 1e-6)
    return low, fits


def gray_and_chroma(rgb, weights):
    """Return what a refiner would get from a perfect prediction on a gray made with `weights`."""
    lab = rgb_to_lab(rgb)
    gray = gray_to_lightness(rgb @ weights)
    return lab, np.concatenate([gray[..., np.newaxis], lab[..., 1:]], axis=-1), gray


def colors_of_the_cube():
    rng = np.random.default_rng(601)
    corners_and_edges = np.array(list(product(np.linspace(0, 1, 5), repeat=3)))
    dark = 0.1 * rng.random((2000, 3))
    return np.concatenate([corners_and_edges, dark, rng.random((8000, 3))])[np.newaxis]


@both
def test_true_chroma_gives_the_true_colour_back(of):
    # Whole pictures made gray with these weights lose nothing, wherever in the cube they lie.
    truth, given, gray = gray_and_chroma(colors_of_the_cube(), WEIGHTS[of])

    refined = refine(given, gray, of)

    np.testing.assert_array_equal(refined[..., 1:], truth[..., 1:])
    # Intensity is found to 1e-7, at the least slope of 0.0073 per unit.
    np.testing.assert_allclose(refined[..., 0], truth[..., 0], rtol=0, atol=1.5e-5)


@both
def test_true_chroma_gives_the_true_colour_back_in_float32(of):
    truth, given, gray = gray_and_chroma(colors_of_the_cube(), WEIGHTS[of])

    refined = refine(given.astype(np.float32), gray.astype(np.float32), of)

    # Intensity is found to 1e-5 there; at the corners chroma gives way for rounding.
    assert refined.dtype == np.float32
    np.testing.assert_allclose(refined, truth, rtol=0, atol=2e-3)


@both
def test_newton_finds_what_bisection_finds(of):
    rng = np.random.default_rng(1)
    truth, given, gray = gray_and_chroma(rng.random((1, 5000, 3)), WEIGHTS[of])
    # Chroma that is not the truth of this gray: someone else's, three quarters as strong.
    given[..., 1:] = 0.75 * truth[:, ::-1, 1:]

    root, fits = bisected(given[..., 1:], gray, WEIGHTS[of])
    refined = refine(given, gray, of)

    assert fits.mean() > 0.3
    np.testing.assert_array_equal(refined[fits, 1:], given[fits, 1:])
    np.testing.assert_allclose(refined[fits, 0], root[fits], rtol=0, atol=2e-5)


@both
def test_the_largest_chroma_is_found_that_a_scan_finds(of):
    rng = np.random.default_rng(2)
    n, steps = 40, 401
    hue = rng.uniform(0, 2 * np.pi, n)
    gray = rng.uniform(2, 98, n)
    chroma = 140 * np.stack([np.cos(hue), np.sin(hue)], axis=-1)

    lab = np.concatenate([gray[:, np.newaxis], chroma], axis=-1)
    refined = refine(lab[np.newaxis], gray[np.newaxis], of)[0]

    scales = np.linspace(0, 1, steps)
    tried = scales[:, np.newaxis, np.newaxis] * chroma
    _, fits = bisected(tried, np.broadcast_to(gray, (steps, n)), WEIGHTS[of])
    largest = 140 * np.where(fits, scales[:, np.newaxis], 0).max(axis=0)
    found = np.hypot(refined[:, 1], refined[:, 2])
    # The scan goes in steps of 0.35; both tolerances are worth far less.
    assert (largest < 139).all()
    assert (found >= largest - 1e-3).all()
    assert (found <= largest + 0.36).all()


def test_lightness_is_gamut_mapping():
    lab = np.array([[[50.0, 20.0, 0.0], [50.0, 120.0, 0.0]]])

    refined = refine(lab, lab[..., 0], "lightness")

    np.testing.assert_array_equal(refined[0, 0], lab[0, 0])
    assert refined[0, 1, 0] == 50
    assert refined[0, 1, 2] == 0
    # One linear channel lies on the face of the cube that the ray meets: green is 0.
    assert lab_to_rgb(refined)[0, 1, 1] == pytest.approx(0, abs=1e-4)


def test_only_other_intensities_move_lightness():
    assert not IntensityRefiner().moves_lightness
    assert IntensityRefiner(IntensityOptions(of="rec601")).moves_lightness
    assert IntensityRefiner(IntensityOptions(of="mean")).moves_lightness


@both
@pytest.mark.parametrize("illuminant", ["A", "D50"])
def test_the_white_point_of_the_colorspace_can_be_told(of, illuminant):
    rgb = np.random.default_rng(3).random((1, 500, 3))
    truth = rgb_to_lab(rgb, white_point=WHITE_POINTS[illuminant, 2])
    gray = gray_to_lightness(rgb @ WEIGHTS[of])
    given = np.concatenate([gray[..., np.newaxis], truth[..., 1:]], axis=-1)

    refined = refine(given, gray, of, illuminant=illuminant)

    np.testing.assert_allclose(refined, truth, rtol=0, atol=1.5e-5)


@both
def test_a_lightness_beyond_white_or_black_counts_as_white_or_black(of):
    lab = np.array([[[100.5, 30.0, 20.0], [-0.5, 30.0, 20.0]]])

    refined = refine(lab, lab[..., 0], of)

    np.testing.assert_allclose(refined, [[[100, 0, 0], [0, 0, 0]]], atol=1e-3)


def test_blocks_of_pixels_do_not_show():
    # 16,384 pixels are a block.
    rng = np.random.default_rng(4)
    lab = np.stack([rng.uniform(0, 100, 40_000), *rng.normal(0, 40, (2, 40_000))], axis=-1)
    lab = lab.reshape(200, 200, 3)

    whole = refine(lab, lab[..., 0], "rec601")

    stripes = [refine(lab[i : i + 37], lab[i : i + 37, :, 0], "rec601") for i in range(0, 200, 37)]
    np.testing.assert_allclose(np.concatenate(stripes), whole, rtol=0, atol=1e-10)


def test_an_unknown_intensity_is_refused():
    with pytest.raises(OptionError, match="one of lightness, rec601, mean"):
        IntensityOptions(of="luma")

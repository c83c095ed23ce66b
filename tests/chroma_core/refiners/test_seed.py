"""Examples; what `seed` promises in general stands in test_chroma_laws.py."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.errors import OptionError
from chroma_core.refiners.seed import SeedOptions, SeedRefiner
from chroma_core.stages import Scene


def refine(*lab, cap=150.0):
    lab = np.array([[lab]], dtype=float)
    return SeedRefiner(SeedOptions(cap=cap)).refine(lab, Scene(lightness=lab[..., 0]))[0, 0]


@pytest.mark.parametrize(
    ("color", "pair"),
    [
        # By hand: 140 / (1 + 5), 140 / (1 - 1/5).
        pytest.param((70, -5, -25), (140 / 6, 175.0), id="sky"),
        # 100 / (1 - 7/4), 100 / (1 + 4/7).
        pytest.param((50, -20, 35), (-400 / 3, 700 / 11), id="grass"),
        # 130 / (1 + 10/9), 130 / (1 - 9/10).
        pytest.param((65, 18, 20), (1170 / 19, 1300.0), id="skin"),
    ],
)
def test_worked_by_hand(color, pair):
    x, y = pair

    np.testing.assert_allclose(refine(*color, cap=1000.0)[1:], [x, min(y, 1000)], rtol=1e-12)
    np.testing.assert_allclose(refine(*color)[1:], np.clip(pair, -150, 150), rtol=1e-12)


def test_the_ratio_that_it_promises_is_not_kept():
    _, x, y = refine(50, 10, 20, cap=1000.0)

    # X / Y = (x / y) (y - x) / (y + x) = 1/2 · 1/3.
    assert x / y == pytest.approx(1 / 6)


def test_lightness_of_the_formula_is_that_of_the_gray_picture():
    lab = np.array([[[30.0, 10.0, 20.0]]])

    refined = SeedRefiner().refine(lab, Scene(lightness=np.array([[60.0]])))

    np.testing.assert_allclose(refined, [[[30.0, 40.0, 150.0]]])


def test_it_is_computed_in_float64():
    # In float32 1 + y / x is 0 here, the pole.
    x = np.float32(100)
    lab = np.array([[[0.001, x, -np.nextafter(x, np.float32(0))]]], dtype=np.float32)

    refined = SeedRefiner().refine(lab, Scene(lightness=lab[..., 0]))

    assert refined.dtype == np.float32
    # 0.002 / (1 - (1 - 2^-23 · 0.64)) = 26,214, capped; Y = 0.002 / 2.
    np.testing.assert_allclose(refined[0, 0, 1:], [150, 0.001], rtol=1e-6)


@pytest.mark.parametrize("cap", [0.0, -1.0, float("nan"), float("inf")])
def test_a_cap_that_caps_nothing_or_all_is_refused(cap):
    with pytest.raises(OptionError, match="cap"):
        SeedOptions(cap=cap)

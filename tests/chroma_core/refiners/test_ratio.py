"""Examples; what `ratio` promises in general stands in test_chroma_laws.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chroma_core.errors import OptionError
from chroma_core.refiners.ratio import RatioOptions, RatioRefiner
from chroma_core.stages import Scene


def refine(*lab, **options):
    lab = np.array([[lab]], dtype=float)
    return RatioRefiner(RatioOptions(**options)).refine(lab, Scene(lightness=lab[..., 0]))[0, 0]


@pytest.mark.parametrize(
    ("color", "pair"),
    [
        # 2 · 70 shared out 5 : 25, and turned round: the sky is orange.
        pytest.param((70, -5, -25), (140 / 6, 140 * 5 / 6), id="sky"),
        # 2 · 50 · (-20, 35) / 15 has C*ab 268.7: capped to 150 along (-20, 35).
        pytest.param((50, -20, 35), (-74.42084075352507, 130.23647131866886), id="grass"),
        # 2 · 65 shared out 18 : 20.
        pytest.param((65, 18, 20), (130 * 18 / 38, 130 * 20 / 38), id="skin"),
        pytest.param((50, 0.1, 0.1), (50, 50), id="the strength is lost"),
        pytest.param((50, 1e-320, 1e-320), (50, 50), id="the least strength"),
        pytest.param((50, 1e300, 3e300), (25, 75), id="the greatest strength"),
    ],
)
def test_worked_by_hand(color, pair):
    np.testing.assert_allclose(refine(*color)[1:], pair, rtol=1e-12)


def test_hue_can_be_kept():
    np.testing.assert_allclose(refine(70, -5, -25, hue="keep")[1:], [-140 / 6, -140 * 5 / 6])


@pytest.mark.parametrize(("degrees", "c_ab"), [(30, 141.42), (10, 407.20), (5, 811.31), (0, 1000)])
def test_chroma_grows_towards_the_pole(degrees, c_ab):
    angle = math.radians(135 - degrees)

    refined = refine(50, 10 * math.cos(angle), 10 * math.sin(angle), cap=1000.0)

    # 2 · 50 / (√2 sin(angle from the pole))
    assert math.hypot(*refined[1:]) == pytest.approx(c_ab, abs=0.01)


@pytest.mark.parametrize("cap", [0.0, -1.0, float("nan"), float("inf")])
def test_a_cap_that_caps_nothing_or_all_is_refused(cap):
    with pytest.raises(OptionError, match="cap"):
        RatioOptions(cap=cap)


def test_an_unknown_hue_is_refused():
    with pytest.raises(OptionError, match="one of formula, keep"):
        RatioOptions(hue="turn")

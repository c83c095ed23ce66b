"""What `guided` and `joint-bilateral` share, and what every refiner does with bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import InputError, OptionError
from chroma_core.filters.bilateral import joint_bilateral_filter
from chroma_core.filters.guided import guided_filter
from chroma_core.refiners.guided import GuidedOptions, GuidedRefiner
from chroma_core.refiners.intensity import IntensityRefiner
from chroma_core.refiners.joint_bilateral import JointBilateralOptions, JointBilateralRefiner
from chroma_core.refiners.none import NoRefiner
from chroma_core.refiners.ratio import RatioRefiner
from chroma_core.refiners.seed import SeedRefiner
from chroma_core.stages import Scene

EVERY = [
    NoRefiner,
    SeedRefiner,
    RatioRefiner,
    IntensityRefiner,
    GuidedRefiner,
    JointBilateralRefiner,
]
edge_aware = st.one_of(
    st.builds(GuidedOptions, radius=st.floats(0.5, 4), epsilon=st.just(1e-3)).map(GuidedRefiner),
    st.builds(
        JointBilateralOptions, sigma_space=st.floats(0.3, 3), sigma_range=st.floats(2, 50)
    ).map(JointBilateralRefiner),
)


def picture(height, width, seed=0, dtype=np.float64):
    """Return L* with an edge and grain, a* and b* that know little of it, and the scene."""
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[0:height, 0:width]
    lightness = np.where(col > width / 2 + row / 4, 75.0, 30.0) + rng.normal(0, 3, (height, width))
    chroma = rng.normal(0, 20, (2, height, width))
    return np.stack([np.clip(lightness, 0, 100), *chroma], axis=-1).astype(dtype)


@given(edge_aware, st.floats(1, 5), st.integers(1, 40), st.integers(1, 12), st.data())
def test_law_stripes_with_reach_equal_the_whole(refiner, scale, height, width, data):
    lab = picture(height, width)
    scene = Scene(lightness=lab[..., 0], scale=scale)
    start = data.draw(st.integers(0, height - 1))
    stop = data.draw(st.integers(start + 1, height))
    reach = refiner.reach(scale)

    whole = refiner.refine(lab, scene)
    top, bottom = max(0, start - reach), min(height, stop + reach)
    stripe = refiner.refine(lab[top:bottom], scene.rows(top, bottom))

    # Sums begin at another row; divided by epsilon, their rounding is below 1e-9.
    inner = stripe[start - top : stop - top]
    np.testing.assert_allclose(inner, whole[start:stop], rtol=0, atol=1e-9)


@given(edge_aware, st.floats(1, 4))
def test_law_lightness_and_dtype_and_the_argument_are_kept(refiner, scale):
    for dtype in (np.float32, np.float64):
        lab = picture(9, 11, dtype=dtype)
        lab.flags.writeable = False

        refined = refiner.refine(lab, Scene(lightness=lab[..., 0], scale=scale))

        assert refined.dtype == dtype
        np.testing.assert_array_equal(refined[..., 0], lab[..., 0])


@given(edge_aware, st.floats(1, 4), st.floats(-100, 100), st.floats(-100, 100))
def test_law_one_colour_stays(refiner, scale, a, b):
    lab = picture(9, 11)
    lab[..., 1:] = a, b

    refined = refiner.refine(lab, Scene(lightness=lab[..., 0], scale=scale))

    np.testing.assert_allclose(refined, lab, rtol=0, atol=1e-9)


@given(edge_aware, st.floats(1, 4))
def test_law_gray_stays_gray(refiner, scale):
    lab = picture(9, 11)
    lab[..., 1:] = 0

    refined = refiner.refine(lab, Scene(lightness=lab[..., 0], scale=scale))

    np.testing.assert_array_equal(refined, lab)


@given(edge_aware, st.floats(1, 4))
def test_law_float32_is_near_float64(refiner, scale):
    lab = picture(12, 15)
    lab32 = lab.astype(np.float32)

    exact = refiner.refine(lab, Scene(lightness=lab[..., 0], scale=scale))
    fast = refiner.refine(lab32, Scene(lightness=lab32[..., 0], scale=scale))

    # Chroma of 60 in float32 is off by 4e-6; a slope of the guided filter multiplies that.
    np.testing.assert_allclose(fast, exact, rtol=0, atol=5e-4)


@pytest.mark.parametrize(("scale", "radius"), [(1.0, 3), (2.5, 8)])
def test_guided_is_the_guided_filter_with_lightness_as_guide(scale, radius):
    lab = picture(20, 30)

    refined = GuidedRefiner(GuidedOptions(radius=3.0, epsilon=0.01)).refine(
        lab, Scene(lightness=lab[..., 0], scale=scale)
    )

    wanted = guided_filter(lab[..., 1:], lab[..., 0] / 100, radius, 0.01)
    np.testing.assert_array_equal(refined[..., 1:], wanted)


@pytest.mark.parametrize(("scale", "step"), [(1.0, 1), (4.0, 3)])
def test_joint_bilateral_is_the_bilateral_filter_with_lightness_as_guide(scale, step):
    lab = picture(20, 30)

    options = JointBilateralOptions(sigma_space=3.0, sigma_range=8.0)
    refined = JointBilateralRefiner(options).refine(lab, Scene(lightness=lab[..., 0], scale=scale))

    wanted = joint_bilateral_filter(lab[..., 1:], lab[..., 0], 3.0 * scale, 8.0, step=step)
    np.testing.assert_array_equal(refined[..., 1:], wanted)


@pytest.mark.parametrize("refiner", [GuidedRefiner, JointBilateralRefiner])
def test_the_guide_is_the_gray_picture_not_what_a_refiner_made_of_it(refiner):
    lab = picture(20, 30)
    gray = lab[..., 0].copy()
    moved = lab.copy()
    moved[..., 0] = 50.0

    refined = refiner().refine(moved, Scene(lightness=gray))

    wanted = refiner().refine(lab, Scene(lightness=gray))
    np.testing.assert_array_equal(refined[..., 1:], wanted[..., 1:])
    assert (refined[..., 0] == 50).all()


@pytest.mark.parametrize("refiner", [GuidedRefiner, JointBilateralRefiner])
def test_noise_goes_and_the_edge_of_lightness_stays(refiner):
    rng = np.random.default_rng(5)
    lightness = np.repeat([[25.0, 75.0]], 40, axis=1).repeat(60, axis=0)
    clean = np.where(lightness > 50, 30.0, -30.0)
    lab = np.stack([lightness, clean + rng.normal(0, 5, clean.shape), 0 * clean], axis=-1)

    refined = refiner().refine(lab, Scene(lightness=lightness))

    off = np.abs(refined[..., 1] - clean)
    assert off.mean() < 0.2 * np.abs(lab[..., 1] - clean).mean()
    # At the edge too: an average across it would be off by 30.
    assert off[:, 38:42].max() < 4


def test_reach_grows_with_the_picture():
    guided, bilateral = GuidedRefiner(), JointBilateralRefiner()

    assert [guided.reach(scale) for scale in (1.0, 2.5, 11.7)] == [33, 81, 376]
    # Two sigmas, rounded up to a whole number of steps of 3, 7 and 35 pixels.
    assert [bilateral.reach(scale) for scale in (1.0, 2.5, 11.7)] == [24, 63, 315]


@pytest.mark.parametrize("refiner", EVERY, ids=lambda refiner: refiner.name)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_and_counted(refiner, bad):
    lab = picture(4, 5)
    lab[1, 2:4, 1] = bad
    lab[0, 0, 0] = bad

    with pytest.raises(InputError, match=f"refiner {refiner.name}: lab holds 3 values"):
        refiner().refine(lab, Scene(lightness=np.full((4, 5), 50.0)))
    with pytest.raises(InputError, match=f"refiner {refiner.name}: lightness holds 1 value"):
        refiner().refine(picture(4, 5), Scene(lightness=lab[..., 0]))


@pytest.mark.parametrize(
    ("options", "bad"),
    [
        (GuidedOptions, {"radius": 0.0}),
        (GuidedOptions, {"radius": float("nan")}),
        (GuidedOptions, {"epsilon": 0.0}),
        (JointBilateralOptions, {"sigma_space": 0.0}),
        (JointBilateralOptions, {"sigma_range": -1.0}),
    ],
    ids=str,
)
def test_options_outside_their_domain_are_refused(options, bad):
    with pytest.raises(OptionError, match=next(iter(bad))):
        options(**bad)


def test_none_gives_a_copy():
    lab = picture(3, 4)

    refined = NoRefiner().refine(lab, Scene(lightness=lab[..., 0]))

    np.testing.assert_array_equal(refined, lab)
    assert not np.shares_memory(refined, lab)

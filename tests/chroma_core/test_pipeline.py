"""What the pipeline promises, whatever the stages are.

Lightness is the user's: no stage moves it unless it says so, and what encoding cannot show costs
chroma, never lightness (law 3). Memory is bounded by stripes and bands, and both give what the
whole gives. A stage that breaks its contract is named. Nothing is ever enlarged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chroma_core import pipeline as line
from chroma_core.color.lab import gray_to_lightness, rgb_to_lab
from chroma_core.colorspaces.lab import LabColorspace, LabOptions
from chroma_core.errors import ContractError, InputError, OptionError, StageError
from chroma_core.features.none import NoFeatures, NoFeaturesOptions
from chroma_core.features.patch import PatchFeatures, PatchFeaturesOptions
from chroma_core.options import NoOptions, Options, option
from chroma_core.pipeline import (
    JOIN_RADIUS,
    NODE_JOIN_RADIUS,
    JoinedChroma,
    Pipeline,
    lightness_of,
    merge,
    refine,
    work_shape,
)
from chroma_core.refiners.guided import GuidedOptions, GuidedRefiner
from chroma_core.refiners.intensity import IntensityOptions, IntensityRefiner
from chroma_core.refiners.joint_bilateral import JointBilateralRefiner
from chroma_core.refiners.none import NoRefiner
from chroma_core.refiners.ratio import RatioRefiner
from chroma_core.refiners.seed import SeedRefiner
from chroma_core.regressors.none import NoRegressor
from chroma_core.stages import Features, Grid, Prediction, Refiner, Regressor, Scene

LAB = LabColorspace()


@dataclass(frozen=True, kw_only=True)
class WaveOptions(Options):
    """How strong the made-up colours are."""

    strength: float = option(40.0, "largest |a*| and |b*|")


class Waves(Regressor[WaveOptions]):
    """Predicts a colour from the place and the lightness of each node."""

    name = "waves"
    Options = WaveOptions
    per_node = True

    def predict(self, features, lightness, grid):
        rows, cols = np.meshgrid(grid.row_positions(), grid.col_positions(), indexing="ij")
        pair = np.stack([np.sin(rows / 7 + lightness / 30), np.cos(cols / 9)], axis=-1)
        return Prediction(chroma=np.float32(self.options.strength) * pair.astype("f4"), grid=grid)


class BoundWaves(Waves):
    """The same, seen as a regressor that needs the whole map."""

    name = "bound-waves"
    per_node = False


class Fixed(Regressor[NoOptions]):
    """Answers what it was given."""

    name = "fixed"

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def predict(self, features, lightness, grid):
        return self.answer(grid) if callable(self.answer) else self.answer


class Change(Refiner[NoOptions]):
    """Applies a function to the picture."""

    name = "change"

    def __init__(self, change, reach=0, moves=False):
        super().__init__()
        self.change, self.far, self.moves = change, reach, moves

    @property
    def moves_lightness(self):
        return self.moves

    def reach(self, scale):
        return self.far() if callable(self.far) else self.far

    def refine(self, lab, scene):
        return self.change(lab, scene)


def plain(**changes):
    stages = {"colorspace": LAB, "features": NoFeatures(), "regressor": NoRegressor()}
    return Pipeline(**{**stages, **changes})


def ramp(height, width, bits=8):
    largest = (1 << bits) - 1
    codes = np.linspace(0, largest, height * width).reshape(height, width)
    return np.rint(codes).astype(np.uint16 if bits > 8 else np.uint8)


# Law 3: lightness is the user's.


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("refiners", [(), (NoRefiner(),), (IntensityRefiner(),)], ids=len)
def test_every_gray_code_comes_back_when_there_is_no_colour(bits, refiners):
    codes = np.arange(1 << bits).reshape(16, -1).astype(np.uint16 if bits > 8 else np.uint8)

    colored = plain(refiners=refiners)(codes)

    assert colored.dtype == codes.dtype
    np.testing.assert_array_equal(colored, np.repeat(codes[..., np.newaxis], 3, axis=-1))


@given(arrays.arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_law_sixteen_bit_pictures_come_back_when_there_is_no_colour(gray):
    colored = plain()(gray)

    np.testing.assert_array_equal(colored, np.repeat(gray[..., np.newaxis], 3, axis=-1))


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_law_colour_in_the_input_is_not_looked_at(rgb):
    lightness = LAB.from_rgb(rgb.astype(np.float32) / 255)[..., 0]

    colored = plain()(rgb)

    np.testing.assert_allclose(lightness_of(rgb, LAB), lightness, atol=1e-4)
    assert (colored == colored[..., :1]).all()


@pytest.mark.parametrize("strength", [5.0, 40.0, 120.0])
def test_colours_that_sRGB_cannot_show_lose_chroma_never_lightness(strength):
    """Every output is in the gamut by lower chroma, not by clipped channels."""
    gray = ramp(60, 80)
    regressor = Waves(WaveOptions(strength=strength))

    colored = plain(regressor=regressor)(gray)

    lightness = rgb_to_lab(colored / 255.0)[..., 0]
    wanted = gray_to_lightness(gray / 255.0)
    # Rounding three channels to half a code moves L* by at most 0.5/255 times its steepest slope
    # there; 0.26 is what all 16.7 million codes show.
    assert np.abs(lightness - wanted).max() <= 0.26
    assert np.abs(rgb_to_lab(colored / 255.0)[..., 1:]).max() > min(strength, 30) / 2


@pytest.mark.parametrize("strength", [40.0, 120.0])
def test_lightness_of_floats_is_kept_closely(strength):
    gray = ramp(60, 80).astype(np.float32) / 255

    colored = plain(regressor=Waves(WaveOptions(strength=strength)))(gray)

    # float32, and 1e-6 of linear light that the gamut mapping may be off by: 9e-4 L* near black.
    moved = rgb_to_lab(colored.astype(np.float64))[..., 0] - gray_to_lightness(gray.astype("f8"))
    assert colored.dtype == np.float32
    assert np.abs(moved).max() <= 2e-3


def test_a_refiner_that_does_not_say_so_cannot_move_lightness():
    gray = ramp(20, 30)
    darker = Change(lambda lab, scene: lab * np.float32(0.5))

    np.testing.assert_array_equal(plain(refiners=(darker,))(gray), plain()(gray))


def test_a_refiner_that_says_so_moves_lightness():
    gray = np.full((4, 4), 128, np.uint8)
    darker = Change(lambda lab, scene: lab * np.float32(0.5), moves=True)

    assert (plain(refiners=(darker,))(gray) < 70).all()


def test_a_refiner_sees_the_gray_picture_whatever_those_before_it_did():
    gray = ramp(6, 7)
    seen = []
    darker = Change(lambda lab, scene: lab * np.float32(0.5), moves=True)
    looker = Change(lambda lab, scene: (seen.append(scene.lightness.copy()), lab)[1])

    plain(refiners=(darker, looker))(gray)

    np.testing.assert_allclose(seen[0], gray_to_lightness(gray / 255.0), atol=1e-4)


def test_refiners_run_in_the_order_given():
    gray = np.full((4, 4), 128, np.uint8)
    add = Change(lambda lab, scene: lab + np.float32([0, 10, 0]))
    double = Change(lambda lab, scene: lab * np.float32([1, 2, 1]))

    first = refine_chroma((add, double), gray)
    second = refine_chroma((double, add), gray)

    assert first == pytest.approx(20)
    assert second == pytest.approx(10)


def refine_chroma(refiners, gray):
    lightness = lightness_of(gray, LAB)
    color = np.stack([lightness, 0 * lightness, 0 * lightness], axis=-1)
    return refine(color, Scene(lightness=lightness), refiners)[0, 0, 1]


# Stripes and bands equal the whole.

CHAINS = {
    "none": (),
    "point": (SeedRefiner(), RatioRefiner(), IntensityRefiner()),
    "guided": (GuidedRefiner(GuidedOptions(radius=3.0)),),
    "two wide": (
        GuidedRefiner(GuidedOptions(radius=2.0)),
        GuidedRefiner(GuidedOptions(radius=4.0)),
    ),
    "bilateral": (JointBilateralRefiner(), GuidedRefiner(GuidedOptions(radius=2.0))),
    "moving": (
        GuidedRefiner(GuidedOptions(radius=2.0)),
        IntensityRefiner(IntensityOptions(of="rec601")),
    ),
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("join", ["guided", "bilinear"])
def test_stripes_give_what_the_whole_picture_gives(chain, join, monkeypatch):
    gray = ramp(150, 40, bits=16)[np.random.default_rng(0).permutation(150)]
    pipeline = plain(regressor=Waves(), refiners=CHAINS[chain], join=join, work_size=32)
    whole = pipeline(gray)

    monkeypatch.setattr(line, "STRIPE_PIXELS", 40)
    stripes = pipeline(gray)

    # Sums over windows run in another order: 1e-5 LAB units, which may turn one 16-bit code.
    assert np.abs(whole.astype(int) - stripes).max() <= 1
    assert len(list(line._stripes(gray.shape, CHAINS[chain], 1.0))) > 1


def test_a_refiner_that_needs_the_whole_picture_gets_it(monkeypatch):
    monkeypatch.setattr(line, "STRIPE_PIXELS", 10)
    heights = []
    looker = Change(lambda lab, scene: (heights.append(len(lab)), lab)[1], reach=None)

    plain(refiners=(looker,))(ramp(50, 20))

    assert heights == [50]


def test_a_stripe_comes_with_the_rows_that_its_refiners_look_at(monkeypatch):
    monkeypatch.setattr(line, "STRIPE_PIXELS", 200)
    seen = []
    looker = Change(lambda lab, scene: (seen.append(lab.shape[0]), lab)[1], reach=4)

    plain(refiners=(looker, looker))(ramp(50, 20))

    # 10 rows a stripe, and 4 + 4 more on each side where the picture has them.
    assert seen[::2] == [18, 26, 26, 26, 18]


@given(st.integers(1, 400), st.integers(1, 50), st.integers(1, 500), st.integers(0, 30))
def test_law_stripes_cover_every_row_once(height, width, pixels, reach):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line, "STRIPE_PIXELS", pixels)
        refiners = (Change(None, reach=reach),)
        stripes = list(line._stripes((height, width), refiners, 1.0))

    covered = np.concatenate([np.arange(inner.start, inner.stop) for inner, _ in stripes])
    np.testing.assert_array_equal(covered, np.arange(height))
    for inner, outer in stripes:
        assert outer.start == max(0, inner.start - reach)
        assert outer.stop == min(height, inner.stop + reach)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_bands_of_a_regressor_that_looks_at_single_nodes_equal_the_whole(rows, monkeypatch):
    lightness = lightness_of(ramp(61, 47), LAB)
    scene = Scene(lightness=lightness)
    features = PatchFeatures(PatchFeaturesOptions(size=5, step=3))
    grid = features.grid(61, 47)
    whole = line.predict(scene, features, Waves())

    monkeypatch.setattr(line, "BAND_VALUES", rows * grid.cols * (features.width + 1))
    bands = line.predict(scene, features, Waves())

    assert bands.grid == whole.grid == grid
    np.testing.assert_array_equal(bands.chroma, whole.chroma)


def test_confidence_of_bands_is_put_together(monkeypatch):
    def answer(grid):
        rows = np.repeat(grid.row_positions()[:, np.newaxis], grid.cols, axis=1) / 100
        return Prediction(
            chroma=np.zeros((*grid.shape, 2), "f4"), grid=grid, confidence=rows.astype("f4")
        )

    regressor = Fixed(answer)
    regressor.per_node = True
    scene = Scene(lightness=np.zeros((40, 40), "f4"))
    monkeypatch.setattr(line, "BAND_VALUES", 10)

    predicted = line.predict(scene, NoFeatures(), regressor)

    assert predicted.confidence.shape == (10, 10)
    np.testing.assert_allclose(predicted.confidence[:, 0], (2 + 4 * np.arange(10)) / 100)


def test_a_regressor_that_needs_the_map_is_asked_once(monkeypatch):
    monkeypatch.setattr(line, "BAND_VALUES", 1)
    asked = []

    class Counting(BoundWaves):
        def predict(self, features, lightness, grid):
            asked.append(grid.rows)
            return super().predict(features, lightness, grid)

    line.predict(Scene(lightness=np.zeros((40, 40), "f4")), NoFeatures(), Counting())

    assert asked == [10]


# The size of the work picture.

sides = st.integers(1, 5000) | st.integers(1, 10_000_000)


@given(sides, sides, st.integers(1, 600))
def test_law_a_work_picture_is_never_larger_than_the_picture(height, width, work_size):
    rows, cols = work_shape((height, width), work_size)

    assert 1 <= rows <= height
    assert 1 <= cols <= width


@given(sides, sides, st.integers(1, 600))
def test_law_a_work_picture_has_at_most_four_times_its_square(height, width, work_size):
    rows, cols = work_shape((height, width), work_size)

    assert rows * cols <= 4 * work_size**2


@given(st.integers(256, 4000), st.integers(256, 4000))
def test_law_the_short_side_becomes_the_work_size(height, width):
    rows, cols = work_shape((height, width), 256)

    long, short = max(height, width), min(height, width)
    if long <= 3.9 * short:
        assert min(rows, cols) == 256
        assert abs(max(rows, cols) - long * 256 / short) <= 0.5


def test_a_work_size_of_zero_is_full_size():
    assert work_shape((3000, 4000), 0) == (3000, 4000)


def test_a_strip_one_pixel_high_is_worked_on_like_any_picture():
    gray = ramp(1, 3000)

    colored = plain(regressor=Waves(), work_size=16)(gray)

    assert colored.shape == (1, 3000, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (3, 3)])
@pytest.mark.parametrize("join", ["guided", "bilinear"])
def test_pictures_of_a_few_pixels_are_coloured(shape, join):
    refiners = (GuidedRefiner(), IntensityRefiner())

    colored = plain(regressor=Waves(), join=join, refiners=refiners)(np.full(shape, 77, np.uint8))

    assert colored.shape == (*shape, 3)


def test_radii_mean_the_same_on_every_scan():
    assert line.scene_scale((256, 4000)) == 1
    assert line.scene_scale((2560, 4000)) == 10
    assert line.scene_scale((50, 40)) == 1


# The join.


def on_grid(values, grid):
    return Prediction(chroma=values.astype(np.float32), grid=grid)


def test_the_bilinear_join_gives_back_the_nodes():
    grid = Grid(rows=5, cols=7, origin=(2.0, 3.0), step=(4.0, 4.0))
    chroma = np.random.default_rng(1).uniform(-60, 60, (5, 7, 2))
    joined = JoinedChroma(on_grid(chroma, grid), np.zeros((21, 31), "f4"), (21, 31), "bilinear")

    full = joined(0, 21)

    np.testing.assert_array_equal(full[2::4, 3::4], chroma.astype(np.float32))


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-50, 50))
def test_law_the_bilinear_join_is_exact_for_linear_functions(down, across, offset):
    """Twice the work picture: a pixel's centre lies where it lies, not half a pixel off."""
    grid = Grid(rows=6, cols=8, origin=(0.5, 1.0), step=(3.0, 2.0))
    rows, cols = np.meshgrid(grid.row_positions(), grid.col_positions(), indexing="ij")
    values = np.stack([down * rows + across * cols + offset, 0 * rows], axis=-1)
    joined = JoinedChroma(on_grid(values, grid), np.zeros((40, 40), "f4"), (20, 20), "bilinear")

    full = joined(0, 40)[..., 0]

    at = (np.arange(40) + 0.5) / 2 - 0.5
    inside_rows = np.clip(at, 0.5, 15.5)[:, np.newaxis]
    inside_cols = np.clip(at, 1.0, 15.0)
    # float32 values of up to 150 carry 8e-6 each; the interpolation adds three of them.
    wanted = down * inside_rows + across * inside_cols + offset
    np.testing.assert_allclose(full, wanted, atol=1e-4)


@given(st.floats(-100, 100), st.floats(-100, 100))
def test_law_the_guided_join_of_one_colour_is_that_colour(a, b):
    grid = Grid.regular(24, 30, 4)
    chroma = np.broadcast_to([a, b], (*grid.shape, 2))
    lightness = np.random.default_rng(2).uniform(0, 100, (48, 60)).astype(np.float32)

    full = JoinedChroma(on_grid(chroma, grid), lightness, (24, 30), "guided")(0, 48)

    # The slope is a difference of means of equal numbers: rounding of 1e-13 over epsilon 1e-3.
    np.testing.assert_allclose(full, np.broadcast_to(np.float32([a, b]), full.shape), atol=2e-5)


@pytest.mark.parametrize(
    ("length", "step", "radius", "edge", "times"),
    [
        (128, 8, NODE_JOIN_RADIUS, 62, 3),
        (256, 4, NODE_JOIN_RADIUS, 126, 2.9),
        *((256, 4, JOIN_RADIUS, edge, 1.9) for edge in (125, 126, 127, 128)),
    ],
)
def test_the_guided_join_follows_the_edges_of_lightness(length, step, radius, edge, times):
    """Two flat halves: the colours meet at the edge of the picture, not of the grid's cells."""
    lightness = np.where(np.arange(length) < edge, 20, 80).astype("f4") * np.ones((length, 1), "f4")
    grid = Grid.regular(length, length, step)
    side = np.where(grid.col_positions() < edge, -20.0, 40.0) * np.ones((grid.rows, 1))
    chroma = np.stack([side, side], axis=-1)

    guided, bilinear = (
        JoinedChroma(on_grid(chroma, grid), lightness, (length, length), method, radius)(64, 65)
        for method in ("guided", "bilinear")
    )

    # Between two nodes bilinear spreads 60 units evenly. Windows hold that ramp beside the edge,
    # so guided cannot make it a step, but most of it moves there; the more, the wider they are.
    steps = np.diff(guided[0, :, 0])
    assert steps.argmax() == edge - 1
    assert steps[edge - 1] > times * np.diff(bilinear[0, :, 0]).max()


def test_single_nodes_are_joined_more_widely_than_what_saw_the_whole_picture():
    gray = ramp(256, 256)
    noisy = np.random.default_rng(5).uniform(-40, 40, (64, 64, 2)).astype("f4")
    regressor = Fixed(lambda grid: Prediction(chroma=noisy[: grid.rows, : grid.cols], grid=grid))

    spreads = []
    for per_node in (True, False):
        regressor.per_node = per_node
        colour = plain(regressor=regressor, refiners=())(gray).astype(int)
        spreads.append((colour[..., 0] - colour[..., 2]).std())

    assert spreads[0] < spreads[1] / 2


def test_the_join_gives_runs_of_rows_as_the_whole():
    grid = Grid.regular(32, 32, 4)
    chroma = np.random.default_rng(3).uniform(-60, 60, (*grid.shape, 2))
    lightness = np.random.default_rng(4).uniform(0, 100, (70, 64)).astype(np.float32)
    for method in ("guided", "bilinear"):
        joined = JoinedChroma(on_grid(chroma, grid), lightness, (32, 32), method)

        parts = np.concatenate([joined(0, 13), joined(13, 14), joined(14, 70)])

        np.testing.assert_array_equal(parts, joined(0, 70))


# Vividness.


@given(st.floats(0, 2), st.floats(0, 2))
def test_law_more_vividness_is_never_less_colour(less, more):
    less, more = sorted((less, more))
    pipeline = plain(regressor=Waves(WaveOptions(strength=10.0)))
    gray = np.full((16, 16), 128, np.uint8)

    duller = replace(pipeline, vividness=less).predict(gray).chroma
    stronger = replace(pipeline, vividness=more).predict(gray).chroma

    assert (np.hypot(*duller.T) <= np.hypot(*stronger.T) + 1e-6).all()


def test_no_vividness_is_gray_and_one_changes_nothing():
    gray = ramp(20, 20)
    pipeline = plain(regressor=Waves())

    dull = replace(pipeline, vividness=0.0)(gray)

    np.testing.assert_array_equal(dull, plain()(gray))
    np.testing.assert_array_equal(replace(pipeline, vividness=1.0)(gray), pipeline(gray))


@pytest.mark.parametrize(
    "bad",
    [{"vividness": -1.0}, {"vividness": np.nan}, {"vividness": np.inf}, {"work_size": -1}],
    ids=str,
)
def test_numbers_outside_their_domain_are_refused(bad):
    with pytest.raises(OptionError, match=next(iter(bad))):
        plain(**bad)


def test_a_join_that_is_none_is_refused():
    with pytest.raises(OptionError, match="wanted guided or bilinear"):
        plain(join="cubic")


# Side inputs.


class Hinted(Features[NoOptions]):
    """Sees the user's hints."""

    name = "hinted"
    width = 1
    side_inputs = ("hints",)

    def grid(self, height, width):
        return Grid.every_pixel(height, width)

    def extract(self, scene, grid):
        return scene.side["hints"][..., np.newaxis].astype(np.float32)


def test_side_inputs_reach_features_shrunk_and_refiners_cut_along(monkeypatch):
    monkeypatch.setattr(line, "STRIPE_PIXELS", 400)
    gray = ramp(80, 60)
    hints = np.random.default_rng(5).uniform(0, 1, (80, 60)).astype(np.float32)
    seen = []
    looker = Change(lambda lab, scene: (seen.append(scene.side["hints"]), lab)[1])

    class Passing(Waves):
        def predict(self, features, lightness, grid):
            assert features.shape == (40, 30, 1)
            np.testing.assert_allclose(
                features[..., 0], hints.reshape(40, 2, 30, 2).mean((1, 3)), atol=1e-6
            )
            return super().predict(features, lightness, grid)

    pipeline = plain(features=Hinted(), regressor=Passing(), refiners=(looker,), work_size=30)
    pipeline(gray, side={"hints": hints})
    pipeline.predict(gray, side={"hints": hints})

    np.testing.assert_array_equal(np.concatenate(seen), hints)


def test_a_side_input_of_another_size_is_refused():
    with pytest.raises(InputError, match=r"hints has shape \(3, 4\), wanted \(8, 8\)"):
        plain()(ramp(8, 8), side={"hints": np.zeros((3, 4))})


# Pictures that are none.


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros(5, np.uint8), "shape"),
        (np.zeros((5, 5, 4), np.uint8), "shape"),
        (np.zeros((0, 5), np.uint8), "shape"),
        (np.zeros((5, 5), np.int32), "dtype int32"),
        (np.zeros((5, 5), bool), "dtype bool"),
        (np.full((5, 5), np.nan), "25 values that are NaN"),
        (np.full((5, 5), 1.5), r"wanted floats in \[0, 1\]"),
        (np.full((5, 5), -0.5), r"wanted floats in \[0, 1\]"),
    ],
    ids=["1d", "four channels", "empty", "int32", "bool", "nan", "above", "below"],
)
def test_arrays_that_are_no_picture_are_refused(pixels, words):
    with pytest.raises(InputError, match=words):
        plain()(pixels)


def test_a_colorspace_of_eight_bits_refuses_deeper_pictures():
    class Coarse(LabColorspace):
        name = "lab-coarse"
        max_depth = 8

    with pytest.raises(InputError, match="exact to 8 bits only") as caught:
        plain(colorspace=Coarse())(ramp(4, 4, bits=16))
    assert "--colorspace lab" in caught.value.hint
    assert plain(colorspace=Coarse())(ramp(4, 4)).shape == (4, 4, 3)


def test_a_refiner_that_does_not_speak_the_colorspace_is_refused():
    class Foreign(NoRefiner):
        spaces = ("ycbcr",)

    with pytest.raises(InputError, match="works in ycbcr, not in lab"):
        plain(refiners=(Foreign(),))


def test_refining_wants_a_picture_in_colour():
    with pytest.raises(InputError, match="it is gray"):
        plain(refiners=(NoRefiner(),)).refine_pixels(ramp(4, 4))


def test_refining_by_nothing_gives_the_picture_back():
    rgb = np.random.default_rng(6).integers(0, 256, (30, 20, 3)).astype(np.uint8)

    np.testing.assert_array_equal(plain(refiners=(NoRefiner(),)).refine_pixels(rgb), rgb)


def test_the_input_is_not_written_into():
    gray = ramp(30, 30)
    before = gray.copy()

    plain(regressor=Waves(), refiners=(GuidedRefiner(), IntensityRefiner()))(gray)

    np.testing.assert_array_equal(gray, before)


# Stages that break their contract are named.


def bad_features(extract=None, grid=None):
    class Bad(NoFeatures):
        name = "bad"

        def extract(self, scene, the_grid):
            return extract(scene, the_grid) if extract else super().extract(scene, the_grid)

        def grid(self, height, width):
            return grid(height, width) if grid else super().grid(height, width)

    return Bad(NoFeaturesOptions())


def raising(error):
    def method(*arguments):
        raise error

    return method


def write_into(array):
    array[...] = 0
    return array


class Unspeakable(Exception):
    """Cannot even say what it is."""

    def __str__(self):
        raise RuntimeError("no words")


ZEROS = np.zeros((8, 8, 2), np.float32)
GRID = Grid.regular(32, 32, 4)

BROKEN = {
    "features: wrong shape": (
        {"features": bad_features(lambda scene, grid: np.zeros((2, 2, 0), "f4"))},
        r"features bad: extract has shape \(2, 2, 0\), wanted \(8, 8, 0\)",
    ),
    "features: no array": (
        {"features": bad_features(lambda scene, grid: None)},
        "features bad: extract is a NoneType",
    ),
    "features: whole numbers": (
        {"features": bad_features(lambda scene, grid: np.zeros((8, 8, 0), int))},
        "features bad: extract has dtype int64",
    ),
    "features: a grid of tuples": (
        {"features": bad_features(grid=lambda height, width: (8, 8))},
        "features bad: grid is a tuple",
    ),
    "features: an empty grid": (
        {"features": bad_features(grid=lambda height, width: Grid(rows=0, cols=3))},
        "features bad: grid is Grid",
    ),
    "features: a grid without steps": (
        {"features": bad_features(grid=lambda h, w: Grid(rows=2, cols=2, step=(0.0, 1.0)))},
        "a finite distance apart",
    ),
    "features: a grid that fails": (
        {"features": bad_features(grid=raising(KeyError("no")))},
        "features bad failed: KeyError",
    ),
    "features: writes into the picture": (
        {"features": bad_features(lambda scene, grid: write_into(scene.lightness))},
        "features bad failed: ValueError: assignment destination is read-only",
    ),
    "regressor: no prediction": (
        {"regressor": Fixed(ZEROS)},
        "regressor fixed: predict is a ndarray, wanted a Prediction",
    ),
    "regressor: wrong shape": (
        {"regressor": Fixed(Prediction(chroma=ZEROS[:3], grid=GRID))},
        r"regressor fixed: chroma has shape \(3, 8, 2\)",
    ),
    "regressor: NaN": (
        {"regressor": Fixed(Prediction(chroma=ZEROS + np.nan, grid=GRID))},
        "regressor fixed: chroma holds 128 values that are NaN or infinite",
    ),
    "regressor: whole numbers": (
        {"regressor": Fixed(Prediction(chroma=ZEROS.astype(int), grid=GRID))},
        "regressor fixed: chroma has dtype int64",
    ),
    "regressor: confidence of another shape": (
        {"regressor": Fixed(Prediction(chroma=ZEROS, grid=GRID, confidence=ZEROS))},
        "regressor fixed: confidence has shape",
    ),
    "regressor: no grid": (
        {"regressor": Fixed(Prediction(chroma=ZEROS, grid=None))},
        "regressor fixed: grid is a NoneType",
    ),
    "regressor: a vividness that fails": (
        {
            "regressor": Fixed(
                Prediction(chroma=ZEROS, grid=GRID, decode=raising(ZeroDivisionError()))
            ),
            "vividness": 0.5,
        },
        "regressor fixed failed: ZeroDivisionError: without a message",
    ),
    "regressor: a vividness of NaN": (
        {
            "regressor": Fixed(
                Prediction(chroma=ZEROS, grid=GRID, decode=lambda p, v: p.chroma * np.nan)
            ),
            "vividness": 0.5,
        },
        "regressor fixed: chroma holds",
    ),
    "refiner: wrong shape": (
        {"refiners": (Change(lambda lab, scene: lab[:1]),)},
        r"refiner change: refine has shape \(1, 32, 3\)",
    ),
    "refiner: NaN": (
        {"refiners": (Change(lambda lab, scene: lab * np.nan),)},
        "refiner change: refine holds 3072 values",
    ),
    "refiner: writes into the picture": (
        {"refiners": (Change(lambda lab, scene: write_into(lab)),)},
        "refiner change failed: ValueError: assignment destination is read-only",
    ),
    "refiner: writes into the gray picture": (
        {"refiners": (Change(lambda lab, scene: write_into(scene.lightness)),)},
        "refiner change failed: ValueError: assignment destination is read-only",
    ),
    "refiner: reach below zero": (
        {"refiners": (Change(lambda lab, scene: lab, reach=-3),)},
        "refiner change: reach is -3",
    ),
    "refiner: reach that fails": (
        {"refiners": (Change(lambda lab, scene: lab, reach=raising(TypeError("x"))),)},
        "refiner change failed: TypeError: x",
    ),
    "an error of many lines": (
        {"refiners": (Change(raising(ValueError("one\ntwo\nthree"))),)},
        r"refiner change failed: ValueError: one$",
    ),
    "an error of a megabyte": (
        {"refiners": (Change(raising(ValueError("x" * 1_000_000))),)},
        r"ValueError: x{200}$",
    ),
    "an error without words": (
        {"refiners": (Change(raising(Unspeakable())),)},
        "refiner change failed: Unspeakable: without a message",
    ),
    "StopIteration": (
        {"refiners": (Change(raising(StopIteration())),)},
        "refiner change failed: StopIteration",
    ),
    "an exception group": (
        {"refiners": (Change(raising(ExceptionGroup("many", [ValueError("one")]))),)},
        "refiner change failed: ExceptionGroup: many",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_stage_that_breaks_its_contract_is_named(broken):
    changes, words = BROKEN[broken]
    gray = ramp(32, 32)
    before = gray.copy()

    with pytest.raises(StageError, match=words) as caught:
        plain(**changes)(gray)

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert "failed" in str(caught.value) or isinstance(caught.value, ContractError)
    assert ("failed" in str(caught.value)) == (caught.value.__cause__ is not None)
    np.testing.assert_array_equal(gray, before)


def test_a_mistake_that_the_stage_itself_tells_is_passed_on():
    told = OptionError("radius is too large")

    with pytest.raises(OptionError) as caught:
        plain(refiners=(Change(raising(told)),))(ramp(8, 8))

    assert caught.value is told


@pytest.mark.parametrize("method", ["into_gamut", "to_rgb"])
@pytest.mark.parametrize("answer", ["fails", "shape", "nan"])
def test_a_colorspace_that_breaks_its_contract_is_named(method, answer):
    def broken(self, color):
        if answer == "fails":
            raise IndexError("deep inside")
        return color[..., :2] if answer == "shape" else color * np.nan

    space = type("Broken", (LabColorspace,), {"name": "lab-broken", method: broken})()

    with pytest.raises(StageError, match="colorspace lab-broken"):
        plain(colorspace=space)(ramp(4, 4))


def test_a_colorspace_that_gives_no_lightness_is_named():
    class Broken(LabColorspace):
        name = "lab-broken"

        def from_rgb(self, rgb):
            return rgb[..., 0]

    with pytest.raises(ContractError, match="colorspace lab-broken: from_rgb has shape"):
        plain(colorspace=Broken())(ramp(4, 4))


# Merge, and what is said of a pipeline.


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)),
        elements=st.floats(-150, 150),
    )
)
def test_law_merge_answers_with_codes_whatever_the_chroma(color):
    color[..., 0] = np.abs(color[..., 0]) / 1.5
    codes = merge(color, LAB, np.uint16)

    moved = rgb_to_lab(codes / 65535.0)[..., 0] - color[..., 0]
    # Half a code of 65,535 in each channel is 0.001 L* at the steepest.
    assert np.abs(moved).max() <= 2e-3


def test_a_pipeline_says_what_it_is_made_of():
    pipeline = plain(
        features=PatchFeatures(PatchFeaturesOptions(size=5)),
        regressor=Waves(),
        refiners=(GuidedRefiner(), NoRefiner()),
        colorspace=LabColorspace(LabOptions(illuminant="D50")),
        work_size=64,
        origin={"model": "m"},
    )

    described = pipeline.describe()

    assert described["features"] == {
        "name": "patch",
        "version": 1,
        "options": {"size": "5", "step": "4"},
    }
    assert described["colorspace"]["options"]["illuminant"] == "D50"
    assert [stage["name"] for stage in described["refiners"]] == ["guided", "none"]
    assert (described["model"], described["work_size"], described["join"]) == ("m", 64, "guided")


@given(
    st.floats(0.01, 1.0),
    arrays.arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32)),
)
def test_law_fading_lowers_chroma_in_proportion_to_confidence_and_never_below_it(
    certainty, confidence
):
    chroma = np.full((3, 4, 2), 10.0, np.float32)
    plain = Prediction(chroma=chroma, grid=Grid(rows=3, cols=4), confidence=confidence)

    faded = plain.faded(certainty)

    assert (faded.chroma <= chroma).all()
    sure = confidence >= np.float32(certainty)
    np.testing.assert_array_equal(faded.chroma[sure], chroma[sure])
    share = confidence[~sure] / np.float32(certainty)
    np.testing.assert_allclose(faded.chroma[~sure][:, 0], 10 * share, rtol=1e-6)


def test_without_certainty_or_confidence_nothing_fades():
    chroma = np.full((3, 4, 2), 10.0, np.float32)
    sure = Prediction(
        chroma=chroma, grid=Grid(rows=3, cols=4), confidence=np.zeros((3, 4), np.float32)
    )
    untold = Prediction(chroma=chroma, grid=Grid(rows=3, cols=4))

    assert sure.faded(0.0) is sure
    assert untold.faded(1.0) is untold
    assert not sure.faded(1.0).chroma.any()

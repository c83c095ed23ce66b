from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import OptionError
from chroma_core.features.concatenated import Concatenated
from chroma_core.features.lightness import LightnessFeatures, LightnessFeaturesOptions
from chroma_core.features.none import NoFeatures, NoFeaturesOptions
from chroma_core.features.patch import PatchFeatures, PatchFeaturesOptions
from chroma_core.features.position import PositionFeatures
from chroma_core.features.whole import WholeFeatures
from chroma_core.stages import Features, Grid, Scene


class Plane(Features):
    """Its own grid, and at each node row and column in the picture: linear, so easy to average."""

    name = "plane"
    side_inputs = ("mask",)
    requires = ("numpy",)

    def __init__(self, step, gain=1.0):
        super().__init__()
        self.step, self.gain = step, gain

    @property
    def width(self):
        return 2

    def grid(self, height, width):
        return Grid.regular(height, width, self.step)

    def extract(self, scene, grid):
        seen = np.empty((*grid.shape, 2), np.float32)
        seen[..., 0] = self.gain * grid.row_positions()[:, np.newaxis]
        seen[..., 1] = self.gain * grid.col_positions()
        return seen

    def weight_shapes(self, width):
        return {"gain": {"factor": (1,)}}

    def weights(self):
        return {"gain": {"factor": np.array([self.gain])}}

    def with_weights(self, weights):
        return Plane(self.step, float(weights["gain"]["factor"][0]))


def scene(height, width):
    lightness = np.random.default_rng(8).uniform(0, 100, (height, width)).astype(np.float32)
    return Scene(lightness=lightness)


def grid_of(step):
    return NoFeatures(NoFeaturesOptions(step=step))


@given(st.permutations([PatchFeatures(), PositionFeatures(), LightnessFeatures(), WholeFeatures()]))
def test_law_columns_stand_in_the_order_given(stages):
    both = Concatenated(stages)
    picture = scene(30, 22)
    grid = both.grid(30, 22)
    parts = np.split(
        both.extract(picture, grid), np.cumsum([s.width for s in stages])[:-1], axis=-1
    )

    assert both.width == sum(stage.width for stage in stages)
    assert both.columns == tuple(stage.columns[0] for stage in stages)
    assert sum(column.width for column in both.columns) == both.width
    for stage, part in zip(stages, parts, strict=True):
        np.testing.assert_array_equal(part, stage.extract(picture, grid))


def test_grid_is_that_of_the_first_stage_that_has_one():
    patch = PatchFeatures(PatchFeaturesOptions(step=6))

    assert Concatenated([PositionFeatures(), patch, grid_of(3)]).grid(50, 40) == patch.grid(50, 40)
    assert Concatenated([PositionFeatures()]).grid(50, 40) == Grid.regular(50, 40, 4)


@pytest.mark.parametrize("step", [4, 6, 8, 12])
def test_a_finer_map_is_averaged_over_the_cell(step):
    # Plane's nodes lie at every second pixel; away from the border the mean over a symmetric cell
    # of a linear map is its value in the middle.
    picture = scene(97, 80)
    both = Concatenated([grid_of(step), Plane(2)])
    grid = both.grid(97, 80)
    brought = both.extract(picture, grid)

    np.testing.assert_allclose(
        brought[1:-1, 1:-1], Plane(2).extract(picture, grid)[1:-1, 1:-1], rtol=0, atol=1e-4
    )


def test_a_finer_map_of_noise_is_averaged_by_area():
    # Nodes at 0, 1, 2, ... and cells of 4 around 2, 6, ...: half of the first, whole, whole,
    # whole, half of the fifth.
    picture = scene(24, 24)
    one = PatchFeatures(PatchFeaturesOptions(size=3, step=1))
    fine = one.extract(picture, one.grid(24, 24)).astype(np.float64)
    both = Concatenated([grid_of(4), one])
    brought = both.extract(picture, both.grid(24, 24))
    share = np.array([0.5, 1, 1, 1, 0.5]) / 4
    wanted = np.einsum("i,j,ijd->d", share, share, fine[4:9, 8:13])

    np.testing.assert_allclose(brought[1, 2], wanted, rtol=0, atol=1e-5)


def test_stages_that_answer_anywhere_see_the_same_on_every_third_node():
    picture = scene(50, 62)
    both = Concatenated([PatchFeatures(), PositionFeatures(), LightnessFeatures()])
    grid = both.grid(50, 62)
    thin = Grid(rows=4, cols=5, origin=(2.0 + 4, 2.0 + 8), step=(12.0, 12.0))

    assert both.anywhere
    assert not Concatenated([grid_of(4), PatchFeatures()]).anywhere
    np.testing.assert_array_equal(
        both.extract(picture, thin), both.extract(picture, grid)[1::3, 2::3]
    )


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_coarser_map_is_interpolated(step):
    picture = scene(61, 61)
    both = Concatenated([grid_of(step), Plane(8)])
    grid = both.grid(61, 61)
    brought = both.extract(picture, grid)
    nodes = Plane(8).grid(61, 61)
    inside = np.clip(grid.row_positions(), nodes.row_positions()[0], nodes.row_positions()[-1])

    # Linear between the nodes, held beyond the outermost.
    np.testing.assert_allclose(brought[:, 0, 0], inside, rtol=0, atol=1e-4)
    np.testing.assert_allclose(brought[0, :, 1], inside, rtol=0, atol=1e-4)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 9), st.integers(1, 9))
def test_law_a_constant_stays_what_it_is_on_any_grid(height, width, ours, theirs):
    class Constant(Plane):
        def extract(self, scene, grid):
            return np.full((*grid.shape, 2), 7.0, np.float32)

    both = Concatenated([grid_of(ours), Constant(theirs)])
    brought = both.extract(scene(height, width), both.grid(height, width))

    np.testing.assert_allclose(brought, 7.0, rtol=1e-6)


def test_one_stage_is_passed_through():
    stage = LightnessFeatures(LightnessFeaturesOptions(sigmas=(1.0,)))
    picture = scene(20, 20)
    grid = Grid.regular(20, 20, 4)

    np.testing.assert_array_equal(
        Concatenated([stage]).extract(picture, grid), stage.extract(picture, grid)
    )


def test_weights_go_by_the_name_of_their_stage():
    both = Concatenated([PositionFeatures(), Plane(4, gain=3.0)])
    doubled = both.with_weights({"plane.gain": {"factor": np.array([6.0])}})
    picture = scene(20, 20)
    grid = both.grid(20, 20)

    assert both.weight_shapes(0) == {"plane.gain": {"factor": (1,)}}
    assert both.weights() == {"plane.gain": {"factor": np.array([3.0])}}
    np.testing.assert_array_equal(
        doubled.extract(picture, grid)[..., 3:], 2 * both.extract(picture, grid)[..., 3:]
    )
    np.testing.assert_array_equal(
        doubled.extract(picture, grid)[..., :3], both.extract(picture, grid)[..., :3]
    )


def test_what_stages_need_is_what_all_of_them_need():
    both = Concatenated([PositionFeatures(), Plane(4)])

    assert both.side_inputs == ("mask",)
    assert both.requires == ("numpy",)
    assert Concatenated([PositionFeatures()]).side_inputs == ()


def test_side_inputs_reach_the_stages():
    class Masked(Plane):
        def extract(self, scene, grid):
            return np.full((*grid.shape, 2), scene.side["mask"].sum(), np.float32)

    picture = Scene(
        lightness=np.zeros((8, 8), np.float32), side=MappingProxyType({"mask": np.ones((8, 8))})
    )
    both = Concatenated([PositionFeatures(), Masked(4)])

    assert (both.extract(picture, both.grid(8, 8))[..., 3:] == 64).all()


def test_no_stage_and_one_name_twice_are_refused():
    with pytest.raises(OptionError, match="at least one"):
        Concatenated([])
    with pytest.raises(OptionError, match="position are given twice"):
        Concatenated([PositionFeatures(), WholeFeatures(), PositionFeatures()])

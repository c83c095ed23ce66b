"""The values that go between stages: scenes, grids, predictions, and the check of answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.errors import ContractError
from chroma_core.features.position import PositionFeatures
from chroma_core.options import NoOptions
from chroma_core.refiners.none import NoRefiner
from chroma_core.regressors.none import NoRegressor
from chroma_core.stages import Colorspace, Features, Grid, Prediction, Scene, check_answer
from chroma_core.testing import labs

sides = st.integers(1, 300)


@given(sides, sides, st.integers(1, 40))
def test_law_nodes_of_a_regular_grid_lie_in_the_picture(height, width, step):
    grid = Grid.regular(height, width, step)

    rows, cols = grid.row_positions(), grid.col_positions()
    assert (len(rows), len(cols)) == grid.shape
    assert rows[0] >= 0
    assert cols[0] >= 0
    assert rows[-1] <= height - 1
    assert cols[-1] <= width - 1
    # No further node would fit.
    assert rows[-1] + step > height - 1
    assert cols[-1] + step > width - 1


@given(sides, sides, st.integers(1, 40), st.data())
def test_law_a_band_has_the_nodes_of_its_rows(height, width, step, data):
    grid = Grid.regular(height, width, step)
    start = data.draw(st.integers(0, grid.rows - 1))
    stop = data.draw(st.integers(start + 1, grid.rows))
    band = grid.band(start, stop)

    np.testing.assert_array_equal(band.row_positions(), grid.row_positions()[start:stop])
    np.testing.assert_array_equal(band.col_positions(), grid.col_positions())
    assert band.band(0, stop - start) == band


def test_a_grid_on_every_pixel():
    grid = Grid.every_pixel(3, 4)

    assert grid.shape == (3, 4)
    assert grid.row_positions().tolist() == [0, 1, 2]
    assert grid.col_positions().tolist() == [0, 1, 2, 3]


def test_a_picture_smaller_than_the_step_has_one_node_in_its_middle():
    grid = Grid.regular(3, 4, 16)

    assert (grid.shape, grid.origin) == ((1, 1), (1.0, 1.0))


def test_rows_of_a_scene_cut_all_that_belongs_to_it():
    side = {"hints": np.arange(24.0).reshape(4, 3, 2)}
    scene = Scene(lightness=np.arange(12.0).reshape(4, 3), scale=2.0, side=side)

    stripe = scene.rows(1, 3)

    np.testing.assert_array_equal(stripe.lightness, scene.lightness[1:3])
    np.testing.assert_array_equal(stripe.side["hints"], side["hints"][1:3])
    assert stripe.scale == 2.0


def test_a_scene_has_nothing_at_its_side_and_the_default_cannot_be_filled():
    scene = Scene(lightness=np.zeros((2, 2)))

    assert dict(scene.side) == {}
    with pytest.raises(TypeError):
        scene.side["hints"] = np.zeros((2, 2))  # type: ignore[index]


def test_vividness_scales_chroma_unless_the_regressor_knows_better():
    chroma = np.array([[[1.0, -2.0]]], dtype=np.float32)
    plain = Prediction(chroma=chroma, grid=Grid(rows=1, cols=1))

    def fixed(prediction, vividness):
        return prediction.chroma + np.float32(vividness)

    decoding = Prediction(chroma=chroma, grid=Grid(rows=1, cols=1), decode=fixed)

    assert plain.at(1.0) is plain
    np.testing.assert_array_equal(plain.at(0.5).chroma, [[[0.5, -1.0]]])
    np.testing.assert_array_equal(decoding.at(3.0).chroma, [[[4.0, 1.0]]])
    assert plain.at(0.5).chroma.dtype == np.float32


def test_defaults_of_a_stage():
    stage = PositionFeatures()

    assert isinstance(stage.options, NoOptions)
    assert (stage.role, stage.version, stage.requires, stage.extra) == ("features", 1, (), "")
    assert (stage.weight_shapes(0), stage.weights()) == ({}, {})
    assert stage.with_weights({}) is stage
    assert repr(stage) == "PositionFeatures(NoOptions())"
    assert NoRefiner().role == "refiner"
    assert NoRegressor().role == "regressor"


def test_the_missing_method_is_named():
    class Half(Features):
        name = "half"
        width = 1

    with pytest.raises(TypeError, match="extract"):
        Half()


class PlainLab(LabColorspace):
    """LAB with the mapping into the gamut that every colorspace inherits."""

    name = "plain-lab"
    into_gamut = Colorspace.into_gamut


@given(labs(limit=120))
def test_law_inherited_gamut_mapping_keeps_lightness_and_hue(color):
    mapped = PlainLab().into_gamut(color)

    rgb = PlainLab().to_rgb(mapped)
    np.testing.assert_array_equal(mapped[..., 0], color[..., 0])
    # It stops at a gap of 1e-6 outside; white itself is off by a rounding.
    assert rgb.min() >= -2e-6
    assert rgb.max() <= 1 + 2e-6
    a, b = color[..., 1], color[..., 2]
    a_mapped, b_mapped = mapped[..., 1], mapped[..., 2]
    # Parallel and not opposed: one factor for both. atol: subnormal products.
    np.testing.assert_allclose(a * b_mapped, b * a_mapped, rtol=1e-12, atol=1e-300)
    assert (a * a_mapped + b * b_mapped >= 0).all()
    assert (np.hypot(a_mapped, b_mapped) <= np.hypot(a, b)).all()


def test_inherited_gamut_mapping_leaves_what_lies_inside():
    rgb = np.random.default_rng(0).uniform(0, 1, (64, 3))
    color = PlainLab().from_rgb(rgb)

    np.testing.assert_array_equal(PlainLab().into_gamut(color), color)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([[0.0]], "is a list, wanted an array"),
        (None, "is a NoneType"),
        (np.zeros((2, 3), np.float32), r"has shape \(2, 3\), wanted \(2, None, 1\)"),
        (np.zeros((2, 3, 2), np.float32), r"has shape \(2, 3, 2\)"),
        (np.zeros((2, 3, 1), np.uint8), "has dtype uint8"),
        (np.zeros((2, 3, 1), complex), "has dtype complex128"),
        (np.full((2, 3, 1), np.nan), "holds 6 values that are NaN or infinite"),
    ],
    ids=["list", "none", "rank", "shape", "integers", "complex", "nan"],
)
def test_an_answer_is_checked_and_the_stage_is_named(answer, said):
    with pytest.raises(ContractError, match=f"features position: what at row 4 {said}") as caught:
        check_answer(PositionFeatures(), "what", answer, (2, None, 1), near="at row 4")

    assert caught.value.exit_status == 69


def test_a_good_answer_is_given_back():
    answer = np.zeros((2, 5, 1), np.float32)

    assert check_answer(PositionFeatures(), "what", answer, (2, None, 1)) is answer

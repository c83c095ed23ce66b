"""The contract, and what is special about these two stages."""

import numpy as np
from chroma_example.fade import FadeOptions, FadeRefiner
from chroma_example.structure import StructureFeatures, StructureOptions
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.stages import Grid, Scene
from chroma_core.testing import check_stage, labs, lightness_pictures


def structure_of(lightness, radius=4):
    stage = StructureFeatures(StructureOptions(radius=radius))
    return stage.extract(Scene(lightness=lightness), Grid.every_pixel(*lightness.shape))


def test_law_contract():
    check_stage(StructureFeatures())
    check_stage(FadeRefiner())


@given(st.floats(0, 100, width=32))
def test_law_flat_pictures_have_no_structure(level):
    flat = np.full((9, 12), level, dtype=np.float32)

    np.testing.assert_array_equal(structure_of(flat), np.zeros((9, 12, 3)))


@given(lightness_pictures())
def test_law_a_transposed_picture_has_the_other_direction(lightness):
    strength, cosine, sine = np.moveaxis(structure_of(lightness), -1, 0)

    strength_t, cosine_t, sine_t = np.moveaxis(structure_of(lightness.T), -1, 0)

    # Running sums go the other way round: float64 roundings of sums of up to 81 squares of 50,
    # enlarged where the tensor is hardly above what counts as flat.
    np.testing.assert_allclose(strength_t.T, strength, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(strength.T**2 * cosine_t, -(strength**2 * cosine).T, atol=1e-2)
    np.testing.assert_allclose(strength.T**2 * sine_t, (strength**2 * sine).T, atol=1e-2)


def test_an_edge_has_its_slope_and_its_direction():
    ramp = np.tile(np.arange(20, dtype=np.float32) * 3, (15, 1))

    middle = structure_of(ramp, radius=2)[7, 10]

    # 3 L* per pixel along the columns: an angle of 0, so cosine 1 and sine 0.
    np.testing.assert_allclose(middle, [3, 1, 0], atol=1e-6)


@given(labs(), st.floats(0, 99), st.floats(1, 100))
def test_law_fading_keeps_hue_and_lightness_and_adds_no_colour(lab, shadows, highlights):
    stage = FadeRefiner(FadeOptions(shadows=shadows, highlights=highlights))

    faded = stage.refine(lab, Scene(lightness=lab[..., 0]))

    (a, b), (a_faded, b_faded) = (
        np.moveaxis(lab[..., 1:], -1, 0),
        np.moveaxis(faded[..., 1:], -1, 0),
    )
    np.testing.assert_array_equal(faded[..., 0], lab[..., 0])
    # Parallel, not opposed, not longer. atol: subnormal products.
    np.testing.assert_allclose(a * b_faded, b * a_faded, rtol=1e-12, atol=1e-300)
    assert (a * a_faded + b * b_faded >= 0).all()
    assert (np.hypot(a_faded, b_faded) <= np.hypot(a, b)).all()


def test_fading_is_complete_at_both_ends_and_absent_between():
    lightness = np.array([[0.0, 5.0, 50.0, 97.5, 100.0]])
    lab = np.stack([lightness, np.full_like(lightness, 40), np.full_like(lightness, -20)], axis=-1)

    faded = FadeRefiner().refine(lab, Scene(lightness=lightness))

    np.testing.assert_array_equal(faded[0, :, 1], [0, 20, 40, 20, 0])

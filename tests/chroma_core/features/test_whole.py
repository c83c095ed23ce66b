import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.features.whole import WholeFeatures, WholeFeaturesOptions
from chroma_core.stages import Grid, Scene
from chroma_core.testing.pictures import lightness_pictures

cells = st.integers(1, 9)


def glance(lightness, cells):
    stage = WholeFeatures(WholeFeaturesOptions(cells=cells))
    return stage.extract(Scene(lightness=lightness), Grid(rows=1, cols=1))[0, 0]


@given(lightness_pictures(), cells)
def test_law_mean_of_the_cells_is_the_mean_of_the_picture(lightness, cells):
    numbers = glance(lightness, cells)

    # Cells are of equal size, and pixels on a cut count by area.
    np.testing.assert_allclose(numbers[:-2].mean(), lightness.mean(dtype=np.float64), atol=2e-5)
    np.testing.assert_allclose(numbers[-2], lightness.mean(dtype=np.float64), atol=1e-5)
    np.testing.assert_allclose(numbers[-1], lightness.std(dtype=np.float64), atol=1e-5)


@given(lightness_pictures(max_side=8), cells, st.integers(2, 4))
def test_law_the_same_scene_at_another_size_looks_the_same(lightness, cells, factor):
    larger = np.repeat(np.repeat(lightness, factor, axis=0), factor, axis=1)

    np.testing.assert_allclose(glance(larger, cells), glance(lightness, cells), atol=2e-5)


@given(lightness_pictures(), cells)
def test_law_a_mirrored_picture_has_mirrored_cells(lightness, cells):
    numbers, mirrored = glance(lightness, cells), glance(lightness[:, ::-1], cells)

    np.testing.assert_allclose(
        mirrored[:-2].reshape(cells, cells)[:, ::-1], numbers[:-2].reshape(cells, cells), atol=2e-5
    )


def test_cells_are_means_of_their_pixels_where_sizes_divide():
    lightness = np.random.default_rng(6).uniform(0, 100, (12, 20)).astype(np.float32)

    np.testing.assert_allclose(
        glance(lightness, 4)[:16],
        lightness.reshape(4, 3, 4, 5).mean(axis=(1, 3)).ravel(),
        atol=2e-5,
    )


def test_a_pixel_on_a_cut_counts_for_both_sides():
    np.testing.assert_allclose(
        glance(np.array([[0.0, 30.0, 60.0]], np.float32), 2)[:4], [10, 50, 10, 50], atol=1e-5
    )


def test_every_node_has_the_same():
    lightness = np.random.default_rng(7).uniform(0, 100, (30, 40)).astype(np.float32)
    seen = WholeFeatures().extract(Scene(lightness=lightness), Grid.regular(30, 40, 4))

    assert (seen == seen[0, 0]).all()

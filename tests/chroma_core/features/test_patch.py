import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import OptionError
from chroma_core.features.patch import PatchFeatures, PatchFeaturesOptions
from chroma_core.stages import Grid, Scene
from chroma_core.testing.pictures import lightness_pictures

sizes = st.sampled_from([1, 3, 7, 11])


def patches(lightness, size, grid=None):
    stage = PatchFeatures(PatchFeaturesOptions(size=size, step=1))
    return stage.extract(Scene(lightness=lightness), grid or Grid.every_pixel(*lightness.shape))


@given(lightness_pictures(), sizes)
def test_law_patches_have_mean_zero(lightness, size):
    # 121 roundings of float32 at 100 and below.
    np.testing.assert_allclose(patches(lightness, size).mean(axis=-1), 0, atol=2e-5)


@given(lightness_pictures(), sizes, st.floats(-50, 50, width=32))
def test_law_brighter_all_over_changes_nothing(lightness, size, more):
    np.testing.assert_allclose(
        patches(lightness + np.float32(more), size), patches(lightness, size), rtol=0, atol=1e-4
    )


@given(lightness_pictures(), sizes)
def test_law_a_mirrored_picture_has_mirrored_patches(lightness, size):
    seen = patches(lightness, size)
    shape = (*lightness.shape, size, size)
    mirrored = patches(lightness[:, ::-1], size).reshape(shape)

    # The mean's sum runs the other way.
    np.testing.assert_allclose(mirrored[:, ::-1, :, ::-1], seen.reshape(shape), rtol=0, atol=1e-4)


def test_window_is_what_lies_around_the_node():
    lightness = np.random.default_rng(4).uniform(0, 100, (20, 30)).astype(np.float32)
    seen = patches(lightness, 5)
    window = lightness[8:13, 15:20]

    np.testing.assert_allclose(seen[10, 17], (window - window.mean()).ravel(), rtol=0, atol=1e-5)


def test_border_is_reflected_with_its_edge_repeated_even_where_the_window_is_larger():
    seen = patches(np.array([[10.0, 20.0, 60.0]], np.float32), 9)[0, 0].reshape(9, 9)
    reflected = np.array([60, 60, 20, 10, 10, 20, 60, 60, 20])

    np.testing.assert_array_equal(seen, np.tile(seen[:1], (9, 1)))
    np.testing.assert_allclose(seen[0], reflected - reflected.mean(), rtol=0, atol=1e-5)


def test_a_node_between_pixels_takes_the_nearest():
    lightness = np.arange(12, dtype=np.float32).reshape(3, 4) ** 2
    near = patches(lightness, 3, Grid(rows=1, cols=1, origin=(1.3, 1.6)))

    np.testing.assert_array_equal(near[0, 0], patches(lightness, 3)[1, 2])


def test_even_windows_are_refused():
    with pytest.raises(OptionError, match="size is 4, wanted an odd number"):
        PatchFeaturesOptions(size=4)

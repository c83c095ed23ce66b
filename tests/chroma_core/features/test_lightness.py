import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import OptionError
from chroma_core.features.lightness import LightnessFeatures, LightnessFeaturesOptions
from chroma_core.stages import Grid, Scene
from chroma_core.testing.pictures import lightness_pictures

sigmas = st.lists(st.floats(0.3, 60), min_size=1, max_size=3).map(tuple)


def seen(lightness, sigmas, grid=None, scale=1.0):
    stage = LightnessFeatures(LightnessFeaturesOptions(sigmas=sigmas))
    return stage.extract(
        Scene(lightness=lightness, scale=scale), grid or Grid.every_pixel(*lightness.shape)
    )


def noise(height, width, seed=5):
    return np.random.default_rng(seed).uniform(0, 100, (height, width)).astype(np.float32)


@given(lightness_pictures(), sigmas)
def test_law_first_is_the_lightness_and_all_lie_in_its_range(lightness, sigmas):
    features = seen(lightness, sigmas)

    np.testing.assert_array_equal(features[..., 0], lightness)
    # Weights sum to 1 in float64; the result is rounded to float32 once.
    assert features.min() >= lightness.min() - 1e-5
    assert features.max() <= lightness.max() + 1e-5


@given(st.floats(0, 100, width=32), st.integers(1, 30), st.integers(1, 30), sigmas)
def test_law_a_flat_picture_stays_flat(value, height, width, sigmas):
    features = seen(np.full((height, width), value, np.float32), sigmas)

    np.testing.assert_allclose(features, value, rtol=1e-6, atol=1e-30)


@given(lightness_pictures(), sigmas, st.floats(0, 1, width=32))
def test_law_blur_is_linear_in_the_picture(lightness, sigmas, share):
    other = noise(*lightness.shape)
    mixed = seen(share * lightness + (1 - share) * other, sigmas)

    np.testing.assert_allclose(
        mixed, share * seen(lightness, sigmas) + (1 - share) * seen(other, sigmas), atol=1e-4
    )


@given(lightness_pictures(), sigmas)
def test_law_a_mirrored_picture_has_mirrored_features(lightness, sigmas):
    np.testing.assert_allclose(
        seen(lightness[::-1, ::-1], sigmas)[::-1, ::-1], seen(lightness, sigmas), atol=1e-4
    )


@given(lightness_pictures(), sigmas)
def test_law_reflection_keeps_the_mean_of_the_picture(lightness, sigmas):
    # Every pixel's node has the same Gaussian, so with the edge repeated a pixel's weights over all
    # nodes sum to 1 too.
    means = seen(lightness, sigmas).mean(axis=(0, 1), dtype=np.float64)

    np.testing.assert_allclose(means, lightness.mean(dtype=np.float64), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (40, 7), (1, 33)])
def test_scipy_s_gaussian_agrees(height, width):
    ndimage = pytest.importorskip("scipy.ndimage")
    lightness = noise(height, width)
    features = seen(lightness, (2.0, 8.0, 32.0))

    for channel, sigma in enumerate((2.0, 8.0, 32.0), start=1):
        theirs = ndimage.gaussian_filter(
            lightness.astype(np.float64), sigma, mode="reflect", truncate=4.0
        )
        np.testing.assert_allclose(features[..., channel], theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sigma", [33.0, 90.0, 300.0])
def test_wide_gaussians_agree_though_the_picture_is_shrunk_for_them(sigma):
    ndimage = pytest.importorskip("scipy.ndimage")
    across = np.linspace(-2, 3, 330)
    lightness = 50 + 40 * np.sin(across) * np.cos(2 * np.linspace(0, 4, 250))[:, np.newaxis]
    lightness = (lightness + noise(250, 330) / 10).astype(np.float32)
    theirs = ndimage.gaussian_filter(
        lightness.astype(np.float64), sigma, mode="reflect", truncate=4.0
    )

    # Cells of sigma / 32 widen the Gaussian by one part in 20,000 and cut it off half a cell
    # sooner or later; L* varies by 80 here.
    np.testing.assert_allclose(seen(lightness, (sigma,))[..., 1], theirs, rtol=0, atol=0.01)


def test_nodes_see_what_a_pixel_there_would():
    lightness = noise(50, 70)
    grid = Grid.regular(50, 70, 4)
    everywhere = seen(lightness, (3.0,))

    np.testing.assert_array_equal(seen(lightness, (3.0,), grid), everywhere[2::4, 2::4])


def test_between_pixels_the_lightness_is_interpolated():
    lightness = np.array([[0.0, 10.0], [20.0, 50.0]], np.float32)
    middle = seen(lightness, (1.0,), Grid(rows=1, cols=1, origin=(0.5, 0.5)))

    np.testing.assert_allclose(middle[0, 0], [20.0, 20.0], rtol=1e-6)


def test_widths_go_with_the_scale_of_the_scene():
    lightness = noise(60, 60)

    np.testing.assert_array_equal(
        seen(lightness, (2.0, 3.0), scale=2.5), seen(lightness, (5.0, 7.5), scale=1.0)
    )


@pytest.mark.parametrize("bad", [(0.0,), (-1.0,), (np.nan,), (2000.0,), 2.0], ids=str)
def test_widths_that_are_none_are_refused(bad):
    with pytest.raises(OptionError, match="sigmas"):
        LightnessFeaturesOptions(sigmas=bad)

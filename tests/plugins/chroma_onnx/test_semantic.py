"""The features stage ``semantic``."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.api import build_features
from chroma_core.color import gray_to_lightness
from chroma_core.errors import ModelMismatch
from chroma_core.pictures.read import read_picture
from chroma_core.stages import Grid, Scene
from chroma_core.testing import check_stage, sample_pictures

pytest.importorskip("onnxruntime")

from chroma_onnx.encoder import CHANNELS, DEPTHS, activations
from chroma_onnx.semantic import SemanticFeatures, SemanticOptions

TOTAL = sum(CHANNELS.values())


def photograph():
    """Return L* of a made-up picture with edges and shades, shape (72, 100)."""
    down, across = np.mgrid[:72, :100]
    shade = 50 + 30 * np.sin(down / 7) * np.cos(across / 11) + 15 * (across > 40)
    return shade.clip(0, 100).astype(np.float32)


def projection(components, seed=0):
    """Return a projection of random numbers."""
    rng = np.random.default_rng(seed)
    return {
        "projection": {
            "mean": rng.normal(size=TOTAL).astype(np.float32),
            "matrix": rng.normal(size=(TOTAL, components)).astype(np.float32),
        }
    }


def test_semantic_keeps_its_contract():
    check_stage(SemanticFeatures())


def test_projecting_small_maps_is_projecting_activations_at_nodes():
    options = SemanticOptions(components=5)
    weights = projection(5)
    lightness = photograph()
    stage = SemanticFeatures(options, weights)
    grid = stage.grid(*lightness.shape)
    found = stage.extract(Scene(lightness=lightness), grid)

    seen = activations(lightness)
    row, col = 7, 13
    node = []
    for depth in DEPTHS:
        maps = seen.maps[depth]
        down = seen.places(depth, grid.row_positions()[row : row + 1], 0)[0]
        across = seen.places(depth, grid.col_positions()[col : col + 1], 1)[0]
        i, j = int(np.floor(down)), int(np.floor(across))
        u, v = down - i, across - j
        above = (1 - v) * maps[:, i, j] + (v * maps[:, i, j + 1] if v else 0)
        below = (1 - v) * maps[:, i + 1, j] + (v * maps[:, i + 1, j + 1] if v else 0)
        node.append((1 - u) * above + u * below)
    vector = np.concatenate([*node, seen.pooled])
    wanted = (vector - weights["projection"]["mean"]) @ weights["projection"]["matrix"]

    # Sums of 1,776 products of about 1 in float32, in another order.
    np.testing.assert_allclose(found[row, col], wanted, rtol=0, atol=1e-3)


def test_nodes_stand_where_those_of_sift_do():
    pytest.importorskip("cv2")

    assert SemanticFeatures().grid(256, 341) == build_features("sift").grid(256, 341)


def test_any_nodes_may_be_asked_for():
    scene = Scene(lightness=photograph())
    stage = SemanticFeatures()
    whole = stage.extract(scene, stage.grid(72, 100))
    some = stage.extract(scene, Grid(rows=3, cols=4, origin=(10.0, 14.0), step=(16.0, 20.0)))

    np.testing.assert_array_equal(some, whole[2::4, 3::5][:3, :4])


def test_more_threads_give_the_same():
    scene = Scene(lightness=photograph())
    grid = SemanticFeatures().grid(72, 100)
    one, two = (
        SemanticFeatures(SemanticOptions(threads=threads)).extract(scene, grid)
        for threads in (1, 2)
    )

    # Threads share the work by channels; no sum is taken in another order.
    np.testing.assert_array_equal(one, two)


def test_the_shipped_projection_has_a_variance_near_one_on_photographs(checkout):
    stage = SemanticFeatures()
    nodes = []
    for path in sorted((checkout / "plugins/chroma_models/demo").glob("kodak-*.jpg")):
        gray = read_picture(path).pixels.mean(axis=-1) / 255
        lightness = gray_to_lightness(gray).astype(np.float32)
        found = stage.extract(Scene(lightness=lightness), stage.grid(*lightness.shape))
        nodes.append(found.reshape(-1, stage.width))
    spread = np.concatenate(nodes).std(axis=0)

    # Five photographs are no sample of the world: half to twice, for the middle component.
    assert len(nodes) == 5
    assert 0.5 < np.median(spread) < 2


def test_a_projection_of_another_size_than_the_shipped_one_must_be_given():
    stage = SemanticFeatures(SemanticOptions(components=7))

    with pytest.raises(ModelMismatch, match="keeps 96"):
        stage.weights()
    with_own = stage.with_weights(projection(7))
    assert with_own.extract(Scene(lightness=photograph()), stage.grid(72, 100)).shape[-1] == 7


def test_flat_pictures_and_extremes_are_finite():
    stage = SemanticFeatures()
    for name, picture in sample_pictures(24, 40).items():
        found = stage.extract(Scene(lightness=picture), stage.grid(24, 40))

        assert np.isfinite(found).all(), name

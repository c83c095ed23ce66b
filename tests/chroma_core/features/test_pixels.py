"""Every pixel a node, and nothing known of it but its lightness."""

import numpy as np

from chroma_core.features.pixels import PixelFeatures
from chroma_core.plugins import find_stage
from chroma_core.stages import Grid, Scene
from chroma_core.testing import check_stage


def test_law_contract():
    check_stage(PixelFeatures(), atol=0.0)


def test_nodes_stand_on_the_pixels():
    grid = PixelFeatures().grid(3, 5)

    assert grid == Grid(rows=3, cols=5, origin=(0.0, 0.0), step=(1.0, 1.0))


def test_a_node_has_no_numbers_and_none_on_disk():
    stage = PixelFeatures()
    scene = Scene(lightness=np.full((7, 9), 50, np.float32))

    found = stage.extract(scene, stage.grid(7, 9))

    assert found.shape == (7, 9, 0)
    assert found.dtype == np.float32
    assert stage.width == sum(column.width for column in stage.columns) == 0


def test_it_answers_at_any_nodes():
    stage = PixelFeatures()
    grid = Grid(rows=1, cols=4, origin=(2.0, 1.0), step=(1.0, 3.0))

    assert stage.anywhere
    assert stage.extract(Scene(lightness=np.zeros((9, 20), np.float32)), grid).shape == (1, 4, 0)


def test_it_is_found_by_name():
    assert find_stage("features", "pixels") is PixelFeatures

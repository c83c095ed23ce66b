"""Every reference features stage keeps the contract, to the last bit where bands are concerned."""

import numpy as np
import pytest

from chroma_core.features.concatenated import Concatenated
from chroma_core.features.lightness import LightnessFeatures, LightnessFeaturesOptions
from chroma_core.features.none import NoFeatures, NoFeaturesOptions
from chroma_core.features.patch import PatchFeatures, PatchFeaturesOptions
from chroma_core.features.position import PositionFeatures
from chroma_core.features.whole import WholeFeatures, WholeFeaturesOptions
from chroma_core.stages import Grid, Scene
from chroma_core.testing import check_stage

STAGES = [
    NoFeatures(),
    NoFeatures(NoFeaturesOptions(step=3)),
    PositionFeatures(),
    PatchFeatures(),
    PatchFeatures(PatchFeaturesOptions(size=1, step=1)),
    PatchFeatures(PatchFeaturesOptions(size=15, step=5)),
    LightnessFeatures(),
    LightnessFeatures(LightnessFeaturesOptions(sigmas=(0.5, 100.0))),
    WholeFeatures(),
    WholeFeatures(WholeFeaturesOptions(cells=7)),
    Concatenated([PatchFeatures(), PositionFeatures(), LightnessFeatures(), WholeFeatures()]),
    Concatenated([NoFeatures(NoFeaturesOptions(step=7)), PatchFeatures()]),
    Concatenated([NoFeatures(NoFeaturesOptions(step=2)), PatchFeatures()]),
]


@pytest.mark.parametrize("stage", STAGES, ids=repr)
def test_contract_is_kept(stage):
    check_stage(stage, atol=0.0)


@pytest.mark.parametrize("stage", STAGES, ids=repr)
@pytest.mark.parametrize("scale", [1.0, 3.7])
def test_bands_of_any_height_are_the_whole_at_a_size_that_counts(stage, scale):
    lightness = np.random.default_rng(3).uniform(0, 100, (190, 260)).astype(np.float32)
    scene = Scene(lightness=lightness, scale=scale)
    grid = stage.grid(190, 260) or Grid.regular(190, 260, 4)
    whole = stage.extract(scene, grid)

    for height in (1, 7, 33):
        bands = [
            stage.extract(scene, grid.band(start, min(start + height, grid.rows)))
            for start in range(0, grid.rows, height)
        ]
        np.testing.assert_array_equal(np.concatenate(bands), whole)

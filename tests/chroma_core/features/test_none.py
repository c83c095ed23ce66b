import numpy as np
import pytest

from chroma_core.errors import OptionError
from chroma_core.features.none import NoFeatures, NoFeaturesOptions
from chroma_core.stages import Grid, Scene


def test_there_is_a_grid_and_nothing_on_it():
    stage = NoFeatures(NoFeaturesOptions(step=5))
    grid = stage.grid(11, 23)
    seen = stage.extract(Scene(lightness=np.zeros((11, 23), np.float32)), grid)

    assert grid == Grid.regular(11, 23, 5)
    assert seen.shape == (*grid.shape, 0)
    assert seen.dtype == np.float32
    assert stage.width == 0


@pytest.mark.parametrize("bad", [0, -1, 2.5])
def test_a_step_below_one_pixel_is_refused(bad):
    with pytest.raises(OptionError, match="step"):
        NoFeaturesOptions(step=bad)

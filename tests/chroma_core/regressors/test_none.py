"""No colour, whatever is seen."""

import numpy as np

from chroma_core.regressors.none import NoRegressor
from chroma_core.stages import Grid
from chroma_core.testing import check_stage


def test_law_contract():
    check_stage(NoRegressor())


def test_every_node_is_neutral():
    grid = Grid(rows=3, cols=5)
    features = np.full((3, 5, 7), 200, dtype=np.float32)

    prediction = NoRegressor().predict(features, np.full((3, 5), 50, dtype=np.float32), grid)

    np.testing.assert_array_equal(prediction.chroma, np.zeros((3, 5, 2)))
    assert prediction.chroma.dtype == np.float32
    assert prediction.grid == grid

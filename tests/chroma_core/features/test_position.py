import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.features.position import PositionFeatures
from chroma_core.stages import Grid, Scene

sides = st.integers(1, 40)


def positions(height, width, grid=None):
    scene = Scene(lightness=np.zeros((height, width), np.float32))
    return PositionFeatures().extract(scene, grid or Grid.every_pixel(height, width))


@given(sides, sides)
def test_law_every_number_lies_between_zero_and_one(height, width):
    seen = positions(height, width)

    assert (seen >= 0).all()
    assert (seen <= 1).all()
    assert (seen[..., :2] > 0).all()


@given(sides, sides)
def test_law_a_mirrored_picture_has_mirrored_positions(height, width):
    seen = positions(height, width)
    mirrored = seen[:, ::-1]

    # One rounding to float32 of numbers up to 1, twice.
    np.testing.assert_allclose(mirrored[..., 0], 1 - seen[..., 0], rtol=0, atol=1.2e-7)
    np.testing.assert_allclose(mirrored[..., 1:], seen[..., 1:], rtol=0, atol=1.2e-7)
    np.testing.assert_allclose(seen[::-1, :, 1], 1 - seen[..., 1], rtol=0, atol=1.2e-7)


@given(sides, sides, st.integers(2, 4))
def test_law_size_does_not_matter_only_place(height, width, factor):
    # Pixel i of the small picture covers pixels factor * i to factor * (i + 1) - 1 of the large.
    middle = (factor - 1) / 2
    grid = Grid(
        rows=height, cols=width, origin=(middle, middle), step=(float(factor), float(factor))
    )

    np.testing.assert_allclose(
        positions(height * factor, width * factor, grid), positions(height, width), atol=1.2e-7
    )


def test_numbers_are_across_down_and_distance_from_the_middle_line():
    seen = positions(2, 4)

    np.testing.assert_array_equal(seen[0, :, 0], [0.125, 0.375, 0.625, 0.875])
    np.testing.assert_array_equal(seen[:, 0, 1], [0.25, 0.75])
    np.testing.assert_array_equal(seen[1, :, 2], [0.75, 0.25, 0.25, 0.75])

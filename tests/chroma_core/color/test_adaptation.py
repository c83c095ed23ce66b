import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.color import (
    WHITE_POINTS,
    chromatic_adaptation,
    chromatic_adaptation_matrix,
    white_point,
)

whites = st.sampled_from(sorted(WHITE_POINTS.values()))


@given(whites, whites)
def test_law_white_goes_to_white(source, target):
    # Five roundings of numbers near 1.
    np.testing.assert_allclose(
        chromatic_adaptation(white_point(source), source, target),
        white_point(target),
        rtol=0,
        atol=1e-15,
    )


@given(whites, whites, whites)
def test_law_adapting_twice_is_adapting_once(first, second, third):
    twice = chromatic_adaptation_matrix(second, third) @ chromatic_adaptation_matrix(first, second)

    np.testing.assert_allclose(twice, chromatic_adaptation_matrix(first, third), rtol=0, atol=1e-14)


@given(whites)
def test_law_one_white_changes_nothing(white):
    np.testing.assert_allclose(
        chromatic_adaptation_matrix(white, white), np.eye(3), rtol=0, atol=1e-15
    )


# B. Lindbloom, "Chromatic adaptation", brucelindbloom.com: Bradford, D65 to D50, between the whites
# of ASTM E308-01.
def test_published_matrix_from_d65_to_d50_is_met():
    matrix = chromatic_adaptation_matrix((0.95047, 1, 1.08883), (0.96422, 1, 0.82521))

    # Half a unit of the seventh digit, and what the rounded inverse of the cone matrix adds.
    np.testing.assert_allclose(
        matrix,
        [
            [1.0478112, 0.0228866, -0.0501270],
            [0.0295424, 0.9904844, -0.0170491],
            [-0.0092345, 0.0150436, 0.7521316],
        ],
        rtol=0,
        atol=5e-7,
    )


@pytest.mark.parametrize("target", ["A", "C", "D50", "D55", "D75", "E"])
def test_colour_science_agrees(colour, target):
    xyz = np.random.default_rng(5).random((200, 3))
    theirs = colour.chromatic_adaptation(
        xyz,
        white_point("D65"),
        white_point(target),
        method="Von Kries",
        transform="Bradford",
    )

    np.testing.assert_allclose(chromatic_adaptation(xyz, "D65", target), theirs, rtol=0, atol=1e-14)

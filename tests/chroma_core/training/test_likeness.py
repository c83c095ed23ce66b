"""One photograph is known again after what happens to copies, and no other is taken for it.

The photographs here are drawn; how real ones fare stands in the module's docstring.
"""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chroma_core.training.likeness import FAINTEST, Likeness, alike, likeness

hashes = st.builds(Likeness, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
seeds = st.integers(0, 10_000)


def copied(lightness, size, quality):
    """Return L* after scaling to (width, height) and compression as a JPEG."""
    gray = Image.fromarray(np.round(lightness * 2.55).astype(np.uint8))
    memory = io.BytesIO()
    gray.resize(size, Image.Resampling.LANCZOS).save(memory, "JPEG", quality=quality)
    return np.asarray(Image.open(memory)) / 2.55


@given(seeds, st.floats(0.3, 3), st.floats(0.8, 1.25), st.integers(30, 95))
def test_law_a_scaled_and_compressed_copy_is_the_same_photograph(
    scene, seed, scale, stretch, quality
):
    size = round(120 * scale * stretch), round(90 * scale)

    assert alike(likeness(scene(seed)), likeness(copied(scene(seed), size, quality)))


@given(seeds, seeds)
def test_law_another_photograph_is_another(scene, seed, other):
    assert alike(likeness(scene(seed)), likeness(scene(other))) == (seed == other)


@given(seeds, st.sampled_from([0.25, 0.5]))
def test_law_contrast_tells_nothing(scene, seed, factor):
    # Powers of two: not even rounding differs.
    assert likeness(scene(seed) * factor) == likeness(scene(seed))


@given(seeds, st.integers(1, 4), st.integers(1, 4))
def test_law_pixels_repeated_change_nothing(scene, seed, down, across):
    small = scene(seed, 20, 24)

    assert likeness(small.repeat(down, axis=0).repeat(across, axis=1)) == likeness(small)


@given(hashes, hashes)
def test_law_likeness_is_mutual_and_everything_is_like_itself(one, other):
    assert alike(one, one)
    assert alike(one, other) == alike(other, one)


@pytest.mark.parametrize(
    ("waves", "steps", "same"),
    [(6, 64, True), (7, 10, False), (7, 9, True), (12, 9, True), (13, 0, False)],
)
def test_bounds_are_those_of_the_docstring(waves, steps, same):
    other = Likeness(2**waves - 1, 2**steps - 1)

    assert alike(Likeness(0, 0), other) is same


@pytest.mark.parametrize(
    "nothing",
    [
        np.full((40, 50), 60.0),
        np.tile(np.linspace(0, 100, 50), (40, 1)),
        np.tile(np.linspace(0, 100, 40)[:, np.newaxis], (1, 50)),
        50 + FAINTEST * np.random.default_rng(0).random((40, 50)),
    ],
    ids=["one lightness", "columns alike", "rows alike", "noise"],
)
def test_a_picture_with_nothing_to_tell_it_by_is_told_by_nothing(nothing):
    assert likeness(nothing) is None


def test_waves_are_the_cosine_transform_of_the_textbook(scene):
    """By the sum that defines the DCT-II, which needs no matrix."""
    cells = scene(3, 32, 32)
    cosine = [np.cos(np.pi / 32 * wave * (np.arange(32) + 0.5)) for wave in range(9)]
    numbers = range(1, 9)
    waves = np.array(
        [np.sum(cells * np.outer(cosine[v], cosine[u])) for v in numbers for u in numbers]
    )
    bits = "".join("1" if wave > np.median(waves) else "0" for wave in waves)

    assert likeness(cells).waves == int(bits, 2)

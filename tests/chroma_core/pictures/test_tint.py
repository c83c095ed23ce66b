"""Gray, one tint, or colour: what a picture is judged to be before it is coloured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.demo import demo_photographs
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.tint import color_kind, color_kind_of_pixels

COLOUR = [path for path in demo_photographs() if not path.name.startswith("gray-")]
GRAY = [path for path in demo_photographs() if path.name.startswith("gray-")]


def shaded(height=120, width=160, seed=0):
    """Return lightness with soft shapes and grain, in [0, 1]."""
    rows, cols = np.mgrid[:height, :width]
    soft = 0.5 + 0.35 * np.sin(rows / 17) * np.cos(cols / 23)
    grain = np.random.default_rng(seed).normal(0, 0.02, soft.shape)
    return np.clip(soft + grain, 0, 1)


def toned(gray, dark, light, noise=0.0):
    """Return a print whose shadows and lights have colours of their own."""
    dark, light = np.asarray(dark), np.asarray(light)
    rgb = dark + (light - dark) * gray[..., np.newaxis]
    rgb = rgb + np.random.default_rng(1).normal(0, noise, rgb.shape)
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("path", COLOUR, ids=lambda path: path.stem)
def test_photographs_in_colour_are_in_colour(path):
    assert color_kind_of_pixels(read_picture(path).pixels) == "colour"


@pytest.mark.parametrize("path", GRAY, ids=lambda path: path.stem)
def test_old_photographs_are_not_in_colour(path):
    assert color_kind_of_pixels(read_picture(path).pixels) != "colour"


@pytest.mark.parametrize("path", COLOUR, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("dark", "light"),
    [((0.18, 0.10, 0.05), (0.98, 0.92, 0.78)), ((0.05, 0.08, 0.20), (0.85, 0.93, 0.98))],
    ids=["sepia", "cyanotype"],
)
def test_a_photograph_that_is_toned_has_one_tint(path, dark, light):
    gray = read_picture(path).pixels.mean(axis=-1) / 255

    assert color_kind_of_pixels(toned(gray, dark, light, noise=0.01)) == "tinted"


def test_gray_in_three_channels_is_gray():
    gray = np.rint(shaded() * 255).astype(np.uint8)
    rgb = np.repeat(gray[..., np.newaxis], 3, axis=-1)

    assert color_kind_of_pixels(gray) == "gray"
    assert color_kind_of_pixels(rgb) == "gray"
    assert color_kind_of_pixels(rgb.astype(np.uint16) * 257) == "gray"
    assert color_kind_of_pixels(rgb.astype(np.float32) / 255) == "gray"


def test_one_small_thing_in_colour_on_a_toned_print_is_seen():
    """A hand-coloured print is in colour: 5 % of it are cheeks and a blue dress."""
    print_ = toned(shaded(), (0.18, 0.10, 0.05), (0.98, 0.92, 0.78))
    print_[40:70, 60:92] = (40, 70, 190)

    assert color_kind_of_pixels(print_) == "colour"


def test_two_colours_on_both_sides_of_gray_are_no_tint():
    """Sea and sand lie on one line of hue, but gray lies between them."""
    lab = np.zeros((20, 20, 3))
    lab[..., 0] = 60
    lab[:10, :, 2], lab[10:, :, 2] = 25, -25

    assert color_kind(lab) == "colour"


@given(
    hue=st.floats(0, 2 * np.pi),
    chroma=st.floats(6, 40),
    bend=st.floats(0, 1),
)
def test_law_a_chroma_that_lightness_alone_decides_is_one_tint(hue, chroma, bend):
    lightness = 100 * shaded(60, 80)
    strength = chroma * (1 - bend * np.abs(lightness / 50 - 1) * 0.5)
    lab = np.stack([lightness, strength * np.cos(hue), strength * np.sin(hue)], axis=-1)

    assert color_kind(lab) == "tinted"


@given(seed=st.integers(0, 2**16), chroma=st.floats(12, 60))
def test_law_colours_that_lightness_does_not_tell_are_colour(seed, chroma):
    rng = np.random.default_rng(seed)
    hue = rng.uniform(0, 2 * np.pi, (40, 40))
    lab = np.stack([rng.uniform(5, 95, hue.shape), chroma * np.cos(hue), chroma * np.sin(hue)], -1)

    assert color_kind(lab) == "colour"


@pytest.mark.shared
def test_recent_photographs_are_rarely_taken_for_prints(shared_data):
    files = sorted((shared_data / "data" / "eval_public_in").glob("*.webp"))
    kinds = [color_kind_of_pixels(read_picture(path).pixels) for path in files]

    # Measured on 700: 1 % have one tint, such as fog at sunset.
    assert kinds.count("colour") >= 0.97 * len(kinds)

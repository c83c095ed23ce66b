"""A truth is a picture whose every colour is known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from chroma_core.errors import InputError
from chroma_core.evaluation.truth import read_truth

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


def test_a_colour_picture_is_read_as_it_is(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")

    np.testing.assert_array_equal(read_truth(tmp_path / "a.png"), PIXELS)


def test_opaque_alpha_changes_nothing(tmp_path):
    Image.fromarray(PIXELS).convert("RGBA").save(tmp_path / "a.png")

    np.testing.assert_array_equal(read_truth(tmp_path / "a.png"), PIXELS)


@pytest.mark.parametrize(("mode", "why"), [("L", "gray picture"), ("RGBA", "transparent pixels")])
def test_what_hides_colours_is_refused(tmp_path, mode, why):
    image = Image.fromarray(PIXELS).convert(mode)
    if mode == "RGBA":
        image.putpixel((0, 0), (1, 2, 3, 254))
    image.save(tmp_path / "a.png")

    with pytest.raises(InputError, match=why) as caught:
        read_truth(tmp_path / "a.png")

    assert caught.value.path == str(tmp_path / "a.png")

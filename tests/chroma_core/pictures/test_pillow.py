"""Pillow held to one format: what it gives, and what it says, in our words."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFile

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.pillow import decode_with_pillow

GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def png(image: Image.Image, **options: object) -> bytes:
    """Return what Pillow makes of its own image."""
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def test_gray_stays_gray_and_its_alpha_is_taken_off():
    image = Image.merge("LA", [Image.fromarray(GRAY), Image.fromarray(GRAY[::-1])])

    stored, loaded = decode_with_pillow(png(image), "PNG", Limits())

    assert (stored.color, loaded.mode) == ("gray", "LA")
    np.testing.assert_array_equal(stored.samples, GRAY)
    np.testing.assert_array_equal(stored.alpha, GRAY[::-1])


def test_bits_become_black_and_white():
    stored, _ = decode_with_pillow(png(Image.fromarray(GRAY > 100)), "PNG", Limits())

    np.testing.assert_array_equal(stored.samples, np.where(GRAY > 100, 255, 0))


def test_a_colour_that_is_none_becomes_alpha_in_every_mode():
    for image, color in (
        (Image.fromarray(GRAY), 40),
        (Image.fromarray(GRAY).convert("RGB"), (40, 40, 40)),
        (Image.fromarray(GRAY).convert("P"), 40),
    ):
        stored, _ = decode_with_pillow(png(image, transparency=color), "PNG", Limits())

        assert stored.color == "rgb"
        np.testing.assert_array_equal(stored.alpha, np.where(GRAY == 40, 0, 255))


def test_modes_that_would_lose_something_are_refused():
    """Of 16 bits 8 would be left, and inks would be taken for colours."""
    deep = png(Image.fromarray(GRAY.astype(np.uint16) * 257))
    inks = io.BytesIO()
    Image.new("CMYK", (4, 3)).save(inks, "JPEG")

    for data, format, mode in ((deep, "PNG", "I;16"), (inks.getvalue(), "JPEG", "CMYK")):
        with pytest.raises(PictureError, match=f"mode {mode} are not read") as caught:
            decode_with_pillow(data, format, Limits())
        assert caught.value.kind == "unsupported"


def test_another_format_than_the_one_that_is_allowed_is_not_opened():
    with pytest.raises(PictureError, match="cannot make out its header") as caught:
        decode_with_pillow(png(Image.fromarray(GRAY)), "GIF", Limits())

    assert caught.value.kind == "corrupt"
    assert "BytesIO" not in caught.value.what


def test_pixels_that_end_too_early_are_cut_short():
    stream = io.BytesIO()
    Image.fromarray(GRAY).resize((200, 200)).save(stream, "BMP")

    with pytest.raises(PictureError, match="end too early") as caught:
        decode_with_pillow(stream.getvalue()[:-9000], "BMP", Limits())

    assert caught.value.kind == "truncated"


def test_the_size_that_pillow_finds_is_looked_at_too():
    with pytest.raises(PictureError) as caught:
        decode_with_pillow(png(Image.fromarray(GRAY)), "PNG", Limits(max_side=3))

    assert caught.value.kind == "too-large"


def test_memory_that_is_not_there_is_no_damage(monkeypatch):
    def exhaust(*args: object, **kwargs: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", exhaust)
    with pytest.raises(PictureError, match="not enough memory") as caught:
        decode_with_pillow(png(Image.fromarray(GRAY)), "PNG", Limits())

    assert caught.value.kind == "memory"

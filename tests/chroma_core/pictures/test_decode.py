"""From what a reader gives to a picture: nothing is not a picture, and alpha follows the pixels."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures import decode
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.stored import Stored

GIF = b"GIF89a"


def given(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    """Let the reader of GIF give what is told."""
    stored = Stored(**{"format": "gif", "color": "gray", **fields})
    monkeypatch.setitem(decode._READERS, "gif", lambda data, limits: stored)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0, 3)])
def test_a_decoder_that_gives_no_pixels_is_not_believed(shape, monkeypatch):
    given(monkeypatch, samples=np.zeros(shape, np.uint8))

    with pytest.raises(PictureError, match="no pixels in it") as caught:
        decode.decode_picture(GIF, Limits())

    assert caught.value.kind == "corrupt"


def test_alpha_is_brought_to_the_dtype_of_the_pixels(monkeypatch):
    """Floats beside codes and codes beside floats: the same opacity, whatever it was stored as."""
    codes = np.full((2, 3), 128, np.uint8)
    for samples, alpha, floating, wanted in (
        (codes, np.full((2, 3), 0.5, np.float32), False, 128),
        (codes, np.full((2, 3), 32896, np.uint16), False, 128),
        (codes.astype(np.uint16) * 257, codes, False, 32896),
        (codes.astype(np.float32) / 255, codes, True, np.float32(128) / np.float32(255)),
        (codes.astype(np.float32) / 255, np.full((2, 3), 1.2, np.float32), False, 255),
    ):
        depth = 16 if samples.dtype == np.uint16 else 8
        given(monkeypatch, samples=samples, alpha=alpha, depth=depth)

        picture = decode.decode_picture(GIF, Limits(), keep_floats=floating)

        assert picture.alpha.dtype == picture.pixels.dtype
        np.testing.assert_array_equal(picture.alpha, np.full((2, 3), wanted))

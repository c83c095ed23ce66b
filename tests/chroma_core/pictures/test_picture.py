"""A picture in memory: what is none, and what goes along with other pixels."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.errors import InputError, PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.picture import Picture, to_depth
from chroma_core.pictures.stored import announcing_size, check_size, drop_large

GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)
COLORS = np.dstack([GRAY, GRAY + 50, GRAY + 100])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"pixels": GRAY[0]}, r"shape \(4,\), wanted \(H, W\)"),
        ({"pixels": np.dstack([GRAY, GRAY])}, r"shape \(3, 4, 2\)"),
        ({"pixels": GRAY[:0]}, r"shape \(0, 4\)"),
        ({"pixels": GRAY.astype(np.int32)}, "dtype int32, wanted uint8, uint16 or float32"),
        ({"pixels": GRAY.astype(np.float64)}, "dtype float64"),
        ({"pixels": GRAY, "alpha": GRAY[1:]}, r"alpha has shape \(2, 4\)"),
        ({"pixels": GRAY, "alpha": GRAY.astype(np.uint16)}, "dtype uint16, wanted .* uint8"),
        ({"pixels": GRAY, "depth": 12}, "depth is 12, wanted 8 or 16"),
    ],
)
def test_what_is_no_picture_is_refused(fields, words):
    with pytest.raises(InputError, match=words):
        Picture(**fields)


def test_gray_is_what_has_one_channel():
    plain, colored = Picture(pixels=GRAY), Picture(pixels=COLORS)

    np.testing.assert_array_equal(plain.gray(1, 2), GRAY[1:2].astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(plain.rgb()[..., 2], plain.gray())
    assert colored.rgb(1).shape == (2, 4, 3)
    with pytest.raises(InputError, match="three channels, wanted a gray one"):
        colored.gray()


def test_alpha_is_brought_to_the_dtype_of_new_pixels():
    picture = Picture(pixels=GRAY, alpha=np.full_like(GRAY, 128), dpi=(300, 200), source="a.png")

    same = picture.with_pixels(COLORS)
    deep = picture.with_pixels(COLORS.astype(np.uint16))
    floating = picture.with_pixels(COLORS.astype(np.float32) / 255)

    assert same.alpha is picture.alpha
    np.testing.assert_array_equal(deep.alpha, np.full((3, 4), 128 * 257, np.uint16))
    np.testing.assert_array_equal(floating.alpha, np.full((3, 4), np.float32(128 / 255)))
    np.testing.assert_array_equal(deep.with_pixels(COLORS).alpha, picture.alpha)
    assert all((p.dpi, p.source) == ((300, 200), "a.png") for p in (same, deep, floating))


def test_eight_bits_survive_sixteen():
    codes = np.arange(256, dtype=np.uint8)

    np.testing.assert_array_equal(to_depth(to_depth(codes, 16), 8), codes)
    # Half a step of 257 codes rounds up.
    assert to_depth(np.array([128, 129], np.uint16), 8).tolist() == [0, 1]


def test_a_size_is_announced_only_if_it_may_be_decoded():
    told = []
    with announcing_size(told.append):
        check_size(4, 3, 1, Limits())
        with pytest.raises(PictureError, match=r"12 pixels, more than 11"):
            check_size(4, 3, 1, Limits(max_pixels=11))
    check_size(5, 5, 1, Limits())

    assert told == [12]


def test_decoded_samples_may_take_no_more_memory_than_allowed():
    check_size(4, 3, 8, Limits(max_memory=96))

    with pytest.raises(PictureError, match="take 96 bytes, more than 95") as caught:
        check_size(4, 3, 8, Limits(max_memory=95))
    assert caught.value.kind == "too-large"


def test_metadata_are_kept_up_to_the_limit_to_the_byte():
    warnings = []

    assert drop_large(b"1234", "XMP", Limits(max_metadata=4), warnings) == b"1234"
    assert warnings == []
    assert drop_large(b"12345", "XMP", Limits(max_metadata=4), warnings) == b""
    assert warnings == ["XMP of 5 bytes is left out, it is larger than allowed"]

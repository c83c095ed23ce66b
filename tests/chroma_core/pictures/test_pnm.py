"""PBM, PGM, PPM, PAM and PFM: written here by hand, read exactly, refused where they lie."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures.read import read_picture


def refusal(data: bytes) -> PictureError:
    """Return the error that reading a file ends with."""
    with pytest.raises(PictureError) as caught:
        read_picture(data)
    return caught.value


def pam(width: int, height: int, depth: int, top: int, pixels: bytes, kind: bytes = b"") -> bytes:
    """Return a PAM, with a line that names its kind where there is one."""
    named = b"TUPLTYPE " + kind + b"\n" if kind else b""
    head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\n" % (width, height, depth, top)
    return head + named + b"ENDHDR\n" + pixels


def test_values_may_be_written_as_text():
    gray = read_picture(b"P2 # by hand\n3 2 # sides\n100\n0 50 100\n# a comment\n100 25 0\n")
    color = read_picture(b"P3\n2 1\n255\n1 2 3   250 251 252")

    # Hundredths of 255, half a step rounds up: 50 -> 127.5 -> 128, 25 -> 63.75 -> 64.
    np.testing.assert_array_equal(gray.pixels, [[0, 128, 255], [255, 64, 0]])
    np.testing.assert_array_equal(color.pixels, [[[1, 2, 3], [250, 251, 252]]])


def test_bits_as_text_need_no_blanks_between_and_one_is_black():
    for text in (b"010\n110", b"0 1 0 1 1 0", b"0 1 0\n# row two\n11 0"):
        picture = read_picture(b"P1\n3 2\n" + text)

        np.testing.assert_array_equal(picture.pixels, [[255, 0, 255], [0, 0, 255]])


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"P5\n4", "truncated", "its header does not end"),
        (b"P5\n4 four 255\n" + bytes(16), "corrupt", "holds b'four' where a number should be"),
        (b"P5\n4 -4 255\n" + bytes(16), "corrupt", "holds b'-4' where a number should be"),
        (b"P5\n4 4 0\n" + bytes(16), "corrupt", "a maximum of 0"),
        (b"P5\n4 4 65536\n" + bytes(32), "corrupt", "a maximum of 65536"),
        (b"P5\n0 4 255\n" + bytes(16), "corrupt", "0 x 4 pixels"),
        (b"P5\n4 4 255\n" + bytes(15), "truncated", "15 of 16 bytes of pixels"),
        (b"P5\n4 4 256\n" + bytes(31), "truncated", "31 of 32 bytes of pixels"),
        (b"P4\n9 3\n" + bytes(5), "truncated", "5 of 6 bytes of pixels"),
        (b"P5\n2 1 100\n\x64\x65", "corrupt", "go up to 101, its header says 100"),
        (b"P2\n9 9\n255\n1 2 3", "truncated", "characters for 81 values"),
        (b"P2\n3 1\n255\n 255  128", "truncated", "2 of 3 values"),
        (b"P1\n4 2\n01 01 0\n   ", "truncated", "5 of 8 values"),
        (b"P2\n3 1\n255\n1 two 3", "corrupt", "hold something that is no number"),
        (b"P2\n2 1\n255\n1 99999999999999999999", "corrupt", "hold something that is no number"),
        (b"P2\n3 1\n255\n1 -2 3", "corrupt", "go from -2 to 3"),
        (b"P2\n3 1\n255\n1 2 70000", "corrupt", "go from 1 to 70000"),
        (b"P2\n3 1\n99\n1 2 100", "corrupt", "go up to 100, its header says 99"),
    ],
    ids=str,
)
def test_a_header_or_pixels_that_lie_are_refused(data, kind, words):
    error = refusal(data)

    assert error.kind == kind
    assert words in error.what


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"P7\nWIDTH 2\nHEIGHT 1\n", "truncated", "its header does not end"),
        (b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nENDHDR\n12", "corrupt", "its header is damaged"),
        (pam(2, 1, 1, 255, b"12").replace(b"WIDTH 2", b"WIDTH x"), "corrupt", "header is damaged"),
        (pam(2, 1, 5, 255, bytes(10)), "corrupt", "5 channels and a maximum of 255"),
        (pam(2, 1, 0, 255, bytes(10)), "corrupt", "0 channels"),
        (pam(2, 1, 1, 65536, bytes(10)), "corrupt", "a maximum of 65536"),
        (pam(2, 1, 3, 255, bytes(5)), "truncated", "5 of 6 bytes of pixels"),
    ],
    ids=str,
)
def test_a_pam_that_lies_is_refused(data, kind, words):
    error = refusal(data)

    assert error.kind == kind
    assert words in error.what


@pytest.mark.parametrize("top", [1, 255, 1000])
def test_the_last_channel_of_a_pam_is_alpha_where_it_is_said_so_or_nothing_is(top):
    dtype, most = (">u2", 65535) if top > 255 else (np.uint8, 255)
    for channels in (1, 2, 3, 4):
        codes = (np.arange(6 * channels) % (top + 1)).astype(dtype).reshape(2, 3, channels)
        full = (codes.astype(int) * most + top // 2) // top
        color = full if channels in (1, 3) else full[..., :-1]
        named = {2: b"GRAYSCALE_ALPHA", 4: b"RGB_ALPHA"}.get(channels, b"")
        for kind in {b"", named, b"something else"}:
            picture = read_picture(pam(3, 2, channels, top, codes.tobytes(), kind))

            np.testing.assert_array_equal(
                picture.pixels, color.squeeze(-1) if channels < 3 else color
            )
            if channels in (2, 4) and kind != b"something else":
                np.testing.assert_array_equal(picture.alpha, full[..., -1])
            else:
                assert picture.alpha is None


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("order", ["<", ">"])
def test_rows_of_a_pfm_run_upwards_and_the_sign_of_its_scale_is_the_order_of_bytes(channels, order):
    values = np.linspace(0, 1, 6 * channels, dtype=np.float32).reshape(2, 3, channels)
    head = b"P%s\n3 2\n%s\n" % (
        b"F" if channels == 3 else b"f",
        b"-1.0" if order == "<" else b"1.0",
    )

    picture = read_picture(head + values[::-1].astype(order + "f4").tobytes(), keep_floats=True)

    np.testing.assert_array_equal(picture.pixels, values.squeeze(-1) if channels == 1 else values)
    assert (picture.depth, picture.is_gray) == (16, channels == 1)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"Pf\n3 2", "truncated", "its header does not end"),
        (b"Pf\n3 two -1\n" + bytes(24), "corrupt", "its header is damaged"),
        (b"Pf\n3 2 0\n" + bytes(24), "corrupt", "a scale of 0"),
        (b"Pf\n3 2 nan\n" + bytes(24), "corrupt", "a scale of nan"),
        (b"PF\n3 2 -1\n" + bytes(71), "truncated", "71 of 72 bytes of pixels"),
        (b"Pf\n1 1 -1\n" + struct.pack("<f", 7.5), "unsupported", "from 7.5 to 7.5"),
    ],
    ids=str,
)
def test_a_pfm_that_lies_is_refused(data, kind, words):
    error = refusal(data)

    assert error.kind == kind
    assert words in error.what

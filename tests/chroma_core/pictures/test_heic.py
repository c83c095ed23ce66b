"""HEIC, with the extra and without.

The files in heic/ show ramps and were encoded by pillow-heif 1.8.1 (x265 4.3) at quality 90.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures import heic
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

FILES = Path(__file__).parent / "heic"
ROWS, COLUMNS = np.mgrid[:48, :64]
RGB = np.stack([ROWS * 4, COLUMNS * 3, (ROWS + COLUMNS) * 2], -1)
GRAY = (ROWS + COLUMNS) * 2


@pytest.fixture
def files():
    """Return a function from a name to a file, where the extra is installed."""
    pytest.importorskip("pi_heif", reason="the extra heic is not installed")
    return lambda name: (FILES / f"{name}.heic").read_bytes()


def test_pictures_are_decoded(files):
    gray, plain, deep, clear = (
        read_picture(files(name)) for name in ("gray8", "rgb8", "rgb10", "rgba8")
    )

    assert {picture.format for picture in (gray, plain, deep, clear)} == {"heic"}
    assert (gray.is_gray, gray.depth, plain.depth, deep.depth) == (True, 8, 8, 16)
    # x265 at quality 90, colours subsampled: 3 of 255 on average where the picture has edges.
    assert np.abs(gray.pixels.astype(int) - GRAY).mean() < 2
    assert np.abs(deep.pixels / 257 - RGB).mean() < 3
    assert np.abs(clear.pixels.astype(int) - RGB).mean() < 5
    assert np.abs(clear.alpha.astype(int) - (255 - ROWS * 4)).mean() < 2


def test_the_picture_is_turned_once(files):
    """The file was made with orientation 6, and says so in its boxes and in EXIF."""
    picture = read_picture(files("rgb8"))

    assert picture.pixels.shape == (64, 48, 3)
    assert np.abs(picture.pixels.astype(int) - np.rot90(RGB, -1)).mean() < 3
    assert b"a test" in picture.exif


def test_it_is_decoded_in_a_process_of_its_own_too(files):
    one, other = (read_picture(files("rgb10"), guarded=guarded) for guarded in (False, True))

    np.testing.assert_array_equal(one.pixels, other.pixels)


def test_more_pictures_than_one_are_a_warning(files):
    (warning,) = read_picture(files("two")).warnings

    assert warning == "it has more than one picture: only the main one is used"


def test_it_is_not_written(files, tmp_path):
    with pytest.raises(PictureError, match="cannot be written as"):
        write_picture(read_picture(files("gray8")), tmp_path / "a.heic")


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9, 0.99])
def test_a_cut_file_is_refused(files, share):
    data = files("rgb8")

    with pytest.raises(PictureError) as caught:
        read_picture(data[: int(len(data) * share)])

    assert caught.value.kind in ("truncated", "corrupt")


def test_a_file_without_a_picture_is_refused(files):
    with pytest.raises(PictureError, match="no picture in it"):
        read_picture(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


def test_pixels_that_are_damaged_are_refused(files):
    data = bytearray(files("gray8"))
    at = data.index(b"mdat") + 4
    data[at:] = b"\xff" * (len(data) - at)

    with pytest.raises(PictureError) as caught:
        read_picture(bytes(data))

    assert caught.value.kind in ("corrupt", "truncated", "unsupported")


def test_sizes_are_refused_before_decoding(files, monkeypatch):
    import pi_heif

    def never(*arguments, **options):
        raise AssertionError("decoded")

    monkeypatch.setattr(pi_heif, "open_heif", never)
    large = bytearray(files("gray8"))
    at = large.index(b"ispe") + 8
    large[at : at + 8] = struct.pack(">II", 60_000, 60_000)

    with pytest.raises(PictureError, match="60,000 x 60,000"):
        read_picture(bytes(large))


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)

    with pytest.raises(PictureError, match=r"chroma-colorize\[heic\]") as caught:
        read_picture((FILES / "rgb8.heic").read_bytes())

    assert (caught.value.kind, caught.value.exit_status) == ("unsupported", 69)


def decoded(samples, **said):
    """Return a decoder that makes these samples of every file, and says this of them."""
    image = SimpleNamespace(
        size=samples.shape[1::-1],
        premultiplied_alpha=said.pop("premultiplied", False),
        info={"bit_depth": 10 if samples.dtype == np.uint16 else 8, "exif": None, **said},
        __array_interface__=samples.__array_interface__,
        samples=samples,
    )
    answer = type("File", (list,), {"primary_index": 0})([image])
    return SimpleNamespace(open_heif=lambda *arguments, **options: answer)


def read_with(monkeypatch, decoder):
    """Return what is read of a file with another decoder."""
    monkeypatch.setitem(sys.modules, "pi_heif", decoder)
    return heic.read_heic((FILES / "gray8.heic").read_bytes(), Limits())


def test_gray_with_opacity_and_ten_bits(monkeypatch):
    samples = np.array([[[0, 1023], [512, 0]]], np.uint16)

    stored = read_with(monkeypatch, decoded(samples))

    assert (stored.color, stored.depth) == ("gray", 16)
    # 512 of 1023 at the full scale of 16 bits, rounded.
    np.testing.assert_array_equal(stored.samples, [[0, 32800]])
    np.testing.assert_array_equal(stored.alpha, [[65535, 0]])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"nclx_profile": {"transfer_characteristics": 16}}, "HDR .PQ"),
        ({"nclx_profile": {"transfer_characteristics": 18}}, "HDR .HLG"),
        ({"premultiplied": True}, "multiplied by its opacity"),
    ],
    ids=["pq", "hlg", "premultiplied"],
)
def test_what_cannot_be_shown_right_is_refused(monkeypatch, said, words):
    with pytest.raises(PictureError, match=words) as caught:
        read_with(monkeypatch, decoded(np.zeros((2, 2, 3), np.uint8), **said))

    assert caught.value.kind == "unsupported"


def test_wide_colours_without_a_profile_are_a_warning(monkeypatch):
    wide = {"nclx_profile": {"color_primaries": 12}}
    pixels = np.zeros((2, 2, 3), np.uint8)

    (warning,) = read_with(monkeypatch, decoded(pixels, **wide)).warnings

    assert "other primaries than sRGB" in warning
    assert not read_with(monkeypatch, decoded(pixels[..., 0], **wide)).warnings
    assert not read_with(monkeypatch, decoded(pixels, **wide, icc_profile=b"x")).warnings


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("Invalid input: Unexpected end of file: x"), "truncated"),
        (ValueError("Unsupported feature: y"), "unsupported"),
        (RuntimeError(), "corrupt"),
        (MemoryError(), "memory"),
    ],
    ids=repr,
)
def test_what_the_decoder_says_is_told_in_one_line(monkeypatch, error, kind):
    def fail(*arguments, **options):
        raise error

    with pytest.raises(PictureError) as caught:
        read_with(monkeypatch, SimpleNamespace(open_heif=fail))

    assert caught.value.kind == kind


def test_the_size_that_the_decoder_finds_counts_too(monkeypatch):
    huge = decoded(np.zeros((2, 2), np.uint8))
    huge.open_heif()[0].size = (100_000, 100_000)

    with pytest.raises(PictureError, match="100,000"):
        read_with(monkeypatch, huge)

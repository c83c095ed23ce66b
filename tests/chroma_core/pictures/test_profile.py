"""Colour profiles written here: named, applied in every dtype, and ignored where they are wrong."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from chroma_core.pictures import profile as profile_module
from chroma_core.pictures.profile import apply_profile, profile_name, srgb_profile
from chroma_core.pictures.stored import Stored

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def icc(space: bytes, *tags: tuple[bytes, bytes], version: int = 2) -> bytes:
    """Return a profile of a space with some elements."""
    table, place, behind = b"", 132 + 12 * len(tags), b""
    for name, element in tags:
        table += name + struct.pack(">II", place + len(behind), len(element))
        behind += element + b"\0" * (-len(element) % 4)
    body = struct.pack(">I", len(tags)) + table + behind
    head = struct.pack(">I4sI", 128 + len(body), b"\0" * 4, version << 24)
    head += (b"spac" if space == b"CMYK" else b"mntr") + space + b"XYZ "
    head += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp"
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + body


def described(text: bytes) -> tuple[bytes, bytes]:
    """Return a description of version 2."""
    return b"desc", b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" * 80


def gray_profile(curve: bytes) -> bytes:
    """Return a gray profile of a curve."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    return icc(b"GRAY", described(b"Hand made"), (b"wtpt", white), (b"kTRC", curve))


LINEAR = b"curv\0\0\0\0\0\0\0\0"
SRGB = b"para\0\0\0\0\0\3\0\0" + struct.pack(
    ">5i", *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)


def stored(samples: np.ndarray, profile: bytes, color: str = "gray") -> Stored:
    """Return samples with a profile."""
    return Stored(format="tiff", color=color, samples=samples, icc=profile)


def encoded(linear: np.ndarray) -> np.ndarray:
    """Return sRGB's curve (IEC 61966-2-1)."""
    low = 12.92 * linear
    return np.where(linear <= 0.0031308, low, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_linear_gray_profile_brightens_in_every_dtype(dtype):
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    unit = RAMP / 255
    samples = (unit * top).astype(dtype)
    picture = stored(samples, gray_profile(LINEAR))

    note = apply_profile(picture)

    assert note == "sRGB from Hand made"
    assert picture.samples.dtype == dtype
    # D50 and D65 whites differ by nothing on the neutral axis; a step of the dtype, and 2e-3.
    step = 1 / 255 if dtype == np.uint8 else 1e-4
    np.testing.assert_allclose(picture.samples / top, encoded(samples / top), atol=step + 2e-3)
    assert picture.warnings == []


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_gray_profile_that_is_srgbs_own_curve_changes_nothing(dtype):
    samples = RAMP.astype(dtype) / (255 if dtype == np.float32 else 1)
    samples = samples.astype(dtype)
    picture = stored(samples.copy(), gray_profile(SRGB))

    note = apply_profile(picture)

    assert note == "sRGB as Hand made"
    np.testing.assert_array_equal(picture.samples, samples)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_an_rgb_profile_of_another_gamma_changes_colours_in_every_dtype(dtype):
    """sRGB's own primaries with a linear curve in place of its own."""
    own = srgb_profile()
    count = struct.unpack_from(">I", own, 128)[0]
    tags = []
    for index in range(count):
        name, offset, size = struct.unpack_from(">4sII", own, 132 + 12 * index)
        element = LINEAR if name in (b"rTRC", b"gTRC", b"bTRC") else own[offset : offset + size]
        tags.append((name, element))
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    colors = (np.dstack([RAMP, RAMP[::-1], RAMP.T]) / 255 * top).astype(dtype)
    picture = stored(colors, icc(b"RGB ", *tags, version=own[8]), "rgb")

    note = apply_profile(picture)

    assert note.startswith("sRGB from ")
    assert picture.samples.dtype == dtype
    step = 1 / 255 if dtype == np.uint8 else 1e-4
    np.testing.assert_allclose(picture.samples / top, encoded(colors / top), atol=step + 2e-3)


def test_inks_are_handed_over_as_hundredths(monkeypatch):
    """LittleCMS takes inks in floats as 0 to 100."""
    seen = []

    def half(values: np.ndarray, profile: bytes, space: str) -> np.ndarray:
        seen.append((space, float(values.max())))
        return np.full((*values.shape[:2], 3), 0.5, np.float32)

    monkeypatch.setattr(profile_module, "_transform", half)
    picture = stored(np.full((2, 3, 4), 255, np.uint8), icc(b"CMYK", described(b"Inks")), "cmyk")

    note = apply_profile(picture)

    assert note == "sRGB from Inks"
    assert seen == [("cmyk", 100.0)]
    assert picture.color == "rgb"
    np.testing.assert_array_equal(picture.samples, np.full((2, 3, 3), 128))


@pytest.mark.parametrize(("color", "space"), [("gray", b"GRAY"), ("cmyk", b"CMYK")])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_profile_that_gives_no_numbers_is_ignored(color, space, value, monkeypatch):
    def nowhere(values: np.ndarray, profile: bytes, space: str) -> np.ndarray:
        return np.full((*values.shape[:2], 3), value, np.float32)

    monkeypatch.setattr(profile_module, "_transform", nowhere)
    samples = RAMP if color == "gray" else np.dstack([RAMP] * 4)
    picture = stored(samples.copy(), icc(space, described(b"x")), color)

    note = apply_profile(picture)

    assert note == "damaged profile ignored"
    assert picture.warnings == ["its colour profile cannot be used, and is ignored"]
    np.testing.assert_array_equal(picture.samples, samples)


def test_a_profile_without_its_curves_is_ignored():
    picture = stored(RAMP.copy(), icc(b"GRAY", described(b"Nothing else")))

    assert apply_profile(picture) == "damaged profile ignored"
    np.testing.assert_array_equal(picture.samples, RAMP)


def test_a_profile_is_named_by_its_description_wherever_that_stands():
    unicode_text = "Grau, 20 %".encode("utf-16-be")
    localized = b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"deDE", len(unicode_text), 28)
    other = (b"cprt", b"text\0\0\0\0nobody")
    for tags, name in (
        ((described(b"Dot Gain 20%"),), "Dot Gain 20%"),
        ((other, described(b"Second")), "Second"),
        (((b"desc", localized + unicode_text),), "Grau, 20 %"),
        ((described(b"two\0words"),), "two"),
        ((described(b"bell\x07"),), "bell"),
        (((b"desc", b"what\0\0\0\0"),), "GRAY"),
        ((described(b""),), "GRAY"),
        ((other,), "GRAY"),
        ((), "GRAY"),
    ):
        assert profile_name(icc(b"GRAY", *tags)) == name


def test_a_table_of_elements_that_is_cut_costs_the_name_alone():
    whole = icc(b"RGB ", (b"cprt", b"text\0\0\0\0nobody"))
    more = whole[:128] + struct.pack(">I", 90) + whole[132:]

    assert profile_name(more) == "RGB"
    assert profile_name(whole[:130]) == "RGB"
    assert profile_name(icc(b"RGB ", (b"desc", b"desc\0\0"))[:150]) == "RGB"

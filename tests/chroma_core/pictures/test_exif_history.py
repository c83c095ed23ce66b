"""What made a picture stands in its EXIF, too: a line of its history, and all else where it was."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from chroma_core.pictures.exif_history import (
    IMAGE_HISTORY,
    exif_with_note,
    history_without_note,
    record_of_exif,
)
from chroma_core.pictures.ifd import EXIF_IFD, Value, build_exif, parse_exif
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.verify import compare_pictures
from chroma_core.pictures.write import write_picture

GRAY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
ARTIST, TAKEN, MAKER_NOTE = 315, 0x9003, 0x927C
TIME = b"1931:05:04 12:00:00\0"
NOTE = '{"chroma": "1", "model_sha256": "ab"}'
orders = st.sampled_from(["<", ">"])


def camera(order="<", history=None):
    """Return EXIF with an artist, a time, a place, and perhaps a history."""
    inner = {TAKEN: Value(2, len(TIME), TIME)}
    if history is not None:
        inner[IMAGE_HISTORY] = Value(2, len(history), history)
    place = {1: Value(2, 2, b"N\0")}
    return build_exif(order, {ARTIST: Value(2, 6, b"Anna\0\0")}, inner, place)


def history(exif):
    """Return what ImageHistory holds, and the other tags of all directories."""
    _, first, inner, gps = parse_exif(exif)
    told = inner.pop(IMAGE_HISTORY)
    first.pop(EXIF_IFD)
    assert told.type == 2
    assert told.data.endswith(b"\0")
    return told.data.rstrip(b"\0"), (first, inner, gps)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_note_is_one_line_of_history_and_all_other_tags_stay(order):
    noted = exif_with_note(camera(order), NOTE)

    said, others = history(noted)
    assert said.startswith(b"colours are artificial (IPTC digital source type algorithmically")
    assert said.endswith(b"made by chroma: " + NOTE.encode())
    _, first, inner, gps = parse_exif(camera(order))
    first.pop(EXIF_IFD)
    assert others == (first, inner, gps)
    assert record_of_exif(noted) == {"chroma": "1", "model_sha256": "ab"}


@given(orders, st.text(max_size=200), st.text(max_size=50))
def test_law_the_latest_note_stands_there_once_beside_what_others_wrote(order, one, other):
    scanned = b"scanned; cleaned"

    twice = exif_with_note(exif_with_note(camera(order, scanned + b"\0"), one), other)

    told, _ = history(twice)
    assert told.startswith(scanned + b"\ncolours are artificial")
    assert told.count(b"made by chroma") == 1
    assert history_without_note(told + b"\0") == scanned


@pytest.mark.parametrize("order", ["<", ">"])
def test_makers_notes_stay_where_their_own_pointers_expect_them(order):
    """They hold places counted from the beginning of the block."""
    secret = b"the maker's secret"
    entry = struct.pack(order + "HHII", MAKER_NOTE, 7, len(secret), 44)
    inner = struct.pack(order + "H", 1) + entry + b"\0\0\0\0"
    pointer = struct.pack(order + "HHII", EXIF_IFD, 4, 1, 26)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    block = head + struct.pack(order + "H", 1) + pointer + b"\0\0\0\0" + inner + secret + b"!"
    assert block[44:].startswith(secret)

    noted = exif_with_note(block, NOTE)

    assert noted[8 : len(block)] == block[8:]
    assert entry in noted[len(block) :]
    assert history(noted)[0].endswith(NOTE.encode())


@pytest.mark.parametrize(
    "exif",
    [
        b"no EXIF at all",
        b"II*\0",
        b"II*\0\xff\xff\0\0" + b"\0" * 40,
        b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 40,
        # The EXIF directory is the first one, or lies outside.
        b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", EXIF_IFD, 4, 1, 8) + b"\0" * 8,
        b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", EXIF_IFD, 4, 1, 9999) + b"\0" * 8,
    ],
)
def test_a_damaged_block_is_kept_as_it_is(exif):
    assert exif_with_note(exif, NOTE) == exif
    assert record_of_exif(exif) is None


def test_a_history_that_is_no_text_gives_way():
    odd = build_exif("<", {}, {IMAGE_HISTORY: Value(7, 5, b"\1\2\3\4\5")}, {})

    assert history(exif_with_note(odd, NOTE))[0].startswith(b"colours are artificial")


@given(st.binary(max_size=300), orders)
def test_law_any_bytes_get_a_note_or_stay(rubbish, order):
    head = b"II*\0" if order == "<" else b"MM\0*"
    for exif in (rubbish, head + struct.pack(order + "I", 8) + rubbish):
        noted = exif_with_note(exif, NOTE)

        assert noted == exif or record_of_exif(noted) == {"chroma": "1", "model_sha256": "ab"}


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp", "avif"])
@pytest.mark.parametrize("exif", [b"", camera("<"), camera(">")], ids=["none", "<", ">"])
def test_every_format_with_exif_says_what_made_it_to_other_readers(tmp_path, ending, exif):
    picture = Picture(pixels=GRAY, exif=exif)

    path = write_picture(picture, tmp_path / f"a.{ending}", note=NOTE)

    with Image.open(path) as opened:
        inner = opened.getexif().get_ifd(ExifTags.IFD.Exif)
    assert inner[ExifTags.Base.ImageHistory].endswith(NOTE)
    again = read_picture(path)
    assert record_of_exif(again.exif) == {"chroma": "1", "model_sha256": "ab"}
    assert all(
        check.kept for check in compare_pictures(picture, again).checks if check.name == "exif"
    )


def test_a_history_of_others_is_verified_and_ours_is_not(tmp_path):
    def lost(before, after):
        checks = compare_pictures(before, after).checks
        return [check.name for check in checks if not check.kept]

    scanned = Picture(pixels=GRAY, exif=camera(history=b"scanned\0"), format="png")
    first = read_picture(write_picture(scanned, tmp_path / "a.png", note="{}"))
    second = read_picture(write_picture(first, tmp_path / "b.png", note=NOTE))
    replaced = Picture(pixels=GRAY, exif=camera(history=b"cleaned\0"), format="png")

    assert lost(scanned, first) == lost(first, second) == []
    assert lost(scanned, replaced) == ["exif"]


def test_metadata_that_fill_a_jpeg_are_worth_more_than_the_note(tmp_path):
    full = build_exif("<", {270: Value(2, 65000, b"x" * 64999 + b"\0")}, {}, {})
    packet = b"<rdf:RDF>" + b"x" * 65000 + b"</rdf:RDF>"
    picture = Picture(pixels=GRAY, exif=full, xmp=packet)

    written = read_picture(write_picture(picture, tmp_path / "a.jpg", note="n" * 800))

    assert parse_exif(written.exif)[1][270].count == 65000
    assert written.xmp == packet

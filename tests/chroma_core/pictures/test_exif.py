"""EXIF written here byte by byte: read where it can be meant, patched in place, never moved."""

from __future__ import annotations

import struct

import pytest

from chroma_core.pictures.exif import (
    exif_dpi,
    exif_orientation,
    exif_upright,
    photoshop_iptc,
    xmp_upright,
)
from chroma_core.pictures.ifd import Value, build_exif, parse_exif, raw_directory

SHORT, LONG, RATIONAL = 3, 4, 5
MAGIC = {"<": b"II*\0", ">": b"MM\0*"}
NOTHING = b""


def block(order: str, *entries: tuple[int, int, int, bytes], declared: int | None = None) -> bytes:
    """Return EXIF of one directory at byte 8, of (tag, type, count, four bytes)."""
    body = b"".join(
        struct.pack(order + "HHI", tag, kind, count) + inline
        for tag, kind, count, inline in entries
    )
    count = len(entries) if declared is None else declared
    return MAGIC[order] + struct.pack(order + "IH", 8, count) + body


def short(order: str, number: int) -> bytes:
    """Return a SHORT as it lies in the four bytes of an entry."""
    return struct.pack(order + "HH", number, 0)


def long(order: str, number: int) -> bytes:
    """Return a LONG."""
    return struct.pack(order + "I", number)


both_orders = pytest.mark.parametrize("order", ["<", ">"])


@both_orders
def test_orientation_is_a_short_or_by_some_writers_a_long(order):
    for number in range(1, 9):
        assert exif_orientation(block(order, (274, SHORT, 1, short(order, number)))) == number
        assert exif_orientation(block(order, (274, LONG, 1, long(order, number)))) == number


@both_orders
@pytest.mark.parametrize(
    ("kind", "count", "number"),
    [
        (SHORT, 1, 0),
        (SHORT, 1, 9),
        (LONG, 1, 70_000),
        (SHORT, 2, 6),
        (LONG, 0, 6),
        (RATIONAL, 1, 6),
    ],
)
def test_an_orientation_that_cannot_be_meant_is_zero(kind, count, number, order):
    inline = short(order, number) if kind == SHORT else long(order, number)

    assert exif_orientation(block(order, (274, kind, count, inline))) == 0


@pytest.mark.parametrize(
    "exif",
    [
        NOTHING,
        b"II",
        b"II*\0",
        b"XX*\0" + bytes(20),
        b"II*\0\x00\0\0\0" + bytes(20),
        b"II*\0\x07\0\0\0" + bytes(20),
        b"II*\0\xff\xff\0\0" + bytes(20),
        block("<", (271, SHORT, 1, short("<", 6))),
        block("<", declared=5),
    ],
    ids=repr,
)
def test_where_there_is_no_directory_there_is_no_orientation_and_no_resolution(exif):
    assert exif_orientation(exif) is None
    assert exif_dpi(exif) is None
    assert exif_upright(exif, turned=True) in (NOTHING, exif)


def resolution(order: str, x: tuple[int, int], y: tuple[int, int], *more: tuple) -> bytes:
    """Return EXIF with both resolutions, their rationals behind the directory."""
    behind = 8 + 2 + 12 * (2 + len(more))
    entries = [
        (282, RATIONAL, 1, long(order, behind)),
        (283, RATIONAL, 1, long(order, behind + 8)),
        *more,
    ]
    return block(order, *entries) + struct.pack(order + "4I", *x, *y)


@both_orders
def test_resolution_is_a_fraction_of_an_inch_or_of_a_centimetre(order):
    inches = resolution(order, (300, 1), (601, 2))
    centimetres = resolution(order, (100, 1), (50, 1), (296, SHORT, 1, short(order, 3)))
    unit_less = resolution(order, (300, 1), (300, 1), (296, SHORT, 1, short(order, 1)))

    assert exif_dpi(inches) == (300.0, 300.5)
    assert exif_dpi(centimetres) == (254.0, 127.0)
    assert exif_dpi(unit_less) is None


@both_orders
def test_a_resolution_that_is_none_is_not_told(order):
    assert exif_dpi(resolution(order, (300, 0), (300, 1))) is None
    assert exif_dpi(resolution(order, (0, 1), (300, 1))) is None
    assert exif_dpi(resolution(order, (300, 1), (300, 1))[:-1]) is None
    assert exif_dpi(block(order, (282, SHORT, 1, short(order, 300)))) is None


def nested(order: str, *inside: tuple[int, int, int, bytes]) -> bytes:
    """Return EXIF whose EXIF directory holds some entries, and whose orientation is 6."""
    place = 8 + 2 + 12 * 2 + 4
    outer = block(order, (274, SHORT, 1, short(order, 6)), (0x8769, LONG, 1, long(order, place)))
    return outer + bytes(4) + block(order, *inside)[8:] + bytes(4)


@both_orders
def test_an_upright_picture_has_its_sides_changed_only_if_it_was_turned(order):
    sides = [(0xA002, LONG, 1, long(order, 400)), (0xA003, LONG, 1, long(order, 300))]
    exif = nested(order, (0xA001, SHORT, 1, short(order, 0xFFFF)), *sides)

    for turned in (False, True):
        _, first, inner, _ = parse_exif(exif_upright(exif, turned=turned))

        across, down = (300, 400) if turned else (400, 300)
        assert first[274].data == struct.pack(order + "H", 1)
        assert inner[0xA001].data == struct.pack(order + "H", 1)
        assert inner[0xA002].data == long(order, across)
        assert inner[0xA003].data == long(order, down)


@both_orders
def test_sides_that_cannot_change_places_are_left(order):
    """One is missing, or a SHORT stands beside a LONG: bytes would come to mean something else."""
    wide = (0xA002, LONG, 1, long(order, 400))
    for inside in (
        (wide,),
        (wide, (0xA003, SHORT, 1, short(order, 300))),
        (wide, (0xA003, LONG, 2, long(order, 300))),
        ((0xA001, LONG, 1, long(order, 9)), (0x9000, SHORT, 1, short(order, 5)), wide),
    ):
        exif = nested(order, *inside)

        upright = exif_upright(exif, turned=True)

        assert upright[len(exif) // 2 :] == exif[len(exif) // 2 :]
        assert exif_orientation(upright) == 1


@both_orders
def test_an_exif_directory_that_is_the_first_one_is_not_patched_twice(order):
    exif = block(
        order,
        (274, SHORT, 1, short(order, 6)),
        (0x8769, LONG, 1, long(order, 8)),
        (0xA001, SHORT, 1, short(order, 0xFFFF)),
    ) + bytes(4)

    upright = exif_upright(exif, turned=True)

    assert exif_orientation(upright) == 1
    assert raw_directory(upright, order, 8)[0xA001].data == b"\xff\xff"


@both_orders
def test_a_directory_that_is_cut_keeps_what_lies_behind_it(order):
    """Its link to the next directory is not there: nothing may be written in its place."""
    exif = block(order, (274, SHORT, 1, short(order, 6)), declared=3)

    upright = exif_upright(exif, turned=False)

    assert len(upright) == len(exif)
    assert exif_orientation(upright) == 1
    assert raw_directory(upright, order, 8) == {274: Value(SHORT, 1, struct.pack(order + "H", 1))}


@both_orders
def test_the_preview_is_cut_off(order):
    exif = block(order, (274, SHORT, 1, short(order, 3))) + long(order, 26) + b"\xaa" * 30

    assert exif_upright(exif, turned=False) == (
        block(order, (274, SHORT, 1, short(order, 1))) + bytes(4) + b"\xaa" * 30
    )


def test_a_directory_whose_end_is_the_end_of_the_block_has_no_values():
    assert raw_directory(b"II*\0" + bytes(8), "<", 4) == {}
    assert raw_directory(b"II*\0" + bytes(8), "<", 11) == {}
    assert raw_directory(b"II*\0" + bytes(4) + b"\x02\0" + bytes(11), "<", 8) == {}


def test_values_that_lie_outside_or_are_of_no_type_are_left_out():
    exif = block(
        "<",
        (270, 2, 9, long("<", 5000)),
        (271, 99, 1, long("<", 1)),
        (272, 2, 0, long("<", 1)),
        (305, 2, 4, b"abc\0"),
        (305, 2, 4, b"xyz\0"),
    )

    assert raw_directory(exif, "<", 8) == {305: Value(2, 4, b"abc\0")}


@both_orders
def test_what_is_built_is_what_is_parsed(order):
    first = {271: Value(2, 6, b"Maker\0"), 282: Value(RATIONAL, 1, struct.pack(order + "II", 3, 1))}
    inner = {0x9003: Value(2, 20, b"1923:04:01 00:00:00\0")}
    gps = {1: Value(2, 2, b"N\0")}

    for parts in ((first, inner, gps), (first, {}, gps), (first, inner, {}), (first, {}, {})):
        said, outer, inside, place = parse_exif(build_exif(order, *parts))

        assert said == order
        assert {t: v for t, v in outer.items() if t not in (0x8769, 0x8825)} == parts[0]
        assert (inside, place) == parts[1:]


def test_what_is_no_exif_is_not_parsed():
    assert parse_exif(b"II*\0\0") is None
    assert parse_exif(b"PK\x03\x04" + bytes(20)) is None


def resource(identity: int, name: bytes, body: bytes) -> bytes:
    """Return a Photoshop resource: name and body are padded to even lengths."""
    named = bytes([len(name)]) + name
    padded = named + b"\0" * (len(named) % 2)
    return (
        b"8BIM"
        + struct.pack(">H", identity)
        + padded
        + struct.pack(">I", len(body))
        + body
        + b"\0" * (len(body) % 2)
    )


@pytest.mark.parametrize("name", [b"", b"a", b"ab", b"three"])
@pytest.mark.parametrize("body", [b"", b"x", b"even"])
def test_iptc_is_found_behind_other_resources_whatever_their_lengths(name, body):
    data = resource(0x03ED, name, body) + resource(0x0404, name, b"iptc!") + resource(1, b"", b"z")

    assert photoshop_iptc(data) == b"iptc!"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"8BIM",
        resource(0x03ED, b"", b"only this"),
        resource(0x03ED, b"", b"x") + b"rubbish that is no resource",
        b"8BIM\x03\xed" + bytes([200]) + b"a name that is cut off",
        b"8BIM\x03\xed\0\0\xff\xff\xff\xff" + resource(0x0404, b"", b"far too late"),
    ],
    ids=repr,
)
def test_where_resources_end_or_lie_there_is_no_iptc(data):
    assert photoshop_iptc(data) == b""


def test_orientation_in_xmp_becomes_one_and_nothing_else_changes():
    for said in (b'tiff:Orientation="%s"', b"tiff:Orientation = '%s'", b"<tiff:Orientation>%s<"):
        xmp = b"<a> " + said + b" </a> exif:Orientation='6'"

        assert xmp_upright(xmp % b"6") == xmp % b"1"

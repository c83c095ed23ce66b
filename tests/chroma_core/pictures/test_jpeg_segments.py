"""JPEG by its segments (ITU-T T.81): put in, cut or changed here, and named where wrong."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from chroma_core.errors import PictureError
from chroma_core.pictures.jpeg import judge_scan
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.read import read_picture

ROWS, COLS = np.mgrid[:16, :24]
COLORS = np.stack([100 + 4 * ROWS + 2 * COLS - 9 * k for k in range(3)], -1).astype(np.uint8)
SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def jpeg(pixels: np.ndarray = COLORS, **options: object) -> bytes:
    """Return what Pillow makes of an array."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **{"quality": 95, "subsampling": 0, **options})
    return stream.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    """Return a marker segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(*segments: bytes, data: bytes | None = None) -> bytes:
    """Return a JPEG with segments right behind its first marker."""
    data = jpeg() if data is None else data
    return data[:2] + b"".join(segments) + data[2:]


def with_header(change: dict[int, int], marker: int = 0xC0, **options: object) -> bytes:
    """Return a JPEG with bytes of its SOF segment changed, counted from the marker on."""
    data = bytearray(jpeg(**options))
    at = data.index(b"\xff\xc0")
    data[at + 1] = marker
    for place, code in change.items():
        data[at + place] = code
    return bytes(data)


def refusal(data: bytes, **options: object) -> PictureError:
    """Return the error that reading a file ends with."""
    with pytest.raises(PictureError) as caught:
        read_picture(data, **options)
    return caught.value


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (
            SOI
            + segment(0xFE, b"only a comment, sixty-four bytes of it, then nothing at all, the end")
            + EOI,
            "corrupt",
            "there is no picture in it",
        ),
        (SOI + EOI + b"\0", "truncated", "the file ends after 5 bytes"),
        (jpeg()[:4], "truncated", "the file ends after 4 bytes"),
        (jpeg()[: jpeg().index(b"\xff\xda")] + EOI, "truncated", "the pixels are missing"),
        (SOI + segment(0xFE, b"x") + b"no marker" + jpeg()[2:], "corrupt", "byte 7 is no marker"),
        (SOI + segment(0xFE, b"x") + b"\xff\0" + jpeg()[2:], "corrupt", "byte 7 is no marker"),
        (with_segments(SOI), "corrupt", "a second picture begins inside the first"),
        (
            with_segments(b"\xff\xfe\0\1"),
            "corrupt",
            "segment FE at byte 2 has an impossible length",
        ),
        (with_segments(segment(0xDA, bytes(10))), "corrupt", "pixels come before the header"),
        (with_segments(segment(0xC0, b"\x08\0\x10")), "corrupt", "its header is damaged (SOF)"),
        (with_segments(segment(0xDB, b"\0\1\2")), "corrupt", "quantisation tables are damaged"),
        (with_segments(segment(0xDB, b"\x20" + bytes(300))), "corrupt", "tables are damaged"),
        (with_header({9: 2}), "corrupt", "SOF with 2 components"),
        (with_header({9: 0}), "corrupt", "SOF with 0 components"),
        (with_header({5: 0, 6: 0}), "corrupt", "24 x 0 pixels"),
        (with_header({11: 0x05}), "corrupt", "SOF with samples of 0 x 5"),
        (with_header({11: 0x15}), "corrupt", "SOF with samples of 1 x 5"),
        (with_header({4: 12}), "unsupported", "of 12 bits (SOF0) is not read"),
        (with_header({}, 0xC3), "unsupported", "lossless (SOF3) is not read"),
        (with_header({}, 0xCB), "unsupported", "lossless (SOF11) is not read"),
        (with_header({}, 0xC5), "unsupported", "hierarchical (SOF5) is not read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_segment_that_cannot_be_true_is_named(data, kind, words):
    error = refusal(data)

    assert error.kind == kind
    assert words in error.what


def test_two_headers_are_one_too_many():
    data = jpeg()
    at = data.index(b"\xff\xc0")
    header = data[at : at + 19]

    error = refusal(data[:at] + header + data[at:])

    assert error.kind == "corrupt"
    assert "two headers" in error.what


def test_two_channels_are_no_colours():
    frame = segment(0xC0, struct.pack(">BHHB", 8, 16, 24, 2) + b"\1\x11\0\2\x11\0")

    error = refusal(SOI + frame + segment(0xDA, bytes(10)) + EOI)

    assert error.kind == "corrupt"
    assert "2 channels" in error.what


def test_fill_bytes_and_markers_without_a_body_are_passed_over():
    """T.81, B.1.1.2: any marker may be preceded by any number of bytes FF."""
    plain = read_picture(jpeg())

    filled = read_picture(with_segments(b"\xff\xff\xff" + segment(0xFE, b"x")[1:], b"\xff\x01"))

    np.testing.assert_array_equal(filled.pixels, plain.pixels)
    assert filled.warnings == ()


def test_a_file_that_ends_inside_a_segment_behind_the_pixels_has_lost_its_end_only():
    data = jpeg()
    for tail in (b"\xff", b"\xff\xfe", b"\xff\xfe\0", b"\xff\xfe\0\x50half a comment"):
        picture = read_picture(data[:-2] + tail)

        np.testing.assert_array_equal(picture.pixels, read_picture(data).pixels)
        assert picture.warnings == ("its end mark is missing",)


@pytest.mark.parametrize("tail", [b"", b"\xff\xd9", b"\xff"])
def test_stray_bytes_behind_a_segment_that_follows_the_pixels_cost_a_warning(tail):
    data = jpeg()[:-2] + segment(0xFE, b"late words") + b"\x12\x34\x56" + tail

    picture = read_picture(data)

    np.testing.assert_array_equal(picture.pixels, read_picture(jpeg()).pixels)
    assert "there are stray bytes between its segments" in picture.warnings
    assert ("its end mark is missing" in picture.warnings) == (tail != EOI)


def test_restarts_are_part_of_the_pixels():
    plain, restarted = jpeg(), jpeg(restart_marker_blocks=1)
    assert b"\xff\xd0" in restarted

    np.testing.assert_array_equal(read_picture(restarted).pixels, read_picture(plain).pixels)
    assert read_picture(restarted).warnings == ()


def ramp_of_inks() -> np.ndarray:
    """Return four inks, (16, 24, 4), 0 for none."""
    return np.dstack([COLORS, 8 * ROWS.astype(np.uint8)])


def seen(inks: np.ndarray) -> np.ndarray:
    """Return the colours of inks: each takes its share of the paper's white, and so does black."""
    paper = (255 - inks.astype(float)) / 255
    return paper[..., :3] * paper[..., 3:] * 255


@pytest.mark.parametrize("space", ["CMYK", "YCCK"])
def test_inks_are_inverted_where_adobe_wrote_them(space):
    inks = ramp_of_inks()
    data = imagecodecs.jpeg8_encode(255 - inks, level=100, colorspace="CMYK", outcolorspace=space)
    assert b"Adobe" in data[:40]

    picture = read_picture(data)

    # Quality 100, and YCCK rounds once more: within 3 codes.
    np.testing.assert_allclose(picture.pixels.astype(float), seen(inks), atol=3.5)


def test_inks_are_as_they_stand_where_nobody_says_that_they_are_inverted():
    inks = ramp_of_inks()
    data = imagecodecs.jpeg8_encode(inks, level=100, colorspace="CMYK", outcolorspace="CMYK")
    at = data.index(b"\xff\xee")
    length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")

    picture = read_picture(data[:at] + data[at + length :])

    np.testing.assert_allclose(picture.pixels.astype(float), seen(inks), atol=3.5)


def flat(luma: tuple[int, int], *chroma: tuple[int, int]) -> bytes:
    """Return a gray JPEG, 32 x 16, sampled as asked: each of its blocks is DC 0, end of block."""
    pixels = np.full((16, 32, 3), 128, np.uint8)
    data = bytearray(jpeg(pixels))
    at = data.index(b"\xff\xc0")
    factors = (luma, *chroma)
    for number, (across, down) in enumerate(factors):
        data[at + 11 + 3 * number] = across << 4 | down
    wide, high = max(f[0] for f in factors), max(f[1] for f in factors)
    units = -(-32 // (8 * wide)) * -(-16 // (8 * high))
    blocks = [across * down for across, down in factors]
    bits = ("001010" * blocks[0] + "0000" * sum(blocks[1:])) * units
    bits += "1" * (-len(bits) % 8)
    scan = data.index(b"\xff\xda")
    head = bytes(data[: scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")])
    return head + int(bits, 2).to_bytes(len(bits) // 8, "big") + EOI


@pytest.mark.parametrize("share", [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4)])
def test_chroma_may_be_sampled_in_the_usual_ways(share):
    picture = read_picture(flat(share, (1, 1), (1, 1)))

    np.testing.assert_array_equal(picture.pixels, np.full((16, 32, 3), 128))
    assert picture.warnings == ()


@pytest.mark.parametrize(
    "factors",
    [
        ((4, 2), (1, 1), (1, 1)),
        ((3, 1), (1, 1), (1, 1)),
        ((1, 1), (2, 2), (2, 2)),
        ((2, 2), (1, 1), (2, 1)),
    ],
)
def test_chroma_sampled_otherwise_is_not_called_damaged(factors):
    """T.81 allows these, and Pillow reads the file: nothing is wrong with it."""
    data = flat(*factors)
    with Image.open(io.BytesIO(data)) as image:
        assert image.convert("L").getextrema() == (128, 128)

    error = refusal(data)

    assert error.kind == "unsupported"
    assert ", ".join(f"{across} x {down}" for across, down in factors) in error.what
    assert "damaged" not in error.what


def test_a_header_that_the_decoder_cannot_use_is_damaged():
    """An interval of restarts (DRI) has two bytes, not three."""
    error = refusal(with_segments(segment(0xDD, b"\0\1\2")))

    assert error.kind == "corrupt"
    assert "damaged" in error.what


def test_a_decoder_that_gives_another_size_than_the_header_is_not_believed(monkeypatch):
    monkeypatch.setattr(
        simplejpeg, "decode_jpeg", lambda *args, **kwargs: np.zeros((8, 9, 3), np.uint8)
    )

    error = refusal(jpeg())

    assert error.kind == "corrupt"
    assert "it decodes to 9 x 8 pixels" in error.what


def test_a_stream_that_the_decoder_does_not_know_is_judged_unsupported():
    """As strips of TIFF have it, whose headers are nobody's but the decoder's."""
    with pytest.raises(PictureError, match="precision 12") as caught:
        judge_scan(with_header({4: 12}))

    assert caught.value.kind == "unsupported"


def profile_parts(*parts: tuple[int, int, bytes]) -> bytes:
    """Return a JPEG with parts of a profile: number, how many, bytes."""
    return with_segments(
        *(segment(0xE2, b"ICC_PROFILE\0" + bytes([n, of]) + body) for n, of, body in parts)
    )


def test_a_profile_in_parts_is_put_together_in_their_order(make_ramp):
    from chroma_core.pictures.profile import srgb_profile

    profile = srgb_profile()
    third = len(profile) // 3
    cut = [profile[:third], profile[third : 2 * third], profile[2 * third :]]

    picture = read_picture(profile_parts((2, 3, cut[1]), (3, 3, cut[2]), (1, 3, cut[0])))

    assert picture.icc_note.startswith("sRGB as ")
    assert picture.warnings == ()


@pytest.mark.parametrize(
    "parts", [[(1, 2, b"x" * 200)], [(2, 2, b"x" * 200)], [(1, 1, b"a"), (3, 3, b"c")]]
)
def test_a_profile_with_missing_parts_is_ignored_with_a_warning(parts):
    picture = read_picture(profile_parts(*parts))

    assert picture.icc_note == ""
    assert picture.warnings == ("parts of its colour profile are missing, and it is ignored",)


def test_a_profile_larger_than_allowed_is_not_collected():
    """Its second part passes the limit, and so the profile is not whole."""
    data = profile_parts((1, 2, b"x" * 600), (2, 2, b"x" * 600))

    picture = read_picture(data, limits=Limits(max_metadata=1000))

    assert picture.warnings == ("parts of its colour profile are missing, and it is ignored",)


@pytest.mark.parametrize(
    ("unit", "x", "y", "dpi"),
    [(1, 300, 200, (300, 200)), (2, 100, 50, (254, 127)), (0, 1, 1, None), (7, 300, 300, None)],
)
def test_resolution_of_jfif_is_an_inch_or_a_centimetre_or_only_a_shape(unit, x, y, dpi):
    body = b"JFIF\0\1\2" + struct.pack(">BHHBB", unit, x, y, 0, 0)
    data = jpeg()
    length = 2 + int.from_bytes(data[4:6], "big")

    picture = read_picture(SOI + segment(0xE0, body) + data[2 + length :])

    assert picture.dpi == dpi


def test_tables_that_no_baseline_jpeg_can_hold_are_not_handed_on():
    """16-bit tables are read; numbers above 255, or 0, cannot be written again."""
    data = jpeg(COLORS[..., 0])
    at = data.index(b"\xff\xdb")
    table = data[at + 5 : at + 5 + 64]
    fine = struct.pack(">64H", *table)
    coarse = struct.pack(">64H", *table[:63], 300)

    def read(body: bytes) -> object:
        wide = data[:at] + segment(0xDB, b"\x10" + body) + data[at + 5 + 64 :]
        return read_picture(wide.replace(b"\xff\xc0", b"\xff\xc1", 1)).jpeg_tables

    assert read(fine) == read_picture(data).jpeg_tables
    assert read(coarse) is None


def test_the_first_of_two_blocks_of_metadata_counts():
    xmp = b"http://ns.adobe.com/xap/1.0/\0"
    exif = b"Exif\0\0"
    tiff = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0"

    picture = read_picture(
        with_segments(
            segment(0xE1, xmp + b"<first/>"),
            segment(0xE1, xmp + b"<second/>"),
            segment(0xE1, exif + tiff),
            segment(0xE1, exif + tiff.replace(b"\6\0\0\0", b"\3\0\0\0")),
            segment(0xE1, b"something else"),
            segment(0xED, b"not Photoshop"),
        )
    )

    assert picture.xmp == b"<first/>"
    # Orientation 6 turns by a quarter, 3 would not.
    assert (picture.height, picture.width) == (24, 16)

"""Damaged files that are decoded as far as they go, when that is asked for, and are said to be."""

from __future__ import annotations

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chroma_core.errors import PictureError
from chroma_core.pictures.inflate import inflated_so_far
from chroma_core.pictures.png_chunks import png_chunk
from chroma_core.pictures.read import read_picture

HEIGHT, WIDTH = 96, 128
# Noise over a ramp: every row takes about as many bytes as the others.
NOISE = np.random.default_rng(1)
RAMP = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))
GRAY = (RAMP + NOISE.integers(0, 32, (HEIGHT, WIDTH))).astype(np.uint8)
RGB = np.stack([GRAY, GRAY // 2 + 9, 255 - GRAY], -1)
ONE_STRIP = {"compression": "zlib", "rowsperstrip": HEIGHT}

TIFFS = {
    "plain": {"rowsperstrip": 8},
    "plain-one-strip": {"rowsperstrip": HEIGHT},
    "deflate-one-strip": {**ONE_STRIP, "predictor": True},
    "tiles": {"compression": "zlib", "tile": (32, 32)},
    "plain-tiles": {"tile": (32, 32)},
    "lzw": {"compression": "lzw", "rowsperstrip": 8},
    "packbits": {"compression": "packbits", "rowsperstrip": 8},
    "bilevel": {"rowsperstrip": 8},
}


def tiff(pixels=GRAY, **options):
    """Return a TIFF whose directory comes first, so that a cut costs pixels only."""
    stream = io.BytesIO()
    options = {"photometric": "rgb" if pixels.ndim == 3 else "minisblack", **options}
    tifffile.imwrite(stream, pixels, metadata=None, **options)
    return stream.getvalue()


def saved(format, pixels=GRAY, **options):
    """Return what Pillow writes."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format, **options)
    return stream.getvalue()


def cut(data, share):
    return data[: int(len(data) * share)]


def whole_rows(pixels, wanted):
    """Return how many rows from the top are right."""
    right = (pixels == wanted).reshape(len(wanted), -1).all(axis=1)
    return int(np.argmin(right)) if not right.all() else len(wanted)


@pytest.mark.parametrize("share", [0.4, 0.75, 0.95])
@pytest.mark.parametrize("name", sorted(TIFFS))
def test_strips_and_tiles_before_the_cut_are_kept(name, share):
    pixels = GRAY > 100 if name == "bilevel" else GRAY
    data = tiff(pixels, **TIFFS[name])
    right = np.where(pixels, 255, 0) if name == "bilevel" else GRAY

    with pytest.raises(PictureError):
        read_picture(cut(data, share))
    picture = read_picture(cut(data, share), salvage=True)

    # A tile's height, and the directory in front, are lost at most.
    assert share * HEIGHT - 40 <= whole_rows(picture.pixels, right) < HEIGHT
    assert picture.pixels[-1, -1] == 0
    (warning,) = picture.warnings
    assert warning == f"salvaged: {picture.salvaged}"
    assert "strips or tiles are cut short, damaged or missing" in warning
    assert picture.pixels.shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize("name", sorted(TIFFS))
def test_whole_files_are_read_as_ever(name):
    data = tiff(GRAY > 100 if name == "bilevel" else GRAY, **TIFFS[name])

    plain, careful = read_picture(data), read_picture(data, salvage=True)

    np.testing.assert_array_equal(plain.pixels, careful.pixels)
    assert (careful.salvaged, careful.warnings) == ("", plain.warnings)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_deep_and_in_planes_are_kept_too(planar, dtype):
    pixels = RGB.astype(dtype) * (257 if dtype == np.uint16 else 1)
    stored = np.moveaxis(pixels, -1, 0) if planar == "separate" else pixels
    data = tiff(stored, photometric="rgb", planarconfig=planar, rowsperstrip=8, byteorder=">")

    picture = read_picture(cut(data, 0.9), salvage=True)

    np.testing.assert_array_equal(picture.pixels[:56, :, :2], pixels[:56, :, :2])
    assert picture.pixels.dtype == dtype
    assert picture.salvaged


def test_strips_of_jpeg_are_kept_where_they_decode():
    data = tiff(compression="jpeg", rowsperstrip=16)
    picture = read_picture(cut(data, 0.6), salvage=True)

    np.testing.assert_array_equal(picture.pixels[:32], read_picture(data).pixels[:32])
    assert picture.salvaged.startswith("3 of 6 strips")


def test_a_strip_that_is_damaged_in_the_middle_costs_itself():
    data = bytearray(tiff(compression="lzw", rowsperstrip=8))
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        offset, count = opened.pages[0].dataoffsets[3], opened.pages[0].databytecounts[3]
    data[offset : offset + count] = b"\xff" * count

    picture = read_picture(bytes(data), salvage=True)

    np.testing.assert_array_equal(picture.pixels[:24], GRAY[:24])
    np.testing.assert_array_equal(picture.pixels[32:], GRAY[32:])
    assert picture.salvaged.startswith("1 of 12 strips")


def test_a_deflated_strip_with_a_wrong_checksum_is_kept():
    data = bytearray(tiff(**ONE_STRIP))
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        end = opened.pages[0].dataoffsets[0] + opened.pages[0].databytecounts[0]
    data[end - 1] ^= 255

    picture = read_picture(bytes(data), salvage=True)

    np.testing.assert_array_equal(picture.pixels, GRAY)
    assert picture.salvaged


@pytest.mark.parametrize("options", [{"rowsperstrip": 8}, ONE_STRIP], ids=["plain", "deflate"])
def test_a_tiff_without_one_strip_is_refused(options):
    data = tiff(**options)
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        first = opened.pages[0].dataoffsets[0]

    with pytest.raises(PictureError, match=r"none of its .* can be decoded"):
        read_picture(data[:first], salvage=True)


def test_a_directory_that_is_cut_off_cannot_be_salvaged():
    with pytest.raises(PictureError, match="cut short"):
        read_picture(tiff()[:6], salvage=True)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("pixels", [GRAY, RGB], ids=["gray", "rgb"])
def test_rows_of_a_png_before_the_cut_are_kept(pixels, share):
    data = saved("PNG", pixels)

    with pytest.raises(PictureError, match="cut short"):
        read_picture(cut(data, share))
    picture = read_picture(cut(data, share), salvage=True)

    rows = whole_rows(picture.pixels, pixels)
    assert abs(rows - share * HEIGHT) < 8
    assert not picture.pixels[rows:].any()
    assert picture.salvaged.startswith(f"{HEIGHT - rows} of {HEIGHT} rows are missing (cut short")


def test_a_png_of_16_bits_and_of_a_palette_too():
    deep = imagecodecs.png_encode(GRAY.astype(np.uint16) * 257)
    stream = io.BytesIO()
    Image.fromarray(RGB).quantize(16).save(stream, "PNG")
    few = read_picture(stream.getvalue())

    assert whole_rows(read_picture(cut(deep, 0.6), salvage=True).pixels, GRAY * np.uint16(257)) > 40
    again = read_picture(cut(stream.getvalue(), 0.7), salvage=True)
    assert whole_rows(again.pixels, few.pixels) > 40


def test_a_png_without_its_end_is_whole_but_for_that():
    data = saved("PNG")[:-12]

    picture = read_picture(data, salvage=True)

    np.testing.assert_array_equal(picture.pixels, GRAY)
    assert "without IEND" in picture.salvaged


def chunks(*bodies, depth=8, kind=0, interlace=0, size=(WIDTH, HEIGHT)):
    """Return a PNG, gray by default, with these IDAT chunks."""
    header = struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, interlace)
    parts = [png_chunk(b"IHDR", header), *(png_chunk(b"IDAT", body) for body in bodies)]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, png_chunk(b"IEND", b"")])


def rows_of(pixels, filter=0):
    return b"".join(bytes([filter]) + row.tobytes() for row in pixels)


def test_a_png_ends_before_a_chunk_with_a_wrong_checksum():
    packed = zlib.compress(rows_of(GRAY))
    half = len(packed) // 2
    data = bytearray(chunks(packed[:half], packed[half:]))
    data[data.rindex(b"IDAT") + 100] ^= 1

    with pytest.raises(PictureError, match="checksum of IDAT") as caught:
        read_picture(bytes(data))
    picture = read_picture(bytes(data), salvage=True)

    assert caught.value.kind == "corrupt"
    assert 30 < whole_rows(picture.pixels, GRAY) < 60
    assert "checksum of IDAT" in picture.salvaged


def test_a_checksum_that_is_wrong_before_any_pixels_is_refused():
    data = bytearray(saved("PNG"))
    data[20] ^= 1

    with pytest.raises(PictureError, match="checksum of IHDR"):
        read_picture(bytes(data), salvage=True)


def test_a_png_ends_before_a_row_that_has_no_such_filter():
    raw = bytearray(rows_of(GRAY))
    raw[50 * (WIDTH + 1)] = 9

    picture = read_picture(chunks(zlib.compress(bytes(raw))), salvage=True)

    assert whole_rows(picture.pixels, GRAY) == 50
    assert picture.salvaged.startswith("46 of 96 rows are missing")


ADAM7 = [
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)),
    (1, 0, 2, 1),
]
"""First row and column, and steps down and across, of the seven parts of an interlaced PNG."""


def parts_of(pixels):
    """Return, for each of the seven parts that has pixels, where they lie."""
    places = [np.s_[top::down, left::across] for top, left, down, across in ADAM7]
    return [place for place in places if pixels[place].size]


def interlaced(pixels, bytes_kept=None):
    """Return an interlaced PNG of 8 or 16 bits, of whose filtered rows so many bytes are there."""
    big = pixels.astype(pixels.dtype.newbyteorder(">"))
    plain = b"".join(rows_of(big[place]) for place in parts_of(pixels))
    kind = {2: 0, 3: 2}[pixels.ndim]
    how = {"depth": 8 * pixels.dtype.itemsize, "kind": kind, "interlace": 1}
    return chunks(zlib.compress(plain[:bytes_kept]), size=pixels.shape[1::-1], **how)


def test_an_interlaced_png_that_is_whole_is_read_as_ever():
    np.testing.assert_array_equal(read_picture(interlaced(RGB), salvage=True).pixels, RGB)


def test_of_an_interlaced_png_the_whole_is_kept_coarsely():
    """After the first four parts there is one pixel in a square of four, and stands for it."""
    parts = parts_of(GRAY)[:4]
    there = sum(GRAY[place].size for place in parts)
    data = interlaced(GRAY, sum(len(rows_of(GRAY[place])) for place in parts))

    picture = read_picture(data, salvage=True)

    coarse = GRAY[::4, ::2]
    np.testing.assert_array_equal(picture.pixels, coarse.repeat(4, 0).repeat(2, 1))
    missing = GRAY.size - there
    assert picture.salvaged.startswith(f"{missing:,} of {GRAY.size:,} pixels are missing, their")


@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from([(), (3,)]),
    st.sampled_from([np.uint8, np.uint16]),
    st.floats(0, 1),
)
def test_law_of_an_interlaced_png_every_row_that_is_there_is_right(
    height, width, channels, dtype, share
):
    shape = (height, width, *channels)
    pixels = np.random.default_rng(height * width).integers(1, np.iinfo(dtype).max, shape, dtype)
    places = parts_of(pixels)
    kept = int(share * sum(len(rows_of(pixels[place])) for place in places))
    data = interlaced(pixels, kept)
    there = np.zeros(shape[:2], bool)
    for place in places:
        row = 1 + pixels[place][0].nbytes
        whole = min(kept // row, len(pixels[place]))
        there[place][:whole] = True
        kept -= whole * row
        if whole < len(pixels[place]):
            break

    if not there.any():
        with pytest.raises(PictureError):
            read_picture(data, salvage=True)
        return
    picture = read_picture(data, salvage=True)

    np.testing.assert_array_equal(picture.pixels[there], pixels[there])
    assert bool(picture.salvaged) == (not there.all())
    # What stands for the missing comes from the picture, or there was nothing near it.
    assert np.isin(picture.pixels, [0, *np.unique(pixels[there])]).all()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (chunks(b"", zlib.compress(b"\0")), "fewer pixels"),
        (chunks(b"\xff" * 40), "damaged"),
        (saved("PNG")[:60], "cut short"),
        (saved("PNG")[:30], "cut short"),
        (chunks(zlib.compress(b"\0" * 16), interlace=1), "fewer pixels"),
        (chunks(zlib.compress(rows_of(GRAY)[:4000]), depth=8, kind=3), "damaged"),
    ],
    ids=["one-byte", "no-zlib", "no-row", "no-header", "no-row-of-seven", "no-palette"],
)
def test_a_png_of_which_nothing_can_be_kept_is_refused(data, words):
    with pytest.raises(PictureError, match=words):
        read_picture(data, salvage=True)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("pixels", [GRAY, RGB], ids=["gray", "rgb"])
def test_a_jpeg_is_kept_as_far_as_it_goes(pixels, share):
    data = saved("JPEG", pixels, quality=90, subsampling=0)
    whole = read_picture(data).pixels

    with pytest.raises(PictureError, match="cut short"):
        read_picture(cut(data, share))
    picture = read_picture(cut(data, share), salvage=True)

    rows = whole_rows(picture.pixels, whole)
    # The tables in front take some 600 bytes of 10,000; blocks have 8 rows.
    assert share * HEIGHT - 20 <= rows < HEIGHT
    empty = HEIGHT - rows
    assert "cut short: the pixels end too early" in picture.salvaged
    assert f"of {HEIGHT} rows are empty" in picture.salvaged
    said = int(picture.salvaged.split("about ")[1].split()[0])
    assert empty - 8 <= said <= empty


def test_a_progressive_jpeg_is_less_sharp():
    data = saved("JPEG", quality=90, progressive=True)

    with pytest.raises(PictureError, match="progressive"):
        read_picture(cut(data, 0.7))
    picture = read_picture(cut(data, 0.7), salvage=True)

    assert picture.salvaged
    # All of the picture is there, without its finest details.
    assert np.abs(picture.pixels.astype(int) - GRAY).mean() < 20


def test_a_progressive_jpeg_cut_between_its_scans_is_said_to_be():
    """libjpeg has nothing to complain of there; the details are missing all the same."""
    data = saved("JPEG", quality=90, progressive=True)
    between = data.rindex(b"\xff\xda")

    picture = read_picture(data[:between], salvage=True)

    assert picture.salvaged == "cut short: the end of the progressive picture is missing"


def test_a_jpeg_of_noise_in_its_middle_is_kept():
    data = bytearray(saved("JPEG", quality=90))
    # Codes of all ones are in no usual table, and 0 after 255 makes them data.
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff\0" * 20

    with pytest.raises(PictureError):
        read_picture(bytes(data))
    picture = read_picture(bytes(data), salvage=True)

    assert "damaged" in picture.salvaged
    assert whole_rows(picture.pixels, read_picture(saved("JPEG", quality=90)).pixels) >= 32


def test_a_jpeg_without_pixels_is_refused():
    data = saved("JPEG")
    scan = data.index(b"\xff\xda")

    for end in (scan, scan + 10):
        with pytest.raises(PictureError, match="cut short"):
            read_picture(data[:end], salvage=True)


def test_a_jpeg_whose_tables_are_missing_is_refused():
    """libjpeg cannot go on there, however lenient."""
    data = saved("JPEG")
    while b"\xff\xdb" in data:
        start = data.index(b"\xff\xdb")
        (length,) = struct.unpack_from(">H", data, start + 2)
        data = data[:start] + data[start + 2 + length :]

    with pytest.raises(PictureError):
        read_picture(data, salvage=True)


def test_a_jpeg_that_libjpeg_refuses_however_lenient_keeps_its_error(monkeypatch):
    def refuse(stream, colorspace, strict):
        raise ValueError("premature end of data" if strict else "no memory for it")

    data = cut(saved("JPEG"), 0.5)
    monkeypatch.setattr("simplejpeg.decode_jpeg", refuse)

    with pytest.raises(PictureError, match="premature end of data"):
        read_picture(data, salvage=True)


def test_a_jpeg_of_which_libjpeg_makes_nothing_but_gray_keeps_its_error(monkeypatch):
    def fill(stream, colorspace, strict):
        if strict:
            raise ValueError("premature end of data")
        return np.full((HEIGHT, WIDTH, 1), 128, np.uint8)

    data = cut(saved("JPEG"), 0.5)
    monkeypatch.setattr("simplejpeg.decode_jpeg", fill)

    with pytest.raises(PictureError, match="premature end of data"):
        read_picture(data, salvage=True)


def test_strips_that_no_row_needs_are_left_alone():
    """A directory may list more strips than its height takes."""
    data = bytearray(tiff(rowsperstrip=8))
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        struct.pack_into("<H", data, opened.pages[0].tags[257].valueoffset, HEIGHT // 2)

    picture = read_picture(bytes(data), salvage=True)

    np.testing.assert_array_equal(picture.pixels, GRAY[: HEIGHT // 2])
    assert not picture.salvaged


@pytest.mark.parametrize("format", ["GIF", "BMP", "WEBP", "PPM"])
def test_other_formats_are_refused_as_ever(format):
    with pytest.raises(PictureError, match="cut short"):
        read_picture(cut(saved(format), 0.5), salvage=True)


def test_a_salvaged_picture_says_so_through_the_guarded_decoder():
    data = cut(saved("PNG"), 0.5)

    one, other = (read_picture(data, salvage=True, guarded=guarded) for guarded in (False, True))

    assert one.salvaged == other.salvaged != ""
    np.testing.assert_array_equal(one.pixels, other.pixels)


@given(st.binary(max_size=6000), st.integers(0, 9000), st.integers(0, 7000))
def test_law_inflating_gives_what_was_deflated(plain, end, most):
    packed = zlib.compress(plain)

    got, whole = inflated_so_far(packed[:end], most)

    assert plain.startswith(got)
    assert len(got) <= most
    assert whole == (end >= len(packed) and len(plain) == most)


@given(st.binary(min_size=200, max_size=3000), st.integers(0, 2000), st.integers(0, 4000))
def test_law_damage_costs_no_byte_before_it_and_no_bound(plain, at, most):
    packed = bytearray(zlib.compress(plain, 0))
    # Stored blocks: a header of 7 bytes, then the bytes themselves.
    at = 7 + at % len(plain)
    packed[-4:] = bytes(4 * [packed[-1] ^ 255])

    got, whole = inflated_so_far(bytes(packed), most)

    assert got == plain[:most]
    assert not whole
    assert inflated_so_far(bytes(packed[:at]), most)[0] == plain[: min(most, at - 7)]


def test_a_strip_that_inflates_to_more_is_kept_and_said_to_be_damaged():
    data = tiff(**ONE_STRIP)
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        tags = opened.pages[0].tags
        place, count = tags[273].offset + 8, tags[279].offset + 8
    packed = zlib.compress(GRAY.tobytes() + b"more")
    longer = bytearray(data + packed)
    struct.pack_into("<HII", longer, place - 6, 4, 1, len(data))
    struct.pack_into("<HII", longer, count - 6, 4, 1, len(packed))

    picture = read_picture(bytes(longer), salvage=True)

    np.testing.assert_array_equal(picture.pixels, GRAY)
    assert picture.salvaged.startswith("1 of 1 strips")


@settings(max_examples=60)
@given(st.sampled_from(["PNG", "interlaced", "JPEG", *sorted(TIFFS)]), st.data())
def test_law_damage_gives_a_picture_that_says_so_or_one_of_our_errors(name, data):
    if name == "interlaced":
        whole = interlaced(GRAY)
    else:
        whole = saved(name) if name in ("PNG", "JPEG") else tiff(**TIFFS[name])
    spoilt = bytearray(whole[: data.draw(st.integers(1, len(whole)))])
    for at in data.draw(st.lists(st.integers(0, len(spoilt) - 1), max_size=3)):
        spoilt[at] ^= data.draw(st.integers(1, 255))

    try:
        picture = read_picture(bytes(spoilt), salvage=True)
    except PictureError:
        # What cannot be salvaged cannot be read strictly either.
        with pytest.raises(PictureError):
            read_picture(bytes(spoilt))
        return
    try:
        plain = read_picture(bytes(spoilt))
    except PictureError:
        assert picture.salvaged
        assert picture.warnings[0] == f"salvaged: {picture.salvaged}"
    else:
        np.testing.assert_array_equal(picture.pixels, plain.pixels)
        assert not picture.salvaged

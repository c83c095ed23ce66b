"""TIFF by its tags, written here byte by byte: what cannot be true is refused, and named.

Every file is made by `tiff_file` of tags and pixels; no library stands between the test and what
the reader gets. Tag numbers and types are those of TIFF 6.0.
"""

from __future__ import annotations

import re
import struct
import zlib

import imagecodecs
import numpy as np
import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.read import read_picture

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
LETTERS = {BYTE: "B", ASCII: "B", SHORT: "H", LONG: "I", UNDEFINED: "B"}
WIDTH, HEIGHT = 6, 4

SIDES = {256: (SHORT, [WIDTH]), 257: (SHORT, [HEIGHT]), 278: (SHORT, [HEIGHT])}
GRAY = {**SIDES, 258: (SHORT, [8]), 259: (SHORT, [1]), 262: (SHORT, [1]), 277: (SHORT, [1])}
RGB = {**GRAY, 258: (SHORT, [8, 8, 8]), 262: (SHORT, [2]), 277: (SHORT, [3])}
GRAY_CODES = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) * 10
RGB_CODES = np.dstack([GRAY_CODES, GRAY_CODES[::-1], GRAY_CODES[:, ::-1]])


def values_of(kind: int, values: list, order: str) -> tuple[int, bytes]:
    """Return count and bytes of a tag's values."""
    if kind == RATIONAL:
        return len(values) // 2, struct.pack(f"{order}{len(values)}I", *values)
    return len(values), struct.pack(f"{order}{len(values)}{LETTERS[kind]}", *values)


def directory(tags: dict, at: int, order: str, following: int = 0) -> bytes:
    """Return a directory that stands at a byte, with its long values behind it."""
    entries, behind = b"", b""
    place = at + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        kind, values = tags[tag]
        count, packed = values_of(kind, values, order)
        if len(packed) > 4:
            inline = struct.pack(order + "I", place + len(behind))
            behind += packed + b"\0" * (len(packed) % 2)
        else:
            inline = packed.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", tag, kind, count) + inline
    count = struct.pack(order + "H", len(tags))
    return count + entries + struct.pack(order + "I", following) + behind


def tiff_file(tags: dict, pixels: bytes, order: str = "<", **changes: tuple) -> bytes:
    """Return a TIFF of one strip at byte 8; a change ``t274`` sets tag 274, None removes it."""
    said = {273: (LONG, [8]), 279: (LONG, [len(pixels)]), **tags}
    said |= {int(name[1:]): value for name, value in changes.items()}
    said = {tag: value for tag, value in said.items() if value is not None}
    pixels += b"\0" * (len(pixels) % 2)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(pixels))
    return head + pixels + directory(said, 8 + len(pixels), order)


def gray(**changes: tuple) -> bytes:
    """Return a gray TIFF of 8 bits."""
    return tiff_file(GRAY, GRAY_CODES.tobytes(), **changes)


def refusal(data: bytes, **options: object) -> PictureError:
    """Return the error that reading a file ends with."""
    with pytest.raises(PictureError) as caught:
        read_picture(data, **options)
    return caught.value


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_file_that_all_others_are_made_of_is_read(order):
    """Without this, a test of a refusal would pass for any mistake of `tiff_file`."""
    plain = tiff_file(GRAY, GRAY_CODES.tobytes(), order)
    colored = tiff_file(RGB, RGB_CODES.tobytes(), order)

    np.testing.assert_array_equal(read_picture(plain).pixels, GRAY_CODES)
    np.testing.assert_array_equal(read_picture(colored).pixels, RGB_CODES)
    assert read_picture(plain).warnings == ()


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"t262": (SHORT, [32803])}, "unsupported", r"raw data of a camera \(CFA\)"),
        ({"t262": (SHORT, [34892])}, "unsupported", r"raw data of a camera \(LinearRaw\)"),
        ({"t262": (SHORT, [77])}, "corrupt", "photometric interpretation is 77"),
        ({"t262": (SHORT, [2])}, "corrupt", "says 1 channels, wanted 3 or more"),
        ({"t262": (SHORT, [5])}, "corrupt", "says 1 channels, wanted 4 or more"),
        ({"t277": (SHORT, [200])}, "corrupt", "says 200 channels"),
        ({"t258": (SHORT, [0])}, "corrupt", "0 bits a sample"),
        ({"t259": (SHORT, [34712])}, "unsupported", "compression JPEG 2000 is not read"),
        ({"t259": (SHORT, [6])}, "unsupported", "compression old JPEG is not read"),
        ({"t259": (SHORT, [4242])}, "unsupported", "compression number 4242 is not read"),
        ({"t339": (SHORT, [2])}, "unsupported", "signed or complex samples"),
        ({"t32997": (LONG, [3])}, "unsupported", "a volume is not read"),
        ({"t256": (SHORT, [0])}, "corrupt", "0 x 4 pixels"),
        ({"t278": (LONG, [0])}, "corrupt", "strips have 0 rows"),
        ({"t278": (SHORT, [1])}, "corrupt", "lists 1 of 4 strips"),
        ({"t273": (LONG, [0])}, "corrupt", "has no place in the file"),
        ({"t273": (LONG, [4])}, "corrupt", "has no place in the file"),
        ({"t279": (LONG, [0])}, "corrupt", "has no place in the file"),
        ({"t273": (LONG, [100_000])}, "truncated", "pixels lie at byte 100,000"),
        ({"t279": (LONG, [23])}, "truncated", "23 of 24 bytes of pixels"),
        ({"t257": (SHORT, [5]), "t278": (SHORT, [5])}, "truncated", "24 of 30 bytes of pixels"),
    ],
    ids=str,
)
def test_a_tag_that_cannot_be_true_is_named(changes, kind, words):
    error = refusal(gray(**changes))

    assert error.kind == kind
    assert re.search(words, error.what)


@pytest.mark.parametrize(
    ("across", "down", "words"),
    [
        (16, 0, "tiles have 16 x 0 pixels"),
        (70_000, 16, "tiles have 70,000 x 16 pixels"),
        (60_000, 60_000, "tiles have 60,000 x 60,000 pixels"),
    ],
)
def test_tiles_of_impossible_sides_are_refused_before_memory_is_taken(across, down, words):
    tiled = {
        **{tag: value for tag, value in GRAY.items() if tag != 278},
        273: None,
        279: None,
        322: (LONG, [across]),
        323: (LONG, [down]),
        324: (LONG, [8]),
        325: (LONG, [24]),
    }

    error = refusal(tiff_file(tiled, GRAY_CODES.tobytes()))

    assert error.kind == "corrupt"
    assert words in error.what


def test_a_tile_is_whole_where_the_picture_is_not():
    """A tile of 16 x 16 holds 256 bytes, also where the picture covers 24 of them."""
    tile = np.full((16, 16), 99, np.uint8)
    tile[:HEIGHT, :WIDTH] = GRAY_CODES
    tags = {
        **{tag: value for tag, value in GRAY.items() if tag != 278},
        273: None,
        279: None,
        322: (LONG, [16]),
        323: (LONG, [16]),
        324: (LONG, [8]),
        325: (LONG, [256]),
    }

    whole = tiff_file(tags, tile.tobytes())
    short = tiff_file({**tags, 325: (LONG, [255])}, tile.tobytes())

    np.testing.assert_array_equal(read_picture(whole).pixels, GRAY_CODES)
    assert "255 of 256 bytes of pixels" in refusal(short).what


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"II*\0\x08\0", "truncated", "the file has 6 bytes"),
        (b"II+\0\x08\0\0\0\x10\0\0\0", "truncated", "the file has 12 bytes"),
        (b"II*\0\x03\0\0\0" + bytes(20), "corrupt", "first directory is said to lie at byte 3"),
        (b"MM\0*\0\1\0\0" + bytes(20), "truncated", "its directory lies at byte 65,536"),
        (b"II*\0\x08\0\0\0\xff\xff" + bytes(20), "corrupt", "cannot be decoded"),
    ],
)
def test_a_header_that_leads_nowhere_is_refused(data, kind, words):
    error = refusal(data)

    assert error.kind == kind
    assert words in error.what


def pages(*subfiletypes: int) -> bytes:
    """Return a TIFF whose pages are all the same picture, each of its own kind."""
    pixels = GRAY_CODES.tobytes()
    said = {**GRAY, 273: (LONG, [8]), 279: (LONG, [len(pixels)])}
    data = b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels
    for number, kind in enumerate(subfiletypes):
        tags = {**said, 254: (LONG, [kind])}
        following = len(data) + len(directory(tags, 0, "<"))
        last = number == len(subfiletypes) - 1
        data += directory(tags, len(data), "<", 0 if last else following)
    return data


def second_directory(data: bytes | bytearray) -> int:
    """Return where the second directory of `pages` lies, as the first one tells at its end."""
    first = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, first)[0]
    return int(struct.unpack_from("<I", data, first + 2 + 12 * entries)[0])


def test_where_all_pages_are_previews_the_first_is_the_picture():
    for kinds in ((1,), (1, 1), (4, 1)):
        picture = read_picture(pages(*kinds))

        np.testing.assert_array_equal(picture.pixels, GRAY_CODES)
        assert picture.warnings == ()


def test_a_preview_does_not_stand_in_for_the_raw_picture_below_it():
    """NEF and DNG: the first directory is a preview, tag 330 leads to what the camera saw."""
    below = gray(t254=(LONG, [1]), t330=(LONG, [8]))

    for page in (None, 1):
        error = refusal(below, page=page)
        assert error.kind == "unsupported"
        assert "a preview" in error.what
        assert "develop" in error.hint
    np.testing.assert_array_equal(read_picture(gray(t330=(LONG, [8]))).pixels, GRAY_CODES)


def test_no_more_pages_are_looked_at_than_allowed():
    """The second page is the picture, but only one may be looked at: then the preview must do."""
    data = pages(1, 0, 0)

    assert read_picture(data).warnings == ("it has more than one page: only the first is used",)
    assert read_picture(data, limits=Limits(max_pages=1)).warnings == ()


def test_a_second_page_that_is_damaged_costs_the_first_nothing():
    """Its directory counts more entries than the file could hold."""
    data = bytearray(pages(0, 0))
    second = second_directory(data)
    data[second : second + 2] = b"\xff\xff"

    picture = read_picture(bytes(data[: second + 60]))

    np.testing.assert_array_equal(picture.pixels, GRAY_CODES)
    assert picture.warnings == ()


def test_a_preview_does_not_stand_in_for_a_picture_that_is_damaged():
    data = bytearray(pages(1, 0))
    second = second_directory(data)
    data[second : second + 2] = b"\xff\xff"

    error = refusal(bytes(data[: second + 60]))

    assert error.kind == "corrupt"
    assert "cannot be decoded" in error.what


@pytest.mark.parametrize(
    ("value", "upright", "warned"),
    [
        ((SHORT, [3]), GRAY_CODES[::-1, ::-1], False),
        ((SHORT, [0]), GRAY_CODES, True),
        ((SHORT, [9]), GRAY_CODES, True),
        ((LONG, [3]), GRAY_CODES[::-1, ::-1], False),
        ((LONG, [65536 + 3]), GRAY_CODES, True),
        ((LONG, [3, 3]), GRAY_CODES, True),
        ((BYTE, [3]), GRAY_CODES, True),
        ((SHORT, [3, 3]), GRAY_CODES, True),
        ((ASCII, [0x33, 0]), GRAY_CODES, True),
    ],
    ids=str,
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_an_orientation_is_one_short_or_by_some_writers_one_long(value, upright, warned, order):
    data = tiff_file(GRAY, GRAY_CODES.tobytes(), order, t274=value)

    picture = read_picture(data)

    np.testing.assert_array_equal(picture.pixels, upright)
    warning = "its orientation is none of the eight, and is ignored"
    assert picture.warnings == ((warning,) if warned else ())


@pytest.mark.parametrize(
    ("inks", "read"),
    [
        (None, True),
        ((SHORT, [1]), True),
        ((LONG, [1]), True),
        ((SHORT, [2]), False),
        ((SHORT, [0]), False),
        ((SHORT, [1, 2]), False),
        ((ASCII, [0x31, 0]), True),
        ((ASCII, [0x78, 0]), False),
    ],
    ids=str,
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_inks_are_read_only_where_they_are_cyan_magenta_yellow_and_black(inks, read, order):
    """Tag 332, InkSet: 2 means that only the names of the inks tell what they are."""
    four = {258: (SHORT, [8] * 4), 262: (SHORT, [5]), 277: (SHORT, [4])}
    black = np.dstack([np.zeros((HEIGHT, WIDTH, 3), np.uint8), 255 - GRAY_CODES])
    data = tiff_file({**GRAY, **four}, black.tobytes(), order, t332=inks)

    if read:
        np.testing.assert_array_equal(read_picture(data).pixels[..., 1], GRAY_CODES)
    else:
        error = refusal(data)
        assert error.kind == "unsupported"
        assert "inks other than CMYK" in error.what


def lab_codes(bits: int, values: list[float], order: str = "<") -> bytes:
    """Return pixels of one colour, as section 23 of TIFF 6.0 stores L*, a*, b*."""
    scale = 1 << (bits - 8)
    light = round(values[0] / 100 * ((1 << bits) - 1))
    rest = [round(v * scale) for v in values[1:]]
    form = order + {8: "Bbb", 16: "Hhh"}[bits]
    return struct.pack(form, light, *rest) * (HEIGHT * WIDTH)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_and_b_are_signed_in_cielab_and_offset_in_icclab(bits, order):
    """The same colour both ways: ICCLAB is unsigned around 128, and its L* ends at 0xFF00."""
    cielab = lab_codes(bits, [60.0, 20.0, -30.0], order)
    offset = {8: [153, 148, 98], 16: [0x9900, 148 << 8, 98 << 8]}[bits]
    icclab = struct.pack(order + {8: "3B", 16: "3H"}[bits], *offset) * (HEIGHT * WIDTH)
    said = {**RGB, 258: (SHORT, [bits] * 3)}

    one = read_picture(tiff_file(said, cielab, order, t262=(SHORT, [8])), keep_floats=True)
    other = read_picture(tiff_file(said, icclab, order, t262=(SHORT, [9])), keep_floats=True)

    # Both are L* 60, a* 20, b* -30, which is bluer than red than green.
    assert one.pixels[0, 0, 2] > one.pixels[0, 0, 0] > one.pixels[0, 0, 1]
    # 16 bits: L* 60 rounds to 39321 of 65535, half a step.
    np.testing.assert_allclose(one.pixels, other.pixels, atol=1e-5)


def test_cielab_of_other_bits_is_not_guessed_at():
    codes = np.zeros((HEIGHT, WIDTH, 3), np.uint32)

    error = refusal(tiff_file(RGB, codes.tobytes(), t258=(SHORT, [32] * 3), t262=(SHORT, [8])))

    assert error.kind == "unsupported"
    assert "CIELAB of 32 bits" in error.what


def test_lightness_beyond_a_hundred_is_refused():
    lab = np.full((HEIGHT, WIDTH, 3), [250.0, 0, 0], np.float32)
    said = {**RGB, 258: (SHORT, [32] * 3), 262: (SHORT, [8]), 339: (SHORT, [3] * 3)}

    error = refusal(tiff_file(said, lab.tobytes()))

    assert error.kind == "unsupported"
    assert "L* is not within 0 to 100" in error.what


def test_a_white_point_that_is_no_colour_counts_as_none():
    """D65 in tag 318 leaves neutral colours neutral, and so does the D50 that stands for none."""
    said = {**RGB, 262: (SHORT, [8])}
    neutral = lab_codes(8, [60.0, 20.0, -30.0])

    def read(white: list[int] | None) -> np.ndarray:
        tag = None if white is None else (RATIONAL, white)
        return read_picture(tiff_file(said, neutral, t318=tag), keep_floats=True).pixels

    without = read(None)
    for useless in ([0, 0, 1, 3], [3127, 0, 3290, 0], [9, 1, 9, 1], [31270, 10000, 32900, 100000]):
        np.testing.assert_array_equal(read(useless), without)
    np.testing.assert_array_equal(read([31270, 100000]), without)
    assert np.abs(read([31270, 100000, 32900, 100000]) - without).max() > 1e-3


def test_ycbcr_without_subsampling_becomes_rgb():
    """TIFF 6.0, section 21: R = Y + 1.402 (Cr - 128), and so on, with its default coefficients."""
    codes = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    codes[0, :4] = [[76, 85, 255], [150, 44, 21], [29, 255, 107], [200, 128, 128]]
    data = tiff_file(RGB, codes.tobytes(), t262=(SHORT, [6]), t530=(SHORT, [1, 1]))

    picture = read_picture(data)

    # Pure red, green and blue; their codes are rounded, each half a step makes up to 1.
    wanted = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 200, 200]]
    np.testing.assert_allclose(picture.pixels[0, :4].astype(int), wanted, atol=1.5)


def test_ycbcr_of_sixteen_bits_is_not_read():
    codes = np.zeros((HEIGHT, WIDTH, 3), np.uint16)
    tags = {**RGB, 258: (SHORT, [16] * 3), 262: (SHORT, [6]), 530: (SHORT, [1, 1])}

    error = refusal(tiff_file(tags, codes.tobytes()))

    assert error.kind == "unsupported"
    assert "YCbCr of more than 8 bits" in error.what


def palette(colors: list[int]) -> dict:
    """Return the tags of a picture of 8-bit indices into a palette."""
    return {**GRAY, 262: (SHORT, [3]), 320: (SHORT, colors)}


def test_palettes_hold_sixteen_bits_or_eight_in_one_of_three_ways():
    index = np.arange(256)
    fine = (index * 251) % 65536
    wanted = {
        "times 256": (index * 256, index.astype(np.uint8)),
        "times 257": (index * 257, index.astype(np.uint8)),
        "as they are": (index, index.astype(np.uint8)),
        "16 bits": (fine, fine.astype(np.uint16)),
    }
    for name, (column, seen) in wanted.items():
        colors = np.concatenate([column, column[::-1], column]).tolist()

        picture = read_picture(tiff_file(palette(colors), GRAY_CODES.tobytes()))

        assert picture.pixels.dtype == seen.dtype, name
        assert picture.depth == 8 * seen.dtype.itemsize
        np.testing.assert_array_equal(picture.pixels[..., 0], seen[GRAY_CODES])
        np.testing.assert_array_equal(picture.pixels[..., 1], seen[::-1][GRAY_CODES])


def test_a_palette_with_fewer_colours_than_indices_is_refused():
    error = refusal(tiff_file(palette([7] * 30), GRAY_CODES.tobytes()))

    assert error.kind == "corrupt"
    assert "palette is too short" in error.what


def test_bits_between_sixteen_and_twenty_four_are_not_read():
    packed = bytes(HEIGHT * ((WIDTH * 20 + 7) // 8))

    error = refusal(tiff_file(GRAY, packed, t258=(SHORT, [20])))

    assert error.kind == "unsupported"
    assert "20 bits a sample" in error.what


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
def test_odd_bits_are_brought_to_full_scale(bits):
    """Rows are packed, most significant bit first, and begin at a whole byte."""
    top = (1 << bits) - 1
    codes = np.linspace(0, top, HEIGHT * WIDTH).astype(int).reshape(HEIGHT, WIDTH)
    rows = ["".join(f"{code:0{bits}b}" for code in row) for row in codes]
    packed = b"".join(
        int(row.ljust(-(-len(row) // 8) * 8, "0"), 2).to_bytes(-(-len(row) // 8), "big")
        for row in rows
    )

    picture = read_picture(tiff_file(GRAY, packed, t258=(SHORT, [bits])))

    full = 255 if bits < 8 else 65535
    np.testing.assert_array_equal(picture.pixels, (codes * full + top // 2) // top)


def test_floats_multiplied_by_alpha_are_divided_by_it_and_stay_where_it_is_nothing():
    alpha = np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    straight = np.where(alpha > 0, np.float32(0.25), np.float32(0))
    codes = np.dstack([straight * alpha, alpha])
    tags = {**GRAY, 258: (SHORT, [32, 32]), 277: (SHORT, [2]), 339: (SHORT, [3, 3])}
    data = tiff_file(tags, codes.tobytes(), t338=(SHORT, [1]))

    kept = read_picture(data, keep_floats=True)
    picture = read_picture(data)

    np.testing.assert_allclose(kept.pixels, straight, rtol=1e-6)
    np.testing.assert_array_equal(kept.alpha, alpha)
    # As codes alpha has the dtype of the pixels: 16 bits.
    np.testing.assert_array_equal(picture.alpha, np.rint(alpha * 65535).astype(np.uint16))


def jpeg_tiff(pixels: np.ndarray, stream: bytes | None = None, **changes: tuple) -> bytes:
    """Return a TIFF whose one strip is a JPEG."""
    height, width, channels = (*pixels.shape, 1)[:3]
    if stream is None:
        stream = imagecodecs.jpeg8_encode(pixels, level=95)
    tags = {
        **GRAY,
        256: (SHORT, [width]),
        257: (SHORT, [height]),
        278: (SHORT, [height]),
        258: (SHORT, [8] * channels),
        259: (SHORT, [7]),
        262: (SHORT, [{1: 1, 3: 6, 4: 5}[channels]]),
        277: (SHORT, [channels]),
    }
    return tiff_file(tags, stream, **changes)


def smooth(channels: int) -> np.ndarray:
    """Return a picture that JPEG keeps nearly as it is."""
    rows, cols = np.mgrid[:16, :24]
    planes = [100 + 4 * rows + 2 * cols - 9 * k for k in range(channels)]
    codes = np.stack(planes, -1).astype(np.uint8)
    return codes[..., 0] if channels == 1 else codes


def test_strips_of_jpeg_are_read():
    gray_codes, colors = smooth(1), smooth(3)

    plain, colored = read_picture(jpeg_tiff(gray_codes)), read_picture(jpeg_tiff(colors))

    # Quality 95 keeps slopes within a few codes.
    np.testing.assert_allclose(plain.pixels.astype(int), gray_codes, atol=3)
    np.testing.assert_allclose(colored.pixels.astype(int), colors, atol=6)


def test_strips_of_jpeg_keep_twelve_bits():
    deep = smooth(1).astype(np.uint16) * 16
    stream = imagecodecs.jpeg_encode(deep, level=98, bitspersample=12)

    picture = read_picture(jpeg_tiff(smooth(1), stream, t258=(SHORT, [12])))

    assert picture.depth == 16
    # Quality 98 keeps slopes within a few of 4095 codes.
    np.testing.assert_allclose(picture.pixels / 65535 * 4095, deep, atol=4)


def test_strips_of_jpeg_with_four_inks_are_read():
    inks = smooth(4)
    stream = imagecodecs.jpeg8_encode(inks, level=100, colorspace="CMYK", outcolorspace="CMYK")

    picture = read_picture(jpeg_tiff(inks, stream))

    unit = (255 - inks.astype(float)) / 255
    wanted = unit[..., :3] * unit[..., 3:] * 255
    # A code of ink is a code of colour at most; quality 100 rounds by 1 or 2.
    np.testing.assert_allclose(picture.pixels.astype(int), wanted, atol=3)


def test_strips_of_lossless_jpeg_are_read_exactly():
    """TurboJPEG makes no gray of them, so that they are judged by the decoder alone."""
    colors = smooth(3)
    stream = imagecodecs.jpeg8_encode(colors, lossless=True, colorspace="RGB", outcolorspace="RGB")

    picture = read_picture(jpeg_tiff(colors, stream, t262=(SHORT, [2])))

    np.testing.assert_array_equal(picture.pixels, colors)


def test_a_strip_of_jpeg_that_ends_early_is_cut_short():
    stream = imagecodecs.jpeg8_encode(smooth(1), level=95)
    half = stream[: len(stream) - 40] + b"\xff\xd9"

    error = refusal(jpeg_tiff(smooth(1), half))

    assert error.kind == "truncated"
    assert "the pixels end too early" in error.what


def test_a_strip_of_jpeg_wider_than_its_header_says_is_refused():
    stream = imagecodecs.jpeg8_encode(np.zeros((16, 400, 3), np.uint8), level=95)

    error = refusal(jpeg_tiff(smooth(3), stream))

    assert error.kind == "corrupt"
    assert "wider than its header says" in error.what


def test_a_strip_of_jpeg_that_is_none_cannot_be_decoded():
    error = refusal(jpeg_tiff(smooth(1), b"\x11" * 200))

    assert error.kind == "corrupt"


def test_fewer_packed_pixels_than_the_header_says_are_cut_short():
    """A strip that inflates to half of what it should hold."""
    packed = zlib.compress(GRAY_CODES[:2].tobytes())

    error = refusal(tiff_file(GRAY, packed, t259=(SHORT, [8])))

    assert error.kind == "truncated"
    assert "fewer pixels than its header says" in error.what


@pytest.mark.parametrize("order", ["<", ">"])
def test_iptc_is_the_same_bytes_whatever_numbers_it_is_written_as(order):
    """Photoshop writes it as LONG: the numbers' bytes in the order of the file."""
    iptc = b"\x1c\x02\x05\0\x04Name\0\0\0"
    longs = list(struct.unpack(f"{order}3I", iptc))
    for value in ((BYTE, list(iptc)), (UNDEFINED, list(iptc)), (LONG, longs)):
        data = tiff_file(GRAY, GRAY_CODES.tobytes(), order, t33723=value)

        assert read_picture(data).iptc == iptc


def test_xmp_is_read_as_bytes_or_as_text_and_left_out_where_it_is_neither():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    for kind in (BYTE, UNDEFINED, ASCII):
        assert read_picture(gray(t700=(kind, list(xmp)))).xmp == xmp
    assert read_picture(gray(t700=(SHORT, [1000, 2000]))).xmp == b""

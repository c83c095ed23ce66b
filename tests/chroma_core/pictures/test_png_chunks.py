"""PNG by its chunks (ISO/IEC 15948): needed ones must be right, others may be left out."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.png import png_chunk
from chroma_core.pictures.read import read_picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CODES = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
IHDR = struct.pack(">IIBBBBB", 6, 4, 8, 0, 0, 0, 0)
ROWS = b"".join(b"\0" + row.tobytes() for row in CODES)
XMP = b"XML:com.adobe.xmp\0"
PACKET = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def png(
    *between: bytes, header: bytes = IHDR, rows: bytes = ROWS, end: bytes | None = None
) -> bytes:
    """Return a PNG with chunks between its header and its pixels."""
    last = png_chunk(b"IEND", b"") if end is None else end
    parts = [png_chunk(b"IHDR", header), *between, png_chunk(b"IDAT", zlib.compress(rows)), last]
    return SIGNATURE + b"".join(parts)


def wrong(name: bytes, body: bytes) -> bytes:
    """Return a chunk whose checksum is wrong."""
    chunk = png_chunk(name, body)
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


def refusal(data: bytes, **options: object) -> PictureError:
    """Return the error that reading a file ends with."""
    with pytest.raises(PictureError) as caught:
        read_picture(data, **options)
    return caught.value


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (SIGNATURE + png_chunk(b"gAMA", b"1234") + png()[8:], "corrupt", "no header follows"),
        (png(b"\xff\xff\xff\xffgAMA1234"), "corrupt", "impossible length or name"),
        (png(png_chunk(b"g4MA", b"1")), "corrupt", "impossible length or name"),
        (png(wrong(b"PLTE", b"123")), "corrupt", "checksum of PLTE at byte 33 is wrong"),
        (png(png_chunk(b"CgBI", b"1234")), "corrupt", "chunk CgBI that no standard knows"),
        (png(png_chunk(b"IHDR", IHDR)), "corrupt", "its header is damaged (IHDR)"),
        (png(header=IHDR[:-1]), "corrupt", "its header is damaged (IHDR)"),
        (png(header=IHDR[:8] + bytes([4, 2, 0, 0, 0])), "corrupt", "colour type 2 with 4 bits"),
        (png(header=IHDR[:8] + bytes([8, 0, 1, 0, 0])), "corrupt", "colour type 0 with 8 bits"),
        (png(header=IHDR[:8] + bytes([8, 0, 0, 0, 2])), "corrupt", "colour type 0 with 8 bits"),
        (SIGNATURE + png_chunk(b"IHDR", IHDR) + png_chunk(b"IEND", b""), "truncated", "no IDAT"),
        (SIGNATURE + png_chunk(b"IHDR", IHDR)[:-2], "truncated", "23 of 25 bytes of IHDR"),
        (png(png_chunk(b"IDAT", b""))[:-14], "truncated", "bytes of IDAT"),
        (png(end=b""), "truncated", "without IEND"),
        (png(b"\x7f\xff\xff\xffaaAa1234"), "corrupt", "a chunk of 2,147,483,647 bytes"),
        (png(b"\0\0\xff\xffaaAa1234"), "truncated", "there are no pixels in it"),
        (png(rows=ROWS[:-9]), "truncated", "fewer pixels than its header says"),
        (png(rows=b"\x07" + ROWS[1:]), "corrupt", "its pixels are damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_chunk_that_cannot_be_true_is_named(data, kind, words):
    error = refusal(data)

    assert error.kind == kind
    assert words in error.what


def test_a_chunk_that_may_be_missing_is_left_out_where_its_checksum_is_wrong():
    """Written so that its content would change the picture: the resolution is not believed."""
    metres = struct.pack(">IIB", 11811, 11811, 1)
    right = read_picture(png(png_chunk(b"pHYs", metres)))
    spoilt = read_picture(png(wrong(b"pHYs", metres)))

    assert right.dpi == pytest.approx((300, 300), abs=0.01)
    assert spoilt.dpi is None
    assert spoilt.warnings == ("pHYs is left out, its checksum is wrong",)
    np.testing.assert_array_equal(spoilt.pixels, CODES)


@pytest.mark.parametrize("cut", [1, 4])
def test_where_only_the_end_mark_is_cut_nothing_is_lost(cut):
    picture = read_picture(png()[:-cut])

    np.testing.assert_array_equal(picture.pixels, CODES)
    assert picture.warnings == ("the last bytes of the file are missing",)


@pytest.mark.parametrize(
    ("body", "dpi"),
    [
        (struct.pack(">IIB", 3937, 7874, 1), (100.0, 200.0)),
        (struct.pack(">IIB", 3937, 7874, 0), None),
        (struct.pack(">IIB", 0, 7874, 1), None),
        (struct.pack(">II", 3937, 7874), None),
    ],
)
def test_resolution_counts_only_in_metres(body, dpi):
    picture = read_picture(png(png_chunk(b"pHYs", body)))

    assert picture.dpi == (None if dpi is None else pytest.approx(dpi, abs=0.01))


@pytest.mark.parametrize(
    ("body", "xmp"),
    [
        (XMP + b"\0\0" + b"\0\0" + PACKET, PACKET),
        (XMP + b"\0\0" + b"en\0Deutsch\0" + PACKET, PACKET),
        (XMP + b"\1\0" + b"\0\0" + zlib.compress(PACKET), PACKET),
        (XMP + b"\1\0" + b"\0\0" + b"not deflated", b""),
        (XMP[:-1], b""),
        (XMP[:-1] + b"x\0\0\0\0" + PACKET, b""),
        (b"Comment\0\0\0\0\0words", b""),
    ],
)
def test_xmp_is_text_as_it_stands_or_deflated(body, xmp):
    picture = read_picture(png(png_chunk(b"iTXt", body)))

    assert picture.xmp == xmp
    warned = "its XMP is damaged or too large, and is left out" in picture.warnings
    assert warned == (b"not deflated" in body)


def test_metadata_larger_than_allowed_are_left_out_with_a_word():
    limits = Limits(max_metadata=100)
    exif = b"II*\0\x08\0\0\0" + bytes(200)
    data = png(
        png_chunk(b"eXIf", exif),
        png_chunk(b"iTXt", XMP + b"\1\0\0\0" + zlib.compress(b"x" * 5000)),
        png_chunk(b"iCCP", b"name\0\0" + zlib.compress(b"y" * 5000)),
    )

    picture = read_picture(data, limits=limits)

    assert (picture.exif, picture.xmp, picture.icc_note) == (b"", b"", "")
    assert set(picture.warnings) == {
        "eXIf is left out, it is larger than allowed",
        "its XMP is damaged or too large, and is left out",
        "its colour profile is damaged or too large, and is ignored",
    }


def test_exif_may_begin_as_in_a_jpeg():
    tiff = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\3\0\0\0"
    for block in (tiff, b"Exif\0\0" + tiff):
        picture = read_picture(png(png_chunk(b"eXIf", block)))

        np.testing.assert_array_equal(picture.pixels, CODES[::-1, ::-1])
        assert picture.exif[:4] == b"II*\0"


def test_a_word_of_srgb_stands_above_a_profile():
    linear = png_chunk(b"iCCP", b"name\0\0" + zlib.compress(b"rubbish" * 50))

    said = read_picture(png(png_chunk(b"sRGB", b"\0"), linear))
    unsaid = read_picture(png(linear))

    assert said.warnings == ()
    assert unsaid.warnings == ("its colour profile is damaged, and is ignored",)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_brought_to_full_scale(bits):
    top = (1 << bits) - 1
    codes = np.arange(24).reshape(4, 6) % (top + 1)
    stream = b""
    for row in codes:
        word = "".join(f"{code:0{bits}b}" for code in row)
        word += "0" * (-len(word) % 8)
        stream += b"\0" + int(word, 2).to_bytes(len(word) // 8, "big")
    header = IHDR[:8] + bytes([bits, 0, 0, 0, 0])

    picture = read_picture(png(header=header, rows=stream))

    np.testing.assert_array_equal(picture.pixels, codes * 255 // top)


def test_gray_with_alpha_palettes_and_interlace_are_read_as_pillow_reads_them():
    gray = Image.fromarray(CODES)
    files = {}
    for name, image, options in (
        ("LA", Image.merge("LA", [gray, gray.transpose(1)]), {}),
        ("P", gray.quantize(5), {}),
        ("transparent P", gray.quantize(5), {"transparency": 2}),
        ("transparent L", gray, {"transparency": 50}),
        ("transparent RGB", gray.convert("RGB"), {"transparency": (50, 50, 50)}),
    ):
        stream = io.BytesIO()
        image.save(stream, "PNG", **options)
        files[name] = stream.getvalue()
    for name, data in files.items():
        with Image.open(io.BytesIO(data)) as image:
            wanted = np.asarray(image.convert("RGBA"))

        picture = read_picture(data)

        shown = np.repeat(picture.pixels[..., None], 3, -1) if picture.is_gray else picture.pixels
        np.testing.assert_array_equal(shown, wanted[..., :3], err_msg=name)
        if name == "P":
            assert picture.alpha is None
        else:
            np.testing.assert_array_equal(picture.alpha, wanted[..., 3], err_msg=name)


def test_interlaced_pixels_are_put_in_their_places():
    """Adam7: seven pictures, each of every 8th, 4th or 2nd pixel."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    stream = b""
    for top, left, down, across in [*passes, (1, 0, 2, 1)]:
        part = CODES[top::down, left::across]
        if part.size:
            stream += b"".join(b"\0" + row.tobytes() for row in part)

    picture = read_picture(png(header=IHDR[:-1] + b"\1", rows=stream))

    np.testing.assert_array_equal(picture.pixels, CODES)

"""Texts of a PNG and comments of a JPEG come out as they went in, or a warning says that not."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from chroma_core.pictures.carried import left_out
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.png_chunks import png_chunk
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.verify import compare_pictures
from chroma_core.pictures.write import write_picture

GRAY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
XMP = b"XML:com.adobe.xmp\0\0\0\0\0<rdf:RDF></rdf:RDF>"


def png(*chunks):
    """Return a PNG with chunks behind its header."""
    stream = io.BytesIO()
    Image.fromarray(GRAY).save(stream, "PNG")
    whole = stream.getvalue()
    return b"".join([whole[:33], *chunks, whole[33:]])


def jpeg(*comments):
    """Return a JPEG with comments in front."""
    stream = io.BytesIO()
    Image.fromarray(GRAY).save(stream, "JPEG")
    segments = [b"\xff\xfe" + struct.pack(">H", 2 + len(text)) + text for text in comments]
    return b"".join([stream.getvalue()[:2], *segments, stream.getvalue()[2:]])


def text_of(path):
    with Image.open(path) as image:
        image.load()
        return dict(image.text)


@pytest.mark.parametrize("guarded", [False, True])
def test_texts_of_a_png_are_read_alike_by_others_before_and_after(tmp_path, guarded):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Anna, 1931")
    info.add_text("Comment", "packed " * 30, zip=True)
    info.add_itxt("Author", "Zoë Łoś", lang="pl", tkey="Autor")
    info.add_itxt("Source", "ślad " * 30, zip=True)
    source = tmp_path / "in.png"
    Image.fromarray(GRAY).save(source, pnginfo=info)

    picture = read_picture(source, guarded=guarded)
    result = write_picture(picture, tmp_path / "out.png", note="{}")

    assert picture.warnings == ()
    told = text_of(result)
    assert told.pop("XML:com.adobe.xmp")
    assert told == text_of(source)
    assert read_picture(result).texts == picture.texts


def test_comments_of_a_jpeg_come_out_byte_by_byte(tmp_path):
    comments = (b"taken by Anna", b"\xff\xfe\0odd bytes", b"")

    picture = read_picture(jpeg(*comments))
    again = read_picture(write_picture(picture, tmp_path / "a.jpg"))

    assert picture.texts == again.texts == tuple(("COM", comment) for comment in comments)
    assert (tmp_path / "a.jpg").read_bytes().count(b"\xff\xfe\0\x0ftaken by Anna") == 1


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 5000)),
        png_chunk(b"zTXt", b"Comment\0\0rubbish"),
        png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"x" * 5000)),
        png_chunk(b"iTXt", b"Comment\0\1\0en"),
        png_chunk(b"tEXt", b"Comment\0" + b"x" * 5000),
        png_chunk(b"tEXt", b"Comment"),
        png_chunk(b"tEXt", b"\0text"),
        png_chunk(b"tEXt", b"x" * 80 + b"\0text"),
        png_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n  6\n457869660000\n"),
        png_chunk(b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(b"00")),
    ],
)
def test_what_is_damaged_too_large_or_contradicts_the_result_is_left_out(chunk):
    """A bomb would be handed on; ImageMagick's profiles hold an orientation."""
    good = png_chunk(b"tEXt", b"Title\0Anna")

    picture = read_picture(png(chunk, good), limits=Limits(max_metadata=1000))

    assert picture.texts == (("tEXt", b"Title\0Anna"),)
    assert len(picture.warnings) == 1
    assert "is left out" in picture.warnings[0]


def test_texts_together_have_one_limit():
    title = png_chunk(b"tEXt", b"Title\0" + b"x" * 594)

    picture = read_picture(png(title, title), limits=Limits(max_metadata=1000))

    assert len(picture.texts) == 1
    assert "too large" in picture.warnings[0]
    many = read_picture(png(*[png_chunk(b"tEXt", b"T\0")] * 1001))
    assert len(many.texts) == 1000
    assert len(read_picture(jpeg(*[b"c"] * 101)).texts) == 100
    assert read_picture(jpeg(b"c" * 900, b"d" * 900), limits=Limits(max_metadata=1000)).texts == (
        ("COM", b"c" * 900),
    )


def test_xmp_is_no_text_of_these():
    picture = read_picture(png(png_chunk(b"iTXt", XMP), png_chunk(b"iTXt", XMP)))

    assert picture.texts == ()
    assert picture.xmp == b"<rdf:RDF></rdf:RDF>"


def test_extended_xmp_of_a_jpeg_is_said_to_be_left_out():
    data = jpeg()
    part = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + b"<more/>"
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(part)) + part

    picture = read_picture(data[:2] + segment + segment + data[2:])

    assert picture.warnings == ("its XMP beyond 64 KiB (ExtendedXMP) is left out",)


@pytest.mark.parametrize(("name", "own"), [("tEXt", "png"), ("COM", "jpeg")])
def test_other_formats_are_said_to_hold_none(name, own):
    picture = Picture(pixels=GRAY, texts=((name, b"Title\0Anna"),))

    assert left_out(picture, own) == ()
    for other in {"png", "jpeg", "tiff", "webp", "bmp"} - {own}:
        (told,) = left_out(picture, other)
        assert f"{other} holds none" in told


def test_lost_texts_are_verified():
    before = Picture(pixels=GRAY, format="png", texts=(("tEXt", b"a\0b"), ("tEXt", b"c\0d")))
    after = replace(before, texts=before.texts[:1])

    assert compare_pictures(before, before).kept
    (lost,) = (check for check in compare_pictures(before, after).checks if not check.kept)
    assert (lost.name, lost.story) == ("texts", "1 of 2 texts or comments kept")

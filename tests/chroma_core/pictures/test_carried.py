"""What a format cannot hold of a picture's metadata is told, and the rest is there."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.pictures.carried import left_out, room
from chroma_core.pictures.ifd import Value, build_exif
from chroma_core.pictures.names import FORMATS
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

GRAY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
EXIF = build_exif("<", {315: Value(2, 5, b"Anna\0")}, {}, {})
BLOCKS = {"exif": EXIF, "xmp": b"<rdf:RDF></rdf:RDF>", "iptc": b"\x1c\x02\x78\0\4text"}


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_not_told_to_be_left_out_is_in_the_file(tmp_path, format):
    picture = Picture(pixels=GRAY, dpi=(300.0, 300.0), **BLOCKS)

    told = " ".join(left_out(picture, format))
    written = read_picture(write_picture(picture, tmp_path / f"a{FORMATS[format][0]}"))

    there = {
        # A TIFF has the resolution in the same directory.
        "EXIF": b"Anna\0" in written.exif,
        "XMP": written.xmp == BLOCKS["xmp"],
        "IPTC": written.iptc.rstrip(b"\0") == BLOCKS["iptc"],
    }
    assert there == {name: f"its {name} is left out" not in told for name in there}


def exif_of(size):
    """Return EXIF of exactly so many bytes, for even sizes."""
    text = size - len(build_exif("<", {270: Value(2, 6, b"x" * 6)}, {}, {})) + 6
    return build_exif("<", {270: Value(2, text, b"x" * text)}, {}, {})


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("more", [0, 2])
def test_a_jpeg_holds_as_much_as_one_segment_does(tmp_path, name, more):
    size = room("jpeg", name) // 2 * 2 + more
    block = exif_of(size) if name == "exif" else b"x" * size
    assert len(block) == size
    picture = Picture(pixels=GRAY, **{name: block})

    written = read_picture(write_picture(picture, tmp_path / "a.jpg"))

    assert getattr(written, name) == (b"" if more else block)
    told = f"its {name.upper()} is left out, jpeg holds {room('jpeg', name):,} bytes of it"
    assert left_out(picture, "jpeg") == ((told,) if more else ())


def test_a_resolution_that_a_ppm_does_not_hold_is_told():
    told = ("its resolution is left out, ppm holds none",)
    assert left_out(Picture(pixels=GRAY, dpi=(300.0, 300.0)), "ppm") == told
    assert left_out(Picture(pixels=GRAY), "ppm") == ()

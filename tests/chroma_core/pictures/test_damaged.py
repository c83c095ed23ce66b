"""Damaged and hostile files: a picture or a PictureError, never anything else."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_core.errors import PictureError
from chroma_core.pictures import avif, bmp, gif, jpeg, pillow, png, tiff, webp
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_picture

LIMITS = Limits(max_pixels=200_000, max_side=4000, max_memory=1 << 24)


def read_or_refuse(data: bytes) -> Picture | PictureError:
    """Return what the reader gives or raises; anything else is a fault."""
    try:
        picture = read_picture(data, limits=LIMITS)
    except PictureError as error:
        refusal = error
    else:
        refusal = None
    if refusal is not None:
        assert refusal.what
        assert "\n" not in str(refusal)
        return refusal
    assert picture.pixels.dtype in (np.uint8, np.uint16)
    assert picture.width * picture.height <= LIMITS.max_pixels
    return picture


@settings(max_examples=300)
@given(data=st.data())
def test_law_any_change_of_bytes_gives_a_picture_or_an_error(data, good_files):
    name = data.draw(st.sampled_from(sorted(good_files)))
    damaged = bytearray(good_files[name])
    places = st.integers(0, min(len(damaged), 400) - 1) | st.integers(0, len(damaged) - 1)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(places)] = data.draw(st.integers(0, 255))

    read_or_refuse(bytes(damaged))


@settings(max_examples=200)
@given(data=st.data())
def test_law_a_cut_file_is_never_a_whole_picture_by_silence(data, good_files):
    name = data.draw(st.sampled_from(sorted(good_files)))
    whole = good_files[name]
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]

    got = read_or_refuse(cut)

    if isinstance(got, Picture):
        # What is missing may lie behind the pixels: an end mark, an index. Then nothing is lost.
        np.testing.assert_array_equal(got.pixels, read_picture(whole).pixels)


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"II*\0"]))
def test_law_rubbish_is_refused(rubbish, start):
    assert isinstance(read_or_refuse(start + rubbish), PictureError)


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a PNG chunk."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_file(width: int, height: int, raw: bytes, depth: int = 8, kind: int = 0) -> bytes:
    """Return a PNG with whatever pixel data."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (png_file(4, 4, b"\0\1\2\3\4" * 4), None),
        (png_file(4, 16, b"\0\1\2\3\4" * 4), "truncated"),
        (png_file(4, 4, b"\0\1\2\3\4" * 3), "truncated"),
        (png_file(4, 4, b"\x09\1\2\3\4" * 4), "corrupt"),
        (png_file(0, 4, b"\0" * 4), "corrupt"),
        (png_file(4, 4, b"\0\1\2\3\4" * 4, kind=5), "corrupt"),
        (png_file(50_000, 50_000, b"\0" * 100), "too-large"),
    ],
)
def test_png_headers_that_lie(data, kind):
    got = read_or_refuse(data)

    assert (got.kind if isinstance(got, PictureError) else None) == kind


@pytest.mark.parametrize("name", ["jpeg-gray", "jpeg-rgb", "jpeg-progressive"])
def test_a_jpeg_taller_than_its_pixels_is_cut_short(name, good_files):
    data = bytearray(good_files[name])
    marker = b"\xff\xc2" if name == "jpeg-progressive" else b"\xff\xc0"
    at = data.index(marker)
    data[at + 5 : at + 7] = struct.pack(">H", 96)

    got = read_or_refuse(bytes(data))

    assert isinstance(got, PictureError)
    assert got.kind == "truncated"


def test_a_jpeg_of_too_many_scans_is_refused_before_decoding(good_files, monkeypatch):
    data = good_files["jpeg-progressive"]
    at = data.rindex(b"\xff\xda")
    scan = data[at:-2]

    with pytest.raises(PictureError, match="scans"):
        read_picture(data[:-2] + scan * 200 + b"\xff\xd9")


def test_limit_is_checked_before_decode(good_files, monkeypatch):
    import imagecodecs
    import simplejpeg
    import tifffile

    def never(*args, **kwargs):
        raise AssertionError("a decoder was called")

    for module in (webp, gif, bmp, avif):
        monkeypatch.setattr(module, "decode_with_pillow", never)
    monkeypatch.setattr(imagecodecs, "png_decode", never)
    monkeypatch.setattr(simplejpeg, "decode_jpeg", never)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", never)
    assert pillow
    assert png
    assert jpeg
    assert tiff
    for data in good_files.values():
        with pytest.raises(PictureError) as caught:
            read_picture(data, limits=Limits(max_pixels=24 * 32 - 1))
        assert caught.value.kind == "too-large"
        with pytest.raises(PictureError, match="side"):
            read_picture(data, limits=Limits(max_side=31))


def test_pillow_is_strict_whatever_others_made_it(good_files, monkeypatch):
    from PIL import ImageFile

    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    cut = good_files["bmp"][:-40]
    # A length that agrees with the cut, so that only the decoder can notice.
    data = cut[:2] + struct.pack("<I", len(cut)) + cut[6:]

    assert isinstance(read_or_refuse(data), PictureError)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


NO_PICTURES = [
    (b"", "empty", "empty"),
    (b"<!DOCTYPE html><html>404", "not-a-picture", "HTML"),
    (b"%PDF-1.7", "not-a-picture", "PDF"),
    (b"PK\x03\x04....", "not-a-picture", "ZIP"),
    (b"<svg xmlns='x'>", "not-a-picture", "SVG"),
    (b"just words\n", "not-a-picture", "text"),
    (b"\0" * 100, "not-a-picture", "zeros"),
    (b"\0\0\0\x18ftypisom\0\0\0\0", "not-a-picture", "video"),
    (b"%!PS-Adobe-3.0 EPSF-3.0", "unsupported", "EPS"),
    (b"SIMPLE  =                    T", "unsupported", "FITS"),
]


@pytest.mark.parametrize(("data", "kind", "words"), NO_PICTURES)
def test_what_is_no_picture_is_named(data, kind, words):
    with pytest.raises(PictureError, match=words) as caught:
        read_picture(data)

    assert caught.value.kind == kind
    assert caught.value.exit_status == 65


def test_no_program_is_started_for_any_file(tmp_path, good_files):
    """Pillow alone would start Ghostscript for an EPS. Python tells of every program it starts."""
    odd = [data for data, _, _ in NO_PICTURES]
    odd.append(b"push graphic-context\nimage over 0,0 0,0 'https://x/;touch pwned'\n")
    for number, data in enumerate([*odd, *good_files.values()]):
        (tmp_path / f"{number}.jpg").write_bytes(data)
    program = (
        "import os, sys\n"
        "from chroma_core.errors import PictureError\n"
        "from chroma_core.pictures.read import read_picture\n"
        "starts = ('subprocess', 'os.system', 'os.exec', 'os.fork', 'os.posix_spawn', 'os.spawn')\n"
        "started = []\n"
        "def watch(event, arguments):\n"
        "    if event.startswith((*starts, 'socket')):\n"
        "        started.append((event, arguments))\n"
        "sys.addaudithook(watch)\n"
        "read = 0\n"
        "for name in sorted(os.listdir()):\n"
        "    try:\n"
        "        read += read_picture(name).width > 0\n"
        "    except PictureError:\n"
        "        pass\n"
        "print(read, started)\n"
        "os.system('true')\n"
        "print(len(started))\n"
    )

    ended = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )

    # The last line shows that the watch would have seen it.
    assert ended.stdout.splitlines() == [f"{len(good_files)} []", "1"]


def test_what_is_no_regular_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    for name, words in {
        "missing.jpg": "no such file",
        "pipe.jpg": "named pipe",
        "dangling.jpg": "leads to no file",
        "loop.jpg": "leads to no file",
        "zero.jpg": "device",
        ".": "folder",
        "a\0b.jpg": "null",
    }.items():
        with pytest.raises(PictureError, match=words) as caught:
            read_picture(tmp_path / name)
        assert caught.value.kind == "no-input"
        assert caught.value.exit_status == 66
        assert caught.value.path == str(tmp_path / name)


def test_a_sparse_file_is_not_read_whole(tmp_path):
    path = tmp_path / "sparse.png"
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + b"\0" * 5000)
        file.truncate(64 << 30)

    with pytest.raises(PictureError, match="68,719,476,736") as caught:
        read_picture(path)

    assert caught.value.kind == "too-large"


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, good_files, monkeypatch):
    path = tmp_path / "growing.png"
    path.write_bytes(good_files["png-rgb16"])
    real = os.read

    def read_and_grow(descriptor: int, count: int) -> bytes:
        with open(path, "ab") as file:
            file.write(b"more")
        return real(descriptor, count)

    monkeypatch.setattr(os, "read", read_and_grow)

    with pytest.raises(PictureError, match="changed while"):
        read_picture(path)


@pytest.mark.shared
def test_corpus_of_bad_pictures(shared_data: Path):
    import csv

    folder = shared_data / "badimages"
    wrong = []
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["make"] != "copy":
                continue
            try:
                picture = read_picture(folder / "files" / row["name"])
                got = "ok"
                size = f"{picture.width}x{picture.height}"
                if row["size"] not in ("", size):
                    wrong.append((row["name"], size))
            except PictureError:
                got = "error"
            if row["outcome"] != "ok-or-error" and not row["outcome"].startswith(got):
                wrong.append((row["name"], got))

    assert wrong == []

"""Where bytes come from, and what is said where they do not come."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures.inspect import inspect_file
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.signature import identify
from chroma_core.pictures.source import read_bytes

PGM = b"P5\n2 2\n255\n1234"


@pytest.mark.parametrize(
    ("number", "kind", "status", "hint"),
    [
        (errno.EACCES, "no-input", 66, "ask its owner"),
        (errno.EPERM, "no-input", 66, "ask its owner"),
        (errno.EIO, "io", 74, "look at the disk"),
        (errno.ENOENT, "no-input", 66, "a slip in the name"),
    ],
)
def test_what_the_system_says_decides_the_exit_status(
    number, kind, status, hint, tmp_path, monkeypatch
):
    path = tmp_path / "a.pgm"
    path.write_bytes(PGM)

    def refuse(*args: object, **kwargs: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(PictureError) as caught:
            read_bytes(path)

    assert (caught.value.kind, caught.value.exit_status) == (kind, status)
    assert hint in caught.value.hint
    assert caught.value.path == str(path)


def test_a_stream_that_fails_is_an_error_of_reading():
    class Broken:
        def read(self, count: int = -1) -> bytes:
            raise OSError(errno.EIO, "the cable is out")

    with pytest.raises(PictureError, match="the cable is out") as caught:
        read_picture(Broken())

    assert caught.value.kind == "io"


def test_bytes_and_streams_have_the_limit_of_files(tmp_path):
    path = tmp_path / "a.pgm"
    path.write_bytes(PGM)
    exact, less = Limits(max_bytes=len(PGM)), Limits(max_bytes=len(PGM) - 1)
    for source in (PGM, bytearray(PGM), path):
        assert read_picture(source, limits=exact).width == 2
        with pytest.raises(PictureError, match=f"more than {len(PGM) - 1}") as caught:
            read_picture(source, limits=less)
        assert caught.value.kind == "too-large"
    with pytest.raises(PictureError, match=f"more than {len(PGM) - 1}"):
        read_picture(io.BytesIO(PGM), limits=less)


def test_a_raw_file_in_boxes_is_named():
    with pytest.raises(PictureError, match="Canon RAW") as caught:
        identify(b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom")

    assert caught.value.kind == "unsupported"


def test_a_sidecar_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(PictureError, match="no such file") as caught:
        inspect_file(tmp_path / "photo.png.chroma.json")

    assert caught.value.kind == "no-input"

"""``chroma run`` finds out whether a picture waits in standard input, and speaks on stderr."""

from __future__ import annotations

import io
import json
import os
import socket

import numpy as np
import pytest

from chroma_core.batch.color import Coloring, color_stream
from chroma_core.cli.program import run_program
from chroma_core.errors import PictureError
from chroma_core.pictures.inspect import inspect_file
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

PLAIN = ("--features", "none", "--regressor", "none")


@pytest.fixture
def sepia(tmp_path, gray):
    """Return a file of a toned print, about which there is something to say."""
    tone = np.stack([40 + gray * 0.8, 25 + gray * 0.8, 10 + gray * 0.7], axis=-1)
    return write_picture(tone.astype(np.uint8), tmp_path / "sepia.png")


@pytest.fixture
def waiting(monkeypatch, tmp_path):
    """Return a function that puts bytes into a pipe, file or socket and makes that stdin."""
    opened = []

    def wait(kind, data):
        if kind == "pipe":
            reading, writing = os.pipe()
            os.write(writing, data)
            os.close(writing)
        elif kind == "socket":
            here, there = socket.socketpair()
            there.sendall(data)
            there.close()
            reading = here.detach()
        elif kind == "file":
            (tmp_path / "stdin").write_bytes(data)
            reading = os.open(tmp_path / "stdin", os.O_RDONLY)
        else:
            reading = os.open(os.devnull, os.O_RDONLY)
        stdin = io.TextIOWrapper(open(reading, "rb"))  # noqa: SIM115  # closed by the fixture
        opened.append(stdin)
        monkeypatch.setattr("sys.stdin", stdin)

    yield wait
    for stdin in opened:
        stdin.close()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes")
@pytest.mark.parametrize("kind", ["pipe", "file", "socket"])
def test_a_picture_that_waits_in_standard_input_is_coloured(chroma, photo, tmp_path, waiting, kind):
    small = read_picture(photo).pixels[:20, :30]
    data = write_picture(small, tmp_path / "small.png").read_bytes()
    waiting(kind, data)

    outcome = chroma("run", "-o", tmp_path / "out.png", *PLAIN)

    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    assert read_picture(tmp_path / "out.png").pixels.shape == (20, 30, 3)


@pytest.fixture
def demo(monkeypatch, tmp_path, gray):
    """Let one small picture stand for the demo's, in an empty folder."""
    picture = write_picture(gray, tmp_path / "gray-street.jpg")
    monkeypatch.setattr("chroma_core.demo.demo_photographs", lambda: [picture])
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("kind", ["pipe", "file", "nothing"])
def test_where_nothing_waits_the_demo_is_coloured(chroma, waiting, kind):
    waiting(kind, b"")

    outcome = chroma("run", *PLAIN)

    assert outcome.status == 0
    assert "no picture named: colouring the demo photographs" in outcome.out
    assert os.path.exists("chroma-demo/gray-street.sheet.png")


@pytest.mark.usefixtures("demo")
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes")
def test_a_pipe_that_stays_silent_is_not_waited_for(chroma, monkeypatch):
    """As under a scheduler, which leaves standard input open and writes nothing."""
    reading, writing = os.pipe()
    with open(writing, "wb"), io.TextIOWrapper(open(reading, "rb")) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)

        outcome = chroma("run", *PLAIN)

    assert outcome.status == 0
    assert os.path.exists("chroma-demo/gray-street.sheet.png")


def test_what_is_to_be_said_of_a_file_goes_to_stderr_and_the_picture_to_stdout(sepia, capsysbinary):
    status = run_program(["run", str(sepia), "-o", "-", *PLAIN])

    out, err = capsysbinary.readouterr()
    assert status == 0
    assert err.startswith(f"chroma: warning: {sepia}: ".encode())
    assert b"the tint is replaced" in err
    assert read_picture(out).pixels.shape == (90, 120, 3)


def test_metadata_that_a_piped_result_cannot_hold_are_told(chroma, gray, tmp_path, waiting):
    scan = write_picture(Picture(pixels=gray, iptc=b"\x1c\x02\x78\0\4text"), tmp_path / "scan.tif")
    waiting("file", scan.read_bytes())

    outcome = chroma("run", "-", "-o", tmp_path / "out.ppm", *PLAIN)

    said = "its IPTC is left out, ppm holds none of it"
    assert outcome.err == f"chroma: warning: standard input: {said}\n"


def test_what_is_to_be_said_of_a_piped_picture_names_standard_input(
    chroma, sepia, tmp_path, waiting
):
    waiting("file", sepia.read_bytes())

    outcome = chroma("run", "-", "-o", tmp_path / "out.png", *PLAIN)

    assert outcome.status == 0
    assert outcome.err.startswith("chroma: warning: standard input: ")
    assert "the tint is replaced" in outcome.err


def test_a_piped_picture_may_have_a_sidecar(chroma, refused, photo, tmp_path, waiting):
    import hashlib

    data = photo.read_bytes()
    waiting("file", data)

    outcome = chroma("run", "-", "-o", tmp_path / "out.png", "--sidecar", *PLAIN)

    assert outcome.status == 0, outcome.err
    told = json.loads((tmp_path / "out.png.chroma.json").read_text())["input"]
    assert (told["name"], told["bytes"]) == (None, len(data))
    assert told["sha256"] == hashlib.sha256(data).hexdigest()
    assert inspect_file(tmp_path / "out.png").unchanged
    # The next picture of that name must not lose what is told of this one.
    (tmp_path / "out.png").unlink()
    waiting("file", data)
    refused(chroma("run", "-", "-o", tmp_path / "out.png", "--sidecar", *PLAIN), 73, "chroma.json")
    assert not (tmp_path / "out.png").exists()


def test_a_file_coloured_as_a_stream_is_named_in_its_sidecar(photo, tmp_path):
    coloring = Coloring(features="none", regressor="none", sidecar=True)

    color_stream(coloring, photo, tmp_path / "out.png")

    told = json.loads((tmp_path / "out.png.chroma.json").read_text())["input"]
    assert (told["name"], told["bytes"]) == (photo.name, photo.stat().st_size)
    with pytest.raises(PictureError, match="there already"):
        color_stream(coloring, photo, tmp_path / "out.png")


def test_a_single_result_beside_its_picture_is_not_made_twice(chroma, refused, photo):
    assert chroma("run", photo, *PLAIN).status == 0
    result = photo.with_name("photo.color.png")
    before = result.stat().st_mtime_ns

    refused(chroma("run", photo, *PLAIN), 73, str(result), "there already")

    assert result.stat().st_mtime_ns == before


def test_a_single_result_newer_than_its_picture_is_left_by_overwrite_older(
    chroma, refused, photo, tmp_path
):
    out = tmp_path / "out.png"
    arguments = ("run", photo, "-o", out, "--overwrite", "older", *PLAIN)
    assert chroma(*arguments).status == 0

    refused(chroma(*arguments), 73, "there already")

    os.utime(out, (1, 1))
    assert chroma(*arguments).status == 0
    assert out.stat().st_mtime > 1

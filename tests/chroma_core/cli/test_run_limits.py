"""``chroma run``: names that collide, what a result keeps of its file, and limits as options."""

from __future__ import annotations

import os
import stat

import pytest

from chroma_core.batch import color
from chroma_core.pictures.write import write_picture

PLAIN = ("--features", "none", "--regressor", "none")


def test_inputs_that_differ_by_extension_alone_may_keep_it(chroma, gray, tmp_path, refused):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "a.jpg"):
        write_picture(gray, tmp_path / "in" / name)
    options = (tmp_path / "in", "-o", tmp_path / "out", "--format", "png", *PLAIN)
    refused(chroma("run", *options), 73, "one output", "--collisions keep-extension")

    outcome = chroma("run", *options, "--collisions", "keep-extension")

    assert outcome.status == 0
    assert {p.name for p in (tmp_path / "out").glob("*.png")} == {"a.jpg.png", "a.png.png"}


@pytest.mark.parametrize("workers", [1, 2])
def test_mode_and_times_may_be_preserved(chroma, photo, gray, tmp_path, workers):
    write_picture(gray, photo.with_name("other.png"))
    photo.chmod(0o640)
    os.utime(photo, ns=(10**18, 10**18 + 123_456_000))
    options = (photo.parent, "--workers", workers, *PLAIN)

    chroma("run", *options, "-o", tmp_path / "kept", "--preserve")
    chroma("run", *options, "-o", tmp_path / "new")

    kept, new = (os.stat(tmp_path / folder / "photo.png") for folder in ("kept", "new"))
    assert stat.S_IMODE(kept.st_mode) == 0o640
    assert kept.st_mtime_ns == 10**18 + 123_456_000
    assert new.st_mtime_ns > 10**18 + 123_456_000
    assert os.stat(photo).st_mtime_ns == 10**18 + 123_456_000


def test_a_program_that_runs_as_another_is_not_made(chroma, photo, tmp_path):
    photo.chmod(0o4755)

    chroma("run", photo, "-o", tmp_path / "o.png", "--preserve", *PLAIN)

    assert stat.S_IMODE(os.stat(tmp_path / "o.png").st_mode) == 0o755


def test_names_are_flushed_after_every_picture_when_asked(chroma, photo, tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(color, "sync_folder", flushed.append)

    chroma("run", photo, "-o", tmp_path / "a.png", *PLAIN)
    assert flushed == []
    chroma("run", photo, "-o", tmp_path / "b.png", "--sync", *PLAIN)
    assert flushed == [tmp_path]


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [("--max-pixels", "10k", "--max-pixels"), ("--max-bytes", "1Ki", "--max-bytes")],
)
def test_a_picture_beyond_a_limit_is_refused(chroma, photo, tmp_path, option, value, hint, refused):
    outcome = chroma("run", photo, "-o", tmp_path / "o.png", option, value, *PLAIN)

    refused(outcome, 65, hint)
    assert not (tmp_path / "o.png").exists()


def test_an_option_goes_before_the_environment(chroma, photo, tmp_path, monkeypatch):
    monkeypatch.setenv("CHROMA_MAX_PIXELS", "100")

    assert chroma("run", photo, "-o", tmp_path / "o.png", *PLAIN).status == 65
    raised = ("--max-pixels", "1M", *PLAIN)
    assert chroma("run", photo, "-o", tmp_path / "o.png", *raised).status == 0


@pytest.mark.parametrize("value", ["many", "0", "-3", ""])
def test_a_limit_that_is_no_number_is_wrong_use(chroma, photo, tmp_path, value, refused):
    outcome = chroma("run", photo, "-o", tmp_path / "o.png", f"--max-pixels={value}", *PLAIN)

    refused(outcome, 2, "--max-pixels")


def test_a_picture_that_takes_too_long_is_stopped(chroma, photo, tmp_path, refused):
    """A tenth of a second is not enough to start the process that would colour it."""
    outcome = chroma("run", photo, "-o", tmp_path / "o.png", "--timeout", "0.1", *PLAIN)

    refused(outcome, 75, "--timeout")
    assert not (tmp_path / "o.png").exists()


def test_a_picture_with_time_enough_is_the_same(chroma, photo, tiny_model, tmp_path):
    options = ("--model", tiny_model)
    chroma("run", photo, "-o", tmp_path / "a.png", *options)

    outcome = chroma("run", photo, "-o", tmp_path / "b.png", "--timeout", "300", *options)

    assert outcome.status == 0, outcome.err
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()

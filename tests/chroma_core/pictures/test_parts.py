"""Files in the making: what nobody writes any more goes, what somebody writes stays."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures import parts
from chroma_core.pictures.atomic import write_bytes_atomically, writing_atomically
from chroma_core.pictures.parts import PART_SUFFIX, make_part, remove_leftovers

fcntl = pytest.importorskip("fcntl", reason="needs the locks of POSIX")

LEFT = f".0123456789abcdef{PART_SUFFIX}"


def without_locks(monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_what_another_process_writes_stays_until_that_is_dead(tmp_path):
    script = (
        "import sys\n"
        "from chroma_core.pictures.atomic import writing_atomically\n"
        "with writing_atomically(sys.argv[1]):\n"
        "    print('writing', flush=True)\n"
        "    input()\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "a")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    writer.stdout.readline()

    assert remove_leftovers(tmp_path) == 0
    writer.kill()
    writer.communicate()
    assert remove_leftovers(tmp_path) == 1
    assert os.listdir(tmp_path) == []


def test_the_lock_holds_until_the_file_has_its_name(tmp_path):
    def another_run_begins(part):
        assert remove_leftovers(tmp_path) == 0

    path = write_bytes_atomically(tmp_path / "a", b"whole", verify=another_run_begins)

    assert path.read_bytes() == b"whole"


def test_only_regular_files_of_our_pattern_are_removed(tmp_path):
    kept = [f".abc{PART_SUFFIX}", LEFT[1:], f"{LEFT}.txt", LEFT.upper(), "photo.png"]
    for name in (*kept, LEFT):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "original").write_bytes(b"precious")
    odd = {"1": os.mkdir, "2": os.mkfifo}
    for digit, make in odd.items():
        make(tmp_path / LEFT.replace("0", digit))
    (tmp_path / LEFT.replace("0", "3")).symlink_to(tmp_path / "original")
    before = set(os.listdir(tmp_path))

    assert remove_leftovers(tmp_path) == 1

    assert set(os.listdir(tmp_path)) == before - {LEFT}
    assert (tmp_path / "original").read_bytes() == b"precious"


def test_a_file_that_was_taken_for_a_leftover_before_its_lock_is_made_again(tmp_path, monkeypatch):
    real = fcntl.flock
    seen = []

    def flock(descriptor, how):
        seen.append(descriptor)
        if len(seen) == 1:
            (early,) = tmp_path.iterdir()
            early.unlink()
        return real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)

    assert write_bytes_atomically(tmp_path / "a", b"whole").read_bytes() == b"whole"
    assert len(seen) == 2
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_where_every_file_is_removed_at_once_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_is_named", lambda path, descriptor: False)

    with (
        pytest.raises(PictureError, match="others remove files"),
        writing_atomically(tmp_path / "a"),
    ):
        pass


def test_without_locks_only_what_is_older_than_a_day_is_a_leftover(tmp_path, monkeypatch):
    without_locks(monkeypatch)
    part = make_part(tmp_path)
    os.close(part.descriptor)

    assert part.lock is None
    assert remove_leftovers(tmp_path) == 0
    os.utime(part.path, (0, 0))
    assert remove_leftovers(tmp_path) == 1
    assert write_bytes_atomically(tmp_path / "a", b"whole").read_bytes() == b"whole"


def test_a_folder_that_cannot_be_looked_into_has_no_leftovers(tmp_path):
    assert remove_leftovers(tmp_path / "none") == 0

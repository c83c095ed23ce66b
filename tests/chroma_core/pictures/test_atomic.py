"""A file is whole or not there, whatever goes wrong, and nothing is written over unasked."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys

import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures import atomic
from chroma_core.pictures.atomic import write_bytes_atomically
from chroma_core.pictures.parts import PART_SUFFIX, remove_leftovers

OPERATIONS = ("open", "write", "fsync", "link", "replace", "close")


def test_nothing_is_written_over_unasked(tmp_path):
    path = write_bytes_atomically(tmp_path / "a", b"first")

    with pytest.raises(PictureError) as caught:
        write_bytes_atomically(path, b"second")

    assert (caught.value.kind, caught.value.exit_status) == ("exists", 73)
    assert path.read_bytes() == b"first"
    assert write_bytes_atomically(path, b"second", "always").read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["a"]


def test_a_name_taken_meanwhile_is_not_written_over(tmp_path):
    path = tmp_path / "a"

    with pytest.raises(PictureError, match="there already"):
        write_bytes_atomically(path, b"ours", verify=lambda part: path.write_bytes(b"theirs"))

    assert path.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["a"]


def test_a_link_is_replaced_not_followed(tmp_path):
    original = tmp_path / "original"
    original.write_bytes(b"precious")
    link = tmp_path / "link"
    link.symlink_to(original)

    with pytest.raises(PictureError):
        write_bytes_atomically(link, b"new")
    write_bytes_atomically(link, b"new", "always")

    assert original.read_bytes() == b"precious"
    assert not link.is_symlink()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("overwrite", ["never", "always"])
def test_every_operation_may_fail(operation, number, overwrite, tmp_path, monkeypatch):
    old = tmp_path / "a"
    if overwrite == "always":
        old.write_bytes(b"old")
    before = os.listdir(tmp_path)
    real, calls = getattr(os, operation), []

    def fail(*args, **kwargs):
        calls.append(args)
        if operation == "close":
            real(*args, **kwargs)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, operation, fail)
    error = None
    try:
        write_bytes_atomically(old, b"new" * 1000, overwrite)
    except PictureError as caught:
        error = caught
    monkeypatch.undo()

    if not calls:
        assert old.read_bytes() == b"new" * 1000
        return
    assert error is not None
    assert error.exit_status == (73 if number == errno.EROFS else 74)
    assert os.listdir(tmp_path) == before
    if before:
        assert old.read_bytes() == b"old"


@pytest.mark.parametrize("damage", [b"", b"shorter", b"X" + b"0123456789" * 1000])
def test_a_disk_that_does_not_hold_what_was_written_is_an_error(damage, tmp_path, monkeypatch):
    real = os.fsync

    def fsync(descriptor):
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, damage, 0)
        real(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fsync)

    with pytest.raises(PictureError, match="not what is there") as caught:
        write_bytes_atomically(tmp_path / "a", b"0123456789" * 1000)

    assert caught.value.exit_status == 74
    assert os.listdir(tmp_path) == []


def test_bytes_are_on_the_disk_before_they_have_a_name(tmp_path, monkeypatch):
    done = []
    for name in ("write", "fsync", "close", "link", "replace"):
        real = getattr(os, name)

        def noted(*args, _name=name, _real=real, **kwargs):
            done.append(_name)
            return _real(*args, **kwargs)

        monkeypatch.setattr(atomic.os, name, noted)

    write_bytes_atomically(tmp_path / "a", b"new")
    first, done[:] = [*done], []
    write_bytes_atomically(tmp_path / "a", b"newer", "always")

    # The last is the lock's.
    assert first == ["write", "fsync", "close", "link", "close"]
    assert done == ["write", "fsync", "close", "replace", "close"]


def test_short_writes_are_gone_on_with(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(atomic.os, "write", lambda fd, data: real(fd, bytes(data[:7])))

    path = write_bytes_atomically(tmp_path / "a", b"0123456789" * 10)

    monkeypatch.undo()
    assert path.read_bytes() == b"0123456789" * 10


def test_file_systems_without_links_are_served(tmp_path, monkeypatch):
    def no_links(*args, **kwargs):
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(atomic.os, "link", no_links)

    assert write_bytes_atomically(tmp_path / "a", b"data").read_bytes() == b"data"
    with pytest.raises(PictureError, match="there already"):
        write_bytes_atomically(tmp_path / "a", b"other")
    assert os.listdir(tmp_path) == ["a"]


def test_new_files_have_the_usual_mode(tmp_path):
    before = os.umask(0o027)
    try:
        path = write_bytes_atomically(tmp_path / "a", b"")
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_killed_process_leaves_no_half_file(tmp_path):
    script = (
        "import os, signal, sys\n"
        "from chroma_core.pictures.atomic import write_bytes_atomically\n"
        "die = lambda part: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_bytes_atomically(sys.argv[1], b'x' * 100, verify=die)\n"
    )

    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a")], check=False)

    assert ended.returncode == -9
    assert [name.endswith(PART_SUFFIX) for name in os.listdir(tmp_path)] == [True]
    assert remove_leftovers(tmp_path) == 1
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PictureError, match="cannot be written") as caught:
        write_bytes_atomically(tmp_path / "none" / "a", b"")

    assert caught.value.exit_status == 73

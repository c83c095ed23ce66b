"""The journal of a folder: read with suspicion, kept where it can be, missed where it cannot."""

from __future__ import annotations

import builtins
import errno
import json
import os
from pathlib import Path

import pytest

from chroma_core.batch import journal as journal_module
from chroma_core.batch.journal import JOURNAL_NAME, journal_folder, open_journal
from chroma_core.batch.plan import Job
from chroma_core.errors import PictureError


@pytest.fixture
def job(tmp_path):
    """Return a job whose result is there."""
    (tmp_path / "out").mkdir()
    (tmp_path / "a.png").write_bytes(b"gray")
    (tmp_path / "out" / "a.png").write_bytes(b"colour")
    return Job(input=tmp_path / "a.png", output=tmp_path / "out" / "a.png", exists=True)


def lines(folder):
    return [json.loads(line) for line in (folder / JOURNAL_NAME).read_text().splitlines()]


@pytest.mark.parametrize(
    "line", ["[]", '"text"', "7", "null", "{", "", "\ufeff{}", '{"output": 3}']
)
def test_a_line_that_is_no_record_is_passed_over(job, line):
    folder = job.output.parent
    with open_journal(folder, "text") as journal:
        journal.record(job, "ok", {})
    with (folder / JOURNAL_NAME).open("a", encoding="utf-8") as file:
        file.write(line + "\n")

    with open_journal(folder, "text") as journal:
        assert journal.remark(job) == ""
    with open_journal(folder, "other") as journal:
        assert "other settings" in journal.remark(job)


def test_a_picture_that_is_gone_is_no_changed_picture(job):
    folder = job.output.parent
    with open_journal(folder, "text") as journal:
        journal.record(job, "ok", {})
    job.input.unlink()

    with open_journal(folder, "text") as journal:
        assert journal.remark(job) == ""


def test_a_result_that_is_gone_again_has_no_digest(job):
    folder = job.output.parent
    job.output.unlink()

    with open_journal(folder, "text") as journal:
        journal.record(job, "ok", {"seconds": 1})

    line = lines(folder)[-1]
    assert (line["output"], line["status"], line["seconds"]) == ("a.png", "ok", 1)
    assert "sha256" not in line


def test_a_journal_that_cannot_be_written_ends_the_run(job, monkeypatch):
    def full(descriptor, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with open_journal(job.output.parent, "text") as journal:
        monkeypatch.setattr(journal_module.os, "write", full)

        with pytest.raises(PictureError, match=JOURNAL_NAME) as caught:
            journal.record(job, "ok", {})
    assert caught.value.exit_status == 74


def test_a_share_that_knows_no_locks_can_be_worked_in(job, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def unknown(descriptor, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unknown)

    with open_journal(job.output.parent, "text"):
        assert lines(job.output.parent) == [{"begun": os.getpid()}]


def test_a_system_without_such_locks_keeps_a_journal_all_the_same(job, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "fcntl":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)

    with open_journal(job.output.parent, "text"):
        assert lines(job.output.parent) == [{"begun": os.getpid()}]


def test_results_on_several_drives_have_no_folder_of_their_own(monkeypatch):
    jobs = [Job(input=Path("in", name), output=Path("out", name)) for name in ("a", "b")]
    assert journal_folder(jobs) == Path("out").absolute()

    def apart(paths):
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr(journal_module.os.path, "commonpath", apart)

    assert journal_folder(jobs) is None

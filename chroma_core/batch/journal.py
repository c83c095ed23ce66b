"""What was done in a folder, line by line, so that the next run can tell.

A line is appended in one write and flushed to the disk. A torn last line, which a power cut may
leave, is ignored. The file is locked while a run works in its folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chroma_core.batch.plan import Job
from chroma_core.errors import PictureError
from chroma_core.pictures.atomic import sync_folder, write_error
from chroma_core.pictures.parts import remove_leftovers

__all__ = ["JOURNAL_NAME", "Journal", "already_made", "journal_folder", "open_journal"]

JOURNAL_NAME = ".chroma-journal.jsonl"


class Journal:
    """An open journal.

    Parameters
    ----------
    folder : Path
        Where the results lie.
    descriptor : int
        Of the journal, open for reading and appending.
    settings : str
        Digest of how pictures are made in this run.
    """

    def __init__(self, folder: Path, descriptor: int, settings: str) -> None:
        self.folder = folder
        self.settings = settings
        self._descriptor = descriptor
        self._known: dict[str, dict[str, Any]] = {}
        self._tidied = {os.path.abspath(folder)}
        for line in _lines(descriptor):
            if isinstance(line.get("output"), str):
                self._known[line["output"]] = line

    def record(self, job: Job, status: str, facts: Mapping[str, Any]) -> None:
        """Append what became of a job."""
        self._tidy(job)
        line: dict[str, Any] = {
            "output": self._name(job),
            "input": str(job.input),
            "status": status,
            "settings": self.settings,
            **_identity(job.input, "input_"),
            **facts,
        }
        if status == "ok" and "sha256" not in facts and (digest := _sha256(job.output)):
            line["sha256"] = digest
        self._append(line)
        self._known[line["output"]] = line

    def begin(self) -> None:
        """Append who works here."""
        self._append({"begun": os.getpid()})

    def remark(self, job: Job) -> str:
        """Return why a result that is there may not be what this run would make, or nothing."""
        self._tidy(job)
        line = self._known.get(self._name(job))
        if line is None or line.get("status") != "ok":
            return ""
        if line.get("settings") != self.settings:
            return "the result that is there was made with other settings, and is left as it is"
        now = _identity(job.input, "input_")
        if any(line.get(key, value) != value for key, value in now.items()):
            return "the picture changed since its result was made, which is left as it is"
        return ""

    def _tidy(self, job: Job) -> None:
        """Remove what a killed run left in a job's folder, when that is first met."""
        folder = os.path.abspath(job.output.parent)
        if folder not in self._tidied:
            self._tidied.add(folder)
            remove_leftovers(folder)

    def _name(self, job: Job) -> str:
        return os.path.relpath(job.output, self.folder)

    def _append(self, line: Mapping[str, Any]) -> None:
        # ASCII: names may hold bytes that are no UTF-8.
        data = json.dumps(line, ensure_ascii=True).encode() + b"\n"
        try:
            os.write(self._descriptor, data)
            os.fsync(self._descriptor)
        except OSError as error:
            raise write_error(error, self.folder / JOURNAL_NAME) from error


def journal_folder(jobs: Sequence[Job]) -> Path | None:
    """Return the folder that a plan's results have for themselves; None if they lie by inputs."""
    if len(jobs) < 2:
        return None
    outputs = {os.path.abspath(job.output.parent) for job in jobs}
    inputs = {os.path.abspath(job.input.parent) for job in jobs}
    if outputs & inputs:
        return None
    try:
        return Path(os.path.commonpath(outputs))
    except ValueError:
        return None


@contextmanager
def open_journal(folder: Path, settings: str) -> Iterator[Journal]:
    """Open and lock the journal of a folder; make the folder if need be.

    Parameters
    ----------
    folder : Path
        Where results go.
    settings : str
        Text of how pictures are made; only its digest is kept.

    Raises
    ------
    PictureError
        If another run works there (exit status 75), or the folder cannot be written to.
    """
    path = folder / JOURNAL_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        raise write_error(error, path) from error
    try:
        _lock(descriptor, folder)
        remove_leftovers(folder)
        journal = Journal(folder, descriptor, _digest(settings))
        journal.begin()
        yield journal
        sync_folder(folder)
    finally:
        os.close(descriptor)


def already_made(job: Job, settings: str) -> bool:
    """Return whether the journal beside a result says that it is what this run would make.

    Parameters
    ----------
    job : Job
        One picture, and its result that is there.
    settings : str
        Text of how pictures are made.
    """
    try:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(job.output.parent / JOURNAL_NAME, flags)
    except OSError:
        return False
    try:
        lines = [line for line in _lines(descriptor) if line.get("output") == job.output.name]
    finally:
        os.close(descriptor)
    now = {"status": "ok", "settings": _digest(settings), **_identity(job.input, "input_")}
    now["sha256"] = _sha256(job.output)
    return bool(lines) and all(lines[-1].get(key) == value for key, value in now.items())


def _digest(settings: str) -> str:
    """Return a short digest of text."""
    return hashlib.sha256(settings.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file; nothing where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _lock(descriptor: int, folder: Path) -> None:
    """Lock a journal, or say who has it."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        begun = [line["begun"] for line in _lines(descriptor) if "begun" in line]
        who = f" (process {begun[-1]})" if begun else ""
        raise PictureError(
            f"another run works in this folder{who}",
            kind="timeout",
            path=str(folder),
            hint="wait until it is done",
        ) from error
    except OSError:
        # Some network shares know no locks; names made once only still keep files whole.
        return


def _lines(descriptor: int) -> list[dict[str, Any]]:
    """Return the lines of a journal; those that are torn are left out."""
    data = b""
    with contextlib.suppress(OSError):
        os.lseek(descriptor, 0, os.SEEK_SET)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read()
    lines = []
    for text in data.split(b"\n"):
        with contextlib.suppress(ValueError):
            line = json.loads(text)
            if isinstance(line, dict):
                lines.append(line)
    return lines


def _identity(path: Path, prefix: str) -> dict[str, int]:
    """Return size and time of a file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return {}
    return {f"{prefix}size": status.st_size, f"{prefix}mtime_ns": status.st_mtime_ns}

"""A shard is read as a whole by another process, with bounds on time and memory, before this one.

The bounds of `chroma_core.training.shards` hold what a shard's footer claims. What its pages are
like shows when they are unpacked: one of a few kilobytes may claim, and be, two gigabytes. So that
this costs an error and not the machine's memory, ``python -m chroma_core.training.shard_check``
unpacks every page once, and only then the shard is read here.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chroma_core.errors import TrainingError
from chroma_core.guarded import Answer, GuardedProcess, Stopped, serve
from chroma_core.memory import memory_limit
from chroma_core.training.manifest import MANIFEST, Manifest
from chroma_core.training.shards import ShardReader

__all__ = ["check_shard"]

BASE_BYTES = 512 * 2**20
"""Resident bytes of a process that has loaded pyarrow and unpacks small pages: 150 MiB, and room
for the rest."""

COPIES = 8
"""How often the largest picture, and the manifest, may lie in its memory."""

SECONDS = 60.0
BYTES_A_SECOND = 10 * 2**20
"""A shard may take `SECONDS`, and a second for so many of its bytes; usual are a hundred times as
many."""

_LOCK = threading.Lock()
_processes: list[GuardedProcess] = []


def check_shard(folder: Path, manifest: Manifest, number: int, *, verify: bool) -> None:
    """Let another process read a shard, and return if it is what the manifest says.

    Parameters
    ----------
    folder : Path
        Of the shards.
    manifest : Manifest
        The folder's.
    number : int
        Which shard.
    verify : bool
        Whether its SHA-256 is compared as well.

    Raises
    ------
    TrainingError
        If the shard is damaged, or reading it takes too much time or memory.
    """
    record = manifest.shards[number]
    path = str(folder / record.file)
    largest = max(picture.rows for picture in record.pictures) * manifest.settings.row_bytes
    question = {
        "folder": os.path.abspath(folder),
        "number": number,
        "sha256": record.sha256,
        "verify": verify,
    }
    with _LOCK:
        try:
            size = os.stat(folder / MANIFEST).st_size
            bounds = {
                "seconds": SECONDS + record.bytes / BYTES_A_SECOND,
                "memory": min(memory_limit(1), BASE_BYTES + COPIES * (largest + size)),
            }
            _ask(question, bounds)
        except OSError as error:
            raise TrainingError(
                f"cannot be read: {error.strerror or type(error).__name__}", path=path
            ) from error
        except Stopped as stopped:
            hint = "extract anew"
            if stopped.kind == "memory":
                hint += ", or raise CHROMA_WORKER_MEMORY if it is set"
            raise TrainingError(
                f"the shard is damaged: reading it {stopped}", hint=hint, path=path
            ) from stopped


def _ask(question: Mapping[str, Any], bounds: Mapping[str, Any]) -> None:
    """Ask the process, and a new one where it may hold too much of shards before."""
    used = any(process.alive for process in _processes)
    try:
        _current().ask(question, **bounds)
    except Stopped as stopped:
        if stopped.kind != "memory" or not used:
            raise
        _current().ask(question, **bounds)


def _current() -> GuardedProcess:
    """Return the process that checks, a new one if there is none or it was ended."""
    while _processes:
        if _processes[-1].alive:
            return _processes[-1]
        _processes.pop().close()
    _processes.append(GuardedProcess("chroma_core.training.shard_check"))
    return _processes[-1]


@atexit.register
def _close() -> None:
    """End the process with this one."""
    while _processes:
        _processes.pop().close()


class _Checks:
    """What the other process does; it keeps the manifest that it read last."""

    def __init__(self) -> None:
        self._manifest: Manifest | None = None
        self._known: tuple[Any, ...] = ()

    def __call__(self, question: Mapping[str, Any], payload: bytes) -> Answer:
        folder, number = Path(question["folder"]), question["number"]
        facts = os.stat(folder / MANIFEST)
        known = (folder, facts.st_ino, facts.st_mtime_ns, facts.st_size)
        if self._manifest is None or known != self._known:
            self._manifest, self._known = Manifest.load(folder), known
        shards = self._manifest.shards
        if number >= len(shards) or shards[number].sha256 != question["sha256"]:
            raise TrainingError("the manifest has changed meanwhile", path=str(folder))
        record = shards[number]
        reader = ShardReader(
            folder / record.file,
            record,
            self._manifest.settings,
            sum(len(shard.pictures) for shard in shards[:number]),
            verify=question["verify"],
        )
        for group in range(len(record.pictures)):
            reader.read([group])
        return {}, ()


if __name__ == "__main__":
    serve(_Checks())

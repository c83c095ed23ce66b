"""Files in the making: hidden, locked while somebody writes them, cleared away when nobody does.

A process that is killed leaves its file behind. Its lock goes with it, so the next process can tell
what is left over from what another is writing at this moment, in the same folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["PART_SUFFIX", "Part", "make_part", "remove_leftovers"]

PART_SUFFIX = ".chroma-part"
"""How hidden names of files in the making end."""

_NAME = re.compile(rf"\.[0-9a-f]{{16}}{re.escape(PART_SUFFIX)}")
_TRIES = 20

_DAY = 24 * 60 * 60
"""Seconds after which nobody writes a file any more, where the file system knows no locks."""

Lock = Literal["ours", "taken", "unknown"]


@dataclass(frozen=True)
class Part:
    """A file that is being made.

    Attributes
    ----------
    path : Path
        Its hidden name.
    descriptor : int
        Open for writing; to be closed by the caller.
    lock : int or None
        Holds the lock also after the other was closed; None where files cannot be locked.
    """

    path: Path
    descriptor: int
    lock: int | None

    def release(self) -> None:
        """Give the lock back."""
        if self.lock is not None:
            with contextlib.suppress(OSError):
                os.close(self.lock)


def make_part(folder: Path) -> Part:
    """Make an empty file under a hidden name, and lock it.

    Raises
    ------
    OSError
        If the system does not let us.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    for _ in range(_TRIES):
        path = folder / f".{secrets.token_hex(8)}{PART_SUFFIX}"
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666)
        lock = _lock(descriptor)
        if lock == "unknown":
            return Part(path, descriptor, None)
        # Between the two calls it had no lock, and looked like a leftover.
        if lock == "ours" and _is_named(path, descriptor):
            return Part(path, descriptor, os.dup(descriptor))
        os.close(descriptor)
    raise OSError(errno.EAGAIN, "others remove files that are being made")


def remove_leftovers(folder: str | os.PathLike[str]) -> int:
    """Remove files in the making that nobody makes any more; return how many.

    Files that are locked are left alone; where the file system knows no locks, all that changed
    within a day.

    Parameters
    ----------
    folder : path
        Where to look; folders within it are left alone.
    """
    removed = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        names = [entry.name for entry in entries if _NAME.fullmatch(entry.name)]
        removed = sum(_remove_if_left(os.path.join(folder, name)) for name in names)
    return removed


def _remove_if_left(path: str) -> bool:
    """Remove a file in the making if nobody makes it; return whether it was removed."""
    flags = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        lock = _lock(descriptor)
        left = lock == "ours" or (lock == "unknown" and time.time() - status.st_mtime > _DAY)
        if not (left and stat.S_ISREG(status.st_mode) and _is_named(path, descriptor)):
            return False
        os.unlink(path)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _lock(descriptor: int) -> Lock:
    """Lock a file for as long as it is open, and say whether that is so."""
    try:
        import fcntl
    except ImportError:
        return "unknown"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "taken"
    except OSError:
        return "unknown"
    return "ours"


def _is_named(path: str | Path, descriptor: int) -> bool:
    """Return whether a name still stands for the file that is open."""
    try:
        named = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    opened = os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)

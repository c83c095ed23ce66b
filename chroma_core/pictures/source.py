"""Bytes of a file, read once and safely: regular files only, bounded, and not while they change."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.signature import identify

__all__ = ["picture_format", "read_bytes"]

_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


_PNM = re.compile(rb"P[1-6Ff]\s+(#[^\n]*\n\s*)*\d+\s+\d+\s|P7\nWIDTH ")


def picture_format(path: str | os.PathLike[str]) -> str | None:
    """Return which format a regular file begins like; None for all that is no picture.

    Stricter than `identify`, for files that nothing else says to be pictures: text may begin with
    ``P1``.

    Parameters
    ----------
    path : path
        A file of any kind; it is never waited for.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            head = os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
        found = identify(head)
    except (OSError, ValueError):
        return None
    surely = {"jpeg": head.startswith(b"\xff\xd8\xff"), "pnm": bool(_PNM.match(head))}
    return found if surely.get(found, True) else None


def read_bytes(path: str | os.PathLike[str], limits: Limits | None = None) -> bytes:
    """Return what a file holds, once its first bytes are those of a picture.

    Parameters
    ----------
    path : path
        A regular file, or a link to one.
    limits : Limits, optional
        `Limits.max_bytes` is looked at before anything is read; that of the environment by default.

    Raises
    ------
    PictureError
        ``no-input``, ``too-large``, ``io``, or what `identify` says of the first bytes.
    """
    name = os.fspath(path)
    limits = Limits.from_environment() if limits is None else limits
    try:
        _check_kind(os.stat(name).st_mode)
        # A pipe may take the file's place in between: not blocking, and looked at once more.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(name, flags | getattr(os, "O_BINARY", 0))
        try:
            before = os.fstat(descriptor)
            _check_kind(before.st_mode)
            return _read(descriptor, before, limits)
        finally:
            os.close(descriptor)
    except PictureError as error:
        error.path = str(path)
        raise
    except ValueError as error:
        raise PictureError(
            "the name cannot be a file's: it holds a null character",
            kind="no-input",
            path=str(path),
        ) from error
    except OSError as error:
        raise _open_error(error, path) from error


def _read(descriptor: int, before: os.stat_result, limits: Limits) -> bytes:
    """Read a regular file that is open; its size may not change meanwhile."""
    head = os.read(descriptor, 4096)
    identify(head, before.st_size)
    if before.st_size > limits.max_bytes:
        raise PictureError(
            f"the file has {before.st_size:,} bytes, more than {limits.max_bytes:,}",
            kind="too-large",
            hint="--max-bytes, or CHROMA_MAX_BYTES",
        )
    pieces, got = [head], len(head)
    while got <= before.st_size:
        piece = os.read(descriptor, min(1 << 26, before.st_size - got + 1))
        if not piece:
            break
        pieces.append(piece)
        got += len(piece)
    after = os.fstat(descriptor)
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if got != before.st_size or not same:
        raise PictureError(
            "the file changed while it was read",
            kind="io",
            hint="try again when it is written to the end",
        )
    return b"".join(pieces)


def _check_kind(mode: int) -> None:
    """Refuse what is no regular file."""
    for test, what in _KINDS:
        if test(mode):
            raise PictureError(
                f"this is {what}, not a picture file", kind="no-input", hint="name a picture file"
            )


def _open_error(error: OSError, path: str | os.PathLike[str]) -> PictureError:
    """Return what the system says of a file that cannot be read as one of our errors."""
    name = str(path)
    if error.errno in _MISSING:
        if Path(path).is_symlink():
            what, hint = "the link leads to no file", "name the picture that it should lead to"
        else:
            what, hint = "there is no such file", "look for a slip in the name"
        return PictureError(what, kind="no-input", path=name, hint=hint)
    why = error.strerror or type(error).__name__
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "ask its owner for the right to read it"
        return PictureError(f"cannot be read: {why}", kind="no-input", path=name, hint=hint)
    return PictureError(
        f"cannot be read: {why}", kind="io", path=name, hint="try again, or look at the disk"
    )

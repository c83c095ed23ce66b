"""Files that are whole or not there.

A file is written under a hidden name in its own folder, flushed to the disk, and only then given
its name: by ``link``, which fails if the name is taken, or by ``replace``. So a name never stands
for half a file, also after the process is killed, and nothing is written over unasked.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from chroma_core.errors import PictureError
from chroma_core.pictures.parts import make_part

__all__ = [
    "FULL_HINT",
    "Overwrite",
    "preserve_mode_and_times",
    "refuse_existing",
    "sync_folder",
    "write_all",
    "write_bytes_atomically",
    "write_error",
    "writing_atomically",
]

Overwrite = Literal["never", "always"]
"""Whether a file that exists may be replaced."""

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
_NOT_ALLOWED = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
_FULL = {errno.ENOSPC, errno.EDQUOT}

_ENDS = 4096
"""Bytes at the beginning and at the end of a file that are read again once it is written."""

FULL_HINT = "free some space; what is finished stays, and the same command goes on from there"
"""Hint of the error of a full disk, by which a batch knows that it need not go on."""


def write_bytes_atomically(
    path: str | os.PathLike[str],
    data: bytes | bytearray | memoryview,
    overwrite: Overwrite = "never",
    *,
    verify: Callable[[Path], None] | None = None,
) -> Path:
    """Write a file whole or not at all; see `writing_atomically`.

    Parameters
    ----------
    path : path
        Name of the file. A symbolic link of that name is replaced, never followed.
    data : bytes
        What the file shall hold.
    overwrite : {"never", "always"}, optional
        Whether a file of that name may be replaced.
    verify : callable, optional
        Called with the hidden file before it gets its name; what it raises stops the writing.

    Raises
    ------
    PictureError
        ``exists`` if there is such a file, ``io`` if the disk is full or fails, and ``io`` with
        exit status 73 where the folder may not be written to.
    """

    def check(part: Path) -> None:
        _compare_ends(part, memoryview(data))
        if verify is not None:
            verify(part)

    with writing_atomically(path, overwrite, verify=check) as descriptor:
        write_all(descriptor, data)
    return Path(path)


@contextlib.contextmanager
def writing_atomically(
    path: str | os.PathLike[str],
    overwrite: Overwrite = "never",
    *,
    verify: Callable[[Path], None] | None = None,
) -> Iterator[int]:
    """Give a file to write to that gets its name at the end, and is gone after any error.

    Parameters
    ----------
    path, overwrite, verify
        See `write_bytes_atomically`.

    Yields
    ------
    int
        Descriptor of the file, see `write_all`.

    Raises
    ------
    PictureError
        See `write_bytes_atomically`.
    """
    target = Path(path)
    if overwrite == "never":
        refuse_existing(target)
    part = None
    try:
        part = make_part(target.parent)
        try:
            yield part.descriptor
            os.fsync(part.descriptor)
        finally:
            os.close(part.descriptor)
        if verify is not None:
            verify(part.path)
        _give_name(part.path, target, overwrite)
    except OSError as error:
        if isinstance(error, PictureError):
            raise
        raise write_error(error, target) from error
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                os.unlink(part.path)
            part.release()


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of some bytes where a file stands; the system may take them in parts."""
    view = memoryview(data).cast("B") if len(data) else memoryview(b"")
    done = 0
    while done < len(view):
        done += os.write(descriptor, view[done : done + (1 << 26)])


def _compare_ends(part: Path, data: memoryview) -> None:
    """Raise OSError unless a file has the size of the data, and begins and ends as they do."""
    with open(part, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        first = file.read(min(_ENDS, len(data)))
        file.seek(max(0, len(data) - _ENDS))
        last = file.read(_ENDS)
    if size != len(data) or first != data[:_ENDS] or last != data[max(0, len(data) - _ENDS) :]:
        raise OSError(errno.EIO, "what was written is not what is there")


def refuse_existing(path: Path) -> None:
    """Raise PictureError ``exists`` if there is a file, or a link, of this name."""
    if os.path.lexists(path):
        raise PictureError(
            "the output is there already",
            kind="exists",
            path=str(path),
            hint="choose another name, or --overwrite always",
        )


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Flush a folder's names to the disk, where the system can."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def preserve_mode_and_times(
    original: str | os.PathLike[str], result: str | os.PathLike[str]
) -> None:
    """Give a result the mode (rights) of its original, and when that was read and changed.

    Raises
    ------
    PictureError
        ``io`` if the system does not allow it; the result stays.
    """
    try:
        status = os.stat(original)
        # Not the bits that let a file run as somebody else.
        os.chmod(result, stat.S_IMODE(status.st_mode) & 0o777)
        os.utime(result, ns=(status.st_atime_ns, status.st_mtime_ns))
    except OSError as error:
        raise write_error(error, Path(result)) from error


def write_error(error: OSError, path: Path) -> PictureError:
    """Return what the system says of a failed writing as one of our errors."""
    why = error.strerror or type(error).__name__
    if error.errno in _FULL:
        return PictureError(f"cannot be written: {why}", kind="io", path=str(path), hint=FULL_HINT)
    if error.errno in _NOT_ALLOWED:
        hint = "name a folder that exists and that you may write to"
        return PictureError(
            f"cannot be written: {why}", kind="io", path=str(path), hint=hint, exit_status=73
        )
    return PictureError(f"cannot be written: {why}", kind="io", path=str(path), hint="try again")


def _give_name(part: Path, target: Path, overwrite: Overwrite) -> None:
    """Let the finished file be known by its name."""
    if overwrite == "always":
        os.replace(part, target)
        return
    try:
        os.link(part, target, follow_symlinks=False)
    except FileExistsError:
        refuse_existing(target)
        raise
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LINKS:
            raise
        # FAT and some network shares have no hard links: a look, then a rename, is all they give.
        refuse_existing(target)
        os.replace(part, target)

"""What results are called."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import Path

from chroma_core.errors import PictureError

__all__ = [
    "FORMATS",
    "PICTURE_SUFFIXES",
    "RESULT_SUFFIX",
    "comparable_name",
    "format_of_suffix",
    "is_earlier_result",
    "output_format",
    "output_path",
]

RESULT_SUFFIX = ".color"
"""Stands between stem and extension of a result that lies beside its input."""

FORMATS: dict[str, tuple[str, ...]] = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "tiff": (".tif", ".tiff"),
    "webp": (".webp",),
    "avif": (".avif",),
    "bmp": (".bmp", ".dib"),
    "ppm": (".ppm", ".pnm"),
}
"""Formats that can be written, with their file name extensions, the usual one first."""

_READ_ONLY = (
    ".gif",
    ".apng",
    ".pgm",
    ".pbm",
    ".pam",
    ".pfm",
    ".ico",
    ".jp2",
    ".heic",
    ".heif",
    ".hif",
)

PICTURE_SUFFIXES = frozenset(
    suffix for suffixes in (*FORMATS.values(), _READ_ONLY) for suffix in suffixes
)
"""Extensions that a scan of a folder looks for, in lower case."""

_FORMAT_OF_SUFFIX = {suffix: name for name, suffixes in FORMATS.items() for suffix in suffixes}

_WRITTEN_AS = {"gif": "png", "pnm": "ppm", "ico": "png", "jp2": "png"}
"""Formats whose results are written in another: a palette of 256 colours, gray only, or rare."""

_LONGEST = 255
"""Bytes of a file name on the usual file systems."""


def format_of_suffix(path: str | os.PathLike[str]) -> str | None:
    """Return the format that a name's extension asks for, or None."""
    return _FORMAT_OF_SUFFIX.get(Path(path).suffix.lower())


def output_format(read_as: str) -> str:
    """Return the format that a result is written in when its input was of this one."""
    return _WRITTEN_AS.get(read_as, read_as if read_as in FORMATS else "png")


def is_earlier_result(path: str | os.PathLike[str], suffix: str = RESULT_SUFFIX) -> bool:
    """Return whether a name is that of a result beside its input (``photo.color.jpg``)."""
    return bool(suffix) and Path(Path(path).stem).suffix.lower() == suffix.lower()


def comparable_name(name: str) -> str:
    """Return a name such that two that some file system takes for one are equal.

    Case is folded and Unicode composed; dots and blanks at the end go (Windows drops them).
    """
    folded = unicodedata.normalize("NFC", name).casefold()
    return unicodedata.normalize("NFC", folded).rstrip(". ") or name


def output_path(
    input: str | os.PathLike[str],
    folder: str | os.PathLike[str] | None = None,
    suffix: str = RESULT_SUFFIX,
    format: str | None = None,
    *,
    below: str | os.PathLike[str] = "",
) -> Path:
    """Return where the result of one picture goes.

    Parameters
    ----------
    input : path
        The picture.
    folder : path, optional
        Folder for the results: the name stays. Without one the result lies beside its input, with
        `suffix` in its name: ``photo.jpg`` gives ``photo.color.jpg``.
    suffix : str, optional
        What stands before the extension of a result beside its input.
    format : str, optional
        One of `FORMATS`; without it the input's own, as its extension tells.
    below : path, optional
        Folders between `folder` and the result, relative, as a recursive scan finds them.

    Raises
    ------
    PictureError
        ``unsupported`` if the format cannot be written, ``collision`` if `below` leads out of the
        folder.
    """
    source = Path(input)
    extension = _extension(source, format)
    # Only a picture's extension is taken off: ``scan.001`` and ``scan.002`` are two pictures.
    named = source.suffix.lower() in PICTURE_SUFFIXES
    stem = source.name[: -len(source.suffix)] if named else source.name
    if folder is None:
        return source.parent / _fitting(stem, suffix + extension)
    middle = Path(below)
    if middle.is_absolute() or ".." in middle.parts:
        raise PictureError("its result would lie outside of the output folder", kind="collision")
    return Path(folder) / middle / _fitting(stem, extension)


def _extension(source: Path, format: str | None) -> str:
    """Return the extension of the result: the input's own spelling where the format stays."""
    if format is not None:
        if format not in FORMATS:
            raise PictureError(
                f"pictures cannot be written as {format!r}",
                kind="unsupported",
                hint=f"choose one of {', '.join(FORMATS)}",
            )
        own = source.suffix.lower() in FORMATS[format]
        return source.suffix if own else FORMATS[format][0]
    if format_of_suffix(source) is not None:
        return source.suffix
    if source.suffix.lower() in (".pgm", ".pbm", ".pam", ".pfm"):
        return ".ppm"
    return ".png"


def _fitting(stem: str, ending: str) -> str:
    """Return ``stem + ending``, the stem cut at a character where a name may not be so long."""
    room = _LONGEST - len(os.fsencode(ending))
    if len(os.fsencode(stem)) <= room:
        return stem + ending
    # The digest keeps two long names apart that differ only where they are cut.
    digest = hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]
    kept = stem
    while len(os.fsencode(kept)) > room - 9:
        kept = kept[:-1]
    return f"{kept}~{digest}{ending}"

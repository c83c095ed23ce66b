"""A JSON file beside a result: what made it, from what, and that its colours are artificial.

``photo.jpg`` has ``photo.jpg.chroma.json``. Formats that hold no metadata get their provenance so,
and it stays where a program cuts metadata off.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chroma_core.errors import PictureError
from chroma_core.pictures.atomic import Overwrite, write_bytes_atomically
from chroma_core.provenance import parse_record
from chroma_core.version import VERSION

__all__ = [
    "SIDECAR_SUFFIX",
    "file_facts",
    "read_sidecar",
    "sidecar_bytes",
    "sidecar_path",
    "write_sidecar",
]

SIDECAR_SUFFIX = ".chroma.json"
FORMAT = 1
STATEMENT = "The colours of this picture are artificial: a program guessed them from a gray one."

_LARGEST = 1 << 20


def sidecar_path(result: str | os.PathLike[str]) -> Path:
    """Return where the sidecar of a result lies."""
    return Path(f"{os.fspath(result)}{SIDECAR_SUFFIX}")


def file_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return name, size in bytes and SHA-256 of a file."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = os.fstat(file.fileno()).st_size
    return {"name": Path(path).name, "bytes": size, "sha256": digest}


def sidecar_bytes(
    made_by: Mapping[str, Any], original: Mapping[str, Any], result: Mapping[str, Any]
) -> bytes:
    """Return the text of a sidecar.

    Parameters
    ----------
    made_by : Mapping
        What `chroma_core.provenance.provenance_record` returned.
    original, result : Mapping
        Name, bytes and SHA-256 of the two files; width and height of the result.
    """
    told = {
        "sidecar": FORMAT,
        "chroma": VERSION,
        "artificial_colour": True,
        "statement": STATEMENT,
        "made_by": dict(made_by),
        "input": dict(original),
        "output": dict(result),
    }
    return json.dumps(told, ensure_ascii=True, indent=2, sort_keys=True).encode() + b"\n"


def write_sidecar(
    path: Path,
    made_by: Mapping[str, Any],
    original: Mapping[str, Any],
    size: tuple[int, int],
    overwrite: Overwrite = "never",
) -> Path:
    """Write the sidecar of a result that lies at `path`, of `size` (width, height)."""
    result = {**file_facts(path), "width": size[0], "height": size[1]}
    data = sidecar_bytes(made_by, original, result)
    return write_bytes_atomically(sidecar_path(path), data, overwrite)


def read_sidecar(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return what the sidecar file says, or None where there is none.

    Raises
    ------
    PictureError
        If there is one that is damaged.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise PictureError(f"cannot be read: {why}", kind="io", path=str(path)) from error
    told = parse_record(text) if len(text) <= _LARGEST else None
    if told is None or not isinstance(told.get("made_by"), dict):
        raise PictureError("is no sidecar of chroma", kind="corrupt", path=str(path))
    if told.get("sidecar") != FORMAT:
        raise PictureError(
            f"is a sidecar of format {told.get('sidecar')!r:.20}, wanted {FORMAT}",
            kind="unsupported",
            path=str(path),
            hint="a newer chroma may have made it",
        )
    return told

"""``model.json``: what stands in it, written and read strictly.

======================  ===========================================================================
``format``              1
``name``, ``licence``   text
``made_by``             the program that wrote it
``work_size``           short side of the work picture, pixels
``colorspace``          ``name``, ``version`` and ``options`` (text form) of the stage
``features``            a list of such, each with its ``width``
``regressor``           such, with the format of its ``weights``
``refiners``            a list of ``name`` and ``options``
``files``               file names of the weights, and their SHA-256
``training``            facts of the training, any JSON
======================  ===========================================================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chroma_core.errors import InputError, ModelFormatError
from chroma_core.models.files import JSON_BYTES, parse_json, read_bounded

__all__ = ["DESCRIPTION", "FORMAT", "description_bytes", "read_description"]

FORMAT = 1
"""Version of the folder's layout, raised when an older program could misread a newer folder."""

DESCRIPTION = "model.json"
WORK_SIZES = range(8, 16385)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_STAGE_NAME = re.compile(r"([a-z0-9][a-z0-9._-]{0,99}:)?[a-z0-9-]{1,100}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEYS = {
    "format": int,
    "name": str,
    "made_by": str,
    "work_size": int,
    "colorspace": dict,
    "features": list,
    "regressor": dict,
    "refiners": list,
    "files": dict,
    "training": dict,
    "licence": str,
}
_STAGE_KEYS: dict[str, type] = {"name": str, "version": int, "options": dict}


def read_description(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Return what ``model.json`` says, and its bytes.

    Raises
    ------
    ModelFormatError
        If it is not there, is newer than this program, or has not exactly the keys, types and
        bounds it must have.
    """
    path = folder / DESCRIPTION
    text = read_bounded(path)
    parsed = parse_json(text, path)
    _check(parsed, path)
    return parsed, text


def description_bytes(description: Mapping[str, Any], folder: Path) -> bytes:
    """Return ``model.json``, after the same checks as reading it.

    Parameters
    ----------
    description : Mapping
        May hold NumPy numbers and paths in its training record.
    folder : Path
        Where it is to lie, for messages.

    Raises
    ------
    InputError
        If something in it cannot be written down, or could not be read again.
    """
    try:
        text = json.dumps(description, indent=2, allow_nan=False, default=_plain).encode() + b"\n"
        if len(text) > JSON_BYTES:
            raise ModelFormatError(f"has {len(text):,} bytes, at most {JSON_BYTES:,} wanted")
        _check(parse_json(text, folder / DESCRIPTION), folder / DESCRIPTION)
    except (TypeError, ValueError) as error:
        raise InputError(f"cannot be written down: {error}", path=str(folder)) from error
    except ModelFormatError as error:
        raise InputError(f"{DESCRIPTION} {error.what}", path=str(folder)) from error
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a {type(value).__name__} in the training record")


def _check(parsed: Mapping[str, Any], path: Path) -> None:
    """Refuse what has not exactly the keys, types and bounds that it must have."""
    version = parsed.get("format")
    if type(version) is int and version > FORMAT:
        made_by = str(parsed.get("made_by", "a newer program"))[:80]
        raise ModelFormatError(
            f"has format {version}, this program reads {FORMAT}",
            hint=f"made by {made_by!r}: upgrade chroma-colorize",
            path=str(path),
        )
    _check_keys(parsed, _KEYS, "", path)
    if version != FORMAT:
        raise ModelFormatError(f"has format {version!r}, wanted {FORMAT}", path=str(path))
    if not _NAME.fullmatch(parsed["name"]):
        raise ModelFormatError(f"has the name {parsed['name'][:80]!r}", path=str(path))
    if parsed["work_size"] not in WORK_SIZES:
        raise ModelFormatError(
            f"has work_size {parsed['work_size']}, "
            f"wanted {WORK_SIZES.start} to {WORK_SIZES.stop - 1}",
            path=str(path),
        )
    if not 1 <= len(parsed["features"]) <= 32 or len(parsed["refiners"]) > 32:
        raise ModelFormatError("has too many stages, or no features", path=str(path))
    _check_stage_text(parsed["colorspace"], _STAGE_KEYS, "colorspace", path)
    for part in parsed["features"]:
        _check_stage_text(part, {**_STAGE_KEYS, "width": int}, "features", path)
    _check_stage_text(parsed["regressor"], {**_STAGE_KEYS, "weights": str}, "regressor", path)
    for part in parsed["refiners"]:
        _check_stage_text(part, {"name": str, "options": dict}, "refiners", path)
    for file, sha256 in parsed["files"].items():
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise ModelFormatError(f"files: {file[:80]!r} has no SHA-256", path=str(path))


def _check_stage_text(part: Any, keys: Mapping[str, type], where: str, path: Path) -> None:
    if not isinstance(part, dict):
        raise ModelFormatError(f"{where} holds a {type(part).__name__}", path=str(path))
    _check_keys(part, keys, f"{where}.", path)
    if not _STAGE_NAME.fullmatch(part["name"]):
        raise ModelFormatError(f"{where} has the name {part['name'][:80]!r}", path=str(path))
    if not all(isinstance(value, str) for value in part["options"].values()):
        raise ModelFormatError(f"{where}.options holds values that are not text", path=str(path))


def _check_keys(
    found: Mapping[str, Any], wanted: Mapping[str, type], where: str, path: Path
) -> None:
    for key in found:
        if key not in wanted:
            raise ModelFormatError(f"has the unknown key {(where + key)[:80]!r}", path=str(path))
    for key, kind in wanted.items():
        if key not in found:
            raise ModelFormatError(f"lacks the key {where + key!r}", path=str(path))
        if type(found[key]) is not kind:
            have = type(found[key]).__name__
            raise ModelFormatError(
                f"{where + key} is of type {have}, wanted {kind.__name__}", path=str(path)
            )

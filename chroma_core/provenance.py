"""What made a picture, as one text: written into it, and enough to make the same bytes again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from chroma_core.errors import InputError
from chroma_core.version import VERSION

__all__ = ["arguments_of", "parse_record", "provenance_note", "provenance_record"]

_DEEPEST = 20
"""Levels of a record; what is deeper was not written here."""


def provenance_note(made_by: Mapping[str, Any], file: Mapping[str, Any] | None = None) -> str:
    """Return what made a picture as text for its metadata.

    Parameters
    ----------
    made_by : Mapping
        What `chroma_core.pipeline.Pipeline.describe` said.
    file : Mapping, optional
        How the file was asked for, where it was: format, depth, quality, page.
    """
    return json.dumps(provenance_record(made_by, file), sort_keys=True)


def provenance_record(
    made_by: Mapping[str, Any], file: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what made a picture, as `provenance_note` writes it."""
    asked = {name: value for name, value in (file or {}).items() if value is not None}
    return {"chroma": VERSION, **made_by, **({"file": asked} if asked else {})}


def parse_record(text: bytes | str) -> dict[str, Any] | None:
    """Return the JSON object that a text is; None if it is none, whatever else it may be.

    Every number in it is finite, and it is at most 20 levels deep.
    """
    try:
        told = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and _is_flat(told, _DEEPEST) else None


def arguments_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `chroma_core.api.build` from which the same pipeline comes.

    Parameters
    ----------
    record : Mapping
        What `provenance_record` returned, perhaps read from a file that anybody wrote.

    Returns
    -------
    dict
        ``features``, ``regressor``, ``refiner``, ``colorspace``, ``model``, ``settings``,
        ``join``, ``work_size``, ``vividness``, ``certainty``.

    Raises
    ------
    InputError
        If it does not say all of that, or an option names a file by more than its name.
    """
    settings: dict[str, str] = {}

    def name_of(stage: Any) -> str:
        if not isinstance(stage, Mapping) or not isinstance(stage.get("name"), str):
            raise _unusable("a stage has no name")
        options = stage.get("options", {})
        if not isinstance(options, Mapping):
            raise _unusable(f"options of {stage['name']} are none")
        for option, value in options.items():
            if not isinstance(value, str):
                raise _unusable(f"{stage['name']}.{option} is no text")
            if "/" in value or "\\" in value:
                # A picture may come from anywhere: it may name a file, never a place on this disk.
                raise _unusable(f"{stage['name']}.{option} names a place: {value!r:.80}")
            if settings.setdefault(f"{stage['name']}.{option}", value) != value:
                raise _unusable(f"{stage['name']} stands there twice, with other options")
        return str(stage["name"])

    features, refiners = record.get("features"), record.get("refiners")
    if not isinstance(features, Mapping) or not isinstance(refiners, list):
        raise _unusable("features or refiners are missing")
    parts = features.get("stages", [features])
    if not isinstance(parts, list):
        raise _unusable("features are no list")
    arguments: dict[str, Any] = {
        "features": ",".join(name_of(part) for part in parts),
        "regressor": name_of(record.get("regressor")),
        "refiner": ",".join(name_of(stage) for stage in refiners),
        "colorspace": name_of(record.get("colorspace")),
        "model": record.get("model"),
        "join": record.get("join"),
        "work_size": record.get("work_size"),
        "vividness": record.get("vividness"),
        # Results of versions that did not fade say nothing of it.
        "certainty": record.get("certainty", 0.0),
    }
    kinds = {
        "model": str | None,
        "join": str,
        "work_size": int,
        "vividness": float | int,
        "certainty": float | int,
    }
    for name, kind in kinds.items():
        if not isinstance(arguments[name], kind) or isinstance(arguments[name], bool):
            raise _unusable(f"{name} is {arguments[name]!r:.40}")
    arguments["settings"] = tuple(f"{name}={value}" for name, value in settings.items())
    return arguments


def _unusable(why: str) -> InputError:
    """Return the error of a record from which nothing can be built."""
    return InputError(f"its provenance does not tell how it was made: {why}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _is_flat(value: Any, depth: int) -> bool:
    """Tell whether nothing lies deeper in a value than so many levels."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_flat(part, depth - 1) for part in inner)

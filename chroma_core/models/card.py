"""The card of a model: what a person should know before using it, as ``README.md``.

The card is made from ``model.json`` alone, so it says nothing that the model's record does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["write_card"]

SECTIONS = (
    ("intended_use", "What it is for"),
    ("limits", "When not to use it"),
    ("data", "Training data"),
    ("metrics", "Measured"),
    ("options", "Training options"),
    ("seed", "Seed"),
    ("commands", "Made by"),
)
"""Keys of the record that have a place of their own, and their headings."""


def write_card(description: Mapping[str, Any]) -> str:
    """Return the card of a model in Markdown.

    Parameters
    ----------
    description : Mapping[str, Any]
        What ``model.json`` holds. Of its training record, ``summary``, ``intended_use``,
        ``limits``, ``data`` (text, or a list of mappings), ``metrics`` (a mapping), ``options``,
        ``seed`` and ``commands`` (a list) have places of their own; the rest is listed.
    """
    record = description["training"]
    parts = [f"# {_plain(description['name'])}"]
    parts.append(_text(record.get("summary", "A model for colorizing grayscale photographs.")))
    parts.append(
        "## Stages\n\n" + _table(["role", "stage", "version", "options"], _rows(description))
    )
    parts.append(
        f"Work size {description['work_size']} px (short side of the picture that the model sees)."
    )
    for key, heading in SECTIONS:
        if key in record:
            body = _code(record[key]) if key == "commands" else _text(record[key])
            parts.append(f"## {heading}\n\n{body}")
    known = {"summary", *(key for key, _ in SECTIONS)}
    rest = {key: fact for key, fact in record.items() if key not in known}
    if rest:
        parts.append(f"## Further facts\n\n{_text(rest)}")
    parts.append(f"## Licence\n\n{_plain(description['licence'] or 'not stated')}")
    files = description["files"]
    if files:
        rows = [[f"`{name}`", f"`{digest}`"] for name, digest in sorted(files.items())]
        parts.append("## Files\n\n" + _table(["file", "SHA-256"], rows))
    return "\n\n".join(parts) + "\n"


def _rows(description: Mapping[str, Any]) -> list[list[str]]:
    stages = [("colorspace", description["colorspace"])]
    stages += [("features", part) for part in description["features"]]
    stages += [("regressor", description["regressor"])]
    stages += [("refiner", part) for part in description["refiners"]]
    return [
        [
            role,
            _plain(part["name"]),
            _plain(part.get("version", "")),
            ", ".join(f"{_plain(key)}={_plain(value)}" for key, value in part["options"].items()),
        ]
        for role, part in stages
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"- {_plain(key)}: {_inline(fact)}" for key, fact in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(f"- {_inline(part)}" for part in value)
    return _plain(value)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{_plain(key)} {_inline(fact)}" for key, fact in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_inline(part) for part in value)
    return _plain(value)


def _code(value: Any) -> str:
    lines = [str(part) for part in value] if isinstance(value, list | tuple) else [str(value)]
    return "\n".join("    " + re.sub(r"[\x00-\x1f\x7f]", " ", line) for line in lines)


def _plain(value: Any) -> str:
    """Return a fact on one line, with nothing that Markdown or a terminal would act on."""
    words = f"{value:g}" if isinstance(value, float) else str(value)
    words = re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", words)
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", words)

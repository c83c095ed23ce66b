"""How the file of a result was asked for, as its record says: checked before it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chroma_core.errors import InputError, OptionError
from chroma_core.pictures.names import FORMATS
from chroma_core.pictures.reading import Reading

__all__ = ["checked_file"]


def checked_file(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a `chroma_core.batch.color.Coloring` from what a record says of its file.

    Parameters
    ----------
    asked : Mapping
        Format, depth, quality, page, value_range, nan, salvage; None where nothing was asked for.

    Raises
    ------
    InputError
        If one of them cannot be meant: the record may be anybody's.
    """
    checked = dict(asked)
    span, page = asked.get("value_range"), asked.get("page")
    checked["value_range"] = tuple(span) if isinstance(span, list) else span
    checked["salvage"] = asked.get("salvage") is True
    quality = asked.get("quality")
    good = (
        asked.get("depth") in (None, 8, 16)
        and asked.get("format") in (None, *FORMATS)
        and (quality is None or (type(quality) is int and 1 <= quality <= 100))
        and (page in (None, "all") or type(page) is int)
        and asked.get("salvage") in (None, True)
    )
    try:
        Reading(
            page=None if page == "all" else page,
            value_range=checked["value_range"],
            nan=asked.get("nan"),
        )
    except (OptionError, TypeError, ValueError):
        good = False
    if not good:
        raise InputError(f"its provenance asks for the file {dict(asked)!r:.80}")
    return checked

"""The plugin that offers the models that chroma ships."""

from __future__ import annotations

from pathlib import Path

from chroma_core.plugins import hookimpl

__all__ = ["chroma_models"]


@hookimpl
def chroma_models() -> list[Path]:
    """Return the model folders that lie beside this file."""
    return sorted(found.parent for found in Path(__file__).parent.glob("*/model.json"))

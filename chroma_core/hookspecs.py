"""The hooks: all that a plugin can offer, on one page.

A plugin is a module, named by an entry point in the group ``chroma``, with a function for any of
these hooks, marked with `chroma_core.plugins.hookimpl`::

    [project.entry-points.chroma]
    example = "chroma_example.plugin"

Importing the module must be quick and must not import OpenCV, TensorFlow or anything as heavy:
stages import those inside the method that needs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pluggy

from chroma_core.stages import Stage

__all__ = ["chroma_models", "chroma_stages", "hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("chroma")
hookimpl = pluggy.HookimplMarker("chroma")


@hookspec
def chroma_stages() -> list[type[Stage[Any]]]:  # type: ignore[empty-body]  # a specification
    """Return stage classes; role, name and options follow from each class.

    Names that chroma itself ships cannot be taken: such a stage is reached as
    ``distribution:name``.
    """


@hookspec
def chroma_models() -> list[Path]:  # type: ignore[empty-body]  # a specification
    """Return model folders that the plugin ships, each with its ``model.json``.

    A model's name is the name of its folder.
    """

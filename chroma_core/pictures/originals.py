"""Originals are read-only: no output may be the file that it is made from, by any name."""

from __future__ import annotations

import os

from chroma_core.errors import PictureError

__all__ = ["refuse_original"]


def refuse_original(picture: str | os.PathLike[str], output: str | os.PathLike[str]) -> None:
    """Raise PictureError ``is-input`` if writing an output would replace its own input.

    Hard links and symbolic links to the input count, and so does the input's own name if that is a
    link.

    Parameters
    ----------
    picture, output : path
        What is read, and what will be written.
    """
    try:
        same = os.path.samefile(picture, output)
    except (OSError, ValueError):
        # One of them is not there, or has a name that cannot be: no file is lost.
        return
    if same:
        raise PictureError(
            "the output would be the input",
            kind="is-input",
            path=str(output),
            hint="originals are never written over: choose another output",
        )

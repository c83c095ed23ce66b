"""The demo: shipped photographs, coloured step by step, so that every stage can be looked at."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError, PluginError
from chroma_core.pictures.atomic import write_bytes_atomically, write_error
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture
from chroma_core.pipeline import Pipeline, lightness_of, merge

__all__ = ["DemoPicture", "demo_photographs", "run_demo"]

DEMO_PACKAGE = "chroma_models"
"""Holds the demo photographs as data; it is found, not imported."""

MARK = "made-by-chroma-demo.txt"
"""Marks a folder whose pictures are the demo's own, so that the next demo may replace them."""

GAP = 8
"""Pixels between pictures on a sheet."""


@dataclass(frozen=True, kw_only=True)
class DemoPicture:
    """What the demo made of one photograph.

    Attributes
    ----------
    name : str
        Name of the photograph.
    gray, predicted, refined : Path
        What went in, what was predicted, and what the refiners made of it.
    truth : Path or None
        The photograph's own colours, where it has any.
    sheet : Path
        All of them side by side.
    """

    name: str
    gray: Path
    predicted: Path
    refined: Path
    truth: Path | None
    sheet: Path


def demo_photographs() -> list[Path]:
    """Return the photographs that chroma ships; ``gray-`` starts the name of those without colour.

    Raises
    ------
    PluginError
        If they are not installed.
    """
    found = importlib.util.find_spec(DEMO_PACKAGE)
    places = list(found.submodule_search_locations or ()) if found else []
    pictures = [path for place in places for path in sorted((Path(place) / "demo").glob("*.jpg"))]
    if not pictures:
        raise PluginError("the demo photographs are not installed", hint="reinstall chroma")
    return pictures


def run_demo(
    folder: str | Path,
    pipeline: Pipeline,
    *,
    progress: Callable[[int, int, dict[str, str]], None] | None = None,
) -> list[DemoPicture]:
    """Colour the shipped photographs and write gray, predicted, refined and true pictures.

    Parameters
    ----------
    folder : path
        New, empty, or filled by an earlier demo.
    pipeline : Pipeline
        How.
    progress : callable, optional
        Called after each photograph.

    Raises
    ------
    PictureError
        If the folder holds something else.
    """
    folder = _own_folder(Path(folder))
    plain = replace(pipeline, refiners=())
    photographs = demo_photographs()
    made = []
    for done, path in enumerate(photographs, start=1):
        pixels = read_picture(path).pixels
        lightness = lightness_of(pixels, pipeline.colorspace)
        no_chroma = np.zeros((*lightness.shape, 2), dtype=np.float32)
        colorless = np.concatenate([lightness[..., np.newaxis], no_chroma], axis=-1)
        prediction = pipeline.predict_lightness(lightness)
        views = {
            "gray": merge(colorless, pipeline.colorspace, np.uint8),
            "predicted": plain.fuse(lightness, prediction),
            "refined": pipeline.fuse(lightness, prediction),
        }
        if not path.stem.startswith("gray-"):
            views["truth"] = pixels
        paths = {
            view: write_picture(picture, folder / f"{path.stem}.{view}.png", overwrite="always")
            for view, picture in views.items()
        }
        sheet = write_picture(
            _side_by_side(list(views.values())),
            folder / f"{path.stem}.sheet.png",
            overwrite="always",
        )
        made.append(
            DemoPicture(
                name=path.stem,
                gray=paths["gray"],
                predicted=paths["predicted"],
                refined=paths["refined"],
                truth=paths.get("truth"),
                sheet=sheet,
            )
        )
        if progress is not None:
            progress(done, len(photographs), {"picture": path.stem})
    return made


def _own_folder(folder: Path) -> Path:
    mark = folder / MARK
    if folder.exists() and not mark.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise PictureError(
            "is there already and was not made by a demo",
            kind="exists",
            path=str(folder),
            hint="choose another folder with -o",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, folder) from error
    note = "The pictures here were made by chroma's demo; the next demo may replace them.\n"
    write_bytes_atomically(mark, note.encode(), "always")
    return folder


def _side_by_side(pictures: list[PixelArray]) -> PixelArray:
    height = pictures[0].shape[0]
    gap = np.full((height, GAP, 3), 255, dtype=np.uint8)
    parts = [pictures[0]]
    for picture in pictures[1:]:
        parts += [gap, picture]
    return np.concatenate(parts, axis=1)

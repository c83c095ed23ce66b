"""Evaluation of a pipeline on folders of photographs, with its reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chroma_core.arrays import FloatArray, PixelArray
from chroma_core.batch.plan import find_pictures
from chroma_core.errors import InputError
from chroma_core.evaluation.evaluate import Evaluation, evaluate
from chroma_core.evaluation.gallery import Gallery
from chroma_core.evaluation.report import write_csv, write_html
from chroma_core.pictures.atomic import Overwrite
from chroma_core.pipeline import Pipeline, lightness_of
from chroma_core.stages import Progress
from chroma_core.version import VERSION

__all__ = ["evaluate_folders"]


def evaluate_folders(
    folders: Sequence[str | Path],
    pipeline: Pipeline,
    *,
    mean_ab: tuple[float, float] | None = None,
    csv: str | Path | None = None,
    html: str | Path | None = None,
    overwrite: Overwrite = "never",
    progress: Progress | None = None,
) -> Evaluation:
    """Score a pipeline on every picture below each folder; each folder is one set.

    Parameters
    ----------
    folders : sequence of paths
        Colour photographs.
    pipeline : Pipeline
        What colours them.
    mean_ab : pair of float, optional
        a* and b* of the constant colour; by default the mean of what the model was trained on.
    csv, html : path, optional
        Reports to write.
    overwrite : {"never", "always"}, optional
        What happens to reports that are there already.
    progress : callable, optional
        Called after each picture.

    Raises
    ------
    InputError
        If a folder holds no pictures, or the constant colour is not known.
    """
    sets: dict[str, list[Path]] = {}
    for folder in (Path(folder) for folder in folders):
        pictures = list(find_pictures(folder, recursive=True)) if folder.is_dir() else []
        if not pictures:
            raise InputError(
                "is no folder with pictures", path=str(folder), exit_status=66, kind="no-input"
            )
        name = folder.resolve().name
        sets[name if name not in sets else str(folder)] = pictures
    mean_ab = mean_ab or pipeline.mean_chroma
    if mean_ab is None:
        raise InputError(
            "the constant colour to compare with is not known: no model says it",
            hint="name it with --mean-colour a,b",
            exit_status=2,
        )
    made_by = pipeline.describe()
    label = str(made_by.get("model", made_by["regressor"]["name"]))
    gallery = Gallery() if html is not None else None
    evaluation = evaluate(
        sets,
        lambda gray: _colored(pipeline, gray),
        mean_ab=mean_ab,
        label=label,
        watch=gallery.add if gallery is not None else None,
        progress=progress,
        facts={"chroma": VERSION, "pipeline": _words(made_by)},
    )
    if csv is not None:
        write_csv(csv, evaluation, overwrite=overwrite)
    if html is not None:
        write_html(html, evaluation, gallery, overwrite=overwrite)
    return evaluation


def _colored(pipeline: Pipeline, gray: FloatArray) -> PixelArray:
    lightness = lightness_of(gray, pipeline.colorspace)
    return pipeline.fuse(lightness, pipeline.predict_lightness(lightness), dtype=np.uint8)


def _words(made_by: dict[str, Any]) -> str:
    features = made_by["features"]
    names = [part["name"] for part in features.get("stages", [features])]
    refiners = [stage["name"] for stage in made_by["refiners"]] or ["none"]
    return " > ".join([",".join(names), made_by["regressor"]["name"], ",".join(refiners)])

"""The steps of the pipeline one by one, from file to file.

Each step starts from what the step before wrote; together they give what `chroma run` gives in one
go. No step writes over anything unless told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from chroma_core.api import Settings, build_refiners, build_stage
from chroma_core.arrays import FloatArray
from chroma_core.errors import InputError, OptionError
from chroma_core.features.none import NoFeatures
from chroma_core.pictures.atomic import Overwrite
from chroma_core.pictures.originals import refuse_original
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture
from chroma_core.pipeline import JoinMethod, Pipeline, lightness_of
from chroma_core.predictions import SavedPrediction, load_prediction, save_prediction
from chroma_core.provenance import provenance_note
from chroma_core.regressors.none import NoRegressor

__all__ = ["fuse_from_folder", "predict_to_folder", "refine_file"]


def predict_to_folder(
    picture: str | Path, folder: str | Path, pipeline: Pipeline, *, overwrite: Overwrite = "never"
) -> tuple[Path, Path, Path]:
    """Predict a* and b* of a picture file and write them, see `save_prediction`."""
    lightness = lightness_of(read_picture(picture).pixels, pipeline.colorspace)
    height, width = lightness.shape
    saved = SavedPrediction(
        prediction=pipeline.predict_lightness(lightness),
        work_size=pipeline.work_size,
        size=(height, width),
        sha256=_digest(lightness),
        made_by=pipeline.describe(),
    )
    return save_prediction(folder, Path(picture).stem, saved, overwrite=overwrite)


def fuse_from_folder(
    picture: str | Path,
    folder: str | Path,
    output: str | Path,
    *,
    refiner: str | Sequence[str] | None = None,
    colorspace: str | None = None,
    settings: Mapping[str, str] | Iterable[str] | None = None,
    join: JoinMethod = "guided",
    overwrite: Overwrite = "never",
) -> Path:
    """Fuse a picture's luminance with its prediction on disk, and write the colours.

    With the refiners and the join of a run in one go the file is the same to the byte.

    Raises
    ------
    InputError
        If the prediction is missing, damaged, or was made from another picture.
    """
    refuse_original(picture, output)
    source = read_picture(picture)
    saved = load_prediction(folder, Path(picture).stem)
    name, options = _colorspace_of(saved)
    if colorspace not in (None, name):
        raise InputError(
            f"the prediction in {folder} was made in colorspace {name}, not {colorspace}",
            path=str(picture),
            hint="leave --colorspace out, or predict again",
            exit_status=2,
        )
    pipeline = _stages_behind(refiner, name, settings, join, options)
    pipeline = replace(pipeline, work_size=saved.work_size)
    lightness = lightness_of(source.pixels, pipeline.colorspace)
    if saved.size != lightness.shape or saved.sha256 != _digest(lightness):
        raise InputError(
            f"the prediction in {folder} was made from another picture",
            path=str(picture),
            hint="predict again",
        )
    pixels = pipeline.fuse(lightness, saved.prediction, dtype=source.pixels.dtype)
    ours = pipeline.describe()
    made_by = {**saved.made_by, "refiners": ours["refiners"], "join": ours["join"]}
    note = provenance_note(made_by)
    return write_picture(pixels, output, like=source, overwrite=overwrite, note=note)


def refine_file(
    picture: str | Path,
    output: str | Path,
    *,
    refiner: str | Sequence[str],
    colorspace: str | None = None,
    settings: Mapping[str, str] | Iterable[str] | None = None,
    overwrite: Overwrite = "never",
) -> Path:
    """Refine the chrominance of a picture file in colour."""
    refuse_original(picture, output)
    source = read_picture(picture)
    if source.is_gray:
        raise InputError("is gray: there is no chrominance to refine", path=str(picture))
    pipeline = _stages_behind(refiner, colorspace or "lab", settings, "guided")
    pixels = pipeline.refine_pixels(source.pixels)
    return write_picture(source.with_pixels(pixels), output, overwrite=overwrite)


def _stages_behind(
    refiner: str | Sequence[str] | None,
    colorspace: str,
    settings: Mapping[str, str] | Iterable[str] | None,
    join: JoinMethod,
    predicted_in: Mapping[str, str] | None = None,
) -> Pipeline:
    chosen = Settings.parse(settings)
    # Colours mean what they meant when they were predicted: the same white point above all.
    for option, text in (predicted_in or {}).items():
        given = chosen.values.setdefault(colorspace, {}).setdefault(option, text)
        if given != text:
            raise OptionError(
                f"{colorspace}.{option} is {given}, but the prediction was made with {text}",
                hint="leave it out, or predict again",
            )
    pipeline = Pipeline(
        colorspace=build_stage("colorspace", colorspace, chosen),
        features=NoFeatures(),
        regressor=NoRegressor(),
        refiners=build_refiners(refiner or (), chosen),
        join=join,
    )
    chosen.refuse_the_rest()
    return pipeline


def _colorspace_of(saved: SavedPrediction) -> tuple[str, dict[str, str]]:
    """Return the colorspace of a prediction and its options as text."""
    space = saved.made_by.get("colorspace")
    if not isinstance(space, Mapping):
        return "lab", {}
    options = space.get("options")
    given = options.items() if isinstance(options, Mapping) else ()
    return str(space.get("name", "lab")), {str(name): str(text) for name, text in given}


def _digest(lightness: FloatArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(lightness, dtype="<f4").data).hexdigest()

"""Training asked for by names and text, as the command line does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from chroma_core.api import Settings, build_features, build_refiners, build_stage
from chroma_core.errors import OptionError
from chroma_core.options import options_from_text, options_to_text
from chroma_core.stages import Progress, TrainableRegressor
from chroma_core.training.train import TrainedModel, train

__all__ = ["TRAIN_OPTIONS", "train_by_name"]

TRAIN_OPTIONS = "train"
"""Stands for a stage in settings: ``train.epochs=30`` is an option of the training itself."""


def train_by_name(
    source: Sequence[str | Path],
    folder: str | Path,
    *,
    regressor: str,
    features: str | Sequence[str] | None = None,
    refiner: str | Sequence[str] = ("intensity",),
    colorspace: str | None = None,
    settings: Settings | Mapping[str, str] | Iterable[str] | None = None,
    work_size: int | None = None,
    per_image: int | None = None,
    name: str = "",
    licence: str = "",
    workers: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    avoid: Sequence[str | Path] = (),
    validation: str | None = None,
) -> TrainedModel:
    """Build the stages by name and train; see `chroma_core.training.train.train`.

    Parameters
    ----------
    source : sequence of paths
        One folder of shards, or colour photographs and folders.
    folder : path
        The model folder to make.
    regressor, features, refiner, colorspace : str
        Names of stages; `features` and `colorspace` may be left out for shards.
    settings : Mapping or iterable of str, optional
        Options of stages as text; those of the training itself as ``train.epochs=30``.
    work_size, per_image, name, licence, workers, resume, overwrite, progress, avoid, validation
        See `chroma_core.training.train.train`.

    Raises
    ------
    OptionError
        If the regressor cannot be trained, or an option is not known.
    """
    chosen = settings if isinstance(settings, Settings) else Settings.parse(settings)
    stage = build_stage("regressor", regressor, chosen)
    if not isinstance(stage, TrainableRegressor):
        raise OptionError(f"regressor {regressor} cannot be trained", hint="try tf-dense or ridge")
    options = options_from_text(
        stage.TrainOptions, chosen.of(TRAIN_OPTIONS, stage.TrainOptions), owner=TRAIN_OPTIONS
    )
    chain = [
        (part.name, options_to_text(part.options, run=False))
        for part in build_refiners(refiner, chosen)
    ]
    seen = build_features(features, chosen) if features else None
    space = build_stage("colorspace", colorspace, chosen) if colorspace else None
    chosen.refuse_the_rest()
    return train(
        list(source) if len(source) > 1 else source[0],
        folder,
        regressor=stage,
        features=seen,
        colorspace=space,
        work_size=work_size,
        per_image=per_image,
        train_options=options,
        refiners=chain,
        name=name,
        licence=licence,
        workers=workers,
        progress=progress,
        resume=resume,
        overwrite=overwrite,
        avoid=avoid,
        validation=validation,
    )

"""From shards, or photographs, to a model folder.

The regressor does the learning; this module gives it data and a checkpoint, measures what it
learnt on pictures that it never saw, and writes the model with its card, its history and its
learning curve. While it works, checkpoints (and for photographs their samples) lie in a folder
beside the model's, named after it with ``.training`` at the end. The model's folder appears whole,
with all that belongs to it; a training that is taken up again after that finds that it is done.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from chroma_core.arrays import FloatArray
from chroma_core.errors import ChromaError, OptionError, PluginError, TrainingError
from chroma_core.features.concatenated import Concatenated
from chroma_core.models import Model, load_model, save_model
from chroma_core.models.stages import describe_refiner
from chroma_core.options import Options, options_from_text, options_to_text
from chroma_core.pipeline import stage_text
from chroma_core.plugins import default_registry, find_stage, require_libraries
from chroma_core.stages import (
    Colorspace,
    Features,
    Progress,
    Regressor,
    Role,
    Split,
    TrainableRegressor,
)
from chroma_core.training.checkpoint import FolderCheckpoint
from chroma_core.training.curves import curves_png, history_csv
from chroma_core.training.data import PhotographData, ShardData, moments
from chroma_core.training.extract import extract
from chroma_core.training.manifest import MANIFEST, SPLITS, Settings, file_sha256
from chroma_core.training.measure import Unexplained, measure
from chroma_core.training.split import DEFAULT_RULE

__all__ = [
    "HISTORY",
    "LEARNING_CURVE",
    "TrainedModel",
    "has_checkpoint",
    "is_shards",
    "stages_of",
    "train",
]

HISTORY = "history.csv"
LEARNING_CURVE = "learning-curve.png"

ADVICE = ("certainty",)
"""Facts of a training that a pipeline takes as its defaults."""

NODES_PER_IMAGE = 128
"""Nodes of each picture where a training starts from photographs."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """What came out of a training.

    Attributes
    ----------
    folder : Path
        The model folder.
    regressor : Regressor
        The trained stage.
    history : tuple of Mapping
        One entry an epoch.
    errors : Mapping[str, Unexplained]
        Error over variance on ``validation`` and ``card``, where they have pictures.
    record : Mapping[str, Any]
        What the model's card says.
    seconds : float
        Wall time.
    """

    folder: Path
    regressor: Regressor[Any]
    history: tuple[Mapping[str, float], ...]
    errors: Mapping[Split, Unexplained]
    record: Mapping[str, Any]
    seconds: float


def train(
    source: Path | str | Sequence[Path | str],
    folder: Path | str,
    *,
    regressor: TrainableRegressor[Any],
    features: Features[Any] | None = None,
    colorspace: Colorspace[Any] | None = None,
    work_size: int | None = None,
    per_image: int | None = None,
    seed: int = 0,
    train_options: Options | None = None,
    refiners: Iterable[tuple[str, Mapping[str, str]]] = (("intensity", {}),),
    name: str = "",
    record: Mapping[str, Any] | None = None,
    licence: str = "",
    workers: int | None = None,
    progress: Progress | None = None,
    resume: bool = False,
    overwrite: bool = False,
    avoid: Path | str | Sequence[Path | str] = (),
    validation: str | None = None,
) -> TrainedModel:
    """Train a regressor and write its model folder.

    Parameters
    ----------
    source : path, or list of paths
        A folder of shards, or colour photographs and folders of them.
    folder : path
        The model folder to make.
    regressor : TrainableRegressor
        What is trained; its stage options stay as they are.
    features, colorspace, work_size : Features, Colorspace, int, optional
        For shards they may be left out, and must be the shards' own if given. For photographs
        `features` is needed unless the regressor names its own; the others are ``lab`` and 256 px
        by default.
    per_image, seed : int, optional
        Nodes of each picture and what their draw follows from; for photographs alone, 128 by
        default. A regressor that wants maps gets all nodes.
    train_options : Options, optional
        Options of the training, of the type `regressor.TrainOptions`.
    refiners : iterable of (str, Mapping[str, str]), optional
        Default refiners of the model: names and options as text.
    name : str, optional
        The model's name; that of the folder by default.
    record : Mapping, optional
        Further facts for the card (``summary``, ``intended_use``, ``limits``, ``commands``).
    licence : str, optional
        Licence of the weights.
    workers : int, optional
        Processes that read photographs; one for each core by default.
    progress : callable, optional
        Told what is done of what there is, with facts. If it raises, the training ends; a
        regressor that keeps checkpoints saves one first.
    resume : bool, optional
        Go on from the last checkpoint, which must be of the same options and data. If `folder`
        holds what came out of this very training, that is returned.
    overwrite : bool, optional
        Replace a model that is there already.
    avoid : path, or list of paths, optional
        Pictures that must not be trained on, see `chroma_core.training.extract.extract`; for
        photographs alone.
    validation : str, optional
        How photographs are parted, see `chroma_core.training.split.split_of`: ``"mod10"`` by
        default.

    Returns
    -------
    TrainedModel

    Raises
    ------
    OptionError
        If options are not of the right type.
    TrainingError
        If the data do not fit the stages, the training fails, or (kind ``"exists"``, before
        anything is trained) the folder is there already.
    ModelError
        If the model cannot be written.
    """
    began = time.monotonic()
    target = Path(folder)
    beside = _beside(target)
    report_to = progress if progress is not None else _silent
    options = train_options if train_options is not None else regressor.TrainOptions()
    if type(options) is not regressor.TrainOptions:
        raise OptionError(
            f"training options are {type(options).__name__}, "
            f"wanted {regressor.TrainOptions.__name__}"
        )
    require_libraries(type(regressor))
    earlier = _earlier(target) if resume and not overwrite else None
    if earlier is None:
        _refuse_existing(target, overwrite=overwrite)
    data: ShardData | PhotographData
    if is_shards(source):
        if avoid:
            raise OptionError(
                "what shards were made of cannot be avoided any more",
                hint="say it to chroma extract, or train from the photographs",
            )
        if validation is not None:
            raise OptionError(
                "shards are parted already",
                hint="say it to chroma extract, or train from the photographs",
            )
        data = ShardData(source)  # type: ignore[arg-type]  # is_shards: it is one path
        features, colorspace = _agreed(data.settings, features, colorspace, work_size)
        if regressor.wants == "maps" and data.settings.per_image:
            raise TrainingError(
                f"regressor {regressor.name} wants whole maps, the shards hold "
                f"{data.settings.per_image} nodes of each picture",
                hint="extract all nodes, or train from the photographs",
                path=str(source),
            )
    else:
        if features is None:
            if not regressor.trains_on:
                raise OptionError("training from photographs needs features")
            features = cast("Features[Any]", find_stage("features", regressor.trains_on)())
        if colorspace is None:
            colorspace = cast("Colorspace[Any]", find_stage("colorspace", "lab")())
        side = 256 if work_size is None else work_size
        rule = DEFAULT_RULE if validation is None else validation
        if regressor.wants == "maps":
            data = PhotographData(
                source,
                features,
                colorspace,
                side,
                validation=rule,
                workers=workers or 0,
                avoid=avoid,
            )
        else:
            extract(
                source,
                beside / "shards",
                colorspace=colorspace,
                features=features,
                work_size=side,
                per_image=NODES_PER_IMAGE if per_image is None else per_image,
                seed=seed,
                validation=rule,
                workers=workers,
                progress=report_to,
                avoid=avoid,
            )
            data = ShardData(beside / "shards")
    facts = _facts_of(data)
    refiners = list(refiners)
    if earlier is not None:
        same = (
            stage_text(earlier.regressor) == stage_text(regressor)
            and stage_text(earlier.features) == stage_text(features)
            and stage_text(earlier.colorspace) == stage_text(colorspace)
            and earlier.record.get("options") == options_to_text(options, run=False)
            and earlier.record.get("data") == facts
            and list(earlier.refiners) == _in_full(refiners)
            and (earlier.name, earlier.licence) == (name or target.name, licence)
        )
        if not same:
            _refuse_existing(target, overwrite=False)
        _tidy(beside)
        return _done_before(earlier, data, time.monotonic() - began)
    checkpoint = FolderCheckpoint(
        beside / "checkpoint",
        settings={
            "regressor": stage_text(regressor),
            "options": options_to_text(options, run=False),
            "data": facts,
        },
        resume=resume,
    )
    trained = regressor.train(data, options, report_to, checkpoint)
    mean_chroma = moments(data, "train").chroma_mean
    errors = _errors(trained.regressor, data, mean_chroma)
    facts_of_training = dict(trained.facts)
    # What a model advises stands where whoever runs it looks for it.
    advised = {name: facts_of_training.pop(name) for name in ADVICE if name in facts_of_training}
    card = {
        **(record or {}),
        **advised,
        "data": facts,
        "metrics": {
            f"error over variance, {split}": {
                "a*": round(found.a, 4),
                "b*": round(found.b, 4),
                "pictures": found.pictures,
            }
            for split, found in errors.items()
        },
        "options": options_to_text(options, run=False),
        "seed": getattr(options, "seed", seed),
        "mean_chroma": [round(float(number), 4) for number in mean_chroma],
        "training": facts_of_training,
    }
    save_model(
        target,
        colorspace=colorspace,
        features=features,
        regressor=trained.regressor,
        work_size=data.settings.work_size,
        name=name,
        refiners=refiners,
        record=card,
        licence=licence,
        overwrite=overwrite,
        beside=_history_files(trained.history, name or target.name),
    )
    _tidy(beside)
    return TrainedModel(
        folder=target,
        regressor=trained.regressor,
        history=trained.history,
        errors=errors,
        record=card,
        seconds=time.monotonic() - began,
    )


def is_shards(source: Path | str | Sequence[Path | str]) -> bool:
    """Return whether a source of training data is a folder of shards."""
    return isinstance(source, str | os.PathLike) and os.path.lexists(Path(source) / MANIFEST)


def has_checkpoint(folder: Path | str) -> bool:
    """Return whether a training of this model folder can be taken up again."""
    return bool(FolderCheckpoint(_beside(Path(folder)) / "checkpoint").states())


def stages_of(settings: Settings) -> tuple[Features[Any], Colorspace[Any]]:
    """Return the stages that samples were taken with.

    Raises
    ------
    StageNotFound, PluginError, OptionError
        If a stage is not installed, or not with these options.
    TrainingError
        If it is installed in another version.
    """
    parts = [_built("features", text) for text in settings.features]
    features = parts[0] if len(parts) == 1 else Concatenated(parts)
    return features, _built("colorspace", settings.colorspace)


def _beside(target: Path) -> Path:
    """Return the folder of what is kept while a model is made."""
    return target.with_name(target.name + ".training")


def _tidy(beside: Path) -> None:
    """Remove what a training is resumed from: its model is safe."""
    shutil.rmtree(beside / "checkpoint", ignore_errors=True)
    if beside.is_dir() and not any(beside.iterdir()):
        beside.rmdir()


def _errors(
    regressor: Regressor[Any], data: ShardData | PhotographData, mean_chroma: FloatArray
) -> dict[Split, Unexplained]:
    """Return what is left unexplained of the parts that no weight was fitted to."""
    parts: tuple[Split, ...] = ("validation", "card")
    return {
        split: measure(regressor, data, split, mean_chroma)
        for split in parts
        if data.pictures(split)
    }


def _history_files(history: Sequence[Mapping[str, float]], title: str) -> dict[str, bytes]:
    files = {HISTORY: history_csv(history)}
    try:
        files[LEARNING_CURVE] = curves_png(history, title)
    except PluginError as error:
        # What took hours to learn is not given up for a drawing.
        _log.warning("there is no learning curve: %s", error)
    return files


def _earlier(target: Path) -> Model | None:
    """Return the model that is there, if it can be loaded."""
    if not (target / HISTORY).is_file():
        return None
    try:
        return load_model(target)
    except ChromaError:
        return None


def _in_full(
    refiners: Iterable[tuple[str, Mapping[str, str]]],
) -> list[tuple[str, Mapping[str, str]]]:
    """Return refiners with all their options, as a model keeps them."""
    described = [describe_refiner(name, text, default_registry()) for name, text in refiners]
    return [(part["name"], part["options"]) for part in described]


def _done_before(model: Model, data: ShardData | PhotographData, seconds: float) -> TrainedModel:
    """Return what an earlier run made, as it would have returned it."""
    with open(model.path / HISTORY, newline="", encoding="utf-8") as file:
        history = tuple(
            {name: float(value) for name, value in row.items() if value}
            for row in csv.DictReader(file)
        )
    return TrainedModel(
        folder=model.path,
        regressor=model.regressor,
        history=history,
        errors=_errors(model.regressor, data, moments(data, "train").chroma_mean),
        record=model.record,
        seconds=seconds,
    )


def _built(role: Role, text: Mapping[str, Any]) -> Any:
    stage_type = find_stage(role, str(text["name"]))
    require_libraries(stage_type)
    stage = stage_type(options_from_text(stage_type.Options, text["options"], owner=text["name"]))
    if text["version"] != stage.version:
        raise TrainingError(
            f"the data were made with {role} {stage.name} version {text['version']}, "
            f"installed is version {stage.version}",
            hint="extract anew",
        )
    return stage


def _agreed(
    settings: Settings,
    features: Features[Any] | None,
    colorspace: Colorspace[Any] | None,
    work_size: int | None,
) -> tuple[Features[Any], Colorspace[Any]]:
    """Return the shards' stages, after what the caller gave was found to be the same."""
    made_with, made_in = stages_of(settings)
    for given, own in ((features, made_with), (colorspace, made_in)):
        if given is not None and stage_text(given) != stage_text(own):
            raise TrainingError(
                f"the shards were made with {json.dumps(stage_text(own))}, "
                f"not {json.dumps(stage_text(given))}",
                hint="leave it out, or extract anew",
            )
    if work_size not in (None, settings.work_size):
        raise TrainingError(
            f"the shards were made at a work size of {settings.work_size} px, not {work_size}",
            hint="leave it out, or extract anew",
        )
    if made_with.width != settings.width:
        raise TrainingError(
            f"the shards hold {settings.width} numbers a node, "
            f"features {made_with.name} give {made_with.width}",
            hint="extract anew",
        )
    return features or made_with, colorspace or made_in


def _facts_of(data: ShardData | PhotographData) -> dict[str, Any]:
    """Return what a card says of the data; the same data give the same facts."""
    facts: dict[str, Any] = {
        f"{split} pictures": data.pictures(split) for split in SPLITS if data.pictures(split)
    }
    if isinstance(data, ShardData):
        facts.update({f"{split} rows": data.rows(split) for split in SPLITS if data.rows(split)})
        facts["manifest_sha256"] = file_sha256(data.folder / MANIFEST)[0]
    else:
        facts["settings_sha256"] = hashlib.sha256(
            json.dumps(data.settings.to_json(), sort_keys=True).encode()
        ).hexdigest()
        if data.avoided:
            facts["avoided pictures"] = data.avoided
    settings = data.settings
    facts["nodes a picture"] = settings.per_image or "all"
    facts["split"] = f"by picture, {settings.split}"
    return facts


def _refuse_existing(target: Path, *, overwrite: bool) -> None:
    if overwrite or not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    raise TrainingError(
        "there is something already",
        hint="name another folder, or allow it to be replaced",
        path=str(target),
        exit_status=73,
        kind="exists",
    )


def _silent(done: int, total: int, facts: Mapping[str, str]) -> None:
    """Tell nobody."""

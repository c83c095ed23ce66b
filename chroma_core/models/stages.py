"""The stages of a model: built from its description, and put down in it.

Stage names go through the plugin registry and nowhere else; names of weight files follow from what
the stages declare, never from ``model.json``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from chroma_core.arrays import AnyArray
from chroma_core.errors import (
    ContractError,
    ModelError,
    ModelFormatError,
    ModelMismatch,
    OptionError,
    PluginError,
    StageNotFound,
)
from chroma_core.features.concatenated import Concatenated
from chroma_core.models.files import weights_bytes
from chroma_core.options import describe_options, options_from_text, options_to_text
from chroma_core.plugins import Registry, require_libraries
from chroma_core.stages import (
    Colorspace,
    Features,
    Regressor,
    Role,
    Stage,
    TrainableRegressor,
    WeightShapes,
)

__all__ = [
    "WeightOwner",
    "build_colorspace",
    "build_features",
    "build_regressor",
    "check_refiners",
    "describe_refiner",
    "describe_stage",
    "features_of",
    "join_features",
    "weight_format",
    "weight_owners",
]

_STEM = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


def features_of(features: Features[Any]) -> list[Features[Any]]:
    """Return the stages of which features consist."""
    return list(features.stages) if isinstance(features, Concatenated) else [features]


def join_features(parts: Sequence[Features[Any]]) -> Features[Any]:
    """Return features that consist of these stages."""
    return parts[0] if len(parts) == 1 else Concatenated(parts)


def describe_stage(stage: Stage[Any], registry: Registry) -> dict[str, Any]:
    """Return a stage as ``model.json`` describes it.

    Raises
    ------
    ModelFormatError
        If an option names a file.
    """
    _refuse_paths(stage)
    return {
        "name": registry.name_of(type(stage)),
        "version": stage.version,
        "options": options_to_text(stage.options, run=False),
    }


def describe_refiner(name: str, text: Mapping[str, str], registry: Registry) -> dict[str, Any]:
    """Return a default refiner, with all its options, as ``model.json`` describes it."""
    stage_type = registry.find_stage("refiner", name)
    stage = stage_type(options_from_text(stage_type.Options, text, owner=name))
    _refuse_paths(stage)
    return {"name": name, "options": options_to_text(stage.options, run=False)}


def weight_format(regressor: Regressor[Any]) -> str:
    """Return the format of the weights that a regressor has trained, or an empty text."""
    if isinstance(regressor, TrainableRegressor) and regressor.writes:
        return regressor.writes
    if len(regressor.reads) > 1:
        raise ContractError(
            f"regressor {regressor.name} reads {_words(regressor.reads)}, "
            "and does not say which of them it writes"
        )
    return next(iter(regressor.reads), "")


def build_colorspace(registry: Registry, text: Mapping[str, Any], path: Path) -> Colorspace[Any]:
    """Return the colorspace of a model."""
    return cast("Colorspace[Any]", _stage(registry, "colorspace", text, path))


def build_features(registry: Registry, text: Mapping[str, Any], path: Path) -> Features[Any]:
    """Return one features stage of a model, if it gives as many numbers as it did."""
    stage = cast("Features[Any]", _stage(registry, "features", text, path))
    if stage.width != text["width"]:
        raise ModelMismatch(
            f"was made with {text['width']} numbers of {stage.name} at a node, "
            f"the installed stage gives {stage.width}",
            path=str(path),
        )
    return stage


def build_regressor(
    registry: Registry, text: Mapping[str, Any], other: str | None, path: Path
) -> Regressor[Any]:
    """Return the regressor that trained the model, or another that reads its weights."""
    if other is None or other == text["name"]:
        stage = cast("Regressor[Any]", _stage(registry, "regressor", text, path))
    else:
        stage_type = registry.find_stage("regressor", other)
        reads = cast("type[Regressor[Any]]", stage_type).reads
        if text["weights"] not in reads:
            raise ModelMismatch(
                f"has weights of format {text['weights']!r} for {text['name']}, "
                f"regressor {other} reads {_words(reads)}",
                path=str(path),
            )
        stage_type = _stage_type(registry, "regressor", other, path)
        stage = cast("Regressor[Any]", _with_options(stage_type, other, text["options"], path))
    if text["weights"] and text["weights"] not in stage.reads:
        raise ModelMismatch(
            f"has weights of format {text['weights']!r}, "
            f"regressor {stage.name} reads {_words(stage.reads)}",
            path=str(path),
        )
    return stage


def check_refiners(registry: Registry, texts: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Refuse options of default refiners that no model may hold.

    A refiner that is not installed is no reason to refuse the model: another may be asked for.
    """
    for text in texts:
        with contextlib.suppress(StageNotFound, PluginError):
            stage_type = registry.find_stage("refiner", text["name"])
            _with_options(stage_type, text["name"], text["options"], path)


@dataclass(frozen=True, kw_only=True)
class WeightOwner:
    """A stage that may own weights.

    Attributes
    ----------
    stage : Stage
        The stage.
    shapes : Mapping
        What `Stage.weight_shapes` says.
    files : Mapping[str, str]
        Names of its files in the folder, by stem.
    """

    stage: Stage[Any]
    shapes: WeightShapes
    files: Mapping[str, str]

    def contents(self) -> dict[str, bytes]:
        """Return its weight files, the weights checked against what it declares.

        Raises
        ------
        ContractError
            If they are other tensors, or of another shape or dtype, or not finite.
        """
        stage = self.stage
        weights = stage.weights()
        if set(weights) != set(self.shapes):
            raise ContractError(
                f"{stage.role} {stage.name} has weights {_words(weights)}, "
                f"declares {_words(self.shapes)}",
                hint="" if weights else "has it been trained?",
            )
        contents = {}
        for stem, shapes in self.shapes.items():
            _check_tensors(stage, stem, weights[stem], shapes)
            contents[self.files[stem]] = weights_bytes(weights[stem], stem)
        return contents

    def with_weights(self, tensors: Mapping[str, Mapping[str, AnyArray]], path: Path) -> Stage[Any]:
        """Return the stage with its weights, from tensors by file name.

        Raises
        ------
        ModelFormatError
            If the stage refuses them.
        """
        if not self.files:
            return self.stage
        held = {stem: tensors[file] for stem, file in self.files.items()}
        try:
            return self.stage.with_weights(held)
        except ModelError as error:
            raise type(error)(error.what, hint=error.hint, path=error.path or str(path)) from error
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ModelFormatError(
                f"its weights do not suit {self.stage.role} {self.stage.name}: {error}",
                path=str(path),
            ) from error


def weight_owners(
    parts: Sequence[Features[Any]], regressor: Regressor[Any], width: int
) -> list[WeightOwner]:
    """Return features stages, and last the regressor, with the files that their weights lie in."""
    owners = [_owner(part, part.weight_shapes(0), f"features.{part.name}.") for part in parts]
    return [*owners, _owner(regressor, regressor.weight_shapes(width), "")]


def _stage(registry: Registry, role: Role, text: Mapping[str, Any], path: Path) -> Stage[Any]:
    """Return a stage as the model describes it, if it is installed in the same version."""
    stage_type = _stage_type(registry, role, text["name"], path)
    if stage_type.version != text["version"]:
        raise ModelMismatch(
            f"was made with {role} {text['name']} version {text['version']}, "
            f"installed is version {stage_type.version}",
            path=str(path),
        )
    return _with_options(stage_type, text["name"], text["options"], path)


def _stage_type(registry: Registry, role: Role, name: str, path: Path) -> type[Stage[Any]]:
    try:
        stage_type = registry.find_stage(role, name)
    except StageNotFound as error:
        raise ModelMismatch(
            f"was made with {role} {name}, which is not installed",
            hint=error.hint,
            path=str(path),
        ) from error
    require_libraries(stage_type)
    return stage_type


def _with_options(
    stage_type: type[Stage[Any]], name: str, text: Mapping[str, str], path: Path
) -> Stage[Any]:
    try:
        stage = stage_type(options_from_text(stage_type.Options, text, owner=name))
        _refuse_paths(stage)
    except OptionError as error:
        raise ModelMismatch(error.what, hint=error.hint, path=str(path)) from error
    except ModelFormatError as error:
        raise ModelFormatError(error.what, path=str(path)) from error
    return stage


def _refuse_paths(stage: Stage[Any]) -> None:
    """Refuse options that name files: a model must not make a program open what it names."""
    for described in describe_options(type(stage.options)):
        value = getattr(stage.options, described.name)
        if described.type is Path and not described.run and value != described.default:
            raise ModelFormatError(
                f"{stage.name}.{described.name} names a file ({str(value)[:80]!r}), "
                "which a model cannot hold"
            )


def _owner(stage: Stage[Any], shapes: WeightShapes, prefix: str) -> WeightOwner:
    for stem in shapes:
        if not _STEM.fullmatch(stem):
            raise ContractError(f"{stage.role} {stage.name} has weights {stem!r}, wanted a word")
    files = {stem: f"{prefix}{stem}.safetensors" for stem in shapes}
    return WeightOwner(stage=stage, shapes=shapes, files=files)


def _check_tensors(
    stage: Stage[Any], stem: str, tensors: Mapping[str, Any], shapes: Mapping[str, Any]
) -> None:
    who = f"{stage.role} {stage.name}: weights {stem}"
    if set(tensors) != set(shapes):
        raise ContractError(f"{who} hold {_words(tensors)}, declared are {_words(shapes)}")
    for name, shape in shapes.items():
        array = tensors[name]
        if array.dtype not in (np.float16, np.float32) or array.shape != tuple(shape):
            raise ContractError(
                f"{who}.{name} is {array.dtype} {array.shape}, wanted float32 {tuple(shape)}"
            )
        if not np.isfinite(array).all():
            raise ContractError(f"{who}.{name} holds NaN or infinity")


def _words(names: Iterable[str]) -> str:
    return ", ".join(str(name)[:80] for name in names) or "none"

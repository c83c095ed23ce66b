"""Which models there are, by name, by path, and by the stages that they were made for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from chroma_core.errors import ModelError, ModelFormatError
from chroma_core.models.description import DESCRIPTION, read_description
from chroma_core.plugins import Registry, default_registry
from chroma_core.stages import Regressor

__all__ = ["ModelInfo", "find_model", "list_models", "model_for", "model_info"]


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What ``model.json`` says of an installed model; its weights are not read.

    Attributes
    ----------
    name : str
        How it is asked for.
    distribution : str
        Who installed it.
    path : Path
        Its folder.
    work_size : int
        Short side of the work picture in pixels; 0 where the folder cannot be read.
    features : tuple of str
        Names of its features stages.
    regressor : str
        Name of the regressor that trained it.
    weight_format : str
        Format of its weights: any regressor that reads it runs the model.
    refiners : tuple of str
        Names of its default refiners.
    licence : str
        Licence of the weights.
    record : Mapping[str, Any]
        Facts of its training.
    problem : str
        Why it cannot be read; empty if it can.
    """

    name: str
    distribution: str
    path: Path
    work_size: int = 0
    features: tuple[str, ...] = ()
    regressor: str = ""
    weight_format: str = ""
    refiners: tuple[str, ...] = ()
    licence: str = ""
    record: Mapping[str, Any]
    problem: str = ""


def find_model(model: str | Path, *, registry: Registry | None = None) -> Path:
    """Return the folder of a model.

    Parameters
    ----------
    model : str or Path
        Name of an installed model, or a folder. A bare word is a name first: a folder of the same
        name in the current directory is reached as ``./name``.
    registry : Registry, optional
        Where installed models are looked up.

    Raises
    ------
    ModelError
        If there is none; names those that are installed.
    """
    registry = registry or default_registry()
    bare = isinstance(model, str) and not re.search(r"[/\\]", model)
    installed = []
    for shipped_only in (True, False) if bare else ():
        installed = registry.models(shipped_only=shipped_only)
        for folder in installed:
            if folder.name == model:
                return folder.path
    path = Path(model)
    try:
        if path.is_dir() and str(model):
            return path
        there = path.is_file()
    except (OSError, ValueError):
        there = False
    if there:
        raise ModelFormatError(
            "is no folder", hint=f"a model is a folder with {DESCRIPTION}", path=str(model)
        )
    names = ", ".join(folder.name for folder in installed) or "none"
    raise ModelError(
        f"there is no model {str(model)[:200]!r}", hint=f"installed: {names}", exit_status=69
    )


def list_models(*, registry: Registry | None = None) -> list[ModelInfo]:
    """Return the installed models, chroma's own first; a broken one with its problem."""
    registry = registry or default_registry()
    return [_info(folder.path, folder.name, folder.distribution) for folder in registry.models()]


def model_info(path: str | Path) -> ModelInfo:
    """Return what the description of a model folder says; its weights are not read."""
    return _info(Path(path), Path(path).resolve().name, "")


def model_for(
    features: Sequence[str], regressor: str = "", *, registry: Registry | None = None
) -> Path:
    """Return the installed model that was made for these stages.

    Parameters
    ----------
    features : sequence of str
        Names of features stages, in order; empty stands for any.
    regressor : str, optional
        Name of a regressor: the one that trained the model, or one that reads its weights. Empty
        stands for any.
    registry : Registry, optional
        Where stages and models are looked up.

    Raises
    ------
    ModelError
        If there is none.
    """
    registry = registry or default_registry()
    reads = frozenset[str]()
    if regressor:
        reads = cast("type[Regressor[Any]]", registry.find_stage("regressor", regressor)).reads
    for info in list_models(registry=registry):
        fits = not regressor or regressor == info.regressor or info.weight_format in reads
        if not info.problem and fits and (not features or tuple(features) == info.features):
            return info.path
    asked = [f"features {','.join(features)}"] if features else []
    asked += [f"regressor {regressor}"] if regressor else []
    raise ModelError(
        f"no installed model was made for {' and '.join(asked) or 'any stage'}",
        hint="train one, or name a model folder",
        exit_status=69,
    )


def _info(path: Path, name: str, distribution: str) -> ModelInfo:
    try:
        found, _ = read_description(path)
    except ModelError as error:
        return ModelInfo(
            name=name, distribution=distribution, path=path, record={}, problem=str(error)
        )
    return ModelInfo(
        name=name,
        distribution=distribution,
        path=path,
        work_size=found["work_size"],
        features=tuple(part["name"] for part in found["features"]),
        regressor=found["regressor"]["name"],
        weight_format=found["regressor"]["weights"],
        refiners=tuple(part["name"] for part in found["refiners"]),
        licence=found["licence"],
        record=found["training"],
    )

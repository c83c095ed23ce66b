"""Model folders: save, load, find.

A model folder holds ``model.json`` (which stages with which versions and options, at which size of
the work picture, trained how), one safetensors file for each net, and a card for people,
``README.md``. Stages say what their weights are called and what shape they have; this module alone
reads and writes them. Loading runs no code of the model: stage names go through the plugin
registry, and names of files follow from the stages.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from chroma_core.arrays import AnyArray
from chroma_core.errors import (
    ContractError,
    InputError,
    ModelError,
    ModelFormatError,
    ModelMismatch,
    OptionError,
    StageNotFound,
)
from chroma_core.model_card import write_card
from chroma_core.model_files import parse_json, read_bounded, read_weights, weights_bytes
from chroma_core.options import describe_options, options_from_text, options_to_text
from chroma_core.plugins import Registry, default_registry, require_libraries
from chroma_core.stages import (
    Colorspace,
    Features,
    Regressor,
    Role,
    Stage,
    TrainableRegressor,
    WeightShapes,
)
from chroma_core.version import VERSION

__all__ = [
    "Model",
    "ModelInfo",
    "find_model",
    "list_models",
    "load_model",
    "model_for",
    "model_info",
    "save_model",
    "write_card",
]
FORMAT = 1
"""Version of the folder's layout, raised when an older program could misread a newer folder."""

DESCRIPTION = "model.json"
CARD = "README.md"
WORK_SIZES = range(8, 16385)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_STAGE_NAME = re.compile(r"([a-z0-9][a-z0-9._-]{0,99}:)?[a-z0-9-]{1,100}")
_STEM = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEYS = {
    "format": int,
    "name": str,
    "made_by": str,
    "work_size": int,
    "colorspace": dict,
    "features": list,
    "regressor": dict,
    "refiners": list,
    "files": dict,
    "training": dict,
    "licence": str,
}
_STAGE_KEYS: dict[str, type] = {"name": str, "version": int, "options": dict}


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained model: its stages, ready to be used.

    Attributes
    ----------
    name : str
        Name.
    path : Path
        Its folder.
    work_size : int
        Short side, in pixels, of the work picture that it was trained on.
    colorspace : Colorspace
        The space of its chroma.
    features : Features
        What its regressor sees; `Concatenated` where they are several.
    regressor : Regressor
        With its weights.
    weight_format : str
        Format of the weights, such as ``"dense-net/1"``; empty where there are none.
    refiners : tuple of (str, Mapping[str, str])
        Names and options, as text, of the refiners that it is to be used with by default.
    record : Mapping[str, Any]
        Facts of its training: data, options, seed, metrics, commands.
    licence : str
        Licence of the weights.
    digest : str
        SHA-256 over ``model.json`` and the weights, hexadecimal.
    """

    name: str
    path: Path
    work_size: int
    colorspace: Colorspace[Any]
    features: Features[Any]
    regressor: Regressor[Any]
    weight_format: str
    refiners: tuple[tuple[str, Mapping[str, str]], ...]
    record: Mapping[str, Any]
    licence: str
    digest: str


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


def save_model(
    folder: str | Path,
    *,
    colorspace: Colorspace[Any],
    features: Features[Any],
    regressor: Regressor[Any],
    work_size: int,
    name: str = "",
    refiners: Iterable[tuple[str, Mapping[str, str]]] = (),
    record: Mapping[str, Any] | None = None,
    licence: str = "",
    overwrite: bool = False,
    registry: Registry | None = None,
) -> Path:
    """Write a model folder, whole or not at all.

    Parameters
    ----------
    folder : str or Path
        Where; must not be there yet, or be empty.
    colorspace, features, regressor : Stage
        The stages, the regressor trained.
    work_size : int
        Short side, in pixels, of the work picture that it was trained on.
    name : str, optional
        Its name; that of the folder by default.
    refiners : iterable of (str, Mapping[str, str]), optional
        Default refiners: names and options as text.
    record : Mapping, optional
        Facts of the training, for the card; see `write_card`.
    licence : str, optional
        Licence of the weights.
    overwrite : bool, optional
        Replace a model folder that is there already.
    registry : Registry, optional
        Where refiners are looked up; what is installed by default.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    InputError
        If a name, the work size or the record cannot be written down.
    ModelError
        If something is there already.
    ContractError
        If a stage's weights are not those that it declares.
    """
    target = Path(folder)
    name = name or target.name
    _check_target(target, overwrite=overwrite)
    if not _NAME.fullmatch(name):
        raise InputError(f"model name {name!r}, wanted lower-case letters, digits, '.', '_', '-'")
    if work_size not in WORK_SIZES:
        raise InputError(
            f"work size is {work_size}, wanted {WORK_SIZES.start} to {WORK_SIZES.stop - 1} px"
        )
    parts = _parts(features)
    owners, last = _owners(parts, regressor, features.width)
    contents = {
        file: content for owner in [*owners, last] for file, content in _contents(owner).items()
    }
    if colorspace.weights():
        raise ContractError(f"colorspace {colorspace.name} has weights, which no model can hold")
    description = {
        "format": FORMAT,
        "name": name,
        "made_by": f"chroma-colorize {VERSION}",
        "work_size": work_size,
        "colorspace": _stage_text(colorspace),
        "features": [{**_stage_text(part), "width": part.width} for part in parts],
        "regressor": {**_stage_text(regressor), "weights": _weight_format(regressor)},
        "refiners": [
            {"name": refiner, "options": _refiner_options(refiner, text, registry)}
            for refiner, text in refiners
        ],
        "files": {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()},
        "training": dict(record or {}),
        "licence": licence,
    }
    text = _json_text(description, target)
    # The card shows what was written, so numbers and paths look as they do in model.json.
    contents[CARD] = write_card(json.loads(text)).encode("utf-8")
    contents[DESCRIPTION] = text
    _write_folder(target, contents, overwrite=overwrite)
    return target


def load_model(
    model: str | Path, *, regressor: str | None = None, registry: Registry | None = None
) -> Model:
    """Load a model.

    Parameters
    ----------
    model : str or Path
        Name of an installed model, or a model folder.
    regressor : str, optional
        Another regressor than the one that trained it; must read its weight format.
    registry : Registry, optional
        Where stages are looked up; what is installed by default.

    Raises
    ------
    ModelError
        If there is no such model.
    ModelFormatError
        If the folder is damaged, hostile, or newer than this program.
    ModelMismatch
        If its stages are not installed in the version that it was trained with, or the regressor
        asked for does not read its weights; names both.
    PluginError
        If a library is missing that one of its stages needs.
    """
    registry = registry or default_registry()
    path = find_model(model, registry=registry)
    text = read_bounded(path / DESCRIPTION)
    description = _description(parse_json(text, path / DESCRIPTION), path / DESCRIPTION)
    colorspace = _stage(registry, "colorspace", description["colorspace"], path)
    parts = [_features(registry, part, path) for part in description["features"]]
    features = _joined(parts)
    trained = description["regressor"]
    answer = _regressor(registry, trained, regressor, path)
    _check_refiners(registry, description["refiners"], path)

    owners, last = _owners(parts, answer, features.width)
    shapes = {
        file: owner.shapes[stem] for owner in [*owners, last] for stem, file in owner.files.items()
    }
    files = description["files"]
    if set(files) != set(shapes):
        raise ModelMismatch(
            f"its files are {_words(files)}, its stages want {_words(shapes)}", path=str(path)
        )
    tensors = {file: read_weights(path / file, shapes[file], files[file]) for file in shapes}
    digest = hashlib.sha256(text)
    for file in sorted(files):
        digest.update(f"{file}\0{files[file]}\0".encode())
    loaded = [cast("Features[Any]", _with_weights(owner, tensors)) for owner in owners]
    return Model(
        name=description["name"],
        path=path,
        work_size=description["work_size"],
        colorspace=cast("Colorspace[Any]", colorspace),
        features=_joined(loaded),
        regressor=cast("Regressor[Any]", _with_weights(last, tensors)),
        weight_format=trained["weights"],
        refiners=tuple((part["name"], part["options"]) for part in description["refiners"]),
        record=description["training"],
        licence=description["licence"],
        digest=digest.hexdigest(),
    )


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
        if path.is_dir():
            return path
        there = path.exists()
    except (OSError, ValueError):
        there = False
    if there:
        raise ModelFormatError(
            "is no folder", hint=f"a model is a folder with {DESCRIPTION}", path=str(model)
        )
    names = ", ".join(folder.name for folder in installed) or "none"
    raise ModelError(
        f"there is no model {str(model)!r}", hint=f"installed: {names}", exit_status=69
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


def _check_target(target: Path, *, overwrite: bool) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ModelError("is there already", path=str(target), exit_status=73, kind="exists")
    if not target.is_dir() or not any(target.iterdir()):
        return
    # Only ever a model folder is replaced: a mistyped path must not cost a home folder.
    if not overwrite or not (target / DESCRIPTION).is_file():
        raise ModelError(
            "is there already and is not empty", path=str(target), exit_status=73, kind="exists"
        )


def _parts(features: Features[Any]) -> list[Features[Any]]:
    from chroma_core.features.concatenated import Concatenated

    return list(features.stages) if isinstance(features, Concatenated) else [features]


def _joined(parts: Sequence[Features[Any]]) -> Features[Any]:
    from chroma_core.features.concatenated import Concatenated

    return parts[0] if len(parts) == 1 else Concatenated(parts)


def _stage_text(stage: Stage[Any]) -> dict[str, Any]:
    _refuse_paths(stage)
    return {
        "name": stage.name,
        "version": stage.version,
        "options": options_to_text(stage.options, run=False),
    }


def _refuse_paths(stage: Stage[Any]) -> None:
    """Refuse options that name files: a model must not make a program open what it names."""
    for described in describe_options(type(stage.options)):
        value = getattr(stage.options, described.name)
        if described.type is Path and not described.run and value != described.default:
            raise ModelFormatError(
                f"{stage.name}.{described.name} names a file ({str(value)[:80]!r}), "
                "which a model cannot hold"
            )


def _weight_format(regressor: Regressor[Any]) -> str:
    if isinstance(regressor, TrainableRegressor) and regressor.writes:
        return regressor.writes
    if len(regressor.reads) > 1:
        raise ContractError(
            f"regressor {regressor.name} reads {_words(regressor.reads)}, "
            "and does not say which of them it writes"
        )
    return next(iter(regressor.reads), "")


def _refiner_options(
    name: str, text: Mapping[str, str], registry: Registry | None
) -> dict[str, str]:
    stage_type = (registry or default_registry()).find_stage("refiner", name)
    stage = stage_type(options_from_text(stage_type.Options, text, owner=name))
    _refuse_paths(stage)
    return options_to_text(stage.options, run=False)


@dataclass(frozen=True, kw_only=True)
class _Owner:
    """A stage that may own weights, with the names of its files by stem."""

    stage: Stage[Any]
    shapes: WeightShapes
    files: Mapping[str, str]


def _owners(
    parts: Sequence[Features[Any]], regressor: Regressor[Any], width: int
) -> tuple[list[_Owner], _Owner]:
    """Return features stages and regressor with the files that their weights lie in."""
    seen: Counter[str] = Counter()
    owners = []
    for part in parts:
        seen[part.name] += 1
        again = f".{seen[part.name]}" if seen[part.name] > 1 else ""
        owners.append(_owner(part, part.weight_shapes(0), f"features.{part.name}{again}."))
    return owners, _owner(regressor, regressor.weight_shapes(width), "")


def _owner(stage: Stage[Any], shapes: WeightShapes, prefix: str) -> _Owner:
    for stem in shapes:
        if not _STEM.fullmatch(stem):
            raise ContractError(f"{stage.role} {stage.name} has weights {stem!r}, wanted a word")
    files = {stem: f"{prefix}{stem}.safetensors" for stem in shapes}
    return _Owner(stage=stage, shapes=shapes, files=files)


def _contents(owner: _Owner) -> dict[str, bytes]:
    """Return the weight files of a stage, its weights checked against what it declares."""
    stage = owner.stage
    weights = stage.weights()
    if set(weights) != set(owner.shapes):
        raise ContractError(
            f"{stage.role} {stage.name} has weights {_words(weights)}, "
            f"declares {_words(owner.shapes)}",
            hint="" if weights else "has it been trained?",
        )
    contents = {}
    for stem, shapes in owner.shapes.items():
        _check_tensors(stage, stem, weights[stem], shapes)
        contents[owner.files[stem]] = weights_bytes(weights[stem], stem)
    return contents


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


def _with_weights(owner: _Owner, tensors: Mapping[str, Mapping[str, AnyArray]]) -> Stage[Any]:
    if not owner.files:
        return owner.stage
    return owner.stage.with_weights({stem: tensors[file] for stem, file in owner.files.items()})


def _json_text(description: Mapping[str, Any], target: Path) -> bytes:
    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, Path):
            return str(value)
        raise TypeError(f"a {type(value).__name__} cannot be written down")

    try:
        text = json.dumps(description, indent=2, allow_nan=False, default=plain).encode() + b"\n"
        parse_json(text, target / DESCRIPTION)
    except (TypeError, ValueError) as error:
        raise InputError(f"training record: {error}", path=str(target)) from error
    except ModelFormatError as error:
        raise InputError(f"training record: {error.what}", path=str(target)) from error
    return text


def _write_folder(target: Path, contents: Mapping[str, bytes], *, overwrite: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(6)
    new = target.parent / f".{target.name}.{token}.partial"
    old = target.parent / f".{target.name}.{token}.old"
    try:
        new.mkdir()
        for name, content in contents.items():
            with (new / name).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        if target.is_dir():
            if overwrite and any(target.iterdir()):
                target.rename(old)
            else:
                target.rmdir()
        new.rename(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            if old.exists() and not target.exists():
                old.rename(target)
        raise ModelError(
            f"cannot be written: {error.strerror}", path=str(target), exit_status=73, kind="io"
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)


def _description(parsed: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return a ``model.json`` that has exactly the keys, types and bounds it must have."""
    version = parsed.get("format")
    if type(version) is int and version > FORMAT:
        made_by = str(parsed.get("made_by", "a newer program"))[:80]
        raise ModelFormatError(
            f"has format {version}, this program reads {FORMAT}",
            hint=f"made by {made_by!r}: upgrade chroma-colorize",
            path=str(path),
        )
    _check_keys(parsed, _KEYS, "", path)
    if version != FORMAT:
        raise ModelFormatError(f"has format {version!r}, wanted {FORMAT}", path=str(path))
    if not _NAME.fullmatch(parsed["name"]):
        raise ModelFormatError(f"has the name {parsed['name'][:80]!r}", path=str(path))
    if parsed["work_size"] not in WORK_SIZES:
        raise ModelFormatError(
            f"has work_size {parsed['work_size']}, "
            f"wanted {WORK_SIZES.start} to {WORK_SIZES.stop - 1}",
            path=str(path),
        )
    if not 1 <= len(parsed["features"]) <= 32 or len(parsed["refiners"]) > 32:
        raise ModelFormatError("has too many stages, or no features", path=str(path))
    _check_stage_text(parsed["colorspace"], _STAGE_KEYS, "colorspace", path)
    for part in parsed["features"]:
        _check_stage_text(part, {**_STAGE_KEYS, "width": int}, "features", path)
    _check_stage_text(parsed["regressor"], {**_STAGE_KEYS, "weights": str}, "regressor", path)
    for part in parsed["refiners"]:
        _check_stage_text(part, {"name": str, "options": dict}, "refiners", path)
    for file, sha256 in parsed["files"].items():
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise ModelFormatError(f"files: {file[:80]!r} has no SHA-256", path=str(path))
    return parsed


def _check_stage_text(part: Any, keys: Mapping[str, type], where: str, path: Path) -> None:
    if not isinstance(part, dict):
        raise ModelFormatError(f"{where} holds a {type(part).__name__}", path=str(path))
    _check_keys(part, keys, f"{where}.", path)
    if not _STAGE_NAME.fullmatch(part["name"]):
        raise ModelFormatError(f"{where} has the name {part['name'][:80]!r}", path=str(path))
    if not all(isinstance(value, str) for value in part["options"].values()):
        raise ModelFormatError(f"{where}.options holds values that are not text", path=str(path))


def _check_keys(
    found: Mapping[str, Any], wanted: Mapping[str, type], where: str, path: Path
) -> None:
    for key in found:
        if key not in wanted:
            raise ModelFormatError(f"has the unknown key {(where + key)[:80]!r}", path=str(path))
    for key, kind in wanted.items():
        if key not in found:
            raise ModelFormatError(f"lacks the key {where + key!r}", path=str(path))
        if type(found[key]) is not kind:
            have = type(found[key]).__name__
            raise ModelFormatError(
                f"{where + key} is of type {have}, wanted {kind.__name__}", path=str(path)
            )


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


def _features(registry: Registry, text: Mapping[str, Any], path: Path) -> Features[Any]:
    stage = cast("Features[Any]", _stage(registry, "features", text, path))
    if stage.width != text["width"]:
        raise ModelMismatch(
            f"was made with {text['width']} numbers of {stage.name} at a node, "
            f"the installed stage gives {stage.width}",
            path=str(path),
        )
    return stage


def _regressor(
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


def _check_refiners(registry: Registry, texts: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Refuse options of default refiners that no model may hold.

    A refiner that is not installed is no reason to refuse the model: another may be asked for.
    """
    for text in texts:
        with contextlib.suppress(StageNotFound):
            stage_type = registry.find_stage("refiner", text["name"])
            _with_options(stage_type, text["name"], text["options"], path)


def _info(path: Path, name: str, distribution: str) -> ModelInfo:
    place = path / DESCRIPTION
    try:
        found = _description(parse_json(read_bounded(place), place), place)
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


def _words(names: Iterable[str]) -> str:
    return ", ".join(str(name)[:80] for name in names) or "none"

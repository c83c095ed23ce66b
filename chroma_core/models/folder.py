"""Save a model into its folder, and load it again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from chroma_core.errors import (
    ContractError,
    InputError,
    ModelError,
    ModelFormatError,
    ModelMismatch,
    OptionError,
)
from chroma_core.models.card import write_card
from chroma_core.models.description import (
    DESCRIPTION,
    FORMAT,
    description_bytes,
    read_description,
)
from chroma_core.models.files import read_weights
from chroma_core.models.find import find_model
from chroma_core.models.stages import (
    build_colorspace,
    build_features,
    build_regressor,
    check_refiners,
    describe_refiner,
    describe_stage,
    features_of,
    join_features,
    weight_format,
    weight_owners,
)
from chroma_core.plugins import Registry, default_registry
from chroma_core.stages import Colorspace, Features, Regressor
from chroma_core.version import VERSION

__all__ = ["Model", "add_metrics", "load_model", "save_model"]

CARD = "README.md"


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
    beside: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a model folder, whole or not at all.

    What a killed saving left under names of its own goes with the next saving to the same place.

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
    beside : Mapping[str, bytes], optional
        Further files by name, such as a history; nothing reads them with the model.

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
    registry = registry or default_registry()
    _check_target(target, overwrite=overwrite)
    if colorspace.weights():
        raise ContractError(f"colorspace {colorspace.name} has weights, which no model can hold")
    parts = features_of(features)
    contents = {
        file: content
        for owner in weight_owners(parts, regressor, features.width)
        for file, content in owner.contents().items()
    }
    description = {
        "format": FORMAT,
        "name": name or target.name,
        "made_by": f"chroma-colorize {VERSION}",
        "work_size": work_size,
        "colorspace": describe_stage(colorspace, registry),
        "features": [{**describe_stage(part, registry), "width": part.width} for part in parts],
        "regressor": {**describe_stage(regressor, registry), "weights": weight_format(regressor)},
        "refiners": [describe_refiner(refiner, text, registry) for refiner, text in refiners],
        "files": {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()},
        "training": dict(record or {}),
        "licence": licence,
    }
    text = description_bytes(description, target)
    # The card shows what was written, so numbers and paths look as they do in model.json.
    contents[CARD] = write_card(json.loads(text)).encode("utf-8")
    contents[DESCRIPTION] = text
    for file, content in (beside or {}).items():
        if file in contents or Path(file).name != file or file == "..":
            raise InputError(f"{file!r} is no name for a further file of a model")
        contents[file] = content
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
    description, text = read_description(path)
    colorspace = build_colorspace(registry, description["colorspace"], path)
    parts = [build_features(registry, part, path) for part in description["features"]]
    width = _joined(parts, path).width
    trained = description["regressor"]
    answer = build_regressor(registry, trained, regressor, path)
    check_refiners(registry, description["refiners"], path)

    owners = weight_owners(parts, answer, width)
    shapes = {file: owner.shapes[stem] for owner in owners for stem, file in owner.files.items()}
    files = description["files"]
    if set(files) != set(shapes):
        raise ModelMismatch(
            f"its files are {_words(files)}, its stages want {_words(shapes)}", path=str(path)
        )
    tensors = {file: read_weights(path / file, shapes[file], files[file]) for file in shapes}
    digest = hashlib.sha256(text)
    for file in sorted(files):
        digest.update(f"{file}\0{files[file]}\0".encode())
    *seen, last = [owner.with_weights(tensors, path) for owner in owners]
    return Model(
        name=description["name"],
        path=path,
        work_size=description["work_size"],
        colorspace=colorspace,
        features=_joined(cast("list[Features[Any]]", seen), path),
        regressor=cast("Regressor[Any]", last),
        weight_format=trained["weights"],
        refiners=tuple((part["name"], part["options"]) for part in description["refiners"]),
        record=description["training"],
        licence=description["licence"],
        digest=digest.hexdigest(),
    )


def add_metrics(folder: str | Path, metrics: Mapping[str, Any]) -> Path:
    """Write figures into the record of a model, and so into its card; the weights stay.

    Parameters
    ----------
    folder : path
        The model folder. It is replaced as a whole, with everything that lies in it.
    metrics : Mapping[str, Any]
        By name; a name that is there already gets the new figures.

    Returns
    -------
    Path
        The model folder.

    Raises
    ------
    ModelFormatError
        If it is no model folder.
    ModelError
        If it cannot be written.
    """
    target = Path(folder)
    description, _ = read_description(target)
    record = dict(description["training"])
    before = record.get("metrics")
    record["metrics"] = {**(before if isinstance(before, Mapping) else {}), **metrics}
    text = description_bytes({**description, "training": record}, target)
    contents = {path.name: path.read_bytes() for path in target.iterdir() if path.is_file()}
    contents |= {DESCRIPTION: text, CARD: write_card(json.loads(text)).encode("utf-8")}
    _write_folder(target, contents, overwrite=True)
    return target


def _joined(parts: Sequence[Features[Any]], path: Path) -> Features[Any]:
    try:
        return join_features(parts)
    except OptionError as error:
        raise ModelFormatError(error.what, path=str(path)) from error


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


def _write_folder(target: Path, contents: Mapping[str, bytes], *, overwrite: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(6)
    new = target.parent / f".{target.name}.{token}.partial"
    old = target.parent / f".{target.name}.{token}.old"
    lock = -1
    try:
        new.mkdir()
        lock = _locked(new)
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
            _remove_leftovers(target)
        if lock >= 0:
            os.close(lock)


def _locked(folder: Path) -> int:
    """Return a descriptor that holds a lock as long as this process lives, or -1 without locks."""
    with contextlib.suppress(ImportError):
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
        else:
            return descriptor
    return -1


def _remove_leftovers(target: Path) -> None:
    """Remove what savings to the same place left that were killed: nobody holds its lock."""
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{12}}\.(partial|old)")
    for path in list(target.parent.iterdir()):
        if not name.fullmatch(path.name) or path.is_symlink():
            continue
        with contextlib.suppress(OSError):
            lock = _locked(path)
            if lock >= 0:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)


def _words(names: Iterable[str]) -> str:
    return ", ".join(str(name)[:80] for name in names) or "none"

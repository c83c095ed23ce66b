"""From names to stages, and from a picture to its colours.

>>> import numpy as np
>>> from chroma_core import colorize
>>> gray = np.linspace(0, 1, 64 * 64).reshape(64, 64)
>>> colorize(gray, features="none", regressor="none").shape
(64, 64, 3)
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from chroma_core.errors import ModelMismatch, OptionError, PluginError
from chroma_core.features.concatenated import Concatenated
from chroma_core.models import Model, load_model, model_for
from chroma_core.options import Options, describe_options, options_from_text, options_to_text
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_picture
from chroma_core.pipeline import JoinMethod, Pipeline
from chroma_core.plugins import find_stage, require_libraries
from chroma_core.stages import Colorspace, Features, Refiner, Regressor, Role

__all__ = [
    "DEFAULT_MODELS",
    "Settings",
    "build",
    "build_features",
    "build_refiners",
    "build_stage",
    "colorize",
]

DEFAULT_MODELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("unet", ("onnx",)),
    ("semantic-dense", ("dense", "tf-dense")),
    ("sift-dense", ("dense", "tf-dense")),
    ("local-dense", ("dense", "tf-dense")),
)
"""Shipped models, best first, and the regressors that may run them, lightest first."""

DEFAULT_REFINERS = ("intensity",)


@dataclass(kw_only=True)
class Settings:
    """Options given as text, ``STAGE.OPTION=VALUE``, and which of them were taken.

    Attributes
    ----------
    values : dict
        Stage name to option name to text.
    taken : dict
        Stages that are in use, and the names of their options. Stages of two roles may share a
        name, as ``none`` does: a setting then goes to each that has such an option.
    """

    values: dict[str, dict[str, str]] = field(default_factory=dict)
    taken: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, settings: Mapping[str, str] | Iterable[str] | None) -> Settings:
        """Read settings from ``["sift.step=8"]`` or ``{"sift.step": "8"}``.

        Raises
        ------
        OptionError
            If an item is not of that form.
        """
        items: Iterable[str]
        if isinstance(settings, str):
            items = [settings]
        elif isinstance(settings, Mapping):
            items = [f"{name}={value}" for name, value in settings.items()]
        else:
            items = settings or ()
        parsed = cls()
        for item in items:
            name, equals, value = item.partition("=")
            stage, dot, option = name.rpartition(".")
            if not (equals and dot and stage and option):
                raise OptionError(f"setting {item!r} is not of the form STAGE.OPTION=VALUE")
            parsed.values.setdefault(stage.strip(), {})[option.strip()] = value
        return parsed

    def of(self, stage: str, options: type[Options]) -> dict[str, str]:
        """Return the settings of a stage that has such options, and remember them as taken."""
        known = {described.name for described in describe_options(options)}
        self.taken.setdefault(stage, set()).update(known)
        return {name: text for name, text in self.values.get(stage, {}).items() if name in known}

    def refuse_the_rest(self) -> None:
        """Raise OptionError if a setting names a stage that is not in use, or no option of it."""
        for stage, settings in self.values.items():
            if stage not in self.taken:
                used = ", ".join(sorted(self.taken))
                raise OptionError(f"setting for {stage}, which is not in use", hint=f"used: {used}")
            for name in settings.keys() - self.taken[stage]:
                known = sorted(self.taken[stage])
                near = difflib.get_close_matches(name, known, n=1)
                listed = f"options: {', '.join(known) or 'none'}"
                hint = f"did you mean {stage}.{near[0]}?" if near else listed
                raise OptionError(f"unknown option {stage}.{name}", hint=hint)


def colorize(picture: Any, **pipeline: Any) -> Any:
    """Colour a gray picture.

    Parameters
    ----------
    picture : ndarray, shape (H, W) or (H, W, 3), or a path
        Encoded gray or sRGB: uint8, uint16, or floats in [0, 1]; or the file that holds it.
    **pipeline
        What `build` takes: ``features``, ``regressor``, ``refiner``, ``model``, ``settings``, …

    Returns
    -------
    ndarray, shape (H, W, 3)
        Encoded sRGB in the dtype of the picture.
    """
    if isinstance(picture, str | Path):
        picture = read_picture(picture).pixels
    elif isinstance(picture, Picture):
        picture = picture.pixels
    return build(**pipeline)(np.asarray(picture))


def build(
    *,
    features: str | Sequence[str] | None = None,
    regressor: str | None = None,
    refiner: str | Sequence[str] | None = None,
    colorspace: str | None = None,
    model: str | Path | None = None,
    settings: Mapping[str, str] | Iterable[str] | None = None,
    join: JoinMethod = "guided",
    work_size: int | None = None,
    vividness: float = 1.0,
    certainty: float | None = None,
) -> Pipeline:
    """Build a pipeline from the names of its stages.

    Parameters
    ----------
    features : str or sequence of str, optional
        Names, or one text with commas: ``"sift,lightness"``.
    regressor : str, optional
        Name. With a model it may be any regressor that runs that model's weights.
    refiner : str or sequence of str, optional
        Names in the order of application; the model's own chain where not given.
    colorspace : str, optional
        Name; the model's own where not given.
    model : str or Path, optional
        Name of a shipped or local model, or its folder. Without it, the shipped model made for
        these features and this regressor; without those, the best shipped model that can run here.
    settings : Mapping or iterable of str, optional
        Options as text, ``"sift.step=8"``.
    join : {"guided", "bilinear"}, optional
        How chroma comes to full size.
    work_size : int, optional
        Short side of the work picture in pixels, 0 for full size; the model's own where not given.
    vividness : float, optional
        1 as shipped, 0 the least vivid.
    certainty : float, optional
        0 to 1: how much chroma fades where the regressor is not sure; what the model advises where
        not given.

    Raises
    ------
    StageNotFound, OptionError
        If a name or a value is not known.
    PluginError
        If a stage needs a library that is not installed.
    ModelMismatch
        If stages or options contradict the model.
    """
    chosen = Settings.parse(settings)
    wanted = _names(features)
    if model is None and not wanted and regressor is None:
        model, regressor = _default_model()
    if model is None and not _needs_model(regressor):
        pipeline = _without_model(wanted, regressor or "none", colorspace, chosen)
        refiner = refiner if refiner is not None else ()
    else:
        loaded = _load(model, wanted, regressor)
        pipeline = _with_model(loaded, wanted, colorspace, chosen)
        if refiner is None:
            refiners = tuple(
                _stage("refiner", name, chosen, text) for name, text in loaded.refiners
            )
            pipeline = _replaced(pipeline, refiners=refiners)
    if refiner is not None:
        pipeline = _replaced(pipeline, refiners=build_refiners(refiner, chosen))
    chosen.refuse_the_rest()
    return _replaced(
        pipeline,
        join=join,
        work_size=pipeline.work_size if work_size is None else work_size,
        vividness=vividness,
        certainty=pipeline.certainty if certainty is None else certainty,
    )


def build_stage(
    role: Role, name: str, settings: Settings | Mapping[str, str] | Iterable[str] | None = None
) -> Any:
    """Build one stage by name, with options as text (``"sift.step=8"``).

    Returns
    -------
    Stage
        Of the class that the role names.
    """
    if isinstance(settings, Settings):
        return _stage(role, name, settings)
    chosen = Settings.parse(settings)
    stage = _stage(role, name, chosen)
    chosen.refuse_the_rest()
    return stage


def build_features(
    names: str | Sequence[str], settings: Settings | Mapping[str, str] | Iterable[str] | None = None
) -> Features[Any]:
    """Build one features stage, or several brought to one grid (``"sift,position"``)."""
    chosen = settings if isinstance(settings, Settings) else Settings.parse(settings)
    stages = [_stage("features", name, chosen) for name in _names(names)]
    if not isinstance(settings, Settings):
        chosen.refuse_the_rest()
    return stages[0] if len(stages) == 1 else Concatenated(stages)


def build_refiners(
    names: str | Sequence[str], settings: Settings | Mapping[str, str] | Iterable[str] | None = None
) -> tuple[Refiner[Any], ...]:
    """Build refiners by name, in the order of application."""
    chosen = settings if isinstance(settings, Settings) else Settings.parse(settings)
    refiners = tuple(_stage("refiner", name, chosen) for name in _names(names))
    if not isinstance(settings, Settings):
        chosen.refuse_the_rest()
    return refiners


def _names(names: str | Sequence[str] | None) -> list[str]:
    if names is None:
        return []
    parts = names.split(",") if isinstance(names, str) else names
    return [part.strip() for part in parts if part.strip()]


def _stage(
    role: Role, name: str, chosen: Settings, defaults: Mapping[str, str] | None = None
) -> Any:
    stage_type = find_stage(role, name)
    require_libraries(stage_type)
    text = {**(defaults or {}), **chosen.of(name, stage_type.Options)}
    return stage_type(options_from_text(stage_type.Options, text, owner=name))


def _needs_model(regressor: str | None) -> bool:
    """Tell whether a regressor has weights: one that reads no weight format runs without."""
    if regressor is None:
        return True
    found = find_stage("regressor", regressor)
    return not issubclass(found, Regressor) or bool(found.reads)


def _default_model() -> tuple[str, str]:
    """Return the best shipped model that can run here, and the regressor to run it with."""
    reasons = []
    for name, regressors in DEFAULT_MODELS:
        for regressor in regressors:
            try:
                load_model(name, regressor=regressor)
            except PluginError as error:
                reasons.append(error)
            else:
                return name, regressor
    raise reasons[0]


def _load(model: str | Path | None, features: Sequence[str], regressor: str | None) -> Model:
    if model is None:
        for name in features:
            find_stage("features", name)
        model = model_for(features, regressor or "")
    try:
        return load_model(model, regressor=regressor)
    except PluginError:
        # What trained a shipped model is not all that runs it.
        for other in dict(DEFAULT_MODELS).get(str(model), ()) if regressor is None else ():
            with contextlib.suppress(PluginError):
                return load_model(model, regressor=other)
        raise


def _without_model(
    features: Sequence[str], regressor: str, colorspace: str | None, chosen: Settings
) -> Pipeline:
    space: Colorspace[Any] = build_stage("colorspace", colorspace or "lab", chosen)
    seen = build_features(features or ["none"], chosen)
    answer: Regressor[Any] = _stage("regressor", regressor, chosen)
    return Pipeline(colorspace=space, features=seen, regressor=answer)


def _with_model(
    model: Model, features: Sequence[str], colorspace: str | None, chosen: Settings
) -> Pipeline:
    parts = _parts(model.features)
    if features and list(features) != [part.name for part in parts]:
        raise ModelMismatch(
            f"model {model.name} was made for features "
            f"{','.join(part.name for part in parts)}, not {','.join(features)}",
            hint="leave --features out, or choose another model",
        )
    if colorspace is not None and colorspace != model.colorspace.name:
        raise ModelMismatch(
            f"model {model.name} was made in colorspace {model.colorspace.name}, not {colorspace}"
        )
    changed = [_with_run_options(part, chosen, model) for part in parts]
    return Pipeline(
        colorspace=_with_run_options(model.colorspace, chosen, model),
        features=changed[0] if len(changed) == 1 else Concatenated(changed),
        regressor=_with_run_options(model.regressor, chosen, model),
        work_size=model.work_size,
        origin={"model": model.name, "model_sha256": model.digest},
        mean_chroma=_mean_chroma(model),
        certainty=_certainty(model),
    )


def _mean_chroma(model: Model) -> tuple[float, float] | None:
    try:
        a, b = (float(number) for number in model.record["mean_chroma"])
    except (KeyError, TypeError, ValueError):
        return None
    return a, b


def _certainty(model: Model) -> float:
    """Return the certainty that a model's record advises, 0 where it advises none."""
    advised = model.record.get("certainty", 0.0)
    fits = isinstance(advised, int | float) and not isinstance(advised, bool) and 0 <= advised <= 1
    return float(advised) if fits else 0.0


def _parts(features: Features[Any]) -> list[Features[Any]]:
    return list(features.stages) if isinstance(features, Concatenated) else [features]


def _with_run_options(stage: Any, chosen: Settings, model: Model) -> Any:
    """Return the stage with other run options; any other option must stay the model's."""
    text = chosen.of(stage.name, type(stage.options))
    if not text:
        return stage
    merged = {**options_to_text(stage.options), **text}
    options = options_from_text(type(stage.options), merged, owner=stage.name)
    made_with = options_to_text(stage.options)
    for described in describe_options(type(stage.options)):
        before = getattr(stage.options, described.name)
        after = getattr(options, described.name)
        if before != after and not described.run:
            raise ModelMismatch(
                f"{stage.name}.{described.name} is {text[described.name]}, "
                f"but model {model.name} was made with {made_with[described.name]}",
                hint="train a model with this option, or leave it out",
            )
    return type(stage)(options).with_weights(stage.weights())


def _replaced(pipeline: Pipeline, **changes: Any) -> Pipeline:
    return replace(pipeline, **changes)

"""The plugin that offers the core's own stages, by the hook that a stranger's plugin uses."""

from __future__ import annotations

import importlib
from typing import Any

from chroma_core.hookspecs import hookimpl
from chroma_core.stages import Stage

__all__ = ["chroma_stages"]

_CLASSES = {
    "colorspaces.lab": "LabColorspace",
    "features.patch": "PatchFeatures",
    "features.lightness": "LightnessFeatures",
    "features.position": "PositionFeatures",
    "features.whole": "WholeFeatures",
    "features.none": "NoFeatures",
    "regressors.ridge": "RidgeRegressor",
    "regressors.dense": "DenseRegressor",
    "regressors.none": "NoRegressor",
    "refiners.none": "NoRefiner",
    "refiners.seed": "SeedRefiner",
    "refiners.ratio": "RatioRefiner",
    "refiners.intensity": "IntensityRefiner",
    "refiners.guided": "GuidedRefiner",
    "refiners.joint_bilateral": "JointBilateralRefiner",
}


@hookimpl
def chroma_stages() -> list[type[Stage[Any]]]:
    """Return the reference stages."""
    found = []
    for module, name in _CLASSES.items():
        try:
            found.append(getattr(importlib.import_module(f"chroma_core.{module}"), name))
        except (ModuleNotFoundError, AttributeError):
            continue
    return found

"""chroma: automatic colorization of grayscale photographs.

>>> import numpy as np
>>> import chroma_core as chroma
>>> gray = np.linspace(0, 1, 64 * 64).reshape(64, 64)
>>> chroma.colorize(gray, features="none", regressor="none").shape
(64, 64, 3)

What stands in ``__all__`` is the public interface. Each name is imported when it is first used
(PEP 562), so that ``import chroma_core`` costs no NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chroma_core.api import build, build_features, build_refiners, build_stage, colorize
    from chroma_core.color import (
        delta_e_76,
        delta_e_2000,
        inside_srgb,
        into_srgb,
        lab_to_rgb,
        lab_to_xyz,
        rgb_to_lab,
        xyz_to_lab,
    )
    from chroma_core.conversion import convert
    from chroma_core.errors import (
        ChromaError,
        ContractError,
        InputError,
        ModelError,
        ModelFormatError,
        ModelMismatch,
        OptionError,
        PictureError,
        PluginError,
        StageError,
        StageNotFound,
        TrainingError,
    )
    from chroma_core.hookspecs import hookimpl
    from chroma_core.models import list_models, load_model, save_model
    from chroma_core.options import NoOptions, Options, option
    from chroma_core.pictures.picture import Picture
    from chroma_core.pictures.read import read_picture
    from chroma_core.pictures.write import write_picture
    from chroma_core.pipeline import Pipeline
    from chroma_core.plugins import find_stage, installed_stages, register
    from chroma_core.stages import (
        Colorspace,
        Column,
        Features,
        Grid,
        Prediction,
        Refiner,
        Regressor,
        Samples,
        Scene,
        Stage,
        TrainableRegressor,
        TrainingReport,
    )
    from chroma_core.steps import fuse_from_folder, predict_to_folder, refine_file
    from chroma_core.version import VERSION as __version__

__all__ = [
    "ChromaError",
    "Colorspace",
    "Column",
    "ContractError",
    "Features",
    "Grid",
    "InputError",
    "ModelError",
    "ModelFormatError",
    "ModelMismatch",
    "NoOptions",
    "OptionError",
    "Options",
    "Picture",
    "PictureError",
    "Pipeline",
    "PluginError",
    "Prediction",
    "Refiner",
    "Regressor",
    "Samples",
    "Scene",
    "Stage",
    "StageError",
    "StageNotFound",
    "TrainableRegressor",
    "TrainingError",
    "TrainingReport",
    "__version__",
    "build",
    "build_features",
    "build_refiners",
    "build_stage",
    "colorize",
    "convert",
    "delta_e_76",
    "delta_e_2000",
    "find_stage",
    "fuse_from_folder",
    "hookimpl",
    "inside_srgb",
    "installed_stages",
    "into_srgb",
    "lab_to_rgb",
    "lab_to_xyz",
    "list_models",
    "load_model",
    "option",
    "predict_to_folder",
    "read_picture",
    "refine_file",
    "register",
    "rgb_to_lab",
    "save_model",
    "write_picture",
    "xyz_to_lab",
]

_HOMES = {
    "chroma_core.api": ("build", "build_features", "build_refiners", "build_stage", "colorize"),
    "chroma_core.color": (
        "delta_e_2000",
        "delta_e_76",
        "inside_srgb",
        "into_srgb",
        "lab_to_rgb",
        "lab_to_xyz",
        "rgb_to_lab",
        "xyz_to_lab",
    ),
    "chroma_core.conversion": ("convert",),
    "chroma_core.errors": (
        "ChromaError",
        "ContractError",
        "InputError",
        "ModelError",
        "ModelFormatError",
        "ModelMismatch",
        "OptionError",
        "PictureError",
        "PluginError",
        "StageError",
        "StageNotFound",
        "TrainingError",
    ),
    "chroma_core.hookspecs": ("hookimpl",),
    "chroma_core.models": ("list_models", "load_model", "save_model"),
    "chroma_core.options": ("NoOptions", "Options", "option"),
    "chroma_core.pictures.picture": ("Picture",),
    "chroma_core.pictures.read": ("read_picture",),
    "chroma_core.pictures.write": ("write_picture",),
    "chroma_core.pipeline": ("Pipeline",),
    "chroma_core.plugins": ("find_stage", "installed_stages", "register"),
    "chroma_core.stages": (
        "Colorspace",
        "Column",
        "Features",
        "Grid",
        "Prediction",
        "Refiner",
        "Regressor",
        "Samples",
        "Scene",
        "Stage",
        "TrainableRegressor",
        "TrainingReport",
    ),
    "chroma_core.steps": ("fuse_from_folder", "predict_to_folder", "refine_file"),
}

_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives, once."""
    if name == "__version__":
        value = import_module("chroma_core.version").VERSION
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return what there is, imported already or not."""
    return sorted({*globals(), *__all__})

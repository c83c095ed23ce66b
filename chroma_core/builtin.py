"""The plugin that offers the core's own stages, by the hook that a stranger's plugin uses."""

from __future__ import annotations

from typing import Any

from chroma_core.hookspecs import hookimpl
from chroma_core.stages import Stage

__all__ = ["chroma_stages"]


@hookimpl
def chroma_stages() -> list[type[Stage[Any]]]:
    """Return the reference stages."""
    from chroma_core.colorspaces.lab import LabColorspace
    from chroma_core.features.lightness import LightnessFeatures
    from chroma_core.features.none import NoFeatures
    from chroma_core.features.patch import PatchFeatures
    from chroma_core.features.pixels import PixelFeatures
    from chroma_core.features.position import PositionFeatures
    from chroma_core.features.whole import WholeFeatures
    from chroma_core.refiners.guided import GuidedRefiner
    from chroma_core.refiners.intensity import IntensityRefiner
    from chroma_core.refiners.joint_bilateral import JointBilateralRefiner
    from chroma_core.refiners.none import NoRefiner
    from chroma_core.refiners.ratio import RatioRefiner
    from chroma_core.refiners.seed import SeedRefiner
    from chroma_core.regressors.dense import DenseRegressor
    from chroma_core.regressors.none import NoRegressor
    from chroma_core.regressors.ridge import RidgeRegressor

    return [
        LabColorspace,
        PatchFeatures,
        LightnessFeatures,
        PositionFeatures,
        WholeFeatures,
        NoFeatures,
        PixelFeatures,
        RidgeRegressor,
        DenseRegressor,
        NoRegressor,
        NoRefiner,
        SeedRefiner,
        RatioRefiner,
        IntensityRefiner,
        GuidedRefiner,
        JointBilateralRefiner,
    ]

"""What this package registers: stages that OpenCV computes."""

from __future__ import annotations

from typing import Any

from chroma_core.plugins import hookimpl
from chroma_core.stages import Stage
from chroma_opencv.daisy import DaisyFeatures
from chroma_opencv.filters import GuidedOpenCVRefiner, JointBilateralOpenCVRefiner
from chroma_opencv.lab import LabOpenCVColorspace
from chroma_opencv.sift import SiftFeatures

__all__ = ["chroma_stages"]


@hookimpl
def chroma_stages() -> list[type[Stage[Any]]]:
    """Return the stages of this plugin."""
    return [
        SiftFeatures,
        DaisyFeatures,
        GuidedOpenCVRefiner,
        JointBilateralOpenCVRefiner,
        LabOpenCVColorspace,
    ]

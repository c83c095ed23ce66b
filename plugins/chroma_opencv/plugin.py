"""What this package registers: stages that OpenCV computes."""

from __future__ import annotations

from chroma_core.plugins import hookimpl
from chroma_core.stages import Stage
from chroma_opencv.sift import SiftFeatures

__all__ = ["chroma_stages"]


@hookimpl
def chroma_stages() -> list[type[Stage]]:
    """Return the stages of this plugin."""
    return [SiftFeatures]

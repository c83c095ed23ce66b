"""The plugin that offers stages run by onnxruntime; importing it does not import that."""

from __future__ import annotations

from typing import Any

from chroma_core.plugins import hookimpl
from chroma_core.stages import Stage
from chroma_onnx.foreign import OnnxFileRegressor
from chroma_onnx.semantic import SemanticFeatures
from chroma_onnx.unet import OnnxRegressor

__all__ = ["chroma_stages"]


@hookimpl
def chroma_stages() -> list[type[Stage[Any]]]:
    """Return the stages of this plugin."""
    return [SemanticFeatures, OnnxRegressor, OnnxFileRegressor]

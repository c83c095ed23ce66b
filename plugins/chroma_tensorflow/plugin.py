"""The plugin that offers ``tf-dense`` and ``tf-unet``; importing it does not import TensorFlow."""

from __future__ import annotations

from typing import Any

from chroma_core.plugins import hookimpl
from chroma_core.stages import Stage
from chroma_tensorflow.dense import TFDenseRegressor
from chroma_tensorflow.unet import TFUNetRegressor

__all__ = ["chroma_stages"]


@hookimpl
def chroma_stages() -> list[type[Stage[Any]]]:
    """Return the stages of this plugin."""
    return [TFDenseRegressor, TFUNetRegressor]

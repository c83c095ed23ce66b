"""What a training of ``tf-unet`` tells TensorBoard: figures, and unseen pictures in colour."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray
from chroma_core.color.bins import chroma_of_logits
from chroma_core.color.gamut import into_srgb
from chroma_core.color.lab import gray_to_lightness, lab_to_rgb
from chroma_core.errors import PluginError

__all__ = ["TrainingLog", "sheet"]

SHOWN = 6
"""Unseen pictures that each entry shows."""

UNDO, TEMPERATURE = 0.5, 0.38
"""Decoding of the pictures in the log; that of the model is chosen when the training ends."""


class TrainingLog:
    """Writes entries for TensorBoard into a folder; with an empty name it writes nothing.

    Parameters
    ----------
    folder : str
        Where.

    Raises
    ------
    PluginError
        If a folder is named and TensorBoard is not installed.
    """

    def __init__(self, folder: str) -> None:
        self._writer: Any = None
        if not folder:
            return
        if importlib.util.find_spec("tensorboard") is None:
            raise PluginError(
                "logs for TensorBoard need tensorboard, which is not installed",
                hint="pip install 'chroma-colorize[train]'",
            )
        from chroma_tensorflow.runtime import tensorflow

        self._tf = tensorflow()
        self._writer = self._tf.summary.create_file_writer(folder)

    @property
    def wanted(self) -> bool:
        """Whether entries go anywhere."""
        return self._writer is not None

    def write(self, step: int, figures: Mapping[str, float], pictures: AnyArray) -> None:
        """Write one entry: figures by name, and pictures (n, h, w, 3) in uint8."""
        with self._writer.as_default(step=step):
            for name, value in figures.items():
                self._tf.summary.scalar(name, value)
            self._tf.summary.image("gray, predicted, true", pictures, max_outputs=len(pictures))
        self._writer.flush()


def sheet(
    gray: FloatArray, logits: FloatArray, truth: FloatArray, bins: FloatArray, weights: FloatArray
) -> AnyArray:
    """Return a picture in gray, in predicted and in true colours, side by side.

    Parameters
    ----------
    gray : ndarray, shape (h, w)
        Encoded gray in [0, 1].
    logits : ndarray, shape (h / 4, w / 4, k)
        The network's answer.
    truth : ndarray, shape (h / 4, w / 4, 2)
        True a* and b*.
    bins, weights : ndarray
        See `chroma_core.color.bins.chroma_of_logits`.

    Returns
    -------
    ndarray, shape (h, 3 w, 3)
        Encoded sRGB, uint8.
    """
    predicted = chroma_of_logits(logits, bins, weights, undo=UNDO, temperature=TEMPERATURE)
    parts = [_colored(gray, chroma) for chroma in (np.zeros_like(predicted), predicted, truth)]
    return np.concatenate(parts, axis=1)


def _colored(gray: FloatArray, chroma: FloatArray) -> AnyArray:
    large = np.repeat(np.repeat(chroma, 4, axis=0), 4, axis=1)
    lab = np.concatenate([gray_to_lightness(gray)[..., np.newaxis], large], axis=-1)
    rgb = np.clip(lab_to_rgb(into_srgb(lab.astype(np.float32))), 0, 1)
    return np.rint(rgb * 255).astype(np.uint8)

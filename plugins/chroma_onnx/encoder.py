"""The encoder: EfficientNet-Lite0, run by onnxruntime, looking at a whole work picture.

The network (Tan & Le, "EfficientNet", ICML 2019; the "lite" form of its authors) was trained to
name what a photograph shows, 1,000 kinds of things. What it computes on the way, at a quarter to a
32nd of the picture's size and for the picture as a whole, tells grass from water where a local
descriptor sees texture.

Where a node of a map stands was measured, not taken from the padding (`CENTRES`). Each convolution
of stride 2 looks one pixel further after than before, so the middle of what node i of a map at 1/n
can see is pixel ``n - 1 + n i`` of what the network is given: 3, 7, 15 and 31 for the first nodes.
What the trained kernels weigh most lies before that. Faint dots, put at random into photographs,
change most the nodes of which the first stands on pixel 2.4, 3.3, 9.3 and 16 by the heap's centre
(``training/encoder/measure_centres.py``). At 1/32 the heap is so broad that its centre depends on
how it is taken: an earlier measurement, which is used, gave 13. From 13 to 17 the maps serve
equally well to guess the colours of held-out pictures (docs/explanation/semantic.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.color import lightness_to_gray
from chroma_core.errors import ModelFormatError, PluginError

__all__ = ["CHANNELS", "DEPTHS", "Activations", "activations", "load_session"]

DEPTHS: Mapping[str, int] = {"quarter": 4, "eighth": 8, "sixteenth": 16, "thirtysecond": 32}
"""Maps that leave the network, and their step in pixels."""

CENTRES: Mapping[str, float] = {
    "quarter": 2.0,
    "eighth": 3.5,
    "sixteenth": 9.5,
    "thirtysecond": 13.0,
}
"""Pixel, of what the network is given, on which the first node of a map stands, along both axes.
That of the quarter is whole and half its step: nodes of other stages then meet its nodes."""

CHANNELS: Mapping[str, int] = {
    "quarter": 24,
    "eighth": 40,
    "sixteenth": 112,
    "thirtysecond": 320,
    "pooled": 1280,
}
"""Numbers at each node, and for the whole picture."""

MULTIPLE = 32
"""The network wants sides that are multiples of this."""

MARGIN = 8
"""Fewest pixels of reflection, together, that are put on both ends of a side: at its borders the
network pads with zeros, which it should not mistake for the picture."""

NOWHERE = os.path.join(os.devnull, "none")
"""A folder that cannot be there."""


class Activations:
    """What the encoder computes of one picture.

    Parameters
    ----------
    maps : Mapping[str, ndarray]
        By depth, shape (channels, h, w), float32.
    pooled : ndarray, shape (1280,)
        Of the whole picture.
    before : tuple of int
        Rows and columns of reflection in front of the picture's first pixel.
    """

    def __init__(
        self, maps: Mapping[str, FloatArray], pooled: FloatArray, before: tuple[int, int]
    ) -> None:
        self.maps = maps
        self.pooled = pooled
        self._before = before

    def places(self, depth: str, positions: FloatArray, axis: int) -> FloatArray:
        """Return where pixels of the picture lie in a map, in index units of the map.

        Parameters
        ----------
        depth : str
            One of `DEPTHS`.
        positions : ndarray, shape (n,)
            Rows or columns of the picture.
        axis : int
            0 for rows, 1 for columns.
        """
        offset = self._before[axis] - CENTRES[depth]
        places: FloatArray = (positions + offset) / DEPTHS[depth]
        return places


def activations(lightness: FloatArray, threads: int = 1) -> Activations:
    """Run the encoder on a picture.

    Parameters
    ----------
    lightness : ndarray, shape (H, W)
        L* in [0, 100].
    threads : int, optional
        Threads of onnxruntime; 0 lets it choose.
    """
    gray = lightness_to_gray(np.clip(lightness, 0, 100).astype(np.float32, copy=False))
    (above, below), (left, right) = (_padding(length) for length in gray.shape)
    # "symmetric" repeats the reflection where the picture is smaller than its padding.
    padded = np.pad(gray, ((above, below), (left, right)), mode="symmetric")
    given = np.ascontiguousarray(padded, dtype=np.float32)[np.newaxis, np.newaxis]
    answers = _session(threads).run(list(CHANNELS), {"gray": given})
    found = dict(zip(CHANNELS, answers, strict=True))
    return Activations({name: found[name][0] for name in DEPTHS}, found["pooled"][0], (above, left))


def load_session(
    model: bytes, threads: int, tensors: Mapping[str, FloatArray] | None = None
) -> Any:
    """Return a session of onnxruntime on the CPU for an ONNX file that is given as bytes.

    Parameters
    ----------
    model : bytes
        Content of the file. Tensors that lie in other files are refused.
    threads : int
        0 lets onnxruntime choose.
    tensors : Mapping[str, ndarray], optional
        Those that the file declares as lying elsewhere.

    Raises
    ------
    ModelFormatError
        If it is no ONNX file that onnxruntime can run.
    PluginError
        If onnxruntime cannot be imported.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise PluginError(
            f"onnxruntime cannot be imported: {error}",
            hint="pip install 'chroma-colorize[onnx]'",
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait by spinning take the cores that other stages and workers need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    # Given bytes, onnxruntime looks for files that a graph names in the working directory.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", NOWHERE
    )
    try:
        if tensors:
            values = [onnxruntime.OrtValue.ortvalue_from_numpy(one) for one in tensors.values()]
            options.add_external_initializers(list(tensors), values)
        return onnxruntime.InferenceSession(
            model, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # onnxruntime's errors share no base class of their own.
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFormatError(f"onnxruntime cannot run this network: {what[:200]}") from error


@lru_cache(maxsize=4)
def _session(threads: int) -> Any:
    """Return the encoder, loaded once a process for each number of threads."""
    model = resources.files("chroma_onnx").joinpath("encoder/lite0.onnx").read_bytes()
    return load_session(model, threads)


def _padding(length: int) -> tuple[int, int]:
    """Return how many pixels of reflection go before and after a side.

    As many before as let nodes at a quarter stand on pixels 2, 6, 10, ... of the picture, where
    other stages have theirs.
    """
    total = -(-(length + MARGIN) // MULTIPLE) * MULTIPLE - length
    before = total // 2 // 4 * 4
    return before, total - before

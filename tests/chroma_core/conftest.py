"""Pictures and a small model that several rooms' tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.features.concatenated import Concatenated
from chroma_core.features.patch import PatchFeatures, PatchFeaturesOptions
from chroma_core.features.position import PositionFeatures
from chroma_core.models import save_model
from chroma_core.pictures.write import write_picture
from chroma_core.regressors.ridge import RidgeRegressor


def some_gray(height=90, width=120, *, bits=8, seed=0):
    """Return a gray picture with soft shapes, an edge and noise."""
    rows, cols = np.mgrid[0:height, 0:width]
    soft = 0.5 + 0.25 * np.sin(rows / 9) + 0.15 * np.cos(cols / 13 + rows / 21)
    soft = np.where(cols > width // 2, soft * 0.6, soft)
    noisy = soft + np.random.default_rng(seed).normal(0, 0.02, soft.shape)
    largest = (1 << bits) - 1
    return np.rint(np.clip(noisy, 0, 1) * largest).astype(np.uint16 if bits > 8 else np.uint8)


def make_model(folder: Path, *, seed=0, refiners=(("intensity", {}),), size=3) -> Path:
    """Write a model of random ridge weights, which predicts strong and varied colour."""
    features = Concatenated([PatchFeatures(PatchFeaturesOptions(size=size)), PositionFeatures()])
    regressor = RidgeRegressor()
    rng = np.random.default_rng(seed)
    weights = {
        stem: {name: rng.normal(0, 1.5, shape).astype("f4") for name, shape in shapes.items()}
        for stem, shapes in regressor.weight_shapes(features.width).items()
    }
    for tensors in weights.values():
        tensors["input_mean"][-1] = 50.0
    return save_model(
        folder,
        colorspace=LabColorspace(),
        features=features,
        regressor=regressor.with_weights(weights),
        work_size=64,
        refiners=refiners,
        record={"mean_chroma": [1.0, 5.0]},
    )


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """Return the folder of a model: patch and position, ridge, random weights."""
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def gray():
    """Return a gray picture, 90 x 120, uint8."""
    return some_gray()


@pytest.fixture
def photo(tmp_path, gray):
    """Return a gray picture file."""
    (tmp_path / "in").mkdir()
    return write_picture(gray, tmp_path / "in" / "photo.png")

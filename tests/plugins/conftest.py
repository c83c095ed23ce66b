"""What tests of several plugins share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chroma_core.color import gray_to_lightness
from chroma_core.color.bins import ab_bins
from chroma_core.regressors import unet_net

GOLDEN = Path(__file__).parents[1] / "golden"


def drawn_network(rng):
    """Return kernels and biases that were drawn, but keep the size of what they are given.

    Half precision, as models have it; logits with a spread of some units, as a trained network's.
    """
    held = {}
    for name, shape in unet_net.weight_shapes(unet_net.UNetShape())[unet_net.FILE].items():
        if name.endswith(".kernel"):
            spread = np.sqrt(2 / np.prod(shape[1:])) * (0.4 if name == "logits.kernel" else 1)
            held[name] = rng.normal(0, spread, shape).astype(np.float16)
        elif name.endswith(".bias"):
            held[name] = rng.normal(0, 0.1, shape).astype(np.float16)
    return held


@pytest.fixture(scope="session")
def unet_weights():
    """Return weights of ``bins-unet/2``, see `drawn_network`."""
    rng = np.random.default_rng(20)
    held = drawn_network(rng)
    bins = ab_bins()
    held |= {
        "bins": bins.astype(np.float32),
        "weights": np.exp(rng.normal(0, 0.5, len(bins))).astype(np.float32),
        "calibration": np.array([1.2], np.float32),
        "path": np.linspace([0, 1, 1, 1, 0], [1, 0.5, 0.6, 1.3, 1], unet_net.PATH_POINTS).astype(
            "f4"
        ),
        "sureness": np.stack([np.linspace(2, 150, 16), np.linspace(1, 0, 16)], 1).astype("f4"),
    }
    return {unet_net.FILE: held}


@pytest.fixture(scope="session")
def pair_weights(unet_weights):
    """Return the same weights, with a second network."""
    return {**unet_weights, unet_net.SECOND: drawn_network(np.random.default_rng(21))}


@pytest.fixture(scope="session")
def portrait():
    """Return L* of a photograph at a quarter of its size."""
    with Image.open(GOLDEN / "portrait.gray.png") as picture:
        small = picture.convert("L").reduce(4)
    return gray_to_lightness(np.asarray(small, np.float32) / np.float32(255))

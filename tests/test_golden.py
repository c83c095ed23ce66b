"""Two photographs through the whole line, held to what a person has looked at.

These catch a change that no law forbids: another default, a stage in another place, a model in
another state. ``pytest tests/test_golden.py --update-golden`` rewrites the pictures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chroma_core.api import build
from chroma_core.color.difference import delta_e_2000
from chroma_core.color.lab import rgb_to_lab
from chroma_core.demo import demo_photographs
from chroma_core.filters.resize import area_shrink
from chroma_core.models import save_model
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

GOLDEN = Path(__file__).parent / "golden"


def gray_of(name, update):
    """Return a golden gray picture; made from the shipped photograph when they are rewritten."""
    path = GOLDEN / f"{name}.gray.png"
    if update:
        (photograph,) = (found for found in demo_photographs() if name in found.stem)
        gray = np.rint(255 * (read_picture(photograph).rgb() @ [0.299, 0.587, 0.114]))
        if name == "portrait":
            gray = gray[60:156, 80:176]
        else:
            height, width = gray.shape
            gray = area_shrink(gray, (96, round(96 * width / height)))
        write_picture(np.rint(gray).astype(np.uint8), path, overwrite="always")
    return read_picture(path).pixels


def assert_golden(name, pixels, update, *, mean, most):
    """Compare by CIEDE2000 with the golden picture, or rewrite it."""
    path = GOLDEN / f"{name}.png"
    if update:
        write_picture(pixels, path, overwrite="always")
    wanted = read_picture(path).pixels
    assert pixels.shape == wanted.shape
    off = delta_e_2000(rgb_to_lab(pixels / 255.0), rgb_to_lab(wanted / 255.0))

    assert off.mean() <= mean
    assert off.max() <= most


def test_golden_reference_stages(tmp_path, update_golden):
    """NumPy only, weights by formula: the same on every machine but for rounding."""
    gray = gray_of("portrait", update_golden)
    settings = ["patch.size=5", "intensity.of=rec601", "guided.radius=6"]
    plain = build(features="patch,position", regressor="none", settings=settings[:1])
    ridge = _ridge(plain.features.width)
    model = save_model(
        tmp_path / "model",
        colorspace=plain.colorspace,
        features=plain.features,
        regressor=ridge,
        work_size=64,
    )

    pipeline = build(model=model, refiner="guided,intensity", settings=settings[1:])

    # Codes of 8 bits: where rounding turns one, 0.5 to 1 of CIEDE2000 in the dark.
    assert_golden("portrait.core", pipeline(gray), update_golden, mean=0.02, most=1.5)


@pytest.mark.slow
@pytest.mark.opencv
def test_golden_shipped_model(update_golden):
    gray = gray_of("family", update_golden)

    pipeline = build(model="sift-dense", regressor="dense")

    # SIFT's numbers are whole: another build of OpenCV may round some to their neighbours, which
    # moves predicted chroma by fractions of a unit.
    assert_golden("family.sift-dense", pipeline(gray), update_golden, mean=0.5, most=4.0)


def _ridge(width):
    """Return a ridge regressor with strong and varied colours, and no random numbers."""
    from chroma_core.regressors.ridge import RidgeRegressor

    inputs = np.arange(width + 1)
    middle = np.where(inputs == width, 50.0, 0.0)
    weights = {
        name: {
            "input_mean": middle.astype(np.float32),
            "weight": (np.cos(turn * inputs) * np.where(inputs < width - 3, 0.5, 4)).astype("f4"),
            "bias": np.array([bias], np.float32),
        }
        for name, turn, bias in (("a", 1.0, 6.0), ("b", 1.7, 12.0))
    }
    for tensors in weights.values():
        tensors["weight"][-1] *= np.float32(0.1)
    return RidgeRegressor().with_weights(weights)

"""A whole picture of one megapixel through the pipeline, without reading or writing files.

The nets are drawn at random, but for the default's: what they answer makes no difference to the
time. `nothing predicted` is the floor: lightness, join, merge and conversion alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chroma_core.api import build, build_features, build_refiners, build_stage
from chroma_core.pipeline import Pipeline
from chroma_core.regressors.dense import DenseRegressor

HEIGHT, WIDTH = 832, 1248

LINES: dict[str, dict[str, Any]] = {
    "nothing predicted": {"features": "lightness", "regressor": "none"},
    "sift + dense, bilinear join": {"join": "bilinear"},
    "sift + dense": {},
    "sift + tf-dense": {"regressor": "tf-dense"},
    "sift + dense, guided": {"refiners": "guided"},
    "sift + dense, guided-opencv": {"refiners": "guided-opencv"},
    "sift + dense, joint-bilateral": {"refiners": "joint-bilateral"},
    "sift + dense, joint-bilateral-opencv": {"refiners": "joint-bilateral-opencv"},
    "sift + dense, intensity": {"refiners": "intensity"},
    "sift + dense, lab-opencv": {"colorspace": "lab-opencv"},
    "sift + dense, work size 512": {"work_size": 512},
    "patch + dense": {"features": "patch"},
}


@pytest.mark.parametrize("name", LINES)
def test_megapixel(name: str, photograph: Any, nets: Any, measure: Any) -> None:
    line = {"features": "sift", "regressor": "dense", "refiners": "", "colorspace": "lab"}
    line.update(LINES[name])
    if "sift" in line["features"] or "opencv" in name:
        pytest.importorskip("cv2", reason="needs OpenCV")
    features = build_features(line["features"])
    regressor: Any = DenseRegressor(weights=nets(features.width))
    if line["regressor"] == "tf-dense":
        pytest.importorskip("tensorflow", reason="needs TensorFlow")
        regressor = build_stage("regressor", "tf-dense").with_weights(nets(features.width))
    elif line["regressor"] == "none":
        regressor = build_stage("regressor", "none")
    pipeline = Pipeline(
        colorspace=build_stage("colorspace", line["colorspace"]),
        features=features,
        regressor=regressor,
        refiners=build_refiners(line["refiners"]),
        join=line.get("join", "guided"),
        work_size=line.get("work_size", 256),
    )
    gray = np.ascontiguousarray(photograph(HEIGHT, WIDTH)[..., 1])

    color = measure(lambda: pipeline(gray), group="1 Mpx through the pipeline", name=name)
    assert color.shape == (HEIGHT, WIDTH, 3)
    assert color.dtype == np.uint8
    vivid = np.ptp(color.astype(int), axis=-1).mean()
    assert (vivid == 0) == (line["regressor"] == "none")


@pytest.mark.parametrize(
    ("name", "settings"),
    [("the default", ()), ("the default, not mirrored", ("onnx.flip=false",))],
)
def test_default_megapixel(
    name: str, settings: tuple[str, ...], photograph: Any, measure: Any
) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    pipeline = build(settings=settings)
    gray = np.ascontiguousarray(photograph(HEIGHT, WIDTH)[..., 1])

    color = measure(lambda: pipeline(gray), group="1 Mpx through the pipeline", name=name)
    assert color.shape == (HEIGHT, WIDTH, 3)

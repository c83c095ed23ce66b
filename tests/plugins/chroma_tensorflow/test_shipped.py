"""The shipped models answer alike in NumPy and in TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.api import build
from chroma_core.demo import demo_photographs
from chroma_core.models import list_models
from chroma_core.pictures.read import read_picture

pytest.importorskip("tensorflow", reason="needs TensorFlow")
pytest.importorskip("cv2", reason="needs OpenCV")

SHIPPED = [info.name for info in list_models() if info.weight_format == "dense-net/1"]


@pytest.mark.parametrize("model", SHIPPED)
def test_dense_and_tf_dense_agree_on_real_photographs(model):
    answers = {
        name: build(model=model, regressor=name, refiner="none") for name in ("dense", "tf-dense")
    }
    for path in demo_photographs()[:3]:
        pixels = read_picture(path).pixels
        ours, theirs = (answers[name].predict(pixels).chroma for name in ("dense", "tf-dense"))

        # Ten float32 layers in two orders of summation; chroma has units of LAB.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)

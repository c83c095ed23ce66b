"""What the plugin registers, that looking at it is light, and what its absent library leads to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chroma_core.api import build
from chroma_core.errors import PluginError
from chroma_core.plugins import find_stage, require_libraries


def test_semantic_is_found_by_name_and_says_what_it_needs():
    stage = find_stage("features", "semantic")

    assert stage.requires == ("onnxruntime",)
    assert stage.extra == "onnx"


def test_importing_the_plugin_does_not_import_onnxruntime():
    code = (
        "import sys; from chroma_onnx.plugin import chroma_stages; "
        "print(bool(chroma_stages()), 'onnxruntime' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.split() == ["True", "False"]


def test_without_onnxruntime_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("chroma_core.plugins.missing_libraries", lambda stage: stage.requires)

    with pytest.raises(PluginError, match="needs onnxruntime") as caught:
        require_libraries(find_stage("features", "semantic"))
    assert "[onnx]" in caught.value.hint


def test_the_default_model_is_unet_and_without_onnxruntime_the_next(monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("cv2")
    assert build().origin["model"] == "unet"

    monkeypatch.setattr(
        "chroma_core.plugins.missing_libraries",
        lambda stage: ("onnxruntime",) if "onnxruntime" in stage.requires else (),
    )
    assert build().origin["model"] == "sift-dense"


def test_a_shipped_model_runs_by_name_where_what_trained_it_is_not_installed(monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(
        "chroma_core.plugins.missing_libraries",
        lambda stage: ("tensorflow",) if "tensorflow" in stage.requires else (),
    )

    assert build(model="unet").regressor.name == "onnx"
    assert build(model="semantic-dense").regressor.name == "dense"
    with pytest.raises(PluginError, match="tensorflow"):
        build(model="unet", regressor="tf-unet")

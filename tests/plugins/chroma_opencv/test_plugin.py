"""What the plugin registers, and that looking at it costs no OpenCV."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chroma_core.errors import PluginError
from chroma_core.plugins import find_stage, require_libraries

NAMES = {
    "features": ("sift", "daisy"),
    "refiner": ("guided-opencv", "joint-bilateral-opencv"),
    "colorspace": ("lab-opencv",),
}


@pytest.mark.parametrize(
    ("role", "name"), [(role, name) for role, names in NAMES.items() for name in names]
)
def test_stages_are_found_by_name_and_say_what_they_need(role: str, name: str) -> None:
    stage = find_stage(role, name)

    assert stage.requires == ("cv2",)
    assert stage.extra == "opencv"


def test_importing_the_plugin_does_not_import_opencv() -> None:
    code = (
        "import sys; from chroma_opencv.plugin import chroma_stages; "
        "print(len(chroma_stages()), 'cv2' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.split() == ["5", "False"]


def test_without_opencv_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)

    with pytest.raises(PluginError, match=r"\[opencv\]"):
        require_libraries(find_stage("features", "sift"))

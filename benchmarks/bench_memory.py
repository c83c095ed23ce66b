"""Most memory that a process holds at once: colouring 12 megapixels, and training.

Each is a process of its own, which says its peak itself: `VmHWM` of Linux, which starts anew with
the program, elsewhere `getrusage`. The time of the process is measured too, start included.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

PEAK = """

def peak_mib():
    try:
        with open("/proc/self/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        return int(lines["VmHWM"].split()[0]) / 1024
    except OSError:
        import resource
        # Kibibytes, but bytes on macOS.
        scale = 1024 if sys.platform != "darwin" else 1024**2
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale

print("PEAK", peak_mib())
"""

COLOR = """
import sys
import numpy as np
from chroma_core.api import build_features, build_refiners, build_stage
from chroma_core.pipeline import Pipeline
from chroma_core.regressors.dense import DenseRegressor

weights = {{"a": dict(np.load({nets!r} + "/a.npz")), "b": dict(np.load({nets!r} + "/b.npz"))}}
pipeline = Pipeline(
    colorspace=build_stage("colorspace", "lab"),
    features=build_features("sift", {settings!r}),
    regressor=DenseRegressor(weights=weights),
    refiners=build_refiners({refiners!r}),
    work_size={work_size},
)
gray = np.load({gray!r})
color = pipeline(gray)
assert color.shape == (*gray.shape, 3)
"""

LOADED = """
import sys
import numpy as np
import cv2
gray = np.load({gray!r})
color = np.zeros((*gray.shape, 3), np.uint8)
color[:] = 1
"""

DEFAULT = """
import sys
import numpy as np
from chroma_core.api import build

gray = np.load({gray!r})[:832, :1248]
color = build()(np.ascontiguousarray(gray))
assert color.shape == (*gray.shape, 3)
"""

TRAIN = """
import sys
from chroma_core.api import build_stage
from chroma_core.training.train import train

if __name__ == "__main__":
    stage = build_stage("regressor", {regressor!r})
    options = stage.TrainOptions(**{options!r})
    train({shards!r}, {model!r}, regressor=stage, train_options=options)
"""

RUNS = {
    "12 Mpx: the picture and its colours alone": (LOADED, {}),
    "12 Mpx, sift + dense": (COLOR, {}),
    "12 Mpx, sift + dense, guided, intensity": (COLOR, {"refiners": "guided,intensity"}),
    "12 Mpx, sift + dense, work size full, step 8": (
        COLOR,
        {"work_size": 0, "settings": ["sift.step=8"]},
    ),
}


def peak_of(code: str, measure: Any, *, group: str, name: str) -> float:
    """Run a program and return its peak in MiB; its time and peak go into the result."""

    def run() -> float:
        answer = subprocess.run(
            [sys.executable, "-c", code + PEAK], capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stderr[-2000:]
        return float(answer.stdout.rsplit("PEAK", 1)[1])

    return float(measure(run, group=group, rounds=0, name=name))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photograph: Any, nets: Any) -> Path:
    """Return a folder with the gray picture, the nets, and twenty photographs."""
    from chroma_core.pictures.write import write_picture

    made = tmp_path_factory.mktemp("memory")
    np.save(made / "gray.npy", photograph(3000, 4000)[..., 1])
    for stem, tensors in nets(128).items():
        np.savez(made / f"{stem}.npz", **tensors)
    (made / "photographs").mkdir()
    for number in range(20):
        write_picture(photograph(512 + number, 640), made / "photographs" / f"{number:02d}.png")
    return made


@pytest.mark.parametrize("name", RUNS)
def test_color_12_megapixels(name: str, folder: Path, measure: Any, benchmark: Any) -> None:
    pytest.importorskip("cv2", reason="needs OpenCV")
    code, changes = RUNS[name]
    line: dict[str, Any] = {"settings": [], "refiners": "", "work_size": 256, **changes}
    code = code.format(nets=str(folder), gray=str(folder / "gray.npy"), **line)

    peak = peak_of(code, measure, group="memory of 12 Mpx", name=name)
    benchmark.extra_info["peak_mib"] = round(peak)

    # A gigabyte: what the architecture promises for 100 megapixels is one or two.
    assert peak < 1024


def test_color_a_megapixel_by_default(folder: Path, measure: Any, benchmark: Any) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    code = DEFAULT.format(gray=str(folder / "gray.npy"))

    peak = peak_of(code, measure, group="memory of 1 Mpx", name="1 Mpx, the default")
    benchmark.extra_info["peak_mib"] = round(peak)

    assert peak < 400


@pytest.fixture(scope="module")
def shards(folder: Path) -> Path:
    """Return shards of twenty photographs at step 4: about 100,000 rows of 128 bytes."""
    pytest.importorskip("cv2", reason="needs OpenCV")
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    from chroma_core.api import build_features, build_stage
    from chroma_core.training.extract import extract

    extract(
        folder / "photographs",
        folder / "shards",
        colorspace=build_stage("colorspace", "lab"),
        features=build_features("sift"),
        workers=0,
    )
    return folder / "shards"


@pytest.mark.parametrize(
    ("regressor", "options"),
    [("ridge", {}), ("tf-dense", {"epochs": 2})],
    ids=["ridge", "tf-dense"],
)
def test_training(
    regressor: str,
    options: dict[str, Any],
    shards: Path,
    tmp_path: Path,
    measure: Any,
    benchmark: Any,
) -> None:
    if regressor.startswith("tf"):
        pytest.importorskip("tensorflow", reason="needs TensorFlow")
    code = TRAIN.format(
        shards=str(shards), model=str(tmp_path / "model"), regressor=regressor, options=options
    )

    peak = peak_of(code, measure, group="memory of training", name=regressor)
    benchmark.extra_info["peak_mib"] = round(peak)

    assert (tmp_path / "model" / "model.json").exists()

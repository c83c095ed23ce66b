"""Most memory that a training holds: an epoch over more than 4 GiB of shards.

The rows are random numbers of the right types: what is trained does not matter here, what is held
does. The process says its peak itself (`VmHWM` of Linux, which starts anew with the program).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

GIB = 2**30
PICTURES = 4600
NODES = 900

TRAIN = """
import sys
from chroma_core.training.request import train_by_name

if __name__ == "__main__":
    train_by_name([{shards!r}], {model!r}, regressor="tf-dense", settings={settings!r})
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    print("PEAK", int(lines["VmHWM"].split()[0]) / 1024)
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of RootSIFT shards, four sizes, 1,048 bytes a row."""
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    from chroma_core.api import build_features
    from chroma_core.colorspaces.lab import LabColorspace
    from chroma_core.training.manifest import Manifest, PictureRecord
    from chroma_core.training.sampling import Sampler
    from chroma_core.training.shards import PictureRows, ShardWriter

    features = build_features("sift", ["sift.sizes=4,8,16,32", "sift.root=true"])
    sampler = Sampler(
        features=features,
        colorspace=LabColorspace(),
        work_size=256,
        per_image=NODES,
        seed=0,
        split="mod10",
    )
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    records = []
    for number in range(10):
        first = number * PICTURES // 10
        writer = ShardWriter(folder, number, sampler.settings, first_picture=first)
        for index in range(first, (number + 1) * PICTURES // 10):
            values = rng.random((NODES, 5), dtype=np.float32) * 100
            split = {0: "card", 1: "validation"}.get(index % 10, "train")
            record = PictureRecord(
                picture=f"{index:05d}.png", split=split, rows=NODES, shape=None, sha256="0" * 64
            )
            block = rng.random((NODES, features.width), dtype=np.float32).astype(np.float16)
            writer.add(PictureRows(record=record, blocks=(block,), values=values))
        records.append(writer.close())
    manifest = Manifest(
        settings=sampler.settings, pictures_sha256="0" * 64, shards=tuple(records), complete=True
    )
    manifest.save(folder)
    return folder


def test_training_over_four_gibibytes(shards: Path, tmp_path: Path, benchmark: Any) -> None:
    pytest.importorskip("tensorflow", reason="needs TensorFlow")
    size = sum(path.stat().st_size for path in shards.glob("*.parquet"))
    assert size > 4 * GIB
    code = TRAIN.format(
        shards=str(shards),
        model=str(tmp_path / "model"),
        settings=["train.epochs=1", "train.batch=1024"],
    )

    def run() -> float:
        answer = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stderr[-2000:]
        return float(answer.stdout.rsplit("PEAK", 1)[1])

    peak = benchmark.pedantic(run, rounds=1, iterations=1)
    benchmark.extra_info["peak_mib"] = round(peak)
    benchmark.extra_info["shards_gib"] = round(size / GIB, 2)

    # 1.3 GiB, of which TensorFlow itself takes about half a gibibyte.
    assert peak < 1.3 * 1024

"""A stream of shards stays in its memory, however much lies on the disk."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("pyarrow")

PROGRAM = """
import dataclasses, json, sys
from pathlib import Path
import numpy as np
from chroma_core.stages import Column
from chroma_core.training.data import ShardData, batches, moments
from chroma_core.training.manifest import Manifest, PictureRecord, Settings
from chroma_core.training.shards import PictureRows, ShardWriter


def peak():
    # Not getrusage: that keeps the high-water mark of whoever started this process.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024


folder = Path(sys.argv[1])
columns = (Column(name="sift", width=128, storage="uint8"),)
settings = Settings(
    features=({"name": "sift", "version": 1, "options": {}},), columns=columns,
    colorspace={"name": "lab", "version": 1, "options": {}},
    work_size=256, per_image=2000, seed=0, split="mod10",
)
rng = np.random.default_rng(0)
rows = 2000
block = rng.integers(0, 256, (rows, 128), dtype=np.uint8)
values = rng.uniform(0, 90, (rows, 5)).astype(np.float32)
shards = []
for number in range(5):
    writer = ShardWriter(folder, number, settings, first_picture=200 * number)
    for place in range(200):
        record = PictureRecord(
            picture=f"{number}-{place}", split="train", rows=rows, shape=None, sha256="0" * 64
        )
        writer.add(PictureRows(record=record, blocks=(block,), values=values))
    shards.append(writer.close())
Manifest(
    settings=settings, pictures_sha256="0" * 64, shards=tuple(shards), complete=True
).save(folder)
before = peak()
data = ShardData(folder)
seen = sum(
    len(lightness)
    for _, lightness, _ in batches(data, "train", batch=256, seed=0, epoch=0, buffer_rows=50_000)
)
moments(data, "train")
print(json.dumps({"bytes": sum(s.bytes for s in shards), "seen": seen, "grown": peak() - before}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_epoch_and_the_moments_take_a_fraction_of_what_is_on_disk(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)

    assert found["seen"] == 2_000_000
    assert found["bytes"] > 290e6
    # Buffer: 50,000 rows of 131 float32, 26 MB. Read ahead: 8.4 MB a few times over, as pages, as
    # columns, as float32. Seen: 100 to 120 MB, most of it held back by allocators.
    assert found["grown"] < 160e6

"""A day's work in one process: it takes no more memory at its end than soon after its beginning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PICTURES = int(os.environ.get("CHROMA_ENDURANCE_PICTURES", "1500"))
"""In CI; 5,000 were tried: 2.8 % more at the end, none of it after the 3,750th."""

SETTLED = 500
"""Pictures after which caches are full and allocators have what they need."""

PROGRAM = """
import json, os, sys
from pathlib import Path

import numpy as np

from chroma_core import colorize
from chroma_core.pictures import worker
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

folder, model = Path(sys.argv[1]), sys.argv[2]
pictures, settled = map(int, sys.argv[3:])


def state():
    decoder = worker._workers[-1].process.pid
    return {
        "resident": worker.resident_bytes(os.getpid()),
        "decoder": worker.resident_bytes(decoder),
        "files": len(os.listdir("/proc/self/fd")),
        "decoder_files": len(os.listdir(f"/proc/{decoder}/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "decoder_pid": decoder,
    }


told = []
for number in range(1, pictures + 1):
    rng = np.random.default_rng(number)
    suffix = ("png", "jpg", "tif", "webp")[number % 4]
    gray = rng.integers(0, 256, (40 + number % 24, 60 + number % 17)).astype(np.uint8)
    before, after = folder / f"{number}.{suffix}", folder / f"{number}.color.{suffix}"
    write_picture(gray, before)
    picture = read_picture(before, guarded=True)
    colored = colorize(picture, model=model)
    assert colored.shape == (*gray.shape, 3)
    write_picture(colored, after, like=picture, note="{}")
    before.unlink()
    after.unlink()
    if number % 250 == 0 or number in (settled, pictures):
        told.append({"pictures": number, **state()})
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc of Linux")
def test_memory_and_open_files_stay_where_they_were(tiny_model, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path, tiny_model, str(PICTURES), str(SETTLED)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (early,) = (state for state in told if state["pictures"] == SETTLED)
    late = told[-1]

    assert late["pictures"] == PICTURES
    # One process decoded all of it.
    assert late["decoder_pid"] == early["decoder_pid"]
    for what in ("resident", "decoder"):
        assert late[what] <= 1.03 * early[what], told
    for what in ("files", "decoder_files", "threads"):
        assert late[what] <= early[what], told

"""The program over a corpus of bad pictures, each in a process of its own and all in one batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHROMA = f"{sys.executable} -m chroma_core"
PLAIN = "--features none --regressor none --refiner none"
SINGLE = f"{CHROMA} run {{input}} -o {{output}} {PLAIN}"
BATCH = f"{CHROMA} run {{input}} -o {{output}} --format png {PLAIN}"


@pytest.mark.shared
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="watches /proc of Linux")
@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(("--smoke", "--no-batch"), id="smoke"),
        pytest.param((), marks=pytest.mark.slow, id="all"),
    ],
)
def test_every_bad_picture_ends_as_it_should(shared_data, cases):
    """Exit status, one line, what comes out, no leftovers, inputs unchanged, under 1 GiB."""
    runner = shared_data / "badimages" / "run_corpus.py"

    told = subprocess.run(
        [
            *(sys.executable, runner, "--strict-exit", "--rss", "1024", *cases),
            *("--command", SINGLE, "--batch-command", BATCH),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.splitlines()[-1].endswith(" passed, 0 failed")

"""TensorFlow in several workers: started anew, never forked, so that no lock is taken along."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from chroma_core.demo import demo_photographs

RUNS = int(os.environ.get("CHROMA_TENSORFLOW_RUNS", "3"))
SECONDS = 180
"""A run takes some ten on two cores; one that hangs takes all."""


@pytest.mark.slow
def test_batches_with_two_workers_never_hang_and_give_the_bytes_of_one(tmp_path):
    pytest.importorskip("tensorflow")
    pictures = [path for path in demo_photographs() if path.name.startswith("gray-")][:4]

    def colored(name, workers):
        command = [sys.executable, "-m", "chroma_core", "run", *pictures, "-o", tmp_path / name]
        how = ("--model", "local-dense", "--regressor", "tf-dense", "--workers", workers)
        ended = subprocess.run(
            [*command, *how], capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert ended.returncode == 0, ended.stderr
        return {path.name: path.read_bytes() for path in (tmp_path / name).glob("*.jpg")}

    alone = colored("alone", "1")

    assert len(alone) == len(pictures) >= 2
    for number in range(RUNS):
        assert colored(f"run {number}", "2") == alone

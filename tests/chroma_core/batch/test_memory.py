"""How much memory a picture takes, all processes counted: measured, on a picture of its size."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chroma_core.demo import demo_photographs
from chroma_core.pictures.worker import resident_bytes

MIB = 1 << 20

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc of Linux")


def enlarged(path, size, bits=8):
    """Write a demo photograph, gray and with grain, at another size (width, height)."""
    with Image.open(demo_photographs()[-1]) as image:
        gray = np.asarray(image.convert("L").resize(size, Image.Resampling.BICUBIC))
    rng = np.random.default_rng(0)
    grainy = np.empty(gray.shape, np.uint8 if bits == 8 else np.uint16)
    scale = 1 if bits == 8 else 257
    for row in range(0, len(gray), 256):
        part = gray[row : row + 256]
        grain = np.clip(part + rng.normal(0, 3, part.shape), 0, 255) * scale
        grainy[row : row + 256] = grain.astype(grainy.dtype)
    Image.fromarray(grainy).save(path)
    return path


def family(process):
    """Return a process and all that it started."""
    found = [process]
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                found += family(int(child))
        except OSError:
            continue
    return found


def peak_of(*arguments):
    """Run the program; return the most resident bytes of all its processes at one time."""
    running = subprocess.Popen(
        [sys.executable, "-m", "chroma_core", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        stderr=subprocess.PIPE,
    )
    most = 0
    while running.poll() is None:
        most = max(most, sum(resident_bytes(process) for process in family(running.pid)))
        time.sleep(0.02)
    said = running.stderr.read()
    running.stderr.close()
    assert running.returncode == 0, said
    return most


@pytest.mark.slow
def test_twelve_megapixels_stay_below_600_mib(tmp_path):
    picture = enlarged(tmp_path / "in.jpg", (4000, 3000))

    # Measured: 265 MiB.
    assert (
        peak_of("run", picture, "-o", tmp_path / "o.jpg", "--regressor", "dense") < 0.6 * 1024 * MIB
    )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "bits"), [("in.jpg", 8), ("in.tif", 16)])
def test_a_hundred_megapixels_stay_below_two_and_a_half_gib(tmp_path, name, bits):
    picture = enlarged(tmp_path / name, (11600, 8640), bits)

    # Measured: 964 MiB for the JPEG, 1,814 MiB for the TIFF.
    result = tmp_path / f"out{picture.suffix}"
    assert peak_of("run", picture, "-o", result, "--regressor", "dense") < 2560 * MIB

"""A minute of fuzzing, where the fuzzer can be installed; `make fuzz` takes longer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from chroma_core.pictures.decode import decode_picture
from chroma_core.pictures.limits import Limits
from tests.fuzz.seeds import seeds

SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))


@pytest.mark.parametrize("data", seeds().values(), ids=seeds())
def test_mutations_start_from_pictures(data):
    picture = decode_picture(data, Limits())

    assert {picture.width, picture.height} == {12, 16}


@pytest.mark.slow
def test_no_mutation_of_a_minute_breaks_the_reader(checkout, tmp_path):
    pytest.importorskip("atheris", reason="the fuzzer has no wheel for this system or Python")
    command = [sys.executable, "-m", "tests.fuzz.reader", tmp_path, f"-max_total_time={SECONDS}"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)

    found = [path for path in tmp_path.iterdir() if path.name != "corpus"]
    assert (done.returncode, found) == (0, []), done.stderr[-4000:]
    # It did try: a slow machine does some hundred files a second.
    assert int(done.stderr.rpartition("Done ")[2].split()[0]) > 10 * SECONDS

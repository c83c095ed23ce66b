"""Works for tests, in a module that other processes can import, too."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

MODULE = "chroma_batch_test_works"

SOURCE = '''
import os, signal, time
from dataclasses import dataclass
from pathlib import Path

from chroma_core.batch.run import Done
from chroma_core.errors import ChromaError, PictureError
from chroma_core.pictures.atomic import write_bytes_atomically


@dataclass(frozen=True)
class Copy:
    """Copies a file; words in it make something go wrong."""

    ending: str = ""
    parts: tuple[str, ...] = ()

    def __call__(self, job):
        text = job.input.read_text()
        if "damaged" in text:
            raise PictureError("cut short", kind="truncated", hint="copy it again")
        if "poison" in text:
            os.kill(os.getpid(), signal.SIGKILL)
        if "once" in text:
            mark = job.input.with_suffix(".mark")
            if not mark.exists():
                mark.write_text("")
                os._exit(3)
        if "hang" in text:
            time.sleep(60)
        if "noisy" in text:
            print("noise on standard output")
        if "fault" in text:
            raise KeyError("a fault\\nof the program")
        if "memory" in text:
            raise MemoryError
        if "swells" in text:
            kept = [bytearray(os.urandom(1 << 20)) for _ in range(400)]
            time.sleep(60)
        write_bytes_atomically(job.output, (text + self.ending).encode())
        if "last breath" in text:
            os.kill(os.getpid(), signal.SIGKILL)
        return Done(warnings=("warned",) if "warn" in text else (), note="low-confidence")
'''


@pytest.fixture(scope="session")
def works(tmp_path_factory) -> types.ModuleType:
    """Return the module; its folder is on the path of this process and of those it starts."""
    import importlib
    import os

    folder = tmp_path_factory.mktemp("works")
    (folder / f"{MODULE}.py").write_text(SOURCE)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(part for part in (str(folder), before) if part)
    sys.path.insert(0, str(folder))
    yield importlib.import_module(MODULE)
    sys.path.remove(str(folder))
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder ``in`` with five good files and a few that are not."""
    inside = tmp_path / "in"
    inside.mkdir()
    for name in ("a", "b", "c", "d", "e"):
        (inside / f"{name}.png").write_text(f"good {name}")
    return inside

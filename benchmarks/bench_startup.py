"""How long it takes until something happens: whole processes, and how many modules they load.

Times of processes are noisy; the number of modules is not, and is what to watch. Byte-compile
first (a second run does).
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

COMMAND = """
import sys
sys.argv = ["chroma", *{words!r}]
sys.stdout = open({null!r}, "w")
from chroma_core.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
PROCESSES: dict[str, tuple[str, frozenset[str]]] = {
    "python alone": ("", frozenset({"numpy"})),
    "import numpy": ("import numpy", frozenset({"cv2"})),
    "import typer": ("import typer", frozenset({"numpy"})),
    "import chroma_core": ("import chroma_core", frozenset({"numpy", "typer"})),
    "from chroma_core import colorize": (
        "from chroma_core import colorize",
        frozenset({"cv2", "tensorflow", "typer"}),
    ),
    "chroma --help": ("--help", frozenset({"numpy", "cv2", "tensorflow"})),
    "chroma run --help": ("run --help", frozenset({"numpy", "cv2", "tensorflow"})),
    "chroma stages": ("stages", frozenset({"cv2", "tensorflow"})),
}


@pytest.mark.parametrize("name", PROCESSES)
def test_process(name: str, measure: Any, tmp_path: Any) -> None:
    code, unwanted = PROCESSES[name]
    if name.startswith("chroma "):
        code = COMMAND.format(words=code.split(), null=str(tmp_path / "out"))
    count = "\nimport sys; print(len(sys.modules), *sys.modules, file=sys.__stdout__)"
    said = subprocess.run(
        [sys.executable, "-c", code + count], capture_output=True, text=True, check=True
    ).stdout.split()

    assert not unwanted & set(said)
    measure(
        lambda: subprocess.run([sys.executable, "-c", code], check=True),
        group="start of a process",
        rounds=15,
        name=name,
        modules=int(said[0]),
    )

"""Whether a program survives a plugin, told by a process that loads it and may die of it.

A crash of native code cannot be caught, and code that hangs while it holds the interpreter stops
every thread. `probe` loads a plugin in ``python -m chroma_core.plugin_probe`` as the program
itself would; what ends that process, or lets it hang, ends here as a line of text.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

from chroma_core.plugin_guard import load_guarded, plugin_timeout

__all__ = ["probe"]

START_SECONDS = 20.0
"""What the process may take to start and to end, beside the time that a plugin has to load."""

_SURVIVED = b"survived"


def probe(value: str, timeout: float | None = None) -> str:
    """Return how a plugin ends a process that loads it; empty if the process survives.

    A plugin that raises does not end it.

    Parameters
    ----------
    value : str
        Where the plugin is, as its entry point says it: ``package.module`` or
        ``package.module:object``.
    timeout : float, optional
        Seconds that it may take; by default ``CHROMA_PLUGIN_TIMEOUT``, or 10.

    Raises
    ------
    OptionError
        If ``CHROMA_PLUGIN_TIMEOUT`` is no number of seconds.
    """
    timeout = plugin_timeout() if timeout is None else timeout
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
    request = {"value": value, "timeout": timeout, "path": sys.path}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "chroma_core.plugin_probe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )
    with process:
        try:
            said, _ = process.communicate(json.dumps(request).encode(), timeout + START_SECONDS)
        except subprocess.TimeoutExpired:
            return f"lets a process hang that loads it: not done after {timeout:g} s"
        finally:
            process.kill()
    if said == _SURVIVED:
        return ""
    return f"{_ending(process.returncode)} while it was loaded"


def _ending(code: int) -> str:
    """Return in words how a process ended."""
    if code >= 0:
        return f"ended the process with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"ended the process by {name}"


def main() -> None:
    """Load a plugin, and say so afterwards."""
    request = json.loads(sys.stdin.buffer.read())
    answers = os.dup(1)
    # What the plugin prints must not be taken for the answer.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        # A crash that was asked for leaves no picture of the memory behind.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    leave = os._exit
    sys.path[:] = request["path"]
    entry = EntryPoint(name="probed", value=request["value"], group="chroma")
    load_guarded(entry.name, entry.load, request["timeout"])
    os.write(answers, _SURVIVED)
    # At once: what a plugin does at the end of a program is not asked here.
    leave(0)


if __name__ == "__main__":
    main()

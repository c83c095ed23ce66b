"""Commands that are killed at a chosen moment, and many of them in a short time.

TensorFlow takes seconds to import, and forty killed trainings want eighty processes. So one process
imports what takes long and forks for every command, which then runs as it always does: the
program's own `main`, in a process and a session of its own.

A moment is a time, or the n-th change below a folder: something is about to be opened for writing,
renamed, linked, made or removed there. Python's audit events tell, so that the program knows of
nothing. Times find it at work, changes find it between the steps of keeping what it did.
"""

from __future__ import annotations

import functools
import importlib
import json
import mmap
import os
import queue
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOMENTS = 40
"""How often a program is killed in the slow tests."""

FEW = 5
"""How often in the ordinary ones."""


@dataclass(frozen=True)
class Moment:
    """When a process is killed: after so many seconds, or at this change of files."""

    seconds: float = 0.0
    change: int = 0

    def __str__(self) -> str:
        """Name the moment where a test fails."""
        return f"change {self.change}" if self.change else f"{self.seconds:.3f} s"


@dataclass(frozen=True)
class Ended:
    """What became of a command: status (minus the signal's number), time, changes of files."""

    status: int
    seconds: float
    changes: int
    said: str
    session: int


def moments(undisturbed: Ended, count: int, seed: int) -> Iterator[Moment]:
    """Yield random moments of a run, by turns a time and a change of files; first the last one."""
    rng = random.Random(seed)
    if undisturbed.changes:
        yield Moment(change=undisturbed.changes)
        count -= 1
    for number in range(count):
        if number % 2 and undisturbed.changes:
            yield Moment(change=rng.randint(1, undisturbed.changes))
        else:
            yield Moment(seconds=rng.uniform(0.0, undisturbed.seconds))


class Forks:
    """A process that has imported some modules and forks for each command.

    Parameters
    ----------
    *modules : str
        What is imported before the first command.
    environment : Mapping, optional
        Further variables.
    """

    def __init__(self, *modules: str, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(
        self,
        *arguments: str | os.PathLike[str],
        below: Path,
        until: Moment | None = None,
        by: int = signal.SIGKILL,
        values: Mapping[str, Any] | None = None,
    ) -> Ended:
        """Run a command to its end, or until a moment.

        Parameters
        ----------
        *arguments : str or path
            What follows the program's name.
        below : Path
            The folder in which changes count.
        until : Moment, optional
            When it gets a signal.
        by : int, optional
            The signal.
        values : Mapping, optional
            Constants that are others than the program's: ``module:NAME`` and its value; tables are
            not replaced but changed.
        """
        order = {
            "arguments": [os.fspath(argument) for argument in arguments],
            "below": os.fspath(below),
            "seconds": until.seconds if until and not until.change else None,
            "change": until.change if until else 0,
            "signal": int(by),
            "values": dict(values or {}),
        }
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


def side_by_side(
    trial: Callable[[Forks, Moment, Path], None],
    chosen: Iterable[Moment],
    folder: Path,
    forks: Sequence[Forks],
) -> None:
    """Try every moment in a folder of its own, as many at a time as there are forks.

    Raises
    ------
    AssertionError
        That of the first moment that fails; names it.
    """
    free: queue.SimpleQueue[Forks] = queue.SimpleQueue()
    for one in forks:
        free.put(one)

    def attempt(number: int, moment: Moment) -> None:
        own = folder / f"{number}"
        own.mkdir()
        mine = free.get()
        try:
            trial(mine, moment, own)
        except AssertionError as failure:
            failure.add_note(f"killed at {moment} (trial {number})")
            raise
        finally:
            free.put(mine)

    with ThreadPoolExecutor(len(forks)) as pool:
        running = [pool.submit(attempt, *numbered) for numbered in enumerate(chosen)]
        try:
            for one in running:
                one.result()
        finally:
            pool.shutdown(cancel_futures=True)


def alive(session: int) -> list[str]:
    """Return what still runs of a session, after giving it three seconds to end by itself."""
    import psutil

    deadline = time.monotonic() + 3
    while True:
        found = []
        for process in psutil.process_iter(["pid", "status"]):
            try:
                if os.getsid(process.pid) == session and process.status() != "zombie":
                    found.append(" ".join(process.cmdline()))
            except (OSError, psutil.Error):
                continue
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def _serve() -> None:
    """Fork for every order that comes on standard input."""
    for module in sys.argv[1:]:
        importlib.import_module(module)
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "r+b") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno(), 1)
    while line := orders.readline():
        order = json.loads(line)
        count = mmap.mmap(-1, 8)
        reading, writing = os.pipe()
        began = time.monotonic()
        child = os.fork()
        if not child:
            for descriptor in (1, 2):
                os.dup2(writing, descriptor)
            os.close(reading)
            os.close(writing)
            _run(order, count)
        os.close(writing)
        status = _ending(child, order)
        answer = {
            "status": status,
            "seconds": time.monotonic() - began,
            "changes": int.from_bytes(count[:8], "little"),
            "said": _said(reading),
            "session": child,
        }
        count.close()
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _ending(child: int, order: dict[str, Any]) -> int:
    """Wait for a process, send it a signal when its time has come, and return its status."""
    if order["seconds"] is not None:
        deadline = time.monotonic() + order["seconds"]
        while time.monotonic() < deadline:
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
            time.sleep(0.001)
        os.kill(child, order["signal"])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _said(pipe: int) -> str:
    """Return what was printed; what was started by a killed process may hold the pipe open."""
    os.set_blocking(pipe, False)
    said = b""
    try:
        while piece := os.read(pipe, 1 << 16):
            said += piece
    except BlockingIOError:
        pass
    os.close(pipe)
    return said.decode(errors="replace")


def _run(order: dict[str, Any], count: mmap.mmap) -> None:
    """Be the command."""
    os.setsid()
    below = order["below"]
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    changes = ("os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir")
    seen = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event not in changes and not (event == "open" and arguments[2] & writing):
            return
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return
        if os.fsdecode(path).startswith(below):
            seen += 1
            count[:8] = seen.to_bytes(8, "little")
            if seen == order["change"]:
                os.kill(os.getpid(), order["signal"])

    for name, value in order["values"].items():
        module, _, path = name.partition(":")
        *owners, attribute = path.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        if isinstance(getattr(owner, attribute), dict):
            getattr(owner, attribute).update(value)
        else:
            setattr(owner, attribute, value)
    sys.addaudithook(watch)
    from chroma_core.cli import main

    main(order["arguments"])
    sys.exit(0)


if __name__ == "__main__":
    _serve()

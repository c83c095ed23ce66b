"""Work that may crash, hang or eat memory, done in another process that can be ended.

`GuardedProcess` starts ``python -m MODULE``, which runs no script of the caller's, and asks it one
question after the other over its standard input and output. The module's `main` calls `serve`. The
process is ended, not asked, when an answer takes too long or too much memory, and it ends with the
process that started it.

A message is one line of JSON, and behind it as many bytes as the line says. Nothing that comes back
is believed to be small: how many bytes an answer may have is said with the question.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chroma_core import errors
from chroma_core.errors import ChromaError
from chroma_core.pictures.worker import resident_bytes

__all__ = ["Answer", "GuardedProcess", "Stopped", "serve"]

LINE_BYTES = 1 << 16
"""Longest line of JSON in an answer."""

START_SECONDS = 60.0
"""What a process may take to start, beside the time for its first answer."""

LEAST_ADDRESSES = 1 << 31
"""Bytes of address space that are always left: libraries reserve more than they use, and crash
where they cannot."""

END_SECONDS = 5.0
"""What a process may take to end that has closed its output."""

_LOOK = 0.05
"""Seconds between two looks at the clock and the memory."""

_CHUNK = 1 << 20

Answer = tuple[Mapping[str, Any], "Sequence[bytes | memoryview]"]
"""What a function that serves gives back: a line, and the bytes behind it."""


class Stopped(Exception):
    """The process was ended, or died, before it had answered.

    Attributes
    ----------
    kind : str
        ``"crash"``, ``"timeout"`` or ``"memory"``.
    """

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind = kind


class GuardedProcess:
    """A process that answers questions, one at a time; threads must take turns.

    Parameters
    ----------
    module : str
        Importable name of the module that is run.
    """

    def __init__(self, module: str) -> None:
        # Not the current folder: a numpy.py there would be imported.
        parts = [_root_of(module), _root_of("chroma_core"), os.environ.get("PYTHONPATH")]
        path = os.pathsep.join(dict.fromkeys(part for part in parts if part))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._into, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._into.fileno(), False)
        self._owner = os.getpid()
        self._allowance = START_SECONDS
        self._deadline = 0.0
        self._began = 0.0
        self._memory = 0
        self._looked = 0.0

    @property
    def alive(self) -> bool:
        """Whether it runs, and was started by this very process."""
        return self._owner == os.getpid() and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def close(self) -> None:
        """End the process and wait for it."""
        if self._owner != os.getpid():
            return
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._into, self._out):
            with contextlib.suppress(OSError):
                pipe.close()

    def ask(
        self,
        question: Mapping[str, Any],
        payload: Sequence[bytes | memoryview] = (),
        *,
        seconds: float,
        memory: int,
        most_bytes: int = 0,
    ) -> tuple[dict[str, Any], bytearray]:
        """Return the answer to a question.

        Parameters
        ----------
        question : Mapping
            Has a JSON form.
        payload : sequence of bytes or memoryview of bytes, optional
            Goes behind it.
        seconds : float
            How long the answer may take.
        memory : int
            Resident bytes that the process may take.
        most_bytes : int, optional
            How many bytes the answer may have behind its line.

        Raises
        ------
        Stopped
            If it crashed, took too long or too much memory. The process is gone.
        ChromaError
            What the process answered instead.
        RuntimeError
            If the process met an error that is no `ChromaError`.
        """
        self._began = time.monotonic()
        self._deadline = self._began + seconds + self._allowance
        self._memory, self._looked = memory, self._began
        size = sum(len(part) for part in payload)
        head = {"question": question, "bytes": size, "seconds": seconds, "memory": memory}
        try:
            for part in (json.dumps(head).encode() + b"\n", *payload):
                self._send(memoryview(part))
            told = self._line()
            if not 0 <= told["bytes"] <= most_bytes:
                raise Stopped("memory", f"answered with {told['bytes']} bytes, wanted {most_bytes}")
            content = bytearray(told["bytes"])
            self._fill(memoryview(content))
            # At the end in any case: what it holds when it was quicker than a look counts as well.
            self._look_at_memory()
        except BaseException:
            # Also when interrupted: a half-read answer must not be taken for the next one's.
            self.close()
            raise
        self._allowance = 0.0
        if "error" in told:
            name = told["error"].pop("class")
            kind = getattr(errors, name) if name in errors.__all__ else ChromaError
            raise kind(**told["error"])
        if "stopped" in told:
            self.close()
            raise Stopped("memory", told["stopped"])
        if "bug" in told:
            raise RuntimeError(told["bug"])
        return told["answer"], content

    def _send(self, view: memoryview) -> None:
        """Write all bytes of a view."""
        done = 0
        while done < len(view):
            self._wait(self._into, selectors.EVENT_WRITE)
            try:
                done += os.write(self._into.fileno(), view[done : done + _CHUNK])
            except BlockingIOError:
                continue
            except OSError:
                raise self._death() from None

    def _line(self) -> dict[str, Any]:
        """Read one line of JSON."""
        line = bytearray()
        while not line.endswith(b"\n"):
            self._wait(self._out, selectors.EVENT_READ)
            piece = os.read(self._out.fileno(), 1)
            if not piece:
                raise self._death()
            line += piece
            if len(line) > LINE_BYTES:
                raise Stopped("crash", f"answered with a line of more than {LINE_BYTES} bytes")
        try:
            told = json.loads(line)
        except ValueError:
            raise Stopped("crash", "answered with no JSON") from None
        if not isinstance(told, dict) or not isinstance(told.get("bytes"), int):
            raise Stopped("crash", "answered with something else")
        return told

    def _fill(self, view: memoryview) -> None:
        """Read exactly as many bytes as a view holds."""
        done = 0
        while done < len(view):
            self._wait(self._out, selectors.EVENT_READ)
            got = os.readv(self._out.fileno(), [view[done : done + _CHUNK]])
            if not got:
                raise self._death()
            done += got

    def _wait(self, pipe: Any, event: int) -> None:
        """Wait until a pipe is ready, and watch time and memory meanwhile."""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            while True:
                ready = selector.select(_LOOK)
                now = time.monotonic()
                if now - self._looked >= _LOOK:
                    self._looked = now
                    self._look(now)
                if ready:
                    return

    def _look(self, now: float) -> None:
        if now > self._deadline:
            raise Stopped("timeout", f"was stopped after {now - self._began:.0f} s")
        self._look_at_memory()

    def _look_at_memory(self) -> None:
        if resident_bytes(self._process.pid) > self._memory:
            raise Stopped("memory", f"takes more than {self._memory:,} bytes of memory")

    def _death(self) -> Stopped:
        """Return the story of a process that is no more."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self._process.kill()
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        return Stopped("crash", f"ended its process ({how})")


def serve(answer: Callable[[Mapping[str, Any], bytes], Answer]) -> None:
    """Answer questions until standard input ends; to be called by a module's `main`.

    Parameters
    ----------
    answer : callable
        Takes a question and the bytes behind it, gives a line and the bytes behind that, or raises
        `ChromaError`.
    """
    import signal

    # Ctrl-C reaches the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # What libraries print must not be taken for an answer.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    while line := questions.readline():
        head = json.loads(line)
        _bound(head["memory"])
        # Should native code hang and hold the interpreter, no thread of Python's could end it.
        faulthandler.dump_traceback_later(head["seconds"] + START_SECONDS, exit=True, file=nowhere)
        told: dict[str, Any] = {}
        parts: Sequence[bytes | memoryview] = ()
        try:
            told["answer"], parts = answer(head["question"], questions.read(head["bytes"]))
        except ChromaError as error:
            told["error"] = {
                "class": type(error).__name__,
                "what": error.what,
                "hint": error.hint,
                "path": error.path,
                "kind": error.kind,
                "exit_status": error.exit_status,
            }
        except MemoryError:
            told["stopped"] = f"takes more than {head['memory']:,} bytes of memory"
        except Exception as error:
            told["bug"] = f"{type(error).__name__}: {error}"[:400]
        faulthandler.cancel_dump_traceback_later()
        told["bytes"] = sum(len(part) for part in parts)
        answers.write(json.dumps(told).encode() + b"\n")
        for part in parts:
            answers.write(part)
        answers.flush()


def _end_with_parent(parent: int) -> None:
    """End this process when its parent is gone, also in the middle of an answer."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def _bound(memory: int) -> None:
    """Bound address space at four times the memory: the last resort where nobody watches."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        most = max(4 * memory, LEAST_ADDRESSES)
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _root_of(module: str) -> str:
    """Return the folder from which a module is imported, to find it again in another process."""
    found = importlib.util.find_spec(module.partition(".")[0])
    if found is None or not found.submodule_search_locations:
        return ""
    return str(Path(next(iter(found.submodule_search_locations))).resolve().parent)

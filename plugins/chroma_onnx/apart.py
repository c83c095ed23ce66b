"""A session of onnxruntime in another process, for networks that nobody vouches for.

A graph of a few bytes may ask for any memory and any time. ``python -m chroma_onnx.apart`` reads
and runs it: the process is watched, and ended when it takes more than it may, which costs one
error. What comes back is what a session in this process would give, bit for bit.

One process serves all networks of a program, and keeps those that were used last. One that was
ended is started anew for the next picture; and at once where it may have been ended for what it
kept of other networks.
"""

from __future__ import annotations

import atexit
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.errors import ModelError, ModelFormatError
from chroma_core.guarded import Answer, GuardedProcess, Stopped, serve
from chroma_core.memory import memory_limit
from chroma_onnx.encoder import load_session
from chroma_onnx.external import external_tensors

__all__ = ["SessionApart", "Tensor"]

KEPT = 2
"""Networks that the process keeps at a time."""

MOST_TOLD = 64
"""Inputs, and outputs, of which it tells; who has as many is refused anyway."""

ANSWER_BYTES = 1 << 28
"""Most bytes of an answer: four numbers of 4 bytes for each of 4096 x 4096 pixels."""

DTYPES = ("float16", "float32")

_LOCK = threading.Lock()
_processes: list[GuardedProcess] = []
_served: set[Any] = set()
"""What the process was asked for so far, by digest."""

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Tensor:
    """What a network says of an input or an output.

    Attributes
    ----------
    name : str
        Its first 60 characters.
    type : str
        In onnxruntime's words, such as ``"tensor(float)"``.
    shape : tuple of int or None
        None where the file leaves a side open.
    """

    name: str
    type: str
    shape: tuple[int | None, ...]


class SessionApart:
    """A network that another process has loaded; threads take turns.

    Parameters
    ----------
    read : callable
        Returns the content of the file; called whenever the process has to load it.
    digest : str
        The content's SHA-256: what the network is known by.
    threads : int
        Of onnxruntime; 0 lets it choose.
    seconds : float
        How long loading, and running, may take.
    path : str
        The file, for messages.

    Attributes
    ----------
    inputs, outputs : tuple of Tensor
        What it takes and gives.

    Raises
    ------
    ModelError
        If loading takes too much time or memory, or ends the process (exit status 75).
    ModelFormatError
        If it is no ONNX file, keeps tensors in other files, or cannot be run.
    PluginError
        If onnxruntime cannot be imported.
    """

    def __init__(
        self, read: Callable[[], bytes], digest: str, threads: int, seconds: float, path: str
    ) -> None:
        self._read, self._seconds, self._path = read, seconds, path
        self._key = {"digest": digest, "threads": threads, "path": path}
        try:
            told = self._guarded(self._loaded)
        except ModelError as error:
            error.path = path
            raise
        self.inputs = _tensors(told["inputs"])
        self.outputs = _tensors(told["outputs"])

    def run(self, given: FloatArray) -> FloatArray:
        """Return the one output for the one input.

        Parameters
        ----------
        given : ndarray
            float16 or float32, as the network takes it.

        Raises
        ------
        ModelError
            If it takes too much time or memory, or ends the process (exit status 75).
        ModelFormatError
            If onnxruntime fails, or the answer is no array of such numbers.
        """
        question = {"do": "run", "shape": given.shape, "dtype": given.dtype.name}
        payload = np.ascontiguousarray(given).reshape(-1).view(np.uint8).data

        def work() -> tuple[dict[str, Any], bytearray]:
            self._loaded()
            return self._ask(question, [payload], ANSWER_BYTES)

        told, content = self._guarded(work)
        if told["dtype"] not in DTYPES:
            raise self._failed("answered with something else")
        try:
            answer: FloatArray = np.frombuffer(content, told["dtype"]).reshape(told["shape"])
        except (TypeError, ValueError):
            raise self._failed("answered with something else") from None
        return answer

    def _guarded(self, work: Callable[[], ResultT]) -> ResultT:
        """Do what asks the process, in turn with other threads."""
        with _LOCK:
            while True:
                try:
                    return work()
                except Stopped as stopped:
                    # A new process serves this network alone, so there is no third time.
                    if stopped.kind != "memory" or len(_served) < 2:
                        raise self._failed(str(stopped), stopped.kind) from stopped

    def _loaded(self) -> dict[str, Any]:
        """Return what the process says of the network, after it has loaded it if it had not."""
        told, _ = self._ask({"do": "tell"})
        if not told["held"]:
            told, _ = self._ask({"do": "load"}, [self._read()])
        return told

    def _ask(
        self,
        question: Mapping[str, Any],
        payload: Sequence[bytes | memoryview] = (),
        most_bytes: int = 0,
    ) -> tuple[dict[str, Any], bytearray]:
        process = _current()
        _served.add(self._key["digest"])
        return process.ask(
            {**question, **self._key},
            payload,
            seconds=self._seconds,
            memory=memory_limit(1),
            most_bytes=most_bytes,
        )

    def _failed(self, what: str, kind: str = "crash") -> ModelError:
        """Return an error without a path: that is the picture's, which whoever knows it adds."""
        hint = {"memory": "CHROMA_WORKER_MEMORY", "timeout": "--set onnx-file.timeout=SECONDS"}
        return ModelError(
            f"the network {Path(self._path).name} {what}",
            hint=hint.get(kind, ""),
            exit_status=75,
            kind=kind,
        )


def _tensors(told: Sequence[Sequence[Any]]) -> tuple[Tensor, ...]:
    return tuple(Tensor(name, kind, tuple(shape)) for name, kind, shape in told)


def _current() -> GuardedProcess:
    """Return the process that runs networks, a new one if there is none or it was ended."""
    while _processes:
        if _processes[-1].alive:
            return _processes[-1]
        _processes.pop().close()
    _served.clear()
    _processes.append(GuardedProcess("chroma_onnx.apart"))
    return _processes[-1]


@atexit.register
def _close() -> None:
    """End the process with this one."""
    while _processes:
        _processes.pop().close()


class _Sessions:
    """What the other process does."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, int], Any] = OrderedDict()

    def __call__(self, question: Mapping[str, Any], payload: bytes) -> Answer:
        key = question["digest"], question["threads"]
        path = question["path"]
        if question["do"] == "load":
            try:
                self._load(key, payload)
            except ModelFormatError as error:
                raise ModelFormatError(error.what, hint=error.hint, path=path) from error
        session = self._held.get(key)
        if session is None:
            return {"held": False}, ()
        self._held.move_to_end(key)
        if question["do"] == "run":
            given = np.frombuffer(payload, question["dtype"]).reshape(question["shape"])
            return _run(session, given, path)
        told = {"inputs": session.get_inputs(), "outputs": session.get_outputs()}
        return {"held": True, **{name: _told(tensors) for name, tensors in told.items()}}, ()

    def _load(self, key: tuple[str, int], content: bytes) -> None:
        while len(self._held) >= KEPT:
            self._held.popitem(last=False)
        elsewhere = external_tensors(content)
        if elsewhere:
            name, location = elsewhere[0]
            raise ModelFormatError(
                f"keeps {len(elsewhere)} of its tensors in other files, such as {name[:80]!r} in "
                f"{location[:80]!r}, which is refused",
                hint="save the network as one file",
            )
        self._held[key] = load_session(content, key[1])


def _run(session: Any, given: FloatArray, path: str) -> Answer:
    """Run a network on its one input, for its one output."""
    try:
        (answer,) = session.run(None, {session.get_inputs()[0].name: given})
    except Exception as error:
        # onnxruntime's errors share no base class of their own.
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        if re.search("allocate memory|bad.?alloc", str(error)):
            raise MemoryError(what) from error
        raise ModelFormatError(
            f"onnxruntime cannot run this network: {what[:200]}", path=path
        ) from error
    if not isinstance(answer, np.ndarray) or answer.dtype.name not in DTYPES:
        raise ModelFormatError("answers with no array of floats", path=path)
    if answer.nbytes > ANSWER_BYTES:
        raise ModelFormatError(
            f"answers with {answer.nbytes:,} bytes, wanted {ANSWER_BYTES:,} at most", path=path
        )
    content = np.ascontiguousarray(answer).reshape(-1).view(np.uint8).data
    return {"shape": answer.shape, "dtype": answer.dtype.name}, [content]


def _told(tensors: Sequence[Any]) -> list[Any]:
    return [
        (
            one.name[:60],
            one.type[:60],
            [side if isinstance(side, int) else None for side in one.shape[:8]],
        )
        for one in tensors[:MOST_TOLD]
    ]


if __name__ == "__main__":
    serve(_Sessions())

"""Processes that work off jobs side by side; one that dies costs its picture at most.

A worker is `python -m chroma_core.batch.workers`: it builds the work from its text form, then takes
jobs and gives results, one line of JSON each. No script of the caller's is run again, and nothing
is pickled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import json
import os
import queue
import selectors
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from chroma_core.batch.plan import Job
from chroma_core.batch.run import Done
from chroma_core.errors import ChromaError, InputError, PictureError
from chroma_core.memory import family_bytes, memory_limit

__all__ = ["Answer", "Supervisor", "work_to_text"]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a worker said of one job.

    Attributes
    ----------
    index : int
        Which job.
    error : ChromaError or None
        Why it failed.
    done : Done
        What the work said, where it did not fail.
    seconds : float
        Wall time.
    """

    index: int
    error: ChromaError | None
    done: Done
    seconds: float


class Supervisor:
    """Workers, and who has which job.

    Parameters
    ----------
    work : dataclass instance
        Called with a job; all its fields have a JSON form.
    workers : int
        How many processes.
    timeout : float
        Seconds that one picture may take, from the moment when its worker is ready.
    retries : int
        How often a picture is tried again whose worker died.
    memory : int, optional
        Resident bytes that a worker may take, with the process that decodes for it; what
        `memory_limit` says by default. A picture that takes more has failed, before the system is
        short of memory and ends whatever it chooses.
    """

    def __init__(
        self, work: Any, workers: int, timeout: float, retries: int, memory: int | None = None
    ) -> None:
        self._text = work_to_text(work)
        self._memory = memory_limit(workers) if memory is None else memory
        self._count = workers
        self._timeout = timeout
        self._retries = retries
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []

    def run(self, jobs: Sequence[tuple[int, Job]]) -> Generator[Answer, None, None]:
        """Yield an answer for every job, as they come."""
        waiting = deque((index, job, 0) for index, job in jobs)
        try:
            while waiting or any(worker.task for worker in self._workers):
                self._hand_out(waiting)
                for key, _ in self._selector.select(0.1):
                    yield from self._hear(key.data, waiting)
                for worker in list(self._workers):
                    if (error := self._offence(worker)) is not None:
                        yield self._stop(worker, error)
        finally:
            self.close()

    def close(self) -> None:
        """End all workers and wait for them."""
        for worker in self._workers:
            worker.close()
        self._workers.clear()
        self._selector.close()

    def _hand_out(self, waiting: deque[tuple[int, Job, int]]) -> None:
        """Give jobs to workers that have none; start workers as long as there are jobs."""
        for worker in self._workers:
            if waiting and worker.task is None:
                worker.give(*waiting.popleft())
        while waiting and len(self._workers) < self._count:
            worker = _Worker(self._text)
            self._workers.append(worker)
            self._selector.register(worker.out, selectors.EVENT_READ, worker)
            worker.give(*waiting.popleft())

    def _hear(self, worker: _Worker, waiting: deque[tuple[int, Job, int]]) -> Iterator[Answer]:
        """Take what a worker says, or note that it is no more."""
        lines, ended = worker.read()
        for line in lines:
            if "ready" in line:
                worker.began = time.monotonic()
            elif worker.task is not None:
                index, _, _ = worker.task
                worker.task = None
                yield _answer(index, line)
        if ended:
            task, code = worker.task, worker.process.wait()
            seconds = time.monotonic() - worker.began
            self._remove(worker)
            if task is not None:
                index, job, tries = task
                if worker.fresh and os.path.lexists(job.output):
                    # A result has its name only when it is whole; tried again it would be refused.
                    yield Answer(index, None, _made_before_death(job), seconds)
                elif tries < self._retries:
                    waiting.append((index, job, tries + 1))
                else:
                    yield _failure(index, _died(code), seconds)

    def _offence(self, worker: _Worker) -> PictureError | None:
        """Return why a worker has to be stopped: its picture takes too long, or too much."""
        if worker.task is None:
            return None
        if (seconds := time.monotonic() - worker.began) > self._timeout:
            return PictureError(
                f"it was stopped after {seconds:.0f} s",
                kind="timeout",
                hint="--timeout, or CHROMA_TIMEOUT",
            )
        if family_bytes(worker.process.pid) > self._memory:
            return PictureError(
                f"it takes more than {self._memory:,} bytes of memory",
                kind="memory",
                hint="CHROMA_WORKER_MEMORY, or fewer --workers",
            )
        return None

    def _stop(self, worker: _Worker, error: PictureError) -> Answer:
        """End a worker and answer for it."""
        assert worker.task is not None
        index, _, _ = worker.task
        seconds = time.monotonic() - worker.began
        self._remove(worker)
        return _failure(index, error, seconds)

    def _remove(self, worker: _Worker) -> None:
        """End a worker and forget it."""
        self._selector.unregister(worker.out)
        self._workers.remove(worker)
        worker.close()


class _Worker:
    """One process."""

    def __init__(self, text: str) -> None:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "chroma_core.batch.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.into: IO[bytes] = self.process.stdin
        self.out: IO[bytes] = self.process.stdout
        self.task: tuple[int, Job, int] | None = None
        self.fresh = False
        self.began = time.monotonic()
        self._rest = b""
        self._say(text)

    def give(self, index: int, job: Job, tries: int) -> None:
        """Hand over a job."""
        self.task, self.began = (index, job, tries), time.monotonic()
        self.fresh = not os.path.lexists(job.output)
        paths = {"input": os.fspath(job.input), "output": os.fspath(job.output)}
        self._say(json.dumps(paths, ensure_ascii=True))

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """Return whole lines that came, and whether no more will come."""
        data = os.read(self.out.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines], not data

    def close(self) -> None:
        """End the process and wait for it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.into, self.out):
            with contextlib.suppress(OSError):
                pipe.close()

    def _say(self, line: str) -> None:
        # A worker that is dead already is noticed when it is listened to.
        with contextlib.suppress(OSError):
            self.into.write(line.encode() + b"\n")


def work_to_text(work: Any) -> str:
    """Return the text from which another process can build the same work.

    Raises
    ------
    InputError
        If it is no dataclass that can be imported by name, or a field has no JSON form.
    """
    kind = type(work)
    named = "<" not in kind.__qualname__ and kind.__module__ != "__main__"
    if not dataclasses.is_dataclass(work) or not named:
        raise InputError(
            f"a work of type {kind.__name__} cannot be sent to other processes",
            hint="make it a dataclass of a module, or use one worker",
        )
    fields = {item.name: getattr(work, item.name) for item in dataclasses.fields(work)}
    try:
        return json.dumps({"work": f"{kind.__module__}:{kind.__qualname__}", "fields": fields})
    except TypeError as error:
        raise InputError(f"a field of {kind.__name__} has no text form: {error}") from error


def _work_from_text(text: str) -> Any:
    """Build a work from its text."""
    told = json.loads(text)
    module, _, name = told["work"].partition(":")
    kind = getattr(importlib.import_module(module), name)
    fields = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in told["fields"].items()
    }
    return kind(**fields)


def _answer(index: int, line: dict[str, Any]) -> Answer:
    """Return a worker's line as an answer."""
    error = None
    if line["error"] is not None:
        told = dict(line["error"])
        picture_like = told["kind"] in PictureError.EXIT_STATUS_OF_KIND
        error = (PictureError if picture_like else ChromaError)(**told)
    said = line["done"]
    done = Done(**{**said, "warnings": tuple(said["warnings"])})
    return Answer(index, error, done, line["seconds"])


def _failure(index: int, error: PictureError, seconds: float) -> Answer:
    """Return the answer of a worker that can give none."""
    return Answer(index, error, Done(), seconds)


def _made_before_death(job: Job) -> Done:
    """Return what is known of a result whose worker died before it could tell of it."""
    said = "its worker died when the result was written; what belongs beside it may be missing"
    digest = ""
    with contextlib.suppress(OSError), open(job.output, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Done(warnings=(said,), sha256=digest)


def _died(code: int) -> PictureError:
    """Return the error of a picture whose worker died."""
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    hint = "it may work when tried alone; look for lack of memory"
    return PictureError(f"its worker died ({how})", kind="crash", hint=hint)


def main() -> None:
    """Work off jobs until standard input ends."""
    import signal

    from chroma_core.batch.run import attempt

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # What libraries print must not be taken for an answer.
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    jobs: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(os.fdopen(os.dup(0), "rb"), jobs), daemon=True).start()

    def say(line: dict[str, Any]) -> None:
        answers.write(json.dumps(line).encode() + b"\n")
        answers.flush()

    work = _work_from_text(jobs.get().decode())
    say({"ready": os.getpid()})
    while True:
        paths = json.loads(jobs.get())
        job = Job(input=Path(paths["input"]), output=Path(paths["output"]))
        result = attempt(job, work)
        error = result.error
        told = error and {
            "what": error.what,
            "hint": error.hint,
            "path": error.path,
            "kind": error.kind,
            "exit_status": error.exit_status,
        }
        done = {
            "warnings": result.warnings,
            "note": result.note,
            "skipped": result.status == "skipped",
            "kept": result.kept,
            "width": result.width,
            "height": result.height,
            "sha256": result.sha256,
        }
        say({"error": told, "done": done, "seconds": result.seconds})


def _listen(orders: IO[bytes], jobs: queue.SimpleQueue[bytes]) -> None:
    """Hand lines on; end this process with its parent, also in the middle of a picture.

    At once: whoever runs the same batch again must not meet a result that comes late.
    """
    while line := orders.readline():
        jobs.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()

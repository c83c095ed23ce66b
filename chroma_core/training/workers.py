"""Work in several processes, where the loss of one costs one item.

Processes are spawned, not forked, so that they begin clean; each gets the work once and then items
one by one over a pipe. A process that dies or passes its deadline is replaced, and its item comes
back as a `Failure`. Results come in the order of the items, so what is made of them does not depend
on the number of processes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from chroma_core.errors import TrainingError

__all__ = ["Failure", "cores", "ordered_results"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

BOOT_SECONDS = 120.0
"""How long a process may take to import what the work needs."""

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
    "VECLIB_MAXIMUM_THREADS",
)
"""One thread each: spinning BLAS threads of several processes slow each other down sevenfold."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What became of an item whose process was lost.

    Attributes
    ----------
    kind : str
        ``"crash"`` or ``"timeout"``.
    reason : str
        One line for people.
    """

    kind: str
    reason: str


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_results(
    work: Callable[[ItemT], ResultT],
    items: Iterable[ItemT],
    *,
    workers: int,
    timeout: float = 300.0,
) -> Generator[ResultT | Failure]:
    """Yield the results of `work` for all items, in their order.

    Parameters
    ----------
    work : callable
        Can be sent to another process; raises nothing that is not a reason to stop everything.
    items : iterable
        Taken a few at a time, as processes become free.
    workers : int
        Number of processes; 0 works in this one, without deadlines and without replacement.
    timeout : float, optional
        Seconds that an item may take.

    Raises
    ------
    TrainingError
        If no process comes up.
    """
    if workers == 0:
        for item in items:
            yield work(item)
        return
    try:
        message = bytes(ForkingPickler.dumps(work))
    except Exception as error:
        raise TrainingError(
            f"the work cannot be sent to other processes: {error}", hint="set workers=0"
        ) from error
    source = enumerate(items)
    done: dict[int, ResultT | Failure] = {}
    following = 0
    exhausted = False
    crew: list[_Worker[ItemT]] = []
    try:
        crew.extend(_Worker(message) for _ in range(workers))
        lost_at_boot = 0
        while True:
            for worker in crew:
                # A slow item holds back what comes after it; what waits behind it is bounded.
                if exhausted or not worker.free or len(done) >= 16 * workers:
                    continue
                entry = next(source, None)
                if entry is None:
                    exhausted = True
                else:
                    worker.give(*entry, timeout)
            while following in done:
                yield done.pop(following)
                following += 1
            busy = [worker for worker in crew if worker.item is not None]
            if exhausted and not busy:
                return
            waiting = [worker for worker in crew if worker.item is not None or not worker.ready]
            deadline = min(worker.deadline for worker in waiting)
            events = wait(
                [worker.pipe for worker in waiting],
                timeout=max(0.0, deadline - time.monotonic()),
            )
            for place, worker in enumerate(crew):
                if worker not in waiting:
                    continue
                index = worker.item
                if worker.pipe in events:
                    outcome = worker.receive()
                elif time.monotonic() >= worker.deadline:
                    limit = BOOT_SECONDS if index is None else timeout
                    outcome = _Lost(kind="timeout", reason=f"not done after {limit:g} s")
                else:
                    continue
                if isinstance(outcome, _Ready):
                    lost_at_boot = 0
                    continue
                if isinstance(outcome, _Raised):
                    raise outcome.error
                if isinstance(outcome, _Lost):
                    # Not every Failure: work may answer with one of its own.
                    worker.stop()
                    crew[place] = _Worker(message)
                    if index is None:
                        lost_at_boot += 1
                        if lost_at_boot > workers:
                            raise TrainingError(
                                f"worker processes do not come up: {outcome.reason}",
                                hint='call it below if __name__ == "__main__":, or set workers=0',
                            )
                        continue
                if index is not None:
                    done[index] = outcome
    finally:
        for worker in crew:
            worker.stop()


class _Lost(Failure):
    """What became of an item, or of nothing yet, when its process was lost."""


class _Ready:
    """Sent by a process that has imported what the work needs."""


@dataclass(frozen=True)
class _Raised:
    error: BaseException


class _Worker(Generic[ItemT]):
    """One process, as seen from here.

    Parameters
    ----------
    message : bytes
        The work, as `Connection.recv` unpacks it.
    """

    def __init__(self, message: bytes) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, far = context.Pipe()
        self.process = context.Process(target=_serve, args=(far,), daemon=True)
        self.ready = False
        self.item: int | None = None
        self.deadline = time.monotonic() + BOOT_SECONDS
        with _one_thread():
            self.process.start()
        far.close()
        with contextlib.suppress(BrokenPipeError):
            self.pipe.send_bytes(message)

    @property
    def free(self) -> bool:
        return self.ready and self.item is None

    def give(self, index: int, item: ItemT, timeout: float) -> None:
        self.item = index
        self.deadline = time.monotonic() + timeout
        # A process that is gone is noticed when its answer is waited for.
        with contextlib.suppress(BrokenPipeError):
            self.pipe.send(item)

    def receive(self) -> Any:
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(5)
            return _Lost(kind="crash", reason=f"its process {_ending(self.process.exitcode)}")
        if isinstance(answer, _Ready):
            self.ready = True
            self.deadline = float("inf")
        else:
            self.item = None
        return answer

    def stop(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()
        self.process.close()


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with status {code}"


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes that start now use one native thread each.

    The variables must stand in the environment before the child imports NumPy, which it may do
    before any code of ours runs.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _serve(pipe: Connection[Any, Any]) -> None:
    """Work until the pipe closes; runs in the other process."""
    # Ctrl-C reaches the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        try:
            work = pipe.recv()
        except (EOFError, OSError):
            return
        except Exception as error:
            pipe.send(_Raised(TrainingError(f"the work cannot be sent to a process: {error}")))
            return
        _silence()
        pipe.send(_Ready())
        while True:
            item = pipe.recv()
            try:
                answer = work(item)
            except Exception as error:
                answer = _Raised(error)
            pipe.send(answer)


def _silence() -> None:
    """Let native libraries print to nowhere: a picture's flaws are told by its report."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)

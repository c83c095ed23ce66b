"""Signals that end a program: temporaries are removed, and long work stops at a good place.

A signal becomes the exception `Interrupted`, which passes through every ``finally`` on its way. In
work that is `stopping_gently` it waits until the work reports progress, when its state is whole,
but no longer than `GRACE` seconds. A second signal of the same kind ends the program at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chroma_core.errors import ChromaError
    from chroma_core.stages import Progress

__all__ = ["Interrupted", "signals_caught", "stopping_gently"]

GRACE = 8.0
"""Seconds; of those who stop programs, `docker stop` has the least patience: 10 s."""


class Interrupted(BaseException):
    """A signal that ends the program.

    Parameters
    ----------
    number : int
        Which signal.

    Attributes
    ----------
    advice : ChromaError or None
        What a person should know who wants to go on.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.advice: ChromaError | None = None


class _Gentle:
    """Work that is stopped where it reports progress, and the signal that came meanwhile."""

    number = 0


_gentle: list[_Gentle] = []


@contextmanager
def signals_caught() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into `Interrupted`; only the main thread can."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if _gentle and hasattr(signal, "setitimer"):
            _gentle[-1].number = number
            signal.setitimer(signal.ITIMER_REAL, GRACE)
            return
        raise Interrupted(number)

    def lose_patience(number: int, frame: FrameType | None) -> None:
        raise Interrupted(_gentle[-1].number if _gentle else signal.SIGTERM)

    handlers: dict[str, Callable[[int, FrameType | None], None]] = dict.fromkeys(
        ("SIGINT", "SIGTERM", "SIGHUP"), interrupt
    )
    handlers["SIGALRM"] = lose_patience
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name, handler in handlers.items():
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


@contextmanager
def stopping_gently(progress: Progress, advice: Callable[[str], ChromaError]) -> Iterator[Progress]:
    """Give a progress callback that raises `Interrupted` once a signal came.

    Parameters
    ----------
    progress : callable
        What is told of progress.
    advice : callable
        From the signal's name to what is said of it; asked when all is tidied up.
    """
    work = _Gentle()

    def report(done: int, total: int, facts: Mapping[str, str]) -> None:
        progress(done, total, facts)
        if work.number:
            # What is saved on the way out takes the time that it takes.
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise Interrupted(work.number)

    _gentle.append(work)
    try:
        yield report
    except Interrupted as interrupted:
        interrupted.advice = advice(signal.Signals(interrupted.number).name)
        raise
    finally:
        if work.number:
            signal.setitimer(signal.ITIMER_REAL, 0)
        _gentle.remove(work)

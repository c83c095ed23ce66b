"""Working off a plan: one bad picture costs one picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from chroma_core.batch.plan import Job
from chroma_core.errors import ChromaError, PictureError

__all__ = ["Done", "Result", "Work", "run_batch"]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a work says of a picture that it made.

    Attributes
    ----------
    warnings : tuple of str
        What a person should know of it, one line each.
    note : str
        Empty, ``"low-confidence"`` or ``"already-colour"``.
    """

    warnings: tuple[str, ...] = ()
    note: str = ""


Work = Callable[[Job], Done]
"""Reads a job's input and writes its output, or raises a ChromaError."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one picture.

    Attributes
    ----------
    job : Job
        What was to be done.
    status : {"ok", "skipped", "failed"}
        ``skipped``: the output was there already.
    error : ChromaError or None
        Why it failed.
    warnings : tuple of str
        What a person should know.
    note : str
        See `Done`.
    seconds : float
        Wall time.
    """

    job: Job
    status: Literal["ok", "skipped", "failed"]
    error: ChromaError | None = None
    warnings: tuple[str, ...] = ()
    note: str = ""
    seconds: float = 0.0


def run_batch(jobs: Sequence[Job], work: Work, *, workers: int = 1) -> Iterator[Result]:
    """Do every job and yield its result, in the order of the plan.

    Parameters
    ----------
    jobs : sequence of Job
        What `plan` returned.
    work : callable
        Makes one picture.
    workers : int, optional
        Processes that work at the same time.
    """
    for job in jobs:
        if job.exists:
            yield Result(job=job, status="skipped")
            continue
        start = time.monotonic()
        try:
            done = work(job)
        except ChromaError as error:
            if not error.path:
                error.path = str(job.input)
            yield Result(job=job, status="failed", error=error, seconds=time.monotonic() - start)
            if isinstance(error, PictureError) and error.kind == "io" and _is_full(error):
                return
        else:
            yield Result(
                job=job,
                status="ok",
                warnings=done.warnings,
                note=done.note,
                seconds=time.monotonic() - start,
            )


def _is_full(error: PictureError) -> bool:
    """Return whether a writing failed for want of space, so that all others would, too."""
    import errno

    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)

"""Working off a plan: one bad picture costs one picture."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chroma_core.batch.plan import Job
from chroma_core.errors import ChromaError, OptionError, PictureError
from chroma_core.pictures.atomic import FULL_HINT, write_error
from chroma_core.pictures.parts import remove_leftovers

__all__ = ["Done", "Result", "Work", "attempt", "run_batch", "settings_of"]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a work says of a picture that it made.

    Attributes
    ----------
    warnings : tuple of str
        What a person should know of it, one line each.
    note : str
        Empty, ``"low-confidence"``, ``"already-colour"`` or ``"tinted"``.
    skipped : bool
        Whether it made nothing, on purpose.
    kept : bool
        Whether the result has the picture's own colours.
    width, height : int
        Of the upright picture in pixels, of several pages the first; 0 where nobody looked.
    sha256 : str
        Of the result's bytes; empty where none was made.
    """

    warnings: tuple[str, ...] = ()
    note: str = ""
    skipped: bool = False
    kept: bool = False
    width: int = 0
    height: int = 0
    sha256: str = ""


_WITHOUT_EFFECT = (
    *("confidence", "overwrite", "guarded", "sidecar", "preserve", "sync"),
    *("max_pixels", "max_bytes", "decode_timeout"),
)
"""Fields of a work that do not change what a result looks like."""

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
        ``skipped``: the output was there already, or the picture was left alone as it was told.
    error : ChromaError or None
        Why it failed.
    warnings : tuple of str
        What a person should know.
    note, kept, width, height, sha256
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
    kept: bool = False
    width: int = 0
    height: int = 0
    sha256: str = ""

    @classmethod
    def of(cls, job: Job, done: Done, seconds: float) -> Result:
        """Return the result of a job that did not fail."""
        return cls(
            job=job,
            status="skipped" if done.skipped else "ok",
            warnings=tuple(done.warnings),
            note=done.note,
            seconds=seconds,
            kept=done.kept,
            width=done.width,
            height=done.height,
            sha256=done.sha256,
        )


def run_batch(
    jobs: Sequence[Job],
    work: Work,
    *,
    workers: int = 1,
    journal: Path | Literal[False] | None = None,
    timeout: float | None = None,
    retries: int | None = None,
) -> Iterator[Result]:
    """Do every job and yield its result, in the order of the plan.

    A full disk ends the batch: all others would fail, too.

    Parameters
    ----------
    jobs : sequence of Job
        What `plan` returned.
    work : callable
        Makes one picture. For more than one worker it is a dataclass that can be imported by name
        and whose fields have a JSON form: other processes build it from that text.
    workers : int, optional
        Processes that work at the same time; 1 works in this one unless there is a timeout.
    journal : Path or False, optional
        Folder that keeps the journal. By default the folder of the results, if they have one for
        themselves; False keeps none.
    timeout : float, optional
        Seconds for one picture. By default CHROMA_TIMEOUT or 600 with more than one worker, and
        none with one, which works in this process unless a timeout is given.
    retries : int, optional
        How often a picture is tried again whose worker died; CHROMA_RETRIES or 1 by default.

    Raises
    ------
    PictureError
        If another run works in the folder, or it cannot be written to.
    InputError
        If the work cannot be sent to other processes.
    OptionError
        If an environment variable is no number.
    """
    from chroma_core.batch.journal import journal_folder, open_journal

    folder = journal_folder(jobs) if journal is None else (journal or None)
    with contextlib.ExitStack() as stack:
        kept = None
        if folder is not None:
            kept = stack.enter_context(open_journal(folder, settings_of(work)))
        else:
            for beside in dict.fromkeys(job.output.parent for job in jobs):
                remove_leftovers(beside)
        waiting = [(index, job) for index, job in enumerate(jobs) if not job.exists]
        if waiting and (timeout is not None or (workers > 1 and len(waiting) > 1)):
            made = _side_by_side(waiting, work, workers, timeout, retries)
        else:
            made = _one_by_one(waiting, work)
        stack.callback(made.close)
        early: dict[int, Result] = {}
        for index, job in enumerate(jobs):
            if job.exists:
                remark = kept.remark(job) if kept is not None else ""
                yield Result(job=job, status="skipped", warnings=(remark,) if remark else ())
                continue
            while index not in early:
                other, result = next(made)
                early[other] = result
                if kept is not None:
                    facts = {"class": result.error.kind} if result.error else {}
                    if result.sha256:
                        facts["sha256"] = result.sha256
                    kept.record(result.job, result.status, facts)
            result = early.pop(index)
            yield result
            if result.error is not None and _is_full(result.error):
                return


def attempt(job: Job, work: Work) -> Result:
    """Do one job; whatever goes wrong becomes its result."""
    start = time.monotonic()
    error: ChromaError
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        done = work(job)
    except ChromaError as caught:
        error = caught
    except MemoryError:
        error = PictureError(
            "there is not enough memory for it", kind="memory", hint="try it alone"
        )
    except OSError as caught:
        error = write_error(caught, job.output)
        error.__cause__ = caught
    except Exception as caught:
        said = " ".join(str(caught).split())[:200]
        error = ChromaError(
            f"{type(caught).__name__}: {said}", hint="this is a fault of the program: report it"
        )
        error.__cause__ = caught
    else:
        return Result.of(job, done, time.monotonic() - start)
    error.path = error.path or str(job.input)
    return Result(job=job, status="failed", error=error, seconds=time.monotonic() - start)


def _one_by_one(
    jobs: Sequence[tuple[int, Job]], work: Work
) -> Generator[tuple[int, Result], None, None]:
    """Yield index and result of jobs that this process does."""
    for index, job in jobs:
        yield index, attempt(job, work)


def _side_by_side(
    jobs: Sequence[tuple[int, Job]],
    work: Work,
    workers: int,
    timeout: float | None,
    retries: int | None,
) -> Generator[tuple[int, Result], None, None]:
    """Yield index and result of jobs that other processes do."""
    from chroma_core.batch.workers import Supervisor

    seconds = _from_environment("CHROMA_TIMEOUT", 600.0) if timeout is None else timeout
    again = int(_from_environment("CHROMA_RETRIES", 1.0)) if retries is None else retries
    supervisor = Supervisor(work, min(workers, len(jobs)), seconds, again)
    of_index = dict(jobs)
    with contextlib.closing(supervisor.run(jobs)) as answers:
        for answer in answers:
            job = of_index[answer.index]
            if answer.error is None:
                yield answer.index, Result.of(job, answer.done, answer.seconds)
                continue
            answer.error.path = answer.error.path or str(job.input)
            result = Result(job=job, status="failed", error=answer.error, seconds=answer.seconds)
            yield answer.index, result


def _from_environment(variable: str, default: float) -> float:
    """Return a number from the environment."""
    text = os.environ.get(variable, "")
    try:
        value = float(text) if text.strip() else default
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise OptionError(f"{variable} is {text!r}, wanted a number of at least 0")
    return value


def settings_of(work: Work) -> str:
    """Return text of how pictures are made: the fields of a dataclass, or its name."""
    if dataclasses.is_dataclass(work) and not isinstance(work, type):
        fields = {item.name: getattr(work, item.name) for item in dataclasses.fields(work)}
        for how in _WITHOUT_EFFECT:
            fields.pop(how, None)
        return json.dumps(fields, sort_keys=True, default=str)
    return str(getattr(work, "__qualname__", type(work).__name__))


def _is_full(error: ChromaError) -> bool:
    """Return whether a writing failed for want of space, so that all others would, too."""
    return error.kind == "io" and error.hint == FULL_HINT

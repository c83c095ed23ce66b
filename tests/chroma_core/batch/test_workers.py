"""Workers that die or hang: each job has one answer, whatever became of its process."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from chroma_core.batch.plan import Job
from chroma_core.batch.workers import Supervisor, work_to_text
from chroma_core.errors import InputError


@pytest.fixture
def jobs(folder):
    """Return three jobs with their numbers."""
    out = folder.parent / "out"
    out.mkdir()
    return [
        (n, Job(input=folder / f"{name}.png", output=out / f"{name}.png"))
        for n, name in enumerate("abc")
    ]


def test_every_job_has_one_answer_and_then_there_are_no_more(jobs, works):
    answers = list(Supervisor(works.Copy(), workers=2, timeout=60, retries=0).run(jobs))

    assert sorted(answer.index for answer in answers) == [0, 1, 2]
    assert [answer.error for answer in answers] == [None] * 3


def test_a_worker_that_dies_while_it_has_nothing_to_do_costs_nothing(jobs, works):
    """`b` hangs until its time is over; the worker of `a` is killed meanwhile."""
    jobs[1][1].input.write_text("hang")
    supervisor = Supervisor(works.Copy(), workers=2, timeout=2.0, retries=1)
    answers = supervisor.run(jobs[:2])
    first = next(answers)
    (idle,) = (worker for worker in supervisor._workers if worker.task is None)
    idle.process.kill()

    rest = list(answers)

    assert (first.index, first.error) == (0, None)
    assert [(answer.index, answer.error.kind) for answer in rest] == [(1, "timeout")]


@dataclass(frozen=True)
class Odd:
    """A work with a field that has no text form."""

    field: object = object()


def test_a_work_whose_field_has_no_text_is_refused_by_name():
    with pytest.raises(InputError, match="a field of Odd has no text form"):
        work_to_text(Odd())

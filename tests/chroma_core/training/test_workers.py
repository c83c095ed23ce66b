"""Processes may be lost; items are not, and their order stays.

The work is `eval`, whose items are programs: some answer, some raise, hang or kill their process.
"""

import os

import pytest

from chroma_core.errors import TrainingError
from chroma_core.training.workers import Failure, cores, ordered_results

KILL = "__import__('os').kill(__import__('os').getpid(), 9)"
EXIT = "__import__('os')._exit(3)"
HANG = "__import__('time').sleep(600)"


def test_results_come_in_the_order_of_their_items():
    items = [f"(__import__('time').sleep({0.05 * (n % 3)}), {n})[1]" for n in range(12)]

    assert list(ordered_results(eval, items, workers=2)) == list(range(12))
    assert list(ordered_results(eval, items, workers=0)) == list(range(12))


def test_a_lost_process_costs_one_item():
    items = ["1", EXIT, "2", KILL, "3"]
    found = list(ordered_results(eval, items, workers=2))

    assert found[0::2] == [1, 2, 3]
    lost = [(failure.kind, failure.reason) for failure in found[1::2]]
    assert lost == [
        ("crash", "its process ended with status 3"),
        ("crash", "its process was ended by SIGKILL"),
    ]


def test_a_failure_that_the_work_answers_keeps_its_process():
    answer = "__import__('chroma_core.training.workers').training.workers.Failure"
    process = "__import__('os').getpid()"
    items = [process, f"{answer}(kind='gray', reason='no colour')", process]
    found = list(ordered_results(eval, items, workers=1))

    assert found[1] == Failure(kind="gray", reason="no colour")
    assert found[0] == found[2]


def test_an_item_past_its_deadline_costs_itself():
    found = list(ordered_results(eval, ["1", HANG, "2"], workers=1, timeout=1.0))

    assert found[0::2] == [1, 2]
    assert (found[1].kind, found[1].reason) == ("timeout", "not done after 1 s")


def test_what_the_work_raises_ends_everything():
    with pytest.raises(ZeroDivisionError):
        list(ordered_results(eval, ["1", "1 / 0", "2"], workers=1))


def test_workers_use_one_thread_each_and_print_nowhere(capfd):
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    items = ["__import__('os').environ['OPENBLAS_NUM_THREADS']", "print('noise')"]
    found = list(ordered_results(eval, items, workers=1))

    assert found == ["1", None]
    assert os.environ.get("OPENBLAS_NUM_THREADS") == before
    assert capfd.readouterr().out == ""


def test_items_are_taken_a_few_at_a_time():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield str(number)

    results = ordered_results(eval, items(), workers=1)
    next(results)
    results.close()
    assert len(taken) < 50


def test_work_that_cannot_be_sent_says_so():
    with pytest.raises(TrainingError, match="cannot be sent to other processes"):
        list(ordered_results(lambda item: item, [1], workers=1))


def test_there_is_a_core():
    assert cores() >= 1


@pytest.mark.parametrize(("counted", "wanted"), [(12, 12), (None, 1)])
def test_cores_are_those_of_the_machine_where_a_process_has_no_own(monkeypatch, counted, wanted):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)

    assert cores() == wanted

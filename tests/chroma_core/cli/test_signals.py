"""A signal ends a program in order: long work where its state is whole, and soon in any case."""

from __future__ import annotations

import os
import signal
import time

import pytest

from chroma_core.cli import signals
from chroma_core.cli.signals import Interrupted, signals_caught, stopping_gently
from chroma_core.errors import ChromaError

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX signals")


def silent(done, total, facts):
    """Report nothing."""


def advice(by):
    return ChromaError(f"stopped by {by}", hint="go on")


def stopped(work):
    """Return what the program around a piece of work sees of a signal."""
    try:
        with signals_caught():
            work()
    except Interrupted as interrupted:
        return interrupted
    return None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_work_is_stopped_where_it_reports(number):
    done = []

    def work():
        with stopping_gently(silent, advice) as progress:
            os.kill(os.getpid(), number)
            done.append("to the next report")
            progress(1, 2, {})
            done.append("and no further")

    by = stopped(work)

    assert done == ["to the next report"]
    assert by.number == number
    assert by.advice.what == f"stopped by {signal.Signals(number).name}"
    # No alarm is left to go off.
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_work_that_never_reports_is_stopped_all_the_same(monkeypatch):
    monkeypatch.setattr(signals, "GRACE", 0.05)
    began = time.monotonic()

    def work():
        with stopping_gently(silent, advice):
            os.kill(os.getpid(), signal.SIGTERM)
            while time.monotonic() < began + 60:
                pass

    by = stopped(work)

    assert by.number == signal.SIGTERM
    assert by.advice is not None
    assert time.monotonic() < began + 60


def test_other_work_is_stopped_at_once():
    done = []

    def work():
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("no further")

    by = stopped(work)

    assert done == []
    assert by.advice is None


def test_what_was_before_is_there_again():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]

    def work():
        with stopping_gently(silent, advice) as progress:
            os.kill(os.getpid(), signal.SIGTERM)
            progress(1, 2, {})

    assert stopped(work) is not None
    assert [signal.getsignal(number) for number in numbers] == before


def test_work_that_is_done_before_its_next_report_is_done():
    def work():
        with stopping_gently(silent, advice):
            os.kill(os.getpid(), signal.SIGTERM)

    assert stopped(work) is None
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

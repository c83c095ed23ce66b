"""Running a command in this process, and what came out of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from chroma_core.cli.program import run_program

NO_COLOUR = ("--features", "none", "--regressor", "none")


@dataclass(frozen=True)
class Outcome:
    """Exit status and what was printed."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        """Return the values printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def chroma(capsys, monkeypatch, tmp_path):
    """Return a function that runs the program with arguments."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*arguments):
        capsys.readouterr()
        status = run_program([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(status, out, err)

    return run


def assert_refused(outcome, status, *words):
    """Assert that a command ended with one line on stderr that says these words."""
    assert outcome.status == status, outcome.err
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("chroma: error: ")
    assert len(lines[0].encode()) <= 500
    assert "Traceback" not in outcome.err
    assert "bug in chroma" not in outcome.err
    for word in words:
        assert word in lines[0]


@pytest.fixture
def refused():
    """Return the assertion that a command ended with one line of an error."""
    return assert_refused

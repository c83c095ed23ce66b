"""What is printed: names made visible, lines cut, a bar where somebody looks at it."""

from __future__ import annotations

import io

import pytest

from chroma_core.cli.output import LONGEST_LINE, error_line, escaped, showing_progress
from chroma_core.errors import PictureError


class Terminal(io.StringIO):
    """Stands for standard error on a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def screen(monkeypatch):
    """Return a function that puts a file, or a terminal, in the place of standard error."""
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")

    def show(file):
        # In the test itself: pytest puts its own file there when a test begins.
        monkeypatch.setattr("sys.stderr", file)
        return file

    return show


def test_bytes_that_are_no_utf8_are_shown_as_bytes():
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")

    assert escaped(name) == r"caf\xe9.png"


def test_marks_that_turn_a_line_around_are_shown():
    assert escaped("gpj.\u202eexe") == r"gpj.\u202eexe"
    assert escaped("größer 山.png") == "größer 山.png"


@pytest.mark.parametrize("sign", ["a", "é", "山", "🙂"])
def test_a_long_line_is_cut_between_two_characters(sign):
    line = error_line(PictureError(sign * 600, path="a.png"))

    assert line.startswith("chroma: error: a.png: " + sign)
    assert line.endswith(sign + "...")
    assert LONGEST_LINE - len(sign.encode()) < len(line.encode()) <= LONGEST_LINE


def test_a_bar_is_drawn_on_a_terminal_and_wiped_away(screen):
    terminal = screen(Terminal())
    with showing_progress("colouring") as progress:
        progress(2, 5, {"failed": "1", "speed": "fast"})

    drawn = terminal.getvalue()
    assert "colouring" in drawn
    assert "2/5" in drawn
    assert "failed 1  speed fast" in drawn
    # "Erase line" is the last thing that the bar does to its line.
    assert drawn.endswith("\x1b[2K")


@pytest.mark.parametrize("quiet", [True, False], ids=["quiet on a terminal", "into a file"])
def test_nothing_is_drawn_when_quiet_or_into_a_file(screen, quiet):
    file = screen(Terminal() if quiet else io.StringIO())
    with showing_progress("colouring", quiet=quiet) as progress:
        progress(2, 5, {})

    assert file.getvalue() == ""

"""The program: help, wrong use, bugs of ours, and what it loads."""

from __future__ import annotations

import runpy
import shlex
import signal
import threading

import pytest
import typer.main

from chroma_core.cli import main, program
from chroma_core.cli.program import app, run_program

COMMANDS = [command.name for command in app.registered_commands]
EXAMPLES = [
    example
    for command in COMMANDS
    for example in getattr(program, command).EXAMPLES.removeprefix("Examples: ").split(" · ")
]


def test_every_step_of_the_design_has_its_command():
    assert set(COMMANDS) >= {
        "run",
        "convert",
        "features",
        "extract",
        "train",
        "predict",
        "fuse",
        "refine",
        "evaluate",
        "stages",
        "models",
        "demo",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(chroma, command):
    shown = chroma(command, "--help")

    assert shown.status == 0
    assert f"Usage: chroma {command}" in shown.out
    assert f"chroma {command}" in shown.out.partition("Examples:")[2]
    assert shown.err == ""
    assert chroma(command, "-h").out == shown.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_and_argument_says_what_it_does(command):
    parsed = typer.main.get_command(app).commands[command]

    assert parsed.help
    assert parsed.params
    assert [parameter.name for parameter in parsed.params if not parameter.help] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_use_options_that_there_are(chroma, example):
    """--help is answered before values are looked at, after options are."""
    words = shlex.split(example.partition(" (")[0].partition(" < ")[0])

    assert words[0] == "chroma"
    assert chroma(*words[1:], "--help").status == 0


def test_without_a_command_help_is_shown(chroma):
    shown = chroma()

    assert shown.status == 2
    assert "Usage: chroma" in shown.out
    assert shown.err == ""
    for command in COMMANDS:
        assert command in shown.out


def test_the_version_is_told(chroma):
    import chroma_core

    assert chroma("--version").out == f"chroma {chroma_core.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["colourize"], ["colourize", "chroma --help"]),
        (["--colour"], ["--colour"]),
        (["run", "--colour"], ["--colour", "chroma run --help"]),
        (["run", "a.png", "--join", "cubic"], ["cubic", "guided", "bilinear"]),
        (["run", "a.png", "--vividness", "9"], ["--vividness"]),
        (["run", "a.png", "--vividness", "nan"], ["vividness"]),
        (["run", "a.png", "--work-size", "3"], ["--work-size", "16 to 65536"]),
        (["run", "a.png", "--work-size", "wide"], ["--work-size", "full"]),
        (["run", "a.png", "--depth", "12"], ["--depth", "8 or 16"]),
        (["run", "a.png", "--quality", "0"], ["--quality"]),
        (["run", "a.png", "--workers", "0"], ["--workers"]),
        (["run", "a.png", "--format", "gif"], ["gif"]),
        (["run", "--dry-run"], ["--dry-run"]),
        (["run", "a.png", "b.png", "-o", "-"], ["one picture"]),
        (["convert"], ["picture", "chroma convert --help"]),
        (["convert", "a.png"], ["--output"]),
        (["convert", "a.png", "-o", "a.tif", "--observer", "5"], ["--observer", "2 or 10"]),
        (["evaluate", "a", "--mean-colour", "red"], ["--mean-colour", "1.2,6.1"]),
        (["stages", "one", "two"], ["two"]),
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_line(chroma, refused, arguments, words):
    none = [] if arguments[0] != "run" else ["--features", "none", "--regressor", "none"]

    refused(chroma(*arguments, *none), 2, *words)


def test_a_bug_of_ours_is_one_line_and_a_report(chroma, refused, monkeypatch, tmp_path):
    def broken(*arguments, **options):
        raise ZeroDivisionError("of\x1b[31m ours\nsecond line")

    monkeypatch.setattr("chroma_core.plugins.installed_stages", broken)

    outcome = chroma("stages")

    (report,) = (tmp_path / "state" / "chroma").iterdir()
    assert outcome.status == 70
    assert outcome.err.count("\n") == 1
    assert "bug in chroma: ZeroDivisionError" in outcome.err
    assert "\x1b" not in outcome.err
    assert str(report) in outcome.err
    assert "Traceback" in report.read_text()
    with pytest.raises(ZeroDivisionError):
        chroma("stages", "--debug")


def test_debug_shows_the_traceback_of_an_error(chroma):
    outcome = chroma("stages", "nothing", "--debug")

    assert outcome.status == 2
    assert "Traceback" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("chroma: error: no stage is named nothing")


def test_debug_after_two_dashes_is_a_name(chroma, refused):
    refused(chroma("stages", "--", "--debug"), 2, "no stage is named --debug")


def test_names_are_shown_escaped(chroma, refused, tmp_path):
    refused(chroma("models", "no\x1b[31m\nmodel"), 69, r"\x1b[31m\n")


def test_main_exits_with_the_status(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["stages", "nothing"])

    assert ended.value.code == 2


def test_signal_handlers_are_given_back(chroma):
    before = signal.getsignal(signal.SIGTERM)

    chroma("stages")

    assert signal.getsignal(signal.SIGTERM) is before


def test_the_program_may_run_in_a_thread(capsys):
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(run_program(["--version"])))
    thread.start()
    thread.join()

    assert statuses == [0]


# Commands of plugins.

PLUGIN = """
import signal, sys

def wave(words):
    print("waves", *words)

def leave(words):
    sys.exit(int(words[0]) if words[0].isdigit() else words[0])

def hear(words):
    print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Install a distribution with three commands of its own."""
    folder = tmp_path / "site"
    info = folder / "waving-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "chroma_test_waving.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: waving\nVersion: 1.0\n")
    lines = [f"{name} = chroma_test_waving:{name}" for name in ("hear", "leave", "wave")]
    (info / "entry_points.txt").write_text("\n".join(["[chroma.commands]", *lines]))
    monkeypatch.syspath_prepend(folder)


@pytest.mark.usefixtures("plugin")
def test_a_plugin_brings_a_command(chroma, refused):
    outcome = chroma("wave", "--to", "you")

    assert (outcome.status, outcome.out, outcome.err) == (0, "waves --to you\n", "")
    refused(chroma("wive"), 2, "wive")


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(("word", "status"), [("0", 0), ("3", 3), ("a reason", 1)])
def test_a_plugin_s_command_may_end_the_program_with_a_status(chroma, word, status):
    assert chroma("leave", word).status == status


@pytest.mark.usefixtures("plugin")
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs POSIX signals")
def test_a_signal_that_nohup_ignores_stays_ignored(chroma):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert chroma("hear").out == "True\n"
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        assert chroma("hear").out == "False\n"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_bug_is_told_also_where_no_report_can_be_written(chroma, monkeypatch, tmp_path):
    def broken(*arguments, **options):
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("chroma_core.plugins.installed_stages", broken)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))

    outcome = chroma("stages")

    assert outcome.status == 70
    assert outcome.err == (
        "chroma: error: this is a bug in chroma: ZeroDivisionError: of ours "
        "(again with --debug says more)\n"
    )


def test_importing_the_module_that_is_run_runs_nothing(capsys):
    runpy.run_module("chroma_core.__main__", run_name="imported")

    assert capsys.readouterr() == ("", "")

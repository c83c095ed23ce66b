"""The program around the commands: what there is, signals, and how errors are told.

One place catches `ChromaError` and wrong use: it becomes one line on stderr and an exit status.
Anything else that a command raises is a bug of ours: status 70, one line, and a report file with
the traceback.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from chroma_core.cli import (
    convert,
    demo,
    doctor,
    evaluate,
    extract,
    features,
    fuse,
    inspect,
    models,
    predict,
    refine,
    run,
    stages,
    train,
    verify,
)
from chroma_core.cli.output import error_line, escaped
from chroma_core.cli.signals import Interrupted, signals_caught
from chroma_core.errors import ChromaError, OptionError

__all__ = ["app", "run_program"]

BUG = 70
CLOSED_PIPE = 74
SIGNAL_BASE = 128

app = typer.Typer(
    name="chroma",
    help="Colour grayscale photographs, step by step or in one go.",
    epilog="Every command has --help with examples. --debug shows tracebacks.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    run,
    convert,
    features,
    extract,
    train,
    predict,
    fuse,
    refine,
    evaluate,
    inspect,
    verify,
    stages,
    models,
    doctor,
    demo,
):
    app.command(name=module.NAME, epilog=module.EXAMPLES)(module.command)


@app.callback(invoke_without_command=True)
def program(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    """Colour grayscale photographs, step by step or in one go."""
    if version:
        from chroma_core.version import VERSION

        typer.echo(f"chroma {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(OptionError.exit_status)


def run_program(arguments: list[str]) -> int:
    """Run one command and return the exit status.

    Parameters
    ----------
    arguments : list of str
        What follows the program's name.
    """
    own = arguments.index("--") if "--" in arguments else len(arguments)
    debug = "--debug" in arguments[:own] or bool(os.environ.get("CHROMA_DEBUG"))
    arguments = [word for word in arguments[:own] if word != "--debug"] + arguments[own:]
    try:
        with signals_caught():
            status = _run(arguments)
            sys.stdout.flush()
    except SystemExit as ended:
        # Typer ends with 1 when nobody reads standard output any more.
        if isinstance(ended.__context__, BrokenPipeError):
            return _nobody_listens()
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Interrupted as interrupted:
        if interrupted.advice is not None:
            print(error_line(interrupted.advice), file=sys.stderr)
        return SIGNAL_BASE + interrupted.number
    except BrokenPipeError:
        return _nobody_listens()
    except ChromaError as error:
        if debug:
            traceback.print_exc()
        print(error_line(error), file=sys.stderr)
        return error.exit_status
    except Exception as error:
        if debug:
            raise
        print(_bug_line(error), file=sys.stderr)
        return BUG
    return status


def _run(arguments: list[str]) -> int:
    """Run a command; wrong use is told as one of our errors."""
    command = _plugin_command(arguments)
    if command is not None:
        command(arguments[1:])
        return 0
    try:
        # Returns the status of typer.Exit, and what the command returns, which is nothing.
        return int(app(args=arguments, prog_name="chroma", standalone_mode=False) or 0)
    except _WrongUse as error:
        told: Any = error
        path = told.ctx.command_path if getattr(told, "ctx", None) is not None else "chroma"
        what = " ".join(told.format_message().split())
        raise OptionError(what.rstrip("."), hint=f"{path} --help says more") from None


_WrongUse: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for wrong use; it has no public name of its own."""


def _nobody_listens() -> int:
    """End quietly when standard output was closed: what is left there must not be flushed."""
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)
    return CLOSED_PIPE


def _plugin_command(arguments: list[str]) -> Callable[[list[str]], object] | None:
    """Find a command that a plugin brings; entry points are read only if it is none of ours."""
    known = {command.name for command in app.registered_commands}
    if not arguments or arguments[0].startswith("-") or arguments[0] in known:
        return None
    from importlib.metadata import entry_points

    for entry in entry_points(group="chroma.commands"):
        if entry.name == arguments[0]:
            loaded: Callable[[list[str]], object] = entry.load()
            return loaded
    return None


def _bug_line(error: Exception) -> str:
    state = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state")) / "chroma"
    story = escaped(f"{type(error).__name__}: {error}".splitlines()[0][:200])
    try:
        state.mkdir(parents=True, exist_ok=True)
        report = state / f"report-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        report.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return f"chroma: error: this is a bug in chroma: {story} (again with --debug says more)"
    return f"chroma: error: this is a bug in chroma: {story} (please report it with {report})"

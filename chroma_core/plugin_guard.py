"""One plugin is loaded, guarded: whatever is wrong with it ends as a line of text.

A plugin may raise, call ``sys.exit``, hang, print, change the working directory, misspell a hook,
or offer what is no stage. It is loaded in a thread of its own that is waited for; nothing of it
reaches the program but what `load_guarded` returns.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, cast

import pluggy

from chroma_core import hookspecs
from chroma_core.errors import OptionError, PluginError
from chroma_core.options import Options, describe_options
from chroma_core.stages import Colorspace, Features, Refiner, Regressor, Role, Stage

__all__ = ["Loaded", "load_guarded", "one_line", "plugin_timeout"]

TIMEOUT_VARIABLE = "CHROMA_PLUGIN_TIMEOUT"
TIMEOUT = 10.0
LINE_BYTES = 400

ROLES: dict[Role, type[Stage[Any]]] = {
    "colorspace": Colorspace,
    "features": Features,
    "regressor": Regressor,
    "refiner": Refiner,
}
HOOKS = ("chroma_stages", "chroma_models")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What came of loading a plugin.

    Attributes
    ----------
    stages : tuple of type of Stage
        Its stages.
    models : tuple of Path
        Its model folders.
    problem : str
        Why it cannot be used, in one line of at most 400 bytes; empty if it can.
    seconds : float
        How long it took.
    """

    stages: tuple[type[Stage[Any]], ...] = ()
    models: tuple[Path, ...] = ()
    problem: str = ""
    seconds: float = 0.0


def load_guarded(name: str, load: Callable[[], Any], timeout: float | None = None) -> Loaded:
    """Load a plugin and ask it for what it offers.

    Parameters
    ----------
    name : str
        Name of the plugin, for its thread.
    load : callable
        Returns the plugin: a module or an object with hooks.
    timeout : float, optional
        Seconds to wait; by default ``CHROMA_PLUGIN_TIMEOUT``, or 10. What takes longer is left
        running.

    Raises
    ------
    OptionError
        If ``CHROMA_PLUGIN_TIMEOUT`` is no number of seconds.
    """
    timeout = plugin_timeout() if timeout is None else timeout
    answers: list[Loaded] = []

    def work() -> None:
        # BaseException: a sys.exit() or a KeyboardInterrupt of the plugin's own is no reason for
        # the program to end.
        try:
            with _exit_kept_from_this_thread():
                answers.append(_offers(load()))
        except _Exit as error:
            answers.append(Loaded(problem=f"called os._exit({one_line(error, bare=True)})"))
        except SystemExit as error:
            answers.append(Loaded(problem=f"called sys.exit({one_line(error, bare=True)})"))
        except BaseException as error:
            answers.append(Loaded(problem=one_line(error)))

    start = time.monotonic()
    thread = threading.Thread(target=work, name=f"chroma-plugin-{name}", daemon=True)
    # What a plugin prints must not get between the results that go to standard output.
    with contextlib.redirect_stdout(sys.stderr), _kept_directory():
        thread.start()
        thread.join(timeout)
        loaded = answers[0] if answers else Loaded(problem=_slow(timeout))
    return replace(loaded, seconds=time.monotonic() - start)


def one_line(error: BaseException, *, bare: bool = False) -> str:
    """Return any error as one line of at most 400 bytes, whatever its text is.

    Parameters
    ----------
    error : BaseException
        Its text may be empty, of many lines, of megabytes, or itself raise.
    bare : bool, optional
        Leave out the name of its class.
    """
    try:
        text = str(error)[: 4 * LINE_BYTES]
    except BaseException as second:
        text = f"<its text cannot be read: {type(second).__name__}>"
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if not bare and not isinstance(error, PluginError):
        words = f"{type(error).__name__}: {words}" if words else type(error).__name__
    cut = words.encode("utf-8", "replace")
    if len(cut) > LINE_BYTES:
        return cut[: LINE_BYTES - 3].decode("utf-8", "ignore") + "..."
    return cut.decode("utf-8")


def plugin_timeout() -> float:
    """Return how many seconds a plugin may take to load: ``CHROMA_PLUGIN_TIMEOUT``, or 10.

    Raises
    ------
    OptionError
        If the variable is no number of seconds.
    """
    text = os.environ.get(TIMEOUT_VARIABLE, "")
    if not text:
        return TIMEOUT
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise OptionError(f"{TIMEOUT_VARIABLE} is {text!r}, wanted seconds above 0")
    return seconds


class _Exit(SystemExit):
    """A plugin called `os._exit`, which nothing could catch."""


@contextlib.contextmanager
def _exit_kept_from_this_thread() -> Iterator[None]:
    """Let `os._exit` raise here, and end the process as ever where other threads call it."""
    real, here = os._exit, threading.get_ident()

    def leave(status: int) -> NoReturn:
        if threading.get_ident() == here:
            raise _Exit(status)
        real(status)

    os._exit = leave
    try:
        yield
    finally:
        # A later plugin may have put its own in place while this one hung.
        if os._exit is leave:
            os._exit = real


@contextlib.contextmanager
def _kept_directory() -> Iterator[None]:
    """Stay in the working directory: paths of the user's own are relative to it."""
    try:
        before = os.getcwd()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        if os.getcwd() != before:
            os.chdir(before)


def _slow(timeout: float) -> str:
    wait = f"({TIMEOUT_VARIABLE} sets how long to wait)"
    return f"did not finish loading in {timeout:g} s and was left {wait}"


def _offers(plugin: Any) -> Loaded:
    """Return the stages and models of a plugin, or raise PluginError with what is wrong."""
    # A manager for this plugin alone: whatever is wrong with it, no other plugin is touched.
    manager = pluggy.PluginManager("chroma")
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(_hook_problem(plugin, error)) from error
    if not manager.get_hookcallers(plugin):
        raise PluginError("offers nothing: none of its functions is marked with @hookimpl")
    stages: dict[tuple[str, str], type[Stage[Any]]] = {}
    for offered in _items(manager.hook.chroma_stages(), HOOKS[0]):
        stage = _checked_stage(offered)
        other = stages.setdefault((stage.role, stage.name), stage)
        if other is not stage:
            raise PluginError(
                f"two of its {stage.role} stages are called {stage.name}: "
                f"{other.__name__} and {stage.__name__}"
            )
    models = [_checked_model(path) for path in _items(manager.hook.chroma_models(), HOOKS[1])]
    return Loaded(stages=tuple(stages.values()), models=tuple(models))


def _hook_problem(plugin: Any, error: pluggy.PluginValidationError) -> str:
    for name in dir(plugin):
        marked = getattr(getattr(plugin, name, None), "chroma_impl", None)
        if marked is not None and name not in HOOKS:
            near = difflib.get_close_matches(name, HOOKS, n=1, cutoff=0.5)
            known = f"did you mean {near[0]}?" if near else f"hooks are {', '.join(HOOKS)}"
            return f"{name} is not a hook ({known})"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "a hook has the wrong signature: " + "; ".join(lines[1:] or lines)


def _items(answers: list[Any], hook: str) -> list[Any]:
    for answer in answers:
        if not isinstance(answer, list | tuple):
            raise PluginError(f"{hook} returned a {type(answer).__name__}, wanted a list")
    return [item for answer in answers for item in answer]


def _checked_stage(offered: Any) -> type[Stage[Any]]:
    who = getattr(offered, "__name__", repr(offered)[:80])
    if not isinstance(offered, type) or not issubclass(offered, tuple(ROLES.values())):
        raise PluginError(
            f"chroma_stages returned {who}, wanted classes derived from one of "
            + ", ".join(base.__name__ for base in ROLES.values())
        )
    stage = cast("type[Stage[Any]]", offered)
    if inspect.isabstract(stage):
        lacking = ", ".join(sorted(stage.__abstractmethods__))
        raise PluginError(f"stage {who} lacks {lacking}")
    name = getattr(stage, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PluginError(f"stage {who} has the name {name!r}, wanted words joined by hyphens")
    if stage.role not in ROLES:
        raise PluginError(f"stage {who} has the role {stage.role!r}, wanted one of the four")
    options = stage.Options
    if not isinstance(options, type) or not issubclass(options, Options):
        raise PluginError(f"stage {who} has Options that do not derive from chroma's Options")
    describe_options(options)
    options()
    return stage


def _checked_model(path: Any) -> Path:
    if not isinstance(path, Path):
        raise PluginError(f"chroma_models returned {path!r:.80}, wanted paths")
    return path

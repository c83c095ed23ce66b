"""Plugins: which stages and models there are, and why one of them is not.

Plugins are found by entry points of the group ``chroma`` and described in `chroma_core.hookspecs`.
They are programs that the user chose to install, so they are trusted; but one that is broken must
not break the rest. Each is loaded apart, in a thread that is waited for, and what goes wrong is
kept as its story, which `plugin_stories` tells and which is raised only when its stage is asked for.

Chroma's own stages come by the same hooks. They are looked at first, and the others are not
loaded before a name is not found among them.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.metadata
import importlib.util
import inspect
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import pluggy

from chroma_core import hookspecs
from chroma_core.errors import OptionError, PluginError, StageNotFound
from chroma_core.hookspecs import hookimpl
from chroma_core.options import OptionDescription, Options, describe_options
from chroma_core.stages import Colorspace, Features, Refiner, Regressor, Role, Stage

__all__ = [
    "DISTRIBUTION",
    "GROUP",
    "ModelFolder",
    "PluginStory",
    "Registry",
    "StageInfo",
    "default_registry",
    "find_stage",
    "hookimpl",
    "installed_stages",
    "missing_libraries",
    "model_folders",
    "plugin_stories",
    "register",
    "require_libraries",
]

GROUP = "chroma"
"""Entry-point group in which plugins announce themselves."""

DISTRIBUTION = "chroma-colorize"
"""The distribution whose names cannot be taken, and whose extras bring libraries."""

TIMEOUT_VARIABLE = "CHROMA_PLUGIN_TIMEOUT"
TIMEOUT = 10.0
STORY_BYTES = 400

ROLES: dict[Role, type[Stage[Any]]] = {
    "colorspace": Colorspace,
    "features": Features,
    "regressor": Regressor,
    "refiner": Refiner,
}
HOOKS = ("chroma_stages", "chroma_models")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Distribution(Protocol):
    """What is asked of a distribution's metadata."""

    @property
    def name(self) -> str:
        """Name on the package index."""
        ...

    @property
    def version(self) -> str:
        """Version."""
        ...


class EntryPoint(Protocol):
    """What is asked of an entry point; `importlib.metadata.EntryPoint` is one."""

    @property
    def name(self) -> str:
        """Name of the entry point."""
        ...

    @property
    def value(self) -> str:
        """Module, and attribute where there is one."""
        ...

    @property
    def dist(self) -> Distribution | None:
        """Whose it is."""
        ...

    def load(self) -> Any:
        """Import it."""
        ...


@dataclass(frozen=True, kw_only=True)
class PluginStory:
    """What became of one plugin.

    Attributes
    ----------
    plugin : str
        Name of the entry point, or what `register` was told.
    module : str
        Where its code is.
    distribution, version : str
        Who installed it.
    problem : str
        What is wrong, in one line of at most 400 bytes; empty if all is well.
    loaded : bool
        Whether its stages can be used (a clash of names is a problem that leaves them usable).
    seconds : float
        How long it took to load.
    """

    plugin: str
    module: str
    distribution: str
    version: str
    problem: str
    loaded: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StageInfo:
    """One stage that is installed.

    Attributes
    ----------
    role : str
        ``colorspace``, ``features``, ``regressor`` or ``refiner``.
    name : str
        How it is asked for: its own name, or ``distribution:name`` where that is taken.
    distribution, version : str
        Who installed it, and the version of that distribution.
    stage : type of Stage
        Its class.
    options : tuple of OptionDescription
        Its options.
    missing : tuple of str
        Import names of libraries that it needs and that are not installed.
    """

    role: Role
    name: str
    distribution: str
    version: str
    stage: type[Stage[Any]]
    options: tuple[OptionDescription, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """A model folder that a plugin ships.

    Attributes
    ----------
    name : str
        How it is asked for: the folder's name, or ``distribution:name`` where that is taken.
    distribution : str
        Who installed it.
    path : Path
        The folder.
    """

    name: str
    distribution: str
    path: Path


@dataclass(kw_only=True)
class _Plugin:
    """A plugin and what is known of it; changed only under the registry's lock."""

    name: str
    module: str
    distribution: str
    version: str
    load: Callable[[], Any]
    tried: bool = False
    problem: str = ""
    clashes: tuple[str, ...] = ()
    seconds: float = 0.0
    stages: tuple[type[Stage[Any]], ...] = ()
    models: tuple[Path, ...] = ()

    @property
    def shipped(self) -> bool:
        return _normalized(self.distribution) == DISTRIBUTION


class Registry:
    """Plugins, loaded when they are needed.

    Parameters
    ----------
    entry_points : iterable of EntryPoint, optional
        Where plugins come from; those that are installed, by default.
    timeout : float, optional
        Seconds to wait for each plugin; by default ``CHROMA_PLUGIN_TIMEOUT``, or 10.

    Notes
    -----
    May be shared by threads.
    """

    def __init__(
        self, entry_points: Iterable[EntryPoint] | None = None, *, timeout: float | None = None
    ) -> None:
        self._entry_points = entry_points
        self._timeout = timeout
        self._lock = threading.RLock()
        self._registered: list[_Plugin] = []
        self._found: list[_Plugin] | None = None

    def register(self, plugin: Any, *, distribution: str = "", version: str = "") -> None:
        """Add a plugin that no entry point names: a module or an object with hooks.

        Parameters
        ----------
        plugin : module or object
            Has functions marked with `hookimpl`.
        distribution, version : str, optional
            What to call it where a name is taken; by default what the plugin is called in Python.

        Raises
        ------
        PluginError
            If it is broken. It is not added then.
        """
        name = str(getattr(plugin, "__name__", type(plugin).__name__))
        entry = _Plugin(
            name=name,
            module=str(getattr(plugin, "__name__", type(plugin).__module__)),
            distribution=distribution or name,
            version=version,
            load=lambda: plugin,
        )
        with self._lock:
            self._load(entry)
            if entry.problem:
                raise _broken(entry)
            self._registered.append(entry)

    def find_stage(self, role: Role, name: str) -> type[Stage[Any]]:
        """Return the class of a stage.

        Parameters
        ----------
        role : str
            ``colorspace``, ``features``, ``regressor`` or ``refiner``.
        name : str
            Its name, or ``distribution:name``.

        Raises
        ------
        StageNotFound
            If there is none; names those that there are, the nearest first.
        PluginError
            If two plugins offer it, or the plugin that should is broken.
        """
        for info in self._infos(shipped_only=True):
            if (info.role, info.name) == (role, name):
                return info.stage
        owner, _, bare = name.rpartition(":")
        for info in self._infos():
            if (info.role, info.stage.name) != (role, bare):
                continue
            if info.name == name or (owner and _normalized(owner) == info.distribution):
                return info.stage
        raise self._why_not(role, name)

    def installed_stages(self) -> list[StageInfo]:
        """Return all stages of all plugins that load, chroma's own first."""
        return self._infos()

    def plugin_stories(self) -> list[PluginStory]:
        """Return what became of each plugin, chroma's own first."""
        self._infos()
        return [
            PluginStory(
                plugin=plugin.name,
                module=plugin.module,
                distribution=plugin.distribution,
                version=plugin.version,
                problem=plugin.problem or "; ".join(plugin.clashes),
                loaded=not plugin.problem,
                seconds=plugin.seconds,
            )
            for plugin in self._plugins()
        ]

    def models(self, *, shipped_only: bool = False) -> list[ModelFolder]:
        """Return the model folders that plugins ship, chroma's own first."""
        plugins = self._loaded(shipped_only=shipped_only)
        offers = [(plugin, path) for plugin in plugins for path in plugin.models]
        names = _reachable([(plugin, path.name) for plugin, path in offers])
        return [
            ModelFolder(name=name, distribution=_normalized(plugin.distribution), path=path)
            for name, (plugin, path) in zip(names, offers, strict=True)
        ]

    def model_folders(self) -> list[Path]:
        """Return the paths of the model folders that plugins ship."""
        return [folder.path for folder in self.models()]

    def _infos(self, *, shipped_only: bool = False) -> list[StageInfo]:
        with self._lock:
            plugins = self._loaded(shipped_only=shipped_only)
            offers = [(plugin, stage) for plugin in plugins for stage in plugin.stages]
            keys = [(plugin, f"{stage.role} {stage.name}") for plugin, stage in offers]
            names = [key.rpartition(" ")[2] for key in _reachable(keys)]
            for plugin in plugins:
                plugin.clashes = ()
            for name, (plugin, stage) in zip(names, offers, strict=True):
                if name != stage.name:
                    taken = f"the name {stage.name!r} of a {stage.role} stage is taken"
                    plugin.clashes = (*plugin.clashes, f"{taken}, so it is called {name}")
        return [
            StageInfo(
                role=stage.role,
                name=name,
                distribution=_normalized(plugin.distribution),
                version=plugin.version,
                stage=stage,
                options=describe_options(stage.Options),
                missing=missing_libraries(stage),
            )
            for name, (plugin, stage) in zip(names, offers, strict=True)
        ]

    def _why_not(self, role: Role, name: str) -> StageNotFound | PluginError:
        infos = [info for info in self._infos() if info.role == role]
        rivals = [info.name for info in infos if info.stage.name == name]
        if rivals:
            return PluginError(
                f"several plugins offer a {role} stage {name!r}", hint="say " + " or ".join(rivals)
            )
        broken = [plugin for plugin in self._plugins() if plugin.problem]
        owner, _, bare = name.rpartition(":")
        for plugin in broken:
            if bare == plugin.name or (
                owner and _normalized(owner) == _normalized(plugin.distribution)
            ):
                return _broken(plugin)
        names = sorted(info.name for info in infos)
        near = difflib.get_close_matches(name, names, n=3)
        there = "there are " + ", ".join([*near, *(other for other in names if other not in near)])
        hints = [f"did you mean {near[0]}?"] if near else []
        hints.append(there if names else f"no {role} stage is installed")
        hints += [f"plugin {plugin.name} did not load: {plugin.problem}" for plugin in broken]
        return StageNotFound(f"there is no {role} stage {name!r}", hint="; ".join(hints))

    def _plugins(self) -> list[_Plugin]:
        with self._lock:
            if self._found is None:
                found = self._entry_points
                if found is None:
                    found = cast(
                        "Sequence[EntryPoint]", importlib.metadata.entry_points(group=GROUP)
                    )
                plugins = [_from_entry_point(entry) for entry in found]
                # Metadata of an editable install and of a wheel may name the same plugin twice.
                once = {(_normalized(p.distribution), p.name, p.module): p for p in plugins}
                order = sorted(
                    once.values(),
                    key=lambda p: (not p.shipped, p.name != "core", p.distribution, p.name),
                )
                self._found = order
            return [*self._found, *self._registered]

    def _loaded(self, *, shipped_only: bool) -> list[_Plugin]:
        with self._lock:
            plugins = [p for p in self._plugins() if p.shipped or not shipped_only]
            for plugin in plugins:
                if not plugin.tried:
                    self._load(plugin)
            return [plugin for plugin in plugins if not plugin.problem]

    def _load(self, plugin: _Plugin) -> None:
        """Load a plugin in a thread of its own and keep what came of it."""
        timeout = _timeout() if self._timeout is None else self._timeout
        answers: list[tuple[tuple[type[Stage[Any]], ...], tuple[Path, ...]]] = []
        problems: list[str] = []

        def work() -> None:
            # BaseException: a sys.exit() or a KeyboardInterrupt of the plugin's own is no reason
            # for the program to end.
            try:
                answers.append(_offers(plugin.load()))
            except PluginError as error:
                problems.append(one_line(error))
            except SystemExit as error:
                problems.append(f"called sys.exit({one_line(error, bare=True)})")
            except BaseException as error:
                problems.append(one_line(error))

        plugin.tried = True
        start = time.monotonic()
        thread = threading.Thread(target=work, name=f"chroma-plugin-{plugin.name}", daemon=True)
        # What a plugin prints must not get between the results that go to standard output.
        with contextlib.redirect_stdout(sys.stderr):
            thread.start()
            thread.join(timeout)
        plugin.seconds = time.monotonic() - start
        if answers:
            plugin.stages, plugin.models = answers[0]
        elif problems:
            plugin.problem = problems[0]
        else:
            plugin.problem = (
                f"did not finish loading in {timeout:g} s and was left "
                f"({TIMEOUT_VARIABLE} sets how long to wait)"
            )


def default_registry() -> Registry:
    """Return the registry of what is installed, the same at every call."""
    return _DEFAULT


def find_stage(role: Role, name: str) -> type[Stage[Any]]:
    """Return the class of an installed stage; see `Registry.find_stage`."""
    return _DEFAULT.find_stage(role, name)


def installed_stages() -> list[StageInfo]:
    """Return all installed stages; see `Registry.installed_stages`."""
    return _DEFAULT.installed_stages()


def plugin_stories() -> list[PluginStory]:
    """Return what became of each installed plugin; see `Registry.plugin_stories`."""
    return _DEFAULT.plugin_stories()


def model_folders() -> list[Path]:
    """Return the model folders of all plugins; see `Registry.model_folders`."""
    return _DEFAULT.model_folders()


def register(plugin: Any, *, distribution: str = "", version: str = "") -> None:
    """Add a plugin that no entry point names; see `Registry.register`."""
    _DEFAULT.register(plugin, distribution=distribution, version=version)


def missing_libraries(stage: type[Stage[Any]]) -> tuple[str, ...]:
    """Return the import names of libraries that a stage needs and that are not installed.

    Nothing is imported.
    """
    return tuple(name for name in stage.requires if not _is_installed(name))


def require_libraries(stage: type[Stage[Any]]) -> None:
    """Refuse a stage whose libraries are not installed.

    Raises
    ------
    PluginError
        Names the libraries, and the extra of chroma's distribution that brings them.
    """
    missing = missing_libraries(stage)
    if missing:
        what = f"pip install '{DISTRIBUTION}[{stage.extra}]'" if stage.extra else "install it"
        raise PluginError(
            f"{stage.role} {stage.name} needs {', '.join(missing)}, which is not installed",
            hint=what,
        )


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
        text = str(error)[: 4 * STORY_BYTES]
    except BaseException as second:
        text = f"<its text cannot be read: {type(second).__name__}>"
    words = " ".join(re.sub(r"[^\x20-\x7e\u00a0-\U0010ffff]", " ", text).split())
    if not bare and not isinstance(error, PluginError):
        words = f"{type(error).__name__}: {words}" if words else type(error).__name__
    cut = words.encode("utf-8", "replace")
    if len(cut) > STORY_BYTES:
        return cut[: STORY_BYTES - 3].decode("utf-8", "ignore") + "..."
    return cut.decode("utf-8")


_DEFAULT = Registry()


def _from_entry_point(entry: EntryPoint) -> _Plugin:
    dist = entry.dist
    return _Plugin(
        name=entry.name,
        module=entry.value,
        distribution=dist.name if dist else "",
        version=dist.version if dist else "",
        load=entry.load,
    )


def _normalized(distribution: str) -> str:
    """Return a distribution's name as the package index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _timeout() -> float:
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


def _reachable(offers: Sequence[tuple[_Plugin, str]]) -> list[str]:
    """Return how each offer is asked for: bare, or with its distribution where that is taken."""
    shipped = {name for plugin, name in offers if plugin.shipped}
    strangers = [name for plugin, name in offers if not plugin.shipped]
    reachable = []
    for plugin, name in offers:
        taken = name in shipped or strangers.count(name) > 1
        if plugin.shipped or not taken:
            reachable.append(name)
        else:
            role, _, bare = name.rpartition(" ")
            reachable.append(f"{role} {_normalized(plugin.distribution)}:{bare}".strip())
    return reachable


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        # ValueError: in sys.modules without a specification, as a test's stand-in is.
        return sys.modules.get(name) is not None


def _broken(plugin: _Plugin) -> PluginError:
    owner = " ".join(filter(None, [plugin.distribution, plugin.version]))
    return PluginError(f"plugin {plugin.name} of {owner} cannot be used: {plugin.problem}")


def _offers(plugin: Any) -> tuple[tuple[type[Stage[Any]], ...], tuple[Path, ...]]:
    """Return the stages and models of a plugin, or say why they cannot be had."""
    # A manager for this plugin alone: whatever is wrong with it, no other plugin is touched.
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(_hook_problem(plugin, error)) from error
    if not manager.get_hookcallers(plugin):
        raise PluginError("offers nothing: none of its functions is marked with @hookimpl")
    stages = [
        stage for answer in manager.hook.chroma_stages() for stage in _items(answer, HOOKS[0])
    ]
    models = [path for answer in manager.hook.chroma_models() for path in _items(answer, HOOKS[1])]
    return (
        tuple(_checked_stage(stage) for stage in stages),
        tuple(_checked_model(path) for path in models),
    )


def _hook_problem(plugin: Any, error: pluggy.PluginValidationError) -> str:
    for name in dir(plugin):
        marked = getattr(getattr(plugin, name, None), "chroma_impl", None)
        if marked is not None and name not in HOOKS:
            near = difflib.get_close_matches(name, HOOKS, n=1, cutoff=0.5)
            known = f"did you mean {near[0]}?" if near else f"hooks are {', '.join(HOOKS)}"
            return f"{name} is not a hook ({known})"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "a hook has the wrong signature: " + "; ".join(lines[1:] or lines)


def _items(answer: Any, hook: str) -> list[Any]:
    if not isinstance(answer, list | tuple):
        raise PluginError(f"{hook} returned a {type(answer).__name__}, wanted a list")
    return list(answer)


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
    options()
    return stage


def _checked_model(path: Any) -> Path:
    if not isinstance(path, Path):
        raise PluginError(f"chroma_models returned {path!r:.80}, wanted paths")
    return path

"""Plugins: which stages and models there are, and why one of them is not.

Plugins are found by entry points of the group ``chroma`` and described in `chroma_core.hookspecs`.
They are programs that the user chose to install, so they are trusted; but one that is broken must
not break the rest. Each is loaded apart, in a thread that is waited for, and what goes wrong is
kept as its story, which `plugin_stories` tells and which is raised only when its stage is asked
for.

Chroma's own stages come by the same hooks. They are looked at first, and the others are not
loaded before a name is not found among them.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from chroma_core.errors import PluginError, StageNotFound
from chroma_core.hookspecs import hookimpl
from chroma_core.options import OptionDescription, describe_options
from chroma_core.plugin_guard import Loaded, load_guarded
from chroma_core.plugin_probe import probe
from chroma_core.stages import Role, Stage

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
    loaded: Loaded | None = None

    @property
    def key(self) -> str:
        return _normalized(self.distribution)

    @property
    def shipped(self) -> bool:
        return self.key == DISTRIBUTION

    @property
    def problem(self) -> str:
        return self.loaded.problem if self.loaded is not None else ""

    @property
    def stages(self) -> tuple[type[Stage[Any]], ...]:
        return self.loaded.stages if self.loaded is not None else ()


class Registry:
    """Plugins, loaded when they are needed.

    Parameters
    ----------
    plugins : iterable of importlib.metadata.EntryPoint, optional
        Where plugins come from; those that are installed, by default.
    timeout : float, optional
        Seconds to wait for each plugin; by default ``CHROMA_PLUGIN_TIMEOUT``, or 10.

    Notes
    -----
    May be shared by threads.
    """

    def __init__(
        self, plugins: Iterable[EntryPoint] | None = None, *, timeout: float | None = None
    ) -> None:
        self._entry_points = plugins
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
            entry.loaded = load_guarded(entry.name, entry.load, self._timeout)
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
        for called, _, stage in self._stages(shipped_only=True):
            if (stage.role, called) == (role, name):
                return stage
        owner, _, bare = name.rpartition(":")
        for called, plugin, stage in self._stages():
            if (stage.role, stage.name) != (role, bare):
                continue
            if called == name or (owner and _normalized(owner) == plugin.key):
                return stage
        raise self._why_not(role, name)

    def name_of(self, stage_type: type[Stage[Any]]) -> str:
        """Return the name by which `find_stage` gives a class; its own if it is not installed."""
        for called, _, stage in self._stages(shipped_only=True):
            if stage is stage_type:
                return called
        names = [called for called, _, stage in self._stages() if stage is stage_type]
        return names[0] if names else stage_type.name

    def installed_stages(self) -> list[StageInfo]:
        """Return all stages of all plugins that load, chroma's own first."""
        return [
            StageInfo(
                role=stage.role,
                name=called,
                distribution=plugin.distribution,
                version=plugin.version,
                stage=stage,
                options=describe_options(stage.Options),
                missing=missing_libraries(stage),
            )
            for called, plugin, stage in self._stages()
        ]

    def plugin_stories(self, *, probed: bool = False) -> list[PluginStory]:
        """Return what became of each plugin, chroma's own first.

        Parameters
        ----------
        probed : bool, optional
            Load each plugin of others in a process of its own first, unless it is loaded already.
            One that crashes that process, or lets it hang, is told of and not loaded here; it takes
            about as long as starting this program.
        """
        if probed:
            self._probe()
        clashes: dict[int, list[str]] = {}
        for called, plugin, stage in self._stages():
            if called != stage.name:
                taken = f"the {stage.role} name {stage.name} is taken, so it is called {called}"
                clashes.setdefault(id(plugin), []).append(taken)
        return [
            PluginStory(
                plugin=plugin.name,
                module=plugin.module,
                distribution=plugin.distribution,
                version=plugin.version,
                problem=plugin.problem or "; ".join(clashes.get(id(plugin), [])),
                loaded=not plugin.problem,
                seconds=plugin.loaded.seconds if plugin.loaded is not None else 0.0,
            )
            for plugin in self._plugins()
        ]

    def models(self, *, shipped_only: bool = False) -> list[ModelFolder]:
        """Return the model folders that plugins ship, chroma's own first."""
        offers = [
            (plugin, path)
            for plugin in self._load(shipped_only=shipped_only)
            for path in (plugin.loaded.models if plugin.loaded is not None else ())
        ]
        names = _reachable([(plugin, "", path.name) for plugin, path in offers])
        return [
            ModelFolder(name=name, distribution=plugin.distribution, path=path)
            for name, (plugin, path) in zip(names, offers, strict=True)
        ]

    def model_folders(self) -> list[Path]:
        """Return the paths of the model folders that plugins ship."""
        return [folder.path for folder in self.models()]

    def _stages(self, *, shipped_only: bool = False) -> list[tuple[str, _Plugin, type[Stage[Any]]]]:
        """Return stages with the name that each is asked for, and whose it is."""
        plugins = self._load(shipped_only=shipped_only)
        offers = [(plugin, stage) for plugin in plugins for stage in plugin.stages]
        names = _reachable([(plugin, stage.role, stage.name) for plugin, stage in offers])
        return [(name, *offer) for name, offer in zip(names, offers, strict=True)]

    def _why_not(self, role: Role, name: str) -> StageNotFound | PluginError:
        offers = [offer for offer in self._stages() if offer[2].role == role]
        rivals = [called for called, _, stage in offers if stage.name == name]
        if rivals:
            return PluginError(
                f"several plugins offer a {role} stage {name!r}", hint="say " + " or ".join(rivals)
            )
        broken = [plugin for plugin in self._plugins() if plugin.problem]
        owner, _, bare = name.rpartition(":")
        for plugin in broken:
            if bare == plugin.name or (owner and _normalized(owner) == plugin.key):
                return _broken(plugin)
        names = sorted(called for called, _, _ in offers)
        near = difflib.get_close_matches(name, names, n=3)
        there = ", ".join([*near, *(other for other in names if other not in near)])
        hints = [f"did you mean {near[0]}?"] if near else []
        hints.append(f"there are {there}" if names else f"no {role} stage is installed")
        hints += [f"plugin {plugin.name} did not load: {plugin.problem}" for plugin in broken]
        return StageNotFound(f"there is no {role} stage {name!r}", hint="; ".join(hints))

    def _plugins(self) -> list[_Plugin]:
        with self._lock:
            if self._found is None:
                found = self._entry_points
                if found is None:
                    found = entry_points(group=GROUP)
                plugins = [_from_entry_point(entry) for entry in found]
                # Metadata of an editable install and of a wheel may name the same plugin twice.
                once = {(plugin.key, plugin.name, plugin.module): plugin for plugin in plugins}
                self._found = sorted(
                    once.values(),
                    key=lambda plugin: (not plugin.shipped, plugin.name != "core", plugin.key),
                )
            return [*self._found, *self._registered]

    def _probe(self) -> None:
        """Keep plugins of others out that a process does not survive."""
        with self._lock:
            for plugin in self._plugins():
                if plugin.loaded is None and not plugin.shipped:
                    start = time.monotonic()
                    problem = probe(plugin.module, self._timeout)
                    if problem:
                        took = time.monotonic() - start
                        plugin.loaded = Loaded(problem=problem, seconds=took)

    def _load(self, *, shipped_only: bool) -> list[_Plugin]:
        with self._lock:
            plugins = [p for p in self._plugins() if p.shipped or not shipped_only]
            for plugin in plugins:
                if plugin.loaded is None:
                    plugin.loaded = load_guarded(plugin.name, plugin.load, self._timeout)
            return plugins


def default_registry() -> Registry:
    """Return the registry of what is installed, the same at every call."""
    return _DEFAULT


def find_stage(role: Role, name: str) -> type[Stage[Any]]:
    """Return the class of an installed stage; see `Registry.find_stage`."""
    return _DEFAULT.find_stage(role, name)


def installed_stages() -> list[StageInfo]:
    """Return all installed stages; see `Registry.installed_stages`."""
    return _DEFAULT.installed_stages()


def plugin_stories(*, probed: bool = False) -> list[PluginStory]:
    """Return what became of each installed plugin; see `Registry.plugin_stories`."""
    return _DEFAULT.plugin_stories(probed=probed)


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


def _reachable(offers: Sequence[tuple[_Plugin, str, str]]) -> list[str]:
    """Return how each offer (plugin, role, name) is asked for.

    By its name; by ``distribution:name`` where chroma ships that name, or another stranger has it.
    """
    shipped = {(role, name) for plugin, role, name in offers if plugin.shipped}
    strangers = Counter((role, name) for plugin, role, name in offers if not plugin.shipped)
    return [
        f"{plugin.key}:{name}"
        if not plugin.shipped and ((role, name) in shipped or strangers[role, name] > 1)
        else name
        for plugin, role, name in offers
    ]


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        # ValueError: in sys.modules without a specification, as a test's stand-in is.
        return sys.modules.get(name) is not None


def _broken(plugin: _Plugin) -> PluginError:
    owner = " ".join(filter(None, [plugin.distribution, plugin.version]))
    return PluginError(f"plugin {plugin.name} of {owner} cannot be used: {plugin.problem}")

"""What is installed here, what it may cost, and whether it works: for people who ask for help."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import metadata
from typing import Any

import numpy as np

from chroma_core.api import build
from chroma_core.errors import ChromaError, OptionError, PluginError, StageNotFound
from chroma_core.models import list_models
from chroma_core.pictures.limits import VARIABLES, Limits
from chroma_core.plugins import find_stage, missing_libraries, plugin_stories
from chroma_core.version import VERSION

__all__ = ["Examination", "examine", "opencv_distributions"]

DISTRIBUTION = "chroma-colorize"
SLOW_PLUGIN = 2.0
"""Seconds of loading above which a plugin is named."""

LIGHT = ("dense", "onnx")
"""Regressors that models are tried with, where one reads their weights and can run here."""

_BATCH = {"timeout": ("CHROMA_TIMEOUT", 600.0), "retries": ("CHROMA_RETRIES", 1.0)}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What was found.

    Attributes
    ----------
    versions : dict
        Of chroma, Python, the system, and each library that chroma always needs; None where it is
        missing.
    extras : dict
        By name: the libraries with their versions, None where one is missing.
    plugins : list of dict
        Name, distribution, version, seconds of loading, problem.
    opencv : list of str
        Distributions that bring the module cv2, with versions; there should be one at most.
    threads : dict
        Cores that this process may use, and variables that set numbers of threads.
    memory : dict
        Bytes in all, free, and allowed by the control group; None where the system does not say.
    limits : list of dict
        Name, value, variable, and source: ``environment`` or ``default``.
    models : list of dict
        Name, distribution, the regressor that it was tried with, seconds, whether it works, and
        why not.
    problems : list of str
        What is wrong, one line each.
    """

    versions: dict[str, str | None]
    extras: dict[str, dict[str, str | None]]
    plugins: list[dict[str, Any]]
    opencv: list[str]
    threads: dict[str, Any]
    memory: dict[str, int | None]
    limits: list[dict[str, Any]]
    models: list[dict[str, Any]]
    problems: list[str]


def examine() -> Examination:
    """Look at everything; nothing that is wrong raises."""
    problems: list[str] = []
    versions, extras = _requirements()
    problems += [f"{name} is missing" for name, found in versions.items() if found is None]
    plugins = _plugins(problems)
    opencv = opencv_distributions()
    if len(opencv) > 1:
        problems.append(
            f"{len(opencv)} distributions bring the module cv2, and write over each other: "
            f"{', '.join(opencv)}; keep one"
        )
    return Examination(
        versions=versions,
        extras=extras,
        plugins=plugins,
        opencv=opencv,
        threads=_threads(),
        memory=_memory(),
        limits=_limits(os.environ, problems),
        models=_models(problems),
        problems=problems,
    )


def opencv_distributions() -> list[str]:
    """Return the installed distributions that bring cv2, from their metadata: nothing is loaded."""
    found = set()
    for distribution in metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if re.fullmatch(r"opencv(-contrib)?-python(-headless)?(-rolling)?", name):
            found.add(f"{name} {distribution.version}")
    return sorted(found)


def _requirements() -> tuple[dict[str, str | None], dict[str, dict[str, str | None]]]:
    """Return versions of what is always needed, and by extra of what is not."""
    versions: dict[str, str | None] = {
        "chroma": VERSION,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(),
    }
    extras: dict[str, dict[str, str | None]] = {}
    needed: list[str] = []
    with contextlib.suppress(metadata.PackageNotFoundError):
        needed = metadata.requires(DISTRIBUTION) or []
    for requirement in needed:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", requirement)
        if name == DISTRIBUTION or (extra and extra[1] in ("all", "dev")):
            continue
        found = _version(name)
        if extra is None:
            versions[name] = found
        else:
            extras.setdefault(extra[1], {})[name] = found
    return versions, extras


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _plugins(problems: list[str]) -> list[dict[str, Any]]:
    """Load every plugin, those of others in a process of their own first, and tell its story."""
    told = []
    for story in plugin_stories(probed=True):
        told.append(
            {
                "name": story.plugin,
                "distribution": story.distribution,
                "version": story.version,
                "seconds": round(story.seconds, 3),
                "loaded": story.loaded,
                "problem": story.problem,
            }
        )
        if story.problem:
            problems.append(f"plugin {story.plugin} of {story.distribution}: {story.problem}")
        elif story.seconds > SLOW_PLUGIN:
            problems.append(f"plugin {story.plugin} takes {story.seconds:.1f} s to load")
    return told


def _threads() -> dict[str, Any]:
    cores = os.cpu_count()
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return {"cores": cores, **{name: os.environ.get(name) for name in _THREADS}}


def _memory() -> dict[str, int | None]:
    """Return bytes of memory, as Linux tells them."""
    told: dict[str, int | None] = {"total": None, "available": None, "allowed": None}
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        for name, key in (("total", "MemTotal"), ("available", "MemAvailable")):
            if key in lines:
                told[name] = int(lines[key].split()[0]) * 1024
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
            allowed = int(file.read())
            # Version 1 of control groups says "no limit" with a number near 2**63.
            told["allowed"] = allowed if allowed < 1 << 60 else None
            break
    return told


def _limits(environment: Mapping[str, str], problems: list[str]) -> list[dict[str, Any]]:
    """Return every limit with where it comes from; a bad variable is a problem."""
    told = []
    for item in fields(Limits):
        variable = VARIABLES[item.name]
        said = environment.get(variable, "").strip()
        value: Any = item.default
        if said:
            try:
                chosen = Limits.from_environment({variable: said})
                value = getattr(chosen, item.name)
            except OptionError as error:
                problems.append(error.what)
        told.append(_limit(item.name, value, variable, said))
    for name, (variable, default) in _BATCH.items():
        said = environment.get(variable, "").strip()
        value = default
        try:
            value = float(said) if said else default
            if not 0 <= value < float("inf"):
                raise ValueError(said)
        except ValueError:
            problems.append(f"{variable} is {said!r}, wanted a number of at least 0")
            value = default
        told.append(_limit(name, value, variable, said))
    return told


def _limit(name: str, value: Any, variable: str, said: str) -> dict[str, Any]:
    source = "environment" if said else "default"
    return {"name": name, "value": value, "variable": variable, "source": source}


def _models(problems: list[str]) -> list[dict[str, Any]]:
    """Colour a tiny picture with every installed model."""
    ramp = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    told = []
    for model in list_models():
        start = time.monotonic()
        regressor, why, missing = model.regressor, model.problem, False
        if not why:
            try:
                regressor = _lightest(model.weight_format, model.regressor)
                pixels = build(model=model.path, regressor=regressor)(ramp)
                if pixels.shape != (64, 64, 3) or pixels.dtype != np.uint8:
                    why = f"it gives {pixels.shape}, {pixels.dtype}"
            except PluginError as error:
                why, missing = str(error), True
            except ChromaError as error:
                why = str(error)
            except Exception as error:
                why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        told.append(
            {
                "name": model.name,
                "distribution": model.distribution,
                "regressor": regressor,
                "works": not why,
                "problem": why,
                "seconds": round(time.monotonic() - start, 3),
            }
        )
        # A library that somebody did not want is no fault.
        if why and not missing:
            problems.append(f"model {model.name}: {why}")
    return told


def _lightest(weight_format: str, regressor: str) -> str:
    """Return the regressor that a model is tried with."""
    for name in LIGHT:
        with contextlib.suppress(StageNotFound):
            stage: Any = find_stage("regressor", name)
            if weight_format in stage.reads and not missing_libraries(stage):
                return name
    return regressor

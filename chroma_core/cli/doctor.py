"""``chroma doctor``: what is installed, what it may cost, whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from chroma_core.cli.choices import Json
from chroma_core.cli.output import print_json, say
from chroma_core.errors import PluginError

if TYPE_CHECKING:
    from chroma_core.doctor import Examination

NAME = "doctor"
EXAMPLES = "Examples: chroma doctor · chroma doctor --json"


def command(json: Json = False) -> None:
    """Show versions, plugins, limits, and try every model; exit status 69 if something is wrong."""
    from dataclasses import asdict

    from chroma_core.doctor import examine

    found = examine()
    if json:
        print_json(asdict(found))
    else:
        _show(found)
    if found.problems:
        raise typer.Exit(PluginError.exit_status)


def _show(found: Examination) -> None:
    for name, version in found.versions.items():
        say(f"{name:<14} {version or 'MISSING'}")
    for extra, libraries in found.extras.items():
        told = ", ".join(f"{name} {version or 'not there'}" for name, version in libraries.items())
        say(f"extra {extra:<8} {told}")
    for plugin in found.plugins:
        state = plugin["problem"] or f"loaded in {plugin['seconds']:.2f} s"
        say(f"plugin {plugin['name']:<7} {plugin['distribution']} {plugin['version']}: {state}")
    say(f"cv2            {', '.join(found.opencv) or 'no distribution'}")
    for name, value in found.threads.items():
        say(f"threads        {name}: {'not set' if value is None else value}")
    for name, value in found.memory.items():
        say(f"memory         {name}: {'no limit known' if value is None else f'{value:,} bytes'}")
    for limit in found.limits:
        origin = limit["variable"] if limit["source"] == "environment" else "default"
        say(f"limit          {limit['name']}: {limit['value']:,} ({origin})")
    for model in found.models:
        state = model["problem"] or f"works with {model['regressor']}, {model['seconds']:.2f} s"
        say(f"model          {model['name']}: {state}")
    for problem in found.problems:
        say(f"PROBLEM        {problem}")
    if not found.problems:
        say("nothing is wrong")

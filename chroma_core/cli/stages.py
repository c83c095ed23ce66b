"""``chroma stages``: what is installed, from whom, and what is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chroma_core.cli.choices import Json
from chroma_core.cli.output import print_json, say

if TYPE_CHECKING:
    from chroma_core.plugins import StageInfo

NAME = "stages"
EXAMPLES = "Examples: chroma stages · chroma stages sift · chroma stages --json"


def command(
    name: Annotated[str | None, typer.Argument(help="One stage, with its options.")] = None,
    json: Json = False,
) -> None:
    """List installed stages; with a name, show its options with units and defaults."""
    import difflib

    from chroma_core.errors import StageNotFound
    from chroma_core.plugins import installed_stages, plugin_stories

    infos = installed_stages()
    if name is not None:
        near = difflib.get_close_matches(name, {info.name for info in infos}, n=1)
        infos = [info for info in infos if info.name == name]
        if not infos:
            nearest = f"did you mean {near[0]}? " if near else ""
            hint = f"{nearest}chroma stages lists them all"
            raise StageNotFound(f"no stage is named {name}", hint=hint)
    if json:
        print_json([_record(info) for info in infos])
        return
    if name is not None:
        for info in infos:
            _show(info)
        return
    for info in infos:
        missing = f"  needs {_remedy(info)}" if info.missing else ""
        say(f"{info.role:<11} {info.name:<24} {info.distribution} {info.version}{missing}")
    for story in plugin_stories():
        if story.problem:
            say(f"problem     {story.plugin:<24} {story.distribution}: {story.problem}")


def _show(info: StageInfo) -> None:
    import inspect

    summary = (inspect.getdoc(info.stage) or "").partition("\n\n")[0].replace("\n", " ")
    say(f"{info.role} {info.name} (version {info.stage.version}), from {info.distribution}")
    say(f"  {summary}")
    if info.missing:
        say(f"  needs {_remedy(info)}")
    for described in info.options:
        mark = "  (may differ from a model's)" if described.run else ""
        say(f"  {info.name}.{described.name}={described.default_text}{mark}")
        say(f"      {described.help}: {described.allowed}")


def _remedy(info: StageInfo) -> str:
    brings = f": pip install 'chroma-colorize[{info.stage.extra}]'" if info.stage.extra else ""
    return ", ".join(info.missing) + brings


def _record(info: StageInfo) -> dict[str, object]:
    return {
        "role": info.role,
        "name": info.name,
        "distribution": info.distribution,
        "version": info.version,
        "missing": list(info.missing),
        "options": [
            {
                "name": described.name,
                "default": described.default_text,
                "allowed": described.allowed,
                "unit": described.unit,
                "help": described.help,
                "run": described.run,
            }
            for described in info.options
        ],
    }

"""Write the reference page of stages and options from the options' own declarations.

Usage: ``python docs/scripts/make_stages_page.py docs/reference/stages.md``
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from chroma_core.options import OptionDescription, describe_options
from chroma_core.plugins import StageInfo, installed_stages, plugin_stories
from chroma_core.stages import TrainableRegressor

DISTRIBUTION = "chroma-colorize"
ROLES = {
    "colorspace": "Colorspaces",
    "features": "Features",
    "regressor": "Regressors",
    "refiner": "Refiners",
}

HEAD = """# Stages and their options

This page is made from the options' own declarations by `docs/scripts/make_stages_page.py`.
`chroma stages` lists what is installed on your machine, plugins of others included, \
and `chroma stages NAME` shows one stage.

An option is set with `--set STAGE.OPTION=VALUE`, in Python with \
`settings={"STAGE.OPTION": "VALUE"}` or with the stage's own dataclass.
Options marked *run* may differ from those that a model was trained with; \
all others must agree with the model, and a conflict is refused.
Radii in pixels mean pixels of a picture whose short side is 256, and grow with the picture.
"""


def page() -> str:
    """Return the page in Markdown."""
    broken = [
        story.plugin
        for story in plugin_stories()
        if story.problem and story.distribution == DISTRIBUTION
    ]
    if broken:
        raise RuntimeError(f"stages are missing: {', '.join(broken)} would not load")
    infos = [info for info in installed_stages() if info.distribution == DISTRIBUTION]
    infos.sort(key=_package)
    parts = [HEAD]
    for role, heading in ROLES.items():
        parts.append(f"## {heading}\n")
        parts += [_section(info) for info in infos if info.role == role]
    return "\n".join(parts)


def _package(info: StageInfo) -> tuple[bool, str]:
    """Sort the core before plugins, whose order depends on how they were installed."""
    package = info.stage.__module__.partition(".")[0]
    return package != "chroma_core", package


def _section(info: StageInfo) -> str:
    stage = info.stage
    summary = (inspect.getdoc(stage) or "").partition("\n\n")[0].replace("\n", " ")
    lines = [f"### {info.name} ({info.role})", "", _plain(summary), ""]
    facts = [f"Version {stage.version}"]
    if stage.extra:
        facts.append(f"needs `pip install 'chroma-colorize[{stage.extra}]'`")
    reads = sorted(getattr(stage, "reads", ()))
    if reads:
        facts.append("reads weights of the format " + ", ".join(f"`{name}`" for name in reads))
    lines += ["; ".join(facts) + ".", ""]
    lines += _table(info.name, info.options) if info.options else ["It has no options.", ""]
    if issubclass(stage, TrainableRegressor):
        training = describe_options(stage.TrainOptions)
        lines += [f"Options of its training, for `chroma train --regressor {info.name}`:", ""]
        lines += _table("train", training) if training else ["None.", ""]
    return "\n".join(lines)


def _table(stage: str, options: tuple[OptionDescription, ...]) -> list[str]:
    lines = ["| option | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for option in options:
        default = f"`{option.default_text}`" if option.default_text else "empty"
        run = " *(run)*" if option.run else ""
        lines.append(
            f"| `{stage}.{option.name}` | {default} | {_plain(option.allowed)} "
            f"| {_plain(option.help)}{run} |"
        )
    return [*lines, ""]


def _plain(text: str) -> str:
    """Escape what Markdown would act on: L*, |a*| and the like."""
    return re.sub(r"([*|<>_])", r"\\\1", text)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")

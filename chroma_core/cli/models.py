"""``chroma models``: shipped and local models with their cards."""

from __future__ import annotations

from typing import Annotated

import typer

from chroma_core.cli.choices import Json
from chroma_core.cli.output import print_json, say

NAME = "models"
EXAMPLES = "Examples: chroma models · chroma models sift-dense · chroma models my-model/ --json"
LONGEST_CARD = 64 * 1024


def command(
    name: Annotated[
        str | None, typer.Argument(help="A model's name or folder: its card is shown.")
    ] = None,
    json: Json = False,
) -> None:
    """List installed models; with a name or a folder, show that model's card."""
    from chroma_core.errors import ModelError
    from chroma_core.models import find_model, list_models, model_info

    infos = list_models() if name is None else [model_info(find_model(name))]
    if name is not None and infos[0].problem:
        raise ModelError(f"{name} cannot be used: {infos[0].problem}")
    if json:
        for info in infos:
            print_json(
                {
                    "name": info.name,
                    "path": str(info.path),
                    "distribution": info.distribution,
                    "features": list(info.features),
                    "regressor": info.regressor,
                    "weights": info.weight_format,
                    "refiners": list(info.refiners),
                    "work_size": info.work_size,
                    "licence": info.licence,
                    "problem": info.problem or None,
                    "training": dict(info.record),
                }
            )
        return
    if name is not None:
        card = infos[0].path / "README.md"
        text = card.read_bytes()[:LONGEST_CARD].decode("utf-8", "replace") if card.is_file() else ""
        for line in text.splitlines():
            say(line)
    for info in infos:
        chain = " > ".join(
            [",".join(info.features), info.regressor, ",".join(info.refiners) or "none"]
        )
        say(f"{info.name}: {info.problem or chain}  ({info.path})")

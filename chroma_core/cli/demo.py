"""``chroma demo``: the shipped photographs, coloured step by step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chroma_core.cli.choices import Features, Json, Model, Quiet, Refiner, Regressor, Setting
from chroma_core.cli.output import print_json, say, showing_progress

if TYPE_CHECKING:
    from chroma_core.batch.color import Coloring

NAME = "demo"
EXAMPLES = "Examples: chroma demo -o demo/ · chroma demo -o demo/ --features sift"


def command(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures.")] = Path(
        "chroma-demo"
    ),
    features: Features = None,
    regressor: Regressor = None,
    refiner: Refiner = None,
    model: Model = None,
    settings: Setting = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Colour the photographs that chroma ships: gray | predicted | refined | truth."""
    from chroma_core.batch.color import Coloring
    from chroma_core.plugins import find_stage, missing_libraries

    if features is not None and regressor is None:
        regressor = "tf-dense"
        if missing_libraries(find_stage("regressor", regressor)):
            regressor = "dense"
            say("TensorFlow is not installed: --regressor dense runs the same model", quiet=json)
    coloring = Coloring(
        features=features,
        regressor=regressor,
        refiner=refiner,
        model=model,
        settings=tuple(settings or ()),
    )
    show_demo(coloring, output, quiet=quiet, json=json)


def show_demo(coloring: Coloring, output: Path, *, quiet: bool, json: bool) -> None:
    """Run the demo and print where its pictures lie."""
    from chroma_core.demo import run_demo

    with showing_progress("demo", quiet=quiet or json) as progress:
        made = run_demo(output, coloring.pipeline, progress=progress)
    for picture in made:
        if json:
            views = ("gray", "predicted", "refined", "truth", "sheet")
            print_json({view: _text(getattr(picture, view)) for view in views})
        else:
            columns = "gray | predicted | refined" + (" | truth" if picture.truth else "")
            say(f"{picture.sheet}: {columns}", quiet=quiet)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)

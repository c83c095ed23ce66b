"""``chroma evaluate``: gray colour photographs, colour them, and measure against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chroma_core.cli.choices import (
    Certainty,
    Features,
    Join,
    JoinChoice,
    Json,
    Model,
    Overwrite,
    OverwriteChoice,
    Quiet,
    Refiner,
    Regressor,
    Setting,
    Vividness,
    WorkSize,
    work_size_of,
)
from chroma_core.cli.output import print_json, say, showing_progress

NAME = "evaluate"
EXAMPLES = (
    "Examples: chroma evaluate photos/ --model sift-dense · "
    "chroma evaluate kodak/ holiday/ --model model/ --csv figures.csv --html page.html --json"
)


def command(
    folders: Annotated[list[Path], typer.Argument(help="Folders of colour photographs: the sets.")],
    features: Features = None,
    regressor: Regressor = None,
    refiner: Refiner = None,
    model: Model = None,
    settings: Setting = None,
    join: Join = JoinChoice.guided,
    work_size: WorkSize = None,
    vividness: Vividness = 1.0,
    certainty: Certainty = None,
    mean_colour: Annotated[
        str | None,
        typer.Option(help="a*,b* of the constant colour. Default: the mean of the training data."),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a table of all pictures.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write one page with all pictures.")] = None,
    card: Annotated[
        bool,
        typer.Option("--card", help="Write the figures into the card of the model, a folder."),
    ] = False,
    overwrite: Overwrite = OverwriteChoice.never,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure a pipeline on colour photographs, beside all gray and a constant colour."""
    from chroma_core.api import build
    from chroma_core.evaluation.folders import evaluate_folders
    from chroma_core.evaluation.report import to_record, to_text

    folder = _own_folder(model) if card else None
    pipeline = build(
        features=features,
        regressor=regressor,
        refiner=refiner,
        model=model,
        settings=settings,
        join=join.value,
        work_size=work_size_of(work_size),
        vividness=vividness,
        certainty=certainty,
    )
    with showing_progress("evaluating", quiet=quiet or json) as progress:
        evaluation = evaluate_folders(
            folders,
            pipeline,
            mean_ab=_pair(mean_colour),
            csv=csv,
            html=html,
            overwrite=overwrite.value,
            progress=progress,
        )
    if folder is not None:
        from chroma_core.evaluation.report import to_card
        from chroma_core.models import add_metrics

        add_metrics(folder, to_card(evaluation))
    if json:
        print_json(to_record(evaluation))
    else:
        say_block(to_text(evaluation), quiet=quiet)


def say_block(text: str, *, quiet: bool) -> None:
    """Print several lines."""
    for line in text.splitlines():
        say(line, quiet=quiet)


def _own_folder(model: str | None) -> Path:
    """Return the model's folder; models with a name belong to what installed them."""
    if model is None or not Path(model).is_dir():
        raise typer.BadParameter("wanted --model FOLDER, a model of your own", param_hint="--card")
    return Path(model)


def _pair(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        a, b = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}: wanted two numbers, such as 1.2,6.1", param_hint="--mean-colour"
        ) from None
    return a, b

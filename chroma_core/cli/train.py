"""``chroma train``: networks from shards or photographs (module 3b of the design)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chroma_core.cli.choices import Avoid, Colorspace, Json, Output, Quiet, Setting, Validation
from chroma_core.cli.output import print_json, say, showing_progress
from chroma_core.cli.signals import stopping_gently
from chroma_core.errors import ChromaError

NAME = "train"
EXAMPLES = (
    "Examples: chroma train shards/ -o model/ --regressor tf-dense --set train.epochs=30 · "
    "chroma train photos/ -o model/ --features sift --regressor tf-dense · "
    "chroma train shards/ -o model/ --regressor tf-dense --resume"
)


def command(
    source: Annotated[
        list[Path], typer.Argument(help="A folder of shards, or colour photographs and folders.")
    ],
    output: Output,
    regressor: Annotated[str, typer.Option(help="A regressor that can be trained.")] = "tf-dense",
    features: Annotated[
        str | None, typer.Option(help="Features stages; with shards: those of the shards.")
    ] = None,
    refiner: Annotated[
        str, typer.Option(help="Refiners that the model is used with by default.")
    ] = "intensity",
    colorspace: Colorspace = None,
    settings: Setting = None,
    work_size: Annotated[
        int | None, typer.Option(min=16, help="Short side of work pictures, for photographs.")
    ] = None,
    per_image: Annotated[
        int | None, typer.Option(min=1, help="Random nodes a picture, for photographs.")
    ] = None,
    name: Annotated[str, typer.Option(help="The model's name. Default: its folder's.")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the weights, for the card.")] = "",
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that read photographs.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a model that is there already.")
    ] = False,
    avoid: Avoid = None,
    validation: Validation = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train a regressor: for tf-dense two nets, one for a* and one for b*, written separately.

    Options of the training itself are set like those of a stage named train:
    --set train.epochs=30. `chroma stages tf-dense` lists them.
    """
    from chroma_core.training.request import train_by_name
    from chroma_core.training.train import has_checkpoint

    def advice(by: str) -> ChromaError:
        hint = "the same command with --resume goes on from the last checkpoint"
        if not has_checkpoint(output):
            hint = "there is no checkpoint yet: give the same command again"
        return ChromaError(f"training was stopped by {by}", hint=hint, path=str(output))

    with (
        showing_progress("training", quiet=quiet or json) as bar,
        stopping_gently(bar, advice) as progress,
    ):
        trained = train_by_name(
            source,
            output,
            regressor=regressor,
            features=features,
            refiner=refiner,
            colorspace=colorspace,
            settings=settings,
            work_size=work_size,
            per_image=per_image,
            name=name,
            licence=licence,
            workers=workers,
            resume=resume,
            overwrite=replace,
            progress=progress,
            avoid=avoid or (),
            validation=validation,
        )
    if json:
        print_json({"model": str(trained.folder), "training": dict(trained.record)})
        return
    say(f"{trained.folder}: trained", quiet=quiet)
    for split, errors in dict(trained.record.get("metrics", {})).items():
        say(f"  {split}: {errors}", quiet=quiet)

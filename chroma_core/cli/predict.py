"""``chroma predict``: a* and b* on disk, separately, before fusion (module 3 of the design)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chroma_core.cli.choices import (
    Certainty,
    Features,
    Model,
    Output,
    Overwrite,
    OverwriteChoice,
    Quiet,
    Regressor,
    Setting,
    Vividness,
    WorkSize,
    work_size_of,
)
from chroma_core.cli.output import say

NAME = "predict"
EXAMPLES = (
    "Examples: chroma predict photo.jpg --model sift-dense -o ab/ · "
    "chroma predict photo.jpg --features sift --regressor tf-dense -o ab/"
)


def command(
    picture: Annotated[Path, typer.Argument(help="A gray picture.")],
    output: Output,
    features: Features = None,
    regressor: Regressor = None,
    model: Model = None,
    settings: Setting = None,
    work_size: WorkSize = None,
    vividness: Vividness = 1.0,
    certainty: Certainty = None,
    overwrite: Overwrite = OverwriteChoice.never,
    quiet: Quiet = False,
) -> None:
    """Predict a* and b* and write each to a file of its own."""
    from chroma_core.api import build
    from chroma_core.steps import predict_to_folder

    pipeline = build(
        features=features,
        regressor=regressor,
        model=model,
        settings=settings,
        work_size=work_size_of(work_size),
        vividness=vividness,
        certainty=certainty,
    )
    for path in predict_to_folder(picture, output, pipeline, overwrite=overwrite.value):
        say(str(path), quiet=quiet)

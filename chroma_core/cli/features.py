"""``chroma features``: a picture of what is seen (module 2 of the design)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chroma_core.cli.choices import (
    Output,
    Overwrite,
    OverwriteChoice,
    Quiet,
    Setting,
    WorkSize,
    work_size_of,
)
from chroma_core.cli.output import say

NAME = "features"
EXAMPLES = (
    "Examples: chroma features photo.jpg -o keypoints.png · "
    "chroma features photo.jpg -o grid.png --features patch --set patch.step=16"
)


def command(
    picture: Annotated[Path, typer.Argument(help="A picture.")],
    output: Output,
    features: Annotated[str, typer.Option(help="Features stage.")] = "sift",
    settings: Setting = None,
    work_size: WorkSize = "full",
    overwrite: Overwrite = OverwriteChoice.never,
    quiet: Quiet = False,
) -> None:
    """Draw what a features stage sees: key points with size and orientation, and the grid."""
    from chroma_core.drawing import draw_features

    path, story = draw_features(
        picture,
        output,
        features,
        settings=settings,
        work_size=work_size_of(work_size) or 0,
        overwrite=overwrite.value,
    )
    say(f"{path}: {story}", quiet=quiet)

"""``chroma fuse``: luminance and predicted a*, b* become a picture (module 3 of the design)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chroma_core.cli.choices import (
    Colorspace,
    Join,
    JoinChoice,
    Output,
    Overwrite,
    OverwriteChoice,
    Quiet,
    Refiner,
    Setting,
)
from chroma_core.cli.output import say

NAME = "fuse"
EXAMPLES = (
    "Examples: chroma fuse photo.jpg ab/ -o colour.png · "
    "chroma fuse photo.jpg ab/ -o colour.png --refiner intensity (what chroma run does in one go)"
)


def command(
    picture: Annotated[Path, typer.Argument(help="The gray picture that was predicted from.")],
    folder: Annotated[Path, typer.Argument(help="Folder that chroma predict wrote.")],
    output: Output,
    refiner: Refiner = "none",
    colorspace: Colorspace = None,
    settings: Setting = None,
    join: Join = JoinChoice.guided,
    overwrite: Overwrite = OverwriteChoice.never,
    quiet: Quiet = False,
) -> None:
    """Fuse the picture's luminance with predicted a* and b*."""
    from chroma_core.steps import fuse_from_folder

    path = fuse_from_folder(
        picture,
        folder,
        output,
        refiner=refiner,
        colorspace=colorspace,
        settings=settings,
        join=join.value,
        overwrite=overwrite.value,
    )
    say(str(path), quiet=quiet)

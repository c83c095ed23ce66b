"""``chroma extract``: descriptors, luminance, a and b of training pictures, to disk (module 3a)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chroma_core.cli.choices import Avoid, Colorspace, Json, Output, Quiet, Setting, Validation
from chroma_core.cli.output import print_json, say, showing_progress, warn
from chroma_core.cli.signals import stopping_gently
from chroma_core.errors import ChromaError

NAME = "extract"
EXAMPLES = (
    "Examples: chroma extract photos/ -o shards/ --features sift · "
    "chroma extract photos/ -o shards/ --features sift,lightness,position --per-image 200 "
    "--set sift.sizes=8,16"
)


def command(
    photographs: Annotated[list[Path], typer.Argument(help="Colour photographs, or folders.")],
    output: Output,
    features: Annotated[str, typer.Option(help="Features stages, with commas.")] = "sift",
    colorspace: Colorspace = None,
    settings: Setting = None,
    work_size: Annotated[int, typer.Option(min=16, help="Short side of work pictures, px.")] = 256,
    per_image: Annotated[
        int | None, typer.Option(min=1, help="Random nodes a picture. Default: all.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random nodes.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes. Default: all cores.")
    ] = None,
    avoid: Avoid = None,
    validation: Validation = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Extract training data to disk. Goes on where an interrupted extraction stopped."""
    from chroma_core.api import Settings, build_features, build_stage
    from chroma_core.training.extract import extract
    from chroma_core.training.split import DEFAULT_RULE

    chosen = Settings.parse(settings)
    stage = build_features(features, chosen)
    space = build_stage("colorspace", colorspace or "lab", chosen)
    chosen.refuse_the_rest()

    def advice(by: str) -> ChromaError:
        hint = "the same command goes on after the last shard"
        return ChromaError(f"extraction was stopped by {by}", hint=hint, path=str(output))

    with (
        showing_progress("extracting", quiet=quiet or json) as bar,
        stopping_gently(bar, advice) as progress,
    ):
        report = extract(
            photographs,
            output,
            colorspace=space,
            features=stage,
            work_size=work_size,
            per_image=per_image,
            seed=seed,
            workers=workers,
            progress=progress,
            avoid=avoid or (),
            validation=validation or DEFAULT_RULE,
        )
    for left_out in report.skipped:
        warn(f"{left_out.picture}: left out: {left_out.reason}")
    if json:
        print_json(
            {
                "folder": str(output),
                "pictures": dict(report.pictures),
                "rows": dict(report.rows),
                "skipped": len(report.skipped),
                "seconds": round(report.seconds, 1),
            }
        )
        return
    pictures, rows = sum(report.pictures.values()), sum(report.rows.values())
    say(f"{output}: {pictures} pictures, {rows} rows", quiet=quiet)

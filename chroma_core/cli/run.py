"""``chroma run``: from gray pictures to coloured ones, in one go."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chroma_core.cli.choices import (
    Certainty,
    Colorspace,
    Features,
    Join,
    JoinChoice,
    Json,
    MaxBytes,
    MaxPixels,
    Model,
    Quiet,
    Refiner,
    Regressor,
    Setting,
    Vividness,
    WorkSize,
    number_of,
    work_size_of,
)
from chroma_core.cli.output import print_json, say, showing_progress, warn
from chroma_core.cli.reading import Nan, Page, Range, Salvage, nan_of, page_of, range_of
from chroma_core.cli.results import name_others, name_stages, reporting, tell

if TYPE_CHECKING:
    from chroma_core.batch.color import Coloring
    from chroma_core.batch.plan import Collisions
    from chroma_core.batch.run import Result

NAME = "run"
EXAMPLES = (
    "Examples: chroma run photo.jpg · "
    "chroma run scans/ -o out/ --features sift --regressor tf-dense --refiner intensity · "
    "chroma run photo.jpg -o colour.png --set intensity.of=rec601 · "
    "chroma run - -o - < gray.png > colour.png · "
    "chroma run --features sift --regressor tf-dense (colours the demo photographs)"
)
STREAM = "-"


class OverwriteRule(StrEnum):
    """What happens to outputs that are there already."""

    never = "never"
    always = "always"
    older = "older"


class CollisionRule(StrEnum):
    """What to do with two inputs that would have one output."""

    refuse = "refuse"
    keep_extension = "keep-extension"


class ColourChoice(StrEnum):
    """What becomes of pictures that are in colour already."""

    recolour = "recolour"
    keep = "keep"
    skip = "skip"


class FormatChoice(StrEnum):
    """Formats that can be written."""

    png = "png"
    jpeg = "jpeg"
    tiff = "tiff"
    webp = "webp"
    avif = "avif"
    bmp = "bmp"
    ppm = "ppm"


def command(
    pictures: Annotated[
        list[str] | None, typer.Argument(help="Pictures, folders, patterns; - reads a pipe.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="Folder, or file for one picture. Default: beside each input."
        ),
    ] = None,
    features: Features = None,
    regressor: Regressor = None,
    refiner: Refiner = None,
    colorspace: Colorspace = None,
    model: Model = None,
    settings: Setting = None,
    join: Join = JoinChoice.guided,
    work_size: WorkSize = None,
    vividness: Vividness = 1.0,
    certainty: Certainty = None,
    confidence: Annotated[
        Path | None,
        typer.Option(help="Write how sure the model is of each pixel, white for sure: one PNG."),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", help="A result, or its sidecar: colour in the same way as it was."),
    ] = None,
    format: Annotated[
        FormatChoice | None, typer.Option(help="Format of results. Default: the input's.")
    ] = None,
    depth: Annotated[int | None, typer.Option(help="8 or 16 bits. Default: the input's.")] = None,
    quality: Annotated[
        int | None, typer.Option(min=1, max=100, help="Of JPEG, WebP, AVIF. Default: the input's.")
    ] = None,
    page: Page = None,
    range_: Range = None,
    nan: Nan = "error",
    salvage: Salvage = False,
    suffix: Annotated[
        str, typer.Option(help="Stands before the extension of results beside their inputs.")
    ] = ".color",
    overwrite: Annotated[
        OverwriteRule, typer.Option(help="What happens to outputs that are there already.")
    ] = OverwriteRule.never,
    already_colour: Annotated[
        ColourChoice,
        typer.Option(help="What becomes of pictures in colour; sepia is always coloured anew."),
    ] = ColourChoice.recolour,
    sidecar: Annotated[
        bool, typer.Option("--sidecar", help="Write RESULT.chroma.json: what made it, from what.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write what became of every picture: .csv or .html.")
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look into folders of folders.")
    ] = False,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="With -r: enter folders that are links, too.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=64, envvar="CHROMA_WORKERS", help="Processes.")
    ] = 1,
    collisions: Annotated[
        CollisionRule, typer.Option(help="a.jpg and a.png with --format png: a.jpg.png, or refuse.")
    ] = CollisionRule.refuse,
    preserve: Annotated[
        bool, typer.Option("--preserve", help="Give results the mode and times of their pictures.")
    ] = False,
    sync: Annotated[
        bool, typer.Option("--sync", help="Flush names to the disk after every picture.")
    ] = False,
    max_pixels: MaxPixels = None,
    max_bytes: MaxBytes = None,
    decode_timeout: Annotated[
        float | None,
        typer.Option(min=0.1, help="Seconds of decoding, and 1 for 10 megapixels. Default: 30."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds that one picture may take in all.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Colour gray photographs. Originals are never changed, and nothing is written over."""
    from chroma_core.batch.color import Coloring

    if depth not in (None, 8, 16):
        raise typer.BadParameter("wanted 8 or 16", param_hint="--depth")
    coloring = Coloring(
        features=features,
        regressor=regressor,
        refiner=refiner,
        colorspace=colorspace,
        model=model,
        settings=tuple(settings or ()),
        join=join.value,
        work_size=work_size_of(work_size),
        vividness=vividness,
        certainty=certainty,
        confidence=str(confidence) if confidence else None,
        format=format.value if format else None,
        depth=depth,
        quality=quality,
        page=page_of(page),
        value_range=range_of(range_),
        nan=nan_of(nan),
        salvage=salvage,
        overwrite="always" if overwrite is not OverwriteRule.never else "never",
        already_colour=already_colour.value,
        sidecar=sidecar,
        guarded=True,
        preserve=preserve,
        sync=sync,
        max_pixels=number_of(max_pixels, "--max-pixels"),
        max_bytes=number_of(max_bytes, "--max-bytes"),
        decode_timeout=decode_timeout,
    )
    if from_ is not None:
        coloring = _as_before(from_, coloring)
    if dry_run and (not pictures or STREAM in (*pictures, output)):
        raise typer.BadParameter("wants pictures by name", param_hint="--dry-run")
    if pictures == [STREAM]:
        _run_stream(coloring, _read_stdin(), output or STREAM)
        return
    if not pictures:
        piped = _piped()
        if piped:
            _run_stream(coloring, piped, output or STREAM)
        else:
            _run_demo(coloring, output, quiet=quiet, json=json)
        return
    _run_pictures(
        coloring,
        pictures,
        None if output == STREAM else output,
        rule=overwrite.value,
        suffix=suffix,
        report=report,
        collisions=collisions.value,
        timeout=timeout,
        recursive=recursive,
        follow_links=follow_links,
        workers=workers,
        dry_run=dry_run,
        quiet=quiet,
        json=json,
        to_stdout=output == STREAM,
    )


def _as_before(result: Path, coloring: Coloring) -> Coloring:
    """Return how a result was coloured; where its file goes is chosen anew."""
    from dataclasses import fields, replace

    from chroma_core.batch.color import Coloring, coloring_from
    from chroma_core.errors import InputError
    from chroma_core.pictures.inspect import inspect_file

    pipeline = ("features", "regressor", "refiner", "colorspace", "settings", "join", "work_size")
    for name in (*pipeline, "vividness", "certainty"):
        if getattr(coloring, name) != getattr(Coloring(), name):
            raise typer.BadParameter(
                f"the picture says how it was made: leave --{name.replace('_', '-')} out",
                param_hint="--from",
            )
    found = inspect_file(result, guarded=True)
    if found.made_by is None:
        raise InputError(
            "nothing in it says how it was made",
            path=str(result),
            hint="name its sidecar, RESULT.chroma.json",
        )
    file = ("format", "depth", "quality", "page", "value_range", "nan", "salvage")
    given = {name: getattr(coloring, name) for name in ("model", *file)}
    chosen = {name: None if value is False else value for name, value in given.items()}
    try:
        before = coloring_from(found.made_by, (found.sidecar or {}).get("input"), **chosen)
    except InputError as error:
        error.path = error.path or str(result)
        raise
    made = (
        *pipeline,
        "vividness",
        "certainty",
        "model",
        "model_sha256",
        "original_sha256",
        *chosen,
    )
    names = {field.name for field in fields(before)} & set(made)
    return replace(coloring, **{name: getattr(before, name) for name in names})


def _run_pictures(
    coloring: Coloring,
    pictures: list[str],
    output: str | None,
    *,
    rule: str,
    suffix: str,
    report: Path | None,
    collisions: Collisions,
    timeout: float | None,
    recursive: bool,
    follow_links: bool,
    workers: int,
    dry_run: bool,
    quiet: bool,
    json: bool,
    to_stdout: bool,
) -> None:
    from chroma_core.batch.color import color_stream
    from chroma_core.batch.journal import already_made
    from chroma_core.batch.plan import plan
    from chroma_core.batch.run import run_batch, settings_of

    if to_stdout:
        if len(pictures) != 1:
            raise typer.BadParameter("takes one picture when -o is -", param_hint="PICTURES")
        for warning in color_stream(coloring, Path(pictures[0]), None):
            warn(f"{pictures[0]}: {warning}")
        return
    others: list[Path] = []
    jobs = plan(
        pictures,
        output,
        passed_over=others.append,
        recursive=recursive,
        follow_links=follow_links,
        format=coloring.format,
        suffix=suffix,
        collisions=collisions,
        all_pages=coloring.page == "all",
        overwrite=rule,  # type: ignore[arg-type]  # the enum holds just these words
    )
    if coloring.confidence and (len(jobs) != 1 or coloring.page == "all"):
        raise typer.BadParameter("names the map of one picture", param_hint="--confidence")
    single = len(jobs) == 1 and len(pictures) == 1 and jobs[0].input == Path(pictures[0])
    if dry_run:
        for job in jobs:
            say(f"{job.input} -> {job.output}{' (is there already)' if job.exists else ''}")
        return
    if single and jobs[0].exists and not already_made(jobs[0], settings_of(coloring)):
        from chroma_core.pictures.atomic import refuse_existing

        refuse_existing(jobs[0].output)
    # A wrong name or option is told once, before any picture is touched.
    coloring.prepare()
    failed: list[Result] = []
    done = 0
    with (
        reporting(report, coloring.overwrite) as note,
        showing_progress("colouring", quiet=quiet or json or single) as progress,
    ):
        results = run_batch(jobs, coloring, workers=workers, timeout=timeout)
        for done, result in enumerate(results, start=1):
            progress(done, len(jobs), {"failed": str(len(failed))})
            tell(result, quiet=quiet, json=json)
            note(result)
            if result.status == "failed":
                failed.append(result)
    if len(failed) < done and not (quiet or json):
        name_stages(coloring)
    if others and not (quiet or json):
        name_others(len(others))
    if json:
        counts = {"pictures": len(jobs), "ok": done - len(failed), "failed": len(failed)}
        print_json({"summary": {**counts, "left": len(jobs) - done, "others": len(others)}})
    if failed:
        raise typer.Exit(_status(failed, done, len(jobs)))


def _status(failed: list[Result], done: int, pictures: int) -> int:
    """Return what a run ends with in which pictures failed."""
    statuses = [result.error.exit_status for result in failed if result.error]
    stopped = done < pictures
    alike = len(failed) == done and len(set(statuses)) == 1
    # What stopped a batch, such as a full disk, is what the caller has to mend.
    return statuses[-1] if stopped or alike else 1


def _run_stream(coloring: Coloring, data: bytes, output: str) -> None:
    from chroma_core.batch.color import color_stream

    for warning in color_stream(coloring, data, None if output == STREAM else Path(output)):
        warn(f"standard input: {warning}")


def _run_demo(coloring: Coloring, output: str | None, *, quiet: bool, json: bool) -> None:
    from chroma_core.cli.demo import show_demo

    folder = Path(output) if output else Path("chroma-demo")
    say(f"no picture named: colouring the demo photographs into {folder}", quiet=quiet or json)
    show_demo(coloring, folder, quiet=quiet, json=json)


def _read_stdin() -> bytes:
    import sys

    from chroma_core.errors import PictureError

    data = sys.stdin.buffer.read()
    if not data:
        raise PictureError("nothing came through standard input", kind="empty", path=STREAM)
    return data


def _piped() -> bytes:
    """Return what is waiting in standard input, if that is a pipe or a file with something in it.

    A pipe that stays silent for half a second is taken for one that nobody writes to.
    """
    import os
    import select
    import stat
    import sys

    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return b""
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        ready, _, _ = select.select([sys.stdin], [], [], 0.5)
        return sys.stdin.buffer.read() if ready else b""
    return sys.stdin.buffer.read() if stat.S_ISREG(mode) else b""

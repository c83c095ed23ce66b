"""Colouring one picture file: what a batch does for each job.

The work is described by text alone, so that another process can build the same pipeline from it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from chroma_core.api import build
from chroma_core.batch.again import checked_file
from chroma_core.batch.already_colour import KEPT, LEFT, AlreadyColour, judged
from chroma_core.batch.color_pages import color_pages
from chroma_core.batch.confidence import LOW_CONFIDENCE, doubts, write_confidence
from chroma_core.batch.plan import Job
from chroma_core.batch.run import Done
from chroma_core.errors import InputError, ModelMismatch
from chroma_core.pictures.atomic import (
    Overwrite,
    preserve_mode_and_times,
    refuse_existing,
    sync_folder,
    write_bytes_atomically,
)
from chroma_core.pictures.carried import left_out
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.names import FORMATS, format_of_suffix, output_format
from chroma_core.pictures.pages import Pages, open_pages
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_bytes, read_picture
from chroma_core.pictures.sidecar import file_facts, sidecar_path, write_sidecar
from chroma_core.pictures.tint import color_kind_of_pixels
from chroma_core.pictures.write import write_picture
from chroma_core.pipeline import JoinMethod, Pipeline, work_shape
from chroma_core.provenance import arguments_of, provenance_note, provenance_record

__all__ = ["AlreadyColour", "Coloring", "color_stream", "coloring_from"]

_ANOTHER = "the result was made from another picture than this one"

_READ = ("value_range", "nan", "salvage")
_FILE = ("format", "depth", "quality", "page", "value_range", "nan", "salvage")
"""What a record says of how the file was asked for, where it was not left to chroma."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Coloring:
    """How pictures are to be coloured; call it with a job.

    Attributes
    ----------
    features, regressor, refiner, colorspace, model : str or None
        See `chroma_core.api.build`.
    settings : tuple of str
        Options of stages as text.
    join, work_size, vividness, certainty
        See `chroma_core.api.build`.
    model_sha256, original_sha256 : str or None
        Digests that the model must have, and the picture should have, where a result shall be made
        again.
    format, depth, quality
        See `chroma_core.pictures.write.write_picture`; the input's own where None.
    page : int, "all" or None
        Which page of a TIFF, 1 for the first; all of them only from TIFF to TIFF. None is the
        first, with a warning if there are more.
    value_range, nan, salvage
        What floats stand for, and how strictly files are read: see
        `chroma_core.pictures.reading.Reading`.
    confidence : str or None
        File for a map of the regressor's confidence, of the one picture that there is.
    overwrite : {"never", "always"}
        What happens to an output that is there when it is to be written.
    already_colour : {"recolour", "keep", "skip"}
        What becomes of pictures that are in colour. Those of one tint are always coloured anew.
    sidecar : bool
        Whether a JSON file beside each result says what made it.
    guarded : bool
        Whether pictures are decoded in a process of their own.
    preserve : bool
        Whether results get mode and times of their pictures.
    sync : bool
        Whether a folder's names are flushed to the disk after each picture, not at the end.
    max_pixels, max_bytes, decode_timeout
        See `chroma_core.pictures.limits.Limits`; those of the environment where None.
    """

    features: str | None = None
    regressor: str | None = None
    refiner: str | None = None
    colorspace: str | None = None
    model: str | None = None
    settings: tuple[str, ...] = ()
    join: JoinMethod = "guided"
    work_size: int | None = None
    vividness: float = 1.0
    certainty: float | None = None
    model_sha256: str | None = None
    original_sha256: str | None = None
    format: str | None = None
    depth: int | None = None
    quality: int | None = None
    page: int | Literal["all"] | None = None
    value_range: tuple[float, float] | None = None
    nan: float | None = None
    salvage: bool = False
    confidence: str | None = None
    overwrite: Overwrite = "never"
    already_colour: AlreadyColour = "recolour"
    sidecar: bool = False
    guarded: bool = False
    preserve: bool = False
    sync: bool = False
    max_pixels: int | None = None
    max_bytes: int | None = None
    decode_timeout: float | None = None

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline, built once a process."""
        return _built(self)

    @property
    def limits(self) -> Limits:
        """What a picture may cost."""
        return Limits.from_environment(
            max_pixels=self.max_pixels,
            max_bytes=self.max_bytes,
            decode_timeout=self.decode_timeout,
        )

    def prepare(self) -> None:
        """Build the pipeline now, so that what is wrong with it is known before any picture."""
        _built(self)

    def __call__(self, job: Job) -> Done:
        """Read a job's picture, colour it, and write the result."""
        if self.sidecar and self.overwrite == "never":
            refuse_existing(sidecar_path(job.output))
        if self.confidence and self.overwrite == "never":
            refuse_existing(Path(self.confidence))
        if self.page == "all":
            pages = self.open_pages(job.input)
            if len(pages) > 1:
                return self._color_pages(job, pages)
            source = next(iter(pages))
        else:
            source = self.read(job.input)
        seen = Done(width=source.width, height=source.height)
        if self._is_another(job):
            source = replace(source, warnings=(*source.warnings, _ANOTHER))
        kind = color_kind_of_pixels(source.pixels)
        if kind == "colour" and self.already_colour == "skip":
            said = (*source.warnings, LEFT)
            return replace(seen, warnings=said, note="already-colour", skipped=True)
        if kind == "colour" and self.already_colour == "keep":
            self._keep(job, source)
            said = (*source.warnings, KEPT)
            done = replace(seen, warnings=said, note="already-colour", kept=True)
            return self.finished(job, done)
        warnings, note = judged(source, kind)
        colored, doubtful = self.colored(source)
        self.write(colored, job.output)
        warnings = (*warnings, *self.left_out(source, job.output))
        if doubtful:
            warnings, note = (*warnings, *doubtful), note or LOW_CONFIDENCE
        if self.sidecar:
            shape = source.width, source.height
            self.write_sidecar(job.output, file_facts(job.input), shape, source.salvaged)
        return self.finished(job, replace(seen, warnings=warnings, note=note))

    def _color_pages(self, job: Job, pages: Pages) -> Done:
        """Do a job for all pages of its picture."""
        done, salvaged, written = color_pages(
            self,
            pages,
            job.output,
            already_colour=self.already_colour,
            overwrite=self.overwrite,
        )
        if self._is_another(job):
            done = replace(done, warnings=(*done.warnings, _ANOTHER))
        if not written and self.already_colour == "skip":
            return replace(done, skipped=True, kept=False)
        if not written:
            data = read_bytes(job.input, self.limits)
            write_bytes_atomically(job.output, data, self.overwrite)
        elif self.sidecar and not done.kept:
            shape = done.width, done.height
            self.write_sidecar(job.output, file_facts(job.input), shape, salvaged)
        return self.finished(job, done)

    def read(self, picture: Path | io.BytesIO) -> Picture:
        """Read a picture, or the page of it that is asked for."""
        assert self.page != "all"
        return read_picture(
            picture, limits=self.limits, guarded=self.guarded, page=self.page, **self._reading()
        )

    def open_pages(self, picture: Path | io.BytesIO) -> Pages:
        """Return all pages of a picture."""
        return open_pages(picture, limits=self.limits, guarded=self.guarded, **self._reading())

    def _is_another(self, job: Job) -> bool:
        """Tell whether a picture is not the one that a result was made from."""
        return self.original_sha256 not in (None, file_facts(job.input)["sha256"])

    def colored(self, source: Picture) -> tuple[Picture, tuple[str, ...]]:
        """Return a picture in colour with what it carried, and what there is to doubt."""
        pixels, prediction = self.pipeline.color(source.pixels)
        if self.confidence:
            size = source.height, source.width
            work = work_shape(size, self.pipeline.work_size)
            write_confidence(prediction, size, work, Path(self.confidence), self.overwrite)
        return source.with_pixels(pixels), doubts(prediction)

    def write(self, colored: Picture, output: Path, overwrite: Overwrite | None = None) -> None:
        """Write a coloured picture, what made it among its metadata."""
        write_picture(
            colored,
            output,
            format=self.format,
            depth=self.depth,
            quality=self.quality,
            overwrite=overwrite or self.overwrite,
            note=self.note(colored),
        )

    def left_out(self, source: Picture, output: Path) -> tuple[str, ...]:
        """Return what of a picture's metadata its result cannot hold."""
        return left_out(source, self.format or format_of_suffix(output) or source.format)

    def note(self, picture: Picture) -> str:
        """Return what made a picture, for its XMP."""
        return provenance_note(self.pipeline.describe(), self._asked(picture.salvaged))

    def write_sidecar(
        self, output: Path, original: dict[str, Any], size: tuple[int, int], salvaged: str = ""
    ) -> None:
        """Write what made a result into a file beside it."""
        record = provenance_record(self.pipeline.describe(), self._asked(salvaged))
        write_sidecar(output, record, original, size, self.overwrite)

    def finished(self, job: Job, done: Done) -> Done:
        """Do what is asked for once a result has its name, and say what its bytes are."""
        if self.preserve:
            preserve_mode_and_times(job.input, job.output)
        if self.sync:
            sync_folder(job.output.parent)
        return replace(done, sha256=file_facts(job.output)["sha256"])

    def _reading(self) -> dict[str, Any]:
        """Return how files are read."""
        return {name: getattr(self, name) for name in _READ}

    def _asked(self, salvaged: str) -> dict[str, Any]:
        """Return how the file was asked for, and what is missing of its original."""
        asked = {name: getattr(self, name) for name in _FILE}
        return {**asked, "salvage": self.salvage or None, "salvaged": salvaged or None}

    def _keep(self, job: Job, source: Picture) -> None:
        """Give a result the picture's own colours: the very bytes where nothing is to change."""
        same = (self.format or format_of_suffix(job.output)) == source.format
        plain = self.depth is None and self.quality is None and self.page in (None, "all")
        if same and plain and not source.salvaged:
            data = read_bytes(job.input, self.limits)
            write_bytes_atomically(job.output, data, self.overwrite)
            return
        write_picture(
            source,
            job.output,
            format=self.format,
            depth=self.depth,
            quality=self.quality,
            overwrite=self.overwrite,
        )


def coloring_from(
    made_by: Mapping[str, Any], original: Mapping[str, Any] | None = None, **given: Any
) -> Coloring:
    """Return how a result was coloured, so that the same bytes come again.

    Parameters
    ----------
    made_by : Mapping
        What made the result, see `chroma_core.pictures.inspect.inspect_file`.
    original : Mapping, optional
        What the sidecar says of the picture that the result was made from.
    **given
        Fields of `Coloring` that shall be others; ``model`` says where the model lies.

    Raises
    ------
    InputError
        If the record does not tell how it was made.
    """
    arguments = arguments_of(made_by)
    model = given.pop("model", None)
    if model is not None:
        arguments["model"] = model
    elif arguments["model"] is not None and not _PLAIN_NAME.fullmatch(arguments["model"]):
        # A picture may come from anywhere: it may name a model, never a place on this disk.
        raise InputError(f"its model has the name {arguments['model']!r:.80}, which is no name")
    digest = made_by.get("model_sha256")
    file = made_by.get("file", {})
    asked = {name: file.get(name) for name in _FILE} if isinstance(file, Mapping) else {}
    asked = checked_file(asked)
    asked.update({name: value for name, value in given.items() if value is not None})
    if isinstance(original, Mapping) and isinstance(original.get("sha256"), str):
        asked["original_sha256"] = original["sha256"]
    return Coloring(
        **{**arguments, **asked},
        model_sha256=digest if isinstance(digest, str) else None,
    )


def color_stream(coloring: Coloring, picture: bytes | Path, output: Path | None) -> tuple[str, ...]:
    """Colour a picture that comes or goes through a pipe; return what there is to say of it.

    A pipe always gets a coloured picture, whatever `Coloring.already_colour` says.

    Parameters
    ----------
    coloring : Coloring
        How.
    picture : bytes or Path
        The file's bytes, or the file.
    output : Path or None
        Where the result goes; None writes it to standard output.
    """
    import tempfile

    given = io.BytesIO(picture) if isinstance(picture, bytes) else picture
    if output is not None:
        if coloring.sidecar and coloring.overwrite == "never":
            refuse_existing(sidecar_path(output))
        done, salvaged = _color_one(coloring, given, lambda _: output, coloring.overwrite)
        if coloring.sidecar:
            size = done.width, done.height
            coloring.write_sidecar(output, _facts(picture), size, salvaged)
        return done.warnings
    with tempfile.TemporaryDirectory(prefix="chroma-") as folder:

        def place(read_as: str) -> Path:
            return Path(folder) / f"result{FORMATS[coloring.format or output_format(read_as)][0]}"

        done, _ = _color_one(coloring, given, place, "never")
        (result,) = Path(folder).iterdir()
        sys.stdout.buffer.write(result.read_bytes())
        sys.stdout.buffer.flush()
    return done.warnings


def _color_one(
    coloring: Coloring,
    given: Path | io.BytesIO,
    place: Callable[[str], Path],
    overwrite: Overwrite,
) -> tuple[Done, str]:
    """Colour a picture, or its pages, to where its format tells; return what is missing of it."""
    if coloring.page == "all":
        pages = coloring.open_pages(given)
        output = place(pages.format)
        if len(pages) > 1:
            done, salvaged, _ = color_pages(
                coloring, pages, output, already_colour="recolour", overwrite=overwrite
            )
            return done, salvaged
        source = next(iter(pages))
    else:
        source = coloring.read(given)
        output = place(source.format)
    warnings, note = judged(source, color_kind_of_pixels(source.pixels))
    colored, doubtful = coloring.colored(source)
    coloring.write(colored, output, overwrite)
    warnings = (*warnings, *coloring.left_out(source, output))
    if doubtful:
        warnings, note = (*warnings, *doubtful), note or LOW_CONFIDENCE
    done = Done(warnings=warnings, note=note, width=source.width, height=source.height)
    return done, source.salvaged


def _facts(picture: bytes | Path) -> dict[str, Any]:
    """Return what a sidecar says of the original."""
    if isinstance(picture, Path):
        return file_facts(picture)
    digest = hashlib.sha256(picture).hexdigest()
    return {"name": None, "bytes": len(picture), "sha256": digest}


@functools.lru_cache(maxsize=2)
def _built(coloring: Coloring) -> Pipeline:
    pipeline = build(
        features=coloring.features,
        regressor=coloring.regressor,
        refiner=coloring.refiner,
        colorspace=coloring.colorspace,
        model=coloring.model,
        settings=coloring.settings,
        join=coloring.join,
        work_size=coloring.work_size,
        vividness=coloring.vividness,
        certainty=coloring.certainty,
    )
    digest = pipeline.origin.get("model_sha256")
    if coloring.model_sha256 not in (None, digest):
        raise ModelMismatch(
            f"the picture was made with model {coloring.model_sha256[:12]}..., "
            f"the model that is here is {(digest or 'none')[:12]}...",
            hint="name the folder of that model with --model",
        )
    return pipeline

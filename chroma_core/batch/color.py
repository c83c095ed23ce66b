"""Colouring one picture file: what a batch does for each job.

The work is described by text alone, so that another process can build the same pipeline from it.
"""

from __future__ import annotations

import functools
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chroma_core.api import build
from chroma_core.batch.plan import Job
from chroma_core.batch.run import Done
from chroma_core.pictures.atomic import Overwrite
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture
from chroma_core.pipeline import JoinMethod, Pipeline
from chroma_core.provenance import provenance_note

__all__ = ["Coloring", "color_stream"]


@dataclass(frozen=True, kw_only=True)
class Coloring:
    """How pictures are to be coloured; call it with a job.

    Attributes
    ----------
    features, regressor, refiner, colorspace, model : str or None
        See `chroma_core.api.build`.
    settings : tuple of str
        Options of stages as text.
    join, work_size, vividness
        See `chroma_core.api.build`.
    format, depth, quality
        See `chroma_core.pictures.write.write_picture`; the input's own where None.
    overwrite : {"never", "always"}
        What happens to an output that is there when it is to be written.
    guarded : bool
        Whether pictures are decoded in a process of their own.
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
    format: str | None = None
    depth: int | None = None
    quality: int | None = None
    overwrite: Overwrite = "never"
    guarded: bool = False

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline, built once a process."""
        return _built(self)

    def prepare(self) -> None:
        """Build the pipeline now, so that what is wrong with it is known before any picture."""
        _built(self)

    def __call__(self, job: Job) -> Done:
        """Read a job's picture, colour it, and write the result."""
        source = read_picture(job.input, guarded=self.guarded)
        self._write(self.pipeline(source.pixels), source, job.output, self.overwrite)
        return Done(warnings=source.warnings)

    def _write(self, pixels: Any, source: Picture, output: Path, overwrite: Overwrite) -> None:
        write_picture(
            pixels,
            output,
            like=source,
            format=self.format,
            depth=self.depth,
            quality=self.quality,
            overwrite=overwrite,
            note=provenance_note(self.pipeline.describe()),
        )


def color_stream(coloring: Coloring, picture: bytes | Path, output: Path | None) -> tuple[str, ...]:
    """Colour a picture that comes or goes through a pipe; return what the reader had to say.

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

    from chroma_core.pictures.names import FORMATS, output_format

    given = io.BytesIO(picture) if isinstance(picture, bytes) else picture
    source = read_picture(given, guarded=coloring.guarded)
    pixels = coloring.pipeline(source.pixels)
    if output is not None:
        coloring._write(pixels, source, output, coloring.overwrite)
        return source.warnings
    suffix = FORMATS[coloring.format or output_format(source.format)][0]
    with tempfile.TemporaryDirectory(prefix="chroma-") as folder:
        result = Path(folder) / f"result{suffix}"
        coloring._write(pixels, source, result, "never")
        sys.stdout.buffer.write(result.read_bytes())
        sys.stdout.buffer.flush()
    return source.warnings


@functools.lru_cache(maxsize=2)
def _built(coloring: Coloring) -> Pipeline:
    return build(
        features=coloring.features,
        regressor=coloring.regressor,
        refiner=coloring.refiner,
        colorspace=coloring.colorspace,
        model=coloring.model,
        settings=coloring.settings,
        join=coloring.join,
        work_size=coloring.work_size,
        vividness=coloring.vividness,
    )

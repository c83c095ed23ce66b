"""Pictures of what a features stage sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from chroma_core.api import Settings, build_features
from chroma_core.asking import asked, read_only
from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.filters.resize import area_shrink
from chroma_core.pictures.atomic import Overwrite
from chroma_core.pictures.originals import refuse_original
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture
from chroma_core.pipeline import lightness_of, scene_scale, work_shape
from chroma_core.stages import Scene

__all__ = ["draw_features"]


def draw_features(
    picture: str | Path,
    output: str | Path,
    features: str,
    *,
    settings: Mapping[str, str] | Iterable[str] | None = None,
    work_size: int = 0,
    overwrite: Overwrite = "never",
) -> tuple[Path, str]:
    """Draw what a features stage sees in a picture file; return the file and a story in words."""
    refuse_original(picture, output)
    chosen = Settings.parse(settings)
    stage = build_features(features, chosen)
    chosen.refuse_the_rest()
    lightness = lightness_of(read_picture(picture).pixels, LabColorspace())
    shape = work_shape(lightness.shape, work_size)
    if shape != lightness.shape:
        lightness = area_shrink(lightness, shape)
    scene = Scene(lightness=read_only(lightness), scale=scene_scale(shape))
    drawn, story = asked(stage, stage.draw, scene)
    return write_picture(drawn, output, overwrite=overwrite), story

"""What a result says of itself: in its XMP and EXIF, and in the sidecar beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chroma_core.errors import PictureError
from chroma_core.pictures.exif_history import record_of_exif
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.provenance import record_of
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.sidecar import SIDECAR_SUFFIX, file_facts, read_sidecar, sidecar_path

__all__ = ["Inspection", "inspect_file"]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What is known of a file.

    Attributes
    ----------
    path : Path
        The file as named.
    made_by : dict or None
        What made it, see `chroma_core.provenance.provenance_record`; None where nothing says so.
    source : {"xmp", "exif", "sidecar", ""}
        Where that stands.
    sidecar : dict or None
        The whole sidecar.
    unchanged : bool or None
        Whether the file has the SHA-256 that its sidecar says; None without one.
    picture : dict
        Format, width, height, depth, whether gray, what else it carries; empty for a sidecar alone.
    warnings : tuple of str
        What the reader said of it, such as that there are more pages.
    """

    path: Path
    made_by: dict[str, Any] | None
    source: str
    sidecar: dict[str, Any] | None
    unchanged: bool | None
    picture: dict[str, Any]
    warnings: tuple[str, ...] = ()


def inspect_file(
    path: str | os.PathLike[str],
    *,
    page: int | None = None,
    limits: Limits | None = None,
    guarded: bool = False,
) -> Inspection:
    """Return what a result, or a sidecar, says of how it was made.

    The metadata of a picture come first: they cannot be separated from it as easily.

    Parameters
    ----------
    path : path
        A picture, or a file that ends in ``.chroma.json``.
    page : int, optional
        Which page of a TIFF, each of which may have been made in another way; the first by default.
    limits, guarded
        See `chroma_core.pictures.read.read_picture`.

    Raises
    ------
    PictureError
        If it cannot be read, has no such page, or its sidecar is damaged.
    """
    file = Path(path)
    if file.name.endswith(SIDECAR_SUFFIX):
        told = read_sidecar(file)
        if told is None:
            raise PictureError("there is no such file", kind="no-input", path=str(path))
        return Inspection(
            path=file,
            made_by=told["made_by"],
            source="sidecar",
            sidecar=told,
            unchanged=None,
            picture={},
        )
    picture = read_picture(file, limits=limits, guarded=guarded, page=page)
    carried = {"exif": picture.exif, "xmp": picture.xmp, "iptc": picture.iptc}
    told = read_sidecar(sidecar_path(file))
    made_by = record_of(picture.xmp)
    source = "xmp" if made_by is not None else ""
    if made_by is None:
        made_by = record_of_exif(picture.exif)
        source = "exif" if made_by is not None else ""
    if made_by is None and told is not None:
        made_by, source = told["made_by"], "sidecar"
    unchanged = None
    if told is not None:
        output = told.get("output")
        said = output.get("sha256") if isinstance(output, dict) else None
        unchanged = said == file_facts(file)["sha256"]
    return Inspection(
        path=file,
        made_by=made_by,
        source=source,
        sidecar=told,
        unchanged=unchanged,
        picture={
            "format": picture.format,
            "width": picture.width,
            "height": picture.height,
            "depth": picture.depth,
            "gray": picture.is_gray,
            "alpha": picture.alpha is not None,
            "profile": picture.icc_note,
            "dpi": list(picture.dpi) if picture.dpi else None,
            "carries": [name for name, block in carried.items() if block],
        },
        warnings=picture.warnings,
    )

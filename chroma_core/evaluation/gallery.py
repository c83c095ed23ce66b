"""Small pictures for an evaluation's page, gathered while it runs.

They are encoded at once, so that hundreds of them fit in a few megabytes.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import InputError
from chroma_core.filters.resize import area_shrink

if TYPE_CHECKING:
    from chroma_core.evaluation.evaluate import PictureRow, Views

__all__ = ["Gallery", "Thumbnail", "Thumbnails"]

_QUALITY = 90


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """One small picture as a WebP file in memory."""

    webp: bytes
    height: int
    width: int

    @property
    def data_uri(self) -> str:
        """The picture as an address that holds it."""
        return f"data:image/webp;base64,{base64.b64encode(self.webp).decode('ascii')}"


@dataclass(frozen=True, kw_only=True)
class Thumbnails:
    """The small pictures of one row."""

    truth: Thumbnail
    gray: Thumbnail
    ours: Thumbnail


class Gallery:
    """Small pictures of truth, gray input and result, by row.

    Parameters
    ----------
    side : int, optional
        Longest side of a small picture in pixels; pictures are never enlarged.
    limit : int, optional
        How many rows get pictures; the first ones do. The page says so when there are more.

    Raises
    ------
    InputError
        If `side` is below 1 or `limit` below 0.
    """

    def __init__(self, *, side: int = 192, limit: int = 500) -> None:
        if side < 1 or limit < 0:
            raise InputError(f"side is {side} and limit {limit}, wanted at least 1 and at least 0")
        self.side = side
        self.limit = limit
        self._kept: dict[tuple[str, str], Thumbnails] = {}

    def __len__(self) -> int:
        """Return how many rows have pictures."""
        return len(self._kept)

    def add(self, row: PictureRow, views: Views) -> None:
        """Keep small pictures of a row, unless there are enough; `evaluate` takes it as `watch`."""
        if len(self._kept) < self.limit:
            self._kept[row.set_name, row.picture] = Thumbnails(
                truth=self._small(views.truth),
                gray=self._small(views.gray),
                ours=self._small(views.ours),
            )

    def find(self, row: PictureRow) -> Thumbnails | None:
        """Return the small pictures of a row, or None where there are none."""
        return self._kept.get((row.set_name, row.picture))

    def _small(self, picture: PixelArray) -> Thumbnail:
        from PIL import Image

        height, width = picture.shape[:2]
        scale = min(1.0, self.side / max(height, width))
        shape = max(1, round(height * scale)), max(1, round(width * scale))
        if shape != (height, width):
            # Averaged as it is encoded: a thumbnail is looked at, never measured.
            picture = np.rint(area_shrink(picture, shape)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "WEBP", quality=_QUALITY, method=4)
        return Thumbnail(webp=file.getvalue(), height=shape[0], width=shape[1])

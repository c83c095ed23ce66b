"""TIFF and BigTIFF: one page of a file, its pixels and what it says besides.

`tiff_pages` finds the page, `tiff_checks` refuses what cannot be true, tifffile unpacks strips and
tiles, and `tiff_samples` works out what they mean.
"""

from __future__ import annotations

import io
import logging
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.exif import exif_dpi
from chroma_core.pictures.ifd import Value, exif_of_tiff, raw_directory
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.reading import PLAIN, Reading
from chroma_core.pictures.stored import Stored, cut_short, drop_large, spoilt
from chroma_core.pictures.tiff_checks import check_page, judge_jpeg, refuse_stand_in
from chroma_core.pictures.tiff_pages import Layout, directory_of_page, read_layout
from chroma_core.pictures.tiff_salvage import salvaged_samples
from chroma_core.pictures.tiff_samples import interpret

__all__ = ["read_tiff"]

_LOCK = threading.Lock()
_PREVIEW_OR_MASK = 5


def read_tiff(data: bytes, limits: Limits, reading: Reading = PLAIN) -> Stored:
    """Read a page of a TIFF: the first that is no preview, or the one that is asked for.

    Raises
    ------
    PictureError
        If it is damaged, cut short, too large, or of a kind that is not read; names the page where
        one was asked for.
    """
    layout = read_layout(data)
    if reading.page is None:
        return _read_page(data, layout, limits, reading, None)
    place = directory_of_page(data, layout, reading.page, limits)
    try:
        return _read_page(data, layout, limits, reading, place)
    except PictureError as error:
        what = f"page {reading.page:,}: {error.what}"
        raise PictureError(what, kind=error.kind, hint=error.hint) from error


def _read_page(
    data: bytes, layout: Layout, limits: Limits, reading: Reading, place: int | None
) -> Stored:
    """Read the page whose directory stands at a place of the list; None: the first."""
    import tifffile

    others = False
    with _quiet_tifffile():
        try:
            # Closed here: tifffile's pages refer to each other, and would keep the file's bytes.
            with io.BytesIO(data) as stream, tifffile.TiffFile(stream) as tiff:
                if place is None:
                    page, others = _choose_page(tiff, limits)
                else:
                    page = tiff.pages.get(place, validate=False, aspage=True)
                if int(page.subfiletype) & _PREVIEW_OR_MASK:
                    refuse_stand_in(page)
                check_page(page, len(data), limits, salvage=reading.salvage)
                samples, missing = _samples(page, data, salvage=reading.salvage)
                stored = interpret(page, samples, reading)
                icc = _tag_bytes(page, 34675)
                xmp, iptc = _tag_bytes(page, 700), _tag_bytes(page, 33723)
                offset = int(page.offset)
        except PictureError:
            raise
        except MemoryError as error:
            raise PictureError("there is not enough memory for it", kind="memory") from error
        except Exception as error:
            raise _decoder_error(error) from error
    stored.salvaged = missing
    tags = raw_directory(data, layout.order, offset, big=layout.big)
    stored.exif = exif_of_tiff(data, layout.order, tags, big=layout.big)
    stored.orientation = _orientation(tags.get(274), layout.order)
    stored.dpi = exif_dpi(stored.exif)
    stored.icc = drop_large(icc, "its colour profile", limits, stored.warnings)
    stored.xmp = drop_large(xmp, "XMP", limits, stored.warnings)
    stored.iptc = drop_large(iptc, "IPTC", limits, stored.warnings)
    if others:
        stored.warnings.append("it has more than one page: only the first is used")
    return stored


def _samples(page: Any, data: bytes, *, salvage: bool) -> tuple[PixelArray, str]:
    """Return the samples as stored, and what of them is missing."""
    if salvage:
        return salvaged_samples(page, data)
    if page.compression == 7:
        judge_jpeg(page, data)
    return page.asarray(squeeze=False, maxworkers=1), ""


@contextmanager
def _quiet_tifffile() -> Iterator[None]:
    """Keep tifffile from writing to the log: what matters is raised."""
    logger = logging.getLogger("tifffile")
    with _LOCK:
        before, logger.disabled = logger.disabled, True
        try:
            yield
        finally:
            logger.disabled = before


def _choose_page(tiff: Any, limits: Limits) -> tuple[Any, bool]:
    """Return the first page that is neither preview nor mask, and whether there are more."""
    kept = None
    for index in range(limits.max_pages):
        try:
            page = tiff.pages.get(index, validate=False, aspage=True)
        except IndexError:
            break
        except Exception:
            if kept is not None:
                break
            raise
        if int(page.subfiletype) & _PREVIEW_OR_MASK:
            continue
        if kept is not None:
            return kept, True
        kept = page
    return (kept, False) if kept is not None else (tiff.pages.get(0, aspage=True), False)


def _tag_bytes(page: Any, number: int) -> bytes:
    """Return the bytes of a tag; nothing if it is not there or cannot be read."""
    tag = page.tags.get(number)
    if tag is None:
        return b""
    try:
        raw = tag.value
        if isinstance(raw, bytes):
            return raw
        if isinstance(raw, str):
            return raw.encode()
        # Photoshop writes IPTC as LONG: the numbers' bytes in the order of the file.
        size = 4 if int(tag.dtype) in (4, 9, 13) else 1
        order = "little" if page.parent.byteorder == "<" else "big"
        return b"".join(int(part).to_bytes(size, order) for part in raw)  # type: ignore[arg-type]  # one of the two literals
    except Exception:
        return b""


def _orientation(value: Value | None, order: str) -> int | None:
    """Return the orientation, 0 where it cannot be meant, None where there is none."""
    if value is None:
        return None
    # TIFF 6.0 wants a SHORT; some writers take a LONG, and mean the same.
    form = {3: "H", 4: "I"}.get(value.type)
    if form is None or value.count != 1:
        return 0
    (number,) = struct.unpack(order + form, value.data)
    return int(number) if 1 <= number <= 8 else 0


def _decoder_error(error: Exception) -> PictureError:
    """Return what tifffile says as one of our errors."""
    text = (str(error) or type(error).__name__).splitlines()[0][:200]
    if "cannot be reshaped" in text or "too small" in text or "truncated" in text.lower():
        return cut_short(f"cut short: there are fewer pixels than its header says ({text})")
    return spoilt(f"it cannot be decoded ({text})")

"""Whether a result kept what it had to keep of its original."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chroma_core.color.lab import rgb_to_lab
from chroma_core.errors import OptionError
from chroma_core.pictures.carried import CARRIES
from chroma_core.pictures.exif import xmp_upright
from chroma_core.pictures.exif_history import IMAGE_HISTORY, history_without_note
from chroma_core.pictures.ifd import Value, parse_exif
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.pages import Pages, open_pages
from chroma_core.pictures.picture import Picture, to_unit
from chroma_core.pictures.provenance import without_note
from chroma_core.pictures.read import read_picture

__all__ = ["Check", "Verification", "compare_pictures", "verify_file"]

LOSSLESS = (0.5, 0.2)
"""Largest and mean ΔL* of results without loss: rounding to 8 bits moves L* by up to 0.25."""

LOSSY = (30.0, 2.0)
"""The same for JPEG, WebP and AVIF: at JPEG quality 75 up to 21 and 1.5 were measured."""

_LOSSY = frozenset({"jpeg", "webp", "avif"})
_STORAGE = frozenset({256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 282, 283, 284, 296, 317})
_STORAGE |= {338, 339, 513, 514, 34665, 34853, 40961, 40962, 40963, 700, 33723, 34675, 34377, 50341}
"""Tags that say how pixels are stored, or where things lie; resolution is compared by itself."""

_ROWS_AT_ONCE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What: ``size``, ``depth``, ``lightness``, ``profile``, ``alpha``, ``dpi``, ``exif``,
        ``xmp``, ``iptc``, ``texts`` or ``pages``.
    kept : bool
        Whether it was kept.
    story : str
        Both sides in words.
    page : int or None
        Of which page, where all were looked at.
    """

    name: str
    kept: bool
    story: str
    page: int | None = None


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a comparison found.

    Attributes
    ----------
    checks : tuple of Check
        One by one.
    max_delta, mean_delta : float or None
        Sizes of ΔL* over all pixels of all pages that were looked at; None where sizes differ.
    warnings : tuple of str
        What the reader said of the two files, such as that there are more pages.
    """

    checks: tuple[Check, ...]
    max_delta: float | None
    mean_delta: float | None
    warnings: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether everything was kept."""
        return all(check.kept for check in self.checks)


def verify_file(
    original: str | os.PathLike[str],
    result: str | os.PathLike[str],
    *,
    max_delta: float | None = None,
    mean_delta: float | None = None,
    page: int | Literal["all"] | None = None,
    value_range: tuple[float, float] | None = None,
    nan: float | None = None,
    salvage: bool = False,
    limits: Limits | None = None,
    guarded: bool = False,
) -> Verification:
    """Compare a result with the file that it was made from.

    Parameters
    ----------
    original, result : path
        The two files.
    max_delta, mean_delta : float, optional
        Largest ΔL* of a pixel, and on average; by default `LOSSLESS` or `LOSSY`, as the
        result's format is.
    page : int or "all", optional
        Which page of the original, and the same of a result that has several; or all of both. The
        first by default.
    value_range, nan, salvage
        How the original was read, see `chroma_core.pictures.reading.Reading`.
    limits, guarded
        See `chroma_core.pictures.read.read_picture`.

    Raises
    ------
    PictureError
        If one of them cannot be read, or has no such page.
    OptionError
        If a limit is below 0 or no number.
    """
    for name, value in (("max_delta", max_delta), ("mean_delta", mean_delta)):
        if value is not None and not 0 <= value < float("inf"):
            raise OptionError(f"{name} is {value}, wanted at least 0")
    how: dict[str, Any] = {"value_range": value_range, "nan": nan, "salvage": salvage}
    both: dict[str, Any] = {"limits": limits, "guarded": guarded}
    if page is None:
        before = read_picture(Path(original), **how, **both)
        return _compared(before, read_picture(Path(result), **both), max_delta, mean_delta)
    pages, made = open_pages(Path(original), **how, **both), open_pages(Path(result), **both)
    if page == "all":
        return _all_compared(pages, made, max_delta, mean_delta)
    # One page of a book may have been coloured into a file of its own.
    there = page if len(made) > 1 else None
    return _compared(pages.read(page), made.read(there), max_delta, mean_delta)


def _compared(
    before: Picture, after: Picture, max_delta: float | None, mean_delta: float | None
) -> Verification:
    """Compare two pictures, and tell what the reader said of them."""
    found = compare_pictures(before, after, max_delta=max_delta, mean_delta=mean_delta)
    sides = (("original", before), ("result", after))
    said = tuple(f"{side}: {warning}" for side, one in sides for warning in one.warnings)
    return replace(found, warnings=said)


def _all_compared(
    before: Pages, after: Pages, max_delta: float | None, mean_delta: float | None
) -> Verification:
    """Compare page by page; no more than one of each is in memory."""
    story = f"{len(before):,} -> {len(after):,}"
    checks = [Check(name="pages", kept=len(before) == len(after), story=story)]
    warnings: dict[str, None] = {}
    largest: float | None = 0.0
    total, pixels = 0.0, 0
    for number, (one, other) in enumerate(zip(before, after, strict=False), start=1):
        found = _compared(one, other, max_delta, mean_delta)
        checks += [replace(check, page=number) for check in found.checks]
        warnings |= dict.fromkeys(f"page {number}, {warning}" for warning in found.warnings)
        if largest is None or found.max_delta is None or found.mean_delta is None:
            largest = None
            continue
        largest = max(largest, found.max_delta)
        total += found.mean_delta * one.width * one.height
        pixels += one.width * one.height
    mean = None if largest is None else total / pixels
    return Verification(
        checks=tuple(checks), max_delta=largest, mean_delta=mean, warnings=tuple(warnings)
    )


def compare_pictures(
    before: Picture,
    after: Picture,
    *,
    max_delta: float | None = None,
    mean_delta: float | None = None,
) -> Verification:
    """Compare two pictures that were read; see `verify_file`."""
    defaults = LOSSY if after.format in _LOSSY else LOSSLESS
    most = defaults[0] if max_delta is None else max_delta
    mean = defaults[1] if mean_delta is None else mean_delta
    checks = [
        Check(
            name="size",
            kept=before.pixels.shape[:2] == after.pixels.shape[:2],
            story=f"{before.width} x {before.height} -> {after.width} x {after.height} pixels",
        ),
        Check(
            name="depth",
            kept=after.depth >= before.depth,
            story=f"{before.depth} -> {after.depth} bits",
        ),
    ]
    largest = average = None
    if checks[0].kept:
        largest, average = _lightness_differences(before, after)
        story = f"|dL*| at most {largest:.3f} (allowed {most:g}), "
        story += f"on average {average:.4f} (allowed {mean:g})"
        kept = largest <= most and average <= mean
        checks.append(Check(name="lightness", kept=kept, story=story))
    profile = after.icc_note or "none, which means sRGB"
    ignored = "ignored" in after.icc_note
    checks.append(Check(name="profile", kept=not ignored, story=f"result: {profile}"))
    checks += [
        check
        for check in (
            _alpha(before, after),
            _dpi(before, after),
            _exif(before, after),
            _xmp(before, after),
            _iptc(before, after),
            _texts(before, after),
        )
        if check is not None
    ]
    return Verification(checks=tuple(checks), max_delta=largest, mean_delta=average)


def _lightness_differences(before: Picture, after: Picture) -> tuple[float, float]:
    """Return largest and mean difference of L*, some rows at a time."""
    step = max(1, _ROWS_AT_ONCE // before.width)
    largest = total = 0.0
    for row in range(0, before.height, step):
        one, other = (rgb_to_lab(p.rgb(row, row + step))[..., 0] for p in (before, after))
        difference = np.abs(one - other)
        largest = max(largest, float(difference.max()))
        total += float(difference.sum(dtype=np.float64))
    return largest, total / (before.height * before.width)


def _alpha(before: Picture, after: Picture) -> Check | None:
    if before.alpha is None:
        return None
    opaque = float(to_unit(before.alpha).min()) == 1.0
    if after.alpha is None:
        story = "opaque everywhere, left out" if opaque else "it is gone"
        return Check(name="alpha", kept=opaque, story=story)
    if before.alpha.shape != after.alpha.shape:
        return Check(name="alpha", kept=False, story="of another size")
    largest = float(np.abs(to_unit(before.alpha) - to_unit(after.alpha)).max())
    exact = 0.5 / 255 if after.format not in _LOSSY else 2 / 255
    return Check(name="alpha", kept=largest <= exact, story=f"differs by at most {largest:.4f}")


def _dpi(before: Picture, after: Picture) -> Check | None:
    if before.dpi is None:
        return None
    told = "none" if after.dpi is None else f"{after.dpi[0]:.2f} x {after.dpi[1]:.2f}"
    story = f"{before.dpi[0]:.2f} x {before.dpi[1]:.2f} -> {told} pixels an inch"
    if after.dpi is None:
        return _gone("dpi", after, story)
    # JPEG and PNG hold whole numbers, of an inch or of a metre.
    near = all(abs(a - b) <= 0.5 + 0.001 * a for a, b in zip(before.dpi, after.dpi, strict=True))
    return Check(name="dpi", kept=near, story=story)


def _exif(before: Picture, after: Picture) -> Check | None:
    told = {tag: value for tag, value in _tags(before.exif).items() if value[1]}
    if not told:
        return None
    kept = _tags(after.exif)
    missing = sorted(tag for tag, value in told.items() if kept.get(tag) != value)
    story = f"{len(told) - len(missing)} of {len(told)} tags kept"
    if missing:
        story += "; not: " + ", ".join(f"{place} {tag}" for place, tag in missing[:8])
    return _gone("exif", after, story) if missing else Check(name="exif", kept=True, story=story)


def _tags(exif: bytes) -> dict[tuple[str, int], tuple[int, bytes]]:
    """Return the tags of EXIF that say something of the picture, in one byte order."""
    parsed = parse_exif(exif)
    if parsed is None:
        return {}
    order, *directories = parsed
    found: dict[tuple[str, int], tuple[int, bytes]] = {}
    for place, directory in zip(("picture", "exif", "gps"), directories, strict=True):
        for tag, value in directory.items():
            if place == "exif" and tag == IMAGE_HISTORY:
                found[place, tag] = (value.type, history_without_note(value.data))
            elif place == "gps" or tag not in _STORAGE:
                found[place, tag] = (value.type, _little(value, order))
    return found


def _little(value: Value, order: str) -> bytes:
    """Return a value's bytes, the least of each number first."""
    size = {3: 2, 8: 2, 4: 4, 5: 4, 9: 4, 10: 4, 11: 4, 13: 4, 12: 8}.get(value.type, 1)
    if order == "<" or size == 1:
        return value.data
    codes = np.frombuffer(value.data, dtype=np.uint8)
    return codes.reshape(-1, size)[:, ::-1].tobytes()


def _xmp(before: Picture, after: Picture) -> Check | None:
    told = without_note(xmp_upright(before.xmp)).strip(b"\0 \r\n\t")
    if not told:
        return None
    same = without_note(after.xmp).strip(b"\0 \r\n\t") == told
    if same:
        return Check(name="xmp", kept=True, story=f"{len(told):,} bytes kept")
    return _gone("xmp", after, "it is gone" if not after.xmp else "it is another")


def _iptc(before: Picture, after: Picture) -> Check | None:
    # TIFF pads to whole numbers of four bytes.
    told = before.iptc.rstrip(b"\0")
    if not told:
        return None
    if after.iptc.rstrip(b"\0") == told:
        return Check(name="iptc", kept=True, story=f"{len(told):,} bytes kept")
    return _gone("iptc", after, "it is gone" if not after.iptc else "it is another")


def _texts(before: Picture, after: Picture) -> Check | None:
    if not before.texts:
        return None
    kept = sum(text in after.texts for text in before.texts)
    story = f"{kept} of {len(before.texts)} texts or comments kept"
    return Check(name="texts", kept=kept == len(before.texts), story=story)


def _gone(name: str, after: Picture, story: str) -> Check:
    """Return the check of something that is not there any more, with the reason if it is clear."""
    if after.format not in CARRIES[name]:
        story += f"; {after.format or 'the format'} holds none"
    return Check(name=name, kept=False, story=story)

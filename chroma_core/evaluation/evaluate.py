"""Colour pictures whose colours are known, and score the result beside two baselines.

Each picture's truth gives a gray picture made from L*; that is coloured, and compared with the
truth. The same is done with no colour at all (gray) and with one constant colour (mean colour),
because a figure means nothing without what the least effort reaches. Differences are taken picture
by picture, so that their intervals are those of a paired comparison.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from chroma_core.arrays import FloatArray, PixelArray
from chroma_core.errors import ChromaError, InputError
from chroma_core.evaluation.baselines import gray_of, lightness_of, mean_colour, to_gray_picture
from chroma_core.evaluation.intervals import Interval, paired_bootstrap
from chroma_core.evaluation.metrics import colourfulness, mean_ciede2000, psnr, ssim
from chroma_core.evaluation.truth import read_truth
from chroma_core.pictures.picture import to_codes
from chroma_core.stages import Progress

__all__ = [
    "GRAY_INPUT",
    "METRICS",
    "Comparison",
    "Evaluation",
    "Failure",
    "Metric",
    "PictureRow",
    "Scores",
    "SetSummary",
    "Views",
    "evaluate",
]

GRAY_INPUT = "made from the truth's L* (a* = b* = 0), not from luma"
"""How the gray pictures are made; every report says it."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure: its name in records, its name for people, and how to read it."""

    key: Literal["psnr", "ssim", "ciede2000", "colourfulness"]
    title: str
    unit: str
    better: Literal["higher", "lower", "nearer the truth"]
    digits: int

    @property
    def heading(self) -> str:
        """Name and unit, for the head of a table."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    def text(self, value: float) -> str:
        """Return a figure with as many digits as it is worth."""
        return f"{value:z.{self.digits}f}"

    def gain_text(self, difference: float) -> str:
        """Return a difference of figures, with its sign and one digit more."""
        return f"{difference:+z.{self.digits + 1}f}"

    def interval_text(self, interval: Interval) -> str:
        """Return a mean difference and its interval: ``+0.394 [+0.216, +0.571]``."""
        mean, low, high = (self.gain_text(value) for value in interval)
        return f"{mean} [{low}, {high}]"


METRICS = (
    Metric(key="psnr", title="PSNR", unit="dB", better="higher", digits=2),
    Metric(key="ssim", title="SSIM", unit="", better="higher", digits=4),
    Metric(key="ciede2000", title="CIEDE2000", unit="", better="lower", digits=2),
    Metric(
        key="colourfulness", title="Colourfulness", unit="", better="nearer the truth", digits=1
    ),
)
"""The four figures, in the order of every report."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The four figures of one picture coloured in one way."""

    psnr: float
    ssim: float
    ciede2000: float
    colourfulness: float


@dataclass(frozen=True, kw_only=True)
class PictureRow:
    """What was measured on one picture.

    Attributes
    ----------
    set_name : str
        The set that it belongs to.
    picture : str
        Its path below the folder that all pictures of the set share, with ``/``.
    path : Path
        Its path as the caller gave it.
    height, width : int
        Its size in pixels.
    truth_colourfulness : float
        Colourfulness of the truth.
    gray, mean_colour, ours : Scores
        The three ways of colouring it.
    """

    set_name: str
    picture: str
    path: Path
    height: int
    width: int
    truth_colourfulness: float
    gray: Scores
    mean_colour: Scores
    ours: Scores


@dataclass(frozen=True, kw_only=True)
class Views:
    """The pictures behind one row, each uint8 of shape (H, W, 3)."""

    truth: PixelArray
    gray: PixelArray
    mean_colour: PixelArray
    ours: PixelArray


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One figure over a set: means over pictures, and paired differences with intervals."""

    gray: float
    mean_colour: float
    ours: float
    ours_minus_gray: Interval
    ours_minus_mean_colour: Interval
    mean_colour_minus_gray: Interval


@dataclass(frozen=True, kw_only=True)
class SetSummary:
    """What was measured on one set.

    Attributes
    ----------
    name : str
        Its name.
    n : int
        Pictures that were scored.
    metrics : Mapping[str, Comparison]
        By `Metric.key`.
    truth_colourfulness : float
        Mean colourfulness of the truths.
    colourfulness_ratio : float or None
        Mean colourfulness of ours over that of the truths; None where the truths are all gray.
    colourfulness_minus_truth : Interval
        Ours − truth, picture by picture: below 0 is paler than the truth.
    colourfulness_distance : Interval
        Ours − truth without its sign, picture by picture.
    """

    name: str
    n: int
    metrics: Mapping[str, Comparison]
    truth_colourfulness: float
    colourfulness_ratio: float | None
    colourfulness_minus_truth: Interval
    colourfulness_distance: Interval


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A picture that could not be scored, and why."""

    set_name: str
    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What `evaluate` found.

    Attributes
    ----------
    label : str
        Name of what was evaluated.
    sets : tuple of SetSummary
        In the order given.
    rows : tuple of PictureRow
        One a picture, in the order given.
    failures : tuple of Failure
        Pictures that are in no figure; empty unless `evaluate` was told to keep going.
    mean_ab : tuple of float
        a* and b* of the constant colour.
    resamples, seed, level
        Of the bootstrap.
    facts : Mapping[str, str]
        What the caller wants reports to say besides: model, version, date.
    gray_input : str
        How the gray pictures were made.
    """

    label: str
    sets: tuple[SetSummary, ...]
    rows: tuple[PictureRow, ...]
    failures: tuple[Failure, ...] = ()
    mean_ab: tuple[float, float]
    resamples: int
    seed: int
    level: float
    facts: Mapping[str, str] = field(default_factory=dict)
    gray_input: str = GRAY_INPUT

    def rows_of(self, set_name: str) -> tuple[PictureRow, ...]:
        """Return the rows of one set."""
        return tuple(row for row in self.rows if row.set_name == set_name)


def evaluate(
    sets: Mapping[str, Sequence[Path]],
    colorize: Callable[[FloatArray], PixelArray],
    *,
    mean_ab: tuple[float, float],
    label: str = "ours",
    read: Callable[[Path], PixelArray] = read_truth,
    watch: Callable[[PictureRow, Views], None] | None = None,
    progress: Progress | None = None,
    keep_going: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    facts: Mapping[str, str] | None = None,
) -> Evaluation:
    """Score a way of colouring on sets of colour pictures.

    Parameters
    ----------
    sets : Mapping[str, Sequence[Path]]
        Pictures by name of their set; no set may be empty.
    colorize : callable
        Gets the gray picture, float32 of shape (H, W), encoded sRGB in [0, 1], not rounded to code
        values, so that its L* is the truth's; gives the colour picture of shape (H, W, 3), uint8 or
        floats in [0, 1] that are rounded to 8 bits here. A `Pipeline` is such a callable.
    mean_ab : pair of float
        a* and b* of the constant colour: the mean of the pictures that the model was trained on.
    label : str, optional
        Name of what is evaluated.
    read : callable, optional
        Reads a truth, 8-bit sRGB of shape (H, W, 3).
    watch : callable, optional
        Called with each row and its pictures, such as `Gallery.add`.
    progress : callable, optional
        Called after each picture with the number done, the number of all, and facts to show.
    keep_going : bool, optional
        Whether a picture that cannot be read, coloured or scored becomes a `Failure`. By default
        its error is raised, because a figure over fewer pictures is another figure.
    resamples, seed, level : optional
        Of the intervals; see `paired_bootstrap`.
    facts : Mapping[str, str], optional
        What reports should say besides.

    Raises
    ------
    InputError
        If there is no set, a set is empty, none of its pictures could be scored, or `colorize`
        gives back something else than a colour picture of the same size.
    ChromaError
        What `read` and `colorize` raise, with the picture's path.
    """
    empty = [name for name, paths in sets.items() if not paths]
    if empty or not sets:
        where = f"set {empty[0]!r} holds" if empty else "there are"
        raise InputError(f"{where} no pictures to evaluate")
    total = sum(len(paths) for paths in sets.values())
    rows: list[PictureRow] = []
    failures: list[Failure] = []
    for done, (set_name, picture, path) in enumerate(_pictures(sets), start=1):
        try:
            row, views = _score(set_name, picture, path, colorize, mean_ab, read)
        except ChromaError as error:
            if not error.path:
                error.path = str(path)
            if not keep_going:
                raise
            failures.append(Failure(set_name=set_name, path=path, reason=error.what))
        else:
            rows.append(row)
            if watch is not None:
                watch(row, views)
        if progress is not None:
            progress(done, total, {"set": set_name, "picture": picture})
    summaries = []
    for name in sets:
        of_set = [row for row in rows if row.set_name == name]
        if not of_set:
            reason = next(item.reason for item in failures if item.set_name == name)
            raise InputError(f"no picture of set {name!r} could be scored; the first: {reason}")
        summaries.append(_summary(name, of_set, resamples=resamples, seed=seed, level=level))
    return Evaluation(
        label=label,
        sets=tuple(summaries),
        rows=tuple(rows),
        failures=tuple(failures),
        mean_ab=(float(mean_ab[0]), float(mean_ab[1])),
        resamples=resamples,
        seed=seed,
        level=level,
        facts=dict(facts or {}),
    )


def _pictures(sets: Mapping[str, Sequence[Path]]) -> Iterator[tuple[str, str, Path]]:
    for set_name, paths in sets.items():
        whole = [path.absolute() for path in paths]
        try:
            folder = os.path.commonpath([path.parent for path in whole])
        except ValueError:  # Drives of Windows share no folder.
            yield from ((set_name, path.as_posix(), path) for path in paths)
            continue
        for path, absolute in zip(paths, whole, strict=True):
            yield set_name, absolute.relative_to(folder).as_posix(), path


def _score(
    set_name: str,
    picture: str,
    path: Path,
    colorize: Callable[[FloatArray], PixelArray],
    mean_ab: tuple[float, float],
    read: Callable[[Path], PixelArray],
) -> tuple[PictureRow, Views]:
    truth = read(path)
    gray = gray_of(truth)
    ours = _as_codes(np.asarray(colorize(gray.astype(np.float32))), truth.shape)
    views = Views(
        truth=truth,
        gray=to_gray_picture(gray),
        mean_colour=mean_colour(lightness_of(truth), mean_ab),
        ours=ours,
    )
    row = PictureRow(
        set_name=set_name,
        picture=picture,
        path=path,
        height=truth.shape[0],
        width=truth.shape[1],
        truth_colourfulness=colourfulness(truth),
        gray=_scores(truth, views.gray),
        mean_colour=_scores(truth, views.mean_colour),
        ours=_scores(truth, ours),
    )
    return row, views


def _as_codes(picture: PixelArray, shape: tuple[int, ...]) -> PixelArray:
    floating = picture.dtype.kind == "f"
    if picture.shape != shape or not (floating or picture.dtype == np.uint8):
        raise InputError(
            f"the colour picture is {picture.dtype} of shape {picture.shape}, "
            f"wanted uint8 or floats of shape {shape}"
        )
    if not floating:
        return picture
    bad = int(picture.size - np.count_nonzero(np.isfinite(picture)))
    if bad:
        raise InputError(f"the colour picture holds {bad} values that are NaN or infinite")
    return to_codes(picture, 8)


def _scores(truth: PixelArray, picture: PixelArray) -> Scores:
    return Scores(
        psnr=psnr(truth, picture),
        ssim=ssim(truth, picture),
        ciede2000=mean_ciede2000(truth, picture),
        colourfulness=colourfulness(picture),
    )


def _summary(
    name: str, rows: Sequence[PictureRow], *, resamples: int, seed: int, level: float
) -> SetSummary:
    def interval(differences: FloatArray) -> Interval:
        return paired_bootstrap(differences, resamples=resamples, seed=seed, level=level)

    comparisons: dict[str, Comparison] = {}
    for metric in METRICS:
        gray, constant, ours = (
            np.array([getattr(getattr(row, way), metric.key) for row in rows])
            for way in ("gray", "mean_colour", "ours")
        )
        comparisons[metric.key] = Comparison(
            gray=float(gray.mean()),
            mean_colour=float(constant.mean()),
            ours=float(ours.mean()),
            ours_minus_gray=interval(ours - gray),
            ours_minus_mean_colour=interval(ours - constant),
            mean_colour_minus_gray=interval(constant - gray),
        )
    truth = np.array([row.truth_colourfulness for row in rows])
    ours = np.array([row.ours.colourfulness for row in rows])
    of_truth = statistics.fmean(truth)
    return SetSummary(
        name=name,
        n=len(rows),
        metrics=comparisons,
        truth_colourfulness=of_truth,
        colourfulness_ratio=float(ours.mean()) / of_truth if of_truth > 0 else None,
        colourfulness_minus_truth=interval(ours - truth),
        colourfulness_distance=interval(np.abs(ours - truth)),
    )

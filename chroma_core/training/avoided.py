"""Pictures that must not be trained on, such as those of an evaluation.

A photograph is left out of training, with a warning that names both, if its file is one of theirs
(equal SHA-256) or if it shows the same photograph as one of theirs, or its mirror image, by
`chroma_core.training.likeness`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.errors import ChromaError, TrainingError
from chroma_core.stages import Colorspace, Samples
from chroma_core.training.likeness import Likeness, alike, likeness
from chroma_core.training.manifest import file_sha256
from chroma_core.training.sampling import (
    Photograph,
    Sampler,
    find_photographs,
    picture_lab,
    work_lab,
)
from chroma_core.training.split import DEFAULT_RULE
from chroma_core.training.workers import Failure, ordered_results

__all__ = ["Avoided", "Avoiding", "avoided_pictures"]

WORK_SIZE = 64
"""Short side, in pixels, at which pictures to avoid are looked at."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Avoided:
    """What pictures to avoid are known by.

    Attributes
    ----------
    digests : Mapping[str, str]
        SHA-256 of each file, and its name.
    looks : tuple of (str, Likeness)
        Names, and what each picture looks like.
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    looks: tuple[tuple[str, Likeness], ...] = ()

    def refuse(self, path: Path, lightness: FloatArray) -> None:
        """Refuse a photograph that is one of these pictures.

        Parameters
        ----------
        path : Path
            The picture file.
        lightness : ndarray, shape (h, w)
            L* in [0, 100], at any size.

        Raises
        ------
        TrainingError
            If it is (kind ``"evaluation"``).
        OSError
            If the file cannot be read.
        """
        if not self.digests:
            return
        same = self.digests.get(file_sha256(path)[0])
        if same is not None:
            raise TrainingError(f"it is {same}, which is to be avoided", kind="evaluation")
        for seen in (lightness, lightness[:, ::-1]):
            own = likeness(seen)
            for name, other in self.looks:
                if own is not None and alike(own, other):
                    raise TrainingError(
                        f"it looks like {name}, which is to be avoided", kind="evaluation"
                    )


@dataclass(frozen=True)
class Avoiding:
    """Takes samples of photographs that are not to be avoided.

    Parameters
    ----------
    sampler : Sampler
        Takes them.
    avoided : Avoided
        What they must not be.
    """

    sampler: Sampler
    avoided: Avoided

    def __call__(self, photograph: Photograph) -> Samples:
        """Return the samples of a photograph.

        Raises
        ------
        PictureError, StageError, TrainingError
            If it gives none.
        """
        lab = work_lab(photograph.path, self.sampler.colorspace, self.sampler.work_size)
        self.avoided.refuse(photograph.path, lab[..., 0])
        return self.sampler.of_lab(lab, photograph.name)


def avoided_pictures(
    pictures: Path | str | Sequence[Path | str],
    colorspace: Colorspace[Any],
    *,
    workers: int = 0,
) -> Avoided:
    """Look at pictures that must not be trained on.

    One that cannot be decoded is known by its SHA-256 alone, and a warning says so.

    Parameters
    ----------
    pictures : path, or list of paths
        Files and folders, which are searched with all that is below them; an empty list for none.
    colorspace : Colorspace
        What lightness is where they are compared.
    workers : int, optional
        Processes that read them; 0 reads in this one.

    Raises
    ------
    TrainingError
        If a path is not there, is no file, or there are no pictures.
    """
    if not isinstance(pictures, str | Path) and not pictures:
        return Avoided()
    found = find_photographs(pictures, DEFAULT_RULE)
    digests = {}
    for picture in found:
        if not picture.path.is_file():
            raise TrainingError(
                "is no file", path=str(picture.path), exit_status=66, kind="no-input"
            )
        digests[file_sha256(picture.path)[0]] = picture.name
    looks = []
    seen = ordered_results(_Look(colorspace), found, workers=min(workers, len(found)))
    for picture, look in zip(found, seen, strict=True):
        if isinstance(look, Likeness):
            looks.append((picture.name, look))
        else:
            reason = look.reason if isinstance(look, Failure) else "there is nothing to tell it by"
            _log.warning("%s: only its very copies are avoided: %s", picture.name, reason)
    return Avoided(digests=digests, looks=tuple(looks))


@dataclass(frozen=True)
class _Look:
    """What a process does with a picture to avoid."""

    colorspace: Colorspace[Any]

    def __call__(self, photograph: Photograph) -> Likeness | Failure | None:
        try:
            lab = picture_lab(photograph.path, self.colorspace, WORK_SIZE)
        except ChromaError as error:
            return Failure(kind=error.kind, reason=error.what)
        return likeness(np.ascontiguousarray(lab[..., 0]))

"""Training data: from shards, or straight from photographs.

Both are `stages.TrainingData`, which is all that a regressor sees. `batches` and `moments`, which
read such data as a stream, are offered here as well, so that a regressor needs this module alone.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from chroma_core.arrays import IntArray
from chroma_core.errors import TrainingError
from chroma_core.stages import Colorspace, Features, Samples, Split, TrainingData
from chroma_core.training.avoided import Avoiding, avoided_pictures
from chroma_core.training.manifest import SPLITS, Manifest, Settings
from chroma_core.training.sampling import (
    Photograph,
    SampleOrReason,
    Sampler,
    find_photographs,
)
from chroma_core.training.shard_check import check_shard
from chroma_core.training.shards import PictureRows, ShardReader, import_pyarrow, unpack
from chroma_core.training.split import DEFAULT_RULE, modulus_of
from chroma_core.training.streams import Moments, batches, moments
from chroma_core.training.workers import ordered_results

__all__ = ["Moments", "PhotographData", "ShardData", "batches", "moments", "require_part"]

_AHEAD_BYTES = 8 * 2**20
"""Samples that are read in one go; four times as much takes twice the memory and is no faster."""

_OPEN_SHARDS = 64
"""Shards that are held open; systems allow some hundred files."""

_REMAINDERS: dict[Split, int] = {"card": 0, "validation": 1, "train": 2}
"""What a number leaves, divided by the N of the rule, that puts a picture into a part."""

_log = logging.getLogger(__name__)


def require_part(data: TrainingData, split: Split) -> None:
    """Refuse data of which no picture is in a part, and say how one gets there.

    Parameters
    ----------
    data : TrainingData
        What is to be trained on.
    split : str
        ``"train"``, ``"validation"`` or ``"card"``.

    Raises
    ------
    TrainingError
        If the part has no pictures.
    """
    if data.pictures(split):
        return
    total = sum(data.pictures(part) for part in SPLITS)
    settings = getattr(data, "settings", None)
    hint = ""
    if isinstance(settings, Settings):
        modulus = modulus_of(settings.split)
        hint = (
            f"give {modulus} photographs, numbered in a row, or name one "
            f"{_REMAINDERS[split]:04d}.jpg: parts follow from the numbers in names"
        )
    raise TrainingError(f"there are no {split} pictures among {total}", hint=hint)


class ShardData:
    """Training data from a folder of shards.

    Parameters
    ----------
    folder : path
        What `chroma_core.training.extract.extract` wrote.
    verify : bool, optional
        Whether the SHA-256 of each shard is compared with the manifest before it is first read.
        Page checksums are verified in any case, and another process reads each shard once before
        this one does, see `chroma_core.training.shard_check`.

    Raises
    ------
    PluginError
        If pyarrow is not installed.
    TrainingError
        If the folder is not complete or not what its manifest says.
    """

    rereadable = True

    def __init__(self, folder: Path | str, *, verify: bool = True) -> None:
        import_pyarrow()
        self.folder = Path(folder)
        self.manifest = Manifest.load(self.folder)
        if not self.manifest.complete:
            raise TrainingError(
                "the extraction was interrupted",
                hint="run chroma extract again with the same arguments to go on",
                path=str(self.folder),
            )
        self._verify = verify
        self._open: dict[int, ShardReader] = {}
        self._checked: set[int] = set()
        self._places: dict[Split, list[tuple[int, int]]] = {split: [] for split in SPLITS}
        for number, shard in enumerate(self.manifest.shards):
            for group, record in enumerate(shard.pictures):
                self._places[record.split].append((number, group))

    @property
    def settings(self) -> Settings:
        """What the samples were taken with."""
        return self.manifest.settings

    @property
    def width(self) -> int:
        """Numbers a node."""
        return self.settings.width

    def pictures(self, split: Split) -> int:
        """Return how many pictures a part has."""
        return len(self._places[split])

    def rows(self, split: Split) -> int:
        """Return how many nodes a part has."""
        shards = self.manifest.shards
        return sum(shards[shard].pictures[group].rows for shard, group in self._places[split])

    def samples(self, split: Split, order: IntArray | None = None) -> Iterator[Samples]:
        """Yield pictures one by one, in the given order of indices or as they are kept.

        Pictures are read many at a time (about 8 MiB ahead) and given out in order.

        Raises
        ------
        TrainingError
            If a shard is not what the manifest says, or a value is out of its range.
        """
        places = self._places[split]
        chosen = places if order is None else [places[index] for index in order]
        for run in self._runs(chosen):
            yield from self._read(run)

    def _read(self, run: Sequence[tuple[int, int]]) -> Iterator[Samples]:
        """Yield the pictures of these (shard, row group), each shard read in one go."""
        found: dict[tuple[int, int], PictureRows] = {}
        wanted: dict[int, set[int]] = {}
        for shard, group in run:
            wanted.setdefault(shard, set()).add(group)
        for shard, groups in wanted.items():
            ordered = sorted(groups)
            for group, rows in zip(ordered, self._shard(shard).read(ordered), strict=True):
                found[shard, group] = rows
        for place in run:
            rows = found[place]
            yield Samples(
                picture=rows.record.picture,
                features=unpack(rows.blocks),
                lightness=rows.values[:, 0],
                chroma=rows.values[:, 1:3],
                positions=rows.values[:, 3:5],
                shape=rows.record.shape,
            )

    def _runs(self, places: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
        run: list[tuple[int, int]] = []
        size = 0
        for shard, group in places:
            run.append((shard, group))
            size += self.manifest.shards[shard].pictures[group].rows * self.settings.row_bytes
            if size >= _AHEAD_BYTES:
                yield run
                run, size = [], 0
        if run:
            yield run

    def _shard(self, number: int) -> ShardReader:
        if number not in self._open:
            if len(self._open) >= _OPEN_SHARDS:
                self._open.pop(next(iter(self._open)))
            if number not in self._checked:
                check_shard(self.folder, self.manifest, number, verify=self._verify)
                self._checked.add(number)
            first = sum(len(shard.pictures) for shard in self.manifest.shards[:number])
            record = self.manifest.shards[number]
            self._open[number] = ShardReader(
                self.folder / record.file, record, self.settings, first, verify=False
            )
        return self._open[number]


class PhotographData:
    """Training data straight from photographs; they are read anew on every pass.

    Parameters
    ----------
    photographs : path, or list of paths
        Colour photographs and folders of them.
    features : Features
        What is seen at the nodes.
    colorspace : Colorspace
        What lightness and chroma are.
    work_size : int, optional
        Short side of the work pictures in pixels; 0 keeps each picture's size.
    per_image : int, optional
        Nodes of each picture, drawn at random but the same on every pass; None gives whole maps.
    seed : int, optional
        What the draw follows from, together with each picture's name.
    validation : str, optional
        How pictures are parted, see `chroma_core.training.split.split_of`.
    workers : int, optional
        Processes that read ahead; 0 reads in this one.
    avoid : path, or list of paths, optional
        Pictures that must not be trained on, see `chroma_core.training.extract.extract`.

    Attributes
    ----------
    avoided : int
        How many different files were named to be avoided.
    skipped : dict of str to str
        Pictures that gave no samples so far, and why. They are not tried again.
    """

    rereadable = False

    def __init__(
        self,
        photographs: Path | str | Sequence[Path | str],
        features: Features[Any],
        colorspace: Colorspace[Any],
        work_size: int = 256,
        per_image: int | None = None,
        seed: int = 0,
        *,
        validation: str = DEFAULT_RULE,
        workers: int = 0,
        avoid: Path | str | Sequence[Path | str] = (),
    ) -> None:
        self._sampler = Sampler(
            features=features,
            colorspace=colorspace,
            work_size=work_size,
            per_image=per_image or 0,
            seed=seed,
            split=validation,
        )
        avoided = avoided_pictures(avoid, colorspace, workers=workers)
        self.avoided = len(avoided.digests)
        self._take = SampleOrReason(Avoiding(self._sampler, avoided))
        self._workers = workers
        self._photographs: dict[Split, list[Photograph]] = {split: [] for split in SPLITS}
        for photograph in find_photographs(photographs, validation):
            self._photographs[photograph.split].append(photograph)
        self._counts: dict[str, int] = {}
        self.skipped: dict[str, str] = {}

    @property
    def settings(self) -> Settings:
        """What the samples are taken with."""
        return self._sampler.settings

    @property
    def width(self) -> int:
        """Numbers a node."""
        return self._sampler.features.width

    def pictures(self, split: Split) -> int:
        """Return how many picture files a part has, unusable ones included."""
        return len(self._photographs[split])

    def rows(self, split: Split) -> int:
        """Return how many nodes a part has; an estimate until all its pictures were read."""
        names = [photograph.name for photograph in self._photographs[split]]
        known = [self._counts[name] for name in names if name in self._counts]
        unknown = len(names) - len(known) - sum(name in self.skipped for name in names)
        return sum(known) + unknown * self._typical_rows()

    def samples(self, split: Split, order: IntArray | None = None) -> Iterator[Samples]:
        """Yield pictures one by one, in the given order of indices or by name.

        A picture that cannot be used is passed over with a warning.

        Raises
        ------
        PluginError, OptionError
            If the features cannot run at all.
        """
        part = self._photographs[split]
        chosen = part if order is None else [part[index] for index in order]
        chosen = [photograph for photograph in chosen if photograph.name not in self.skipped]
        found = ordered_results(self._take, chosen, workers=min(self._workers, len(chosen)))
        with contextlib.closing(found):
            for photograph, result in zip(chosen, found, strict=True):
                if isinstance(result, Samples):
                    self._counts[photograph.name] = len(result.lightness)
                    yield result
                else:
                    _log.warning("%s gives no samples: %s", photograph.name, result.reason)
                    self.skipped[photograph.name] = result.reason

    def _typical_rows(self) -> int:
        sampler = self._sampler
        if sampler.per_image:
            return sampler.per_image
        if self._counts:
            return round(sum(self._counts.values()) / len(self._counts))
        side = sampler.work_size or 1024
        # Most photographs are 4 to 3.
        grid = sampler.features.grid(side, side * 4 // 3)
        return grid.rows * grid.cols if grid else side * side // 12

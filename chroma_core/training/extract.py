"""From a folder of photographs to a folder of shards.

Pictures are worked in a fixed order by as many processes as there are cores, and written in that
order, so that neither their number nor an interruption changes a byte. After each shard the
manifest is written anew; an extraction that was interrupted goes on after the last shard that it
names. A picture that cannot be used costs that picture, and ``skipped.csv`` says why.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import os
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chroma_core.errors import OptionError, TrainingError
from chroma_core.stages import Colorspace, Features, Progress, Split
from chroma_core.training.avoided import Avoided, Avoiding, avoided_pictures
from chroma_core.training.manifest import (
    MANIFEST,
    SPLITS,
    Manifest,
    PictureRecord,
    Skipped,
    file_sha256,
    not_written,
    write_atomically,
)
from chroma_core.training.sampling import Photograph, SampleOrReason, Sampler, find_photographs
from chroma_core.training.shards import (
    PictureRows,
    ShardWriter,
    check_values,
    import_pyarrow,
    rows_of,
)
from chroma_core.training.split import DEFAULT_RULE
from chroma_core.training.workers import Failure, cores, ordered_results

__all__ = ["ExtractionReport", "extract"]

SKIPPED = "skipped.csv"

SHARD_BYTES = 256 * 2**20
"""A shard is closed when it has taken up this many bytes, or `SHARD_PICTURES`."""

SHARD_PICTURES = 1024
"""An interruption costs at most the pictures of one shard."""

HOPELESS = 32
"""An extraction is given up when its first so many pictures all fail inside a stage."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ExtractionReport:
    """What came out of an extraction.

    Attributes
    ----------
    folder : Path
        The folder of shards.
    pictures, rows : Mapping[str, int]
        How many of each part: ``train``, ``validation``, ``card``.
    skipped : tuple of Skipped
        Pictures that gave no samples, and why.
    resumed : int
        Pictures that an earlier, interrupted extraction had done already.
    seconds : float
        Wall time of this run.
    """

    folder: Path
    pictures: Mapping[Split, int]
    rows: Mapping[Split, int]
    skipped: tuple[Skipped, ...]
    resumed: int
    seconds: float


def extract(
    photographs: Path | str | Sequence[Path | str],
    folder: Path | str,
    *,
    colorspace: Colorspace[Any],
    features: Features[Any],
    work_size: int = 256,
    per_image: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
    validation: str = DEFAULT_RULE,
    compression: str = "none",
    shard_bytes: int = SHARD_BYTES,
    shard_pictures: int = SHARD_PICTURES,
    avoid: Path | str | Sequence[Path | str] = (),
) -> ExtractionReport:
    """Take samples of photographs and keep them in shards.

    Called again with the same arguments it goes on where it was interrupted, or finds that there is
    nothing to do.

    Parameters
    ----------
    photographs : path, or list of paths
        Colour photographs and folders of them.
    folder : path
        Where the shards go; made if it is not there.
    colorspace : Colorspace
        What lightness and chroma are.
    features : Features
        What is seen at the nodes.
    work_size : int, optional
        Short side of the work picture in pixels; 0 keeps each picture's size.
    per_image : int, optional
        Nodes of each picture, drawn at random; None keeps them all.
    seed : int, optional
        What the draw follows from, together with each picture's name.
    workers : int, optional
        Processes; None takes one for each core, 0 works in this process (a picture that crashes its
        decoder then ends everything).
    progress : callable, optional
        Told how many pictures are done.
    validation : str, optional
        How pictures are parted, see `chroma_core.training.split.split_of`.
    compression : {"none", "zstd"}, optional
        Of the shards.
    shard_bytes, shard_pictures : int, optional
        A shard is closed when it holds one or the other.
    avoid : path, or list of paths, optional
        Pictures, and folders of them, that must not be trained on, such as those of an evaluation.
        They are skipped with a warning, and so are copies of them that were scaled, compressed
        again, turned gray or mirrored; see `chroma_core.training.avoided`.

    Returns
    -------
    ExtractionReport

    Raises
    ------
    PluginError
        If pyarrow, or a library that the features need, is not installed.
    OptionError
        If a number is out of its range.
    TrainingError
        If there are no pictures, none of them gives samples, or the folder holds something else.
    """
    import_pyarrow()
    sampler = Sampler(
        features=features,
        colorspace=colorspace,
        work_size=_at_least(0, "work_size", work_size),
        per_image=0 if per_image is None else _at_least(1, "per_image", per_image),
        seed=_at_least(0, "seed", seed),
        split=validation,
    )
    if compression not in ("none", "zstd"):
        raise OptionError(f"compression is {compression!r}, wanted none or zstd")
    _at_least(1, "shard_bytes", shard_bytes)
    _at_least(1, "shard_pictures", shard_pictures)
    crew = cores() if workers is None else _at_least(0, "workers", workers)
    start = time.monotonic()
    found = find_photographs(photographs, validation)
    target = Path(folder)
    avoided = avoided_pictures(avoid, colorspace, workers=crew)
    manifest = _begun(target, sampler, found, avoided)
    resumed = manifest.pictures + len(manifest.skipped)
    work = _Work(sampler=sampler, avoided=avoided)
    if not manifest.complete:
        manifest = _work_off(
            target,
            manifest,
            found[resumed:],
            ordered_results(work, found[resumed:], workers=min(crew, len(found) - resumed)),
            lambda done, facts: progress(resumed + done, len(found), facts) if progress else None,
            compression=compression,
            shard_bytes=shard_bytes,
            shard_pictures=shard_pictures,
        )
    return ExtractionReport(
        folder=target,
        pictures={split: len(_records(manifest, split)) for split in SPLITS},
        rows={split: sum(r.rows for r in _records(manifest, split)) for split in SPLITS},
        skipped=manifest.skipped,
        resumed=resumed,
        seconds=time.monotonic() - start,
    )


@dataclass(frozen=True)
class _Work:
    """What a process does with a photograph."""

    sampler: Sampler
    avoided: Avoided

    def __call__(self, photograph: Photograph) -> PictureRows | Failure:
        """Return the rows of a photograph, or why there are none."""
        # First the samples: the reader knows what may be opened, a pipe may not.
        samples = SampleOrReason(Avoiding(self.sampler, self.avoided))(photograph)
        if isinstance(samples, Failure):
            return samples
        try:
            digest, _ = file_sha256(photograph.path)
            record = PictureRecord(
                picture=photograph.name,
                split=photograph.split,
                rows=len(samples.lightness),
                shape=samples.shape,
                sha256=digest,
            )
            rows = rows_of(samples, self.sampler.features.columns, record)
            check_values(rows.values, photograph.name)
        except OSError as error:
            return Failure(kind="io", reason=error.strerror or type(error).__name__)
        except TrainingError as error:
            return Failure(kind=error.kind, reason=error.what)
        return rows


def _work_off(
    folder: Path,
    manifest: Manifest,
    photographs: Sequence[Photograph],
    results: Generator[PictureRows | Failure],
    progress: Any,
    *,
    compression: str,
    shard_bytes: int,
    shard_pictures: int,
) -> Manifest:
    """Write the results into shards, and the manifest after each of them."""
    skipped = list(manifest.skipped)
    writer: ShardWriter | None = None

    def closed(now: ShardWriter) -> Manifest:
        shards = (*manifest.shards, now.close())
        saved = replace(manifest, shards=shards, skipped=tuple(skipped))
        saved.save(folder)
        return saved

    try:
        for done, (photograph, result) in enumerate(zip(photographs, results, strict=True), 1):
            if isinstance(result, PictureRows):
                if writer is None:
                    writer = ShardWriter(
                        folder,
                        len(manifest.shards),
                        manifest.settings,
                        first_picture=manifest.pictures,
                        compression=compression,
                    )
                writer.add(result)
            else:
                _log.warning("%s gives no samples: %s", photograph.name, result.reason)
                skipped.append(
                    Skipped(picture=photograph.name, kind=result.kind, reason=result.reason)
                )
                _stop_if_hopeless(skipped, manifest.pictures + (writer is not None))
            if writer is not None and (
                writer.bytes >= shard_bytes or len(writer.pictures) >= shard_pictures
            ):
                manifest, writer = closed(writer), None
            progress(done, {"skipped": str(len(skipped))})
        if writer is not None:
            manifest, writer = closed(writer), None
    except OSError as error:
        raise not_written(error, folder) from error
    finally:
        if writer is not None:
            writer.discard()
        results.close()
    _write_skipped(folder, skipped)
    if not manifest.shards:
        first = skipped[0]
        raise TrainingError(
            f"none of {len(skipped)} pictures gives samples; the first, {first.picture}: "
            f"{first.reason}",
            hint=f"{folder / SKIPPED} names them all",
        )
    manifest = replace(manifest, skipped=tuple(skipped), complete=True)
    manifest.save(folder)
    return manifest


def _begun(
    folder: Path, sampler: Sampler, found: Sequence[Photograph], avoided: Avoided
) -> Manifest:
    """Return the manifest to go on from, or a new one; nothing of other settings is touched."""
    listing: list[Any] = [[item.name, item.path.stat().st_size] for item in found]
    listing += sorted(avoided.digests)
    pictures = hashlib.sha256(json.dumps(listing).encode()).hexdigest()
    fresh = Manifest(settings=sampler.settings, pictures_sha256=pictures)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(error, folder) from error
    if not os.path.lexists(folder / MANIFEST):
        if any(folder.glob("*.parquet")):
            raise TrainingError(
                "the folder holds Parquet files but no manifest",
                hint="name an empty folder",
                path=str(folder),
            )
        # Before the first shard: killed after it, the next run must know whose it is.
        fresh.save(folder)
        return fresh
    earlier = Manifest.load(folder)
    if not earlier.shards:
        fresh.save(folder)
        return fresh
    if json.dumps(earlier.settings.to_json(), sort_keys=True) != json.dumps(
        fresh.settings.to_json(), sort_keys=True
    ):
        raise TrainingError(
            "the folder holds shards that were made with other settings",
            hint="name an empty folder",
            path=str(folder),
        )
    if earlier.pictures_sha256 != pictures:
        raise TrainingError(
            "the folder holds shards of other photographs, or others were avoided",
            hint="name an empty folder",
            path=str(folder),
        )
    if not earlier.complete:
        _check_shards(folder, earlier)
    return earlier


def _check_shards(folder: Path, manifest: Manifest) -> None:
    """Refuse to go on from shards that are not what they were."""
    for shard in manifest.shards:
        path = folder / shard.file
        try:
            whole = file_sha256(path) == (shard.sha256, shard.bytes)
        except OSError:
            whole = False
        if not whole:
            raise TrainingError(
                "the shard is missing or damaged",
                hint="name an empty folder, or empty this one",
                path=str(path),
            )


def _write_skipped(folder: Path, skipped: Sequence[Skipped]) -> None:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["picture", "kind", "reason"])
    rows.writerows([item.picture, item.kind, item.reason] for item in skipped)
    write_atomically(folder / SKIPPED, text.getvalue().encode("utf-8", "surrogateescape"))


def _records(manifest: Manifest, split: Split) -> list[PictureRecord]:
    return [
        record for shard in manifest.shards for record in shard.pictures if record.split == split
    ]


def _stop_if_hopeless(skipped: Sequence[Skipped], good: int) -> None:
    """End an extraction that fails for a reason that lies in a stage and not in the pictures."""
    if good or len(skipped) < HOPELESS or {item.kind for item in skipped} - {"internal", "stage"}:
        return
    raise TrainingError(
        f"the first {len(skipped)} pictures all fail: {skipped[0].reason}",
        hint="the fault is in a stage",
    )


def _at_least(least: int, name: str, value: int) -> int:
    if value < least:
        raise OptionError(f"{name} is {value}, wanted {least} or more")
    return value

"""The table of contents of a folder of shards: ``manifest.json``.

It says what the samples were taken with, and names every shard with its SHA-256 and every picture
with its rows and its part (training, validation, card). It is written anew, whole or not at all,
after every shard, so that an interrupted extraction goes on from the last one; and it is read with
suspicion: sizes, types and sums are checked, and file names follow from numbers.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chroma_core.errors import TrainingError
from chroma_core.stages import Column, Split

__all__ = [
    "MANIFEST",
    "SPLITS",
    "STORAGE",
    "Manifest",
    "PictureRecord",
    "Settings",
    "ShardRecord",
    "Skipped",
    "feature_bytes",
    "file_sha256",
    "not_written",
    "shard_name",
    "write_atomically",
]

FORMAT = 1
"""Version of manifest and schema; raised when an older program could not read them."""

MANIFEST = "manifest.json"
MANIFEST_BYTES = 256 * 2**20
"""Largest manifest that is read: about a million pictures."""

STORAGE = {"uint8": "|u1", "float16": "<f2", "float32": "<f4"}
"""Storage of a column to the dtype of its bytes."""

SPLITS: tuple[Split, ...] = ("train", "validation", "card")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What samples were taken with; two folders of equal settings fit together.

    Attributes
    ----------
    features : tuple of Mapping
        ``name``, ``version`` and ``options`` (text form) of each features stage, in order.
    columns : tuple of Column
        How the feature vector is kept.
    colorspace : Mapping
        ``name``, ``version`` and ``options`` of the colorspace.
    work_size : int
        Short side of the work pictures in pixels, or 0 where they were not shrunk.
    per_image : int
        Nodes kept of each picture, or 0 for all of them.
    seed : int
        What the choice of nodes follows from, together with the picture's name.
    split : str
        The rule that parts the pictures, such as ``"mod10"``.
    """

    features: tuple[Mapping[str, Any], ...]
    columns: tuple[Column, ...]
    colorspace: Mapping[str, Any]
    work_size: int
    per_image: int
    seed: int
    split: str

    @property
    def width(self) -> int:
        """Numbers a node."""
        return sum(column.width for column in self.columns)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, uncompressed: features, five float32, one int32."""
        return sum(feature_bytes(column) for column in self.columns) + 4 * 5 + 4

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {
            "features": [dict(stage) for stage in self.features],
            "columns": [
                {"name": column.name, "width": column.width, "storage": column.storage}
                for column in self.columns
            ],
            "colorspace": dict(self.colorspace),
            "work_size": self.work_size,
            "per_image": self.per_image,
            "seed": self.seed,
            "split": self.split,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Settings:
        """Read the settings from a manifest; raises ValueError for what does not fit."""
        columns = tuple(
            Column(
                name=_text(item["name"]),
                width=_whole(item["width"], 0, 2**20),
                storage=_one_of(item["storage"], STORAGE),
            )
            for item in _list(value["columns"], 1, 1000)
        )
        return cls(
            features=tuple(_mapping(item) for item in _list(value["features"], 1, 1000)),
            columns=columns,
            colorspace=_mapping(value["colorspace"]),
            work_size=_whole(value["work_size"], 0, 2**20),
            per_image=_whole(value["per_image"], 0, 2**31),
            seed=_whole(value["seed"], 0, 2**63),
            split=_text(value["split"]),
        )


@dataclass(frozen=True, kw_only=True)
class PictureRecord:
    """What the manifest says of a picture.

    Attributes
    ----------
    picture : str
        Its path below the folder of photographs, with forward slashes.
    split : str
        The part that it belongs to.
    rows : int
        How many nodes are kept of it.
    shape : tuple of int, or None
        Rows and columns of its grid where all nodes are kept.
    sha256 : str
        Hash of the picture file.
    """

    picture: str
    split: Split
    rows: int
    shape: tuple[int, int] | None
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ShardRecord:
    """What the manifest says of a shard; picture i of it is row group i."""

    file: str
    sha256: str
    bytes: int
    rows: int
    pictures: tuple[PictureRecord, ...]


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A picture that gave no samples, and why.

    Attributes
    ----------
    picture : str
        Its path below the folder of photographs.
    kind : str
        The class of the error, such as ``"truncated"``, or ``"gray"``, ``"evaluation"``.
    reason : str
        One line for people.
    """

    picture: str
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The table of contents of a folder of shards.

    Attributes
    ----------
    settings : Settings
        What the samples were taken with.
    pictures_sha256 : str
        Hash of the list of pictures that the extraction was asked for.
    shards : tuple of ShardRecord
        In order.
    skipped : tuple of Skipped
        Pictures that gave nothing.
    complete : bool
        False while an extraction runs or was interrupted.
    """

    settings: Settings
    pictures_sha256: str
    shards: tuple[ShardRecord, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    complete: bool = False

    @property
    def rows(self) -> int:
        """Rows of all shards together."""
        return sum(shard.rows for shard in self.shards)

    @property
    def pictures(self) -> int:
        """Pictures of all shards together."""
        return sum(len(shard.pictures) for shard in self.shards)

    def save(self, folder: Path) -> None:
        """Write ``manifest.json``; whole or not at all."""
        value = {
            "format": FORMAT,
            "complete": self.complete,
            "settings": self.settings.to_json(),
            "pictures_sha256": self.pictures_sha256,
            "shards": [
                {
                    "file": shard.file,
                    "sha256": shard.sha256,
                    "bytes": shard.bytes,
                    "rows": shard.rows,
                    "pictures": [
                        {
                            "picture": record.picture,
                            "split": record.split,
                            "rows": record.rows,
                            "shape": None if record.shape is None else list(record.shape),
                            "sha256": record.sha256,
                        }
                        for record in shard.pictures
                    ],
                }
                for shard in self.shards
            ],
            "skipped": [
                {"picture": item.picture, "kind": item.kind, "reason": item.reason}
                for item in self.skipped
            ],
        }
        text = json.dumps(value, indent=1, allow_nan=False, ensure_ascii=True)
        write_atomically(folder / MANIFEST, text.encode())

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read and check ``manifest.json``.

        Raises
        ------
        TrainingError
            If there is none, or it is damaged, no manifest of ours, or of a newer program.
        """
        path = folder / MANIFEST
        try:
            value = json.loads(_contents(path, MANIFEST_BYTES), parse_constant=_no_constant)
            version = value["format"]
            if isinstance(version, int) and version > FORMAT:
                raise TrainingError(
                    f"the manifest has format {version}, this program knows {FORMAT}",
                    hint="use a newer chroma",
                    path=str(path),
                )
            return cls._from_json(value)
        except FileNotFoundError:
            raise TrainingError(
                "this is no folder of shards: it has no manifest.json",
                hint="make one with chroma extract",
                path=str(folder),
            ) from None
        except OSError as error:
            raise TrainingError(
                f"the manifest cannot be read: {error.strerror or error}", path=str(path)
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise TrainingError(
                f"the manifest is damaged: {type(error).__name__}: {error}",
                hint="extract anew",
                path=str(path),
            ) from error

    @classmethod
    def _from_json(cls, value: Mapping[str, Any]) -> Manifest:
        if value["format"] != FORMAT:
            raise ValueError(f"format {value['format']!r}")
        shards = []
        for number, item in enumerate(_list(value["shards"], 0, 10**6)):
            pictures = tuple(_picture(record) for record in _list(item["pictures"], 1, 10**7))
            shard = ShardRecord(
                file=_text(item["file"]),
                sha256=_hex(item["sha256"]),
                bytes=_whole(item["bytes"], 12, 2**40),
                rows=_whole(item["rows"], 1, 2**40),
                pictures=pictures,
            )
            # Names are ours, so that a manifest cannot point out of its folder.
            if shard.file != shard_name(number):
                raise ValueError(f"shard {number} is called {shard.file!r}")
            if shard.rows != sum(record.rows for record in pictures):
                raise ValueError(f"rows of {shard.file} do not add up")
            shards.append(shard)
        skipped = tuple(
            Skipped(
                picture=_text(item["picture"]),
                kind=_text(item["kind"]),
                reason=_text(item["reason"]),
            )
            for item in _list(value["skipped"], 0, 10**7)
        )
        return cls(
            settings=Settings.from_json(value["settings"]),
            pictures_sha256=_hex(value["pictures_sha256"]),
            shards=tuple(shards),
            skipped=skipped,
            complete=value["complete"] is True,
        )


def shard_name(number: int) -> str:
    """Return the file name of shard `number`."""
    return f"shard-{number:05d}.parquet"


def feature_bytes(column: Column) -> int:
    """Return the bytes that a column takes in a row."""
    return column.width * np.dtype(STORAGE[column.storage]).itemsize


def write_atomically(path: Path, payload: bytes) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    TrainingError
        If it cannot be written (kind ``"io"``).
    """
    partial = path.with_name(path.name + ".tmp")
    try:
        with open(partial, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise not_written(error, path) from error


def not_written(error: OSError, path: Path) -> TrainingError:
    """Return what the system says of a failed writing as one of our errors."""
    return TrainingError(
        f"cannot be written: {error.strerror or type(error).__name__}",
        hint="what is finished stays; the same command goes on from there",
        path=str(path),
        exit_status=74,
        kind="io",
    )


def file_sha256(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file and its size in bytes."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest(), file.tell()


def _contents(path: Path, limit: int) -> bytes:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    if status.st_size > limit:
        raise ValueError(f"{status.st_size} bytes, at most {limit} are read")
    return path.read_bytes()


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 4096:
        raise ValueError(f"{value!r:.80} is no text")
    return value


def _hex(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError(f"{value!r:.80} is no SHA-256")
    return value


def _whole(value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{value!r:.80} is no whole number from {low} to {high}")
    return value


def _one_of(value: Any, allowed: Iterable[str]) -> Any:
    if value not in tuple(allowed):
        raise ValueError(f"{value!r:.80} is none of {', '.join(allowed)}")
    return value


def _list(value: Any, low: int, high: int) -> list[Any]:
    if not isinstance(value, list) or not low <= len(value) <= high:
        raise ValueError(f"a list of {low} to {high} items was wanted")
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r:.80} is no table")
    return value


def _picture(item: Mapping[str, Any]) -> PictureRecord:
    rows = _whole(item["rows"], 1, 2**31)
    shape = item["shape"]
    if shape is not None:
        height, width = (_whole(side, 1, 2**31) for side in _list(shape, 2, 2))
        if height * width != rows:
            raise ValueError(f"{rows} rows of a map of {height} by {width}")
        shape = (height, width)
    return PictureRecord(
        picture=_text(item["picture"]),
        split=_one_of(item["split"], SPLITS),
        rows=rows,
        shape=shape,
        sha256=_hex(item["sha256"]),
    )

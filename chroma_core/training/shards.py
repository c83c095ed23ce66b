"""Shards: training samples on disk, as Parquet files with one row group a picture.

In a shard each block of the features is one fixed-size binary column that keeps the bytes of
`Column.storage` as they are (SIFT as uint8 loses nothing), beside float32 columns ``lightness``,
``a``, ``b``, ``row`` and ``col`` and the picture's number. Pages are plain, with checksums: one
flipped bit in an unchecked page would be read without an error.

Nothing in a shard is believed. Schema, encodings, row counts and sizes are compared with the
manifest before a page is read, checksums while it is read, and ranges afterwards; whatever does not
fit is a `TrainingError` that names the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray
from chroma_core.errors import PluginError, TrainingError
from chroma_core.stages import Column, Samples
from chroma_core.training.manifest import (
    FORMAT,
    STORAGE,
    PictureRecord,
    Settings,
    ShardRecord,
    feature_bytes,
    file_sha256,
    shard_name,
)

__all__ = [
    "CHROMA_LIMIT",
    "PictureRows",
    "ShardReader",
    "ShardWriter",
    "check_values",
    "import_pyarrow",
    "pack",
    "rows_of",
    "unpack",
]

CHROMA_LIMIT = 150.0
"""No colour of sRGB has |a*| or |b*| above 108 (blue: b* = -107.9); the rest is room for others."""

GROUP_BYTES = 2**30
"""Most bytes of one picture's samples: what reading it may take of memory, whatever it claims."""

_BROKEN = (OSError, ValueError, MemoryError, OverflowError, IndexError)
"""What pyarrow raises, beside its own errors, when a file is not what it says."""

_FLOATS = ("lightness", "a", "b", "row", "col")


def pack(features: FloatArray, columns: Sequence[Column]) -> tuple[AnyArray, ...]:
    """Return a feature vector as the blocks that are kept.

    Parameters
    ----------
    features : ndarray, shape (n, D)
        float32.
    columns : sequence of Column
        Widths add up to D.

    Returns
    -------
    tuple of ndarray, each of shape (n, width)
        In the storage type of its column.

    Raises
    ------
    TrainingError
        If a value does not fit its storage: not whole or outside 0..255 for uint8, too large for
        float16, or not finite.
    """
    blocks = []
    start = 0
    for column in columns:
        block = features[:, start : start + column.width]
        start += column.width
        with np.errstate(over="ignore", invalid="ignore"):
            kept = block.astype(STORAGE[column.storage])
            fits = (
                kept.astype(np.float32) == block
                if column.storage == "uint8"
                else (np.isfinite(kept))
            )
        if not fits.all():
            raise TrainingError(
                f"features {column.name}: {int((~fits).sum())} values do not fit {column.storage}"
            )
        blocks.append(np.ascontiguousarray(kept))
    return tuple(blocks)


def unpack(blocks: Sequence[AnyArray]) -> FloatArray:
    """Return kept blocks as one feature array, shape (n, D), float32."""
    if len(blocks) == 1:
        return blocks[0].astype(np.float32)
    return np.concatenate(blocks, axis=1, dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class PictureRows:
    """The samples of one picture as they are kept.

    Attributes
    ----------
    record : PictureRecord
        What the manifest will say of it.
    blocks : tuple of ndarray, each of shape (n, width)
        Features in storage types.
    values : ndarray, shape (n, 5)
        L*, a*, b*, row and column, float32.
    """

    record: PictureRecord
    blocks: tuple[AnyArray, ...]
    values: FloatArray


def rows_of(samples: Samples, columns: Sequence[Column], record: PictureRecord) -> PictureRows:
    """Return samples as they are kept.

    Raises
    ------
    TrainingError
        If a number does not fit its storage, or the samples are too many to be kept together.
    """
    blocks = pack(samples.features, columns)
    if sum(block.nbytes for block in blocks) > GROUP_BYTES:
        raise TrainingError(
            f"{len(samples.lightness)} nodes take more than {GROUP_BYTES >> 20} MiB",
            hint="keep fewer nodes of each picture, or take a larger step",
        )
    values = np.column_stack([samples.lightness, samples.chroma, samples.positions])
    return PictureRows(record=record, blocks=blocks, values=values.astype(np.float32, copy=False))


class ShardWriter:
    """Write one shard; the file has its name only when `close` has finished.

    Parameters
    ----------
    folder : Path
        Where the shard goes.
    number : int
        Its number, from 0.
    settings : Settings
        Goes into the file's metadata.
    first_picture : int
        Number of its first picture in the whole extraction.
    compression : str, optional
        ``"none"`` (fastest) or ``"zstd"`` (SIFT about 30 % smaller, slower to write).
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        settings: Settings,
        *,
        first_picture: int,
        compression: str = "none",
    ) -> None:
        pa, pq = import_pyarrow()
        self.path = folder / shard_name(number)
        self.partial = self.path.with_name(self.path.name + ".tmp")
        self.settings = settings
        self.pictures: list[PictureRecord] = []
        self.rows = 0
        self.bytes = 0
        self._first_picture = first_picture
        self._file = open(self.partial, "wb")  # noqa: SIM115  # closed by close and discard
        self._writer = pq.ParquetWriter(
            pa.PythonFile(self._file, mode="w"),
            _schema(settings.columns),
            compression=compression,
            use_dictionary=False,
            write_statistics=False,
            write_page_checksum=True,
            data_page_version="1.0",
            store_schema=False,
        )

    def add(self, rows: PictureRows) -> None:
        """Append a picture as a row group of its own.

        Raises
        ------
        TrainingError
            If a value lies outside its range.
        """
        pa, _ = import_pyarrow()
        check_values(rows.values, rows.record.picture)
        count = len(rows.values)
        number = self._first_picture + len(self.pictures)
        arrays = [pa.array(np.full(count, number, dtype=np.int32))]
        for block in rows.blocks:
            if block.shape[1] == 0:
                continue
            size = block.shape[1] * block.dtype.itemsize
            buffers = [None, pa.py_buffer(np.ascontiguousarray(block))]
            arrays.append(pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), count, buffers))
        columns = np.ascontiguousarray(rows.values.T, dtype=np.float32)
        arrays.extend(pa.array(column) for column in columns)
        table = pa.Table.from_arrays(arrays, schema=self._writer.schema)
        self._writer.write_table(table, row_group_size=count)
        self.pictures.append(rows.record)
        self.rows += count
        self.bytes += count * self.settings.row_bytes

    def close(self) -> ShardRecord:
        """Finish the file, give it its name, and return what the manifest says of it."""
        facts = {
            "format": FORMAT,
            **self.settings.to_json(),
            "first_picture": self._first_picture,
            "pictures": [record.picture for record in self.pictures],
        }
        # For whoever finds the file alone; nothing here is read back.
        self._writer.add_key_value_metadata({"chroma": json.dumps(facts, allow_nan=False)})
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        digest, size = file_sha256(self.partial)
        os.replace(self.partial, self.path)
        return ShardRecord(
            file=self.path.name,
            sha256=digest,
            bytes=size,
            rows=self.rows,
            pictures=tuple(self.pictures),
        )

    def discard(self) -> None:
        """Leave nothing behind."""
        # pyarrow would otherwise finish the file when it is collected, after it was closed.
        with contextlib.suppress(OSError, ValueError):
            self._writer.close()
        self._file.close()
        self.partial.unlink(missing_ok=True)


class ShardReader:
    """A shard that is open for reading, after its footer was found to fit the manifest."""

    def __init__(
        self, path: Path, record: ShardRecord, settings: Settings, first: int, *, verify: bool
    ) -> None:
        pa, pq = import_pyarrow()
        self.path = path
        self.record = record
        self.settings = settings
        self.first = first
        try:
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode) or status.st_size != record.bytes:
                raise ValueError(f"{status.st_size} bytes, the manifest says {record.bytes}")
            if verify and file_sha256(path)[0] != record.sha256:
                raise ValueError("its SHA-256 is not the manifest's")
            self.file = pq.ParquetFile(
                path,
                page_checksum_verification=True,
                thrift_string_size_limit=2**24,
                thrift_container_size_limit=2**24,
            )
            self._check_footer(pa)
        except (*_BROKEN, pa.ArrowException) as error:
            raise self._damaged(error) from error

    def read(self, groups: Sequence[int]) -> list[PictureRows]:
        """Return the pictures of these row groups."""
        pa, _ = import_pyarrow()
        try:
            table = self.file.read_row_groups(list(groups), use_threads=False)
            return list(self._pictures(table, groups))
        except (*_BROKEN, pa.ArrowException) as error:
            raise self._damaged(error) from error

    def _pictures(self, table: Any, groups: Sequence[int]) -> Iterator[PictureRows]:
        records = [self.record.pictures[group] for group in groups]
        total = sum(record.rows for record in records)
        if table.num_rows != total:
            raise ValueError(f"{table.num_rows} rows, the manifest says {total}")
        numbers = np.concatenate(
            [np.full(r.rows, self.first + g) for r, g in zip(records, groups, strict=True)]
        )
        if not np.array_equal(_numbers(table, "picture", "<i4"), numbers):
            raise ValueError("the pictures' numbers are not the manifest's")
        blocks = []
        for place, column in enumerate(self.settings.columns):
            size = feature_bytes(column)
            raw = _bytes(table, feature_column(place), size) if size else np.empty((total, 0), "u1")
            block = raw.view(STORAGE[column.storage])
            if column.storage != "uint8" and not np.isfinite(block).all():
                raise ValueError(f"features {column.name} hold values that are not finite")
            blocks.append(block)
        values = np.column_stack([_numbers(table, name, "<f4") for name in _FLOATS])
        check_values(values, self.record.file)
        start = 0
        for record in records:
            stop = start + record.rows
            yield PictureRows(
                record=record,
                blocks=tuple(block[start:stop] for block in blocks),
                values=values[start:stop],
            )
            start = stop

    def _check_footer(self, pa: Any) -> None:
        footer = self.file.metadata
        wanted = _schema(self.settings.columns)
        if not self.file.schema_arrow.remove_metadata().equals(wanted):
            raise ValueError("its columns are not those of the manifest")
        if footer.num_row_groups != len(self.record.pictures) or footer.num_rows != (
            self.record.rows
        ):
            raise ValueError(
                f"{footer.num_row_groups} pictures with {footer.num_rows} rows, the manifest "
                f"says {len(self.record.pictures)} with {self.record.rows}"
            )
        for index, record in enumerate(self.record.pictures):
            if record.rows * sum(map(feature_bytes, self.settings.columns)) > GROUP_BYTES:
                raise ValueError(f"{record.rows} rows of {record.picture} are too many")
            group = footer.row_group(index)
            if group.num_rows != record.rows:
                raise ValueError(f"{group.num_rows} rows of {record.picture}")
            for place in range(group.num_columns):
                chunk = group.column(place)
                width = wanted.types[place].bit_width // 8
                # Plain pages: what the numbers take, headers of a few dozen bytes a page, no more.
                bound = record.rows * width * 1.02 + 65536
                if (
                    chunk.num_values != record.rows
                    or chunk.total_uncompressed_size > bound
                    or chunk.total_compressed_size > bound
                    or chunk.compression not in {"UNCOMPRESSED", "ZSTD"}
                    or not set(chunk.encodings) <= {"PLAIN", "RLE"}
                ):
                    raise ValueError(f"row group {index} column {place} claims what it cannot hold")

    def _damaged(self, error: Exception) -> TrainingError:
        text = " ".join(str(error).split()) or type(error).__name__
        return TrainingError(
            f"the shard is damaged: {text}", hint="extract anew", path=str(self.path)
        )


def check_values(values: FloatArray, owner: str) -> None:
    """Refuse L*, a*, b* and positions that no picture has.

    Raises
    ------
    TrainingError
        If L* is not in [0, 100], |a*| or |b*| is above `CHROMA_LIMIT`, a position is negative, or
        anything is not finite.
    """
    # A millionth of room: float32 white is 100.00001 in some colorspaces.
    lightness, chroma, positions = values[:, 0], values[:, 1:3], values[:, 3:]
    fits = bool(
        np.isfinite(values).all()
        and lightness.min(initial=0) >= -1e-4
        and lightness.max(initial=0) <= 100.0001
        and np.abs(chroma).max(initial=0) <= CHROMA_LIMIT
        and positions.min(initial=0) >= 0
    )
    if not fits:
        raise TrainingError(
            f"{owner}: L*, a*, b* or positions are out of range or not finite",
        )


def feature_column(place: int) -> str:
    """Return the name of the Parquet column that keeps block `place` of the features."""
    return f"features_{place}"


def import_pyarrow() -> tuple[Any, Any]:
    """Return pyarrow and pyarrow.parquet.

    Raises
    ------
    PluginError
        If it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise PluginError(
            "shards need pyarrow, which is not installed",
            hint='pip install "chroma-colorize[train]"',
        ) from error
    return pyarrow, pyarrow.parquet


def _schema(columns: Sequence[Column]) -> Any:
    pa, _ = import_pyarrow()
    fields = [pa.field("picture", pa.int32(), nullable=False)]
    for place, column in enumerate(columns):
        size = feature_bytes(column)
        if size == 0:
            # A stage that sees nothing, such as "none", has nothing to keep.
            continue
        fields.append(pa.field(feature_column(place), pa.binary(size), nullable=False))
    fields.extend(pa.field(name, pa.float32(), nullable=False) for name in _FLOATS)
    return pa.schema(fields)


def _bytes(table: Any, name: str, size: int) -> AnyArray:
    chunk = _one_chunk(table, name)
    count = len(chunk)
    buffer = chunk.buffers()[1]
    flat = np.frombuffer(buffer, np.uint8, count=count * size, offset=chunk.offset * size)
    return flat.reshape(count, size)


def _numbers(table: Any, name: str, dtype: str) -> AnyArray:
    chunk = _one_chunk(table, name)
    width = np.dtype(dtype).itemsize
    return np.frombuffer(
        chunk.buffers()[1], np.dtype(dtype), count=len(chunk), offset=chunk.offset * width
    )


def _one_chunk(table: Any, name: str) -> Any:
    # No column can hold nulls: `_check_footer` has refused those that are not required.
    return table.column(name).combine_chunks()

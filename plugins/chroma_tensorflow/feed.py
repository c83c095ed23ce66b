"""Rows for TensorFlow, some thousand at a time, made ready while the last ones are worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.stages import Split, TrainingData

__all__ = ["CHUNK_ROWS", "Chunk", "ahead", "chunks"]

CHUNK_ROWS = 16_384
"""Rows that one call into TensorFlow works through; 17 MB at 263 inputs."""

Chunk = tuple[FloatArray, FloatArray, FloatArray]
"""Features (n, D), L* (n,), and a* and b* (n, 2)."""


def chunks(data: TrainingData, split: Split) -> Iterator[Chunk]:
    """Yield a part's rows in the order they are kept, some thousand at a time."""
    waiting: list[Chunk] = []
    rows = 0
    for sample in data.samples(split):
        waiting.append((sample.features, sample.lightness, sample.chroma))
        rows += len(sample.lightness)
        if rows >= CHUNK_ROWS:
            yield _joined(waiting)
            waiting, rows = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[Chunk]) -> Chunk:
    features, lightness, chroma = zip(*parts, strict=True)
    return np.concatenate(features), np.concatenate(lightness), np.concatenate(chroma)


def ahead(source: Iterator[Chunk], depth: int = 2) -> Iterator[Chunk]:
    """Yield what `source` yields, made ready in a thread while the last one is worked on."""
    ready: queue.Queue[Chunk | BaseException | None] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(item: Chunk | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for chunk in source:
                if not put(chunk):
                    return
            put(None)
        except BaseException as error:  # handed on to the thread that asks
            put(error)

    worker = threading.Thread(target=work, name="chroma-batches", daemon=True)
    worker.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        worker.join()

"""Streams of training rows: shuffled batches, means and spreads, in bounded memory.

`batches` mixes pictures and rows the way a shuffle buffer does: pictures come in an order drawn
anew for each epoch, a buffer is filled with some rows of each and emptied in random order. All
draws follow from the seed and the epoch, so that an epoch can be begun anew at any time. `moments`
is one pass in float64 with the pairwise update of Chan, Golub & LeVeque ("Updating formulae and a
pairwise algorithm for computing sample variances", 1979).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.errors import OptionError, TrainingError
from chroma_core.stages import Samples, Split, TrainingData

__all__ = ["Moments", "batches", "moments"]

MOST_ROUNDS = 8
"""How often all pictures are read in an epoch, at most, so that a buffer mixes many of them."""

_BLOCK_ROWS = 4096
"""Rows that are added up at once: 9 MB of float64 at 263 inputs."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Means and standard deviations of a part of the training data.

    Attributes
    ----------
    rows : int
        How many nodes they were taken from.
    mean, sd : ndarray, shape (D + 1,)
        Of the D features followed by L*, float64.
    chroma_mean, chroma_sd : ndarray, shape (2,)
        Of a* and b*, float64.
    """

    rows: int
    mean: FloatArray
    sd: FloatArray
    chroma_mean: FloatArray
    chroma_sd: FloatArray

    @property
    def scale(self) -> FloatArray:
        """`sd` with 1 in place of 0, to divide by: a column that never changes stays 0."""
        return np.where(self.sd > 0, self.sd, 1.0)

    @property
    def chroma_scale(self) -> FloatArray:
        """`chroma_sd` with 1 in place of 0."""
        return np.where(self.chroma_sd > 0, self.chroma_sd, 1.0)


def batches(
    data: TrainingData,
    split: Split,
    *,
    batch: int,
    seed: int,
    epoch: int,
    buffer_rows: int = 200_000,
) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
    """Yield the rows of a part once each, shuffled.

    Parameters
    ----------
    data : TrainingData
        Where the samples come from.
    split : str
        ``"train"``, ``"validation"`` or ``"card"``.
    batch : int
        Rows a batch; the last one of an epoch may be smaller.
    seed, epoch : int
        What the order follows from: the same two give the same batches.
    buffer_rows : int, optional
        Rows that are mixed with each other; memory is about ``buffer_rows * (D + 3) * 4`` bytes.
        Where they are fewer than all and the data can be read again cheaply, all pictures are
        read in several rounds, so that the rows of one buffer come from very many pictures.

    Yields
    ------
    features : ndarray, shape (n, D)
        float32.
    lightness : ndarray, shape (n,)
        L* in [0, 100], float32.
    chroma : ndarray, shape (n, 2)
        True a* and b*, float32.
    """
    if batch < 1 or buffer_rows < 1:
        raise OptionError(
            f"batch is {batch} and buffer_rows {buffer_rows}, wanted whole numbers above 0"
        )
    rng = np.random.default_rng([seed, epoch])
    # A buffer smaller than a batch could never give one.
    capacity = max(batch, min(buffer_rows, data.rows(split)))
    features = np.empty((capacity, data.width), dtype=np.float32)
    rest = np.empty((capacity, 3), dtype=np.float32)
    filled = 0
    for sample in _in_rounds(data, split, rng, seed, epoch, capacity):
        taken = 0
        while taken < len(sample.lightness):
            count = min(capacity - filled, len(sample.lightness) - taken)
            source, target = slice(taken, taken + count), slice(filled, filled + count)
            features[target] = sample.features[source]
            rest[target, 0] = sample.lightness[source]
            rest[target, 1:] = sample.chroma[source]
            taken, filled = taken + count, filled + count
            if filled < capacity:
                continue
            mixed = rng.permutation(filled)
            whole = filled - filled % batch
            for start in range(0, whole, batch):
                chosen = mixed[start : start + batch]
                yield features[chosen], rest[chosen, 0], rest[chosen, 1:]
            # What is left over opens the next buffer, so that only an epoch's end is uneven.
            left = mixed[whole:]
            filled = len(left)
            features[:filled], rest[:filled] = features[left], rest[left]
    mixed = rng.permutation(filled)
    for start in range(0, filled, batch):
        chosen = mixed[start : start + batch]
        yield features[chosen], rest[chosen, 0], rest[chosen, 1:]


def _in_rounds(
    data: TrainingData,
    split: Split,
    rng: np.random.Generator,
    seed: int,
    epoch: int,
    capacity: int,
) -> Iterator[Samples]:
    """Yield every picture's rows, a share of them in each of several rounds over all pictures.

    A buffer filled picture by picture holds all rows of a few pictures, and a net that sees what
    tells pictures apart learns and forgets one bufferful after the other. So a buffer is rather
    filled with some rows of many pictures.
    """
    rounds = min(MOST_ROUNDS, -(-data.rows(split) // capacity)) if data.rereadable else 1
    for turn in range(max(1, rounds)):
        for sample in data.samples(split, rng.permutation(data.pictures(split))):
            if rounds <= 1:
                yield sample
                continue
            own = [seed, epoch, zlib.crc32(sample.picture.encode())]
            order = np.random.default_rng(own).permutation(len(sample.lightness))
            share = np.sort(order[turn::rounds])
            yield replace(
                sample,
                features=sample.features[share],
                lightness=sample.lightness[share],
                chroma=sample.chroma[share],
                positions=sample.positions[share],
                shape=None,
            )


def moments(data: TrainingData, split: Split) -> Moments:
    """Return means and standard deviations of a part, in one pass.

    Parameters
    ----------
    data : TrainingData
        Where the samples come from.
    split : str
        ``"train"``, ``"validation"`` or ``"card"``.

    Raises
    ------
    TrainingError
        If the part has no rows.
    """
    rows = 0
    mean = np.zeros(data.width + 3)
    squares = np.zeros(data.width + 3)
    for block in _blocks(data, split):
        count = len(block)
        block_mean = block.mean(axis=0)
        block_squares = np.square(block - block_mean).sum(axis=0)
        total = rows + count
        gap = block_mean - mean
        mean += gap * (count / total)
        squares += block_squares + np.square(gap) * (rows * count / total)
        rows = total
    if rows == 0:
        raise TrainingError(f"there are no {split} pictures", hint="add pictures or split anew")
    sd = np.sqrt(squares / rows)
    # What is left of a constant is rounding; float32 cannot tell 1e-7 of a value from none of it.
    sd[sd <= 1e-7 * np.abs(mean)] = 0.0
    return Moments(rows=rows, mean=mean[:-2], sd=sd[:-2], chroma_mean=mean[-2:], chroma_sd=sd[-2:])


def _blocks(data: TrainingData, split: Split) -> Iterator[FloatArray]:
    """Yield (features, L*, a*, b*), shape (n, D + 3), float64, n about `_BLOCK_ROWS`."""
    waiting: list[FloatArray] = []
    rows = 0
    for sample in data.samples(split):
        for start in range(0, len(sample.lightness), _BLOCK_ROWS):
            part = slice(start, start + _BLOCK_ROWS)
            columns = [sample.features[part], sample.lightness[part], sample.chroma[part]]
            waiting.append(np.column_stack(columns))
            rows += len(waiting[-1])
            if rows >= _BLOCK_ROWS:
                yield np.concatenate(waiting, dtype=np.float64)
                waiting, rows = [], 0
    if rows:
        yield np.concatenate(waiting, dtype=np.float64)

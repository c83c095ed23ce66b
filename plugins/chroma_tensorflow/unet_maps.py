"""Whole pictures for the training of a convolutional network: kept on disk, cut and worn.

Decoding a photograph costs as much as several steps with it, so each is decoded once and kept in a
file of the system's folder for temporary files: gray as bytes, a* and b* as signed bytes at half
its size. Each batch follows from the seed and its number alone, so that training goes on after an
interruption as if there had been none.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray, IntArray
from chroma_core.color.bins import soft_codes
from chroma_core.color.lab import lightness_to_gray
from chroma_core.errors import TrainingError
from chroma_core.filters.resize import area_shrink, sample_bilinear
from chroma_core.stages import Progress, Samples, Split, TrainingData
from chroma_core.training.wear import worn

__all__ = ["Cut", "MapStore", "batch_at", "bin_shares", "chroma_of", "code_of"]

LEAST_SIDE = 64
"""Pictures with a shorter side teach nothing that they show."""

CODES = 128
"""a* and b* are told to a grid of 2 units: finer than the bins' spacing by far."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Squares cut out of pictures.

    Attributes
    ----------
    gray : ndarray, shape (n, size, size, 1)
        Encoded gray in [0, 1], float32.
    codes : ndarray, shape (n, size / 4, size / 4)
        `code_of` the mean a* and b* of 4 x 4 pixels.
    """

    gray: FloatArray
    codes: IntArray


def code_of(chroma: FloatArray) -> IntArray:
    """Return one number for a* and b*, shape (...,) int32, of those below ``CODES ** 2``."""
    places = np.clip(np.rint(chroma / 2) + CODES // 2, 0, CODES - 1).astype(np.int32)
    return places[..., 0] * CODES + places[..., 1]


def chroma_of(codes: IntArray) -> FloatArray:
    """Return a* and b* of codes, shape (..., 2), float32; to one unit, those that `code_of` saw."""
    places = np.stack(np.divmod(codes, CODES), axis=-1)
    chroma: FloatArray = (places - CODES // 2).astype(np.float32) * 2
    return chroma


class MapStore:
    """Pictures of one part of the training data, on disk.

    Parameters
    ----------
    data : TrainingData
        Whole maps, a node on every pixel.
    split : str
        The part.
    progress : callable
        Told of pictures read.
    most : int, optional
        Pictures to keep at most, spread evenly over the part; all by default.
    """

    def __init__(
        self, data: TrainingData, split: Split, progress: Progress, most: int | None = None
    ) -> None:
        total = data.pictures(split)
        order = None
        if most is not None and most < total:
            order = np.linspace(0, total - 1, most).round().astype(int)
            total = most
        self._file = tempfile.TemporaryFile(prefix="chroma-maps-")  # noqa: SIM115  # lives as long
        weakref.finalize(self, self._file.close)
        self._places: list[tuple[int, int, int]] = []
        written = 0
        for count, sample in enumerate(data.samples(split, order), start=1):
            gray, chroma = _as_bytes(sample)
            if min(gray.shape) < LEAST_SIDE:
                continue
            self._places.append((written, *gray.shape))
            written += self._file.write(gray.tobytes()) + self._file.write(chroma.tobytes())
            if count % 50 == 0:
                progress(count, total, {"part": "reading pictures"})
        self._file.flush()
        if not self._places:
            raise TrainingError(
                f"no {split} picture has a short side of {LEAST_SIDE} px or more",
                hint="train on larger photographs",
            )
        self._bytes = np.memmap(self._file, dtype=np.uint8, mode="r", shape=(written,))

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self._places)

    def picture(self, index: int) -> tuple[AnyArray, AnyArray]:
        """Return gray (h, w) uint8, and a* and b* (h / 2, w / 2, 2) int8, both read-only."""
        start, height, width = self._places[index]
        middle, stop = start + height * width, start + height * width * 3 // 2
        gray = self._bytes[start:middle].reshape(height, width)
        chroma = self._bytes[middle:stop].view(np.int8).reshape(height // 2, width // 2, 2)
        return gray, chroma

    def middles(self, size: int) -> Iterator[Cut]:
        """Yield the middle square of each picture, whole and as it is."""
        for index in range(len(self)):
            gray, chroma = self.picture(index)
            side = min(gray.shape) // 2 * 2
            top, left = ((length - side) // 4 * 2 for length in gray.shape)
            yield _cut(gray, chroma, top, left, side, size)


def batch_at(
    store: MapStore,
    number: int,
    *,
    batch: int,
    sizes: tuple[int, ...],
    closest: float,
    seed: int,
    wear: float,
) -> Cut:
    """Return a batch of training squares; it follows from the seed and its number.

    Parameters
    ----------
    store : MapStore
        The pictures.
    number : int
        Of the batch, counted from the beginning of the training.
    batch : int
        Squares in it.
    sizes : tuple of int
        Sides, in pixels, of which one is drawn for the batch.
    closest : float
        Most that a square may be closer than the whole short side, at least 1.
    seed : int
        What all draws follow from.
    wear : float
        Share of the squares that wear is put on, from 0 to 1.
    """
    rng = np.random.default_rng([seed, number])
    size = int(rng.choice(sizes))
    cuts = []
    for place in range(number * batch, (number + 1) * batch):
        epoch, within = divmod(place, len(store))
        gray, chroma = store.picture(int(_order(len(store), seed, epoch)[within]))
        shortest = min(gray.shape)
        side = int(shortest / rng.uniform(1, closest)) // 2 * 2
        top, left = (int(rng.integers(0, (length - side) // 2 + 1)) * 2 for length in gray.shape)
        cut = _cut(gray, chroma, top, left, side, size)
        pixels, codes = cut.gray[0, ..., 0], cut.codes
        if rng.random() < 0.5:
            pixels, codes = pixels[:, ::-1], codes[..., ::-1]
        if wear and rng.random() >= 1 - wear:
            pixels = worn(np.ascontiguousarray(pixels), rng)
        cuts.append((pixels, codes[0]))
    return Cut(
        gray=np.stack([pixels for pixels, _ in cuts])[..., np.newaxis].astype(np.float32),
        codes=np.stack([codes for _, codes in cuts]),
    )


def bin_shares(store: MapStore, bins: FloatArray) -> FloatArray:
    """Return how often each bin of colours occurs in pictures.

    Parameters
    ----------
    store : MapStore
        The pictures; of each, every second row and column of its colours is counted.
    bins : ndarray, shape (k, 2)
        a* and b* of the bins.

    Returns
    -------
    ndarray, shape (k,)
        Shares that add up to 1, softly counted (see `chroma_core.color.bins.soft_codes`).
    """
    counts = np.zeros(CODES**2)
    for index in range(len(store)):
        _, chroma = store.picture(index)
        codes = code_of(chroma[::2, ::2].reshape(-1, 2).astype(np.float32))
        counts += np.bincount(codes, minlength=CODES**2)
    seen = np.flatnonzero(counts)
    nearest, shares = soft_codes(chroma_of(seen), bins)
    found = np.zeros(len(bins))
    np.add.at(found, nearest, shares * counts[seen][:, np.newaxis])
    return found / found.sum()


_orders: dict[tuple[int, int, int], IntArray] = {}


def _order(count: int, seed: int, epoch: int) -> IntArray:
    key = (count, seed, epoch)
    if key not in _orders:
        while len(_orders) > 2:
            _orders.pop(next(iter(_orders)))
        _orders[key] = np.random.default_rng([seed, epoch, 1]).permutation(count)
    return _orders[key]


def _cut(gray: AnyArray, chroma: AnyArray, top: int, left: int, side: int, size: int) -> Cut:
    window = gray[top : top + side, left : left + side].astype(np.float32) / np.float32(255)
    colours = chroma[top // 2 : (top + side) // 2, left // 2 : (left + side) // 2]
    targets = _resized(colours.astype(np.float32), size // 4)
    return Cut(
        gray=_resized(window, size)[np.newaxis, ..., np.newaxis],
        codes=code_of(targets)[np.newaxis],
    )


def _resized(picture: FloatArray, size: int) -> FloatArray:
    side = len(picture)
    if side >= size:
        return area_shrink(picture, (size, size))
    places = (np.arange(size) + 0.5) * (side / size) - 0.5
    return sample_bilinear(picture, places, places)


def _as_bytes(sample: Samples) -> tuple[AnyArray, AnyArray]:
    if sample.shape is None:
        raise TrainingError("a convolutional network is trained on whole pictures, not on samples")
    height, width = (length // 2 * 2 for length in sample.shape)
    gray = lightness_to_gray(sample.lightness.reshape(sample.shape)[:height, :width])
    chroma = sample.chroma.reshape(*sample.shape, 2)[:height, :width]
    halved = chroma.reshape(height // 2, 2, width // 2, 2, 2).mean(axis=(1, 3))
    return (
        np.rint(np.clip(gray, 0, 1) * 255).astype(np.uint8),
        np.clip(np.rint(halved), -127, 127).astype(np.int8),
    )

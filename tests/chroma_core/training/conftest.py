"""Small shards and photographs for the tests of training."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from chroma_core.stages import Column, Samples
from chroma_core.training.manifest import Manifest, PictureRecord, Settings
from chroma_core.training.shards import ShardWriter, rows_of

SPLIT_OF_LAST_DIGIT = {0: "card", 1: "validation"}


@pytest.fixture(scope="session")
def settings():
    """Settings of two columns: three numbers as uint8, two as float32."""
    return Settings(
        features=({"name": "patch", "version": 1, "options": {}},),
        columns=(
            Column(name="bytes", width=3, storage="uint8"),
            Column(name="floats", width=2, storage="float32"),
        ),
        colorspace={"name": "lab", "version": 1, "options": {}},
        work_size=64,
        per_image=0,
        seed=0,
        split="mod10",
    )


@pytest.fixture(scope="session")
def make_samples():
    """Return a function that draws samples of a picture."""

    def make(name, count, seed=0):
        rng = np.random.default_rng([seed, count, *name.encode()])
        features = np.column_stack(
            [rng.integers(0, 256, (count, 3)), rng.normal(size=(count, 2))]
        ).astype(np.float32)
        return Samples(
            picture=name,
            features=features,
            lightness=rng.uniform(0, 100, count).astype(np.float32),
            chroma=rng.normal(5, 20, (count, 2)).clip(-100, 100).astype(np.float32),
            positions=rng.uniform(0, 63, (count, 2)).astype(np.float32),
        )

    return make


@pytest.fixture(scope="session")
def write_shards(settings, make_samples):
    """Return a function that writes pictures of these numbers of rows, and gives their samples."""

    def write(folder, counts, *, per_shard=4, compression="none"):
        folder.mkdir(parents=True, exist_ok=True)
        samples = [make_samples(f"{place:03d}.png", count) for place, count in enumerate(counts)]
        shards = []
        for first in range(0, len(samples), per_shard):
            writer = ShardWriter(
                folder, len(shards), settings, first_picture=first, compression=compression
            )
            for place, sample in enumerate(samples[first : first + per_shard], first):
                record = PictureRecord(
                    picture=sample.picture,
                    split=SPLIT_OF_LAST_DIGIT.get(place % 10, "train"),
                    rows=len(sample.lightness),
                    shape=None,
                    sha256=f"{place:064x}",
                )
                writer.add(rows_of(sample, settings.columns, record))
            shards.append(writer.close())
        manifest = Manifest(
            settings=settings, pictures_sha256="0" * 64, shards=tuple(shards), complete=True
        )
        manifest.save(folder)
        return samples

    return write


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """Return a folder of 24 small colour pictures in two folders, one of them gray, one cut off."""
    folder = tmp_path_factory.mktemp("photographs")
    for place in range(24):
        rng = np.random.default_rng(place)
        coarse = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((44 + place, 33), Image.Resampling.BICUBIC)
        where = folder / ("town" if place % 2 else "sea") / f"{place:03d}.png"
        where.parent.mkdir(exist_ok=True)
        if place == 5:
            picture = picture.convert("L")
        picture.save(where)
        if place == 14:
            where.write_bytes(where.read_bytes()[:200])
    return folder


@pytest.fixture(scope="session")
def scene():
    """Return a function that draws the L* of a photograph: seven waves, as strong as in those."""

    def draw(seed, height=90, width=120):
        rng = np.random.default_rng(seed)
        rows, cols = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        down, across = rng.uniform(-4, 4, (2, 7, 1, 1))
        phase, strength = rng.uniform(0, 2 * np.pi, (7, 1, 1)), rng.uniform(3, 12, (7, 1, 1))
        waves = strength * np.cos(2 * np.pi * (down * rows + across * cols) + phase)
        return np.clip(50 + waves.sum(axis=0), 0, 100)

    return draw

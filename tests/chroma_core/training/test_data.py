"""Streams: every row once, the same twice, in bounded memory, with the right moments."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.errors import OptionError, TrainingError
from chroma_core.features.patch import PatchFeatures
from chroma_core.stages import Samples
from chroma_core.training.data import (
    PhotographData,
    ShardData,
    batches,
    moments,
    require_part,
)


class Numbered:
    """Training data whose every row tells its number, in pictures of the given sizes."""

    width = 2
    rereadable = True

    def __init__(self, sizes):
        self.sizes = list(sizes)

    def pictures(self, split):
        return len(self.sizes)

    def rows(self, split):
        return sum(self.sizes)

    def samples(self, split, order=None):
        edges = np.concatenate([[0], np.cumsum(self.sizes)]).astype(int)
        for index in range(len(self.sizes)) if order is None else order:
            number = np.arange(edges[index], edges[index + 1], dtype=np.float32)
            yield Samples(
                picture=str(index),
                features=np.column_stack([number, -number]),
                lightness=number,
                chroma=np.column_stack([number, 2 * number]),
                positions=np.column_stack([number, number]),
            )


class Given(Numbered):
    """Training data of given numbers, shape (n, 5): two features, L*, a*, b*."""

    def __init__(self, numbers, sizes):
        super().__init__(sizes)
        self.numbers = numbers

    def samples(self, split, order=None):
        start = 0
        for size in self.sizes:
            part = self.numbers[start : start + size]
            start += size
            yield Samples(
                picture=str(start),
                features=part[:, :2],
                lightness=part[:, 2],
                chroma=part[:, 3:],
                positions=part[:, :2],
            )


sizes = st.lists(st.integers(0, 30), min_size=1, max_size=8)


@given(sizes, st.integers(1, 20), st.integers(1, 100), st.integers(0, 99), st.integers(0, 9))
def test_law_an_epoch_gives_each_row_once_and_whole(sizes, batch, buffer_rows, seed, epoch):
    found = list(
        batches(
            Numbered(sizes), "train", batch=batch, seed=seed, epoch=epoch, buffer_rows=buffer_rows
        )
    )

    numbers = np.concatenate([np.empty(0), *[lightness for _, lightness, _ in found]])
    np.testing.assert_array_equal(np.sort(numbers), np.arange(sum(sizes)))
    for features, lightness, chroma in found:
        np.testing.assert_array_equal(features, np.column_stack([lightness, -lightness]))
        np.testing.assert_array_equal(chroma, np.column_stack([lightness, 2 * lightness]))


@given(sizes, st.integers(1, 20), st.integers(1, 100))
def test_law_all_batches_but_the_last_are_full(sizes, batch, buffer_rows):
    found = batches(Numbered(sizes), "train", batch=batch, seed=0, epoch=0, buffer_rows=buffer_rows)
    counts = [len(lightness) for _, lightness, _ in found]

    assert all(count == batch for count in counts[:-1])
    assert len(counts) == -(-sum(sizes) // batch)


@given(sizes, st.integers(0, 99), st.integers(0, 9))
def test_law_an_epoch_can_be_begun_anew(sizes, seed, epoch):
    data = Numbered(sizes)
    first, second = (
        list(batches(data, "train", batch=7, seed=seed, epoch=epoch, buffer_rows=40))
        for _ in range(2)
    )

    for one, two in zip(first, second, strict=True):
        for left, right in zip(one, two, strict=True):
            np.testing.assert_array_equal(left, right)


def order_of(data, seed, epoch, buffer_rows=100_000):
    found = batches(data, "train", batch=64, seed=seed, epoch=epoch, buffer_rows=buffer_rows)
    return np.concatenate([lightness for _, lightness, _ in found])


def test_epochs_and_seeds_have_orders_of_their_own():
    data = Numbered([50] * 20)
    orders = [order_of(data, seed, epoch) for seed, epoch in [(0, 0), (0, 1), (1, 0)]]

    for index in range(3):
        assert (orders[index] != orders[index - 1]).mean() > 0.9


def test_rows_of_a_picture_are_scattered_over_the_buffer():
    order = order_of(Numbered([100] * 100), 3, 0)
    picture = order // 100

    # Neighbours of one picture: 1 in 101 by chance, all but 1 in 100 unshuffled. 10,000 draws:
    # standard deviation 0.001.
    assert (picture[1:] == picture[:-1]).mean() == pytest.approx(99 / 9999, abs=0.005)


def test_a_small_buffer_holds_some_rows_of_many_pictures():
    order = order_of(Numbered([100] * 100), 3, 0, buffer_rows=1920)

    # Six rounds of 16 or 17 rows of each picture. A buffer of 30 whole batches holds one round and
    # a bit; what it misses came early in one round and late in the next.
    for bufferful in order[: 5 * 1920].reshape(5, 1920):
        assert len(np.unique(bufferful // 100)) >= 80


def test_data_that_are_dear_to_read_are_read_once_an_epoch():
    data = Numbered([100] * 100)
    data.rereadable = False
    order = order_of(data, 3, 0, buffer_rows=1920)

    # Whole pictures of 100 rows fill a buffer of 1920, and one at each end is cut.
    for bufferful in order[: 5 * 1920].reshape(5, 1920):
        assert len(np.unique(bufferful // 100)) <= 21


def test_memory_is_that_of_the_buffer():
    class Wide(Numbered):
        width = 200

        def samples(self, split, order=None):
            for _ in range(500):
                yield Samples(
                    picture="x",
                    features=np.zeros((200, 200), np.float32),
                    lightness=np.zeros(200, np.float32),
                    chroma=np.zeros((200, 2), np.float32),
                    positions=np.zeros((200, 2), np.float32),
                )

    tracemalloc.start()
    rows = sum(
        len(lightness)
        for _, lightness, _ in batches(
            Wide([200] * 500), "train", batch=256, seed=0, epoch=0, buffer_rows=5000
        )
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # 100,000 rows are 81 MB; the buffer of 5,000 is 4.1, a picture and a batch 0.4.
    assert rows == 100_000
    assert peak < 6e6


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"buffer_rows": 0}])
def test_batches_of_nothing_are_refused(wrong):
    with pytest.raises(OptionError, match="above 0"):
        next(batches(Numbered([5]), "train", **{"batch": 4, "seed": 0, "epoch": 0, **wrong}))


numbers = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 60), st.just(5)), elements=st.floats(-200, 200, width=32)
)


@given(numbers, st.integers(1, 20), st.integers(1, 30))
def test_law_moments_are_those_of_all_rows_at_once(numbers, size, block):
    sizes = [size] * (len(numbers) // size) + [len(numbers) % size]
    data = Given(numbers, sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chroma_core.training.streams._BLOCK_ROWS", block)
        found = moments(data, "train")

    wanted = numbers.astype(np.float64)
    assert found.rows == len(numbers)
    # Up to 60 rows of up to 200 in float64: means are right to 60 ulps of 200, which is 2e-12.
    mean = np.concatenate([found.mean, found.chroma_mean])
    sd = np.concatenate([found.sd, found.chroma_sd])
    np.testing.assert_allclose(mean, wanted.mean(axis=0), atol=1e-11)
    # A spread below what float32 resolves counts as none.
    none = np.where(sd == 0, 1e-7 * np.abs(mean), 0)
    assert (np.abs(sd - wanted.std(axis=0)) <= 1e-11 + none).all()


def test_moments_lose_nothing_to_a_large_mean():
    rng = np.random.default_rng(0)
    numbers = (1e6 + rng.integers(-8, 9, (20_000, 5))).astype(np.float32)
    found = moments(Given(numbers, [100] * 200), "train")

    np.testing.assert_allclose(found.sd, numbers[:, :3].astype(np.float64).std(axis=0), rtol=1e-9)


def test_a_column_that_never_changes_can_be_divided_by():
    # None of these is a sum of few powers of two, so a mean of ninety has a rounding error.
    numbers = np.tile(np.float32([0.1, 1 / 3, 55.7, -0.3, 1e-4]), (90, 1))
    found = moments(Given(numbers, [9] * 10), "train")

    np.testing.assert_array_equal(found.sd, 0)
    np.testing.assert_array_equal(found.scale, 1)
    np.testing.assert_array_equal(found.chroma_scale, 1)


def test_moments_of_nothing_are_refused():
    with pytest.raises(TrainingError, match="no validation pictures"):
        moments(Numbered([0]), "validation")


def test_shards_stream_through_the_same_door(tmp_path, write_shards):
    pytest.importorskip("pyarrow")
    samples = write_shards(tmp_path, [30] * 25, per_shard=7)
    data = ShardData(tmp_path)
    found = list(batches(data, "train", batch=16, seed=1, epoch=2, buffer_rows=100))

    kept = [sample for place, sample in enumerate(samples) if place % 10 > 1]
    wanted = np.sort(np.concatenate([sample.lightness for sample in kept]))
    np.testing.assert_array_equal(np.sort(np.concatenate([part[1] for part in found])), wanted)


# Photographs.


def photograph_data(folder, **how):
    how = {"work_size": 24, "validation": "mod5", **how}
    return PhotographData(folder, PatchFeatures(), LabColorspace(), **how)


def test_photographs_are_sampled_the_same_on_every_pass(photographs):
    data = photograph_data(photographs, per_image=5, seed=3)
    first, second = list(data.samples("train")), list(data.samples("train"))

    assert len(first) == len(second) > 5
    for one, two in zip(first, second, strict=True):
        assert one.picture == two.picture
        np.testing.assert_array_equal(one.features, two.features)
        np.testing.assert_array_equal(one.positions, two.positions)
    assert all(len(sample.lightness) == 5 and sample.shape is None for sample in first)


def test_all_nodes_of_a_photograph_are_a_map(photographs):
    data = photograph_data(photographs)
    for sample in data.samples("card"):
        grid = PatchFeatures().grid(24, 32)
        assert sample.shape is not None
        assert sample.shape[0] == grid.rows
        assert len(sample.lightness) == sample.shape[0] * sample.shape[1]


def test_gray_and_broken_photographs_are_passed_over(photographs, caplog):
    data = photograph_data(photographs, per_image=5)
    names = {
        sample.picture
        for split in ("train", "validation", "card")
        for sample in data.samples(split)
    }

    assert len(names) == 22
    assert set(data.skipped) == {"town/005.png", "sea/014.png"}
    assert "gray" in data.skipped["town/005.png"]
    assert "sea/014.png gives no samples" in caplog.text


def test_rows_are_guessed_first_and_known_later(photographs):
    data = photograph_data(photographs)
    guess = data.rows("train")
    known = sum(len(sample.lightness) for sample in data.samples("train"))

    # Shapes here are 4:3 to 2:1 and the guess is 4:3; two of 14 pictures are unusable.
    assert 0.5 < guess / known < 2
    assert data.rows("train") == known


def test_rows_of_photographs_are_an_estimate_until_they_were_read(photographs):
    data = photograph_data(photographs, per_image=7)
    before = data.rows("train")
    found = list(data.samples("train"))

    assert before == 7 * data.pictures("train")
    assert data.rows("train") == sum(len(sample.lightness) for sample in found) == 7 * len(found)
    # The picture that is cut off, or the gray one, gives none.
    assert len(found) < data.pictures("train")


def test_a_photograph_smaller_than_the_work_picture_is_taken_as_it_is(photographs):
    (sample, *_) = photograph_data(photographs / "sea", work_size=64).samples("train")

    rows, cols = sample.positions.max(axis=0)
    # Photographs are 33 px high and 44 wide or more; nodes stand up to the last few pixels.
    assert 24 < rows <= 32
    assert cols > 32


@pytest.mark.parametrize(
    ("part", "name"), [("card", "0000.jpg"), ("validation", "0001.jpg"), ("train", "0002.jpg")]
)
def test_a_part_without_pictures_is_named_with_a_way_out(tmp_path, part, name):
    others = {"0000.jpg", "0001.jpg", "0002.jpg", "0012.jpg"} - {name}
    if part == "train":
        others.discard("0012.jpg")
    for other in others:
        (tmp_path / other).write_bytes(b"")
    data = PhotographData(tmp_path, PatchFeatures(), LabColorspace())

    with pytest.raises(TrainingError) as caught:
        require_part(data, part)

    assert caught.value.what == f"there are no {part} pictures among {len(others)}"
    assert "give 10 photographs, numbered in a row" in caught.value.hint
    # The name that it proposes helps.
    assert name in caught.value.hint
    (tmp_path / name).write_bytes(b"")
    require_part(PhotographData(tmp_path, PatchFeatures(), LabColorspace()), part)

"""Shards: what goes in comes out, and nothing else is believed."""

import dataclasses
import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.errors import PluginError, TrainingError
from chroma_core.stages import Column
from chroma_core.training import shards as shards_module
from chroma_core.training.data import ShardData
from chroma_core.training.manifest import Manifest, PictureRecord, file_sha256
from chroma_core.training.shards import (
    PictureRows,
    ShardWriter,
    check_values,
    pack,
    rows_of,
    unpack,
)

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

SPLITS = ("train", "validation", "card")


def everything(data):
    return {s.picture: s for split in SPLITS for s in data.samples(split)}


def assert_same(found, wanted):
    assert found.keys() == {sample.picture for sample in wanted}
    for sample in wanted:
        for name in ("features", "lightness", "chroma", "positions"):
            np.testing.assert_array_equal(
                getattr(found[sample.picture], name), getattr(sample, name)
            )


@pytest.fixture
def shards(tmp_path, write_shards):
    return tmp_path, write_shards(tmp_path, [20, 7, 1, 33, 20, 12], per_shard=4)


def forge(folder, path, **changes):
    """Let the manifest agree with a changed file, as someone who makes both would."""
    manifest = Manifest.load(folder)
    digest, size = file_sha256(path)
    first = dataclasses.replace(manifest.shards[0], sha256=digest, bytes=size, **changes)
    dataclasses.replace(manifest, shards=(first, *manifest.shards[1:])).save(folder)


# What is kept.


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(0, 9), st.just(5)), elements=st.integers(0, 255))
)
def test_law_whole_numbers_survive_uint8(features):
    columns = (
        Column(name="a", width=2, storage="uint8"),
        Column(name="b", width=3, storage="float32"),
    )
    np.testing.assert_array_equal(unpack(pack(features, columns)), features)


@given(
    hnp.arrays(
        np.float32,
        (3, 2),
        elements=st.floats(-1000, 1000, width=32, allow_subnormal=False),
    )
)
def test_law_float16_is_near(features):
    found = unpack(pack(features, (Column(name="a", width=2, storage="float16"),)))

    # 11 significant bits, rounded; below 6e-5 steps of 6e-8.
    np.testing.assert_allclose(found, features, rtol=2**-11, atol=6e-8)


@pytest.mark.parametrize(
    ("value", "storage"),
    [
        (0.5, "uint8"),
        (256, "uint8"),
        (-1, "uint8"),
        (np.nan, "uint8"),
        (7e4, "float16"),
        (np.inf, "float32"),
        (np.nan, "float16"),
    ],
)
def test_numbers_that_do_not_fit_their_storage_are_refused(value, storage):
    column = Column(name="odd", width=1, storage=storage)

    with pytest.raises(TrainingError, match=f"odd: 1 values do not fit {storage}"):
        pack(np.array([[value], [1]], np.float32), (column,))


def test_a_column_of_no_width_is_kept_as_nothing(tmp_path, settings, make_samples):
    bare = dataclasses.replace(settings, columns=(Column(name="none", width=0, storage="float32"),))
    sample = dataclasses.replace(make_samples("x", 4), features=np.empty((4, 0), np.float32))
    record = PictureRecord(picture="x", split="train", rows=4, shape=None, sha256="0" * 64)
    writer = ShardWriter(tmp_path, 0, bare, first_picture=0)
    writer.add(rows_of(sample, bare.columns, record))
    Manifest(settings=bare, pictures_sha256="0" * 64, shards=(writer.close(),), complete=True).save(
        tmp_path
    )

    (found,) = ShardData(tmp_path).samples("train")
    assert found.features.shape == (4, 0)
    np.testing.assert_array_equal(found.lightness, sample.lightness)


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_what_was_written_is_read(tmp_path, write_shards, compression):
    samples = write_shards(tmp_path, [20, 7, 1, 33], per_shard=3, compression=compression)
    data = ShardData(tmp_path)

    assert_same(everything(data), samples)
    assert data.width == 5
    assert sum(data.rows(split) for split in SPLITS) == 61


def test_pictures_come_in_the_order_asked_for(shards):
    folder, _ = shards
    data = ShardData(folder)
    kept = [sample.picture for sample in data.samples("train")]

    order = np.array([2, 0, 3, 2])
    found = [sample.picture for sample in data.samples("train", order)]
    assert found == [kept[index] for index in order]


def test_more_shards_than_may_be_open_are_read(tmp_path, write_shards, monkeypatch):
    monkeypatch.setattr("chroma_core.training.data._OPEN_SHARDS", 2)
    samples = write_shards(tmp_path, [3] * 9, per_shard=1)
    data = ShardData(tmp_path)

    assert_same(everything(data), samples)
    assert_same(everything(data), samples)
    assert len(data._open) == 2


def test_a_row_group_is_a_picture_with_plain_checked_pages(shards):
    folder, _ = shards
    footer = pq.ParquetFile(folder / "shard-00000.parquet").metadata

    assert [footer.row_group(i).num_rows for i in range(4)] == [20, 7, 1, 33]
    assert set(footer.row_group(0).column(1).encodings) <= {"PLAIN", "RLE"}
    facts = json.loads(footer.metadata[b"chroma"])
    assert facts["columns"][0] == {"name": "bytes", "width": 3, "storage": "uint8"}
    assert facts["split"] == "mod10"
    assert facts["pictures"] == ["000.png", "001.png", "002.png", "003.png"]


def test_an_unfinished_shard_has_no_name(tmp_path, settings, make_samples):
    writer = ShardWriter(tmp_path, 0, settings, first_picture=0)
    record = PictureRecord(picture="x", split="train", rows=9, shape=None, sha256="0" * 64)
    writer.add(rows_of(make_samples("x", 9), settings.columns, record))

    assert not list(tmp_path.glob("*.parquet"))
    writer.discard()
    assert not list(tmp_path.iterdir())


# What is not believed.


def is_refused(folder, wanted, verify):
    """Tell whether a damaged folder is refused; if it is not, it must give what was written."""
    try:
        found = everything(ShardData(folder, verify=verify))
    except TrainingError as error:
        return error.path.endswith("shard-00000.parquet")
    assert_same(found, wanted)
    return False


@pytest.mark.parametrize("verify", [True, False])
def test_flipped_bits_are_found_or_harmless(tmp_path, write_shards, verify):
    samples = write_shards(tmp_path, [200, 150], per_shard=2)
    path = tmp_path / "shard-00000.parquet"
    whole = path.read_bytes()
    rng = np.random.default_rng(7)
    refused = 0
    for place in rng.choice(len(whole), size=200, replace=False):
        broken = bytearray(whole)
        broken[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        refused += is_refused(tmp_path, samples, verify)

    # Without the file's hash some bits of headers and footer stay: nobody reads what they say.
    assert refused == 200 if verify else refused >= 150


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_cut_shards_are_refused(shards, keep):
    folder, _ = shards
    path = folder / "shard-00000.parquet"
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(TrainingError, match="damaged"):
        everything(ShardData(folder, verify=False))


def test_a_missing_shard_is_named(shards):
    folder, _ = shards
    (folder / "shard-00001.parquet").unlink()

    with pytest.raises(TrainingError, match="shard-00001"):
        everything(ShardData(folder))


def test_a_link_in_the_place_of_a_shard_is_refused(shards, tmp_path_factory):
    folder, _ = shards
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "x.parquet"
    path = folder / "shard-00000.parquet"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)

    with pytest.raises(TrainingError, match="damaged"):
        everything(ShardData(folder))


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"picture": pa.array([0] * 20, pa.int32())}),
        pa.table({"features_0": pa.array([[1, 2, 3]] * 20)}),
        pa.table({"lightness": pa.array(["fifty"] * 20).dictionary_encode()}),
    ],
    ids=["columns missing", "nested", "dictionary"],
)
def test_other_columns_are_refused(shards, table):
    folder, _ = shards
    path = folder / "shard-00000.parquet"
    pq.write_table(table, path)
    forge(folder, path)

    with pytest.raises(TrainingError, match="columns"):
        everything(ShardData(folder))


def rewritten(folder, change, **how):
    path = folder / "shard-00000.parquet"
    file = pq.ParquetFile(path)
    tables = [change(file.read_row_group(i)) for i in range(file.num_row_groups)]
    how = {"compression": "none", "use_dictionary": False, "write_page_checksum": True, **how}
    with pq.ParquetWriter(path, tables[0].schema, **how) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=max(1, table.num_rows))
    forge(folder, path)


def test_other_numbers_of_rows_than_the_manifest_says_are_refused(shards):
    folder, _ = shards
    rewritten(folder, lambda table: table.slice(1) if table.num_rows > 1 else table)

    with pytest.raises(TrainingError, match="the manifest says"):
        everything(ShardData(folder))


def test_encodings_that_unfold_into_more_than_they_are_are_refused(shards):
    folder, _ = shards
    rewritten(folder, lambda table: table, use_dictionary=True)

    with pytest.raises(TrainingError, match="claims what it cannot hold"):
        everything(ShardData(folder))


def test_a_picture_of_more_rows_than_memory_is_refused_before_it_is_read(shards):
    folder, _ = shards
    path = folder / "shard-00000.parquet"
    manifest = Manifest.load(folder)
    records = list(manifest.shards[0].pictures)
    records[1] = dataclasses.replace(records[1], rows=2**30)
    forge(folder, path, pictures=tuple(records), rows=sum(record.rows for record in records))

    with pytest.raises(TrainingError, match="damaged"):
        everything(ShardData(folder))


@pytest.mark.parametrize(
    ("name", "value"),
    [("lightness", 101), ("lightness", -1), ("a", 151), ("b", np.nan), ("row", -2)],
)
def test_values_that_no_picture_has_are_refused_although_all_sums_fit(shards, name, value):
    folder, _ = shards

    def change(table):
        numbers = table.column(name).to_numpy().copy()
        numbers[0] = value
        place = table.schema.get_field_index(name)
        return table.set_column(place, table.schema.field(place), pa.array(numbers))

    rewritten(folder, change)

    with pytest.raises(TrainingError, match="out of range"):
        everything(ShardData(folder))


def test_features_that_are_not_finite_are_refused(shards):
    folder, _ = shards

    def change(table):
        place = table.schema.get_field_index("features_1")
        raw = [np.full(2, np.nan, np.float32).tobytes()] * table.num_rows
        return table.set_column(place, table.schema.field(place), pa.array(raw, pa.binary(8)))

    rewritten(folder, change)

    with pytest.raises(TrainingError, match="not finite"):
        everything(ShardData(folder))


def test_pictures_in_another_order_are_refused(shards):
    folder, _ = shards

    def change(table):
        numbers = pa.array(table.column("picture").to_numpy() + 1, pa.int32())
        return table.set_column(0, table.schema.field(0), numbers)

    rewritten(folder, change)

    with pytest.raises(TrainingError, match="numbers are not"):
        everything(ShardData(folder))


def test_white_with_the_rounding_of_float32_is_in_range():
    check_values(np.array([[100.00001, 150, -150, 0, 0]], np.float32), "white")


def test_a_writer_refuses_what_a_reader_would(tmp_path, settings):
    record = PictureRecord(picture="odd", split="train", rows=1, shape=None, sha256="0" * 64)
    blocks = (np.zeros((1, 3), np.uint8), np.zeros((1, 2), np.float32))
    writer = ShardWriter(tmp_path, 0, settings, first_picture=0)

    with pytest.raises(TrainingError, match="odd"):
        writer.add(
            PictureRows(
                record=record, blocks=blocks, values=np.array([[50, 200, 0, 0, 0]], np.float32)
            )
        )
    writer.discard()


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(PluginError, match=r"\[train\]"):
        ShardData(tmp_path)


def test_nodes_that_take_more_than_a_row_group_may_are_refused(settings, make_samples, monkeypatch):
    samples = make_samples("large.png", 20)
    record = PictureRecord(picture="large.png", split="train", rows=20, shape=None, sha256="0" * 64)
    taken = sum(block.nbytes for block in rows_of(samples, settings.columns, record).blocks)
    monkeypatch.setattr(shards_module, "GROUP_BYTES", taken - 1)

    with pytest.raises(TrainingError, match="20 nodes take more than") as caught:
        rows_of(samples, settings.columns, record)
    assert "keep fewer nodes" in caught.value.hint


def test_a_picture_of_more_bytes_than_a_row_group_may_take_is_not_read(shards, monkeypatch):
    folder, _ = shards
    # The pictures of the first shard have 33 rows at most, of 3 + 8 bytes of features.
    monkeypatch.setattr(shards_module, "GROUP_BYTES", 33 * 11 - 1)

    with pytest.raises(TrainingError, match=r"damaged: .*33 rows of 003\.png are too many"):
        everything(ShardData(folder))


def test_rows_that_moved_from_one_picture_to_another_are_noticed(shards):
    """The sums of the manifest agree with the file; the pictures do not."""
    folder, _ = shards
    records = list(Manifest.load(folder).shards[0].pictures)
    one, other = records[0], records[1]
    records[:2] = [
        dataclasses.replace(one, rows=other.rows),
        dataclasses.replace(other, rows=one.rows),
    ]
    forge(folder, folder / "shard-00000.parquet", pictures=tuple(records))

    with pytest.raises(TrainingError, match=r"damaged: .*20 rows of 000\.png"):
        everything(ShardData(folder))


def test_columns_that_may_hold_nulls_are_refused_whether_they_do_or_not(shards):
    folder, _ = shards

    def change(table):
        place = table.schema.get_field_index("lightness")
        numbers = table.column("lightness").to_pylist()
        numbers[0] = None
        field = table.schema.field(place).with_nullable(True)
        return table.set_column(place, field, pa.array(numbers, pa.float32()))

    rewritten(folder, change)

    with pytest.raises(TrainingError, match="columns are not those of the manifest"):
        everything(ShardData(folder))

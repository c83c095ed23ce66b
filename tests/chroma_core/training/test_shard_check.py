"""A shard whose pages are more than they seem costs one line, not the machine's memory.

The bombs pass every bound on what the footer claims: their footers are those of honest shards, and
the manifest agrees with the files, as it would if someone had made both.
"""

import dataclasses
import re
import subprocess
import sys

import pytest

from chroma_core.errors import TrainingError
from chroma_core.guarded import GuardedProcess, Stopped
from chroma_core.training import data as data_module
from chroma_core.training.data import ShardData
from chroma_core.training.manifest import Manifest, file_sha256
from chroma_core.training.shard_check import check_shard

pq = pytest.importorskip("pyarrow.parquet")

MIB = 1 << 20
BLOCK = 128 * 1024
ROWS = 20_000


def number(value):
    """Return a whole number as Thrift's compact protocol writes it: zigzag, seven bits a byte."""
    value *= 2
    parts = []
    while value >= 128:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def header(kind, unpacked, packed, values):
    """Return the header of a Parquet page: parquet.thrift, PageHeader."""
    plain, run_lengths = number(0), number(3)
    inner = b"\x15" + number(values) + b"\x15" + plain
    if kind == "data":
        # Field 5, and in it also how levels would be encoded, of which there are none.
        inner = b"\x2c" + inner + b"\x15" + run_lengths + b"\x15" + run_lengths + b"\x00"
    else:
        inner = b"\x4c" + inner + b"\x00"
    number_of_kind = number(0 if kind == "data" else 2)
    sizes = b"\x15" + number(unpacked) + b"\x15" + number(packed)
    return b"\x15" + number_of_kind + sizes + inner + b"\x00"


def zeros(size):
    """Return a zstd frame (RFC 8878) of zeros, in blocks that say "repeat a byte"."""
    blocks, rest = divmod(size, BLOCK)
    assert rest == 0
    frame = b"\x28\xb5\x2f\xfd\x00\x38"
    for left in range(blocks, 0, -1):
        frame += ((left == 1) | 1 << 1 | BLOCK << 3).to_bytes(3, "little") + b"\x00"
    return frame


def bomb(folder, write_shards, kind, size):
    """Write a shard of one picture whose largest column unfolds into so many bytes."""
    write_shards(folder, [ROWS], compression="zstd")
    path = folder / "shard-00000.parquet"
    group = pq.ParquetFile(path).metadata.row_group(0)
    chunk = max(map(group.column, range(group.num_columns)), key=lambda c: c.total_compressed_size)
    frame = zeros(size)
    values = ROWS if kind == "data" else size // 8
    page = header(kind, size, len(frame), values) + frame
    assert len(page) < chunk.total_compressed_size
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset : chunk.data_page_offset + len(page)] = page
    path.write_bytes(content)
    manifest = Manifest.load(folder)
    digest, total = file_sha256(path)
    shard = dataclasses.replace(manifest.shards[0], sha256=digest, bytes=total)
    dataclasses.replace(manifest, shards=(shard,)).save(folder)
    return path


PROGRAM = """
import sys
from pathlib import Path
from chroma_core.errors import TrainingError
from chroma_core.training.data import ShardData
from chroma_core.training.manifest import Manifest
from chroma_core.training.shards import ShardReader

folder, how = Path(sys.argv[1]), sys.argv[2]
try:
    if how == "guarded":
        list(ShardData(folder).samples("card"))
    else:
        manifest = Manifest.load(folder)
        path = folder / "shard-00000.parquet"
        ShardReader(path, manifest.shards[0], manifest.settings, 0, verify=True).read([0])
except TrainingError as error:
    print(error)
# Not ru_maxrss, which counts what the parent had when it forked.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) // 1024)
"""


def reading(folder, how):
    """Return what a program says that reads a shard, and the MiB that it took itself."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), how],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    *said, peak = done.stdout.splitlines()
    return said, int(peak)


@pytest.mark.parametrize("kind", ["data", "dictionary"])
def test_pages_that_unfold_into_much_cost_one_line(tmp_path, write_shards, kind):
    path = bomb(tmp_path, write_shards, kind, 1536 * MIB)
    (line,), peak = reading(tmp_path, "guarded")

    assert line.startswith(f"{path}: the shard is damaged: ")
    assert re.search("takes more than|malloc of size", line)
    assert peak < 512


@pytest.mark.slow
def test_the_bombs_are_bombs_where_nobody_guards(tmp_path, write_shards):
    bomb(tmp_path, write_shards, "data", 1536 * MIB)
    _, peak = reading(tmp_path, "unguarded")

    assert peak > 1536


def test_memory_is_watched_where_it_grows_bit_by_bit(tmp_path, write_shards, monkeypatch):
    write_shards(tmp_path, [ROWS])
    # Less than the process has once pyarrow is there.
    monkeypatch.setenv("CHROMA_WORKER_MEMORY", "40Mi")

    with pytest.raises(TrainingError, match=r"takes more than.*CHROMA_WORKER_MEMORY"):
        list(ShardData(tmp_path).samples("card"))
    monkeypatch.delenv("CHROMA_WORKER_MEMORY")
    assert [sample.picture for sample in ShardData(tmp_path).samples("card")] == ["000.png"]


def test_a_crash_is_an_error_that_names_the_shard(tmp_path, write_shards, monkeypatch):
    write_shards(tmp_path, [5])

    def crash(*_, **__):
        raise Stopped("crash", "ended its process (signal 11)")

    monkeypatch.setattr(GuardedProcess, "ask", crash)
    with pytest.raises(
        TrainingError, match=r"reading it ended its process \(signal 11\)"
    ) as caught:
        list(ShardData(tmp_path).samples("card"))

    assert caught.value.path == str(tmp_path / "shard-00000.parquet")


def test_what_is_held_of_shards_before_is_not_charged_to_the_next(
    tmp_path, write_shards, monkeypatch
):
    write_shards(tmp_path, [5])
    list(ShardData(tmp_path).samples("card"))
    numbers = []

    def full(self, *question, **bounds):
        numbers.append(self.pid)
        if len(numbers) == 1:
            self.close()
            raise Stopped("memory", "takes more than it may")
        return real(self, *question, **bounds)

    real = GuardedProcess.ask
    monkeypatch.setattr(GuardedProcess, "ask", full)

    assert len(list(ShardData(tmp_path).samples("card"))) == 1
    assert len(set(numbers)) == 2


def test_each_shard_is_checked_once(tmp_path, write_shards, monkeypatch):
    write_shards(tmp_path, [5] * 12, per_shard=4)
    asked = []
    real = data_module.check_shard
    monkeypatch.setattr(
        data_module, "check_shard", lambda *a, **how: (asked.append(a[2]), real(*a, **how))
    )
    monkeypatch.setattr(data_module, "_OPEN_SHARDS", 1)
    data = ShardData(tmp_path)
    for _ in range(2):
        list(data.samples("train"))

    assert asked == [0, 1, 2]


def test_a_manifest_that_changed_meanwhile_is_noticed(tmp_path, write_shards):
    write_shards(tmp_path, [5])
    manifest = Manifest.load(tmp_path)
    write_shards(tmp_path, [6])

    with pytest.raises(TrainingError, match="the manifest has changed"):
        check_shard(tmp_path, manifest, 0, verify=True)


def test_a_folder_that_went_away_is_told(tmp_path, write_shards):
    write_shards(tmp_path / "shards", [5])
    manifest = Manifest.load(tmp_path / "shards")
    (tmp_path / "shards").rename(tmp_path / "elsewhere")

    with pytest.raises(TrainingError, match="cannot be read: No such file"):
        check_shard(tmp_path / "shards", manifest, 0, verify=True)

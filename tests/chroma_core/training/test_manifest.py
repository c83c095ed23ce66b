"""The manifest is read with suspicion and written whole."""

import json
import os

import pytest

from chroma_core.errors import TrainingError
from chroma_core.training.data import ShardData
from chroma_core.training.manifest import MANIFEST, Manifest, Settings, Skipped

pytest.importorskip("pyarrow")


@pytest.fixture
def folder(tmp_path, write_shards):
    write_shards(tmp_path, [5, 6, 7], per_shard=2)
    return tmp_path


def change(folder, *path, to):
    value = json.loads((folder / MANIFEST).read_text())
    *way, last = path
    part = value
    for step in way:
        part = part[step]
    part[last] = to
    (folder / MANIFEST).write_text(json.dumps(value))


def test_what_was_saved_is_loaded(tmp_path, settings):
    skipped = (Skipped(picture="ü/é.png", kind="gray", reason='no "colour", none'),)
    manifest = Manifest(settings=settings, pictures_sha256="ab" * 32, skipped=skipped)
    manifest.save(tmp_path)

    assert Manifest.load(tmp_path) == manifest
    assert Settings.from_json(settings.to_json()) == settings
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_a_row_takes_what_the_settings_say(settings):
    # Three bytes, two float32, five float32 (L*, a*, b*, row, col), one int32.
    assert settings.row_bytes == 3 + 8 + 20 + 4
    assert settings.width == 5


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), 0),
        (("format",), "1"),
        (("shards", 0, "file"), "../shard-00000.parquet"),
        (("shards", 0, "file"), "shard-00001.parquet"),
        (("shards", 0, "sha256"), "0"),
        (("shards", 0, "rows"), 12),
        (("shards", 0, "rows"), 2**70),
        (("shards", 0, "bytes"), -1),
        (("shards", 0, "bytes"), True),
        (("shards", 0, "pictures", 0, "split"), "test"),
        (("shards", 0, "pictures", 0, "rows"), -5),
        (("shards", 0, "pictures", 0, "shape"), [2, 2]),
        (("shards", 0, "pictures", 0, "picture"), 7),
        (("shards", 0, "pictures"), []),
        (("shards",), {}),
        (("settings", "columns", 0, "storage"), "object"),
        (("settings", "columns", 0, "width"), 2**40),
        (("settings", "columns"), []),
        (("settings", "work_size"), 1.5),
        (("settings", "features"), [3]),
        (("skipped",), [{"picture": "x"}]),
    ],
    ids=str,
)
def test_what_does_not_fit_is_damage(folder, path, value):
    change(folder, *path, to=value)

    with pytest.raises(TrainingError, match=r"manifest\.json: the manifest is damaged"):
        ShardData(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        "[" * 100_000,
        '{"format": NaN}',
        '{"format": 1}',
        "\x00\xff",
    ],
    ids=["empty", "list", "null", "open", "deep", "nan", "short", "bytes"],
)
def test_what_is_no_manifest_is_damage(folder, text):
    (folder / MANIFEST).write_bytes(text.encode("latin-1"))

    with pytest.raises(TrainingError, match="damaged"):
        ShardData(folder)


def test_a_manifest_beyond_the_limit_is_not_read(folder, monkeypatch):
    monkeypatch.setattr("chroma_core.training.manifest.MANIFEST_BYTES", 100)

    with pytest.raises(TrainingError, match="at most 100 are read"):
        ShardData(folder)


def test_a_newer_format_says_so(folder):
    change(folder, "format", to=2)

    with pytest.raises(TrainingError, match="has format 2, this program knows 1"):
        ShardData(folder)


def test_a_folder_without_manifest_is_no_folder_of_shards(tmp_path):
    with pytest.raises(TrainingError, match="no folder of shards"):
        ShardData(tmp_path)


def test_an_interrupted_extraction_is_not_trained_on(folder):
    change(folder, "complete", to=False)

    with pytest.raises(TrainingError, match=r"interrupted.*chroma extract"):
        ShardData(folder)


def test_a_folder_that_cannot_be_written_to_is_told_in_one_line(tmp_path, settings):
    with pytest.raises(TrainingError, match="cannot be written: No such file") as caught:
        Manifest(settings=settings, pictures_sha256="ab" * 32).save(tmp_path / "absent")

    assert caught.value.exit_status == 74


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX pipes")
def test_a_manifest_that_is_no_file_is_not_waited_for(folder):
    (folder / MANIFEST).unlink()
    os.mkfifo(folder / MANIFEST)

    with pytest.raises(TrainingError, match="it is no regular file"):
        ShardData(folder)

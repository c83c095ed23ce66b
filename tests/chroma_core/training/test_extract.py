"""Extraction: one result whatever the number of processes, and whatever interrupts it."""

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.errors import OptionError, PluginError, TrainingError
from chroma_core.features.concatenated import Concatenated
from chroma_core.features.lightness import LightnessFeatures
from chroma_core.features.none import NoFeatures
from chroma_core.features.patch import PatchFeatures
from chroma_core.pipeline import Pipeline, work_shape
from chroma_core.regressors.none import NoRegressor
from chroma_core.stages import Grid
from chroma_core.training.data import ShardData
from chroma_core.training.extract import SKIPPED, extract
from chroma_core.training.manifest import Manifest, file_sha256
from chroma_core.training.sampling import choose_nodes, find_photographs, thinned, work_lab
from chroma_core.training.shards import pack, unpack

pytest.importorskip("pyarrow")

SPLITS = ("train", "validation", "card")


def run(photographs, folder, **how):
    how = {
        "colorspace": LabColorspace(),
        "features": PatchFeatures(),
        "work_size": 24,
        "per_image": 6,
        "workers": 0,
        "shard_pictures": 5,
        **how,
    }
    return extract(photographs, folder, **how)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def undisturbed(photographs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    run(photographs, folder)
    return contents(folder)


# What is kept.


def test_samples_are_what_the_pipeline_will_meet(photographs, tmp_path):
    path = photographs / "sea" / "008.png"
    run([path], tmp_path, per_image=None)
    (sample,) = [s for split in SPLITS for s in ShardData(tmp_path).samples(split)]

    space, features = LabColorspace(), PatchFeatures()
    pixels = np.asarray(Image.open(path))
    met = []

    class Watching(NoRegressor):
        def predict(self, features, lightness, grid):
            met.append((features, lightness, grid))
            return super().predict(features, lightness, grid)

    pipeline = Pipeline(
        colorspace=space, features=features, regressor=Watching(), join="bilinear", work_size=24
    )
    pipeline(pixels)
    vectors, lightness, grid = met[0]
    # What is kept is what the stage's storage makes of it.
    kept = unpack(pack(vectors.reshape(-1, features.width), features.columns))
    np.testing.assert_array_equal(sample.features, kept)
    np.testing.assert_array_equal(sample.lightness, lightness.reshape(-1))
    assert sample.shape == grid.shape
    rows, cols = np.meshgrid(grid.row_positions(), grid.col_positions(), indexing="ij")
    np.testing.assert_array_equal(sample.positions, np.column_stack([rows.flat, cols.flat]))


def test_colours_are_area_averages_in_lab(photographs):
    path = photographs / "sea" / "008.png"
    lab = work_lab(path, LabColorspace(), 11)

    pixels = np.asarray(Image.open(path))
    assert pixels.shape[0] == 33
    assert lab.shape[:2] == work_shape(pixels.shape, 11)
    full = LabColorspace().from_rgb(pixels.astype(np.float64) / 255)
    # Three rows to one, exactly; columns are checked through their mean.
    wanted = full.reshape(11, 3, -1, 3).mean(axis=(1, 2))
    # float32 of numbers up to 100, averaged over some fifty columns.
    np.testing.assert_allclose(lab.mean(axis=1), wanted, atol=1e-4)


class OnItsGridAlone(PatchFeatures):
    """Cannot be asked for some nodes only, so that samples are taken of the whole."""

    @property
    def anywhere(self):
        return False


@pytest.mark.parametrize("features", [PatchFeatures(), OnItsGridAlone()])
def test_a_sample_keeps_the_whole_map_s_numbers_at_its_nodes(photographs, tmp_path, features):
    run(photographs, tmp_path / "all", per_image=None, features=features)
    run(photographs, tmp_path / "some", per_image=6, features=features)
    for split in SPLITS:
        pairs = zip(
            ShardData(tmp_path / "all").samples(split),
            ShardData(tmp_path / "some").samples(split),
            strict=True,
        )
        for whole, part in pairs:
            places = {tuple(place): at for at, place in enumerate(whole.positions.tolist())}
            chosen = [places[tuple(place)] for place in part.positions.tolist()]
            assert len(set(chosen)) == len(part.lightness) == 6
            for name in ("features", "lightness", "chroma", "positions"):
                np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[chosen])


def test_nodes_are_drawn_by_name_and_seed_alone():
    first = choose_nodes("a/1.jpg", 0, 1000, 50)

    np.testing.assert_array_equal(choose_nodes("a/1.jpg", 0, 1000, 50), first)
    assert len(np.unique(first)) == 50
    assert (np.diff(first) > 0).all()
    assert not np.array_equal(choose_nodes("a/2.jpg", 0, 1000, 50), first)
    assert not np.array_equal(choose_nodes("a/1.jpg", 1, 1000, 50), first)
    np.testing.assert_array_equal(choose_nodes("a/1.jpg", 0, 7, 50), np.arange(7))


def test_nodes_are_drawn_evenly():
    counts = np.zeros(40)
    for number in range(2000):
        counts[choose_nodes(f"{number}.jpg", 0, 40, 10)] += 1

    # Each node 500 times; standard deviation sqrt(2000 * 0.25 * 0.75) = 19.4.
    assert np.abs(counts - 500).max() < 4 * 19.4


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 60), st.integers(0, 999), st.text())
def test_law_a_thinned_grid_has_nodes_of_the_whole_and_enough(rows, cols, wanted, seed, name):
    whole = Grid(rows=rows, cols=cols, origin=(2.0, 1.0), step=(4.0, 4.0))
    part = thinned(whole, name, seed, wanted)

    assert part.rows * part.cols >= min(wanted, rows * cols)
    assert set(part.row_positions()) <= set(whole.row_positions())
    assert set(part.col_positions()) <= set(whole.col_positions())


def test_every_node_of_the_whole_is_sampled_as_often():
    grid = Grid.regular(32, 36, 4)
    counts = np.zeros(grid.shape)
    for number in range(6000):
        name = f"{number}.jpg"
        part = thinned(grid, name, 0, 6)
        chosen = choose_nodes(name, 0, part.rows * part.cols, 6)
        rows, cols = np.divmod(chosen, part.cols)
        at = (part.row_positions()[rows] - 2) / 4, (part.col_positions()[cols] - 2) / 4
        counts[at[0].astype(int), at[1].astype(int)] += 1

    # 500 each for 72 nodes; where a thinned grid has a column less, its nodes are taken a little
    # more often.
    assert counts.sum() == 36_000
    assert 350 < counts.min() <= counts.max() < 700


def test_features_together_have_a_column_each(photographs, tmp_path):
    features = Concatenated([PatchFeatures(), LightnessFeatures(), NoFeatures()])
    run(photographs / "sea", tmp_path, features=features)
    data = ShardData(tmp_path)

    assert data.width == features.width
    assert [stage["name"] for stage in data.settings.features] == ["patch", "lightness", "none"]
    sample = next(data.samples("train"))
    assert sample.features.shape == (6, features.width)


def test_the_report_counts(photographs, tmp_path):
    seen = []
    report = run(photographs, tmp_path, progress=lambda *told: seen.append(told))

    assert sum(report.pictures.values()) == 22
    assert report.rows == {split: 6 * count for split, count in report.pictures.items()}
    assert report.resumed == 0
    assert [(done, total) for done, total, _ in seen] == [(n + 1, 24) for n in range(24)]


def test_parts_follow_the_rule_in_the_manifest(photographs, tmp_path):
    report = run(photographs, tmp_path, validation="mod4")

    # Numbers 000 to 023: six each, less gray 005 (validation) and broken 014 (train).
    assert report.pictures == {"train": 11, "validation": 5, "card": 6}
    assert ShardData(tmp_path).settings.split == "mod4"


# What cannot be used.


def test_bad_pictures_are_reported_with_reasons(photographs, tmp_path):
    report = run(photographs, tmp_path)
    with open(tmp_path / SKIPPED, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert [(row["picture"], row["kind"]) for row in rows] == [
        ("sea/014.png", report.skipped[0].kind),
        ("town/005.png", "gray"),
    ]
    assert all(row["reason"] for row in rows)
    assert report.skipped[1].reason == "the picture is gray"


def test_a_gray_picture_in_three_channels_is_gray(tmp_path):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, (40, 40, 1), dtype=np.uint8)
    Image.fromarray(np.repeat(gray, 3, axis=2)).save(photographs / "1.jpg", quality=60)
    tinted = np.concatenate([gray, gray, gray // 2], axis=2)
    Image.fromarray(tinted).save(photographs / "2.png")
    report = run(photographs, tmp_path / "shards")

    assert [item.picture for item in report.skipped] == ["1.jpg"]


def test_a_folder_of_bad_pictures_alone_says_why(tmp_path):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    (photographs / "1.png").write_bytes(b"no picture")

    with pytest.raises(TrainingError, match=r"none of 1 pictures.*1\.png"):
        run(photographs, tmp_path / "shards")
    assert (tmp_path / "shards" / SKIPPED).is_file()


def test_a_stage_that_always_fails_is_given_up_early(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr("chroma_core.training.extract.HOPELESS", 4)

    class Broken(PatchFeatures):
        def extract(self, scene, grid):
            raise RuntimeError("no such thing")

    seen = []
    with pytest.raises(TrainingError, match="first 4 pictures all fail: RuntimeError: no such"):
        run(
            photographs / "sea",
            tmp_path,
            features=Broken(),
            progress=lambda *told: seen.append(told),
        )
    assert len(seen) == 3


def test_a_stage_without_its_library_ends_everything_at_once(photographs, tmp_path):
    class Lacking(PatchFeatures):
        def extract(self, scene, grid):
            raise PluginError("needs a library")

    with pytest.raises(PluginError, match="needs a library"):
        run(photographs, tmp_path, features=Lacking())


@pytest.mark.parametrize("wrong", [{"per_image": 0}, {"seed": -1}, {"compression": "gzip"}])
def test_options_out_of_range_are_refused(photographs, tmp_path, wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        run(photographs, tmp_path, **wrong)


# Which files are meant.


def test_names_begin_below_what_was_named(photographs):
    whole = [found.name for found in find_photographs(photographs, "mod10")]
    parts = [
        found.name
        for found in find_photographs([photographs / "town", photographs / "sea"], "mod10")
    ]

    assert whole == parts == sorted(whole)
    assert whole[0] == "sea/000.png"
    assert find_photographs(photographs / "sea", "mod10")[0].name == "000.png"
    single = photographs / "sea" / "002.png"
    assert [found.name for found in find_photographs(str(single), "mod10")] == ["002.png"]


def test_hidden_files_and_other_files_are_passed_over(tmp_path):
    for name in ("a.png", ".b.png", "c.txt", ".cache/d.png", "e.JPG"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")

    assert [found.name for found in find_photographs(tmp_path, "mod10")] == ["a.png", "e.JPG"]


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="no pictures"):
        find_photographs(tmp_path, "mod10")
    with pytest.raises(TrainingError, match="no such file"):
        find_photographs(tmp_path / "absent", "mod10")


# One result.


def test_two_processes_give_the_bytes_of_none(photographs, tmp_path, undisturbed):
    run(photographs, tmp_path, workers=2)

    assert contents(tmp_path) == undisturbed


def test_every_interruption_ends_in_the_same_bytes(photographs, tmp_path, undisturbed):
    for moment in [*range(1, 24, 2), 24]:
        folder = tmp_path / str(moment)

        def interrupt(done, total, facts, moment=moment):
            if done == moment:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(photographs, folder, progress=interrupt)
        left = {path.name for path in folder.iterdir()}
        assert not [name for name in left if name.endswith(".tmp")]
        report = run(photographs, folder)

        assert contents(folder) == undisturbed
        # Shards of five: what was done of the last one is done again.
        assert moment - 7 < report.resumed <= moment


PROGRAM = """
import sys
from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.features.patch import PatchFeatures
from chroma_core.training.extract import extract

if __name__ == "__main__":
    extract(
        sys.argv[1], sys.argv[2], colorspace=LabColorspace(), features=PatchFeatures(),
        work_size=24, per_image=6, workers=2, shard_pictures=5,
    )
"""


@pytest.mark.slow
def test_a_program_without_a_main_guard_is_told(photographs, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace('if __name__ == "__main__":', "if True:"))
    done = subprocess.run(
        [sys.executable, str(program), str(photographs), str(tmp_path / "shards")],
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode != 0
    assert '__name__ == "__main__"' in done.stderr.splitlines()[-1]


def test_what_is_finished_is_not_done_again(photographs, tmp_path, undisturbed):
    run(photographs, tmp_path)
    report = run(photographs, tmp_path)

    assert report.resumed == 24
    assert contents(tmp_path) == undisturbed


@pytest.mark.parametrize(
    ("change", "said"),
    [({"seed": 1}, "settings"), ({"work_size": 32}, "settings"), ({"per_image": 7}, "settings")],
)
def test_a_folder_of_other_settings_is_left_alone(photographs, tmp_path, undisturbed, change, said):
    run(photographs, tmp_path)

    with pytest.raises(TrainingError, match=f"other {said}"):
        run(photographs, tmp_path, **change)
    assert contents(tmp_path) == undisturbed


def test_a_folder_of_other_photographs_is_left_alone(photographs, tmp_path, undisturbed):
    run(photographs, tmp_path)

    with pytest.raises(TrainingError, match="other photographs"):
        run(photographs / "sea", tmp_path)
    assert contents(tmp_path) == undisturbed


def test_a_folder_of_strange_parquet_files_is_left_alone(photographs, tmp_path):
    (tmp_path / "mine.parquet").write_bytes(b"mine")

    with pytest.raises(TrainingError, match="no manifest"):
        run(photographs, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.parquet"]


def test_a_full_disk_is_told_and_can_be_gone_on_from(
    photographs, tmp_path, undisturbed, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("chroma_core.training.shards.os.fsync", full)
        with pytest.raises(TrainingError, match=r"No space left.*goes on from there"):
            run(photographs, tmp_path)
    run(photographs, tmp_path)

    assert contents(tmp_path) == undisturbed


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_told(photographs, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(TrainingError, match="Permission denied"):
            run(photographs, tmp_path / "shards")
    finally:
        tmp_path.chmod(0o700)


def test_the_manifest_names_each_picture_with_its_hash(photographs, tmp_path):
    run(photographs, tmp_path)
    manifest = Manifest.load(tmp_path)
    records = [record for shard in manifest.shards for record in shard.pictures]

    for record in records:
        assert record.sha256 == file_sha256(photographs / record.picture)[0]
    assert [record.picture for record in records] == sorted(record.picture for record in records)
    assert json.loads((tmp_path / "manifest.json").read_text())["complete"] is True


def test_a_changed_photograph_is_other_data(photographs, tmp_path):
    copy = tmp_path / "photographs"
    shutil.copytree(photographs, copy)
    run(copy, tmp_path / "shards")
    (copy / "sea" / "002.png").write_bytes((copy / "sea" / "004.png").read_bytes() + b" ")

    with pytest.raises(TrainingError, match="other photographs"):
        run(copy, tmp_path / "shards")


def test_an_interrupted_folder_with_damage_is_not_gone_on_from(photographs, tmp_path):
    run(photographs, tmp_path)
    manifest = Manifest.load(tmp_path)
    dataclasses.replace(manifest, complete=False, shards=manifest.shards[:2]).save(tmp_path)
    (tmp_path / "shard-00001.parquet").unlink()

    with pytest.raises(TrainingError, match="shard-00001"):
        run(photographs, tmp_path)

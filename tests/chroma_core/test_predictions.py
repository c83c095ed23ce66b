"""Predictions on disk: what is saved comes back, and what is damaged is refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import InputError, PictureError
from chroma_core.predictions import SavedPrediction, load_prediction, save_prediction
from chroma_core.stages import Grid, Prediction


def some_prediction(rows=3, cols=4, origin=(2.0, 2.0), step=(4.0, 4.0)):
    grid = Grid(rows=rows, cols=cols, origin=origin, step=step)
    chroma = np.random.default_rng(0).normal(0, 30, (rows, cols, 2)).astype(np.float32)
    return SavedPrediction(
        prediction=Prediction(chroma=chroma, grid=grid),
        work_size=16,
        size=(20, 24),
        sha256="0" * 64,
        made_by={"colorspace": {"name": "lab"}, "refiners": []},
    )


numbers = st.floats(-1e6, 1e6)


@given(
    st.integers(1, 5), st.integers(1, 5), numbers, numbers, st.floats(1e-3, 1e6), st.floats(1, 2)
)
def test_law_a_saved_prediction_comes_back(tmp_path_factory, rows, cols, top, left, down, across):
    saved = some_prediction(rows, cols, (top, left), (down, across))
    folder = tmp_path_factory.mktemp("ab")

    save_prediction(folder, "photo", saved)
    loaded = load_prediction(folder, "photo")

    np.testing.assert_array_equal(loaded.prediction.chroma, saved.prediction.chroma)
    assert loaded.prediction.grid == saved.prediction.grid
    for name in ("work_size", "size", "sha256", "made_by"):
        assert getattr(loaded, name) == getattr(saved, name)


def test_a_and_b_lie_in_files_of_their_own(tmp_path):
    saved = some_prediction()

    paths = save_prediction(tmp_path / "new" / "ab", "photo", saved)

    assert [path.name for path in paths] == ["photo.a.npy", "photo.b.npy", "photo.json"]
    for path, channel in zip(paths, (0, 1), strict=False):
        np.testing.assert_array_equal(np.load(path), saved.prediction.chroma[..., channel])


@pytest.mark.parametrize("there", ["photo.a.npy", "photo.b.npy", "photo.json"])
def test_nothing_is_written_where_one_of_the_files_is_there(tmp_path, there):
    (tmp_path / there).write_text("mine")

    with pytest.raises(PictureError, match="is there already"):
        save_prediction(tmp_path, "photo", some_prediction())

    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_files_are_replaced_when_that_is_asked_for(tmp_path):
    save_prediction(tmp_path, "photo", some_prediction())

    save_prediction(tmp_path, "photo", some_prediction(rows=2), overwrite="always")

    assert load_prediction(tmp_path, "photo").prediction.grid.rows == 2


def test_a_folder_that_cannot_be_made_is_an_error_of_the_output(tmp_path):
    (tmp_path / "file").write_text("mine")

    with pytest.raises(PictureError) as caught:
        save_prediction(tmp_path / "file" / "ab", "photo", some_prediction())
    assert caught.value.exit_status == 73


def test_a_prediction_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match="no prediction of this picture") as caught:
        load_prediction(tmp_path, "photo")
    assert caught.value.exit_status == 66
    assert "chroma predict" in caught.value.hint


@pytest.mark.parametrize("missing", ["photo.a.npy", "photo.b.npy"])
def test_a_missing_map_is_named(tmp_path, missing):
    save_prediction(tmp_path, "photo", some_prediction())
    (tmp_path / missing).unlink()

    with pytest.raises(InputError, match=f"{missing}: is missing"):
        load_prediction(tmp_path, "photo")


def edited(**changes):
    def edit(facts):
        facts.update(changes)
        return json.dumps(facts).encode()

    return edit


def grid(**changes):
    return lambda facts: edited(grid={**facts["grid"], **changes})(facts)


BAD_FACTS = {
    "empty": lambda facts: b"",
    "not JSON": lambda facts: b"{",
    "not UTF-8": lambda facts: b"\xff\xfe{}",
    "a list": lambda facts: b"[]",
    "nested too deep": lambda facts: b"[" * 100_000,
    "too long": lambda facts: b" " * ((1 << 20) + 1),
    "another format": edited(format=2),
    "no grid": edited(grid=None),
    "no size": edited(size=[20]),
    "a size of zero": edited(size=[0, 24]),
    "an endless size": edited(size=[float("inf"), 24]),
    "no work size": edited(work_size="wide"),
    "made by a text": edited(made_by="me"),
    "no rows": grid(rows=0),
    "more rows than values": grid(rows=4),
    "rows of text": grid(rows="many"),
    "a step of zero": grid(step=[0, 4]),
    "a step backwards": grid(step=[4, -4]),
    "a step of NaN": grid(step=[float("nan"), 4]),
    "an endless origin": grid(origin=[float("inf"), 0]),
    "an origin of three": grid(origin=[1, 2, 3]),
}


@pytest.mark.parametrize("bad", BAD_FACTS)
def test_a_damaged_description_is_refused(tmp_path, bad):
    *_, path = save_prediction(tmp_path, "photo", some_prediction())
    path.write_bytes(BAD_FACTS[bad](json.loads(path.read_text())))

    with pytest.raises(InputError) as caught:
        load_prediction(tmp_path, "photo")
    assert "photo" in caught.value.path
    assert caught.value.exit_status == 65


def saved_as(array, **options):
    return lambda path: np.save(path, array, **options)


BAD_MAPS = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_bytes(b"no array"),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-4]),
    "objects": saved_as(np.array([{}], dtype=object), allow_pickle=True),
    "another shape": saved_as(np.zeros((4, 3), np.float32)),
    "another dtype": saved_as(np.zeros((3, 4))),
    "NaN": saved_as(np.full((3, 4), np.nan, np.float32)),
}


@pytest.mark.parametrize("bad", BAD_MAPS)
def test_a_damaged_map_is_refused(tmp_path, bad):
    _, path, _ = save_prediction(tmp_path, "photo", some_prediction())
    BAD_MAPS[bad](path)

    with pytest.raises(InputError, match=r"photo\.b\.npy") as caught:
        load_prediction(tmp_path, "photo")
    assert caught.value.exit_status == 65


def test_a_map_larger_than_any_picture_is_not_read(tmp_path, monkeypatch):
    _, path, _ = save_prediction(tmp_path, "photo", some_prediction())
    monkeypatch.setattr("chroma_core.predictions.LARGEST_MAP", path.stat().st_size - 1)

    with pytest.raises(InputError, match="is too large for a map of chroma") as caught:
        load_prediction(tmp_path, "photo")
    assert caught.value.exit_status == 65

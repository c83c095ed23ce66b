"""Checkpoints: whole or not at all, the newest valid one counts."""

import numpy as np
import pytest

from chroma_core.errors import TrainingError
from chroma_core.training import checkpoint as checkpoint_module
from chroma_core.training.checkpoint import FolderCheckpoint, NoCheckpoint

ARRAYS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "state": np.array([7], dtype=np.uint64),
}
FACTS = {"epoch": 3, "best": 0.25, "history": [{"epoch": 1.0}]}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_saved_is_loaded(tmp_path):
    checkpoint = FolderCheckpoint(tmp_path / "state")
    assert checkpoint.load() is None
    checkpoint.save(ARRAYS, FACTS)
    arrays, facts = FolderCheckpoint(tmp_path / "state").load()

    assert facts == FACTS
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_transposed_and_strided_arrays_are_not_scrambled(tmp_path):
    # safetensors 0.8 writes the memory of such arrays as it lies (its issue 825).
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    FolderCheckpoint(tmp_path).save({"t": whole.T, "s": whole[::2, 1::2]}, {})
    arrays, _ = FolderCheckpoint(tmp_path).load()

    np.testing.assert_array_equal(arrays["t"], whole.T)
    np.testing.assert_array_equal(arrays["s"], whole[::2, 1::2])


def test_two_are_kept(tmp_path):
    checkpoint = FolderCheckpoint(tmp_path)
    for epoch in range(5):
        checkpoint.save(ARRAYS, {"epoch": epoch})

    assert names(tmp_path) == ["state-000003.safetensors", "state-000004.safetensors"]
    assert checkpoint.load()[1] == {"epoch": 4}


@pytest.mark.parametrize("damage", [lambda b: b[:-7], lambda b: b"", lambda b: b[:60] + b"x" * 90])
def test_a_damaged_state_gives_way_to_the_one_before(tmp_path, damage, caplog):
    checkpoint = FolderCheckpoint(tmp_path)
    checkpoint.save(ARRAYS, {"epoch": 1})
    checkpoint.save(ARRAYS, {"epoch": 2})
    newest = tmp_path / "state-000001.safetensors"
    newest.write_bytes(damage(newest.read_bytes()))

    assert checkpoint.load()[1] == {"epoch": 1}
    assert "passed over" in caplog.text


def test_each_flipped_bit_of_an_array_is_found(tmp_path):
    checkpoint = FolderCheckpoint(tmp_path)
    checkpoint.save(ARRAYS, FACTS)
    path = tmp_path / "state-000000.safetensors"
    whole = path.read_bytes()
    for place in range(len(whole) - 32, len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 4
        path.write_bytes(broken)

        assert checkpoint.load() is None


def test_half_a_file_has_no_name(tmp_path):
    checkpoint = FolderCheckpoint(tmp_path)
    checkpoint.save(ARRAYS, {"epoch": 1})
    (tmp_path / "state-000001.safetensors.tmp").write_bytes(b"half")

    assert checkpoint.load()[1] == {"epoch": 1}


def test_a_state_of_other_settings_is_refused(tmp_path):
    FolderCheckpoint(tmp_path, settings={"rate": 0.1}).save(ARRAYS, FACTS)

    with pytest.raises(TrainingError, match=r"other options.*--resume"):
        FolderCheckpoint(tmp_path, settings={"rate": 0.2}).load()


def test_starting_anew_leaves_the_old_state_until_there_is_a_new_one(tmp_path):
    FolderCheckpoint(tmp_path, settings={"rate": 0.1}).save(ARRAYS, {"epoch": 8})
    anew = FolderCheckpoint(tmp_path, settings={"rate": 0.2}, resume=False)

    assert anew.load() is None
    assert names(tmp_path) == ["state-000000.safetensors"]
    anew.save(ARRAYS, {"epoch": 1})
    assert FolderCheckpoint(tmp_path, settings={"rate": 0.2}).load()[1] == {"epoch": 1}


def test_facts_that_json_cannot_hold_are_refused_before_anything_is_written(tmp_path):
    checkpoint = FolderCheckpoint(tmp_path)

    with pytest.raises(ValueError, match="JSON"):
        checkpoint.save(ARRAYS, {"loss": float("nan")})
    assert checkpoint.load() is None


def test_no_checkpoint_keeps_nothing():
    checkpoint = NoCheckpoint()
    checkpoint.save(ARRAYS, FACTS)

    assert checkpoint.load() is None


def test_a_state_of_another_format_is_passed_over(tmp_path, monkeypatch, caplog):
    checkpoint = FolderCheckpoint(tmp_path)
    checkpoint.save(ARRAYS, {"epoch": 1})
    with monkeypatch.context() as newer:
        newer.setattr(checkpoint_module, "FORMAT", checkpoint_module.FORMAT + 1)
        checkpoint.save(ARRAYS, {"epoch": 2})
        assert checkpoint.load()[1] == {"epoch": 2}

    assert checkpoint.load()[1] == {"epoch": 1}
    assert f"format {checkpoint_module.FORMAT + 1}, wanted" in caplog.text

"""The demo colours what is shipped, and keeps its hands off folders that are not its own."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core import demo
from chroma_core.api import build
from chroma_core.demo import demo_photographs, run_demo
from chroma_core.errors import PictureError, PluginError
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture


@pytest.fixture
def two(tmp_path, gray, monkeypatch):
    """Return two small photographs that stand for those that are shipped."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    rgb = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    paths = [
        write_picture(rgb, folder / "meadow.jpg"),
        write_picture(gray[:40, :30], folder / "gray-1900-street.jpg"),
    ]
    monkeypatch.setattr(demo, "demo_photographs", lambda: paths)
    return paths


def test_photographs_are_shipped_in_colour_and_without():
    photographs = demo_photographs()

    old = [path for path in photographs if path.stem.startswith("gray-")]
    assert len(old) >= 2
    assert len(photographs) - len(old) >= 4
    for path in photographs:
        assert read_picture(path).warnings == ()


def test_missing_photographs_are_told(monkeypatch):
    monkeypatch.setattr(demo, "DEMO_PACKAGE", "chroma_no_such_package")

    with pytest.raises(PluginError, match="demo photographs are not installed"):
        demo_photographs()


def test_every_step_is_written_and_put_side_by_side(tmp_path, two, tiny_model):
    calls = []
    pipeline = build(model=tiny_model, refiner="guided")

    made = run_demo(
        tmp_path / "out", pipeline, progress=lambda done, total, facts: calls.append((done, total))
    )

    first, second = made
    sheet = read_picture(first.sheet).pixels
    assert [picture.name for picture in made] == ["meadow", "gray-1900-street"]
    assert calls == [(1, 2), (2, 2)]
    assert sheet.shape == (40, 4 * 30 + 3 * demo.GAP, 3)
    assert read_picture(second.sheet).pixels.shape == (40, 3 * 30 + 2 * demo.GAP, 3)
    assert second.truth is None
    np.testing.assert_array_equal(read_picture(first.truth).pixels, read_picture(two[0]).pixels)
    np.testing.assert_array_equal(sheet[:, -30:], read_picture(first.truth).pixels)
    gray_pixels = read_picture(first.gray).rgb()
    assert (gray_pixels == gray_pixels[..., :1]).all()
    np.testing.assert_array_equal(
        read_picture(second.refined).pixels, pipeline(read_picture(two[1]).pixels)
    )
    assert (read_picture(first.predicted).pixels != read_picture(first.refined).pixels).any()


def test_a_folder_of_the_user_s_is_left_alone(tmp_path, two, tiny_model):
    (tmp_path / "mine").mkdir()
    mine = tmp_path / "mine" / "meadow.gray.png"
    mine.write_bytes(b"mine")

    with pytest.raises(PictureError, match="was not made by a demo") as caught:
        run_demo(tmp_path / "mine", build(model=tiny_model))

    assert caught.value.exit_status == 73
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["meadow.gray.png"]
    assert mine.read_bytes() == b"mine"


def test_a_file_in_the_folder_s_place_is_left_alone(tmp_path, two, tiny_model):
    (tmp_path / "mine").write_bytes(b"mine")

    with pytest.raises(PictureError, match="was not made by a demo"):
        run_demo(tmp_path / "mine", build(model=tiny_model))
    with pytest.raises(PictureError, match="cannot be written"):
        run_demo(tmp_path / "mine" / "below", build(model=tiny_model))

    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_an_empty_folder_and_one_of_an_earlier_demo_will_do(tmp_path, two, tiny_model):
    (tmp_path / "out").mkdir()
    run_demo(tmp_path / "out", build(model=tiny_model))
    before = sorted(path.name for path in (tmp_path / "out").iterdir())

    made = run_demo(tmp_path / "out", build(features="none", regressor="none"))

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == before
    refined = read_picture(made[0].refined).rgb()
    assert (refined == refined[..., :1]).all()

"""Drawings of what a features stage sees."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.drawing import draw_features
from chroma_core.errors import OptionError, PictureError, StageNotFound
from chroma_core.pictures.read import read_picture

RED = np.array([255, 0, 0])


def test_each_node_of_the_grid_is_a_red_dot_on_the_gray_picture(tmp_path, photo, gray):
    path, story = draw_features(photo, tmp_path / "grid.png", "patch", settings=["patch.step=16"])

    drawn = read_picture(path).pixels
    dots = (drawn == RED).all(axis=-1)
    rows, cols = np.nonzero(dots)
    assert drawn.shape == (*gray.shape, 3)
    assert set(rows) == set(range(8, 90, 16))
    assert set(cols) == set(range(8, 120, 16))
    assert (drawn[~dots] == drawn[~dots][:, :1]).all()
    assert story == "patch: 6 x 7 nodes"


def test_a_stage_without_a_grid_says_so(tmp_path, photo):
    path, story = draw_features(photo, tmp_path / "out.png", "position")

    drawn = read_picture(path).pixels
    assert (drawn == drawn[..., :1]).all() or read_picture(path).is_gray
    assert "no grid of its own" in story


def test_several_stages_are_drawn_on_their_common_grid(tmp_path, photo):
    _, story = draw_features(photo, tmp_path / "out.png", "position,patch")

    assert "22 x 30 nodes" in story


def test_a_drawing_may_be_of_the_work_picture(tmp_path, photo):
    path, _ = draw_features(photo, tmp_path / "small.png", "patch", work_size=45)

    assert read_picture(path).pixels.shape[:2] == (45, 60)


def test_mistakes_are_refused_and_leave_no_file(tmp_path, photo):
    output = tmp_path / "out.png"
    with pytest.raises(StageNotFound):
        draw_features(photo, output, "pach")
    with pytest.raises(OptionError):
        draw_features(photo, output, "patch", settings=["patch.stp=3"])
    with pytest.raises(PictureError, match="the output would be the input"):
        draw_features(photo, photo, "patch", overwrite="always")

    assert not output.exists()

"""What is said of a picture whose colours the model doubts, and the map of its confidence."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.batch.confidence import LOW, confidence_pixels, doubts, write_confidence
from chroma_core.errors import PictureError
from chroma_core.pictures.read import read_picture
from chroma_core.stages import Grid, Prediction


def _prediction(confidence):
    rows, cols = np.shape(confidence) if confidence is not None else (2, 2)
    return Prediction(
        chroma=np.ones((rows, cols, 2), np.float32),
        grid=Grid(rows=rows, cols=cols, origin=(1.5, 1.5), step=(4.0, 4.0)),
        confidence=None if confidence is None else np.asarray(confidence, np.float32),
    )


def test_a_picture_is_doubted_by_its_mean_confidence():
    assert doubts(_prediction([[LOW, LOW]])) == ()
    (said,) = doubts(_prediction([[0.0, 0.2]]))
    assert "not sure" in said
    assert "0.10" in said


def test_a_regressor_that_cannot_tell_is_not_doubted():
    assert doubts(_prediction(None)) == ()
    assert (confidence_pixels(_prediction(None), (5, 7), (5, 7)) == 255).all()


def test_the_map_has_the_values_of_the_nodes_where_they_lie():
    prediction = _prediction([[0.0, 1.0], [0.5, 0.25]])

    pixels = confidence_pixels(prediction, (8, 8), (8, 8))

    # Nodes lie at 1.5 and 5.5: outside them the nearest counts, amid them what is between.
    assert pixels[0, 0] == 0
    assert pixels[0, 7] == 255
    assert pixels[7, 0] == 128
    assert pixels[7, 7] == 64
    assert pixels[0, 3] == round(255 * 1.5 / 4)


def test_stripes_of_the_map_are_those_of_the_whole(monkeypatch):
    prediction = _prediction(np.random.default_rng(0).random((9, 11)))
    whole = confidence_pixels(prediction, (101, 67), (36, 44))

    monkeypatch.setattr("chroma_core.batch.confidence.STRIPE_PIXELS", 200)

    np.testing.assert_array_equal(confidence_pixels(prediction, (101, 67), (36, 44)), whole)


def test_the_map_is_a_gray_picture_and_never_written_over(tmp_path):
    path = tmp_path / "map.png"
    prediction = _prediction([[0.0, 1.0], [0.5, 0.25]])

    write_confidence(prediction, (8, 8), (8, 8), path)

    expected = confidence_pixels(prediction, (8, 8), (8, 8))
    np.testing.assert_array_equal(read_picture(path).pixels, expected)
    with pytest.raises(PictureError):
        write_confidence(prediction, (8, 8), (8, 8), path)

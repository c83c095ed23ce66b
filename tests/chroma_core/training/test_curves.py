"""History as a table, learning curves as a picture."""

import csv
import io
import sys

import numpy as np
import pytest
from PIL import Image

from chroma_core.errors import PluginError
from chroma_core.training.curves import curves_png, history_csv

HISTORY = (
    {"epoch": 1.0, "loss_a": 0.99, "loss_b": 0.95, "error_a": 1.01, "error_b": 0.97},
    {"epoch": 2.0, "loss_a": 0.9, "error_a": 0.98, "seconds": 12.5},
)


def test_every_quantity_has_a_column_and_gaps_stay_empty():
    rows = list(csv.DictReader(io.StringIO(history_csv(HISTORY).decode(), newline="")))

    assert rows[0]["error_b"] == "0.97"
    assert rows[1]["error_b"] == ""
    assert rows[1]["seconds"] == "12.5"


def test_curves_are_drawn_in_two_colours():
    pytest.importorskip("matplotlib")
    with Image.open(io.BytesIO(curves_png(HISTORY, "sift-dense"))) as opened:
        pixels = np.asarray(opened.convert("RGB")).reshape(-1, 3)

    for color in ([0xB5, 0x30, 0x6E], [0xB0, 0x8A, 0x00]):
        # A line of 2 px over some hundred columns; its rim is blended.
        assert (pixels == color).all(axis=1).sum() > 100


def test_log_losses_have_axes_of_their_own():
    pytest.importorskip("matplotlib")
    history = [
        {"epoch": float(n), "loss": 5.0 - n, "validation_loss": 5.5 - n, "error_a": 0.9}
        for n in range(1, 4)
    ]
    with Image.open(io.BytesIO(curves_png(history))) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    left, right = np.hsplit(pixels.astype(int), 2)

    def painted(part, color):
        return (part.reshape(-1, 3) == color).all(axis=1).sum()

    assert painted(left, [0xB5, 0x30, 0x6E]) > 100
    assert painted(right, [0xB5, 0x30, 0x6E]) == 0
    # Both log losses are drawn dark; so is nothing else that is 2 px thick on the left.
    assert painted(right, [0x30, 0x30, 0x30]) > 100


def test_log_losses_alone_have_the_whole_drawing():
    pytest.importorskip("matplotlib")
    history = [{"epoch": float(n), "loss": 5.0 - n, "validation_loss": 5.5 - n} for n in (1, 2, 3)]
    with Image.open(io.BytesIO(curves_png(history))) as opened:
        pixels = np.asarray(opened.convert("RGB"))

    # The lines fall from the upper left to the lower right.
    dark = (pixels == [0x30, 0x30, 0x30]).all(axis=-1)
    rows, cols = np.nonzero(dark)
    assert cols.max() > 700
    assert np.corrcoef(rows, cols)[0, 1] > 0.5


def test_an_empty_history_is_an_empty_drawing():
    pytest.importorskip("matplotlib")
    with Image.open(io.BytesIO(curves_png(()))) as opened:
        assert opened.size == (840, 540)


def test_drawing_leaves_pyplot_alone(monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)

    assert curves_png(HISTORY)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(PluginError, match=r"\[train\]"):
        curves_png(HISTORY)

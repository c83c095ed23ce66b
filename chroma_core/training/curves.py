"""What a training leaves for people: its history as a table, its learning curve as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from chroma_core.errors import PluginError
from chroma_core.training.manifest import write_atomically

__all__ = ["plot_curves", "write_history"]

# Roughly where the two axes point: a* from green to magenta, b* from blue to yellow.
_COLORS = {"a": "#b5306e", "b": "#b08a00", "ab": "#303030"}
_STYLES = {"loss": ("--", "training rows"), "error": ("-", "unseen pictures")}


def write_history(history: Sequence[Mapping[str, float]], path: Path | str) -> None:
    """Write a history as CSV: one line an epoch, one column a quantity; whole or not at all.

    Parameters
    ----------
    history : sequence of Mapping
        As in `TrainingReport.history`.
    path : path
        The file; replaced if it is there.
    """
    names = list(dict.fromkeys(name for entry in history for name in entry))
    text = io.StringIO()
    rows = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
    rows.writeheader()
    rows.writerows({name: f"{value:.9g}" for name, value in entry.items()} for entry in history)
    write_atomically(Path(path), text.getvalue().encode())


def plot_curves(history: Sequence[Mapping[str, float]], path: Path | str, title: str = "") -> None:
    """Draw learning curves as PNG.

    Lines are the entries ``loss_a``, ``loss_b`` (on training rows, dashed) and ``error_a``,
    ``error_b`` (on unseen pictures, solid). Both are errors over variance: 1 is what the mean
    colour reaches.

    Parameters
    ----------
    history : sequence of Mapping
        As in `TrainingReport.history`.
    path : path
        The file; replaced if it is there.
    title : str, optional
        Stands above.

    Raises
    ------
    PluginError
        If matplotlib is not installed.
    """
    try:
        # Not pyplot: it keeps figures in the module, and asks for a screen.
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise PluginError(
            "learning curves need matplotlib, which is not installed",
            hint='pip install "chroma-colorize[train]"',
        ) from error
    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(1.0, color="0.7", linewidth=1, label="mean colour")
    for name in dict.fromkeys(name for entry in history for name in entry):
        kind, _, target = name.partition("_")
        if kind not in _STYLES or target not in _COLORS:
            continue
        points = [(entry["epoch"], entry[name]) for entry in history if name in entry]
        style, where = _STYLES[kind]
        shown = {"a": "a*", "b": "b*", "ab": "a* and b*"}[target]
        axes.plot(
            [epoch for epoch, _ in points],
            [value for _, value in points],
            style,
            color=_COLORS[target],
            marker="o",
            markersize=3,
            label=f"{shown}, {where}",
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel("error / variance")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if title:
        axes.set_title(title)
    axes.legend(frameon=False, fontsize="small")
    axes.grid(alpha=0.25)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": "chroma"})
    write_atomically(Path(path), picture.getvalue())

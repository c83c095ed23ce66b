"""What a training leaves for people: its history as a table, its learning curve as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from chroma_core.errors import PluginError

__all__ = ["curves_png", "history_csv"]

# Roughly where the two axes point: a* from green to magenta, b* from blue to yellow.
_COLORS = {"a": "#b5306e", "b": "#b08a00", "ab": "#303030"}
_STYLES = {"loss": ("--", "training rows"), "error": ("-", "unseen pictures")}


def history_csv(history: Sequence[Mapping[str, float]]) -> bytes:
    """Return a history as CSV: one line an epoch, one column a quantity.

    Parameters
    ----------
    history : sequence of Mapping
        As in `TrainingReport.history`.
    """
    names = list(dict.fromkeys(name for entry in history for name in entry))
    text = io.StringIO()
    rows = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
    rows.writeheader()
    rows.writerows({name: f"{value:.9g}" for name, value in entry.items()} for entry in history)
    return text.getvalue().encode()


def curves_png(history: Sequence[Mapping[str, float]], title: str = "") -> bytes:
    """Return a picture of learning curves.

    Lines are the entries ``loss_a``, ``loss_b`` (on training rows, dashed) and ``error_a``,
    ``error_b`` (on unseen pictures, solid). Both are errors over variance: 1 is what the mean
    colour reaches.

    Parameters
    ----------
    history : sequence of Mapping
        As in `TrainingReport.history`.
    title : str, optional
        Stands above.

    Returns
    -------
    bytes
        A PNG file.

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
    return picture.getvalue()

"""What a training leaves for people: its history as a table, its learning curve as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from chroma_core.errors import PluginError

__all__ = ["curves_png", "history_csv"]

# Roughly where the two axes point: a* from green to magenta, b* from blue to yellow.
_COLORS = {"a": "#b5306e", "b": "#b08a00", "ab": "#303030"}
_SHOWN = {"a": "a*", "b": "b*", "ab": "a* and b*"}
_STYLES = {"loss": ("--", "training rows"), "error": ("-", "unseen pictures")}
_LOG_LOSSES = {"loss": ("--", "worn training squares"), "validation_loss": ("-", "unseen pictures")}
_POINTS = {"marker": "o", "markersize": 3}


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
    colour reaches. The entries ``loss`` and ``validation_loss`` of a network that answers with
    distributions, log losses, have axes of their own.

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
    names = list(dict.fromkeys(name for entry in history for name in entry))
    log_losses = [name for name in names if name in _LOG_LOSSES]
    axes, *others = figure.subplots(1, 1 + bool(log_losses), squeeze=False)[0]
    axes.axhline(1.0, color="0.7", linewidth=1, label="mean colour")
    axes.set_ylabel("error / variance")

    def draw(where: Any, name: str, style: str, color: str, label: str) -> None:
        points = [(entry["epoch"], entry[name]) for entry in history if name in entry]
        where.plot(*zip(*points, strict=True), style, color=color, label=label, **_POINTS)

    for name in names:
        kind, _, target = name.partition("_")
        if kind in _STYLES and target in _COLORS:
            style, seen = _STYLES[kind]
            draw(axes, name, style, _COLORS[target], f"{_SHOWN[target]}, {seen}")
    for name in log_losses:
        style, seen = _LOG_LOSSES[name]
        draw(others[0], name, style, _COLORS["ab"], seen)
        others[0].set_ylabel("log loss, rare colours weighing more")
    for each in (axes, *others):
        each.set_xlabel("epoch")
        each.xaxis.set_major_locator(MaxNLocator(integer=True))
        each.legend(frameon=False, fontsize="small")
        each.grid(alpha=0.25)
    if title:
        figure.suptitle(title)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": "chroma"})
    return picture.getvalue()

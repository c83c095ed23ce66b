"""What a training leaves for people: its history as a table, its learning curve as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from chroma_core.errors import PluginError

__all__ = ["curves_png", "history_csv"]

# Roughly where the two axes point: a* from green to magenta, b* from blue to yellow.
_COLORS = {"a": "#b5306e", "b": "#b08a00", "ab": "#303030"}
_SHOWN = {"a": "a*", "b": "b*", "ab": "a* and b*"}
_STYLES = {"loss": ("--", "training rows"), "error": ("-", "unseen pictures")}
_LOG_LOSSES = {
    "loss": ("--", "#303030", "worn training squares"),
    "validation_loss": ("-", "#303030", "unseen pictures"),
}
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
    ratios = [name for name in names if _ratio(name)]
    log_losses = [name for name in names if name in _LOG_LOSSES]
    shown = [kind for kind in (ratios, log_losses) if kind] or [ratios]
    places = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, kind in zip(places, shown, strict=True):
        if kind is ratios:
            axes.axhline(1.0, color="0.7", linewidth=1, label="mean colour")
            axes.set_ylabel("error / variance")
        else:
            axes.set_ylabel("log loss")
        for name in kind:
            style, color, label = _ratio(name) or _LOG_LOSSES[name]
            points = [(entry["epoch"], entry[name]) for entry in history if name in entry]
            axes.plot(*zip(*points, strict=True), style, color=color, label=label, **_POINTS)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, fontsize="small")
        axes.grid(alpha=0.25)
    if title:
        figure.suptitle(title)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": "chroma"})
    return picture.getvalue()


def _ratio(name: str) -> tuple[str, str, str] | None:
    """Return style, colour and label of an error over variance, or None for what is none."""
    kind, _, target = name.partition("_")
    if kind not in _STYLES or target not in _COLORS:
        return None
    style, seen = _STYLES[kind]
    return style, _COLORS[target], f"{_SHOWN[target]}, {seen}"

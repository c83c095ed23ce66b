"""How the two starts of a deep sigmoid net train: curves for the page that explains them.

Trains nets on SIFT descriptors (cell 8, step 4) of four photographs that ship with scikit-image;
every fifth block of 64 by 64 pixels is held out. Writes one row an epoch, net, start, scaling and
seed to ``starts.csv`` and draws ``starts.png``. Twelve runs of ten epochs; some minutes.

Usage: ``python training/starts_curves.py docs/explanation/curves``
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from chroma_opencv.sift import SiftFeatures, SiftOptions
from chroma_tensorflow.dense import TFDenseRegressor
from chroma_tensorflow.train_options import DenseTrainOptions

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.regressors.dense_net import DenseOptions
from chroma_core.stages import Samples, Scene, Split
from chroma_core.training.checkpoint import NoCheckpoint

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
BLOCK = 64
HELD_OUT = 5
SEEDS = (0, 1, 2)
EPOCHS = 10
COLUMNS = ("start", "scale", "seed", "net", "epoch", "training_loss", "held_out_error")


class FourPhotographs:
    """Training data: the nodes of four photographs, split by blocks of pixels.

    Neighbouring nodes look alike, so a split by node would measure memory (the error is 0.15 where
    blocks give 0.5). The blocks held out form a lattice, so that no draw decides how hard they are.
    """

    rereadable = True

    def __init__(self) -> None:
        import skimage.data

        stage = SiftFeatures(SiftOptions(step=4, sizes=(8.0,)))
        colorspace = LabColorspace()
        self.width = stage.width
        self._parts: dict[str, list[Samples]] = {"train": [], "validation": [], "card": []}
        for name in PHOTOGRAPHS:
            rgb = getattr(skimage.data, name)()
            lab = colorspace.from_rgb((rgb / 255).astype(np.float32))
            height, width = lab.shape[:2]
            grid = stage.grid(height, width)
            features = stage.extract(Scene(lightness=np.ascontiguousarray(lab[..., 0])), grid)
            rows, cols = np.meshgrid(grid.row_positions(), grid.col_positions(), indexing="ij")
            at = rows.round().astype(int), cols.round().astype(int)
            part = (at[0] // BLOCK + 2 * (at[1] // BLOCK)) % HELD_OUT == 0
            for split, chosen in (("train", ~part), ("validation", part)):
                self._parts[split].append(
                    Samples(
                        picture=name,
                        features=features[chosen],
                        lightness=lab[..., 0][at][chosen],
                        chroma=lab[..., 1:][at][chosen],
                        positions=np.stack([rows[chosen], cols[chosen]], axis=1),
                    )
                )

    def pictures(self, split: Split) -> int:
        """Return how many photographs have nodes in this part."""
        return len(self._parts[split])

    def rows(self, split: Split) -> int:
        """Return how many nodes this part has."""
        return sum(len(sample.lightness) for sample in self._parts[split])

    def samples(self, split: Split, order: np.ndarray | None = None) -> Iterator[Samples]:
        """Yield the photographs' nodes."""
        for index in range(self.pictures(split)) if order is None else order:
            yield self._parts[split][index]


def curves(data: FourPhotographs) -> Iterator[tuple[object, ...]]:
    """Train with each start, scaling and seed, and yield the rows of the table."""
    for start, scale in (
        ("image", "standardise"),
        ("glorot", "standardise"),
        ("image", "divide512"),
        ("glorot", "divide512"),
    ):
        for seed in SEEDS:
            options = DenseTrainOptions(
                epochs=EPOCHS, warmup=200, patience=EPOCHS, start=start, scale=scale, seed=seed
            )
            stage = TFDenseRegressor(DenseOptions(lightness=False))
            report = stage.train(data, options, lambda *facts: None, NoCheckpoint())
            for entry in report.history:
                for net in ("a", "b"):
                    losses = entry[f"loss_{net}"], entry[f"error_{net}"]
                    yield (start, scale, seed, net, int(entry["epoch"]), *losses)
            print(start, scale, seed, report.facts, file=sys.stderr)


def draw(table: list[tuple[object, ...]], path: Path) -> None:
    """Draw the held-out error by epoch, a panel for each net."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    colours = {"image": "#0b6e99", "glorot": "#c4502b"}
    dashes = {"standardise": "-", "divide512": ":"}
    for panel, net in zip(panels, ("a", "b"), strict=True):
        for start, colour in colours.items():
            for scale, dash in dashes.items():
                for seed in SEEDS:
                    run = [row for row in table if row[:4] == (start, scale, seed, net)]
                    label = f"{start}, {'inputs ÷ 512' if dash == ':' else 'standardised inputs'}"
                    panel.plot(
                        [row[4] for row in run],
                        [row[6] for row in run],
                        dash,
                        color=colour,
                        linewidth=1.2,
                        label=label if seed == SEEDS[0] else None,
                    )
        panel.axhline(1, color="0.6", linewidth=0.8)
        panel.set_xlabel("epoch")
        panel.set_title(f"{net}*")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("held-out squared error\n(1: the training mean)")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def main(folder: Path) -> None:
    """Write the table and the drawing into a folder."""
    table = list(curves(FourPhotographs()))
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "starts.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((*row[:5], f"{row[5]:.4f}", f"{row[6]:.4f}") for row in table)
    draw(table, folder / "starts.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

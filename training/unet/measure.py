"""Measure what `chroma evaluate` does not: confidence, and how answers change with size and flips.

::

    python training/unet/measure.py MODEL PICTURES [--certainty C] [--most N] > measured.json

Confidence is measured at the nodes of the prediction, by distance in the a*b* plane. Sizes and
flips are measured by CIEDE2000 between outputs of the whole pipeline, brought to 256 px.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from chroma_core import build, read_picture
from chroma_core.color.bins import probabilities, soft_codes
from chroma_core.color.difference import delta_e_2000
from chroma_core.color.lab import rgb_to_lab
from chroma_core.filters.resize import area_shrink
from chroma_core.pipeline import Pipeline, at_nodes, lightness_of, work_shape
from chroma_core.regressors.unet_net import UNetAnswer

SIDES = (192, 256, 384, 512)
VIVIDNESSES = (0.0, 0.5, 1.0)
RELIABILITY_BINS = 15


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--certainty", type=float, default=None)
    parser.add_argument("--most", type=int, default=10**6, help="pictures for sizes and flips")
    given = parser.parse_args()
    pipeline = build(model=given.model, certainty=given.certainty, regressor="onnx")
    paths = sorted(path for path in given.pictures.rglob("*.*") if path.is_file())
    photographs = [read_picture(path).pixels for path in paths]
    photographs = [pixels for pixels in photographs if pixels.ndim == 3]
    few = photographs[:: max(1, -(-len(photographs) // given.most))]
    found = {
        "pictures": len(photographs),
        "confidence": confidence(photographs, pipeline),
        "pictures for sizes and flips": len(few),
        "sizes": sizes(few, pipeline),
        "work sizes": work_sizes(few, pipeline),
        "flip": flips(few, pipeline),
    }
    print(json.dumps(found, indent=1))


def confidence(photographs: list[np.ndarray], pipeline: Pipeline) -> dict[str, object]:
    """Return errors of the most certain nodes, points of the risk-coverage curve, reliability."""
    plain = replace(pipeline, certainty=0.0)
    sure, truths, bars = [], [], Reliability()
    answers: dict[float, list[np.ndarray]] = {vividness: [] for vividness in VIVIDNESSES}
    for pixels in photographs:
        lightness = lightness_of(pixels, plain.colorspace)
        prediction = plain.predict_lightness(lightness)
        lab = rgb_to_lab(pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max))
        work = area_shrink(lab[..., 1:], work_shape(lightness.shape, plain.work_size))
        truth = at_nodes(_block_means(work), prediction.grid).reshape(-1, 2)
        truths.append(truth)
        sure.append(prediction.confidence.ravel())
        for vividness, held in answers.items():
            held.append(prediction.at(vividness).chroma.reshape(-1, 2))
        bars.add(prediction, truth)
    sureness, truth = np.concatenate(sure), np.concatenate(truths)
    order = np.argsort(-sureness, kind="stable")
    gray = np.hypot(truth[:, 0], truth[:, 1])
    found: dict[str, object] = {"expected calibration error": round(bars.error(), 4)}
    for vividness, held in answers.items():
        gaps = np.concatenate(held) - truth
        found[f"vividness {vividness}"] = _risk(
            np.hypot(gaps[:, 0], gaps[:, 1])[order], gray[order]
        )
    found["reliability"] = bars.rows()
    return found


def _risk(ours: np.ndarray, gray: np.ndarray) -> dict[str, object]:
    """Return errors of the surest nodes; both arrays begin with those."""
    half = len(ours) // 2
    curve = []
    for share in np.linspace(0.1, 1.0, 10):
        stop = int(share * len(ours))
        curve.append(
            {
                "coverage": round(float(share), 2),
                "error": round(float(ours[:stop].mean()), 3),
                "error over gray's": round(float(ours[:stop].mean() / gray[:stop].mean()), 4),
            }
        )
    return {
        "error over gray's, all": round(float(ours.mean() / gray.mean()), 4),
        "error over gray's, most certain half": round(
            float(ours[:half].mean() / gray[:half].mean()), 4
        ),
        "error of that half over error of all": round(float(ours[:half].mean() / ours.mean()), 4),
        "risk and coverage": curve,
    }


class Reliability:
    """How often the likeliest bin is the true one, by how likely it is said to be."""

    def __init__(self) -> None:
        self._counts, self._said, self._right = np.zeros((3, RELIABILITY_BINS))

    def add(self, prediction: UNetAnswer, truth: np.ndarray) -> None:
        """Count the nodes of one picture; `truth` is (nodes, 2)."""
        held = prediction.tensors
        bins, temperature = held["bins"], float(held["calibration"][0])
        logits = prediction.logits.reshape(-1, len(bins)) - np.log(held["weights"])
        shares = probabilities(logits / np.float32(temperature))
        nearest = soft_codes(truth, bins, neighbours=1)[0][:, 0]
        said, right = shares.max(axis=1), shares.argmax(axis=1) == nearest
        place = np.minimum((said * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
        for array, weight in ((self._counts, None), (self._said, said), (self._right, right)):
            array += np.bincount(place, weight, RELIABILITY_BINS)

    def error(self) -> float:
        """Return the expected calibration error (Guo et al., ICML 2017)."""
        return float(np.abs(self._said - self._right).sum() / self._counts.sum())

    def rows(self) -> list[dict[str, float]]:
        """Return, for each bin that holds nodes, their share, what was said and what was right."""
        total = self._counts.sum()
        return [
            {
                "nodes": round(float(count / total), 5),
                "said": round(float(said / count), 4),
                "right": round(float(right / count), 4),
            }
            for count, said, right in zip(self._counts, self._said, self._right, strict=True)
            if count
        ]


def sizes(photographs: list[np.ndarray], pipeline: Pipeline) -> dict[str, float]:
    """Return how answers differ when the picture comes in another size."""
    return _differences(photographs, lambda pixels, side: pipeline(_resized(pixels, side)))


def work_sizes(photographs: list[np.ndarray], pipeline: Pipeline) -> dict[str, float]:
    """Return how answers differ when the network looks at another size."""
    return _differences(
        photographs,
        lambda pixels, side: replace(pipeline, work_size=side)(_resized(pixels, max(SIDES))),
    )


def flips(photographs: list[np.ndarray], pipeline: Pipeline) -> float:
    """Return how answers differ when the picture is mirrored."""
    gaps = []
    for pixels in photographs:
        gray = _gray(pixels)
        mirrored = pipeline(np.ascontiguousarray(gray[:, ::-1]))[:, ::-1]
        gaps.append(_gap(pipeline(gray), mirrored))
    return round(float(np.mean(gaps)), 3)


def _differences(
    photographs: list[np.ndarray], answer: Callable[[np.ndarray, int], np.ndarray]
) -> dict[str, float]:
    pairs = list(itertools.combinations(SIDES, 2))
    gaps: dict[tuple[int, int], list[float]] = {pair: [] for pair in pairs}
    for pixels in photographs:
        gray = _gray(pixels)
        answers = {side: _resized(answer(gray, side), 256) for side in SIDES}
        for pair in pairs:
            gaps[pair].append(_gap(answers[pair[0]], answers[pair[1]]))
    found = {
        f"{first} and {second}": float(np.mean(gaps[first, second])) for first, second in pairs
    }
    found["mean of six pairs"] = float(np.mean(list(found.values())))
    return {name: round(value, 3) for name, value in found.items()}


def _gray(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _resized(pixels: np.ndarray, side: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = side / min(height, width)
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _gap(first: np.ndarray, second: np.ndarray) -> float:
    # Sizes are rounded on the way: a row or column more is left out.
    rows, cols = np.minimum(first.shape[:2], second.shape[:2])
    labs = [
        rgb_to_lab(pixels[:rows, :cols].astype(np.float32) / np.float32(255))
        for pixels in (first, second)
    ]
    return float(delta_e_2000(*labs).mean())


def _block_means(work: np.ndarray) -> np.ndarray:
    """Return means over 4 x 4 pixels around each, so that nodes are compared with their areas."""
    padded = np.pad(work, ((2, 2), (2, 2), (0, 0)), mode="edge")
    sums = np.pad(padded.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0), (0, 0)))
    boxes = sums[4:, 4:] - sums[:-4, 4:] - sums[4:, :-4] + sums[:-4, :-4]
    # A box of an even side lies between pixels: on the places of the nodes, half a pixel on.
    means = boxes / 16
    return ((means[:-1, :-1] + means[1:, :-1] + means[:-1, 1:] + means[1:, 1:]) / 4).astype(
        np.float32
    )


if __name__ == "__main__":
    main()

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
from chroma_core.color.difference import delta_e_2000
from chroma_core.color.lab import rgb_to_lab
from chroma_core.filters.resize import area_shrink
from chroma_core.pipeline import Pipeline, at_nodes, lightness_of, work_shape

SIDES = (192, 256, 384, 512)


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
    """Return errors of the most certain nodes, and points of the risk-coverage curve."""
    plain = replace(pipeline, certainty=0.0)
    sure, ours, gray = [], [], []
    for pixels in photographs:
        lightness = lightness_of(pixels, plain.colorspace)
        prediction = plain.predict_lightness(lightness)
        lab = rgb_to_lab(pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max))
        work = area_shrink(lab[..., 1:], work_shape(lightness.shape, plain.work_size))
        blurred = _block_means(work)
        truth = at_nodes(blurred, prediction.grid)
        sure.append(prediction.confidence.ravel())
        ours.append(np.hypot(*np.moveaxis(prediction.chroma - truth, -1, 0)).ravel())
        gray.append(np.hypot(*np.moveaxis(truth, -1, 0)).ravel())
    sure, ours, gray = (np.concatenate(parts) for parts in (sure, ours, gray))
    order = np.argsort(-sure, kind="stable")
    half = order[: len(order) // 2]
    curve = []
    for share in np.linspace(0.1, 1.0, 10):
        part = order[: int(share * len(order))]
        curve.append(
            {
                "coverage": round(float(share), 2),
                "error": round(float(ours[part].mean()), 3),
                "error over gray's": round(float(ours[part].mean() / gray[part].mean()), 4),
            }
        )
    return {
        "error over gray's, all": round(float(ours.mean() / gray.mean()), 4),
        "error over gray's, most certain half": round(
            float(ours[half].mean() / gray[half].mean()), 4
        ),
        "error of that half over error of all": round(float(ours[half].mean() / ours.mean()), 4),
        "risk and coverage": curve,
    }


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

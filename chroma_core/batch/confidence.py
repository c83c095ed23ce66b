"""How sure a regressor was of a picture: what is said of it, and a map of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chroma_core.filters.resize import sample_bilinear
from chroma_core.pictures.atomic import Overwrite
from chroma_core.pictures.write import write_picture
from chroma_core.stages import Prediction

__all__ = ["LOW", "LOW_CONFIDENCE", "confidence_pixels", "doubts", "write_confidence"]

LOW = 0.25
"""Mean confidence below which a picture is said to be coloured with low confidence."""

LOW_CONFIDENCE = "low-confidence"
"""Note of such a picture."""

STRIPE_PIXELS = 1_000_000


def doubts(prediction: Prediction) -> tuple[str, ...]:
    """Return a warning where the regressor was not sure of a picture, or nothing."""
    if prediction.confidence is None:
        return ()
    mean = float(prediction.confidence.mean())
    if mean >= LOW:
        return ()
    return (f"the model is not sure of its colours (mean confidence {mean:.2f} of 1)",)


def confidence_pixels(
    prediction: Prediction, size: tuple[int, int], work: tuple[int, int]
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Return confidence at full size.

    Parameters
    ----------
    prediction : Prediction
        With a confidence.
    size : tuple of int
        Rows and columns of the picture.
    work : tuple of int
        Rows and columns of the work picture in which the nodes lie.

    Returns
    -------
    ndarray, shape `size`
        uint8: 0 no idea, 255 sure; 255 everywhere where the regressor cannot tell.
    """
    pixels = np.full(size, 255, dtype=np.uint8)
    if prediction.confidence is None:
        return pixels
    grid = prediction.grid
    rows = ((np.arange(size[0]) + 0.5) * (work[0] / size[0]) - 0.5 - grid.origin[0]) / grid.step[0]
    cols = ((np.arange(size[1]) + 0.5) * (work[1] / size[1]) - 0.5 - grid.origin[1]) / grid.step[1]
    step = max(1, STRIPE_PIXELS // size[1])
    for start in range(0, size[0], step):
        part = slice(start, start + step)
        sure = sample_bilinear(prediction.confidence, rows[part], cols)
        pixels[part] = np.rint(np.clip(sure, 0, 1) * 255)
    return pixels


def write_confidence(
    prediction: Prediction,
    size: tuple[int, int],
    work: tuple[int, int],
    path: Path,
    overwrite: Overwrite = "never",
) -> Path:
    """Write confidence at full size as a gray picture, see `confidence_pixels`.

    Raises
    ------
    PictureError
        If the file is there already or cannot be written.
    """
    return write_picture(confidence_pixels(prediction, size, work), path, overwrite=overwrite)

"""Predicted chroma on disk: a* and b* apart, as the design's networks are.

For a picture ``photo`` a folder holds ``photo.a.npy`` and ``photo.b.npy`` (float32, at the nodes)
and ``photo.json`` (where the nodes lie, of which picture, and what predicted them).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chroma_core.errors import InputError
from chroma_core.pictures.atomic import (
    Overwrite,
    refuse_existing,
    write_bytes_atomically,
    write_error,
)
from chroma_core.pictures.write import write_npy
from chroma_core.stages import Grid, Prediction

__all__ = ["SavedPrediction", "load_prediction", "save_prediction"]

FORMAT = 1
LARGEST_JSON = 1 << 20
LARGEST_MAP = 1 << 28


@dataclass(frozen=True, kw_only=True)
class SavedPrediction:
    """A prediction read back from disk.

    Attributes
    ----------
    prediction : Prediction
        a* and b* at the nodes.
    work_size : int
        Short side of the work picture that the nodes lie in, 0 for full size.
    size : tuple of int
        Rows and columns of the picture.
    sha256 : str
        Of the picture's upright gray pixels' L*, as float32.
    made_by : Mapping
        `Pipeline.describe` of what predicted it.
    """

    prediction: Prediction
    work_size: int
    size: tuple[int, int]
    sha256: str
    made_by: Mapping[str, Any]


def save_prediction(
    folder: str | Path,
    name: str,
    saved: SavedPrediction,
    *,
    overwrite: Overwrite = "never",
) -> tuple[Path, Path, Path]:
    """Write a* and b* to two files, and where they belong to a third.

    Returns
    -------
    tuple of Path
        ``name.a.npy``, ``name.b.npy`` and ``name.json``.

    Raises
    ------
    PictureError
        If a file is there already or cannot be written.
    """
    folder = Path(folder)
    a, b, facts = (folder / f"{name}.{end}" for end in ("a.npy", "b.npy", "json"))
    if overwrite == "never":
        for path in (a, b, facts):
            refuse_existing(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, folder) from error
    grid = saved.prediction.grid
    text = {
        "format": FORMAT,
        "grid": {
            "rows": grid.rows,
            "cols": grid.cols,
            "origin": list(grid.origin),
            "step": list(grid.step),
        },
        "work_size": saved.work_size,
        "size": list(saved.size),
        "lightness_sha256": saved.sha256,
        "made_by": dict(saved.made_by),
    }
    chroma = saved.prediction.chroma.astype(np.float32, copy=False)
    write_npy(a, np.ascontiguousarray(chroma[..., 0]), overwrite=overwrite)
    write_npy(b, np.ascontiguousarray(chroma[..., 1]), overwrite=overwrite)
    write_bytes_atomically(facts, (json.dumps(text, indent=2) + "\n").encode(), overwrite)
    return a, b, facts


def load_prediction(folder: str | Path, name: str) -> SavedPrediction:
    """Read what `save_prediction` wrote.

    Raises
    ------
    InputError
        If a file is missing, damaged, or does not fit the others.
    """
    folder = Path(folder)
    facts_path = folder / f"{name}.json"
    try:
        if facts_path.stat().st_size > LARGEST_JSON:
            raise InputError("is too large for a prediction's facts", path=str(facts_path))
        facts = json.loads(facts_path.read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise InputError(f"has format {facts['format']}, wanted {FORMAT}", path=str(facts_path))
        grid = Grid(
            rows=int(facts["grid"]["rows"]),
            cols=int(facts["grid"]["cols"]),
            origin=_pair(facts["grid"]["origin"]),
            step=_pair(facts["grid"]["step"], above=0.0),
        )
        height, width = (int(number) for number in facts["size"])
        if not (min(grid.shape) >= 1 and min(height, width) >= 1):
            raise InputError("has a grid or a picture of no size", path=str(facts_path))
        work_size, sha256 = max(0, int(facts["work_size"])), str(facts["lightness_sha256"])
        made_by = dict(facts["made_by"])
    except FileNotFoundError:
        raise InputError(
            "no prediction of this picture is here",
            path=str(facts_path),
            hint="chroma predict PICTURE -o FOLDER makes one",
            exit_status=66,
        ) from None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("is no prediction's description", path=str(facts_path)) from error
    channels = [_load_map(folder / f"{name}.{channel}.npy", grid) for channel in "ab"]
    return SavedPrediction(
        prediction=Prediction(chroma=np.stack(channels, axis=-1), grid=grid),
        work_size=work_size,
        size=(height, width),
        sha256=sha256,
        made_by=made_by,
    )


def _pair(numbers: Any, *, above: float = -math.inf) -> tuple[float, float]:
    first, second = (float(number) for number in numbers)
    if not (above < first < math.inf and above < second < math.inf):
        raise ValueError(f"{numbers} are not finite, or not above {above}")
    return first, second


def _load_map(path: Path, grid: Grid) -> Any:
    try:
        if path.stat().st_size > LARGEST_MAP:
            raise InputError("is too large for a map of chroma", path=str(path))
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(
            "is missing", path=str(path), hint="predict again", exit_status=66
        ) from None
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("is no map of chroma", path=str(path), hint="predict again") from error
    if values.shape != grid.shape or values.dtype != np.float32:
        raise InputError(
            f"has shape {values.shape} and dtype {values.dtype}, wanted {grid.shape} and float32",
            path=str(path),
            hint="predict again",
        )
    if not np.isfinite(values).all():
        raise InputError("holds NaN or infinity", path=str(path), hint="predict again")
    return values

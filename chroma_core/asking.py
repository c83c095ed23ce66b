"""Ask a stage, and hold its answer to the contract.

The host checks every answer once: an error that is not chroma's own, an answer of another shape,
NaN, a grid that is none. All of it is told with the name of the stage.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chroma_core.arrays import AnyArray
from chroma_core.errors import ChromaError, ContractError, StageError
from chroma_core.stages import Grid, Prediction, Refiner, Regressor, Stage, check_answer

__all__ = ["asked", "check_grid", "checked_prediction", "reach_of", "read_only"]


def asked(stage: Stage[Any], method: Any, *arguments: Any) -> Any:
    """Call a stage; an error that is not chroma's own is told with the stage's name."""
    try:
        return method(*arguments)
    except (ChromaError, MemoryError):
        raise
    except Exception as error:
        raise StageError(f"{stage.role} {stage.name} failed: {_story(error)}") from error


def _story(error: Exception) -> str:
    """Return an error in one line; its own text may be empty, long, or fail to come."""
    try:
        text = str(error).strip()
    except Exception:
        text = ""
    first = text.splitlines()[0][:200] if text else "without a message"
    return f"{type(error).__name__}: {first}"


def checked_prediction(regressor: Regressor[Any], prediction: Any) -> Prediction:
    """Return what a regressor answered, if it is a prediction of finite numbers on a grid."""
    if not isinstance(prediction, Prediction):
        raise ContractError(
            f"regressor {regressor.name}: predict is a {type(prediction).__name__}, "
            "wanted a Prediction"
        )
    check_grid(regressor, prediction.grid)
    check_answer(regressor, "chroma", prediction.chroma, (*prediction.grid.shape, 2))
    if prediction.confidence is not None:
        check_answer(regressor, "confidence", prediction.confidence, prediction.grid.shape)
    return prediction


def check_grid(stage: Stage[Any], grid: Any) -> None:
    """Raise ContractError unless a stage's grid is one."""
    if not isinstance(grid, Grid):
        raise ContractError(
            f"{stage.role} {stage.name}: grid is a {type(grid).__name__}, wanted a Grid"
        )
    finite = all(np.isfinite([*grid.origin, *grid.step]))
    if not (grid.rows >= 1 and grid.cols >= 1 and finite and min(grid.step) > 0):
        raise ContractError(
            f"{stage.role} {stage.name}: grid is {grid}, wanted nodes a finite distance apart"
        )


def reach_of(refiner: Refiner[Any], scale: float) -> int | None:
    """Return how far a refiner looks, see `Refiner.reach`."""
    reach = asked(refiner, refiner.reach, scale)
    if reach is not None and not (isinstance(reach, int | np.integer) and reach >= 0):
        raise ContractError(
            f"refiner {refiner.name}: reach is {reach!r}, wanted a number of pixels or None"
        )
    return None if reach is None else int(reach)


def read_only(array: AnyArray) -> AnyArray:
    """Return a view that a stage cannot write into."""
    view = array.view()
    view.flags.writeable = False
    return view

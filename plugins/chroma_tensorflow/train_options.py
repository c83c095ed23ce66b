"""Options of the training of ``tf-dense``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chroma_core.options import Options, option

__all__ = ["DenseTrainOptions"]


@dataclass(frozen=True, kw_only=True)
class DenseTrainOptions(Options):
    """How the nets are trained."""

    epochs: int = option(20, "most passes over the training rows", ge=1)
    batch: int = option(256, "rows a step", unit="rows", ge=1)
    learning_rate: float = option(1e-3, "Adam's rate at its highest", gt=0)
    warmup: int = option(300, "steps over which the rate rises to that", unit="steps", ge=0)
    weight_decay: float = option(0.0, "share of each weight lost a step, times the rate", ge=0)
    dropout: float = option(
        0.0, "share of the standardised inputs that is set to their mean in each step", ge=0, lt=1
    )
    noise: float = option(0.0, "standard deviation of noise added to the standardised inputs", ge=0)
    patience: int = option(3, "epochs without improvement after which a net rests", ge=1)
    seed: int = option(0, "what starts, order, dropout and noise follow from", ge=0)
    start: Literal["image", "glorot"] = option(
        "image", "weights to begin with: the image of an orthogonal tanh net, or Glorot's"
    )
    scale: Literal["standardise", "divide512"] = option(
        "standardise", "inputs by their mean and spread, or divided by 512"
    )
    precision: Literal["float32", "bfloat16"] = option(
        "float32",
        "of hidden layers' products while training; bfloat16 is faster on processors that have it",
    )
    buffer_rows: int = option(131_072, "rows that are mixed with each other", unit="rows", ge=1)
    log_dir: str = option("", "folder for TensorBoard logs; none if empty", run=True)
    threads: int = option(0, "threads to compute with; 0 takes one a processor", ge=0, run=True)

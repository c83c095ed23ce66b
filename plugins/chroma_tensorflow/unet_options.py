"""Options of ``tf-unet`` and of its training."""

from __future__ import annotations

from dataclasses import dataclass

from chroma_core.options import Options, option
from chroma_core.regressors.unet_net import UNetShape

__all__ = ["UNetOptions", "UNetTrainOptions"]


@dataclass(frozen=True, kw_only=True)
class UNetOptions(UNetShape):
    """What networks there are, and how they are run."""

    twice: bool = option(
        True, "average with a second look, at the mirrored picture in another size", run=True
    )


@dataclass(frozen=True, kw_only=True)
class UNetTrainOptions(Options):
    """How the network is trained."""

    epochs: float = option(
        10.0, "passes over the training pictures; 0 only chooses how answers are decoded", ge=0
    )
    batch: int = option(16, "pictures a step", ge=1)
    learning_rate: float = option(6e-4, "of AdamW at its highest, for the decoder", gt=0)
    encoder_rate: float = option(
        0.05, "share of that for an encoder's channel of RMS 0.05, others by their RMS", ge=0
    )
    warmup: int = option(300, "steps over which the rate rises", unit="steps", ge=0)
    weight_decay: float = option(0.05, "of AdamW", ge=0)
    dropout: float = option(0.2, "share of channels left out, at three places", ge=0, lt=1)
    mix: float = option(1.0, "1 weighs all colours alike, 0 by how rare they are", ge=0, le=1)
    sizes: str = option(
        "160,192,224,256", "sides of the squares that are cut out, multiples of 32", unit="px"
    )
    closest: float = option(
        1.8, "most that a square may be closer than the whole short side", ge=1, le=4
    )
    wear: float = option(
        0.25, "share of the squares that get the wear of old photographs", ge=0, le=1
    )
    average: float = option(0.999, "of the running mean of weights that is kept", ge=0, lt=1)
    validate: int = option(200, "pictures that errors are measured on after each part", ge=1)
    certainty: float = option(
        0.06, "what the model advises: the share of places, most doubted, that fade", ge=0, le=1
    )
    parts: int = option(4, "checkpoints an epoch", ge=1, run=True)
    seed: int = option(0, "what order, cuts and wear follow from", ge=0)
    start: str = option(
        "unet",
        "model to begin with, or a .safetensors file with an encoder",
        run=True,
    )
    second: str = option(
        "",
        "model, or .safetensors file, whose network is to take the second look; "
        "if empty, the one that is trained takes both",
        run=True,
    )
    log_dir: str = option("", "folder for TensorBoard logs; none if empty", run=True)
    threads: int = option(0, "threads to compute with; 0 takes one a processor", ge=0, run=True)

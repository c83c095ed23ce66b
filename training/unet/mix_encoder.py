"""Take an encoder part of the way back to how it was before it was tuned.

::

    python training/unet/mix_encoder.py MODEL ENCODER OUT [--share 0.6]

MODEL: a model folder of `tf-unet`. ENCODER: the .safetensors of `encoder_start.py`. OUT: a
.safetensors with all the model's convolutions, for `--set train.start=OUT`; the encoder's are the
given share tuned. Tuned weights that stay near the pretrained ones do better on pictures of other
kinds (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from chroma_core.models import load_model
from chroma_core.regressors.unet_net import CONVOLUTIONS, ENCODER, FILE


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("encoder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.6, help="1 keeps the tuned one")
    given = parser.parse_args()
    tuned = load_model(given.model).regressor.weights()[FILE]
    before = load_file(given.encoder)
    encoder = {convolution.name for convolution in ENCODER}
    mixed = {}
    for convolution in CONVOLUTIONS:
        for part in ("kernel", "bias"):
            name = f"{convolution.name}.{part}"
            value = tuned[name].astype(np.float32)
            if convolution.name in encoder:
                value = given.share * value + (1 - given.share) * before[name].astype(np.float32)
            mixed[name] = value
    save_file(mixed, given.out)


if __name__ == "__main__":
    main()

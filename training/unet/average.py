"""Average networks of one shape, weight by weight.

::

    python training/unet/average.py OUT.safetensors NET.safetensors...

Networks that went separate or further ways from a common one, at a rate that did not fall, lie
around a mean that errs less on pictures of other sources than any of them (Izmailov et al.,
"Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018; Cha et al., "SWAD:
Domain Generalization by Seeking Flat Minima", NeurIPS 2021).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


def main() -> None:
    """Average."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("nets", type=Path, nargs="+")
    given = parser.parse_args()
    nets = [load_file(path) for path in given.nets]
    mean = {
        name: np.mean([net[name] for net in nets], axis=0, dtype=np.float64).astype(np.float32)
        for name in nets[0]
    }
    save_file(mean, given.out)


if __name__ == "__main__":
    main()

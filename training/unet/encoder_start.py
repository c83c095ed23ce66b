"""Write the ported encoder under the names of ``bins-unet/2``, for a training to begin with.

::

    python training/unet/encoder_start.py ARRAYS.safetensors OUT.safetensors

ARRAYS comes from ``training/encoder/read_lite0.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from chroma_core.regressors.unet_net import ENCODER

sys.path.insert(0, str(Path(__file__).parents[1] / "encoder"))

from lite0 import convolutions  # the folder above was added for it


def main(arrays: Path, out: Path) -> None:
    """Write the file."""
    tensors = {}
    for found, wanted in zip(convolutions(load_file(arrays)), ENCODER, strict=True):
        if found.kernel.shape != wanted.kernel_shape:
            raise SystemExit(f"{found.name} has shape {found.kernel.shape}: not the same network")
        tensors[f"{wanted.name}.kernel"] = np.ascontiguousarray(found.kernel)
        tensors[f"{wanted.name}.bias"] = found.bias
    save_file(tensors, out)
    print(f"{out}: {sum(array.size for array in tensors.values()):,} numbers")


if __name__ == "__main__":
    main(*(Path(name) for name in sys.argv[1:3]))

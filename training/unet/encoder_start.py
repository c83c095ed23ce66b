"""Write the ported encoder under the names of ``bins-unet/2``, for a training to begin with.

::

    python training/unet/encoder_start.py ARRAYS.safetensors OUT.safetensors
    torch-env/bin/python training/unet/encoder_start.py lite2 OUT.safetensors

ARRAYS comes from ``training/encoder/read_lite0.py``. Lite2, which was only tried, is read out of
its torch file (``training/encoder/lite2.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from chroma_core.arrays import AnyArray
from chroma_core.regressors.unet_net import LITE0, encoder_of

sys.path.insert(0, str(Path(__file__).parents[1] / "encoder"))

# The folder above was added for these.
from lite0 import convolutions
from lite2 import LITE2, lite2_arrays


def main(given: str, out: Path) -> None:
    """Write the file."""
    arrays: Mapping[str, AnyArray] = lite2_arrays() if given == "lite2" else load_file(given)
    encoder = tuple(encoder_of(LITE2 if given == "lite2" else LITE0))
    strides = [convolution.stride for convolution in encoder if convolution.depthwise]
    tensors = {}
    for found, wanted in zip(convolutions(arrays, strides), encoder, strict=True):
        if found.kernel.shape != wanted.kernel_shape:
            raise SystemExit(f"{found.name} has shape {found.kernel.shape}: not the same network")
        tensors[f"{wanted.name}.kernel"] = np.ascontiguousarray(found.kernel)
        tensors[f"{wanted.name}.bias"] = found.bias
    save_file(tensors, out)
    print(f"{out}: {sum(array.size for array in tensors.values()):,} numbers")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

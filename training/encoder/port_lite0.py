"""Port EfficientNet-Lite0 to Keras and ONNX, and show that it answers as torch does.

::

    python training/encoder/port_lite0.py ARRAYS.safetensors REFERENCE.npz OUT.onnx

Both inputs come from `read_lite0.py`. Prints, for Keras, for ONNX, and for ONNX with kernels in
half precision, the largest difference from the reference at each depth, beside the largest value
there; refuses to write if one is further away than rounding explains.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from lite0 import OUTPUTS, convolutions, keras_model, onnx_bytes
from safetensors.numpy import load_file

LIMITS = {"keras": 1e-4, "onnx": 1e-4, "onnx, half": 2e-2}
"""Most difference over the largest value: sums of float32 in another order, kernels of 11 bits."""


def main(arrays: Path, reference: Path, out: Path) -> None:
    """Write the ONNX file."""
    convs = list(convolutions(load_file(arrays)))
    wanted = dict(np.load(reference))
    gray = wanted.pop("gray").astype(np.float32)[:, np.newaxis] / np.float32(255)
    half = onnx_bytes(convs)
    answers = {
        "keras": _run_keras(convs, gray),
        "onnx": _run_onnx(onnx_bytes(convs, half=False), gray),
        "onnx, half": _run_onnx(half, gray),
    }
    worst = 0.0
    for form, found in answers.items():
        for name in OUTPUTS:
            largest = np.abs(wanted[name]).max()
            gap = np.abs(found[name] - wanted[name]).max()
            worst = max(worst, gap / largest / LIMITS[form])
            print(f"{form:12} {name:14} differs by {gap:.2e} at most, of {largest:.2f}")
    if worst > 1:
        raise SystemExit("the port does not answer as torch does: nothing is written")
    out.write_bytes(half)
    print(
        f"{out}: {len(half):,} bytes, {sum(c.kernel.size + c.bias.size for c in convs):,} numbers"
    )


def _run_keras(convs: list[Any], gray: Any) -> dict[str, Any]:
    import keras

    answer = keras_model(convs)(gray.transpose(0, 2, 3, 1))
    found = {name: keras.ops.convert_to_numpy(array) for name, array in answer.items()}
    return {name: np.moveaxis(a, -1, 1) if a.ndim == 4 else a for name, a in found.items()}


def _run_onnx(model: bytes, gray: Any) -> dict[str, Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"gray": gray}), strict=True))


if __name__ == "__main__":
    main(*(Path(name) for name in sys.argv[1:4]))

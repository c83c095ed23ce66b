"""What networks of others are given, and what their answers mean.

A network of others knows nothing of this program. A `Profile` says what it is given and what its
answer means; the three that are named here follow the code that the networks were published with:

- R. Zhang, P. Isola & A. A. Efros, "Colorful Image Colorization", ECCV 2016 (``eccv16``), and
  R. Zhang et al., "Real-Time User-Guided Image Colorization with Learned Deep Priors", SIGGRAPH
  2017 (``siggraph17``): ``colorizers/`` of github.com/richzhang/colorization. The picture is
  brought to 256 x 256 by Pillow's bicubic filter. The networks take L* and give a* and b*: the
  shift by 50 and the scales 100 and 110 are computed inside (``base_color.py``), so that an export
  holds them.
- X. Kang et al., "DDColor: Towards Photo-Realistic Image Colorization via Dual Decoders", ICCV 2023
  (``ddcolor``): ``ddcolor/pipeline.py`` of github.com/piddnad/DDColor. The picture is brought to
  512 x 512 by OpenCV's bilinear interpolation, its L* alone becomes RGB in [0, 1] again, and the
  answer is a* and b*. The means and deviations of ImageNet are applied inside (``model.py``).

Neither keeps the picture's aspect, and so does none here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.color import gray_to_lightness, lightness_to_gray
from chroma_core.filters.resize import sample_bilinear

__all__ = ["CHANNELS", "PROFILES", "Input", "Layout", "Profile", "Resize", "network_input"]

Input = Literal["lightness", "gray-rgb"]
Layout = Literal["nchw", "nhwc"]
Resize = Literal["bilinear", "bicubic"]

CHANNELS: Mapping[Input, int] = {"lightness": 1, "gray-rgb": 3}


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a network is given, and what its answer means.

    Attributes
    ----------
    size : int
        Rows and columns of the picture that it is given, where its file leaves that open.
    input : {"lightness", "gray-rgb"}
        L* in [0, 100], one channel; or the encoded gray of that L* in [0, 1], three times.
    offset, divisor : float
        It is given ``(input - offset) / divisor``.
    output_scale : float
        What its answer is multiplied by to be a* and b*.
    layout : {"nchw", "nhwc"}
        Where channels stand.
    resize : {"bilinear", "bicubic"}
        How the encoded gray comes to the size: interpolated between four pixels, as
        ``cv2.resize`` does by itself; or by a cubic filter that grows with what is shrunk, as
        Pillow's ``BICUBIC``.
    """

    size: int
    input: Input
    offset: float = 0.0
    divisor: float = 1.0
    output_scale: float = 1.0
    layout: Layout = "nchw"
    resize: Resize = "bilinear"


PROFILES: Mapping[str, Profile] = {
    "ddcolor": Profile(size=512, input="gray-rgb", resize="bilinear"),
    "siggraph17": Profile(size=256, input="lightness", resize="bicubic"),
    "eccv16": Profile(size=256, input="lightness", resize="bicubic"),
}
"""By the name that the option ``profile`` takes; ``custom`` is made from the other options."""


def network_input(lightness: FloatArray, profile: Profile, shape: tuple[int, int]) -> FloatArray:
    """Return what a network is given of a picture.

    Parameters
    ----------
    lightness : ndarray, shape (h, w)
        L* in [0, 100].
    profile : Profile
        What the network expects.
    shape : tuple of int
        Rows and columns that it is given.

    Returns
    -------
    ndarray, shape (1, C, *shape) or (1, *shape, C)
        float32; C is 1 or 3.
    """
    gray = lightness_to_gray(np.clip(lightness, 0, 100).astype(np.float32, copy=False))
    # A cubic filter overshoots; the originals work on bytes, which cannot.
    gray = np.clip(_resized(gray, shape, profile.resize), 0, 1).astype(np.float32, copy=False)
    seen = gray_to_lightness(gray) if profile.input == "lightness" else gray
    seen = (seen - np.float32(profile.offset)) / np.float32(profile.divisor)
    axis = 0 if profile.layout == "nchw" else -1
    channels = np.stack([seen] * CHANNELS[profile.input], axis=axis)
    return np.ascontiguousarray(channels[np.newaxis], dtype=np.float32)


def _resized(gray: FloatArray, shape: tuple[int, int], how: Resize) -> FloatArray:
    """Return a picture, shape (h, w), at another size."""
    if how == "bilinear":
        rows, cols = (
            (np.arange(after) + 0.5) * (before / after) - 0.5
            for before, after in zip(gray.shape, shape, strict=True)
        )
        return sample_bilinear(gray, rows, cols)
    down, across = (
        _cubic_weights(before, after) for before, after in zip(gray.shape, shape, strict=True)
    )
    resized: FloatArray = down @ gray @ across.T
    return resized


def _cubic_weights(before: int, after: int) -> FloatArray:
    """Return the weights of a cubic filter, shape (after, before), float32; each row sums to 1.

    The kernel of R. G. Keys, "Cubic convolution interpolation for digital image processing" (1981),
    with a = -1/2, stretched by how much is shrunk; what lies outside is left out.
    """
    scale = before / after
    stretch = max(1.0, scale)
    middles = (np.arange(after) + 0.5) * scale - 0.5
    distance = np.abs(np.arange(before) - middles[:, np.newaxis]) / stretch
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    summed = weights.sum(axis=1, keepdims=True)
    return np.asarray(weights / summed, dtype=np.float32)

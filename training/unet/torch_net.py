"""The network of ``bins-unet/2`` in torch, for training in bfloat16 on processors.

The same arithmetic as `chroma_tensorflow.unet_model`, which `train_with_torch.py` holds it to. Two
things make it several times faster where a processor multiplies matrices of bfloat16 (AMX):

- oneDNN has fast kernels for depthwise convolutions forwards, and backwards for kernels of 3 x 3
  and steps of 1; all others fall back to slow ones. `_Depthwise` puts the others together from the
  fast ones: the gradient of the picture is a convolution of the spread-out gradient, and that of a
  kernel of 5 x 5 is made of four of 3 x 3, which overlap in one row and one column.
- Maps are kept channels last.

The encoder's convolutions had their batch normalisation folded in, so that sizes of channels differ
by a hundred times. Each is kept as a kernel of one size (root mean square `SIZE`) times a fixed
number a channel, so that Adam's equal steps are alike for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from chroma_core.arrays import AnyArray
from chroma_core.regressors.unet_net import ENCODER, Convolution, decoder_on

__all__ = ["SIZE", "UNet"]

SIZE = 0.05
"""Root mean square of the kernels that the optimiser sees of the encoder, channel by channel."""

DROPPED = ("head", "join32", "join16")


class UNet(nn.Module):
    """Gray (n, 1, h, w) in [0, 1] to logits (n, bins, h / 4, w / 4).

    Parameters
    ----------
    tensors : Mapping[str, ndarray]
        What it begins with, under the names of a model folder's file. Convolutions that are missing
        begin at random (He et al., ICCV 2015), the logits' at 0.
    dropout : float
        Share of channels left out behind three convolutions of the decoder.
    skipped : float
        Share of the last residual block's pictures that go around it (stochastic depth, Huang et
        al., ECCV 2016), less in earlier ones.
    whole : bool
        Whether the vector of the picture as a whole is joined in; only to compare with without.
    encoder : Sequence[Convolution]
        Another than Lite0 is no ``bins-unet/2``; only to compare with.
    """

    def __init__(
        self,
        tensors: Mapping[str, AnyArray],
        *,
        dropout: float = 0.0,
        skipped: float = 0.0,
        whole: bool = True,
        encoder: Sequence[Convolution] = ENCODER,
    ) -> None:
        super().__init__()
        self.convolutions = (*encoder, *decoder_on(encoder))
        self.encoder = frozenset(convolution.name for convolution in encoder)
        self.whole = whole
        self.dropout = dropout
        residual = [c.name for c in encoder if c.adds]
        self.skipped = {
            name: skipped * (index + 1) / len(residual) for index, name in enumerate(residual)
        }
        self.kernels, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for convolution in self.convolutions:
            name, shape = convolution.name, convolution.kernel_shape
            if f"{name}.kernel" in tensors:
                kernel = torch.from_numpy(tensors[f"{name}.kernel"].astype(np.float32))
                bias = torch.from_numpy(tensors[f"{name}.bias"].astype(np.float32))
            else:
                bias = torch.zeros(shape[0])
                kernel = torch.zeros(shape)
                if name != "logits":
                    nn.init.kaiming_normal_(kernel)
            scale = torch.ones(shape[0], 1, 1, 1)
            if name in self.encoder:
                scale = kernel.square().mean(dim=(1, 2, 3), keepdim=True).sqrt() / SIZE
                # Channels that pruned themselves while ImageNet was learnt stay small.
                scale = scale.clamp(min=float(scale.median()) / 30)
            self.register_buffer(f"scale_{name}", scale)
            self.kernels[name] = nn.Parameter(kernel / scale)
            self.biases[name] = nn.Parameter(bias)

    def kernel(self, name: str) -> torch.Tensor:
        """Return a convolution's kernel as it is computed with."""
        return self.kernels[name] * self.get_buffer(f"scale_{name}")

    def forward(self, gray: torch.Tensor) -> torch.Tensor:
        """Answer with logits."""
        scaled = (gray * 255 - 127) / 128
        found = {"gray": scaled.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)}
        for convolution in self.convolutions:
            name = convolution.name
            x, *others = (found[seen] for seen in convolution.inputs)
            if others:
                x = torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), *others], dim=1)
            x = _convolved(x, self.kernel(name), self.biases[name], convolution)
            if convolution.adds and (self.whole or convolution.adds != "whole"):
                x = self._added(name, x, found[convolution.adds])
            if convolution.relu == 6:
                x = F.relu6(x)
            elif convolution.relu:
                x = F.relu(x)
            if convolution.pooled:
                x = x.mean(dim=(2, 3), keepdim=True)
            if self.dropout and name in DROPPED:
                x = F.dropout2d(x, self.dropout, training=self.training)
            found[name] = x
        return found["logits"]

    def _added(self, name: str, x: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        share = self.skipped.get(name, 0.0)
        if share and self.training:
            kept = torch.rand(len(x), 1, 1, 1) >= share
            x = x * (kept / (1 - share)).to(x.dtype)
        return x + before

    def tensors(self) -> dict[str, AnyArray]:
        """Return the weights under the names of a model folder's file, float32."""
        found: dict[str, AnyArray] = {}
        for convolution in self.convolutions:
            name = convolution.name
            kernel = self.kernel(name).detach().numpy()
            found[f"{name}.kernel"] = np.ascontiguousarray(kernel)
            found[f"{name}.bias"] = self.biases[name].detach().numpy().copy()
        return found

    def groups(self, rate: float, encoder_rate: float, decay: float) -> list[dict[str, Any]]:
        """Return the parameters for an optimiser: encoder and decoder, kernels and biases."""
        found = []
        for inside in (True, False):
            for held, weight_decay in ((self.kernels, decay), (self.biases, 0.0)):
                found.append(
                    {
                        "params": [held[n] for n in held if (n in self.encoder) == inside],
                        "lr": rate * encoder_rate if inside else rate,
                        "weight_decay": 0.0 if inside else weight_decay,
                    }
                )
        return found


def _convolved(
    x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor, convolution: Any
) -> torch.Tensor:
    size, stride = convolution.size, convolution.stride
    before, after = (size - stride) // 2, (size - stride + 1) // 2
    if before != after:
        x = F.pad(x, (before, after, before, after))
        before = 0
    if not convolution.depthwise:
        return F.conv2d(x, kernel, bias, stride, before)
    if torch.is_autocast_enabled("cpu"):
        kernel = kernel.to(torch.bfloat16)
    if size == 3 and stride == 1:
        return F.conv2d(x, kernel, bias.to(x.dtype), 1, before, groups=len(kernel))
    answer: torch.Tensor = _Depthwise.apply(x, kernel, stride, before)
    return answer + bias.to(answer.dtype)[:, None, None]


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution, whose gradients are put together from fast ones."""

    @staticmethod
    def forward(ctx: Any, x: Any, kernel: Any, stride: int, padding: int) -> Any:
        ctx.save_for_backward(x, kernel)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, kernel, None, stride, padding, groups=len(kernel))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, kernel = ctx.saved_tensors
        stride, padding = ctx.stride, ctx.padding
        (gradient,) = gradients
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        return (
            _for_picture(gradient, kernel, x.shape, stride, padding),
            _for_kernel(gradient, x, kernel, stride, padding),
            None,
            None,
        )


def _for_picture(gradient: Any, kernel: Any, shape: Any, stride: int, padding: int) -> Any:
    n, channels, rows, cols = gradient.shape
    size = kernel.shape[-1]
    high, wide = shape[2:]
    if stride > 1:
        spread = torch.zeros(
            (n, channels, (rows - 1) * stride + 1, (cols - 1) * stride + 1), dtype=gradient.dtype
        ).contiguous(memory_format=torch.channels_last)
        spread[:, :, ::stride, ::stride] = gradient
        gradient = spread
    turned = kernel.flip(2, 3)
    answer = F.conv2d(gradient, turned, None, 1, size - 1 - padding, groups=channels)
    # Rows and columns that no step of the kernel came to have no gradient.
    rest = (0, wide - answer.shape[3], 0, high - answer.shape[2])
    return F.pad(answer, rest) if any(rest) else answer


def _for_kernel(gradient: Any, x: Any, kernel: Any, stride: int, padding: int) -> Any:
    channels, size = len(kernel), kernel.shape[-1]
    if padding:
        x = F.pad(x, (padding, padding, padding, padding))
    high = (gradient.shape[2] - 1) * stride + 3
    wide = (gradient.shape[3] - 1) * stride + 3
    window = torch.empty((channels, 1, 3, 3), dtype=kernel.dtype)
    found = torch.empty_like(kernel, memory_format=torch.contiguous_format)
    for top in range(0, size - 1, 2):
        for left in range(0, size - 1, 2):
            part = x[:, :, top : top + high, left : left + wide]
            _, answer, _ = torch.ops.aten.convolution_backward(
                gradient,
                part.contiguous(memory_format=torch.channels_last),
                window,
                None,
                [stride, stride],
                [0, 0],
                [1, 1],
                False,
                [0, 0],
                channels,
                [False, True, False],
            )
            found[:, :, top : top + 3, left : left + 3] = answer
    return found

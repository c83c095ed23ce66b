"""Joint bilateral filter: a mean over neighbours that lie near and look alike in a guide.

Petschnigg et al., "Digital Photography with Flash and No-Flash Image Pairs", ACM TOG 23(3), 2004,
equation 3; Cheng, Yang & Sheng, "Deep Colorization", ICCV 2015, refine predicted chroma with it.
With g(d; σ) = exp(-d² / 2σ²):

    w_ij = g(|i - j|; σ_space) g(L_i - L_j; σ_range)
    q_i = Σ_j w_ij p_j / Σ_j w_ij

The window is 2 ⌈2 σ_space⌉ + 1 pixels on a side, cut at the edges of the picture.
"""

from __future__ import annotations

import math

import numpy as np

from chroma_core.arrays import FloatArray

__all__ = ["joint_bilateral_filter"]

_BLOCK = 1 << 16
"""Pixels of one block of rows: what is summed up stays in the cache of one core."""


def joint_bilateral_filter(
    values: FloatArray, guide: FloatArray, sigma_space: float, sigma_range: float
) -> FloatArray:
    """Return the values, averaged over neighbours whose guide is alike.

    Parameters
    ----------
    values : ndarray, shape (H, W) or (H, W, C)
        What to smooth, finite.
    guide : ndarray, shape (H, W)
        Lightness L*, finite.
    sigma_space : float
        Pixels, above 0.
    sigma_range : float
        L* units, above 0; infinity makes it a Gaussian blur.

    Returns
    -------
    ndarray, shape of `values`
        float64 for float64 values, else float32.

    Examples
    --------
    >>> step = np.array([[0.0, 0.0, 100.0, 100.0]])
    >>> joint_bilateral_filter(np.array([[1.0, 3.0, 8.0, 8.0]]), step, 1.0, 10.0).round(3)
    array([[1.755, 2.245, 8.   , 8.   ]])
    """
    dtype = np.float64 if values.dtype == np.float64 else np.float32
    height, width = guide.shape
    planes = values.reshape(height, width, -1)
    planes = np.ascontiguousarray(np.moveaxis(planes, -1, 0), dtype=dtype)
    guide = guide.astype(dtype, copy=False)
    result = np.empty((height, width, len(planes)), dtype=dtype)
    radius = math.ceil(2 * sigma_space)
    step = max(1, _BLOCK // max(1, width))
    for start in range(0, height, step):
        stop = min(start + step, height)
        total = np.zeros((len(planes), stop - start, width), dtype=dtype)
        weights = np.zeros((stop - start, width), dtype=dtype)
        for down in range(-radius, radius + 1):
            top, bottom = max(start, -down), min(stop, height - down)
            if top >= bottom:
                continue
            for along in range(-radius, radius + 1):
                left, right = max(0, -along), min(width, width - along)
                if left >= right:
                    continue
                near = math.exp(-(down * down + along * along) / (2 * sigma_space**2))
                there = (slice(top + down, bottom + down), slice(left + along, right + along))
                here = (slice(top - start, bottom - start), slice(left, right))
                weight = guide[there] - guide[top:bottom, left:right]
                weight /= dtype(math.sqrt(2) * sigma_range)
                weight *= weight
                np.exp(np.negative(weight, out=weight), out=weight)
                weight *= dtype(near)
                weights[here] += weight
                for plane, sums in zip(planes, total, strict=True):
                    sums[here] += weight * plane[there]
        result[start:stop] = np.moveaxis(total / weights, 0, -1)
    return result.reshape(values.shape)

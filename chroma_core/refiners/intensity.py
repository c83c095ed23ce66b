"""Keep a* : b* and make the intensity of the colour picture that of the gray one.

The two conditions that the seed's formula states ("x / y = X / Y must remain", "intensity of each
pixel in grayscale image = intensity of corresponding pixel in colour image"), taken seriously. What
intensity is has to be said: CIE L*, or what made the gray picture out of a colour one, the weighted
sum of encoded R, G, B of ITU-R BT.601-7, 2.5.1 (Pillow, OpenCV and JPEG use it), or their mean.

Lowering chroma alone cannot be the rule, for gray always satisfies it. The rule here: the largest
s in [0, 1] found such that some L' puts (L', s a*, s b*) into sRGB with the wanted intensity. Hue
is kept, chroma lowered only as far as needed; s = 0 always works. For L* itself L' = L*, and that
is gamut mapping at constant lightness and hue.

For the other two L' is found by Newton's method. Inside the gamut every linear channel rises with
L' at constant a*, b*, so there the root is unique; outside there may be false ones, which are
refused because they are outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chroma_core.arrays import FloatArray
from chroma_core.color import (
    WHITE_POINTS,
    chromatic_adaptation_matrix,
    into_srgb,
    lightness_to_gray,
    lightness_to_luminance,
    rgb_to_xyz_matrix,
    srgb_eotf_inverse,
    white_point,
)
from chroma_core.color.white_points import D65, Illuminant, Observer
from chroma_core.options import Options, option
from chroma_core.refiners import refuse_not_finite
from chroma_core.stages import Refiner, Scene

__all__ = ["IntensityOptions", "IntensityRefiner"]

# Weights of encoded R, G, B; each sums to 1, so that a gray has the intensity of its code.
_WEIGHTS = {"rec601": (0.299, 0.587, 0.114), "mean": (1 / 3, 1 / 3, 1 / 3)}

# Pixels a block: its dozen planes stay in the cache of one core.
_BLOCK = 16_384

# Over the corners of the cube and all named whites C*ab is at most 135.1 (blue under D75, 10°).
_LARGEST_CHROMA = 160.0

# Inside the gamut intensity rises by 0.0073 to 0.047 per unit of L*; outside it may fall.
_SMALLEST_SLOPE = 0.005

# Newton steps for every pixel, then for those that do not fit yet, then for each of the halvings
# of chroma, which start at the last chroma that fitted.
_FIRST_STEPS, _MORE_STEPS, _LATER_STEPS, _HALVINGS = 5, 10, 8, 18

_KAPPA = 24389 / 27
"""L* per luminance near black, ISO/CIE 11664-4."""


@dataclass(frozen=True, kw_only=True)
class IntensityOptions(Options):
    """Settings of `IntensityRefiner`."""

    of: Literal["lightness", "rec601", "mean"] = option(
        "lightness", "what the gray picture was made of, and is kept"
    )
    illuminant: Illuminant = option("D65", "light that counts as white, as in the colorspace")
    observer: Observer = option(
        2, "field of view of the standard observer, as in the colorspace", unit="degrees"
    )


class IntensityRefiner(Refiner[IntensityOptions]):
    """Move L* and lower chroma, at constant hue, until intensity is that of the gray picture.

    Examples
    --------
    Rec. 601 turns the sRGB colour (0.5, 0.25, 0.125) into the gray of code 0.3105, whose L* is
    33.678. From that gray and the colour's own a* and b* its L* of 34.59 comes back.

    >>> lab = np.array([[[33.678, 24.915, 31.269]]])
    >>> refiner = IntensityRefiner(IntensityOptions(of="rec601"))
    >>> refiner.refine(lab, Scene(lightness=lab[..., 0])).round(2)
    array([[[34.59, 24.92, 31.27]]])
    """

    name = "intensity"
    Options = IntensityOptions

    @property
    def moves_lightness(self) -> bool:
        """Whether L* must change: for every intensity but L* itself."""
        return self.options.of != "lightness"

    def reach(self, scale: float) -> int:
        """Look at no neighbour."""
        return 0

    def refine(self, lab: FloatArray, scene: Scene) -> FloatArray:
        """Return colours in the gamut of sRGB whose intensity is that of the gray picture.

        Parameters
        ----------
        lab : ndarray, shape (..., 3)
            L* in [0, 100]; a* and b* finite, unbounded.
        scene : Scene
            The gray picture: L* of gray pixels, from which their intensity follows. Not used where
            intensity is L*: then the lightness of `lab` stays.

        Returns
        -------
        ndarray, shape (..., 3)
            L*, a*, b* in the dtype of `lab`.

        Raises
        ------
        InputError
            If `lab` or the lightness holds NaN or infinity.
        """
        refuse_not_finite(self, lab, scene)
        white = WHITE_POINTS[self.options.illuminant, self.options.observer]
        if self.options.of == "lightness":
            return into_srgb(lab, white_point=white)
        rule = _Rule(_WEIGHTS[self.options.of], white, lab.dtype)
        refined = np.array(lab, order="C")
        pixels = refined.reshape(-1, 3)
        gray = np.clip(scene.lightness, 0, 100).astype(lab.dtype, copy=False).reshape(-1)
        # Chroma far outside the gamut may overflow on the way; what comes of it fits nowhere.
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            for start in range(0, len(pixels), _BLOCK):
                block = slice(start, start + _BLOCK)
                lightness, scale = _solve(rule, gray[block], pixels[block, 1:].T)
                pixels[block, 0] = lightness
                pixels[block, 1:] *= scale[:, np.newaxis]
        return refined


class _Rule:
    """When a colour lies in the gamut and has the intensity of a gray.

    Parameters
    ----------
    weights : tuple of float
        Of encoded R, G and B.
    white : tuple of float
        (x, y) of the white of LAB.
    dtype : dtype
        float32 or float64, in which to compute.
    """

    def __init__(
        self,
        weights: tuple[float, float, float],
        white: tuple[float, float],
        dtype: np.dtype[np.floating[Any]],
    ) -> None:
        adaptation = chromatic_adaptation_matrix(D65, white)
        relative = adaptation @ rgb_to_xyz_matrix() / white_point(white)[:, np.newaxis]
        self.to_linear = np.linalg.inv(relative).astype(dtype)
        self.weights = np.array(weights, dtype=dtype)
        # f_X = f_Y + a*/500 and f_Z = f_Y - b*/200, in units of L*, which are 1/116.
        self.shifts = np.array([[116 / 500, 0], [0, 0], [0, -116 / 200]], dtype=dtype)
        # What rounding needs, see `inside_srgb`. The encoding jumps by 2.9e-8 at its knee, and in
        # float32 it is known to 2e-6 near black.
        self.gap = 1e-6 if dtype == np.float32 else 1e-9
        self.tolerance = 1e-5 if dtype == np.float32 else 1e-7

    def newton(
        self, target: FloatArray, lightness: FloatArray, chroma: FloatArray, steps: int
    ) -> FloatArray:
        """Return the L* that `steps` Newton steps lead to, of at most 20 units each."""
        shifts = self.shifts @ chroma
        for _ in range(steps):
            lights = lightness + shifts
            linear = self.to_linear @ lightness_to_luminance(lights)
            encoded = srgb_eotf_inverse(linear)
            slopes = _encoding_slope(linear, encoded)
            slopes *= self.to_linear @ _luminance_slope(lights)
            slope = np.maximum(self.weights @ slopes, _SMALLEST_SLOPE)
            lightness = lightness + np.clip((target - self.weights @ encoded) / slope, -20, 20)
        return lightness

    def holds(
        self, target: FloatArray, lightness: FloatArray, chroma: FloatArray, part: float = 1.0
    ) -> npt.NDArray[np.bool_]:
        """Tell which colours fit, within a part of the tolerances."""
        linear = self.to_linear @ lightness_to_luminance(lightness + self.shifts @ chroma)
        off = np.abs(self.weights @ srgb_eotf_inverse(linear) - target)
        gap = part * self.gap
        inside = (linear.min(axis=0) >= -gap) & (linear.max(axis=0) <= 1 + gap)
        fits: npt.NDArray[np.bool_] = inside & (off <= part * self.tolerance)
        return fits


def _solve(rule: _Rule, gray: FloatArray, chroma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return L' and s of one block.

    Parameters
    ----------
    rule : _Rule
        What to fulfil.
    gray : ndarray, shape (n,)
        L* of the gray pixels.
    chroma : ndarray, shape (2, n)
        a* and b*.
    """
    target = lightness_to_gray(gray)
    lightness = rule.newton(target, gray, chroma, _FIRST_STEPS)
    scale = np.ones_like(gray)
    # Gray has the intensity of gray: no search, and no rounding of one.
    colored = chroma.any(axis=0)
    lightness[~colored] = gray[~colored]
    rest = np.flatnonzero(colored & ~rule.holds(target, lightness, chroma))
    if rest.size:
        tried = rule.newton(target[rest], lightness[rest], chroma[:, rest], _MORE_STEPS)
        fits = rule.holds(target[rest], tried, chroma[:, rest])
        lightness[rest[fits]] = tried[fits]
        rest = rest[~fits]
    if rest.size:
        scale[rest], lightness[rest] = _largest_scale(
            rule, target[rest], gray[rest], chroma[:, rest]
        )
    return lightness, scale


def _largest_scale(
    rule: _Rule, target: FloatArray, gray: FloatArray, chroma: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the largest scale of chroma found for which some L* fits, and that L*."""
    low, lightness = np.zeros_like(gray), gray
    high = np.minimum(1, _LARGEST_CHROMA / np.hypot(*chroma)).astype(gray.dtype)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tried = rule.newton(target, lightness, middle * chroma, _LATER_STEPS)
        # Half of the tolerances, so that a second call finds that the colour fits.
        good = rule.holds(target, tried, middle * chroma, part=0.5)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
        lightness = np.where(good, tried, lightness)
    return low, lightness


def _luminance_slope(lightness: FloatArray) -> FloatArray:
    """Return the derivative of `lightness_to_luminance`."""
    slope: FloatArray = np.square((lightness + 16) / 116)
    slope *= 3 / 116
    np.copyto(slope, 1 / _KAPPA, where=lightness <= 8)
    return slope


def _encoding_slope(linear: FloatArray, encoded: FloatArray) -> FloatArray:
    """Return the derivative of the encoding, from encoded + 0.055 = 1.055 l^(1/2.4).

    The straight piece below has the slope 12.92; nowhere is it steeper.
    """
    size: FloatArray = np.abs(linear)
    slope: FloatArray = (np.abs(encoded) + 0.055) / (2.4 * np.maximum(size, 1e-3))
    np.copyto(slope, 12.92, where=size <= 0.0031308)
    return slope

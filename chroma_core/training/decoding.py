"""How predicted distributions are to be decoded: chosen on pictures that did not teach.

Three decodings are chosen, at vividness 0, a half and 1, from how much of the tilt towards rare
colours is taken back, the temperature and a gain (see `chroma_core.color.bins`). The first is
the expected colour, the others have the least error among those that are colourful enough. Between
them the path goes straight, but for a gain that keeps mean chroma from falling. A temperature
calibrates the probabilities, and a table tells doubts to confidences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray, IntArray
from chroma_core.color.bins import chroma_of_logits, probabilities
from chroma_core.color.difference import delta_e_2000
from chroma_core.color.lab import lab_to_rgb
from chroma_core.regressors.unet_net import PATH_POINTS, SURENESS_POINTS, doubts_of

__all__ = ["Chosen", "calibration", "choose_path", "sureness"]

UNDO = (0.0, 0.25, 0.5, 0.75, 1.0)
TEMPERATURES = (0.2, 0.25, 0.3, 0.38, 0.5, 0.65, 0.8, 1.0)
GAINS = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 2.0, 2.2)

VIVID = 1.0
"""Least mean colourfulness, over the truth's, at vividness 1."""

CALM = 0.6
"""Likewise at a half."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A decoding and what it gave on the pictures that it was chosen on.

    Attributes
    ----------
    undo, temperature, gain : float
        See `chroma_core.color.bins.chroma_of_logits`.
    psnr_gain : float
        Mean over pictures, over gray's, in dB.
    difference : float
        Mean CIEDE2000, over gray's.
    colourfulness : float
        Mean over pictures of Hasler and Suesstrunk's, over the truth's.
    chroma : float
        Mean of C*ab.
    """

    undo: float
    temperature: float
    gain: float
    psnr_gain: float
    difference: float
    colourfulness: float
    chroma: float

    @property
    def error(self) -> float:
        """Mean of two ratios to gray: of squared differences in RGB, and of CIEDE2000."""
        return (float(10 ** (-self.psnr_gain / 10)) + self.difference) / 2


def choose_path(
    logits: FloatArray,
    lightness: FloatArray,
    truth: FloatArray,
    bins: FloatArray,
    weights: FloatArray,
) -> tuple[FloatArray, tuple[Chosen, ...]]:
    """Choose decodings for vividness 0, a half and 1, and what lies between.

    Parameters
    ----------
    logits : ndarray, shape (pictures, n, k)
        Answers at nodes of pictures that did not teach.
    lightness : ndarray, shape (pictures, n)
        L* there.
    truth : ndarray, shape (pictures, n, 2)
        True a* and b* there.
    bins, weights : ndarray, shape (k, 2) and (k,)
        As for `chroma_core.color.bins.chroma_of_logits`.

    Returns
    -------
    tuple
        The path, shape (`PATH_POINTS`, 4), rows of vividness, undo, temperature and gain; and what
        the three decodings gave. From row to row mean chroma does not fall.
    """
    seen = _Seen(lightness, truth)
    tried = _tried(logits, bins, weights, seen)
    expected = next(one for one in tried if (one.undo, one.temperature, one.gain) == (1, 1, 1))
    calm = _best(tried, CALM, expected.chroma)
    vivid = _best(tried, VIVID, calm.chroma)
    ends = np.array([_row(0.0, expected), _row(0.5, calm), _row(1.0, vivid)])
    path = np.empty((PATH_POINTS, 4))
    path[:, 0] = np.linspace(0, 1, PATH_POINTS)
    for column in (1, 2, 3):
        path[:, column] = np.interp(path[:, 0], ends[:, 0], ends[:, column])
    chroma = [_mean_chroma(logits, bins, weights, row) for row in path]
    middle = PATH_POINTS // 2
    for first, last in ((0, middle), (middle, PATH_POINTS - 1)):
        least = chroma[first]
        for place in range(first + 1, last):
            least = min(max(least, chroma[place]), chroma[last])
            path[place, 3] *= least / max(chroma[place], 1e-9)
    return path.astype(np.float32), (expected, calm, vivid)


def _row(vividness: float, one: Chosen) -> tuple[float, float, float, float]:
    return vividness, one.undo, one.temperature, one.gain


def _tried(logits: FloatArray, bins: FloatArray, weights: FloatArray, seen: _Seen) -> list[Chosen]:
    """Return what all decodings give."""
    tried = []
    for undo in UNDO:
        for temperature in TEMPERATURES:
            plain = chroma_of_logits(logits, bins, weights, undo=undo, temperature=temperature)
            mean = float(np.hypot(plain[..., 0], plain[..., 1]).mean())
            for gain in GAINS:
                psnr_gain, difference, colourfulness = seen.compared(plain * np.float32(gain))
                tried.append(
                    Chosen(
                        undo=undo,
                        temperature=temperature,
                        gain=gain,
                        psnr_gain=psnr_gain,
                        difference=difference,
                        colourfulness=colourfulness,
                        chroma=gain * mean,
                    )
                )
    return tried


def _best(tried: Sequence[Chosen], colourfulness: float, chroma: float) -> Chosen:
    """Return the decoding of least error among those that are colourful enough.

    The one before may be more colourful already than the bound asks for: `chroma` is the least mean
    of C*ab. Where nothing is colourful enough, the most colourful is taken.
    """
    vivid = [one for one in tried if one.chroma >= chroma]
    fitting = [one for one in vivid if one.colourfulness >= colourfulness]
    if fitting:
        return min(fitting, key=lambda one: one.error)
    return max(vivid, key=lambda one: one.colourfulness)


def _mean_chroma(
    logits: FloatArray, bins: FloatArray, weights: FloatArray, row: FloatArray
) -> float:
    _, undo, temperature, gain = (float(number) for number in row)
    chroma = chroma_of_logits(logits, bins, weights, undo=undo, temperature=temperature, gain=gain)
    return float(np.hypot(chroma[..., 0], chroma[..., 1]).mean())


def calibration(
    logits: FloatArray, nearest: IntArray, weights: FloatArray
) -> tuple[float, float, float]:
    """Choose the temperature at which probabilities are as often right as they say.

    Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.

    Parameters
    ----------
    logits : ndarray, shape (n, k)
        Answers.
    nearest : ndarray, shape (n,)
        Index of the true bin.
    weights : ndarray, shape (k,)
        What the answers are tilted by; taken back wholly.

    Returns
    -------
    tuple of float
        The temperature of the least mean log loss; the expected calibration error (15 bins of the
        greatest probability, section 2 there) at temperature 1 and at that one.
    """
    flat = logits - np.log(weights).astype(logits.dtype)
    losses = {}
    for temperature in np.geomspace(0.5, 3.0, 37):
        shares = probabilities(flat / logits.dtype.type(temperature))
        right = np.take_along_axis(shares, nearest[:, np.newaxis], axis=1)
        losses[float(temperature)] = float(-np.log(np.maximum(right, 1e-12)).mean())
    best = min(losses, key=losses.__getitem__)
    before, after = (
        _calibration_error(probabilities(flat / logits.dtype.type(temperature)), nearest)
        for temperature in (1.0, best)
    )
    return best, before, after


def sureness(logits: FloatArray, held: Mapping[str, AnyArray]) -> FloatArray:
    """Return the table from doubts to confidence.

    Parameters
    ----------
    logits : ndarray, shape (n, k)
        Answers.
    held : Mapping[str, ndarray]
        See `chroma_core.regressors.unet_net.doubts_of`.

    Returns
    -------
    ndarray, shape (16, 2)
        Doubts, rising, and the share of nodes that are doubted more, from 1 to 0.
    """
    doubts = doubts_of(logits, held)
    shares = np.linspace(0, 1, SURENESS_POINTS)
    rising = np.maximum.accumulate(np.quantile(doubts, shares) + np.arange(len(shares)) * 1e-4)
    return np.stack([rising, 1 - shares], axis=1).astype(np.float32)


def _calibration_error(shares: FloatArray, nearest: IntArray) -> float:
    said = shares.max(axis=1)
    right = shares.argmax(axis=1) == nearest
    place = np.minimum((said * 15).astype(int), 14)
    error = 0.0
    for part in range(15):
        inside = place == part
        if inside.any():
            error += inside.mean() * abs(float(said[inside].mean()) - float(right[inside].mean()))
    return float(error)


class _Seen:
    """Nodes of pictures with their true colours, to compare others with."""

    def __init__(self, lightness: FloatArray, truth: FloatArray) -> None:
        self._lightness = lightness[..., np.newaxis].astype(np.float32)
        self._lab = self._with(truth)
        self._rgb = self._shown(self._lab)
        gray = self._with(np.zeros_like(truth))
        self._gray_squares = self._squares(self._shown(gray))
        self._gray_difference = float(delta_e_2000(gray, self._lab).mean())
        self._colourfulness = _colourfulness(self._rgb)

    def compared(self, chroma: FloatArray) -> tuple[float, float, float]:
        """Return gain in PSNR, CIEDE2000 over gray's, and colourfulness over the truth's."""
        lab = self._with(chroma)
        rgb = self._shown(lab)
        gain = 10 * np.log10(self._gray_squares / self._squares(rgb))
        difference = float(delta_e_2000(lab, self._lab).mean())
        return (
            float(gain.mean()),
            difference / max(self._gray_difference, 1e-9),
            _colourfulness(rgb) / max(self._colourfulness, 1e-9),
        )

    def _with(self, chroma: FloatArray) -> FloatArray:
        return np.concatenate([self._lightness, chroma.astype(np.float32)], axis=-1)

    def _shown(self, lab: FloatArray) -> FloatArray:
        return np.clip(lab_to_rgb(lab), 0, 1)

    def _squares(self, rgb: FloatArray) -> FloatArray:
        """Return mean squared differences by picture; rounding to 8 bits bounds them."""
        squares = np.square(rgb - self._rgb).mean(axis=(1, 2))
        return np.asarray(np.maximum(squares, 1 / (12 * 255**2)))


def _colourfulness(rgb: FloatArray) -> float:
    """Return the mean over pictures (pictures, n, 3) of Hasler and Suesstrunk's colourfulness."""
    opponents = rgb[..., 0] - rgb[..., 1], (rgb[..., 0] + rgb[..., 1]) / 2 - rgb[..., 2]
    spread = np.hypot(*(opponent.std(axis=1) for opponent in opponents))
    mean = np.hypot(*(opponent.mean(axis=1) for opponent in opponents))
    return float((spread + 0.3 * mean).mean())

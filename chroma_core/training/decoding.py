"""How predicted distributions are to be decoded: chosen on pictures that did not teach.

Three decodings are chosen, at vividness 0, a half and 1, from how much of the training's
rebalancing is taken back, the temperature and a gain (see `chroma_core.color.bins`). The first is
the expected colour, the others have the least error among those that are colourful enough. A
temperature calibrates the probabilities, and a table tells expected distances from the
truth to confidences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import FloatArray, IntArray
from chroma_core.color.bins import chroma_of_logits, probabilities, spread_of_logits
from chroma_core.color.difference import delta_e_2000
from chroma_core.color.lab import lab_to_rgb
from chroma_core.regressors.unet_net import SURENESS_POINTS

__all__ = ["Chosen", "calibration", "choose_path", "sureness"]

UNDO = (0.0, 0.25, 0.5, 0.75, 1.0)
TEMPERATURES = (0.2, 0.25, 0.3, 0.38, 0.5, 0.65, 0.8, 1.0)
GAINS = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7)

VIVID = 0.95
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
    """Choose decodings for vividness 0, a half and 1.

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
        The path, shape (3, 4), rows of vividness, undo, temperature and gain; and what each row
        gave. From row to row mean chroma does not fall.
    """
    seen = _Seen(lightness, truth)
    tried = []
    for undo in UNDO:
        for temperature in TEMPERATURES:
            plain = chroma_of_logits(logits, bins, weights, undo=undo, temperature=temperature)
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
                        chroma=gain * float(np.hypot(plain[..., 0], plain[..., 1]).mean()),
                    )
                )
    rows = [next(one for one in tried if (one.undo, one.temperature, one.gain) == (1, 1, 1))]
    for least in (CALM, VIVID):
        # The row before may be more colourful already than the bound asks for.
        vivid = [one for one in tried if one.chroma >= rows[-1].chroma]
        fitting = [one for one in vivid if one.colourfulness >= least]
        rows.append(
            min(fitting, key=lambda one: one.error)
            if fitting
            else max(vivid, key=lambda one: one.colourfulness)
        )
    path = [
        (vividness, one.undo, one.temperature, one.gain)
        for vividness, one in zip((0.0, 0.5, 1.0), rows, strict=True)
    ]
    return np.array(path, dtype=np.float32), tuple(rows)


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
        What the bins weighed in training; taken back wholly.

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


def sureness(
    logits: FloatArray,
    chroma: FloatArray,
    bins: FloatArray,
    weights: FloatArray,
    temperature: float,
) -> FloatArray:
    """Return the table from expected distance to confidence.

    Parameters
    ----------
    logits : ndarray, shape (n, k)
        Answers.
    chroma : ndarray, shape (n, 2)
        The colours decoded from them.
    bins, weights : ndarray
        As above.
    temperature : float
        That of `calibration`.

    Returns
    -------
    ndarray, shape (16, 2)
        Distances, rising, and the share of nodes that are farther, from 1 to 0.
    """
    spread = spread_of_logits(logits, bins, weights, chroma, temperature=temperature)
    shares = np.linspace(0, 1, SURENESS_POINTS)
    distances = np.maximum.accumulate(np.quantile(spread, shares) + np.arange(len(shares)) * 1e-4)
    return np.stack([distances, 1 - shares], axis=1).astype(np.float32)


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

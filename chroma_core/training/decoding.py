"""How predicted distributions are to be decoded: chosen on pictures that did not teach.

Three decodings are chosen, at vividness 0, a half and 1, from how much of the tilt towards rare
colours is taken back, the temperature, a gain, and how much of the chroma that averaging took from
a picture as a whole is given back (see `chroma_core.regressors.unet_net.Decoding`). The first is
the expected colour, the others have the least error among those that are colourful enough. Between
them the path goes straight, but for a gain that keeps mean chroma from falling. A temperature
calibrates the probabilities, and a table tells doubts to confidences.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray, IntArray
from chroma_core.color.bins import chroma_kept, chroma_of_logits, probabilities
from chroma_core.color.difference import delta_e_2000
from chroma_core.color.lab import lab_to_rgb
from chroma_core.regressors.unet_net import PATH_POINTS, SURENESS_POINTS, Decoding, doubts_of

__all__ = ["Chosen", "calibration", "choose_path", "sureness"]

UNDO = (0.25, 0.5, 0.75, 1.0, 1.25)
"""Beyond 1 the tilt is towards frequent colours."""

TEMPERATURES = (0.25, 0.3, 0.38, 0.5, 0.65, 0.8, 1.0)
RESTORED = (0.0, 0.5, 1.0)
GAINS = (0.8, 1.0, 1.25, 1.5, 1.8, 2.2)
"""Gains that are tried; between them the one that is just colourful enough is found."""


PROMISING = 16
"""Decodings whose error is measured at just the gain that they need."""

VIVID = 1.0
"""Least mean colourfulness, over the truth's, at vividness 1."""

CALM = 0.6
"""Likewise at a half."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A decoding and what it gave on the pictures that it was chosen on.

    Attributes
    ----------
    undo, temperature, gain, restored : float
        See `chroma_core.regressors.unet_net.Decoding`.
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
    restored: float
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
        The path, shape (`PATH_POINTS`, 5), rows of vividness, undo, temperature, gain and restored;
        and what the three decodings gave. From row to row mean chroma does not fall. Up to a
        vividness of a half nothing is restored: doubts are about those colours, node by node.
    """
    seen = _Seen(lightness, truth)
    kept = chroma_kept(logits, bins, weights)
    tried = _tried(logits, bins, weights, kept, seen)

    def best(hows: Iterable[Decoding]) -> Chosen:
        found = []
        for how in hows:
            plain = chroma_of_logits(
                logits, bins, weights, undo=how.undo, temperature=how.temperature
            )
            found.append(_given(plain, how, kept, seen))
        return min(found, key=lambda one: one.error)

    expected = best([Decoding(undo=1, temperature=1, gain=1)])
    unrestored = [rising for rising in tried if not rising[0].restored]
    calm = best(_promising(unrestored, CALM, expected.chroma))
    vivid = best(_promising(tried, VIVID, calm.chroma))
    ends = np.array([_row(0.0, expected), _row(0.5, calm), _row(1.0, vivid)])
    path = np.empty((PATH_POINTS, 5))
    path[:, 0] = np.linspace(0, 1, PATH_POINTS)
    for column in (1, 2, 3, 4):
        path[:, column] = np.interp(path[:, 0], ends[:, 0], ends[:, column])
    chroma = [_mean_chroma(logits, bins, weights, kept, row) for row in path]
    middle = PATH_POINTS // 2
    for first, last in ((0, middle), (middle, PATH_POINTS - 1)):
        least = chroma[first]
        for place in range(first + 1, last):
            least = min(max(least, chroma[place]), chroma[last])
            path[place, 3] *= least / max(chroma[place], 1e-9)
    return path.astype(np.float32), (expected, calm, vivid)


def _row(vividness: float, one: Chosen) -> tuple[float, ...]:
    return vividness, one.undo, one.temperature, one.gain, one.restored


def _given(plain: FloatArray, how: Decoding, kept: FloatArray, seen: _Seen) -> Chosen:
    """Return what a decoding gives, from what it gives without gain."""
    chroma = plain * how.gain_where(kept)[:, np.newaxis, np.newaxis].astype(plain.dtype)
    psnr_gain, difference, colourfulness = seen.compared(chroma)
    return Chosen(
        undo=how.undo,
        temperature=how.temperature,
        gain=how.gain,
        restored=how.restored,
        psnr_gain=psnr_gain,
        difference=difference,
        colourfulness=colourfulness,
        chroma=float(np.hypot(chroma[..., 0], chroma[..., 1]).mean()),
    )


def _tried(
    logits: FloatArray, bins: FloatArray, weights: FloatArray, kept: FloatArray, seen: _Seen
) -> list[list[Chosen]]:
    """Return what decodings give, each with rising gains."""
    tried = []
    for undo, temperature in itertools.product(UNDO, TEMPERATURES):
        plain = chroma_of_logits(logits, bins, weights, undo=undo, temperature=temperature)
        for restored in RESTORED:
            hows = [
                Decoding(undo=undo, temperature=temperature, gain=gain, restored=restored)
                for gain in GAINS
            ]
            tried.append([_given(plain, how, kept, seen) for how in hows])
    return tried


def _promising(
    tried: Sequence[Sequence[Chosen]], colourfulness: float, chroma: float
) -> list[Decoding]:
    """Return decodings that are just colourful enough, those that seem to err least.

    The one before may be more colourful already than the bound asks for: `chroma` is the least mean
    of C*ab. Where nothing is colourful enough, the most colourful is returned.
    """
    found = []
    for rising in tried:
        least, most = rising[0], rising[-1]
        gain = max(
            float(np.interp(colourfulness, [one.colourfulness for one in rising], GAINS)),
            # Chroma is in proportion to gain.
            chroma * least.gain / max(least.chroma, 1e-9),
        )
        # Two digits, not below the bound.
        gain = float(np.ceil(gain * 100 - 1e-6) / 100)
        if most.colourfulness >= colourfulness and gain <= most.gain:
            error = float(np.interp(gain, GAINS, [one.error for one in rising]))
            found.append((error, _how(least, gain)))
    if found:
        # Errors between two gains are less than on the straight line, so several are looked at.
        return [how for _, how in sorted(found, key=lambda one: one[0])[:PROMISING]]
    return [_how(max((rising[-1] for rising in tried), key=lambda one: one.colourfulness))]


def _how(one: Chosen, gain: float | None = None) -> Decoding:
    return Decoding(
        undo=one.undo,
        temperature=one.temperature,
        gain=one.gain if gain is None else gain,
        restored=one.restored,
    )


def _mean_chroma(
    logits: FloatArray, bins: FloatArray, weights: FloatArray, kept: FloatArray, row: FloatArray
) -> float:
    undo, temperature, gain, restored = (float(number) for number in row[1:])
    how = Decoding(undo=undo, temperature=temperature, gain=gain, restored=restored)
    chroma = chroma_of_logits(logits, bins, weights, undo=undo, temperature=temperature)
    means = np.hypot(chroma[..., 0], chroma[..., 1]).mean(axis=1)
    return float((how.gain_where(kept) * means).mean())


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

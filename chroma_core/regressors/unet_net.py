"""The weight format ``bins-unet/2``: a network that looks at the picture and answers with bins.

The encoder is EfficientNet-Lite0 (Tan & Le, "EfficientNet", ICML 2019; ReLU6, no
squeeze-and-excite, batch normalisation folded into the convolutions). The decoder goes back up from
a 32nd to a quarter of the picture's size, joins what the encoder saw at each size (Ronneberger,
Fischer & Brox, "U-Net", MICCAI 2015) and, at the bottom, a vector of the picture as a whole
(Iizuka, Simo-Serra & Ishikawa, "Let there be Color!", SIGGRAPH 2016). It answers, at each node of a
quarter of the picture, with logits over bins of the a*b* plane (`chroma_core.color.bins`).

`CONVOLUTIONS` says what is computed, once; whatever runs or trains the network follows it. In a
model folder the file ``net`` holds, for each convolution, ``NAME.kernel`` (out, in, k, k; for a
depthwise one (channels, 1, k, k)) and ``NAME.bias`` (out,), and besides

================  ==========  ====================================================================
tensor            shape       meaning
================  ==========  ====================================================================
``bins``          (k, 2)      a* and b* of the bins
``weights``       (k,)        how much the answer raises each bin's odds, see `tilted`
``calibration``   (1,)        temperature that calibrates the probabilities
``path``          (p, 5)      rows of vividness, undo, temperature, gain and restored, see
                              `decoding_at`
``sureness``      (s, 2)      rows of expected distance and confidence, see `confidence_of`
================  ==========  ====================================================================

as float16 or float32. The network sees encoded gray in [0, 1].

A model may hold a second network of the same shape in the file ``second``, of kernels and biases
alone. It takes the second look (`chroma_core.regressors.unet_looks`); its answers are tilted alike.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray
from chroma_core.color.bins import ab_bins, chroma_kept, chroma_of_logits, expected_distances
from chroma_core.errors import ModelError
from chroma_core.options import Options, option
from chroma_core.stages import Grid, Prediction, Weights, WeightShapes

__all__ = [
    "CONVOLUTIONS",
    "ENCODER",
    "FILE",
    "FORMAT",
    "LITE0",
    "MULTIPLE",
    "SECOND",
    "STEP",
    "Blocks",
    "Convolution",
    "Decoding",
    "UNetAnswer",
    "UNetShape",
    "confidence_of",
    "decoder_on",
    "decoding_at",
    "doubts_of",
    "encoder_of",
    "prediction_of",
    "tilted",
    "weight_shapes",
]

FORMAT = "bins-unet/2"
FILE = "net"
SECOND = "second"
BINS = len(ab_bins())
STEP = 4
"""The answer's nodes stand on the middle of 4 x 4 pixels each."""

MULTIPLE = 32
"""The network wants sides that are multiples of this."""

PATH_POINTS = 9
SURENESS_POINTS = 16

CALM = 0.5
"""Vividness of the colours that doubts are about: a gain that everyone sees through is no doubt."""

LEAST_KEPT = 0.4
"""Of `chroma_kept`, below which nothing more is restored: there the network knows too little."""

GRAYS_SHARE = 0.4
"""How much of gray's expected distance is taken off. At 0 the sure places are those that are dull
anyway, at 1 those that are very colourful; in between, those where colour is better than none."""

Blocks = tuple[tuple[int, int, int, int, int], ...]
"""Of an encoder: rows of expansion, kernel, stride of the first block, channels, repeats."""

LITE0: Blocks = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
_TAPS = {1: "quarter", 2: "eighth", 4: "sixteenth", 6: "thirtysecond"}
"""Rows of blocks, the last of which is the last at its size."""


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """One convolution of the network.

    Attributes
    ----------
    name : str
        Its name, and that of its answer.
    inputs : tuple of str
        Answers that it sees, joined along channels; the first is brought to the size of the last
        where that is larger, each of its values repeated.
    channels_in, channels_out : int
        Channels of its input, all together, and of its answer.
    size : int
        Rows and columns of the kernel.
    stride : int
        1 or 2; padded so that the map is the input's size over the stride.
    relu : float
        Upper bound of the rectified answer; 0 where nothing is rectified, infinity where it is
        only from below.
    depthwise : bool
        Whether each channel is convolved by itself.
    adds : str
        Name of an answer that is added to it at the end, or empty; a vector is added everywhere.
    pooled : bool
        Whether its answer is averaged over the picture.
    """

    name: str
    inputs: tuple[str, ...]
    channels_in: int
    channels_out: int
    size: int = 1
    stride: int = 1
    relu: float = 0.0
    depthwise: bool = False
    adds: str = ""
    pooled: bool = False

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Out, in, rows, columns."""
        seen = 1 if self.depthwise else self.channels_in
        return self.channels_out, seen, self.size, self.size


def encoder_of(blocks: Blocks) -> Iterator[Convolution]:
    """Yield the convolutions of an encoder, in the order in which they can be computed.

    Parameters
    ----------
    blocks : Blocks
        Its inverted residuals (Tan & Le, table 1, in the "lite" form); between a stem of 32
        channels and a head of 1280, which stay.
    """
    yield Convolution(
        name="stem", inputs=("gray",), channels_in=3, channels_out=32, size=3, stride=2, relu=6
    )
    seen, channels, index = "stem", 32, 0
    for row, (expansion, size, first_stride, leaves, repeats) in enumerate(blocks):
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            enters, entered = seen, channels
            wide = channels * expansion
            if expansion > 1:
                name = f"expand{index}"
                yield Convolution(
                    name=name, inputs=(seen,), channels_in=channels, channels_out=wide, relu=6
                )
                seen = name
            name = f"depthwise{index}"
            yield Convolution(
                name=name,
                inputs=(seen,),
                channels_in=wide,
                channels_out=wide,
                size=size,
                stride=stride,
                relu=6,
                depthwise=True,
            )
            closes = stride == 1 and entered == leaves
            last = _TAPS.get(row) if repeat == repeats - 1 else None
            project = Convolution(
                name=last or f"project{index}",
                inputs=(name,),
                channels_in=wide,
                channels_out=leaves,
                adds=enters if closes else "",
            )
            yield project
            seen, channels, index = project.name, leaves, index + 1
    yield Convolution(
        name="head",
        inputs=(seen,),
        channels_in=channels,
        channels_out=1280,
        relu=6,
        pooled=True,
    )


def decoder_on(encoder: Sequence[Convolution]) -> Iterator[Convolution]:
    """Yield the convolutions that go on from an encoder, to logits of a quarter of its input.

    Parameters
    ----------
    encoder : Sequence[Convolution]
        With answers named ``quarter``, ``eighth``, ``sixteenth``, ``thirtysecond`` and ``head``.
    """
    rectified = float("inf")
    channels = {convolution.name: convolution.channels_out for convolution in encoder}
    yield Convolution(name="whole", inputs=("head",), channels_in=1280, channels_out=256)
    yield Convolution(
        name="join32",
        inputs=("thirtysecond",),
        channels_in=channels["thirtysecond"],
        channels_out=256,
        adds="whole",
        relu=rectified,
    )
    yield Convolution(
        name="join16",
        inputs=("join32", "sixteenth"),
        channels_in=256 + channels["sixteenth"],
        channels_out=160,
        size=3,
        relu=rectified,
    )
    yield Convolution(
        name="join8",
        inputs=("join16", "eighth"),
        channels_in=160 + channels["eighth"],
        channels_out=112,
        size=3,
        relu=rectified,
    )
    yield Convolution(
        name="join4",
        inputs=("join8", "quarter"),
        channels_in=112 + channels["quarter"],
        channels_out=64,
        relu=rectified,
    )
    yield Convolution(
        name="blend4",
        inputs=("join4",),
        channels_in=64,
        channels_out=64,
        size=3,
        relu=rectified,
    )
    yield Convolution(name="logits", inputs=("blend4",), channels_in=64, channels_out=BINS)


ENCODER = tuple(encoder_of(LITE0))
CONVOLUTIONS = (*ENCODER, *decoder_on(ENCODER))
"""In the order in which they can be computed."""


@dataclass(frozen=True, kw_only=True)
class UNetShape(Options):
    """What a model of the format holds; the networks' own shape is part of the format."""

    second: bool = option(False, "whether another network takes the second look")


def weight_shapes(shape: UNetShape) -> WeightShapes:
    """Return the tensors of a model's files and their shapes.

    Parameters
    ----------
    shape : UNetShape
        Whether there is a file `SECOND` beside `FILE`.
    """
    network: dict[str, tuple[int, ...]] = {}
    for convolution in CONVOLUTIONS:
        network[f"{convolution.name}.kernel"] = convolution.kernel_shape
        network[f"{convolution.name}.bias"] = (convolution.channels_out,)
    first = network | {
        "bins": (BINS, 2),
        "weights": (BINS,),
        "calibration": (1,),
        "path": (PATH_POINTS, 5),
        "sureness": (SURENESS_POINTS, 2),
    }
    return {FILE: first, SECOND: network} if shape.second else {FILE: first}


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How the distributions of a picture become colours.

    Attributes
    ----------
    undo, temperature, gain : float
        See `chroma_core.color.bins.chroma_of_logits`.
    restored : float
        How much of the chroma that was lost to averaging, over the picture as a whole, is given
        back: at 0 nothing, at 1 the gain is divided by `chroma_core.color.bins.chroma_kept`.
    """

    undo: float
    temperature: float
    gain: float
    restored: float = 0.0

    def gain_where(self, kept: FloatArray) -> FloatArray:
        """Return the gain of pictures that keep so much of their chroma.

        Parameters
        ----------
        kept : ndarray
            See `chroma_core.color.bins.chroma_kept`, from 0 to 1; below `LEAST_KEPT` it counts as
            that.

        Returns
        -------
        ndarray
            In the shape of `kept`: from `gain` to ``gain / LEAST_KEPT ** restored``.
        """
        return np.asarray(self.gain * np.maximum(kept, LEAST_KEPT) ** -self.restored)


def decoding_at(path: AnyArray, vividness: float) -> Decoding:
    """Return the decoding at a vividness: linear between the rows of the path.

    Parameters
    ----------
    path : ndarray, shape (p, 5)
        Rows of vividness, undo, temperature, gain and restored, by rising vividness. Beyond the
        last row the gain goes on in proportion to vividness.
    vividness : float
        At least 0; 1 is what the model was shipped with.
    """
    points = path.astype(np.float64)
    undo, temperature, gain, restored = (
        float(np.interp(vividness, points[:, 0], points[:, column])) for column in (1, 2, 3, 4)
    )
    beyond = max(1.0, vividness / float(points[-1, 0]))
    return Decoding(undo=undo, temperature=temperature, gain=gain * beyond, restored=restored)


def doubts_of(logits: FloatArray, held: Mapping[str, AnyArray]) -> FloatArray:
    """Return how much there is to say against the colours that logits are decoded to.

    Parameters
    ----------
    logits : ndarray, shape (..., k)
        What the network answered.
    held : Mapping[str, ndarray]
        ``bins``, ``weights``, ``calibration`` and ``path`` of the model.

    Returns
    -------
    ndarray, shape (...)
        The expected distance of the truth from the colour at vividness `CALM`, where nothing is
        restored, less `GRAYS_SHARE` of its expected distance from gray.
    """
    bins, weights = held["bins"].astype(np.float32), held["weights"].astype(np.float32)
    how = decoding_at(held["path"], CALM)
    calm = chroma_of_logits(
        logits, bins, weights, undo=how.undo, temperature=how.temperature, gain=how.gain
    )
    ours, grays = expected_distances(
        logits, bins, weights, calm, temperature=float(held["calibration"][0])
    )
    return ours - np.asarray(GRAYS_SHARE, dtype=logits.dtype) * grays


def confidence_of(doubts: FloatArray, sureness: AnyArray) -> FloatArray:
    """Return a confidence of 0 to 1 for doubts.

    Parameters
    ----------
    doubts : ndarray
        See `doubts_of`.
    sureness : ndarray, shape (s, 2)
        Rows of doubt, rising, and confidence, falling: the share of held-out pixels that were
        doubted more.
    """
    table = sureness.astype(np.float64)
    return np.interp(doubts, table[:, 0], table[:, 1]).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class UNetAnswer(Prediction):
    """A prediction that keeps the distributions, so that it can be decoded at another vividness.

    Attributes
    ----------
    logits : ndarray, shape (rows, cols, k)
        What the network answered.
    tensors : Mapping[str, ndarray]
        What the model says of decoding.
    """

    logits: FloatArray
    tensors: types.MappingProxyType[str, AnyArray]


def _decoded(prediction: Prediction, vividness: float) -> FloatArray:
    if not isinstance(prediction, UNetAnswer):
        raise ModelError("this prediction holds no distributions to decode")
    held = prediction.tensors
    how = decoding_at(held["path"], vividness)
    logits = prediction.logits
    bins, weights = held["bins"].astype(np.float32), held["weights"].astype(np.float32)
    gain = how.gain
    if how.restored:
        nodes = logits.reshape(-1, logits.shape[-1])
        gain = float(how.gain_where(chroma_kept(nodes, bins, weights)))
    return chroma_of_logits(
        logits, bins, weights, undo=how.undo, temperature=how.temperature, gain=gain
    )


def tilted(tensors: Mapping[str, AnyArray], weights: FloatArray) -> dict[str, AnyArray]:
    """Return a network that answers with the same distributions, tilted by other weights.

    Decoding takes part of ``weights`` back, which tilt the answers towards rare colours. Whether
    they did so in training (Zhang, Isola & Efros, equation 4) or are put on afterwards is the same
    to it: the logits' biases move by their logarithms.

    Parameters
    ----------
    tensors : Mapping[str, ndarray]
        With ``weights`` and ``logits.bias``; others, such as an encoder's alone, come back as they
        are.
    weights : ndarray, shape (k,)
        Above 0; 1 everywhere leaves the distributions of colours as they occur.

    Returns
    -------
    dict
        The tensors; the biases and ``weights`` in float32.
    """
    if not {"weights", "logits.bias"} <= set(tensors):
        return dict(tensors)
    turn = np.log(weights) - np.log(tensors["weights"].astype(np.float64))
    return dict(tensors) | {
        "logits.bias": (tensors["logits.bias"] + turn).astype(np.float32),
        "weights": np.asarray(weights, dtype=np.float32),
    }


def prediction_of(logits: FloatArray, weights: Weights, origin: tuple[float, float]) -> Prediction:
    """Return the prediction for what the network answered.

    Parameters
    ----------
    logits : ndarray, shape (rows, cols, k)
        float32.
    weights : Mapping
        The model's weights.
    origin : tuple of float
        Where the first node lies in the work picture, in pixels.
    """
    held = weights[FILE]
    kept = types.MappingProxyType(
        {name: held[name] for name in ("bins", "weights", "calibration", "path", "sureness")}
    )
    rows, cols = logits.shape[:2]
    empty = UNetAnswer(
        chroma=np.empty((rows, cols, 2), np.float32),
        grid=Grid(rows=rows, cols=cols, origin=origin, step=(STEP, STEP)),
        decode=_decoded,
        logits=logits,
        tensors=kept,
    )
    chroma = _decoded(empty, 1.0)
    confidence = confidence_of(doubts_of(logits, kept), kept["sureness"])
    return replace(empty, chroma=chroma, confidence=confidence)

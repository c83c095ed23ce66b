"""The weight format ``dense-net/1``: deep fully connected nets, their starts and their mathematics.

A net standardises its inputs, passes them through `depth` layers of `units` units and one linear
layer, and scales the answer to a* or b*. Deep sigmoid nets hardly train from the usual start: each
layer shrinks the spread of its units by about four, because the sigmoid's slope is at most 1/4 and
its value at zero is 1/2. `sigmoid_image_of_tanh` gives the way out. From
``sigmoid(2u) = (1 + tanh(u)) / 2`` follows that every tanh net has a sigmoid net which computes the
same function; the image of an orthogonal tanh net (Saxe, McClelland & Ganguli, "Exact solutions to
the nonlinear dynamics of learning in deep linear neural networks", ICLR 2014) trains from the first
step. `glorot_start` is the usual one (Glorot & Bengio, AISTATS 2010).

In a model folder each net is one file (``a`` and ``b``, or ``ab`` for a net with two outputs) with
the tensors

=====================  ======================  =================================================
tensor                 shape                   meaning
=====================  ======================  =================================================
``input_mean``         (inputs,)               subtracted from the inputs
``input_sd``           (inputs,)               then divides them, above 0
``layer_01.weight``    (units, inputs)         first layer; ``layer_02.weight`` (units, units) ...
``layer_01.bias``      (units,)
``output.weight``      (outputs, units)        linear
``output.bias``        (outputs,)
``target_mean``        (outputs,)              chroma = target_mean + target_sd * output
``target_sd``          (outputs,)
=====================  ======================  =================================================

as float16 or float32. The inputs are the features and then, unless the option `lightness` is off,
L* in its own unit. All arithmetic is in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray
from chroma_core.errors import ModelError, ModelFormatError, ModelMismatch
from chroma_core.options import Options, option
from chroma_core.stages import Grid, Prediction, Weights, WeightShapes

__all__ = [
    "FORMAT",
    "Activation",
    "DenseNet",
    "DenseOptions",
    "Layers",
    "Start",
    "forward",
    "glorot_start",
    "in_blocks",
    "join_files",
    "nets_of_weights",
    "orthogonal_tanh_start",
    "rows_of_map",
    "sigmoid_image_of_tanh",
    "start_layers",
    "tanh_image_of_sigmoid",
    "weight_shapes",
]

FORMAT = "dense-net/1"

Activation: TypeAlias = Literal["sigmoid", "tanh", "relu"]
Start: TypeAlias = Literal["image", "glorot"]


@dataclass(frozen=True, kw_only=True)
class DenseOptions(Options):
    """Shape of the nets; the same for every stage that runs or trains them."""

    depth: int = option(10, "hidden layers", ge=1, le=99)
    units: int = option(128, "units in each hidden layer", ge=1, le=65536)
    activation: Literal["sigmoid", "tanh", "relu"] = option(
        "sigmoid", "what each hidden unit does with its sum"
    )
    shared: bool = option(False, "one net with two outputs instead of one net each for a* and b*")
    lightness: bool = option(True, "L* is one more input beside the features")
    block: int = option(4096, "rows computed at a time", unit="rows", ge=1, run=True)


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Weights of the layers, the linear output layer last.

    Attributes
    ----------
    weights : tuple of ndarray
        Shapes (units, inputs), (units, units) ..., (outputs, units).
    biases : tuple of ndarray
        Shapes (units,) ..., (outputs,).
    activation : str
        What the hidden units do: ``"sigmoid"``, ``"tanh"`` or ``"relu"``.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    activation: Activation


@dataclass(frozen=True, kw_only=True)
class DenseNet:
    """Layers, and the scaling in front of and behind them.

    Attributes
    ----------
    layers : Layers
        The layers.
    input_mean, input_sd : ndarray, shape (inputs,)
        Inputs are standardised with these; `input_sd` above 0.
    target_mean, target_sd : ndarray, shape (outputs,)
        Chroma = ``target_mean + target_sd * output``, in LAB units.
    """

    layers: Layers
    input_mean: FloatArray
    input_sd: FloatArray
    target_mean: FloatArray
    target_sd: FloatArray

    def tensors(self) -> dict[str, FloatArray]:
        """Return the tensors of the net's file, float32."""
        tensors = {
            "input_mean": self.input_mean,
            "input_sd": self.input_sd,
            "target_mean": self.target_mean,
            "target_sd": self.target_sd,
        }
        names = _layer_names(len(self.layers.weights) - 1)
        for name, weight, bias in zip(names, self.layers.weights, self.layers.biases, strict=True):
            tensors[f"{name}.weight"] = weight
            tensors[f"{name}.bias"] = bias
        return {
            name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in tensors.items()
        }

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, AnyArray], options: DenseOptions, *, file: str = ""
    ) -> DenseNet:
        """Build a net from the tensors of its file, in float32.

        Raises
        ------
        ModelFormatError
            If a tensor is missing or `input_sd` is not above 0.
        """
        try:
            held = {
                name: np.asarray(tensors[name], dtype=np.float32)
                for name in ("input_mean", "input_sd", "target_mean", "target_sd")
            }
            names = _layer_names(options.depth)
            weights = tuple(np.asarray(tensors[f"{n}.weight"], dtype=np.float32) for n in names)
            biases = tuple(np.asarray(tensors[f"{n}.bias"], dtype=np.float32) for n in names)
        except KeyError as error:
            raise ModelFormatError(f"net {file} has no tensor {error.args[0]!r}") from None
        if not (held["input_sd"] > 0).all():
            raise ModelFormatError(f"net {file}: input_sd must be above 0 everywhere")
        layers = Layers(weights=weights, biases=biases, activation=options.activation)
        return cls(layers=layers, **held)


def weight_shapes(options: DenseOptions, width: int) -> WeightShapes:
    """Return files, tensors and shapes of nets with these options.

    Parameters
    ----------
    options : DenseOptions
        Shape of the nets.
    width : int
        Numbers a node of the features in front.
    """
    inputs = width + int(options.lightness)
    files = {"ab": 2} if options.shared else {"a": 1, "b": 1}
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for file, outputs in files.items():
        tensors: dict[str, tuple[int, ...]] = {
            "input_mean": (inputs,),
            "input_sd": (inputs,),
            "target_mean": (outputs,),
            "target_sd": (outputs,),
        }
        fan_in = inputs
        for name in _layer_names(options.depth):
            fan_out = outputs if name == "output" else options.units
            tensors[f"{name}.weight"] = (fan_out, fan_in)
            tensors[f"{name}.bias"] = (fan_out,)
            fan_in = fan_out
        shapes[file] = tensors
    return shapes


def nets_of_weights(weights: Weights, options: DenseOptions) -> dict[str, DenseNet]:
    """Return the nets of a model by file name, in the order a, b (or ab alone).

    Raises
    ------
    ModelError
        If there are no weights.
    ModelFormatError
        If a file or a tensor is missing.
    """
    if not weights:
        raise ModelError("this regressor has no weights yet", hint="choose a model, or train one")
    files = ("ab",) if options.shared else ("a", "b")
    missing = [file for file in files if file not in weights]
    if missing:
        raise ModelFormatError(f"weights of net {missing[0]} are missing")
    return {file: DenseNet.from_tensors(weights[file], options, file=file) for file in files}


def rows_of_map(
    net: DenseNet, features: FloatArray, lightness: FloatArray, options: DenseOptions
) -> tuple[FloatArray, FloatArray | None]:
    """Return a map's features as rows (n, D), and its L* (n,) if the net has it as an input.

    Raises
    ------
    ModelMismatch
        If the net wants another number of inputs.
    """
    width = features.shape[-1]
    wanted = net.input_mean.size - int(options.lightness)
    if width != wanted:
        raise ModelMismatch(f"features have {width} numbers a node, this model wants {wanted}")
    rows = features.reshape(-1, width)
    return rows, lightness.reshape(-1) if options.lightness else None


def join_files(answers: Mapping[str, FloatArray], grid: Grid) -> Prediction:
    """Return the prediction from the answers of the nets, each (n, outputs) in LAB units."""
    chroma = np.concatenate(list(answers.values()), axis=1).reshape(grid.rows, grid.cols, 2)
    return Prediction(chroma=chroma, grid=grid)


def forward(
    net: DenseNet, features: FloatArray, lightness: FloatArray | None, *, block: int = 4096
) -> FloatArray:
    """Compute a net's answer, block by block, in float32.

    Sigmoids are computed as ``1 / (1 + exp(-x))``: NumPy's `exp` is fast on every processor, its
    `tanh` only on those with AVX-512. A tanh net therefore runs as its sigmoid image.

    Parameters
    ----------
    net : DenseNet
        The net.
    features : ndarray, shape (n, D)
        Features, any real dtype.
    lightness : ndarray, shape (n,), or None
        L* in [0, 100], which is the net's last input; None if the net does without.
    block : int, optional
        Rows computed at a time; 2,048 to 8,192 keep the buffers in the processor's cache.

    Returns
    -------
    ndarray, shape (n, outputs)
        a*, b* or both, in LAB units, float32.
    """
    layers = net.layers
    if layers.activation == "tanh":
        layers = sigmoid_image_of_tanh(layers)
    sign = -1 if layers.activation == "sigmoid" else 1
    hidden = [
        (np.ascontiguousarray((sign * weight).T, dtype=np.float32), (sign * bias).astype("f4"))
        for weight, bias in zip(layers.weights[:-1], layers.biases[:-1], strict=True)
    ]
    last_weight = (layers.weights[-1] * net.target_sd[:, np.newaxis]).T.astype(np.float32)
    last_bias = (layers.biases[-1] * net.target_sd + net.target_mean).astype(np.float32)
    mean = net.input_mean.astype(np.float32)
    scale = (1 / net.input_sd.astype(np.float64)).astype(np.float32)
    block = max(1, min(block, len(features)))
    buffers = np.empty((2, block, hidden[0][1].size), dtype=np.float32)

    def compute(state: FloatArray) -> FloatArray:
        rows = len(state)
        state -= mean
        state *= scale
        for index, (weight, bias) in enumerate(hidden):
            state = np.matmul(state, weight, out=buffers[index % 2, :rows])
            state += bias
            if layers.activation == "relu":
                np.maximum(state, 0, out=state)
            else:
                # exp overflows to infinity for a sum below -88; 1 / infinity is the right 0.
                with np.errstate(over="ignore"):
                    np.exp(state, out=state)
                state += 1
                np.reciprocal(state, out=state)
        return state @ last_weight + last_bias

    return in_blocks(compute, net, features, lightness, block=block)


def in_blocks(
    compute: Callable[[FloatArray], FloatArray],
    net: DenseNet,
    features: FloatArray,
    lightness: FloatArray | None,
    *,
    block: int,
) -> FloatArray:
    """Call `compute` with some rows of inputs at a time and return all answers.

    Parameters
    ----------
    compute : callable
        Takes inputs, shape (rows, inputs), float32 and not standardised, which it may write into
        and must not keep; gives (rows, outputs).
    net : DenseNet
        The net, for the numbers of inputs and outputs.
    features : ndarray, shape (n, D)
        Features, any real dtype.
    lightness : ndarray, shape (n,), or None
        The last input, if the net has it.
    block : int
        Rows at a time.

    Returns
    -------
    ndarray, shape (n, outputs)
        float32.
    """
    count, width = features.shape
    inputs = np.empty((max(1, min(block, count)), net.input_mean.size), dtype=np.float32)
    answer = np.empty((count, net.target_mean.size), dtype=np.float32)
    for start in range(0, count, block):
        stop = min(start + block, count)
        rows = inputs[: stop - start]
        rows[:, :width] = features[start:stop]
        if lightness is not None:
            rows[:, width] = lightness[start:stop]
        answer[start:stop] = compute(rows)
    return answer


def orthogonal_tanh_start(
    rng: np.random.Generator, inputs: int, units: int, depth: int, outputs: int
) -> Layers:
    """Draw a tanh net whose weights are orthogonal matrices (gain 1) and whose biases are 0.

    Each weight is the Q of a Gaussian matrix' QR decomposition with the columns signed by R's
    diagonal, which makes it uniform over the orthogonal matrices (Mezzadri, Notices of the AMS 54,
    2007); float64.
    """
    return _draw(rng, inputs, units, depth, outputs, "tanh", _orthogonal)


def glorot_start(
    rng: np.random.Generator,
    inputs: int,
    units: int,
    depth: int,
    outputs: int,
    activation: Activation = "sigmoid",
) -> Layers:
    """Draw weights uniform within ± sqrt(6 / (fan in + fan out)), biases 0; float64."""
    return _draw(rng, inputs, units, depth, outputs, activation, _glorot)


def start_layers(
    rng: np.random.Generator,
    start: Start,
    activation: Activation,
    *,
    inputs: int,
    units: int,
    depth: int,
    outputs: int,
) -> Layers:
    """Draw the layers that a training begins with; float64.

    ``"image"`` is the orthogonal tanh net, or its exact image for sigmoid units; for relu units,
    which have no such image, the same orthogonal matrices with gain sqrt(2) in hidden layers (He et
    al., ICCV 2015).
    """
    if start == "glorot":
        return glorot_start(rng, inputs, units, depth, outputs, activation)
    tanh = orthogonal_tanh_start(rng, inputs, units, depth, outputs)
    if activation == "sigmoid":
        return sigmoid_image_of_tanh(tanh)
    if activation == "tanh":
        return tanh
    hidden = tuple(np.sqrt(2.0) * weight for weight in tanh.weights[:-1])
    weights = (*hidden, tanh.weights[-1])
    return Layers(weights=weights, biases=tanh.biases, activation="relu")


def sigmoid_image_of_tanh(layers: Layers) -> Layers:
    """Return the sigmoid net that computes the same function as a tanh net.

    With ``tanh(u) = 2 sigmoid(2u) - 1`` each hidden weight becomes 4 W and its bias
    ``2 (c - W 1)``; the first layer, which sees the inputs and no unit, 2 W and 2 c; the linear
    output 2 w and ``c - w 1``. Computed in the precision of `layers`, but at least float64 for the
    row sums.
    """
    weights, biases = [], []
    last = len(layers.weights) - 1
    for index, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        out = 1.0 if index == last else 2.0
        row_sum = 0.0 if index == 0 else weight.sum(axis=1, dtype=np.float64)
        weights.append((weight * (out if index == 0 else 2.0 * out)).astype(weight.dtype))
        biases.append((out * (bias - row_sum)).astype(bias.dtype))
    return Layers(weights=tuple(weights), biases=tuple(biases), activation="sigmoid")


def tanh_image_of_sigmoid(layers: Layers) -> Layers:
    """Return the tanh net that computes the same function as a sigmoid net.

    The inverse of `sigmoid_image_of_tanh`: hidden V / 4 and ``d / 2 + (V / 4) 1``, first layer
    V / 2 and d / 2, output v / 2 and ``d + (v / 2) 1``.
    """
    weights, biases = [], []
    last = len(layers.weights) - 1
    for index, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        out = 1.0 if index == last else 2.0
        back = (weight / (out if index == 0 else 2.0 * out)).astype(weight.dtype)
        row_sum = 0.0 if index == 0 else back.sum(axis=1, dtype=np.float64)
        weights.append(back)
        biases.append((bias / out + row_sum).astype(bias.dtype))
    return Layers(weights=tuple(weights), biases=tuple(biases), activation="tanh")


def _layer_names(depth: int) -> list[str]:
    return [f"layer_{index:02d}" for index in range(1, depth + 1)] + ["output"]


def _draw(
    rng: np.random.Generator,
    inputs: int,
    units: int,
    depth: int,
    outputs: int,
    activation: Activation,
    matrix: Callable[[np.random.Generator, int, int], FloatArray],
) -> Layers:
    weights, fan_in = [], inputs
    for fan_out in [units] * depth + [outputs]:
        weights.append(matrix(rng, fan_out, fan_in))
        fan_in = fan_out
    biases = tuple(np.zeros(weight.shape[0]) for weight in weights)
    return Layers(weights=tuple(weights), biases=biases, activation=activation)


def _orthogonal(rng: np.random.Generator, fan_out: int, fan_in: int) -> FloatArray:
    tall = rng.standard_normal((max(fan_out, fan_in), min(fan_out, fan_in)))
    q, r = np.linalg.qr(tall)
    signed: FloatArray = q * np.sign(np.diagonal(r))
    return signed if fan_out >= fan_in else signed.T


def _glorot(rng: np.random.Generator, fan_out: int, fan_in: int) -> FloatArray:
    limit = np.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (fan_out, fan_in))

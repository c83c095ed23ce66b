"""Training of the network of ``bins-unet/2``, on whichever backend Keras runs.

Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019), warm-up and cosine decay; the
encoder, which has learnt to see before, takes smaller steps. What is kept is the running mean of
the weights. Targets are soft codes of the true colours (Zhang, Isola & Efros, ECCV 2016). There
rare colours weigh more in training; here all may weigh alike, and what comes out is tilted towards
rare ones afterwards, which gives decoding the same choice and learns more from the same pictures.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray, IntArray
from chroma_core.color.bins import ab_bins, bin_weights, chroma_of_logits, soft_codes
from chroma_core.color.lab import gray_to_lightness
from chroma_core.errors import ModelMismatch, OptionError, TrainingError
from chroma_core.models import load_model
from chroma_core.regressors.unet_looks import logits_of
from chroma_core.regressors.unet_net import (
    CONVOLUTIONS,
    ENCODER,
    FILE,
    FORMAT,
    MULTIPLE,
    SECOND,
    Convolution,
    tilted,
)
from chroma_core.stages import Checkpoint, Progress, TrainingData, Weights
from chroma_core.training.data import require_part
from chroma_core.training.decoding import calibration, choose_path, sureness
from chroma_tensorflow.feed import ahead
from chroma_tensorflow.unet_log import SHOWN, TrainingLog, sheet
from chroma_tensorflow.unet_maps import CODES, Cut, MapStore, batch_at, bin_shares, chroma_of
from chroma_tensorflow.unet_model import (
    DROPPED,
    logits_by,
    network_of,
    set_tensors,
    tensors_of,
    unet_model,
)
from chroma_tensorflow.unet_options import UNetTrainOptions

__all__ = ["TrainedUNet", "train_unet"]

RMS = 0.05
"""Root mean square of a channel's kernel that steps as far as the options say."""

SMALLEST = 1 / 30
"""Of the middle channel's: smaller ones, which ImageNet left unused, step as if they had that."""

AVERAGED_EVERY = 5
"""Steps between two updates of the running mean of weights."""

MEASURED_SIZE = 256
TILT = 0.5
"""Lambda (see `bin_weights`) of the weights that the answers of a trained network are tilted by."""

NODES_KEPT = 512
"""Nodes of each held-out picture on which decoding is chosen."""


@dataclass(frozen=True, kw_only=True)
class TrainedUNet:
    """What came out: the model's files, one history entry a part, facts for the card."""

    weights: Weights
    history: tuple[Mapping[str, float], ...]
    facts: Mapping[str, Any]


def train_unet(
    keras: Any,
    data: TrainingData,
    options: UNetTrainOptions,
    progress: Progress,
    checkpoint: Checkpoint,
) -> TrainedUNet:
    """Train the network and choose how its answers are decoded.

    Parameters
    ----------
    keras : module
        Keras 3.
    data : TrainingData
        Whole pictures, a node on every pixel; needs a part "validation".
    options : UNetTrainOptions
        How to train.
    progress : callable
        Told of steps done and to do, with loss, pictures a second and time left.
    checkpoint : Checkpoint
        Saved after each part of an epoch; if it holds a state, training goes on from there.

    Raises
    ------
    TrainingError
        If the loss is not finite; names epoch and step. The last checkpoint stays.
    """
    for part in ("train", "validation"):
        require_part(data, part)
    log = TrainingLog(options.log_dir)
    trainer = _Trainer(keras, data, options, progress)
    trainer.restore(checkpoint.load())
    while trainer.step < trainer.steps:
        trainer.run_part(progress)
        checkpoint.save(*trainer.state())
        if log.wanted:
            log.write(trainer.step, trainer.history[-1], trainer.sheets())
    return trainer.answer()


class _Trainer:
    def __init__(
        self, keras: Any, data: TrainingData, options: UNetTrainOptions, progress: Progress
    ) -> None:
        self.keras, self.options = keras, options
        self.sizes = _sizes(options.sizes)
        # Read before the pictures: a name that is wrong shows at once.
        start = _start(options.start)
        self.second = _second(options.second)
        keras.utils.set_random_seed(options.seed)
        self.bins = ab_bins()
        self.held = MapStore(data, "validation", progress, options.validate)
        self.store = MapStore(data, "train", progress)
        least = 1 if options.epochs else 0
        self.steps = max(least, round(options.epochs * len(self.store) / options.batch))
        self.part_steps = max(1, round(len(self.store) / options.batch / options.parts))
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, float]] = []
        self.model = unet_model(keras, dropout=options.dropout, seed=options.seed)
        shares = bin_shares(self.store, self.bins)
        self.weights = bin_weights(shares, mix=options.mix).astype(np.float32)
        self.tilt = bin_weights(shares, mix=TILT).astype(np.float32)
        set_tensors(self.model, tilted(start, self.weights))
        self.table, self.code_weights = _targets(self.bins, self.weights)
        self.model.compile(
            optimizer=_optimizer(keras, self._rate(), options),
            loss=self._loss(),
            jit_compile=False,
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self.mean = [np.array(array) for array in self.model.get_weights()]

    def _rate(self) -> Any:
        options = self.options
        decay = self.keras.optimizers.schedules.CosineDecay
        warmup = min(options.warmup, self.steps // 4)
        return decay(
            initial_learning_rate=options.learning_rate / 50 if warmup else options.learning_rate,
            decay_steps=max(1, self.steps - warmup),
            alpha=0.01,
            warmup_target=options.learning_rate if warmup else None,
            warmup_steps=warmup,
        )

    def _loss(self) -> Any:
        ops = self.keras.ops
        table = ops.convert_to_tensor(self.table)
        weights = ops.convert_to_tensor(self.code_weights)

        def loss(codes: Any, logits: Any) -> Any:
            codes = ops.cast(codes, "int32")
            wanted = ops.cast(ops.take(table, codes, axis=0), "float32")
            # The shares add up to 1, so that the log of the sum stands alone.
            each = ops.logsumexp(logits, axis=-1) - ops.sum(wanted * logits, axis=-1)
            return each * ops.take(weights, codes, axis=0)

        return loss

    # State, and going on from it.

    def restore(self, saved: tuple[Mapping[str, AnyArray], Mapping[str, Any]] | None) -> None:
        """Go on from a checkpoint."""
        if saved is None:
            return
        arrays, facts = saved
        count = len(self.mean)
        self.model.set_weights([arrays[f"weights.{index}"] for index in range(count)])
        self.mean = [np.array(arrays[f"mean.{index}"]) for index in range(count)]
        for index, variable in enumerate(self.model.optimizer.variables):
            # A checkpoint keeps single numbers as arrays of one.
            variable.assign(arrays[f"optimizer.{index}"].reshape(variable.shape))
        self.step, self.seconds = facts["step"], facts["seconds"]
        self.history = [dict(entry) for entry in facts["history"]]

    def state(self) -> tuple[dict[str, AnyArray], dict[str, Any]]:
        """Return arrays and facts from which `restore` goes on."""
        convert = self.keras.ops.convert_to_numpy
        arrays = {f"weights.{i}": array for i, array in enumerate(self.model.get_weights())}
        arrays |= {f"mean.{index}": array for index, array in enumerate(self.mean)}
        arrays |= {
            f"optimizer.{index}": np.asarray(convert(variable.value))
            for index, variable in enumerate(self.model.optimizer.variables)
        }
        return arrays, {"step": self.step, "seconds": self.seconds, "history": self.history}

    # One part of an epoch.

    def run_part(self, progress: Progress) -> None:
        """Step through a part of the pictures, then measure on unseen ones."""
        options = self.options
        began = time.monotonic()
        stop = min(self.steps, (self.step // self.part_steps + 1) * self.part_steps)
        first, losses = self.step, []
        self._seed_dropout()

        def cuts() -> Iterator[Any]:
            for number in range(first, stop):
                yield batch_at(
                    self.store,
                    number,
                    batch=options.batch,
                    sizes=self.sizes,
                    closest=options.closest,
                    seed=options.seed,
                    wear=options.wear,
                )

        for cut in ahead(cuts()):
            loss = float(self.model.train_on_batch(cut.gray, cut.codes))
            self.step += 1
            epoch = self.step * options.batch / len(self.store)
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss is {loss} in epoch {epoch:.2f}, step {self.step}",
                    hint="lower train.learning_rate and go on with --resume",
                )
            losses.append(loss)
            if self.step % AVERAGED_EVERY == 0 or self.step == self.steps:
                self._average()
            passed = time.monotonic() - began
            left = passed / (self.step - first) * (self.steps - self.step)
            progress(
                self.step,
                self.steps,
                {
                    "epoch": f"{epoch:.2f}",
                    "loss": f"{np.mean(losses[-50:]):.3f}",
                    "pictures/s": f"{(self.step - first) * options.batch / passed:.1f}",
                    "left": f"{left / 60:.0f} min",
                },
            )
        found = self._measured()
        self.seconds += time.monotonic() - began
        self.history.append(
            {
                "epoch": round(self.step * options.batch / len(self.store), 3),
                "seconds": round(self.seconds, 1),
                "loss": float(np.mean(losses)),
                **found,
            }
        )

    def _seed_dropout(self) -> None:
        """Let what is left out follow from the seed and the step, also after an interruption."""
        for name in DROPPED if self.options.dropout else ():
            layer = self.model.get_layer(f"{name}_dropped")
            state = np.array([self.options.seed, self.step], dtype=np.uint32)
            layer.seed_generator.state.assign(state)

    def _average(self) -> None:
        steps = self.step / AVERAGED_EVERY
        keep = min(self.options.average**AVERAGED_EVERY, steps / (steps + 4))
        for mean, now in zip(self.mean, self.model.get_weights(), strict=True):
            mean *= keep
            mean += (1 - keep) * now

    def _held_out(self) -> Iterator[tuple[FloatArray, IntArray]]:
        """Yield the mean weights' logits (n, k) and the true codes (n,) of unseen pictures."""
        now = self.model.get_weights()
        self.model.set_weights(self.mean)
        try:
            waiting: list[Cut] = []
            for cut in self.held.middles(MEASURED_SIZE):
                waiting.append(cut)
                if len(waiting) == 8:
                    yield from self._answers(waiting)
                    waiting = []
            if waiting:
                yield from self._answers(waiting)
        finally:
            self.model.set_weights(now)

    def _answers(self, cuts: list[Cut]) -> Iterator[tuple[FloatArray, IntArray]]:
        gray = np.concatenate([cut.gray for cut in cuts])
        logits = np.asarray(self.model.predict_on_batch(gray))
        for answer, cut in zip(logits, cuts, strict=True):
            yield answer.reshape(-1, len(self.bins)), cut.codes.ravel()

    def _turn(self) -> FloatArray:
        """Return what tilts the logits as those of the model that comes out."""
        return np.log(self.tilt) - np.log(self.weights)

    def sheets(self) -> AnyArray:
        """Return some unseen pictures in gray, predicted and true colours, (n, h, 3 w, 3) uint8."""
        cuts = list(itertools.islice(self.held.middles(MEASURED_SIZE), SHOWN))
        pages = []
        for cut, (logits, codes) in zip(cuts, self._held_out(), strict=False):
            shape = cut.codes.shape[1:]
            pages.append(
                sheet(
                    cut.gray[0, ..., 0],
                    (logits + self._turn()).reshape(*shape, -1),
                    chroma_of(codes).reshape(*shape, 2),
                    self.bins,
                    self.tilt,
                )
            )
        return np.stack(pages)

    def _measured(self) -> dict[str, float]:
        """Return the log loss and the errors of the expected colour on unseen pictures."""
        loss, count = 0.0, 0
        errors, spreads = np.zeros(2), np.zeros(2)
        for logits, codes in self._held_out():
            top = logits.max(axis=1)
            sums = np.log(np.exp(logits - top[:, np.newaxis]).sum(axis=1)) + top
            each = sums - (self.table[codes].astype(np.float32) * logits).sum(axis=1)
            loss += float((each * self.code_weights[codes]).sum())
            count += len(codes)
            truth = chroma_of(codes)
            chroma = chroma_of_logits(logits, self.bins, self.weights, undo=1.0, temperature=1.0)
            errors += np.square(chroma - truth).sum(axis=0)
            spreads += np.square(truth - truth.mean(axis=0)).sum(axis=0)
        a, b = (errors / np.maximum(spreads, 1e-9)).tolist()
        return {"validation_loss": loss / count, "error_a": a, "error_b": b}

    def answer(self) -> TrainedUNet:
        """Return the mean weights and the decoding that suits them."""
        rng = np.random.default_rng(self.options.seed)
        kept, lights, truths = [], [], []
        self.model.set_weights(self.mean)
        first, second = logits_by(self.model), None
        if self.second:
            second = network_of(self.keras, tilted(self.second, self.weights))
        for cut in self.held.middles(MEASURED_SIZE):
            logits = logits_of(first, cut.gray[0, ..., 0], second=second)
            codes = cut.codes.ravel()
            chosen = rng.permutation(len(codes))[:NODES_KEPT]
            kept.append(logits.reshape(len(codes), -1)[chosen] + self._turn())
            lights.append(_node_lightness(cut).ravel()[chosen])
            truths.append(chroma_of(codes[chosen]))
        logits, truth = np.stack(kept), np.stack(truths)
        flat, true = logits.reshape(-1, len(self.bins)), truth.reshape(-1, 2)
        nearest = soft_codes(true, self.bins, neighbours=1)[0][:, 0]
        temperature, before, after = calibration(flat, nearest, self.tilt)
        path, rows = choose_path(logits, np.stack(lights), truth, self.bins, self.tilt)
        held = {
            "bins": self.bins.astype(np.float32),
            "weights": self.tilt,
            "calibration": np.array([temperature], dtype=np.float32),
            "path": path,
        }
        held["sureness"] = sureness(flat, held)
        networks = {FILE: tensors_of(self.model) | {"weights": self.weights}}
        if self.second:
            networks[SECOND] = self.second
        weights = {
            file: {
                name: array.astype(np.float16)
                for name, array in tilted(network, self.tilt).items()
                if name.endswith((".kernel", ".bias"))
            }
            for file, network in networks.items()
        }
        weights[FILE] |= held
        facts = {
            "steps": self.step,
            "seconds": round(self.seconds, 1),
            "pictures": len(self.store),
            "calibration_error_before": round(before, 4),
            "calibration_error": round(after, 4),
            "certainty": self.options.certainty,
            "decoding": [
                {
                    "vividness": vividness,
                    "undo": row.undo,
                    "temperature": row.temperature,
                    "gain": row.gain,
                    "restored": row.restored,
                    "psnr over gray's": round(row.psnr_gain, 3),
                    "ciede2000 over gray's": round(row.difference, 4),
                    "colourfulness over truth's": round(row.colourfulness, 4),
                }
                for vividness, row in zip((0.0, 0.5, 1.0), rows, strict=True)
            ],
        }
        return TrainedUNet(weights=weights, history=tuple(self.history), facts=facts)


def _optimizer(keras: Any, rate: Any, options: UNetTrainOptions) -> Any:
    slower = tuple(f"{convolution.name}/" for convolution in ENCODER)

    class LayerwiseAdamW(keras.optimizers.AdamW):  # type: ignore[misc]  # Keras is not typed
        """AdamW whose steps are smaller in the encoder, and there follow each channel's size.

        Batch normalisation is folded into the encoder's convolutions, so their channels' sizes
        differ by a hundred times, and Adam's equal steps would undo what the small ones learnt.
        """

        def build(self, variables: Any) -> None:
            super().build(variables)
            self.shares = [
                keras.ops.convert_to_tensor(options.encoder_rate * _sizes_of(variable))
                if variable.path.startswith(slower)
                else 1.0
                for variable in variables
            ]

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> Any:
            # The backend's own variable knows no path; Keras' optimisers find theirs by this index.
            share = self.shares[self._get_variable_index(variable)]
            return super().update_step(gradient, variable, learning_rate * share)

    return LayerwiseAdamW(
        learning_rate=rate, weight_decay=options.weight_decay, global_clipnorm=1.0
    )


def _sizes_of(variable: Any) -> FloatArray:
    """Return the size of each channel's kernel over `RMS`, in a shape that multiplies it.

    Biases are as large as what the layer before was normalised to: about 1, and step alike.
    """
    array = np.array(variable)
    if array.ndim == 1:
        return np.ones(1, np.float32)
    # Rows, columns, in, out; a depthwise kernel's channels stand third.
    axes = (0, 1) if "depthwise" in variable.path else (0, 1, 2)
    sizes = np.sqrt(np.square(array).mean(axis=axes, keepdims=True))
    sizes = np.maximum(sizes, np.median(sizes) * SMALLEST) / RMS
    return np.asarray(sizes, dtype=np.float32)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or any(size < 64 or size % MULTIPLE for size in sizes):
        raise OptionError(
            f"train.sizes is {text!r}, wanted multiples of {MULTIPLE} from 64, such as 160,192"
        )
    return sizes


def _start(start: str) -> Mapping[str, AnyArray]:
    """Return the tensors to begin with: a model's, or those of an encoder's file."""
    if start.endswith(".safetensors"):
        return _of_file(start, "train.start", ENCODER)
    return _of_model(start, "train.start")[FILE]


def _second(second: str) -> Mapping[str, AnyArray]:
    """Return the tensors of the network that takes the second look, and ``weights``."""
    if not second:
        return {}
    if second.endswith(".safetensors"):
        tensors = _of_file(second, "train.second", CONVOLUTIONS)
        if "weights" not in tensors:
            raise ModelMismatch("does not say how its answers are tilted", path=second)
        return tensors
    held = _of_model(second, "train.second")
    return {**held.get(SECOND, held[FILE]), "weights": held[FILE]["weights"]}


def _of_file(
    file: str, option: str, convolutions: tuple[Convolution, ...]
) -> Mapping[str, AnyArray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = dict(load_file(Path(file)))
    except (OSError, SafetensorError) as error:
        raise OptionError(f"{option} cannot be read: {error}", path=file) from error
    missing = [c.name for c in convolutions if f"{c.name}.kernel" not in tensors]
    if missing:
        raise ModelMismatch(f"has no convolution {missing[0]}", path=file)
    return tensors


def _of_model(name: str, option: str) -> Weights:
    model = load_model(name)
    if model.weight_format != FORMAT:
        raise ModelMismatch(
            f"model {name} has weights of format {model.weight_format!r}, wanted {FORMAT!r}",
            hint=f"--set {option}=unet",
        )
    return model.regressor.weights()


def _node_lightness(cut: Cut) -> FloatArray:
    """Return L* at the nodes of one square, shape (size / 4, size / 4)."""
    lightness = gray_to_lightness(cut.gray[0, ..., 0])
    rows, cols = (length // 4 for length in lightness.shape)
    means: FloatArray = lightness.reshape(rows, 4, cols, 4).mean(axis=(1, 3))
    return means


def _targets(bins: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return, for each code, its soft code (codes, k) in half precision and its weight."""
    codes = np.arange(CODES**2)
    nearest, shares = soft_codes(chroma_of(codes), bins)
    table = np.zeros((len(codes), len(bins)), dtype=np.float16)
    np.put_along_axis(table, nearest, shares.astype(np.float16), axis=1)
    return table, weights[nearest[:, 0]].astype(np.float32)

"""Training of deep fully connected nets: one loop inside TensorFlow over chunks of rows.

Python hands TensorFlow a chunk of some thousand shuffled rows; the loop over its batches, the
gradients and Adam (Kingma & Ba, ICLR 2015; weight decay decoupled as in Loshchilov & Hutter, ICLR
2019) run inside one graph, so that no step waits for Python. The nets for a* and b* take their
steps on the same batches, side by side, and know nothing of each other: each keeps the weights of
its own best epoch, and rests when it has not improved for `patience` epochs.

The state is saved after each epoch, every ten minutes within one, and when `progress` raises, which
is how a caller stops a training: what was learnt of the running epoch is kept, too.
"""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray
from chroma_core.errors import PluginError, TrainingError
from chroma_core.regressors.dense_net import DenseNet, DenseOptions, Layers, start_layers
from chroma_core.stages import Checkpoint, Progress, Split, TrainingData
from chroma_core.training.data import batches, moments, require_part
from chroma_tensorflow.feed import CHUNK_ROWS, ahead, chunks
from chroma_tensorflow.train_options import DenseTrainOptions

__all__ = ["TrainedNets", "train_nets"]

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7

DIVERGED = 1e6
"""Squared error, in variances of the target, that no training comes back from: an answer is off by
a thousand standard deviations. Sigmoid units saturate, so that such a loss need not be infinite."""

SAVE_SECONDS = 600.0
"""The most that a training loses when it is killed: an epoch over many photographs takes hours."""


@dataclass(frozen=True, kw_only=True)
class TrainedNets:
    """What came out: the best nets by file, one history entry an epoch, and facts for the card."""

    nets: Mapping[str, DenseNet]
    history: tuple[Mapping[str, float], ...]
    facts: Mapping[str, Any]


def train_nets(
    tf: Any,
    data: TrainingData,
    shape: DenseOptions,
    options: DenseTrainOptions,
    progress: Progress,
    checkpoint: Checkpoint,
) -> TrainedNets:
    """Train the nets and return those of the best epochs.

    Parameters
    ----------
    tf : module
        TensorFlow.
    data : TrainingData
        Where samples come from; needs a part "validation".
    shape : DenseOptions
        Shape of the nets.
    options : DenseTrainOptions
        How to train.
    progress : callable
        Called after each chunk with rows done, rows to do, and facts. What it raises ends the
        training, after the state is saved.
    checkpoint : Checkpoint
        Saved after each epoch, and within one after `SAVE_SECONDS`; if it holds a state, training
        goes on from there.

    Raises
    ------
    TrainingError
        If a loss is not finite or has diverged; names epoch and step. The last checkpoint stays.
        If there are no validation pictures: before the first step.
    """
    require_part(data, "validation")
    if options.log_dir and importlib.util.find_spec("tensorboard") is None:
        raise PluginError(
            "logs for TensorBoard need tensorboard, which is not installed",
            hint="pip install 'chroma-colorize[train]'",
        )
    trainer = _Trainer(tf, data, shape, options)
    trainer.restore(checkpoint.load())
    writer = tf.summary.create_file_writer(options.log_dir) if options.log_dir else None
    saved = time.monotonic()

    def report(done: int, total: int, facts: Mapping[str, str]) -> None:
        # Called between two chunks only, when variables, step and tally fit each other.
        nonlocal saved
        try:
            progress(done, total, facts)
        except BaseException:
            checkpoint.save(*trainer.state())
            raise
        if time.monotonic() - saved >= SAVE_SECONDS:
            checkpoint.save(*trainer.state())
            saved = time.monotonic()

    while trainer.epoch < options.epochs and trainer.active:
        trainer.run_epoch(report)
        if writer is not None:
            with writer.as_default(step=trainer.epoch):
                for name, value in trainer.history[-1].items():
                    tf.summary.scalar(name, value)
            writer.flush()
        checkpoint.save(*trainer.state())
        saved = time.monotonic()
    return trainer.answer()


class _Net:
    """One net in training: TensorFlow variables, Adam's moments, and its best epoch."""

    def __init__(self, tf: Any, name: str, layers: Layers, outputs: slice) -> None:
        self.name = name
        self.outputs = outputs
        # Inputs x units: the layout that `matmul` reads along.
        self.variables = [
            tf.Variable(array.astype(np.float32), name=f"{name}_{index}")
            for weight, bias in zip(layers.weights, layers.biases, strict=True)
            for index, array in enumerate((weight.T, bias))
        ]
        self.firsts = [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]
        self.seconds = [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]
        self.best = [variable.numpy() for variable in self.variables]
        self.best_error = float("inf")
        self.best_epoch = 0

    def lists(self) -> dict[str, list[Any]]:
        """Return what a checkpoint holds of this net, by name."""
        return {"weights": self.variables, "firsts": self.firsts, "seconds": self.seconds}

    def layers(self, shape: DenseOptions) -> Layers:
        """Return the weights of the best epoch in the format's layout."""
        weights = tuple(np.ascontiguousarray(array.T) for array in self.best[::2])
        return Layers(weights=weights, biases=tuple(self.best[1::2]), activation=shape.activation)


@dataclass
class _Tally:
    """Sums over the running epoch."""

    chunks: int = 0
    rows: int = 0
    steps: int = 0
    seconds: float = 0.0
    loss: FloatArray = field(default_factory=lambda: np.zeros(2))

    def to_facts(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {**vars(self), "loss": self.loss.tolist()}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> _Tally:
        """Return the tally that `to_facts` was asked of."""
        return cls(**{**facts, "loss": np.array(facts["loss"])})


class _Trainer:
    def __init__(
        self, tf: Any, data: TrainingData, shape: DenseOptions, options: DenseTrainOptions
    ) -> None:
        self.tf, self.data, self.shape, self.options = tf, data, shape, options
        self.epoch = 0
        self.step = 0
        self.rows = max(1, data.rows("train"))
        self.seconds = 0.0
        self.tally = _Tally()
        self.history: list[dict[str, float]] = []
        self._runs: dict[tuple[str, ...], Any] = {}
        inputs = data.width + int(shape.lightness)
        files = {"ab": slice(0, 2)} if shape.shared else {"a": slice(0, 1), "b": slice(1, 2)}
        self.nets = []
        for index, (name, outputs) in enumerate(files.items()):
            layers = start_layers(
                np.random.default_rng([options.seed, index]),
                options.start,
                shape.activation,
                inputs=inputs,
                units=shape.units,
                depth=shape.depth,
                outputs=outputs.stop - outputs.start,
            )
            self.nets.append(_Net(tf, name, layers, outputs))

    @property
    def active(self) -> list[_Net]:
        """The nets whose patience has not run out."""
        patience = self.options.patience
        return [net for net in self.nets if self.epoch - net.best_epoch < patience]

    # State, and going on from it.

    def restore(self, saved: tuple[Mapping[str, AnyArray], Mapping[str, Any]] | None) -> None:
        """Go on from a checkpoint, or measure the data and begin."""
        if saved is None:
            spread = moments(self.data, "train")
            self.rows = spread.rows
            inputs = self.data.width + int(self.shape.lightness)
            if self.options.scale == "divide512":
                self.scaling = [np.zeros(inputs), np.full(inputs, 512.0)]
            else:
                self.scaling = [spread.mean[:inputs], spread.scale[:inputs]]
            self.scaling += [spread.chroma_mean, spread.chroma_scale]
            self.scaling = [array.astype(np.float32) for array in self.scaling]
            return
        arrays, facts = saved
        self.scaling = [arrays[f"scaling.{index}"] for index in range(4)]
        self.epoch, self.step, self.rows = facts["epoch"], facts["step"], facts["rows"]
        self.seconds = facts["seconds"]
        # Version 0.1 saved between epochs alone.
        self.tally = _Tally.from_facts(facts["tally"]) if "tally" in facts else _Tally()
        self.history = [dict(entry) for entry in facts["history"]]
        for net in self.nets:
            for name, variables in net.lists().items():
                for index, variable in enumerate(variables):
                    variable.assign(arrays[f"{net.name}.{name}.{index}"])
            net.best = [arrays[f"{net.name}.best.{index}"] for index in range(len(net.best))]
            net.best_error = facts["best_error"].get(net.name, float("inf"))
            net.best_epoch = facts["best_epoch"][net.name]

    def state(self) -> tuple[dict[str, AnyArray], dict[str, Any]]:
        """Return arrays and facts from which `restore` goes on."""
        arrays = {f"scaling.{index}": array for index, array in enumerate(self.scaling)}
        for net in self.nets:
            for name, variables in net.lists().items():
                for index, variable in enumerate(variables):
                    arrays[f"{net.name}.{name}.{index}"] = variable.numpy()
            for index, array in enumerate(net.best):
                arrays[f"{net.name}.best.{index}"] = array
        facts = {
            "epoch": self.epoch,
            "step": self.step,
            "rows": self.rows,
            "seconds": self.seconds,
            "tally": self.tally.to_facts(),
            "history": self.history,
            # Infinite until the first epoch ends, which JSON cannot say.
            "best_error": {net.name: net.best_error for net in self.nets if net.best_epoch},
            "best_epoch": {net.name: net.best_epoch for net in self.nets},
        }
        return arrays, facts

    # One epoch.

    def run_epoch(self, progress: Progress) -> None:
        """Step through the training rows once, then measure on unseen pictures.

        What a restored state has done of the epoch is read again, for the order of what follows,
        but not worked again.
        """
        options = self.options
        tally = self.tally
        began = time.monotonic() - tally.seconds
        active = self.active
        run = self._run(active)
        chunk_rows = max(1, CHUNK_ROWS // options.batch) * options.batch
        source = batches(
            self.data,
            "train",
            batch=chunk_rows,
            seed=options.seed,
            epoch=self.epoch,
            buffer_rows=options.buffer_rows,
        )
        for features, lightness, chroma in ahead(itertools.islice(source, tally.chunks, None)):
            # What does not fill a step at the end of an epoch waits for another epoch's order.
            steps = max(1, len(features) // options.batch)
            rates = self._rates(tally.rows, steps)
            done, losses = run(features, lightness, chroma, rates, np.int32(self.step))
            done = int(done)
            losses = losses.numpy().astype(np.float64)
            diverged = [
                f"{net.name} ({loss:.3g})"
                for net, loss in zip(active, losses, strict=True)
                if not loss < DIVERGED
            ]
            if diverged:
                raise TrainingError(
                    f"the loss of net {', '.join(diverged)} has diverged in epoch "
                    f"{self.epoch + 1}, step {self.step + done} "
                    f"({tally.steps + done} of the epoch)",
                    hint="lower the learning rate, or look for NaN in the data; "
                    "the last checkpoint is good",
                )
            self.step += steps
            tally.steps += steps
            tally.rows += len(features)
            tally.loss = tally.loss[: len(active)] + losses
            tally.chunks += 1
            tally.seconds = time.monotonic() - began
            self._report(progress)
        if tally.rows == 0:
            raise TrainingError("there are no training rows")
        # The source may have guessed; from now on it is known.
        self.rows = tally.rows
        rows_per_second = tally.rows / tally.seconds
        errors = self.errors("validation", lambda: self._report(progress))
        entry = {"epoch": float(self.epoch + 1), "rows": float(tally.rows)}
        for net, loss in zip(active, tally.loss / tally.steps, strict=True):
            entry[f"loss_{net.name}"] = float(loss)
        entry["rows_per_second"] = rows_per_second
        entry.update(self._keep_best(errors))
        self.epoch += 1
        self.tally = _Tally()
        elapsed = time.monotonic() - began
        self.seconds += elapsed
        entry["seconds"] = elapsed
        self.history.append(entry)

    def _keep_best(self, errors: Mapping[str, float]) -> dict[str, float]:
        entry = {}
        for net in self.active:
            error = errors[net.name]
            if not error < DIVERGED:
                raise TrainingError(
                    f"the validation error of net {net.name} is {error:.3g} "
                    f"after epoch {self.epoch + 1}, step {self.step}"
                )
            entry[f"error_{net.name}"] = error
            if error < net.best_error:
                net.best_error, net.best_epoch = error, self.epoch + 1
                net.best = [variable.numpy() for variable in net.variables]
        return entry

    def _rates(self, rows: int, steps: int) -> FloatArray:
        """Return the learning rate of each of the next steps: warm-up, then a cosine to 0."""
        options = self.options
        ahead = np.arange(steps)
        share = np.minimum(1.0, (rows + ahead * options.batch) / self.rows)
        cosine = 0.5 * (1 + np.cos(np.pi * (self.epoch + share) / options.epochs))
        warm = np.minimum(1.0, (self.step + ahead + 1) / max(1, options.warmup))
        return (options.learning_rate * warm * cosine).astype(np.float32)

    def _report(self, progress: Progress) -> None:
        options, tally = self.options, self.tally
        speed = tally.rows / tally.seconds
        done = self.epoch * self.rows + tally.rows
        total = max(done, options.epochs * self.rows)
        left = round((total - done) / speed)
        facts = {
            "epoch": f"{self.epoch + 1}/{options.epochs}",
            "loss": " ".join(f"{loss / tally.steps:.4f}" for loss in tally.loss),
            "rows/s": f"{speed:,.0f}",
            "time left": f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}",
        }
        for net in self.nets:
            if net.best_epoch:
                facts[f"best {net.name}"] = f"{net.best_error:.4f}"
        progress(done, total, facts)

    # Graphs.

    def _inputs(self, features: Any, lightness: Any) -> Any:
        tf = self.tf
        joined = tf.cast(features, tf.float32)
        if self.shape.lightness:
            joined = tf.concat([joined, lightness[:, tf.newaxis]], axis=1)
        mean, sd = self.scaling[0], self.scaling[1]
        return (joined - mean) * (np.float32(1) / sd)

    def _targets(self, chroma: Any) -> Any:
        return (chroma - self.scaling[2]) * (np.float32(1) / self.scaling[3])

    def _forward(self, net: _Net, inputs: Any, variables: list[Any], *, rough: Any = None) -> Any:
        """Return the standardised answer; products of hidden layers in the type `rough`, if any."""
        tf = self.tf
        activate = getattr(tf.nn, self.shape.activation)
        state = inputs
        for index in range(0, len(variables) - 2, 2):
            weight = variables[index]
            if rough is None:
                product = state @ weight
            else:
                product = tf.cast(tf.cast(state, rough) @ tf.cast(weight, rough), tf.float32)
            state = activate(tf.nn.bias_add(product, variables[index + 1]))
        return tf.nn.bias_add(state @ variables[-2], variables[-1])

    def _run(self, active: list[_Net]) -> Any:
        """Return the function that steps these nets through a chunk; traced once for each set."""
        names = tuple(net.name for net in active)
        if names not in self._runs:
            self._runs[names] = self._trace(active)
        return self._runs[names]

    def _trace(self, active: list[_Net]) -> Any:
        tf, options = self.tf, self.options
        batch = options.batch
        rough = tf.bfloat16 if options.precision == "bfloat16" else None

        def step(net: _Net, inputs: Any, targets: Any, rate: Any, count: Any) -> Any:
            seed = tf.stack([options.seed, 2 * count + net.outputs.start])
            if options.noise:
                shape = tf.shape(inputs)
                inputs += options.noise * tf.random.stateless_normal(shape, seed)
            if options.dropout:
                inputs = tf.nn.experimental.stateless_dropout(inputs, options.dropout, seed)
            # Read once: forward and backward pass see the weights before the update.
            values = [tf.convert_to_tensor(variable) for variable in net.variables]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                answer = self._forward(net, inputs, values, rough=rough)
                loss = tf.reduce_mean(tf.math.squared_difference(answer, targets))
            power = tf.cast(count + 1, tf.float32)
            powers = tf.pow(BETA_1, power), tf.pow(BETA_2, power)
            gradients = tape.gradient(loss, values)
            for variable, value, first, second, gradient in zip(
                net.variables, values, net.firsts, net.seconds, gradients, strict=True
            ):
                if options.weight_decay and len(variable.shape) == 2:
                    variable.assign_sub(rate * options.weight_decay * value)
                tf.raw_ops.ResourceApplyAdam(
                    var=variable.handle,
                    m=first.handle,
                    v=second.handle,
                    beta1_power=powers[0],
                    beta2_power=powers[1],
                    lr=rate,
                    beta1=BETA_1,
                    beta2=BETA_2,
                    epsilon=EPSILON,
                    grad=gradient,
                )
            return loss

        signature = [
            tf.TensorSpec([None, self.data.width], tf.float32),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([None, 2], tf.float32),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([], tf.int32),
        ]

        def run(features: Any, lightness: Any, chroma: Any, rates: Any, first: Any) -> Any:
            steps = tf.shape(rates)[0]

            def going(index: Any, losses: Any) -> Any:
                # False for NaN too.
                sound = tf.reduce_all(losses < DIVERGED)
                return tf.logical_and(index < steps, sound)

            def body(index: Any, losses: Any) -> Any:
                rows = slice(index * batch, (index + 1) * batch)
                inputs = self._inputs(features[rows], lightness[rows])
                targets = self._targets(chroma[rows])
                new = [
                    step(net, inputs, targets[:, net.outputs], rates[index], first + index)
                    for net in active
                ]
                return index + 1, losses + tf.stack(new)

            start = (tf.constant(0), tf.zeros(len(active)))
            return tf.while_loop(going, body, start, parallel_iterations=1)

        return tf.function(run, input_signature=signature, autograph=False)

    # Measuring.

    def errors(
        self, split: Split, after_each: Callable[[], None] | None = None
    ) -> dict[str, float]:
        """Return each net's squared error over that of the training mean, on a part."""
        tf = self.tf
        if not hasattr(self, "_measure"):
            signature = [
                tf.TensorSpec([None, self.data.width], tf.float32),
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([None, 2], tf.float32),
            ]

            def measure(features: Any, lightness: Any, chroma: Any) -> Any:
                inputs = self._inputs(features, lightness)
                answers = [self._forward(net, inputs, net.variables) for net in self.nets]
                targets = self._targets(chroma)
                gap = tf.math.squared_difference(tf.concat(answers, axis=1), targets)
                return tf.reduce_sum(gap, axis=0), tf.reduce_sum(targets**2, axis=0)

            self._measure = tf.function(measure, input_signature=signature, autograph=False)
        gaps, spreads = np.zeros(2), np.zeros(2)
        rows = 0
        for features, lightness, chroma in ahead(chunks(self.data, split)):
            rows += len(lightness)
            gap, spread = self._measure(features, lightness, chroma)
            gaps += gap.numpy()
            spreads += spread.numpy()
            if after_each is not None:
                after_each()
        if not rows:
            raise TrainingError(
                f"none of the {self.data.pictures(split)} {split} pictures gives samples"
            )
        if not spreads.all():
            raise TrainingError(f"the {split} pictures have no colour to measure by")
        # A shared net answers for both: the mean of the two relative errors.
        return {net.name: float((gaps / spreads)[net.outputs].mean()) for net in self.nets}

    def answer(self) -> TrainedNets:
        """Return the nets of their best epochs, and what the card should say of them."""
        for net in self.nets:
            for variable, best in zip(net.variables, net.best, strict=True):
                variable.assign(best)
        names = ("input_mean", "input_sd", "target_mean", "target_sd")
        nets = {}
        facts: dict[str, Any] = {
            "epochs": self.epoch,
            "steps": self.step,
            "rows": self.rows,
            "seconds": round(self.seconds, 1),
        }
        for net in self.nets:
            scaling = dict(zip(names, self.scaling, strict=True))
            for name in names[2:]:
                scaling[name] = scaling[name][net.outputs]
            nets[net.name] = DenseNet(layers=net.layers(self.shape), **scaling)
            facts[f"best_epoch_{net.name}"] = net.best_epoch
            facts[f"error_validation_{net.name}"] = net.best_error
        if self.data.pictures("card"):
            for name, error in self.errors("card").items():
                facts[f"error_card_{name}"] = error
        return TrainedNets(nets=nets, history=tuple(self.history), facts=facts)

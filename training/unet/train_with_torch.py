"""Train the network of ``bins-unet/2`` by torch in bfloat16, for hours on a few cores.

::

    python -m venv torch-env
    torch-env/bin/pip install torch==2.13.0 -e '.[opencv,onnx]'
    torch-env/bin/python training/unet/train_with_torch.py PHOTOS OUT --start ENCODER.safetensors

PHOTOS: colour photographs, one folder a source, split as `chroma train` splits them. OUT: a folder
that receives pictures in bytes, checkpoints, a log and ``net.safetensors``, which `chroma train`
takes as ``train.start``. A run that was stopped goes on when it is started again.

The same pictures, wear, targets and loss as ``tf-unet`` (its modules are used), other arithmetic
and another schedule: the rate rises, stays, and falls over the last part of the steps, so that a
longer training can be decided on while it runs. On a processor with AMX this is 1.6 times as fast
as TensorFlow in float32, if the memory allocator keeps what it got::

    export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=500000000
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from chroma_onnx.encoder import load_session
from chroma_tensorflow.feed import ahead
from chroma_tensorflow.unet_maps import CODES, Cut, MapStore, batch_at, bin_shares, chroma_of
from safetensors.numpy import load_file, save_file
from torch_net import UNet

from chroma_core.color.bins import ab_bins, bin_weights, chroma_of_logits, soft_codes
from chroma_core.plugins import find_stage
from chroma_core.regressors.unet_net import ENCODER, encoder_of, tilted
from chroma_core.training.data import PhotographData

sys.path.insert(0, str(Path(__file__).parents[1] / "encoder"))

from lite2 import LITE2  # the folder above was added for it

MEASURED_SIZE = 256
AVERAGE = 0.998


def main() -> None:
    """Train."""
    given = _arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in vars(given).items() if not isinstance(value, Path)}
    (given.out / "options.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    store, unseen = _stores(given)
    bins = ab_bins()
    weights = bin_weights(bin_shares(store, bins), mix=given.mix).astype(np.float32)
    nearest, shares = _codes(bins)
    targets = (
        torch.from_numpy(nearest),
        torch.from_numpy(shares),
        torch.from_numpy(weights[nearest[:, 0]]),
    )
    told = squares_of if given.regression else losses_of
    encoder = tuple(encoder_of(LITE2)) if given.lite2 else ENCODER
    net = UNet(
        tilted(load_file(given.start), weights),
        dropout=given.dropout,
        skipped=given.skipped,
        whole=not given.no_whole,
        encoder=encoder,
    )
    if not given.lite2:
        _compare(net)
    mean = UNet(net.tensors(), encoder=encoder)
    mean.load_state_dict(net.state_dict())
    optimizer = torch.optim.AdamW(
        net.groups(given.rate, given.encoder_rate, given.decay), betas=(0.9, 0.99), fused=True
    )
    highest = [group["lr"] for group in optimizer.param_groups]
    checkpoint = given.out / "checkpoint.pt"
    step = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        step = saved["step"]
        net.load_state_dict(saved["net"])
        mean.load_state_dict(saved["mean"])
        optimizer.load_state_dict(saved["optimizer"])
    steps = round(given.epochs * len(store) / given.batch)
    last = min(steps, round((given.until or given.epochs) * len(store) / given.batch))
    part = max(1, round(len(store) / given.batch))
    began, first, losses = time.monotonic(), step, []
    sizes = tuple(int(text) for text in given.sizes.split(","))
    late = tuple(int(text) for text in given.late_sizes.split(","))

    def cuts() -> Iterator[Cut]:
        for number in range(first, last):
            falling = number >= steps * (1 - given.fall)
            yield batch_at(
                store,
                number,
                batch=given.batch,
                sizes=late if falling else sizes,
                closest=given.closest,
                seed=given.seed,
                wear=given.wear,
            )

    for cut in ahead(cuts(), depth=3):
        share = _rate(step, steps, given.fall, given.warmup)
        for group, rate in zip(optimizer.param_groups, highest, strict=True):
            group["lr"] = rate * share
        torch.manual_seed(given.seed * 1_000_003 + step)
        net.train()
        losses.append(_step(net, optimizer, cut, targets, told))
        step += 1
        _average(net, mean, min(AVERAGE, (step + 1) / (step + 10)))
        if step % part == 0 or step == last:
            found = measure(mean, unseen, targets, bins, weights)
            found = {
                "epoch": round(step * given.batch / len(store), 2),
                "minutes": round((time.monotonic() - began) / 60, 1),
                "pictures a second": round((step - first) * given.batch / _since(began), 1),
                "loss": round(float(np.mean(losses)), 4),
                **found,
            }
            losses = []
            _save(given.out, found, step, (net, mean, optimizer), weights)
            if given.keep:
                epoch = f"epoch-{found['epoch']:05.2f}.safetensors"
                shutil.copyfile(given.out / "net.safetensors", given.out / epoch)
            print(found, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", type=Path, required=True, help="encoder_start.py writes it")
    parser.add_argument("--epochs", type=float, default=18)
    parser.add_argument("--until", type=float, help="epochs after which to stop nevertheless")
    parser.add_argument("--fall", type=float, default=0.33, help="part at a falling rate")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--encoder-rate", type=float, default=0.015)
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--skipped", type=float, default=0.0)
    parser.add_argument("--sizes", default="128,160,192")
    parser.add_argument("--late-sizes", default="192,224,256")
    parser.add_argument("--closest", type=float, default=1.8)
    parser.add_argument("--validate", type=int, default=300)
    parser.add_argument("--validation", default="mod10", help="which pictures do not teach")
    parser.add_argument("--warmup", type=int, default=300, help="steps over which the rate rises")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mix", type=float, default=1.0, help="1: all colours weigh alike")
    parser.add_argument("--wear", type=float, default=0.25, help="share of squares with wear")
    parser.add_argument("--no-whole", action="store_true", help="without the whole-picture vector")
    parser.add_argument("--regression", action="store_true", help="squared error, not log loss")
    parser.add_argument("--lite2", action="store_true", help="the other encoder, to compare with")
    parser.add_argument("--keep", action="store_true", help="what came out of each epoch, too")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def _since(began: float) -> float:
    return max(time.monotonic() - began, 1e-9)


def _rate(step: int, steps: int, fall: float, warmup: int) -> float:
    """Rise, stay, and fall as half a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    left = (steps - step) / max(1.0, steps * fall)
    return 1.0 if left >= 1 else float(0.01 + 0.99 * (1 - np.cos(np.pi * left)) / 2)


def _step(net: UNet, optimizer: Any, cut: Cut, targets: tuple[Any, ...], told: Any) -> float:
    logits, codes = answers(net, cut), torch.from_numpy(cut.codes.ravel().astype(np.int64))
    loss = told(logits, codes, targets).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    value = float(loss.detach())
    if not np.isfinite(value):
        sys.exit("the loss is not finite: lower --rate and start again")
    return value


def answers(net: UNet, cut: Cut) -> torch.Tensor:
    """Return logits (nodes, bins), float32."""
    gray = torch.from_numpy(np.ascontiguousarray(np.moveaxis(cut.gray, -1, 1)))
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(gray)
    return logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1]).float()


def losses_of(logits: Any, codes: Any, targets: tuple[Any, ...]) -> Any:
    """Return each node's weighted cross entropy with its soft code."""
    nearest, shares, weights = targets
    told = (logits.gather(1, nearest[codes]) * shares[codes]).sum(dim=1)
    return (torch.logsumexp(logits, dim=1) - told) * weights[codes]


def squares_of(logits: Any, codes: Any, targets: tuple[Any, ...]) -> Any:
    """Return each node's weighted squared error of the expected colour, in hundreds.

    The same network as a regression: what the docs compare distributions with.
    """
    places = torch.stack([codes // CODES, codes % CODES], dim=1)
    truth = (places - CODES // 2) * 2
    mean = torch.softmax(logits, dim=1) @ torch.from_numpy(ab_bins().astype(np.float32))
    return (mean - truth).square().sum(dim=1) / 100 * targets[2][codes]


@torch.no_grad()
def measure(
    net: UNet, held: MapStore, targets: tuple[Any, ...], bins: np.ndarray, weights: np.ndarray
) -> dict[str, float]:
    """Return loss, and error over variance of the expected colour, on unseen pictures."""
    net.eval()
    loss, count, errors, spreads = 0.0, 0, np.zeros(2), np.zeros(2)
    for cut in held.middles(MEASURED_SIZE):
        logits, codes = answers(net, cut), torch.from_numpy(cut.codes.ravel().astype(np.int64))
        loss += float(losses_of(logits, codes, targets).sum())
        count += len(codes)
        truth = chroma_of(cut.codes.ravel())
        chroma = chroma_of_logits(logits.numpy(), bins, weights, undo=1.0, temperature=1.0)
        errors += np.square(chroma - truth).sum(axis=0)
        spreads += np.square(truth).sum(axis=0)
    a, b = (errors / spreads).tolist()
    return {
        "validation loss": round(loss / count, 4),
        "a over gray's": round(a, 4),
        "b over gray's": round(b, 4),
        "both over gray's": round(float(errors.sum() / spreads.sum()), 4),
    }


@torch.no_grad()
def _average(net: UNet, mean: UNet, keep: float) -> None:
    pairs = list(zip(mean.parameters(), net.parameters(), strict=True))
    torch._foreach_lerp_([m for m, _ in pairs], [n for _, n in pairs], 1 - keep)


def _save(
    out: Path,
    entry: dict[str, float],
    step: int,
    state: tuple[UNet, UNet, Any],
    weights: np.ndarray,
) -> None:
    net, mean, optimizer = state
    unfinished = out / "checkpoint.part"
    torch.save(
        {
            "step": step,
            "net": net.state_dict(),
            "mean": mean.state_dict(),
            "optimizer": optimizer.state_dict(),
        },
        unfinished,
    )
    unfinished.replace(out / "checkpoint.pt")
    save_file({**mean.tensors(), "weights": weights}, out / "net.part")
    (out / "net.part").replace(out / "net.safetensors")
    log = out / "log.csv"
    fresh = not log.exists()
    with log.open("a", newline="") as file:
        writer = csv.DictWriter(file, entry)
        if fresh:
            writer.writeheader()
        writer.writerow(entry)


def _stores(given: argparse.Namespace) -> tuple[Any, Any]:
    data = PhotographData(
        given.photos,
        find_stage("features", "pixels")(),
        find_stage("colorspace", "lab")(),
        256,
        validation=given.validation,
        workers=given.threads,
    )

    def told(done: int, total: int, facts: Any) -> None:
        if done % 1000 == 0:
            print(f"read {done} of {total}", flush=True)

    return (
        _Kept(data, "train", told, None, given.out),
        _Kept(data, "validation", told, given.validate, given.out),
    )


class _Kept(MapStore):
    """A store whose bytes stay in the folder, for the next start."""

    def __init__(self, data: Any, split: Any, progress: Any, most: int | None, out: Path) -> None:
        places, content = out / f"{split}-places.npy", out / f"{split}.bytes"
        if places.exists():
            self._places = [tuple(int(n) for n in row) for row in np.load(places)]
            self._bytes = np.memmap(content, dtype=np.uint8, mode="r")
            return
        super().__init__(data, split, progress, most)
        self._bytes.tofile(content)
        np.save(places, np.array(self._places))


def _codes(bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    nearest, shares = soft_codes(chroma_of(np.arange(CODES**2)), bins)
    return nearest.astype(np.int64), shares


@torch.no_grad()
def _compare(net: UNet) -> None:
    """See that this is the network that the shipped graph describes."""
    from importlib import resources

    gray = np.random.default_rng(0).random((1, 1, 96, 128)).astype(np.float32)
    probe = UNet(
        {
            name: array + (0.01 if name.startswith("logits") else 0)
            for name, array in net.tensors().items()
        }
    )
    graph = resources.files("chroma_onnx").joinpath("unet.onnx").read_bytes()
    session = load_session(graph, 1, probe.tensors())
    (wanted,) = session.run(["logits"], {"gray": gray})
    found = probe.eval()(torch.from_numpy(gray)).numpy()
    gap, size = float(np.abs(found - wanted).max()), float(np.abs(wanted).max())
    print(f"against onnxruntime: logits up to {size:.3g}, apart by {gap:.2g} at most", flush=True)
    if gap > 1e-3 * max(size, 1.0):
        sys.exit("this is another network than that of unet.onnx")


if __name__ == "__main__":
    main()

"""What the benchmarks share: made-up photographs and nets, always the same ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chroma_core.arrays import FloatArray, PixelArray
from chroma_core.filters.resize import sample_bilinear
from chroma_core.regressors.dense_net import DenseNet, DenseOptions, start_layers

Weights = dict[str, dict[str, FloatArray]]

SECONDS = 4.0
"""How long one benchmark is repeated."""

UNUSED = "ignore:Benchmark fixture was not used:pytest_benchmark.logger.PytestBenchmarkWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a benchmark be skipped, where a peer is not installed, without a warning."""
    for item in items:
        if item.path.name.startswith("bench_"):
            item.add_marker(pytest.mark.filterwarnings(UNUSED))


def _photograph(height: int, width: int) -> PixelArray:
    rng = np.random.default_rng([height, width])
    picture = np.zeros((height, width, 3), dtype=np.float32)
    # Amplitudes that grow with the size of the structure, as in photographs (a 1/f spectrum).
    for cells in (4, 16, 64, 256):
        rows, cols = max(2, cells * height // max(height, width)), cells
        coarse = rng.normal(0, 0.4 / np.log2(cells), (rows, cols, 3)).astype(np.float32)
        coarse[..., 1:] = coarse[..., :1] + 0.65 * coarse[..., 1:]
        picture += sample_bilinear(
            coarse, np.linspace(0, rows - 1, height), np.linspace(0, cols - 1, width)
        )
    picture += rng.normal(0, 0.01, picture.shape).astype(np.float32)
    return np.rint(255 * (0.5 + picture).clip(0, 1)).astype(np.uint8)


@pytest.fixture(scope="session")
def photograph() -> Callable[[int, int], PixelArray]:
    """Return a function that makes an sRGB picture, (H, W, 3) uint8, like a photograph.

    Soft shapes of several sizes and noise: not what the eye takes for a photograph, but its mean
    lightness, contrast and chroma (40, 16 and 22) are those of many.
    """
    made: dict[tuple[int, int], PixelArray] = {}

    def make(height: int, width: int) -> PixelArray:
        if (height, width) not in made:
            made[height, width] = _photograph(height, width)
            made[height, width].flags.writeable = False
        return made[height, width]

    return make


@pytest.fixture(scope="session")
def nets() -> Callable[[int], Weights]:
    """Return a function that draws the seed's two nets (10 layers of 128) for `width` features."""

    def draw(width: int) -> Weights:
        options = DenseOptions()
        drawn = {}
        for number, stem in enumerate("ab"):
            layers = start_layers(
                np.random.default_rng(number),
                "image",
                options.activation,
                inputs=width + 1,
                units=options.units,
                depth=options.depth,
                outputs=1,
            )
            net = DenseNet(
                layers=layers,
                input_mean=np.full(width + 1, 30.0),
                input_sd=np.full(width + 1, 40.0),
                target_mean=np.array([2.0]),
                target_sd=np.array([15.0]),
            )
            drawn[stem] = net.tensors()
        return drawn

    return draw


@pytest.fixture
def measure(benchmark: Any) -> Callable[..., Any]:
    """Return a function that times a call and says its result, and keeps facts beside the time.

    The first call is not counted. It says how many follow: about `SECONDS` of them, since the best
    of many is what a machine with other work on it can tell. `rounds` sets the number instead, and
    0 counts the first call alone. The least CPU time of a round, summed over threads and processes,
    is kept as `cpu_seconds`: other work on the machine moves it less.
    """

    def run(call: Callable[[], Any], *, group: str, rounds: int = -1, **facts: Any) -> Any:
        spent = []

        def counted() -> Any:
            before = _cpu_seconds()
            answer = call()
            spent.append(_cpu_seconds() - before)
            return answer

        if rounds == 0 or benchmark.disabled:
            rounds = 1
        else:
            began = time.perf_counter()
            counted()
            elapsed = max(time.perf_counter() - began, 1e-9)
            rounds = rounds if rounds > 0 else min(50, max(4, round(SECONDS / elapsed)))
        benchmark.group = group
        answer = benchmark.pedantic(counted, rounds=rounds)
        benchmark.extra_info.update(facts, cpu_seconds=min(spent))
        return answer

    return run


def _cpu_seconds() -> float:
    """Return the CPU time of this process and of those that it has waited for."""
    try:
        import resource
    except ImportError:  # Windows counts no children
        return time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime

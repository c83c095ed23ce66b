"""`check_stage`: the contract of a stage, law by law."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from operator import methodcaller
from typing import Any

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray
from chroma_core.options import describe_options, options_from_text, options_to_text
from chroma_core.stages import (
    Colorspace,
    Features,
    Grid,
    Prediction,
    Refiner,
    Regressor,
    Scene,
    Stage,
    Weights,
    WeightShapes,
)
from chroma_core.testing.pictures import sample_pictures

__all__ = ["check_stage"]

SHAPES = ((1, 1), (1, 7), (9, 1), (8, 11), (33, 21), (64, 48))
"""Heights and widths: single pixels, single rows and columns, odd and even, portrait."""

THREADS = 4


def check_stage(
    stage: Stage[Any],
    *,
    width: int | None = None,
    shapes: Sequence[tuple[int, int]] = SHAPES,
    scales: Sequence[float] = (1.0, 2.5),
    side: Callable[[int, int], Mapping[str, AnyArray]] | None = None,
    seed: int = 0,
    rtol: float = 0.0,
    atol: float = 1e-4,
) -> None:
    """Put a stage through the laws of its contract.

    Answers have the right shape, dtype and no NaN; arguments are left as they were (they are given
    read-only); the same call gives the same answer, also after other pictures and in several
    threads at once; bands and stripes equal the whole; arrays of any memory layout will do; options
    go to text and back; width, columns, gray and lightness are as declared.

    Parameters
    ----------
    stage : Stage
        Colorspace, features, regressor or refiner; a regressor with its weights.
    width : int, optional
        For a regressor, numbers a node of the features in front; where not given, the width from 0
        to 512 that fits its weights.
    shapes : sequence of (int, int), optional
        Heights and widths to try; a slow stage may take fewer.
    scales : sequence of float, optional
        Values of `Scene.scale` to try.
    side : callable, optional
        From height and width to what the stage takes in `Scene.side`.
    seed : int, optional
        Of the pictures that are made up.
    rtol, atol : float, optional
        How far stripes and bands may differ from the whole, where sums are taken in another order.
        The default is a dozen roundings of float32 at 100, and far from visible; a stage that looks
        at single nodes or pixels should hold 0. The same call always gives the same answer.

    Raises
    ------
    AssertionError
        Says which law does not hold, at which shape, by how much.

    Examples
    --------
    >>> from chroma_core.features.position import PositionFeatures
    >>> check_stage(PositionFeatures())
    """
    laws = _Laws(
        stage=stage,
        shapes=tuple(shapes),
        scales=tuple(scales),
        side=side,
        seed=seed,
        rtol=rtol,
        atol=atol,
    )
    laws.declaration()
    if isinstance(stage, Colorspace):
        laws.colorspace(stage)
    elif isinstance(stage, Features):
        laws.features(stage)
    elif isinstance(stage, Regressor):
        laws.regressor(stage, _width_of(stage) if width is None else width)
    elif isinstance(stage, Refiner):
        laws.refiner(stage)
    else:
        raise AssertionError(f"{stage!r} has none of the four roles")


@dataclass(kw_only=True)
class _Laws:
    """The laws of one stage, and what they are tried on."""

    stage: Stage[Any]
    shapes: tuple[tuple[int, int], ...]
    scales: tuple[float, ...]
    side: Callable[[int, int], Mapping[str, AnyArray]] | None
    seed: int
    rtol: float
    atol: float
    answers: list[tuple[Callable[[Any], Any], Any, AnyArray, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Keep the stage as it came: a copy without a memory."""
        self.fresh: Stage[Any] | None
        try:
            self.fresh = deepcopy(self.stage)
        except TypeError:
            # It holds what cannot be copied, such as a lock.
            self.fresh = None

    def declaration(self) -> None:
        """Check that what a class says of itself is complete; options go to text and back."""
        stage, kind = self.stage, type(self.stage)
        name = getattr(stage, "name", None)
        words = isinstance(name, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        self.law(bool(words), f"is called {name!r}, wanted words joined by hyphens")
        version = stage.version
        self.law(
            type(version) is int and version >= 1, f"has version {version!r}, wanted 1 or more"
        )
        self.law(
            isinstance(stage.options, kind.Options),
            f"holds {type(stage.options).__name__}, declares {kind.Options.__name__}",
        )
        frozen = getattr(kind.Options, "__dataclass_params__", None)
        self.law(
            frozen is not None and frozen.frozen and "__dataclass_params__" in vars(kind.Options),
            "has options that are no frozen dataclass: decorate them with @dataclass(frozen=True)",
        )
        for described in describe_options(kind.Options):
            self.law(bool(described.help), f"option {described.name} has no help")
            missing = described.default is dataclasses.MISSING or described.default is None
            self.law(not missing, f"option {described.name} has no default")
        self.law(kind.Options() == kind.Options(), "has options that do not equal themselves")
        text = options_to_text(stage.options)
        again = options_from_text(type(stage.options), text)
        self.law(again == stage.options, f"options {text} come back from text as {again}")

    def colorspace(self, stage: Colorspace[Any]) -> None:
        """Check that gray has no chroma, and that there and back is the identity."""
        for dtype in (np.float32, np.float64):
            for shape in [(3,), (5, 3), (0, 3), (4, 6, 3)]:
                rng = np.random.default_rng([self.seed, len(shape)])
                rgb: FloatArray = rng.uniform(0, 1, shape).astype(dtype)
                where = f"{shape} {rgb.dtype}"
                color = self.converted("from_rgb", rgb, where)
                back = self.converted("to_rgb", color, where)
                # Both conversions in float32 are some dozens of roundings of 6e-8 each, enlarged
                # up to 12.92 times where the transfer function is steepest.
                self.near(back, rgb, 0.0, 2e-5, f"to_rgb(from_rgb(rgb)) {where}")
        gray = np.repeat(np.linspace(0, 1, 256)[:, np.newaxis], 3, axis=1)
        color = stage.from_rgb(gray)
        # A hundredth of what float32 resolves at L* = 100.
        self.near(color[:, 1:], np.zeros((256, 2)), 0.0, 1e-7, "chroma of gray")
        rises = bool((np.diff(color[:, 0]) > 0).all())
        self.law(rises, "lightness does not rise along a ramp of grays")
        ends = np.array([0.0, 100.0])
        self.near(color[[0, -1], 0], ends, 0.0, 1e-6, "lightness of black and white")
        rgb = np.random.default_rng(self.seed).uniform(0, 1, (64, 3))
        one_by_one = np.array([stage.from_rgb(pixel) for pixel in rgb])
        whole = stage.from_rgb(rgb)
        # float64 rounds at 1e-14 here; libraries take another path for short arrays.
        self.near(one_by_one, whole, self.rtol, 1e-9, "pixels one by one")
        self.stateless()
        self.layout(lambda flip: stage.from_rgb(flip(rgb)), "from_rgb")
        self.threads(partial(stage.from_rgb, rgb), "from_rgb")

    def converted(self, method: str, given: FloatArray, where: str) -> FloatArray:
        """Return what a conversion gives, of the shape and dtype of what is given."""
        what = f"{method} of {where}"
        check = partial(self.answer, what, shape=given.shape, dtype=given.dtype)
        found: FloatArray = self.pure(methodcaller(method, given), [given], what, check)
        return found

    def features(self, stage: Features[Any]) -> None:
        """Check that bands equal the whole, and that width and columns are honest."""
        self.law(type(stage.width) is int and stage.width >= 0, f"has width {stage.width!r}")
        total = sum(column.width for column in stage.columns)
        self.law(total == stage.width, f"columns have {total} numbers, width is {stage.width}")
        for scene, where in self.scenes():
            grid = self.grid(stage, *scene.lightness.shape)
            call = methodcaller("extract", scene, grid)
            shape = (*grid.shape, stage.width)
            check = partial(self.answer, f"extract {where}", shape=shape, dtype=np.float32)
            arguments = [scene.lightness, *scene.side.values()]
            found = self.pure(call, arguments, f"extract {where}", check)
            self.storage(stage, found, where)
            for start, stop in _runs(grid.rows):
                band = stage.extract(scene, grid.band(start, stop))
                place = f"extract of rows {start} to {stop} {where}"
                self.near(band, found[start:stop], self.rtol, self.atol, place)
        self.stateless()
        self.layout(
            lambda flip: stage.extract(replace(scene, lightness=flip(scene.lightness)), grid),
            "extract",
        )
        self.threads(partial(call, stage), "extract")

    def grid(self, stage: Features[Any], height: int, width: int) -> Grid:
        """Return the grid; check that it depends on the size alone and lies in the picture."""
        grid = stage.grid(height, width)
        where = f"grid of {height}x{width}"
        self.law(grid == stage.grid(height, width), f"{where} is another at the second call")
        if grid is None:
            return Grid.regular(height, width, 3)
        self.law(grid.rows >= 1 and grid.cols >= 1, f"{where} has no nodes: {grid.shape}")
        rows, cols = grid.row_positions(), grid.col_positions()
        inside = rows[0] >= -0.5 and rows[-1] <= height - 0.5
        inside = inside and cols[0] >= -0.5 and cols[-1] <= width - 0.5
        self.law(bool(inside), f"{where} has nodes outside of the picture: {grid}")
        return grid

    def storage(self, stage: Features[Any], found: FloatArray, where: str) -> None:
        """Check that what `columns` says of storage is true of the numbers."""
        start = 0
        for column in stage.columns:
            block = found[..., start : start + column.width]
            start += column.width
            if column.storage == "uint8":
                kept = np.clip(np.rint(block), 0, 255)
                self.near(kept, block, 0.0, 0.0, f"{column.name} kept as uint8 {where}")
            elif column.storage == "float16":
                with np.errstate(over="ignore"):
                    kept = block.astype(np.float16).astype(np.float32)
                self.law(bool(np.isfinite(kept).all()), f"{column.name} {where} overflows float16")
                # 11 significant bits, rounded; steps of 6e-8 near zero.
                self.near(kept, block, 2**-11, 6e-8, f"{column.name} kept as float16 {where}")

    def regressor(self, stage: Regressor[Any], width: int) -> None:
        """Check that weights are as declared and can be put in again; bands equal the whole."""
        have, wanted = _shapes(stage.weights()), _plain(stage.weight_shapes(width))
        self.law(have == wanted, f"holds weights {have}, weight_shapes({width}) are {wanted}")
        again = stage.with_weights(stage.weights())
        self.law(again.options == stage.options, "with_weights changes the options")
        for scene, where in self.scenes():
            lightness = scene.lightness
            rng = np.random.default_rng([self.seed, *lightness.shape])
            features = rng.uniform(0, 255, (*lightness.shape, width)).astype(np.float32)
            rows, cols = lightness.shape
            grid = Grid(rows=rows, cols=cols, origin=(1.5, 1.5), step=(4.0, 4.0))
            call = partial(self.prediction, features=features, lightness=lightness, grid=grid)
            check = partial(self.answer, f"predict {where}", shape=None, dtype=np.float32)
            found = self.pure(call, [features, lightness], f"predict {where}", check)
            same = self.prediction(again, features, lightness, grid)
            self.near(same, found, self.rtol, self.atol, f"with_weights(weights()) {where}")
            for start, stop in _runs(rows) if stage.per_node else ():
                run = slice(start, stop)
                band = self.prediction(stage, features[run], lightness[run], grid.band(start, stop))
                place = f"predict of rows {start} to {stop} {where}"
                self.near(band, found[run], self.rtol, self.atol, place)
        self.stateless()
        self.layout(
            lambda flip: self.prediction(stage, flip(features), flip(lightness), grid), "predict"
        )
        self.threads(partial(call, stage), "predict")

    def prediction(
        self, stage: Any, features: FloatArray, lightness: FloatArray, grid: Grid
    ) -> FloatArray:
        """Return the chroma of a prediction that is as it must be."""
        answer = stage.predict(features, lightness, grid)
        self.law(isinstance(answer, Prediction), f"predict gives a {type(answer).__name__}")
        shape = answer.grid.shape
        self.answer("chroma", answer.chroma, shape=(*shape, 2), dtype=np.float32)
        if answer.confidence is not None:
            self.answer("confidence", answer.confidence, shape=shape)
            low, high = float(answer.confidence.min()), float(answer.confidence.max())
            self.law(low >= 0 and high <= 1, f"confidence lies in [{low:g}, {high:g}]")
        self.law(answer.at(1.0) is answer, "prediction.at(1) is not the prediction itself")
        for vividness in (0.0, 0.5, 2.0):
            vivid = answer.at(vividness)
            self.answer(f"chroma at vividness {vividness}", vivid.chroma, shape=(*shape, 2))
        return np.asarray(answer.chroma)

    def refiner(self, stage: Refiner[Any]) -> None:
        """Check that stripes equal the whole, and that L* stays where the stage says so."""
        for scene, where in self.scenes():
            for dtype in (np.float32, np.float64):
                lab: FloatArray = _colored(scene.lightness, self.seed).astype(dtype)
                here = f"{where} {lab.dtype}"
                call = methodcaller("refine", lab, scene)
                check = partial(self.answer, f"refine {here}", shape=lab.shape, dtype=lab.dtype)
                arguments = [lab, scene.lightness, *scene.side.values()]
                found = self.pure(call, arguments, f"refine {here}", check)
                if not stage.moves_lightness:
                    kept = f"refine {here}: lightness, which it says it keeps"
                    self.near(found[..., 0], lab[..., 0], 0.0, 0.0, kept)
                self.stripes(stage, lab, scene, found, here)
        self.stateless()
        self.layout(
            lambda flip: stage.refine(flip(lab), replace(scene, lightness=flip(scene.lightness))),
            "refine",
        )
        self.threads(partial(call, stage), "refine")

    def stripes(
        self, stage: Refiner[Any], lab: FloatArray, scene: Scene, whole: FloatArray, where: str
    ) -> None:
        """Check that a stripe refined with `reach` rows around it equals the whole."""
        reach = stage.reach(scene.scale)
        if reach is None:
            return
        self.law(type(reach) is int and reach >= 0, f"reach is {reach!r}, wanted pixels or None")
        for start, stop in _runs(lab.shape[0]):
            low, high = max(0, start - reach), min(lab.shape[0], stop + reach)
            stripe = stage.refine(lab[low:high], scene.rows(low, high))[start - low : stop - low]
            place = f"refine of rows {start} to {stop} with reach {reach} {where}"
            self.near(stripe, whole[start:stop], self.rtol, self.atol, place)

    def scenes(self) -> Iterator[tuple[Scene, str]]:
        """Yield pictures of each shape at the first scale, and one at each other."""
        for height, width in self.shapes:
            side = dict(self.side(height, width)) if self.side is not None else {}
            pictures = sample_pictures(height, width, seed=self.seed)
            for name, lightness in pictures.items():
                for scale in self.scales[: None if name == "soft" else 1]:
                    scene = Scene(lightness=lightness, scale=scale, side=side)
                    yield scene, f"on {name} {height}x{width} at scale {scale:g}"

    def pure(
        self,
        call: Callable[[Any], Any],
        arguments: Sequence[AnyArray],
        where: str,
        check: Callable[[Any], None],
    ) -> Any:
        """Return an answer, of a call that writes into no argument and says the same again."""
        before = [argument.copy() for argument in arguments]
        for argument in arguments:
            argument.flags.writeable = False
        try:
            first = call(self.stage)
            check(first)
            copy = np.array(first)
            second = call(self.stage)
        except ValueError as error:
            if "read-only" in str(error):
                raise AssertionError(f"{self.who}: writes into its argument {where}") from error
            raise
        for argument, kept in zip(arguments, before, strict=True):
            same = np.array_equal(argument, kept)
            self.law(same, f"writes into its argument {where}")
        check(second)
        self.near(second, copy, 0.0, 0.0, f"the second call {where}")
        self.answers.append((call, first, copy, where))
        return first

    def stateless(self) -> None:
        """Check that no call so far changed what another call answers, or has answered."""
        for call, answer, kept, where in self.answers:
            self.near(answer, kept, 0.0, 0.0, f"what was answered {where}, after other calls,")
            if self.fresh is not None:
                fresh = call(deepcopy(self.fresh))
                self.near(kept, fresh, 0.0, 0.0, f"{where} after other pictures")
        call, _, kept, where = self.answers[0]
        self.near(call(self.stage), kept, 0.0, 0.0, f"{where}, again at the end,")

    def layout(self, call: Callable[[Callable[[Any], Any]], Any], what: str) -> None:
        """Check that arrays that are not contiguous give the same answer, up to rounding."""
        wanted = call(np.ascontiguousarray)
        flips: dict[str, Callable[[Any], Any]]
        flips = {"strided": _strided, "transposed": np.asfortranarray}
        for name, flip in flips.items():
            found = call(flip)
            # Loose: another order of sums may turn a rounding into whole numbers the other way.
            atol = 0.02 * max(1.0, float(np.abs(wanted).max(initial=0)))
            self.near(found, wanted, 0.0, atol, f"{what} of {name} arrays")

    def threads(self, call: Callable[[], Any], what: str) -> None:
        """Check that threads that share the stage get what one alone gets."""
        alone = call()
        answers: list[Any] = [None] * THREADS
        together = threading.Barrier(THREADS)

        def work(at: int) -> None:
            together.wait()
            try:
                answers[at] = [call() for _ in range(2)]
            except Exception as error:
                answers[at] = error

        workers = [threading.Thread(target=work, args=(at,)) for at in range(THREADS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for answer in answers:
            if isinstance(answer, Exception):
                raise AssertionError(f"{self.who}: {what} fails in threads: {answer!r}") from answer
            for found in answer:
                self.near(found, alone, 0.0, 0.0, f"{what} in {THREADS} threads")

    def answer(
        self, what: str, found: Any, *, shape: tuple[int, ...] | None, dtype: Any = None
    ) -> None:
        """Check that an answer is a finite floating-point array of this shape and dtype."""
        self.law(isinstance(found, np.ndarray), f"{what} gives a {type(found).__name__}")
        if shape is not None:
            self.law(found.shape == shape, f"{what} gives shape {found.shape}, wanted {shape}")
        wanted = "floats" if dtype is None else np.dtype(dtype).name
        fits = np.issubdtype(found.dtype, np.floating) if dtype is None else found.dtype == dtype
        self.law(bool(fits), f"{what} gives {found.dtype}, wanted {wanted}")
        bad = found.size - int(np.count_nonzero(np.isfinite(found)))
        self.law(bad == 0, f"{what} gives {bad} values that are NaN or infinite")

    def near(self, found: Any, wanted: Any, rtol: float, atol: float, what: str) -> None:
        """Check that two answers are the same, up to what is allowed."""
        same = f"{what}: shape {found.shape}, wanted {wanted.shape}"
        self.law(found.shape == wanted.shape, same)
        whole = wanted.astype(np.float64)
        with np.errstate(invalid="ignore"):
            gap = np.abs(found.astype(np.float64) - whole)
        # Not gap > ...: a NaN must not pass.
        over = ~(gap <= atol + rtol * np.abs(whole))
        if over.any():
            count = f"{int(over.sum())} of {over.size} values differ, by up to {gap.max():.3g}"
            self.law(False, f"{what}: {count} (allowed: rtol {rtol:g}, atol {atol:g})")

    def law(self, holds: bool, broken: str) -> None:
        """Raise AssertionError with the stage's name unless the law holds."""
        if not holds:
            raise AssertionError(f"{self.who}: {broken}")

    @property
    def who(self) -> str:
        """Role and name of the stage."""
        return f"{self.stage.role} {getattr(self.stage, 'name', type(self.stage).__name__)}"


def _shapes(weights: Weights) -> dict[str, dict[str, tuple[int, ...]]]:
    return {stem: {name: a.shape for name, a in held.items()} for stem, held in weights.items()}


def _plain(shapes: WeightShapes) -> dict[str, dict[str, tuple[int, ...]]]:
    return {stem: {name: tuple(s) for name, s in held.items()} for stem, held in shapes.items()}


def _width_of(stage: Regressor[Any]) -> int:
    have = _shapes(stage.weights())
    if not have:
        # Without weights any width must do.
        return 3
    for width in range(513):
        if _plain(stage.weight_shapes(width)) == have:
            return width
    raise AssertionError(
        f"regressor {stage.name}: its weights fit weight_shapes(width) for no width up to 512"
    )


def _runs(rows: int) -> list[tuple[int, int]]:
    """Return runs of rows that a host may cut: single ones, thirds, and uneven parts."""
    third, quarter = rows // 3, rows // 4
    cuts = {(0, 1), (rows - 1, rows), (rows // 2, rows // 2 + 1), (third, rows)}
    cuts |= {(0, max(1, third)), (quarter, max(quarter + 1, 3 * quarter))}
    return sorted(cuts)


def _strided(array: AnyArray) -> AnyArray:
    """Return a view of the same numbers, every second one in memory along each axis."""
    room = np.zeros(tuple(2 * side for side in array.shape), dtype=array.dtype)
    view = room[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def _colored(lightness: FloatArray, seed: int) -> FloatArray:
    """Return a picture of this lightness with soft colours, noise, and gray spots; float64."""
    rng = np.random.default_rng([seed, *lightness.shape])
    rows, cols = np.mgrid[0 : lightness.shape[0], 0 : lightness.shape[1]]
    waves = np.stack([40 * np.sin(rows / 6 + cols / 9), 35 * np.cos(cols / 5 - rows / 8)], axis=-1)
    waves += rng.normal(0, 8, waves.shape)
    waves[rng.random(lightness.shape) < 0.05] = 0
    return np.concatenate([lightness[..., np.newaxis].astype(np.float64), waves], axis=-1)

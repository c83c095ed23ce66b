"""The four contracts: colorspace, features, regressor, refiner.

A picture goes through the stages once, in this order. A stage is a function of arrays with options:
it keeps no state between calls, may be shared by threads, writes into none of its arguments, and
knows neither the pipeline nor another stage, a file or the command line. What it can do is said by
class attributes and properties before anything runs.

Coordinates are pixel indices, rows first: the centre of the first pixel is (0, 0).
"""

from __future__ import annotations

import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray, IntArray, PixelArray
from chroma_core.errors import ContractError
from chroma_core.options import NoOptions, Options

__all__ = [
    "Checkpoint",
    "Colorspace",
    "Column",
    "Features",
    "Grid",
    "Prediction",
    "Progress",
    "Refiner",
    "Regressor",
    "Role",
    "Samples",
    "Scene",
    "Stage",
    "TrainableRegressor",
    "TrainingData",
    "TrainingReport",
    "WeightShapes",
    "Weights",
]

OptionsT = TypeVar("OptionsT", bound=Options)

Role = Literal["colorspace", "features", "regressor", "refiner"]

Weights = Mapping[str, Mapping[str, AnyArray]]
"""File stem (``"a"``) to tensor name to array."""

WeightShapes = Mapping[str, Mapping[str, tuple[int, ...]]]
"""File stem to tensor name to the one shape that tensor may have."""

Progress = Callable[[int, int, Mapping[str, str]], None]
"""Called with what is done, what there is to do, and facts to show (``{"loss": "0.93"}``)."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a stage may see of the gray picture.

    Attributes
    ----------
    lightness : ndarray, shape (H, W)
        L* in [0, 100] of the gray picture, before any refiner moved it.
    scale : float
        Short side of this picture over 256, at least 1. Radii are given in pixels of a picture
        whose short side is 256 and multiplied by it, so that they mean the same on every scan.
    side : Mapping[str, ndarray]
        What the user gave besides for this picture, each (H, W) or (H, W, C). Empty by default.
    """

    lightness: FloatArray
    scale: float = 1.0
    side: Mapping[str, AnyArray] = field(default_factory=lambda: types.MappingProxyType({}))

    def rows(self, start: int, stop: int) -> Scene:
        """Return the stripe of rows ``start`` to ``stop``."""
        side = {name: array[start:stop] for name, array in self.side.items()}
        return replace(self, lightness=self.lightness[start:stop], side=side)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where the nodes of a feature map lie in the work picture.

    Node (i, j) lies at ``origin + (i, j) * step``, in pixels of the work picture.

    Attributes
    ----------
    rows, cols : int
        Number of nodes, each at least 1.
    origin : tuple of float
        Row and column of node (0, 0).
    step : tuple of float
        Distance of neighbouring nodes along rows and columns.
    """

    rows: int
    cols: int
    origin: tuple[float, float] = (0.0, 0.0)
    step: tuple[float, float] = (1.0, 1.0)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.cols

    def row_positions(self) -> FloatArray:
        """Return the rows at which the nodes lie, shape (rows,), float64."""
        return self.origin[0] + self.step[0] * np.arange(self.rows, dtype=np.float64)

    def col_positions(self) -> FloatArray:
        """Return the columns at which the nodes lie, shape (cols,), float64."""
        return self.origin[1] + self.step[1] * np.arange(self.cols, dtype=np.float64)

    def band(self, start: int, stop: int) -> Grid:
        """Return the run of node rows ``start`` to ``stop``."""
        row = self.origin[0] + self.step[0] * start
        return replace(self, rows=stop - start, origin=(row, self.origin[1]))

    @classmethod
    def regular(cls, height: int, width: int, step: int) -> Grid:
        """Return the grid with a node every `step` pixels, the first at ``step // 2``.

        A picture smaller than that still gets one node, at its centre row or column.
        """
        first_row = min(step // 2, (height - 1) // 2)
        first_col = min(step // 2, (width - 1) // 2)
        return cls(
            rows=(height - 1 - first_row) // step + 1,
            cols=(width - 1 - first_col) // step + 1,
            origin=(float(first_row), float(first_col)),
            step=(float(step), float(step)),
        )

    @classmethod
    def every_pixel(cls, height: int, width: int) -> Grid:
        """Return the grid with one node on each pixel."""
        return cls(rows=height, cols=width)


@dataclass(frozen=True, kw_only=True)
class Column:
    """How one block of a feature vector is kept on disk.

    Attributes
    ----------
    name : str
        Name of the stage that makes it.
    width : int
        Numbers a node.
    storage : str
        ``"uint8"`` where values are whole numbers in 0..255 (lossless), else ``"float16"`` or
        ``"float32"``.
    """

    name: str
    width: int
    storage: Literal["uint8", "float16", "float32"]


def _no_vividness(prediction: Prediction, vividness: float) -> FloatArray:
    return prediction.chroma * np.float32(vividness)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a regressor answers.

    Attributes
    ----------
    chroma : ndarray, shape (rows, cols, 2)
        a* and b* at the nodes, float32, at vividness 1.
    grid : Grid
        Where they lie; need not be the grid of the features.
    confidence : ndarray, shape (rows, cols), or None
        0 (no idea) to 1 (sure), where the regressor can tell.
    decode : callable
        How `at` gets the chroma at another vividness; scales `chroma` unless the regressor knows
        better.
    """

    chroma: FloatArray
    grid: Grid
    confidence: FloatArray | None = None
    decode: Callable[[Prediction, float], FloatArray] = _no_vividness

    def at(self, vividness: float) -> Prediction:
        """Return the prediction at another vividness, without predicting again.

        Parameters
        ----------
        vividness : float
            1 gives what the model was shipped with, 0 the least vivid that it can mean, more than 1
            stronger colour.
        """
        if vividness == 1.0:
            return self
        return replace(self, chroma=self.decode(self, vividness))

    def faded(self, certainty: float) -> Prediction:
        """Return the prediction with less chroma where the regressor is not sure.

        Larsson, Maire & Shakhnarovich ("Learning Representations for Automatic Colorization", ECCV
        2016, section 3.3) fade chroma where their distribution says that it does not know; here it
        fades in proportion below a confidence of `certainty`.

        Parameters
        ----------
        certainty : float
            0 changes nothing, 1 multiplies chroma by the confidence.
        """
        if certainty == 0.0 or self.confidence is None:
            return self
        share = np.minimum(self.confidence / np.float32(certainty), 1)
        return replace(self, chroma=self.chroma * share[..., np.newaxis])


class Stage(ABC, Generic[OptionsT]):
    """What all stages share.

    Attributes
    ----------
    role : str
        Set by the four subclasses below.
    name : str
        Kebab-case, unique in its role.
    version : int
        Raised when the same input gives another output.
    Options : type
        The dataclass of its options.
    requires : tuple of str
        Import names of libraries that it needs to run, such as ``("cv2",)``.
    extra : str
        The extra of chroma's distribution that brings them, or empty.
    side_inputs : tuple of str
        Names in `Scene.side` that it reads.
    """

    role: ClassVar[Role]
    name: ClassVar[str]
    version: ClassVar[int] = 1
    Options: ClassVar[type[Options]] = NoOptions
    requires: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    side_inputs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: OptionsT | None = None) -> None:
        self.options: OptionsT = options if options is not None else self.Options()  # type: ignore[assignment]  # Options is this class's OptionsT

    def weight_shapes(self, width: int) -> WeightShapes:
        """Return files, tensors and shapes that this stage's weights must have.

        Parameters
        ----------
        width : int
            Numbers a node of the features in front (0 for a stage that is not a regressor).
        """
        return {}

    def weights(self) -> Weights:
        """Return the weights that this stage holds, by file and tensor name."""
        return {}

    def with_weights(self, weights: Weights) -> Stage[OptionsT]:
        """Return a stage of the same options with these weights, which fit `weight_shapes`."""
        return self

    def __repr__(self) -> str:
        """Return the class and its options."""
        return f"{type(self).__name__}({self.options!r})"


class Colorspace(Stage[OptionsT]):
    """RGB to lightness and two chroma channels, and back."""

    role = "colorspace"

    @abstractmethod
    def from_rgb(self, rgb: FloatArray) -> FloatArray:
        """Convert encoded sRGB to lightness and chroma.

        Parameters
        ----------
        rgb : ndarray, shape (..., 3)
            Encoded sRGB, [0, 1].

        Returns
        -------
        ndarray, shape (..., 3)
            Lightness in [0, 100], then two chroma channels that are 0 on gray; dtype of `rgb`.
        """

    @abstractmethod
    def to_rgb(self, color: FloatArray) -> FloatArray:
        """Convert back to encoded sRGB; not clipped, so out of [0, 1] means out of gamut.

        Parameters
        ----------
        color : ndarray, shape (..., 3)
            Lightness and chroma as `from_rgb` gives them.
        """

    def into_gamut(self, color: FloatArray) -> FloatArray:
        """Lower chroma, at constant lightness and hue, until the colour lies in sRGB.

        Parameters
        ----------
        color : ndarray, shape (..., 3)
            Lightness and chroma, finite. What lies in the gamut already is returned as it is.
        """
        gap = 1e-6
        inside = np.zeros(color.shape[:-1], dtype=bool)

        def fits(candidate: FloatArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
            rgb = self.to_rgb(candidate)
            return np.asarray(((rgb >= -gap) & (rgb <= 1 + gap)).all(axis=-1))

        inside = fits(color)
        low = np.zeros(color.shape[:-1], dtype=color.dtype)
        high = np.ones(color.shape[:-1], dtype=color.dtype)
        for _ in range(24):
            middle = (low + high) / 2
            shrunk = np.concatenate([color[..., :1], color[..., 1:] * middle[..., None]], axis=-1)
            good = fits(shrunk)
            low, high = np.where(good, middle, low), np.where(good, high, middle)
        scale = np.where(inside, color.dtype.type(1), low)[..., np.newaxis]
        return np.concatenate([color[..., :1], color[..., 1:] * scale], axis=-1)


class Features(Stage[OptionsT]):
    """What is seen at each node of a grid.

    Attributes
    ----------
    anywhere : bool
        True where `extract` answers at any nodes, each as if it were alone, so that a sample of
        nodes for training costs no more than these nodes.
    """

    role = "features"

    @property
    def anywhere(self) -> bool:
        """Whether `extract` answers at any nodes."""
        return False

    @property
    @abstractmethod
    def width(self) -> int:
        """Numbers a node, known before any picture is seen."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """How the numbers are kept on disk; one float32 block unless the stage knows better."""
        return (Column(name=self.name, width=self.width, storage="float32"),)

    @abstractmethod
    def grid(self, height: int, width: int) -> Grid | None:
        """Return the grid for a work picture of this size, or None if any grid will do."""

    @abstractmethod
    def extract(self, scene: Scene, grid: Grid) -> FloatArray:
        """Return what is seen at the nodes.

        Parameters
        ----------
        scene : Scene
            The whole work picture.
        grid : Grid
            The nodes: the stage's own grid, a run of its rows, or for a stage without one any grid.
            A run of rows gives the same numbers as the whole.

        Returns
        -------
        ndarray, shape (rows, cols, width)
            float32, finite.
        """

    def draw(self, scene: Scene) -> tuple[PixelArray, str]:
        """Draw what the stage sees, for people: here its grid, a red dot on each node.

        Parameters
        ----------
        scene : Scene
            The gray picture, at the size in which it is to be drawn.

        Returns
        -------
        tuple of ndarray, shape (H, W, 3), uint8 encoded sRGB, and str
            The drawing, and what it shows in words.
        """
        height, width = scene.lightness.shape
        shade = np.rint(scene.lightness * 2.55).astype(np.uint8)
        drawing = np.repeat(shade[..., np.newaxis], 3, axis=-1)
        grid = self.grid(height, width)
        if grid is None:
            return drawing, f"{self.name} has no grid of its own"
        rows = np.rint(grid.row_positions()).astype(int)
        cols = np.rint(grid.col_positions()).astype(int)
        drawing[np.ix_(rows, cols)] = (255, 0, 0)
        return drawing, f"{self.name}: {grid.rows} x {grid.cols} nodes"


class Regressor(Stage[OptionsT]):
    """From features and lightness to chroma.

    Attributes
    ----------
    reads : frozenset of str
        Weight formats that it can run, such as ``"dense-net/1"``.
    per_node : bool
        True where each node's answer depends on that node alone, so that bands of rows may be
        predicted one by one.
    """

    role = "regressor"
    reads: ClassVar[frozenset[str]] = frozenset()
    per_node: ClassVar[bool] = False

    @abstractmethod
    def predict(self, features: FloatArray, lightness: FloatArray, grid: Grid) -> Prediction:
        """Predict a* and b*.

        Parameters
        ----------
        features : ndarray, shape (rows, cols, D)
            float32.
        lightness : ndarray, shape (rows, cols)
            L* in [0, 100] at the nodes, float32.
        grid : Grid
            Where the nodes lie.
        """


class Refiner(Stage[OptionsT]):
    """From a coloured picture to a better one.

    Attributes
    ----------
    spaces : tuple of str
        Names of the colorspaces that it works in.
    """

    role = "refiner"
    spaces: ClassVar[tuple[str, ...]] = ("lab",)

    @property
    def moves_lightness(self) -> bool:
        """Whether its law demands to change L*. The pipeline keeps L* unless this says so."""
        return False

    @abstractmethod
    def reach(self, scale: float) -> int | None:
        """Return how many pixels it looks around itself; None if it needs the whole picture.

        Parameters
        ----------
        scale : float
            `Scene.scale` of the pictures to come.
        """

    @abstractmethod
    def refine(self, lab: FloatArray, scene: Scene) -> FloatArray:
        """Refine a picture, or a stripe of it with `reach` rows of surroundings.

        Parameters
        ----------
        lab : ndarray, shape (H, W, 3)
            L* in [0, 100]; a* and b* finite, unbounded.
        scene : Scene
            The gray picture, same rows as `lab`.

        Returns
        -------
        ndarray, shape (H, W, 3)
            L*, a*, b* in the dtype of `lab`.
        """


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Nodes of one training picture.

    Attributes
    ----------
    picture : str
        Identity of the picture; the split goes by it.
    features : ndarray, shape (n, D)
        float32.
    lightness : ndarray, shape (n,)
        L* in [0, 100], float32.
    chroma : ndarray, shape (n, 2)
        True a* and b*, float32.
    positions : ndarray, shape (n, 2)
        Row and column in the work picture, float32.
    shape : tuple of int, or None
        Rows and columns where the nodes are a whole map in order, None for a sample of it.
    """

    picture: str
    features: FloatArray
    lightness: FloatArray
    chroma: FloatArray
    positions: FloatArray
    shape: tuple[int, int] | None = None


Split = Literal["train", "validation", "card"]


class TrainingData(Protocol):
    """Where a regressor gets its samples from: shards on disk, or photographs.

    Attributes
    ----------
    rereadable : bool
        Whether reading a picture's samples several times an epoch is cheap.
    """

    rereadable: bool

    @property
    def width(self) -> int:
        """Numbers a node."""
        ...

    def pictures(self, split: Split) -> int:
        """Return how many pictures a part has."""
        ...

    def rows(self, split: Split) -> int:
        """Return how many nodes a part has (an estimate where they are not counted yet)."""
        ...

    def samples(self, split: Split, order: IntArray | None = None) -> Iterator[Samples]:
        """Yield pictures one by one, in the given order of indices or as they are kept."""
        ...


class Checkpoint(Protocol):
    """Where a regressor keeps its state, so that training goes on after an interruption."""

    def load(self) -> tuple[Mapping[str, AnyArray], Mapping[str, Any]] | None:
        """Return arrays and facts of the last state that was saved, or None."""
        ...

    def save(self, arrays: Mapping[str, AnyArray], facts: Mapping[str, Any]) -> None:
        """Save a state; whole or not at all."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What came out of a training.

    Attributes
    ----------
    regressor : Regressor
        The trained stage.
    history : tuple of Mapping
        One entry an epoch: ``epoch``, ``seconds``, and losses by name.
    facts : Mapping
        What the model's card should say: epochs run, best epoch, rows seen, errors.
    """

    regressor: Regressor[Any]
    history: tuple[Mapping[str, float], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


class TrainableRegressor(Regressor[OptionsT]):
    """A regressor that can be trained.

    Attributes
    ----------
    TrainOptions : type
        Options of the training itself (epochs, learning rate), apart from the stage's own.
    wants : str
        ``"nodes"`` (samples of nodes will do) or ``"maps"`` (whole maps).
    writes : str
        The weight format that it trains, one of `reads`.
    trains_on : str
        Features that a training from photographs takes where none are named; empty where they must
        be.
    """

    TrainOptions: ClassVar[type[Options]] = NoOptions
    wants: ClassVar[Literal["nodes", "maps"]] = "nodes"
    writes: ClassVar[str] = ""
    trains_on: ClassVar[str] = ""

    @abstractmethod
    def train(
        self,
        data: TrainingData,
        options: Options,
        progress: Progress,
        checkpoint: Checkpoint,
    ) -> TrainingReport:
        """Train on `data` and return the trained stage; `self` is not changed.

        Raises
        ------
        TrainingError
            If the loss is not finite; names epoch and step.
        """


def check_answer(
    stage: Stage[Any], what: str, answer: Any, shape: Iterable[int | None], *, near: str = ""
) -> FloatArray:
    """Return a stage's answer if it is what the contract says, else say what it is.

    Parameters
    ----------
    stage : Stage
        The stage that answered.
    what : str
        Name of the answer, for the message.
    answer : Any
        What came back.
    shape : iterable of int or None
        The shape that was wanted; None stands for any length.
    near : str, optional
        Where in the picture, for the message.

    Raises
    ------
    ContractError
        If it is no floating-point array of this shape, or holds NaN or infinity.
    """
    wanted = tuple(shape)
    place = f" {near}" if near else ""
    who = f"{stage.role} {stage.name}: {what}{place}"
    if not isinstance(answer, np.ndarray):
        raise ContractError(f"{who} is a {type(answer).__name__}, wanted an array")
    fits = len(answer.shape) == len(wanted) and all(
        want is None or have == want for have, want in zip(answer.shape, wanted, strict=True)
    )
    if not fits:
        raise ContractError(f"{who} has shape {answer.shape}, wanted {wanted}")
    if not np.issubdtype(answer.dtype, np.floating):
        raise ContractError(f"{who} has dtype {answer.dtype}, wanted float32 or float64")
    bad = int(answer.size - np.count_nonzero(np.isfinite(answer)))
    if bad:
        raise ContractError(f"{who} holds {bad} values that are NaN or infinite")
    return answer

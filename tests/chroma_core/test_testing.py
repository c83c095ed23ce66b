"""`check_stage` lets good stages pass and finds what is wrong with bad ones.

Each bad stage breaks one law and no other, and the message must say which.
"""

import re
import subprocess
import sys
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import find, given, settings

from chroma_core.colorspaces.lab import LabColorspace
from chroma_core.features.position import PositionFeatures
from chroma_core.options import Options, option
from chroma_core.plugins import installed_stages
from chroma_core.refiners.none import NoRefiner
from chroma_core.stages import Column, Features, Grid, Prediction, Refiner, Regressor
from chroma_core.testing import (
    check_stage,
    chromas,
    labs,
    lightness_pictures,
    rgbs,
    sample_pictures,
)


class Good(Features):
    """Lightness at nodes: right in every way. The bad ones below differ in one."""

    name = "good"
    width = 1

    def grid(self, height, width):
        return Grid.regular(height, width, 2)

    def extract(self, scene, grid):
        rows = np.rint(grid.row_positions()).astype(int)
        cols = np.rint(grid.col_positions()).astype(int)
        return scene.lightness[np.ix_(rows, cols)][..., np.newaxis].astype(np.float32)


class WrongShape(Good):
    def extract(self, scene, grid):
        return super().extract(scene, grid)[..., 0]


class WrongWidth(Good):
    width = 2


class WrongDtype(Good):
    def extract(self, scene, grid):
        return super().extract(scene, grid).astype(np.float64)


class NotFinite(Good):
    def extract(self, scene, grid):
        with np.errstate(divide="ignore"):
            return 1 / super().extract(scene, grid)


class NoArray(Good):
    def extract(self, scene, grid):
        return super().extract(scene, grid).tolist()


class WritesIntoArgument(Good):
    def extract(self, scene, grid):
        scene.lightness[0, 0] = 50
        return super().extract(scene, grid)


class Counts(Good):
    """Keeps state: every call gives another answer."""

    def __init__(self, options=None):
        super().__init__(options)
        self.calls = 0

    def extract(self, scene, grid):
        self.calls += 1
        return super().extract(scene, grid) + np.float32(self.calls)


class Remembers(Good):
    """Keeps state: the first picture of a size is answered for ever."""

    def __init__(self, options=None):
        super().__init__(options)
        self.seen = {}

    def extract(self, scene, grid):
        key = (scene.lightness.shape, grid)
        return self.seen.setdefault(key, super().extract(scene, grid)).copy()


class Lags(Good):
    """Keeps state: answers with the mean of the picture before."""

    def __init__(self, options=None):
        super().__init__(options)
        self.pictures = [np.zeros(1, np.float32)]

    def extract(self, scene, grid):
        if self.pictures[-1] is not scene.lightness:
            self.pictures = [self.pictures[-1], scene.lightness]
        return super().extract(scene, grid) * 0 + self.pictures[0].mean(dtype=np.float32)


class ReusesItsAnswer(Good):
    """Hands out the same array for each picture of a size."""

    def __init__(self, options=None):
        super().__init__(options)
        self.room = {}

    def extract(self, scene, grid):
        answer = super().extract(scene, grid)
        room = self.room.setdefault(answer.shape, answer)
        room[...] = answer
        return room


class BandsDiffer(Good):
    """Depends on the run of rows that it is asked for."""

    def extract(self, scene, grid):
        found = super().extract(scene, grid)
        return found - found.mean(dtype=np.float32)


class NotForThreads(Good):
    """Keeps a picture between two of its own steps."""

    def extract(self, scene, grid):
        mark = threading.get_ident()
        self.mark = mark
        threading.Event().wait(0.002)
        return super().extract(scene, grid) + np.float32(self.mark != mark)


class ColumnsDiffer(Good):
    @property
    def columns(self):
        return (Column(name="good", width=3, storage="float32"),)


class NotWhole(Good):
    """Says that whole numbers are enough, and gives others."""

    @property
    def columns(self):
        return (Column(name="good", width=1, storage="uint8"),)


class TooLargeForHalf(Good):
    @property
    def columns(self):
        return (Column(name="good", width=1, storage="float16"),)

    def extract(self, scene, grid):
        return super().extract(scene, grid) * np.float32(1000)


class NodesOutside(Good):
    def grid(self, height, width):
        return Grid(rows=height, cols=width, origin=(1.0, 0.0))

    def extract(self, scene, grid):
        return np.ones((*grid.shape, 1), np.float32)


class NeedsContiguous(Good):
    def extract(self, scene, grid):
        if not scene.lightness.flags.c_contiguous:
            raise AssertionError("strided arrays")
        return super().extract(scene, grid)


class LosesOptions(Good):
    """Its text form cannot hold its option."""

    @dataclass(frozen=True, kw_only=True)
    class Options(Options):
        words: tuple[str, ...] = option(("a,b",), "words")


class NoHelp(Good):
    @dataclass(frozen=True, kw_only=True)
    class Options(Options):
        count: int = 3


class CanBeChanged(Good):
    @dataclass(kw_only=True)
    class Options:
        count: int = 3


class BadName(Good):
    name = "Not A Name"


class BadVersion(Good):
    version = 0


BAD_FEATURES = {
    WrongShape: r"extract on black 1x1 .* gives shape \(1, 1\), wanted \(1, 1, 1\)",
    WrongWidth: "columns|gives shape",
    WrongDtype: "gives float64, wanted float32",
    NotFinite: "NaN or infinite",
    NoArray: "gives a list",
    WritesIntoArgument: "writes into its argument",
    Counts: "the second call",
    Remembers: "extract on white 1x1 at scale 1 after other pictures",
    Lags: "extract on flat 1x1 at scale 1 after other pictures",
    ReusesItsAnswer: "what was answered extract on black 1x1 at scale 1, after other calls,",
    BandsDiffer: "extract of rows",
    NotForThreads: "in 4 threads",
    ColumnsDiffer: "columns have 3 numbers, width is 1",
    NotWhole: "good kept as uint8",
    TooLargeForHalf: "overflows float16",
    NodesOutside: "nodes outside of the picture",
    NeedsContiguous: "strided",
    LosesOptions: "come back from text as",
    NoHelp: "option count has no help",
    CanBeChanged: "no frozen dataclass",
    BadName: "is called 'Not A Name'",
    BadVersion: "has version 0",
}


def refused(stage, said, **checks):
    with pytest.raises(AssertionError) as caught:
        check_stage(stage, **checks)
    message = str(caught.value)
    assert re.search(said, message), message
    return message


def test_law_good_stage_passes():
    check_stage(Good(), atol=0)


@pytest.mark.parametrize("bad", BAD_FEATURES, ids=lambda kind: kind.__name__)
def test_bad_features_are_found(bad):
    refused(bad(), BAD_FEATURES[bad])


def test_the_message_names_stage_law_shape_and_size_of_the_difference():
    message = refused(BandsDiffer(), "differ")

    assert message.startswith("features good: extract of rows 0 to 1 on ")
    assert re.search(r"values differ, by up to [\d.e+]+ \(allowed: rtol 0, atol 0.0001\)", message)


# --- refiners ------------------------------------------------------------------------------------


class Blur(Refiner):
    """The mean of three rows: right where it says that it looks one row around."""

    name = "blur"
    looks = 1

    def reach(self, scale):
        return self.looks

    def refine(self, lab, scene):
        padded = np.pad(lab[..., 1:], [(1, 1), (0, 0), (0, 0)], mode="edge")
        chroma = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
        return np.concatenate([lab[..., :1], chroma.astype(lab.dtype)], axis=-1)


class LooksFurther(Blur):
    looks = 0


class MovesLightness(Blur):
    def refine(self, lab, scene):
        return super().refine(lab, scene) * lab.dtype.type(0.5)


class SaysItMovesLightness(MovesLightness):
    moves_lightness = True


class ChangesDtype(Blur):
    def refine(self, lab, scene):
        return super().refine(lab, scene).astype(np.float32)


class OddReach(Blur):
    looks = 1.5


class Whole(Blur):
    """Needs the whole picture, and says so."""

    looks = None

    def refine(self, lab, scene):
        return np.concatenate([lab[..., :1], lab[..., 1:] - lab[..., 1:].mean((0, 1))], axis=-1)


class ForgetsScale(Blur):
    """Looks as far as the scale is large, but says 1."""

    def refine(self, lab, scene):
        for _ in range(round(scene.scale)):
            lab = super().refine(lab, scene)
        return lab


class InPlace(Blur):
    def refine(self, lab, scene):
        lab[..., 1:] *= 2
        return lab


@pytest.mark.parametrize("good", [Blur, SaysItMovesLightness, Whole, NoRefiner])
def test_law_good_refiners_pass(good):
    check_stage(good())


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (LooksFurther, "refine of rows 0 to 1 with reach 0"),
        (MovesLightness, "lightness, which it says it keeps"),
        (ChangesDtype, "gives float32, wanted float64"),
        (OddReach, "reach is 1.5, wanted pixels or None"),
        (ForgetsScale, "with reach 1 on soft .* at scale 2.5"),
        (InPlace, "writes into its argument"),
    ],
)
def test_bad_refiners_are_found(bad, said):
    refused(bad(), said)


# --- regressors ----------------------------------------------------------------------------------


class Linear(Regressor):
    """One matrix, each node alone."""

    name = "linear"
    reads = frozenset({"linear/1"})
    per_node = True

    def __init__(self, options=None, matrix=None):
        super().__init__(options)
        self.matrix = matrix

    def weight_shapes(self, width):
        return {"w": {"m": (width, 2)}}

    def weights(self):
        return {} if self.matrix is None else {"w": {"m": self.matrix}}

    def with_weights(self, weights):
        return type(self)(self.options, weights["w"]["m"])

    def predict(self, features, lightness, grid):
        chroma = (features[..., np.newaxis] * self.matrix).sum(axis=2, dtype=np.float32)
        return Prediction(chroma=chroma, grid=grid)


class Neighbours(Linear):
    def predict(self, features, lightness, grid):
        prediction = super().predict(features, lightness, grid)
        chroma = prediction.chroma + features.mean(dtype=np.float32)
        return Prediction(chroma=chroma, grid=grid)


class OtherWeights(Linear):
    def with_weights(self, weights):
        return type(self)(self.options, weights["w"]["m"] * np.float32(2))


class Overconfident(Linear):
    def predict(self, features, lightness, grid):
        chroma = super().predict(features, lightness, grid).chroma
        confidence = np.full(grid.shape, 1.5, np.float32)
        return Prediction(chroma=chroma, grid=grid, confidence=confidence)


class BareArray(Linear):
    def predict(self, features, lightness, grid):
        return super().predict(features, lightness, grid).chroma


class BreaksWhenVivid(Linear):
    def predict(self, features, lightness, grid):
        def decode(prediction, vividness):
            with np.errstate(divide="ignore", invalid="ignore"):
                return prediction.chroma / np.float32(vividness)

        chroma = super().predict(features, lightness, grid).chroma
        return Prediction(chroma=chroma, grid=grid, decode=decode)


MATRIX = np.arange(6, dtype=np.float32).reshape(3, 2) / 10


def test_law_good_regressor_passes():
    check_stage(Linear(matrix=MATRIX))
    check_stage(Linear(matrix=MATRIX), width=3)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Neighbours, "predict of rows"),
        (OtherWeights, r"with_weights\(weights\(\)\)"),
        (Overconfident, r"confidence lies in \[1.5, 1.5\]"),
        (BareArray, "predict gives a ndarray"),
        (BreaksWhenVivid, "chroma at vividness 0.0 gives .* NaN or infinite"),
    ],
)
def test_bad_regressors_are_found(bad, said):
    refused(bad(matrix=MATRIX), said)


def test_weights_must_be_those_declared():
    refused(Linear(matrix=MATRIX), r"weight_shapes\(5\) are", width=5)
    refused(Linear(matrix=MATRIX[:, :1]), "fit weight_shapes.width. for no width")


# --- colorspaces ---------------------------------------------------------------------------------


class TintedGray(LabColorspace):
    """Not neutral, as with constants of four digits."""

    def from_rgb(self, rgb):
        return super().from_rgb(rgb) + np.array([0, 0, 3e-3], dtype=rgb.dtype)

    def to_rgb(self, color):
        return super().to_rgb(color - np.array([0, 0, 3e-3], dtype=color.dtype))


class OneWay(LabColorspace):
    def to_rgb(self, color):
        return super().to_rgb(color) * color.dtype.type(0.999)


class WidensFloats(LabColorspace):
    def from_rgb(self, rgb):
        return super().from_rgb(rgb.astype(np.float64))


class Inverted(LabColorspace):
    def from_rgb(self, rgb):
        return super().from_rgb(1 - rgb)

    def to_rgb(self, color):
        return 1 - super().to_rgb(color)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (TintedGray, "chroma of gray: 256 of 512 values differ, by up to 0.003"),
        (OneWay, r"to_rgb\(from_rgb\(rgb\)\)"),
        (WidensFloats, "gives float64, wanted float32"),
        (Inverted, "does not rise"),
    ],
)
def test_bad_colorspaces_are_found(bad, said):
    refused(bad(), said)


# --- what is given to the check ------------------------------------------------------------------


class Hinted(PositionFeatures):
    name = "hinted"
    side_inputs = ("hints",)

    def extract(self, scene, grid):
        assert scene.side["hints"].shape == (*scene.lightness.shape, 2)
        return super().extract(scene, grid)


def test_side_inputs_are_made_to_size():
    check_stage(Hinted(), side=lambda height, width: {"hints": np.zeros((height, width, 2))})


class WritesIntoSide(Hinted):
    def extract(self, scene, grid):
        scene.side["hints"][0] = 1
        return super().extract(scene, grid)


def test_side_inputs_are_not_written_into():
    refused(
        WritesIntoSide(),
        "writes into its argument",
        side=lambda height, width: {"hints": np.zeros((height, width, 2))},
    )


def test_a_stage_of_no_role_is_refused():
    class Odd(NoRefiner.__mro__[2]):
        name = "odd"
        role = "refiner"

    refused(Odd(), "none of the four roles")


@pytest.mark.parametrize(
    "info",
    [
        info
        for info in installed_stages()
        if info.role != "regressor" and info.distribution == "chroma-colorize" and not info.missing
    ],
    ids=lambda info: f"{info.role}-{info.name}",
)
def test_law_every_shipped_stage_keeps_its_contract(info):
    """Small shapes only: each stage's own test runs the whole."""
    check_stage(info.stage(), shapes=[(1, 1), (13, 9)])


# --- pictures and strategies ---------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (20, 30)])
def test_sample_pictures_are_lightness(shape):
    pictures = sample_pictures(*shape)

    assert {"black", "white", "flat", "ramp", "noise", "soft"} == set(pictures)
    for picture in pictures.values():
        assert (picture.shape, picture.dtype) == (shape, np.float32)
        assert picture.min() >= 0
        assert picture.max() <= 100
    np.testing.assert_array_equal(sample_pictures(*shape)["noise"], pictures["noise"])


@given(lightness_pictures(min_side=2, max_side=5), chromas(limit=20), labs(), rgbs())
def test_law_strategies_stay_within_their_ranges(lightness, chroma, lab, rgb):
    assert lightness.dtype == np.float32
    assert 2 <= min(lightness.shape) <= max(lightness.shape) <= 5
    assert ((lightness >= 0) & (lightness <= 100)).all()
    assert chroma.shape[2:] == (2,)
    assert (np.abs(chroma) <= 20).all()
    assert lab.shape[2:] == rgb.shape[2:] == (3,)
    assert ((lab[..., 0] >= 0) & (lab[..., 0] <= 100)).all()
    assert (np.abs(lab[..., 1:]) <= 150).all()
    assert ((rgb >= 0) & (rgb <= 1)).all()


@pytest.mark.parametrize(
    ("strategy", "top"), [(lightness_pictures(max_side=2), 100), (rgbs(max_side=1), 1)]
)
def test_strategies_reach_both_ends(strategy, top):
    quick = settings(max_examples=2000, derandomize=True)

    assert find(strategy, lambda array: (array == top).any(), settings=quick) is not None
    assert find(strategy, lambda array: (array == 0).all(), settings=quick) is not None


def test_checking_needs_no_hypothesis():
    program = (
        "import sys\n"
        "sys.modules['hypothesis'] = None\n"
        "from chroma_core.features.position import PositionFeatures\n"
        "from chroma_core.testing import check_stage\n"
        "check_stage(PositionFeatures())\n"
        "print('checked')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )

    assert done.stdout == "checked\n"


# --- stages that cannot be copied, and that raise ------------------------------------------------


class Locked(Good):
    """Holds what cannot be copied."""

    def __init__(self, options=None):
        super().__init__(options)
        self.lock = threading.Lock()

    def extract(self, scene, grid):
        with self.lock:
            return super().extract(scene, grid)


class LockedReuses(Locked, ReusesItsAnswer):
    """Cannot be copied, and hands out one array again and again."""


def test_law_a_stage_that_cannot_be_copied_may_be_good():
    check_stage(Locked(), atol=0)


def test_a_bad_stage_that_cannot_be_copied_is_still_found():
    refused(LockedReuses(), "after other calls")


class Clumsy(Good):
    """Raises a ValueError of its own."""

    def extract(self, scene, grid):
        raise ValueError("no such wavelet")


def test_what_a_stage_raises_of_its_own_comes_through():
    with pytest.raises(ValueError, match="no such wavelet"):
        check_stage(Clumsy())


class OneThread(Good):
    """Works in the thread that it was made in, as some libraries' handles do."""

    def __init__(self, options=None):
        super().__init__(options)
        self.thread = threading.get_ident()

    def extract(self, scene, grid):
        if threading.get_ident() != self.thread:
            raise RuntimeError("another thread's handle")
        return super().extract(scene, grid)


def test_a_stage_that_fails_in_other_threads_is_found():
    message = refused(OneThread(), "fails in threads")

    assert 'RuntimeError("another thread\'s handle")' in message

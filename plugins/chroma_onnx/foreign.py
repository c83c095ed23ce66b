"""Regressor ``onnx-file``: runs colorization networks of others from a local file.

A profile says what the network is given and what its answer means (`chroma_onnx.profiles`). No file
but the named one is opened: a network that keeps its weights in further files is refused. It runs
in a process of its own (`chroma_onnx.apart`), which is ended if it takes too much time or memory.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chroma_core.arrays import FloatArray
from chroma_core.errors import ModelError, ModelFormatError, ModelMismatch, OptionError
from chroma_core.options import Options, option
from chroma_core.stages import Grid, Prediction, Regressor
from chroma_onnx.apart import SessionApart, Tensor
from chroma_onnx.profiles import CHANNELS, PROFILES, Input, Layout, Profile, Resize, network_input

__all__ = ["OnnxFileOptions", "OnnxFileRegressor"]

FILE_BYTES = 1 << 31
"""Most bytes of a file: protobuf knows no longer message."""

MOST_PIXELS = 4096
"""Longest side of a picture that a network may be given, or answer with."""

DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}

_OF_CUSTOM = ("input", "offset", "divisor", "output_scale", "layout", "resize")


@dataclass(frozen=True, kw_only=True)
class OnnxFileOptions(Options):
    """Which network is run, and what it expects."""

    path: Path = option(Path(), "the ONNX file; must be named")
    profile: Literal["ddcolor", "siggraph17", "eccv16", "custom"] = option(
        "ddcolor", "what the network expects; custom: what the options below say"
    )
    size: int = option(
        0,
        "rows and columns that the network is given where its file leaves them open; "
        "0: the profile's (custom: 256)",
        unit="px",
        ge=0,
        le=MOST_PIXELS,
    )
    input: Input = option("lightness", "custom: L* in [0, 100], or gray in [0, 1] three times")
    offset: float = option(0.0, "custom: taken from the input")
    divisor: float = option(1.0, "custom: what the input is divided by, after that", gt=0)
    output_scale: float = option(1.0, "custom: what the answer is multiplied by", gt=0)
    layout: Layout = option("nchw", "custom: where channels stand")
    resize: Resize = option("bilinear", "custom: how the picture comes to the network's size")
    sha256: str = option("", "SHA-256 that the file must have, in hexadecimal; empty: any")
    threads: int = option(1, "threads of onnxruntime; 0: as many as it likes", ge=0, run=True)
    timeout: float = option(
        600.0, "longest time to load the network, and to run it once", unit="s", gt=0, run=True
    )

    def __post_init__(self) -> None:
        """Refuse what a named profile would not look at, and what is no digest."""
        super().__post_init__()
        if self.sha256 and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise OptionError(f"sha256 is {self.sha256!r:.80}, wanted 64 hexadecimal digits")
        for name in ("offset", "divisor", "output_scale"):
            if not np.isfinite(getattr(self, name)):
                raise OptionError(f"{name} is {getattr(self, name)}, wanted a finite number")
        usual = {name: type(self).__dataclass_fields__[name].default for name in _OF_CUSTOM}
        if self.profile != "custom":
            for name in _OF_CUSTOM:
                if getattr(self, name) != usual[name]:
                    raise OptionError(
                        f"{name} is {getattr(self, name)}, but profile {self.profile} has its own",
                        hint="take the profile custom",
                    )

    def chosen(self) -> Profile:
        """Return the profile that the options mean."""
        if self.profile == "custom":
            return Profile(
                size=self.size or 256, **{name: getattr(self, name) for name in _OF_CUSTOM}
            )
        profile = PROFILES[self.profile]
        return replace(profile, size=self.size or profile.size)


class OnnxFileRegressor(Regressor[OnnxFileOptions]):
    """A colorization network of others, from an ONNX file of yours, run by onnxruntime.

    The file is read when the stage is made, and again only if the process that runs it had to be
    ended. `options` then names the file without its folder, and its SHA-256: what is written into
    pictures says which network it was, and nothing of the disk that it lay on.

    Parameters
    ----------
    options : OnnxFileOptions, optional
        Which file, and what it expects. Without a path the stage can be described, not run.

    Raises
    ------
    ModelError
        If there is no such file, or loading it takes too much time or memory.
    ModelFormatError
        If it is no ONNX file, keeps tensors in other files, or cannot be run.
    ModelMismatch
        If it takes or gives something else than the profile says, or has another SHA-256.
    PluginError
        If onnxruntime cannot be imported.
    """

    name = "onnx-file"
    Options = OnnxFileOptions
    requires = ("onnxruntime",)
    extra = "onnx"

    def __init__(self, options: OnnxFileOptions | None = None) -> None:
        super().__init__(options)
        self._network: _Network | None = None
        if self.options.path != Path():
            self._network, digest = _opened(self.options)
            self.options = replace(self.options, path=Path(self.options.path.name), sha256=digest)

    def predict(self, features: FloatArray, lightness: FloatArray, grid: Grid) -> Prediction:
        """Predict a* and b* at as many nodes as the network answers, spread over the picture.

        Parameters
        ----------
        features : ndarray, shape (h, w, 0)
            None are looked at.
        lightness : ndarray, shape (h, w)
            L* in [0, 100] of every pixel.
        grid : Grid
            Every pixel of the work picture.

        Raises
        ------
        ModelError
            If no file is named, the nodes are not the picture's pixels, or the network takes too
            much time or memory.
        ModelFormatError
            If the network fails, or answers with NaN.
        """
        if self._network is None:
            raise ModelError(
                f"regressor {self.name} has no network", hint=f"--set {self.name}.path=FILE"
            )
        if grid.step != (1.0, 1.0):
            raise ModelMismatch(
                f"regressor {self.name} looks at every pixel, these features have a node every "
                f"{grid.step[0]:g} pixels",
                hint="--features pixels",
            )
        chroma = self._network(lightness)
        return Prediction(chroma=chroma, grid=_spread(grid, chroma.shape[0], chroma.shape[1]))


class _Network:
    """A network whose signature is that of a profile; call it with L*.

    Parameters
    ----------
    session : SessionApart
        The loaded file.
    profile : Profile
        What it expects.
    asked : str
        Name of the profile, for messages.
    size : int
        Rows and columns that the user asked for; 0 for any.
    path : str
        The file, as the user named it.
    """

    def __init__(
        self, session: SessionApart, profile: Profile, asked: str, size: int, path: str
    ) -> None:
        self._session, self._profile, self._path = session, profile, path
        self._story = (
            f"takes {_signature(session.inputs)} and gives "
            f"{_signature(session.outputs)}; profile {asked} takes "
            f"{_wanted(profile, CHANNELS[profile.input])} and gives {_wanted(profile, 2)}, float"
        )
        takes, gives = session.inputs, session.outputs
        if len(takes) != 1 or len(gives) != 1:
            raise self._other()
        if takes[0].type not in DTYPES or gives[0].type not in DTYPES:
            raise self._other()
        given = _sides(takes[0].shape, CHANNELS[profile.input], profile.layout)
        # What a file leaves open of its answer, the answer itself will tell.
        left_open = not gives[0].shape
        if given is None or not (left_open or _sides(gives[0].shape, 2, profile.layout, True)):
            raise self._other()
        if size and any(side not in (0, size) for side in given):
            raise ModelMismatch(
                f"takes {_signature(takes)}, not {size} x {size} pixels",
                hint="leave onnx-file.size out",
                path=path,
            )
        self._shape = (given[0] or profile.size, given[1] or profile.size)
        self._dtype = DTYPES[takes[0].type]

    def __call__(self, lightness: FloatArray) -> FloatArray:
        """Return a* and b*, shape (rows, cols, 2), float32, for L* of shape (h, w)."""
        given = network_input(lightness, self._profile, self._shape).astype(self._dtype)
        answer = self._session.run(given)
        if _sides(answer.shape, 2, self._profile.layout) is None:
            shape = ", ".join(str(side) for side in answer.shape)
            raise ModelMismatch(f"answers ({shape}); {self._story}", path=self._path)
        chroma = answer[0].astype(np.float32)
        if self._profile.layout == "nchw":
            chroma = np.moveaxis(chroma, 0, -1)
        # A float32 overflow is counted below, with the others.
        with np.errstate(over="ignore", invalid="ignore"):
            chroma = np.ascontiguousarray(chroma * np.float32(self._profile.output_scale))
        bad = int(chroma.size - np.count_nonzero(np.isfinite(chroma)))
        if bad:
            raise ModelFormatError(
                f"answered with {bad} values that are NaN or infinite", path=self._path
            )
        return chroma

    def _other(self) -> ModelMismatch:
        names = ", ".join(PROFILES)
        return ModelMismatch(
            self._story, hint=f"onnx-file.profile: {names}, custom", path=self._path
        )


def _opened(options: OnnxFileOptions) -> tuple[_Network, str]:
    """Return the network in a file, and the file's SHA-256."""
    path = str(options.path)
    digest = hashlib.sha256(_content(options.path)).hexdigest()
    if options.sha256 not in ("", digest):
        raise ModelMismatch(
            f"has SHA-256 {digest[:12]}..., wanted {options.sha256[:12]}...",
            hint="it is another network than the one asked for",
            path=path,
        )

    lies_at = options.path.absolute()

    def read_again() -> bytes:
        again = _content(lies_at)
        if hashlib.sha256(again).hexdigest() != digest:
            raise ModelMismatch("has changed since it was read first", path=path)
        return again

    session = SessionApart(read_again, digest, options.threads, options.timeout, path)
    return _Network(session, options.chosen(), options.profile, options.size, path), digest


def _content(path: Path) -> bytes:
    """Return the bytes of a regular file, which may be reached by a link."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise ModelFormatError("is no file, wanted an ONNX file", path=str(path))
        if facts.st_size >= FILE_BYTES:
            raise ModelFormatError(
                f"has {facts.st_size} bytes, an ONNX file has fewer than {FILE_BYTES}",
                path=str(path),
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError("there is no such file", path=str(path), exit_status=69) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ModelError(f"cannot be read: {why}", path=str(path), exit_status=69) from error


def _signature(tensors: Sequence[Tensor]) -> str:
    """Return names, shapes and types of inputs or outputs in words."""
    told = []
    for one in tensors[:4]:
        shape = ", ".join(str(side) if isinstance(side, int) else "?" for side in one.shape)
        kind = "" if one.type in DTYPES else f" {one.type[:40]}"
        told.append(f"{one.name[:40]} ({shape}){kind}")
    more = [f"{len(tensors) - 4} more"] if len(tensors) > 4 else []
    return ", ".join([*told, *more]) or "nothing"


def _wanted(profile: Profile, channels: int) -> str:
    sides = (channels, "N", "N") if profile.layout == "nchw" else ("N", "N", channels)
    return f"(1, {', '.join(str(side) for side in sides)})"


def _sides(
    shape: Sequence[Any], channels: int, layout: Layout, any_open: bool = False
) -> tuple[int, int] | None:
    """Return rows and columns of a shape, 0 where it leaves them open; None if it does not fit."""
    if len(shape) != 4:
        return None
    batch, *inner = shape
    count = inner.pop(0 if layout == "nchw" else 2)
    if count != channels and (isinstance(count, int) or not any_open):
        return None
    if isinstance(batch, int) and batch != 1:
        return None
    sides = [side if isinstance(side, int) else 0 for side in inner]
    named = [side for side in inner if isinstance(side, int)]
    if any(not 1 <= side <= MOST_PIXELS for side in named):
        return None
    return sides[0], sides[1]


def _spread(grid: Grid, rows: int, cols: int) -> Grid:
    """Return nodes in the middles of equal parts of the picture, as ``rows`` x ``cols`` of them."""
    steps = (grid.rows / rows, grid.cols / cols)
    down, across = (start + (step - 1) / 2 for start, step in zip(grid.origin, steps, strict=True))
    return Grid(rows=rows, cols=cols, origin=(down, across), step=steps)

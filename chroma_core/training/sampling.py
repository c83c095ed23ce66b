"""From a photograph to samples: what the features see at its nodes, and the colours there.

A sample is taken the way the pipeline will meet it: L* is computed at full size and area-averaged
to the work picture, a* and b* likewise, features see that lightness alone, and all three are read
at the nodes of the features' grid.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chroma_core.arrays import FloatArray, IntArray, PixelArray
from chroma_core.errors import (
    ChromaError,
    OptionError,
    PluginError,
    TrainingError,
)
from chroma_core.filters.resize import area_shrink
from chroma_core.pictures.names import PICTURE_SUFFIXES
from chroma_core.pictures.read import read_picture
from chroma_core.pipeline import (
    DEFAULT_STEP,
    at_nodes,
    color_of,
    scene_scale,
    stage_text,
    work_shape,
)
from chroma_core.stages import (
    Colorspace,
    Features,
    Grid,
    Samples,
    Scene,
    Split,
    check_answer,
)
from chroma_core.training.manifest import Settings
from chroma_core.training.split import modulus_of, split_of
from chroma_core.training.workers import Failure

__all__ = [
    "GRAY_BELOW",
    "Photograph",
    "SampleOrReason",
    "Sampler",
    "choose_nodes",
    "find_photographs",
    "picture_lab",
    "thinned",
    "work_lab",
]

GRAY_BELOW = 2.0
"""A picture whose largest C*ab at work size is below this is taken for gray: it has no colour to
teach. JPEG's rounding of a gray picture stays below 1."""

STRIPE_PIXELS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A picture file and what follows from its name.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Its path below the folder of photographs, with forward slashes: the picture's identity.
    split : str
        The part that it belongs to.
    """

    path: Path
    name: str
    split: Split


def find_photographs(photographs: Path | str | Sequence[Path | str], rule: str) -> list[Photograph]:
    """Return the pictures that were named, in a fixed order, with their parts.

    Parameters
    ----------
    photographs : path, or list of paths
        Files and folders; folders are searched with all that is below them, for names with a
        picture's extension. Hidden files and folders are passed over.
    rule : str
        How they are parted, see `split_of`.

    Returns
    -------
    list of Photograph
        Sorted by name. Names begin below the folder that holds everything.

    Raises
    ------
    TrainingError
        If a path is not there, or there is no picture.
    """
    modulus_of(rule)
    given = [photographs] if isinstance(photographs, str | os.PathLike) else list(photographs)
    paths: set[Path] = set()
    roots = []
    for item in given:
        path = Path(os.path.abspath(item))
        if path.is_dir():
            roots.append(path)
            paths.update(_pictures_below(path))
        elif path.exists():
            roots.append(path.parent)
            paths.add(path)
        else:
            raise TrainingError(
                "there is no such file or folder", path=str(item), exit_status=66, kind="no-input"
            )
    if not paths:
        where = ", ".join(str(item) for item in given)
        raise TrainingError("there are no pictures", path=where, exit_status=66, kind="no-input")
    base = Path(os.path.commonpath(roots))
    named = sorted((path.relative_to(base).as_posix(), path) for path in paths)
    found = []
    places: dict[Path, int] = {}
    for name, path in named:
        place = places.setdefault(path.parent, 0)
        places[path.parent] += 1
        found.append(Photograph(path=path, name=name, split=split_of(name, place, rule)))
    return found


def work_lab(path: Path, colorspace: Colorspace[Any], work_size: int) -> FloatArray:
    """Read a photograph and return its work picture, which must have colour.

    Parameters
    ----------
    path, colorspace, work_size
        See `picture_lab`.

    Returns
    -------
    ndarray, shape (h, w, 3)
        L*, a*, b*, float32.

    Raises
    ------
    PictureError
        If it cannot be read.
    TrainingError
        If it has no colour (kind ``"gray"``).
    """
    pixels = read_picture(path).pixels
    if pixels.ndim != 3:
        raise TrainingError("the picture is gray", kind="gray", path=str(path))
    lab = _shrunk_lab(pixels, colorspace, work_size)
    if np.hypot(lab[..., 1], lab[..., 2]).max() < GRAY_BELOW:
        raise TrainingError("the picture has no colour", kind="gray", path=str(path))
    return lab


def picture_lab(path: Path, colorspace: Colorspace[Any], work_size: int) -> FloatArray:
    """Read a picture, in colour or gray, and return its work picture.

    Parameters
    ----------
    path : Path
        The picture file.
    colorspace : Colorspace
        What lightness and chroma are.
    work_size : int
        Short side of the work picture in pixels; 0 keeps the size.

    Returns
    -------
    ndarray, shape (h, w, 3)
        L*, a*, b*, float32.

    Raises
    ------
    PictureError
        If it cannot be read.
    """
    return _shrunk_lab(read_picture(path).pixels, colorspace, work_size)


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Takes samples of photographs; always the same ones of the same photograph.

    Attributes
    ----------
    features : Features
        What is seen at the nodes.
    colorspace : Colorspace
        What lightness and chroma are.
    work_size : int
        Short side of the work picture in pixels; 0 keeps the size.
    per_image : int
        Nodes of each picture, drawn at random; 0 keeps them all.
    seed : int
        What the draw follows from, together with the picture's name.
    split : str
        The rule that parts the pictures.
    """

    features: Features[Any]
    colorspace: Colorspace[Any]
    work_size: int
    per_image: int
    seed: int
    split: str

    @property
    def settings(self) -> Settings:
        """What a folder of shards says of its making."""
        text = stage_text(self.features)
        return Settings(
            features=tuple(text.get("stages", [text])),
            columns=self.features.columns,
            colorspace=stage_text(self.colorspace),
            work_size=self.work_size,
            per_image=self.per_image,
            seed=self.seed,
            split=self.split,
        )

    def __call__(self, photograph: Photograph) -> Samples:
        """Return the samples of a photograph.

        Raises
        ------
        PictureError, StageError, TrainingError
            If it gives none.
        """
        lab = work_lab(photograph.path, self.colorspace, self.work_size)
        return self.of_lab(lab, photograph.name)

    def of_lab(self, lab: FloatArray, name: str) -> Samples:
        """Return the samples of a work picture, shape (h, w, 3)."""
        height, width = lab.shape[:2]
        lab.flags.writeable = False
        lightness = np.ascontiguousarray(lab[..., 0])
        lightness.flags.writeable = False
        grid = self.features.grid(height, width) or Grid.regular(height, width, DEFAULT_STEP)
        if self.per_image and self.features.anywhere:
            grid = thinned(grid, name, self.seed, self.per_image)
        scene = Scene(lightness=lightness, scale=scene_scale(lightness.shape))
        seen = self.features.extract(scene, grid)
        check_answer(self.features, "extract", seen, (*grid.shape, self.features.width))
        count = grid.rows * grid.cols
        chosen = choose_nodes(name, self.seed, count, self.per_image)
        lab_at = at_nodes(lab, grid).reshape(count, 3)[chosen]
        rows, cols = np.divmod(chosen, grid.cols)
        positions = np.column_stack([grid.row_positions()[rows], grid.col_positions()[cols]])
        return Samples(
            picture=name,
            features=seen.reshape(count, self.features.width)[chosen].astype(
                np.float32, copy=False
            ),
            lightness=lab_at[:, 0].astype(np.float32, copy=False),
            chroma=lab_at[:, 1:].astype(np.float32, copy=False),
            positions=positions.astype(np.float32),
            shape=grid.shape if self.per_image == 0 else None,
        )


@dataclass(frozen=True)
class SampleOrReason:
    """Takes samples of a photograph, or says why there are none; sent to other processes.

    Parameters
    ----------
    sampler : callable
        Takes them: a `Sampler`, or what stands before one.
    """

    sampler: Callable[[Photograph], Samples]

    def __call__(self, photograph: Photograph) -> Samples | Failure:
        """Return the samples, or what is wrong with this picture.

        Raises
        ------
        PluginError, OptionError
            What is wrong is not the picture: every other one would fail as well.
        """
        try:
            return self.sampler(photograph)
        except (PluginError, OptionError):
            raise
        except ChromaError as error:
            return Failure(kind=error.kind, reason=_line(error.what))
        except MemoryError:
            return Failure(kind="memory", reason="not enough memory")
        except OSError as error:
            return Failure(kind="io", reason=_line(error.strerror or type(error).__name__))
        except Exception as error:
            # A reader or a stage of someone else's: its picture is named, the rest goes on.
            return Failure(kind="internal", reason=_line(f"{type(error).__name__}: {error}"))


def thinned(grid: Grid, name: str, seed: int, per_image: int) -> Grid:
    """Return every n-th row and column of a grid, from a random one on.

    Features need not be computed at nodes that nobody keeps.

    Parameters
    ----------
    grid : Grid
        All nodes.
    name : str
        The picture's name; together with `seed` all that the choice follows from.
    seed : int
        Any whole number from 0.
    per_image : int
        Fewest nodes that must be left, where the grid has as many.
    """
    stride = 1
    while (grid.rows // (stride + 1)) * (grid.cols // (stride + 1)) >= per_image:
        stride += 1
    digest = hashlib.sha256(f"thinned {seed} {name}".encode()).digest()
    down, across = digest[0] % stride, digest[1] % stride
    return Grid(
        rows=-(-(grid.rows - down) // stride),
        cols=-(-(grid.cols - across) // stride),
        origin=(grid.origin[0] + down * grid.step[0], grid.origin[1] + across * grid.step[1]),
        step=(grid.step[0] * stride, grid.step[1] * stride),
    )


def choose_nodes(name: str, seed: int, count: int, per_image: int) -> IntArray:
    """Return which nodes of a picture are kept, in ascending order.

    Parameters
    ----------
    name : str
        The picture's name; together with `seed` all that the choice follows from.
    seed : int
        Any whole number from 0.
    count : int
        Nodes that there are.
    per_image : int
        Nodes to keep; 0, or more than there are, keeps all.
    """
    if per_image == 0 or per_image >= count:
        return np.arange(count)
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(digest, dtype="<u4"))
    return np.sort(rng.choice(count, size=per_image, replace=False))


def _shrunk_lab(pixels: PixelArray, colorspace: Colorspace[Any], work_size: int) -> FloatArray:
    """Return L*, a*, b* of pixels, computed at full size and averaged to the work picture."""
    height, width = pixels.shape[:2]
    lightness = np.empty((height, width), dtype=np.float32)
    chroma = np.empty((height, width, 2), dtype=np.float32)
    step = max(1, STRIPE_PIXELS // width)
    for start in range(0, height, step):
        color = color_of(pixels[start : start + step], colorspace)
        lightness[start : start + step] = color[..., 0]
        chroma[start : start + step] = color[..., 1:]
    shape = work_shape((height, width), work_size)
    if shape != (height, width):
        lightness, chroma = area_shrink(lightness, shape), area_shrink(chroma, shape)
    return np.concatenate([lightness[..., np.newaxis], chroma], axis=-1)


def _pictures_below(folder: Path) -> list[Path]:
    found: list[Path] = []
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found.extend(
            Path(where, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in PICTURE_SUFFIXES
        )
    return found


def _line(text: str) -> str:
    return " ".join(text.split())[:400]

"""The way of a picture, readable from top to bottom.

Gray pixels → lightness → work picture → features → regressor → join at full size → refiners →
merge into the gamut → pixels. What is learnt runs small, on the work picture; what is seen runs at
full size, in stripes of bounded memory. No stage moves L* unless it says that its law demands it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from chroma_core.arrays import AnyArray, FloatArray, PixelArray
from chroma_core.asking import asked, check_grid, checked_prediction, reach_of, read_only
from chroma_core.errors import InputError, OptionError
from chroma_core.filters.guided import guided_coefficients
from chroma_core.filters.resize import area_shrink, sample_bilinear
from chroma_core.options import options_to_text
from chroma_core.stages import (
    Colorspace,
    Features,
    Grid,
    Prediction,
    Refiner,
    Regressor,
    Scene,
    Stage,
    check_answer,
)

__all__ = [
    "JoinedChroma",
    "Pipeline",
    "at_nodes",
    "color_of",
    "lightness_of",
    "merge",
    "predict",
    "refine",
    "scene_scale",
    "stage_text",
    "work_shape",
]

JoinMethod = Literal["guided", "bilinear"]

REFERENCE_SIDE = 256
"""Short side, in pixels, of the picture that radii refer to."""

JOIN_RADIUS = 2
NODE_JOIN_RADIUS = 8
JOIN_EPSILON = 1e-3
"""Of the guided join, in pixels of a work picture with a short side of 256. A regressor that sees
the picture as a whole answers smoothly: with 8 instead of 2, predictions of ``unet`` have 0.8 %
more CIEDE2000 at the same colourfulness. One that answers node by node wants the wider one: with 2,
predictions of ``sift-dense`` have 0.08 dB less PSNR and 4 % more colourfulness."""

DEFAULT_STEP = 4
"""Distance of nodes, in pixels, where no features stage has a grid of its own."""

BAND_VALUES = 8_000_000
"""Most feature values of a per-node regressor's band: 32 MB in float32."""

STRIPE_PIXELS = 1_000_000
"""Pixels of a stripe at full size, its surroundings left out."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The stages, in the order in which a picture meets them.

    Attributes
    ----------
    colorspace : Colorspace
        Gives lightness and takes the colours back to sRGB.
    features : Features
        What is seen at the nodes.
    regressor : Regressor
        Predicts chroma from it.
    refiners : tuple of Refiner
        Applied one after the other.
    join : {"guided", "bilinear"}
        How chroma comes to full size: along edges of lightness, or without looking at it.
    work_size : int
        Short side of the work picture in pixels; 0 works at full size.
    vividness : float
        See `Prediction.at`.
    certainty : float
        See `Prediction.faded`.
    origin : Mapping[str, str]
        Where the stages come from (model, its digest), for provenance.
    mean_chroma : tuple of float, or None
        Mean a* and b* of what the model was trained on, where that is known.
    """

    colorspace: Colorspace[Any]
    features: Features[Any]
    regressor: Regressor[Any]
    refiners: tuple[Refiner[Any], ...] = ()
    join: JoinMethod = "guided"
    work_size: int = REFERENCE_SIDE
    vividness: float = 1.0
    certainty: float = 0.0
    origin: Mapping[str, str] = field(default_factory=dict)
    mean_chroma: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse values outside their domain, and refiners that do not speak this colorspace."""
        if self.join not in get_args(JoinMethod):
            raise OptionError(f"join is {self.join!r}, wanted {' or '.join(get_args(JoinMethod))}")
        if self.work_size < 0:
            raise OptionError(f"work_size is {self.work_size}, wanted at least 0")
        if not 0 <= self.vividness < np.inf:
            raise OptionError(f"vividness is {self.vividness}, wanted finite and at least 0")
        if not 0 <= self.certainty <= 1:
            raise OptionError(f"certainty is {self.certainty}, wanted 0 to 1")
        for refiner in self.refiners:
            if not _speaks(refiner, self.colorspace):
                raise InputError(
                    f"refiner {refiner.name} works in {', '.join(refiner.spaces)}, "
                    f"not in {self.colorspace.name}",
                    exit_status=2,
                )

    def __call__(self, pixels: PixelArray, *, side: Mapping[str, AnyArray] | None = None) -> Any:
        """Colour a picture.

        Parameters
        ----------
        pixels : ndarray, shape (H, W) or (H, W, 3)
            Encoded gray or sRGB: uint8, uint16, or floats in [0, 1]. Colour is not looked at.
        side : Mapping[str, ndarray], optional
            What the user gives besides, see `Scene.side`.

        Returns
        -------
        ndarray, shape (H, W, 3)
            Encoded sRGB in the dtype of `pixels` (floats: float32).

        Raises
        ------
        InputError
            If `pixels` is no such array.
        StageError
            If a stage fails or answers something else than its contract says.
        """
        return self.color(pixels, side=side)[0]

    def color(
        self, pixels: PixelArray, *, side: Mapping[str, AnyArray] | None = None
    ) -> tuple[PixelArray, Prediction]:
        """Colour a picture, as a call does, and return the prediction as well."""
        lightness = lightness_of(pixels, self.colorspace)
        prediction = self.predict_lightness(lightness, side=side)
        dtype = _output_dtype(pixels.dtype)
        return self.fuse(lightness, prediction, dtype=dtype, side=side), prediction

    def predict(
        self, pixels: PixelArray, *, side: Mapping[str, AnyArray] | None = None
    ) -> Prediction:
        """Predict a* and b* of a picture, at the nodes of the work picture."""
        return self.predict_lightness(lightness_of(pixels, self.colorspace), side=side)

    def predict_lightness(
        self, lightness: FloatArray, *, side: Mapping[str, AnyArray] | None = None
    ) -> Prediction:
        """Predict a* and b* from L*, shape (H, W), at full size."""
        shape = work_shape(lightness.shape, self.work_size)
        full = _scene(lightness, side)
        if shape == lightness.shape:
            scene = full
        else:
            shrunk = {name: area_shrink(array, shape) for name, array in full.side.items()}
            scene = _scene(area_shrink(lightness, shape), shrunk)
        predicted = predict(scene, self.features, self.regressor)
        vivid = asked(self.regressor, predicted.at, self.vividness)
        return checked_prediction(self.regressor, vivid).faded(self.certainty)

    def fuse(
        self,
        lightness: FloatArray,
        prediction: Prediction,
        *,
        dtype: Any = np.uint8,
        side: Mapping[str, AnyArray] | None = None,
    ) -> PixelArray:
        """Join predicted chroma with full-size lightness, refine, and go back to sRGB.

        Parameters
        ----------
        lightness : ndarray, shape (H, W)
            L* in [0, 100], float32.
        prediction : Prediction
            a* and b* at nodes of the work picture of this size.
        dtype : dtype, optional
            uint8, uint16 or float32.
        side : Mapping[str, ndarray], optional
            What the user gives besides.

        Returns
        -------
        ndarray, shape (H, W, 3)
            Encoded sRGB.
        """
        shape = work_shape(lightness.shape, self.work_size)
        radius = NODE_JOIN_RADIUS if self.regressor.per_node else JOIN_RADIUS
        joined = JoinedChroma(prediction, lightness, shape, self.join, radius)
        scene = _scene(lightness, side)
        pixels = np.empty((*lightness.shape, 3), dtype=dtype)
        for inner, outer in _stripes(lightness.shape, self.refiners, scene.scale):
            stripe = scene.rows(outer.start, outer.stop)
            chroma = joined(outer.start, outer.stop)
            color = np.concatenate([stripe.lightness[..., np.newaxis], chroma], axis=-1)
            color = refine(color, stripe, self.refiners)
            rows = slice(inner.start - outer.start, inner.stop - outer.start)
            pixels[inner] = merge(color[rows], self.colorspace, dtype)
        return pixels

    def refine_pixels(
        self, pixels: PixelArray, *, side: Mapping[str, AnyArray] | None = None
    ) -> PixelArray:
        """Apply the refiners to a picture that is in colour already, shape (H, W, 3)."""
        _check_pixels(pixels)
        if pixels.ndim != 3:
            raise InputError(f"picture has shape {pixels.shape}, wanted (H, W, 3): it is gray")
        lightness = lightness_of(pixels, self.colorspace)
        scene = _scene(lightness, side)
        refined = np.empty(pixels.shape, dtype=_output_dtype(pixels.dtype))
        for inner, outer in _stripes(lightness.shape, self.refiners, scene.scale):
            stripe = scene.rows(outer.start, outer.stop)
            color = refine(color_of(pixels[outer], self.colorspace), stripe, self.refiners)
            rows = slice(inner.start - outer.start, inner.stop - outer.start)
            refined[inner] = merge(color[rows], self.colorspace, refined.dtype)
        return refined

    def describe(self) -> dict[str, Any]:
        """Return what made a picture: stages with versions and options, as text."""
        return {
            "colorspace": stage_text(self.colorspace),
            "features": stage_text(self.features),
            "regressor": stage_text(self.regressor),
            "refiners": [stage_text(refiner) for refiner in self.refiners],
            "join": self.join,
            "work_size": self.work_size,
            "vividness": self.vividness,
            "certainty": self.certainty,
            **self.origin,
        }


def lightness_of(pixels: PixelArray, colorspace: Colorspace[Any]) -> FloatArray:
    """Return L* of a picture.

    Parameters
    ----------
    pixels : ndarray, shape (H, W) or (H, W, 3)
        Encoded gray or sRGB: uint8, uint16, or floats in [0, 1].
    colorspace : Colorspace
        The stage that says what lightness is.

    Returns
    -------
    ndarray, shape (H, W)
        Lightness in [0, 100], float32.
    """
    _check_pixels(pixels)
    _check_depth(pixels, colorspace)
    if pixels.ndim == 2 and np.issubdtype(pixels.dtype, np.integer):
        # Every code value has one lightness: 256 or 65,536 conversions instead of one a pixel.
        codes = np.arange(np.iinfo(pixels.dtype).max + 1) / np.iinfo(pixels.dtype).max
        gray = np.repeat(codes[:, np.newaxis], 3, axis=1).astype(np.float32)
        return _from_rgb(colorspace, gray)[..., 0][pixels]
    lightness = np.empty(pixels.shape[:2], dtype=np.float32)
    for rows in _plain_stripes(pixels.shape[:2]):
        lightness[rows] = color_of(pixels[rows], colorspace)[..., 0]
    return lightness


def color_of(pixels: PixelArray, colorspace: Colorspace[Any]) -> FloatArray:
    """Return lightness and chroma of pixels, shape (..., 3), float32."""
    rgb = _as_float(pixels)
    if rgb.ndim == 2:
        rgb = np.repeat(rgb[..., np.newaxis], 3, axis=-1)
    return _from_rgb(colorspace, rgb)


def work_shape(shape: tuple[int, ...], work_size: int) -> tuple[int, int]:
    """Return the size of the work picture.

    The short side becomes `work_size`; a strip is shrunk further, to at most 4 · work_size² pixels;
    nothing is enlarged. A `work_size` of 0 means full size.
    """
    height, width = shape[0], shape[1]
    if work_size <= 0:
        return height, width
    most = 4 * work_size**2
    shrink = min(1.0, work_size / min(height, width), (most / (height * width)) ** 0.5)
    rows, cols = max(1, round(height * shrink)), max(1, round(width * shrink))
    # Rounding, and a side of at least one pixel, may pass the limit: the long side gives way.
    if rows * cols > most:
        rows, cols = (rows, most // rows) if rows <= cols else (most // cols, cols)
    return rows, cols


def scene_scale(shape: tuple[int, ...]) -> float:
    """Return `Scene.scale` of a picture: its short side over 256, at least 1."""
    return max(1.0, min(shape[0], shape[1]) / REFERENCE_SIDE)


def at_nodes(picture: FloatArray, grid: Grid) -> FloatArray:
    """Return the values of a work picture, (h, w) or (h, w, C), at the nodes of a grid."""
    return sample_bilinear(picture, grid.row_positions(), grid.col_positions())


def predict(scene: Scene, features: Features[Any], regressor: Regressor[Any]) -> Prediction:
    """Run features and regressor on a work picture.

    A regressor that looks at single nodes is fed bands of rows, so that memory stays bounded
    whatever the size of the work picture.
    """
    height, width = scene.lightness.shape
    grid = asked(features, features.grid, height, width)
    if grid is None:
        grid = Grid.regular(height, width, DEFAULT_STEP)
    check_grid(features, grid)
    rows = grid.rows
    if regressor.per_node:
        rows = max(1, min(rows, BAND_VALUES // (grid.cols * max(1, features.width + 1))))
    bands = [
        _predict_band(scene, grid.band(start, min(start + rows, grid.rows)), features, regressor)
        for start in range(0, grid.rows, rows)
    ]
    if len(bands) == 1:
        return bands[0]
    confidence = [band.confidence for band in bands if band.confidence is not None]
    return Prediction(
        chroma=np.concatenate([band.chroma for band in bands]),
        grid=grid,
        confidence=np.concatenate(confidence) if len(confidence) == len(bands) else None,
        decode=bands[0].decode,
    )


def _predict_band(
    scene: Scene, grid: Grid, features: Features[Any], regressor: Regressor[Any]
) -> Prediction:
    vectors = asked(features, features.extract, scene, grid)
    check_answer(features, "extract", vectors, (*grid.shape, features.width))
    lightness = read_only(at_nodes(scene.lightness, grid))
    prediction = asked(regressor, regressor.predict, read_only(vectors), lightness, grid)
    return checked_prediction(regressor, prediction)


class JoinedChroma:
    """Bring predicted chroma to full size; calling it with a run of rows gives their chroma.

    Parameters
    ----------
    prediction : Prediction
        a* and b* at nodes of the work picture.
    lightness : ndarray, shape (H, W)
        L* at full size.
    shape : tuple of int
        Size of the work picture.
    join : {"guided", "bilinear"}
        ``guided``: the fast guided filter (He & Sun, "Fast Guided Filter", 2015): coefficients are
        computed on the work picture, brought to full size, and applied to full-size lightness.
        ``bilinear``: interpolation between the nodes.
    radius : int
        Of the guided filter, in pixels of a work picture with a short side of 256.
    """

    def __init__(
        self,
        prediction: Prediction,
        lightness: FloatArray,
        shape: tuple[int, int],
        join: JoinMethod = "guided",
        radius: int = JOIN_RADIUS,
    ) -> None:
        self._lightness = lightness
        self._size = shape
        self._grid = prediction.grid
        self._chroma = prediction.chroma.astype(np.float32, copy=False)
        self._guided = join == "guided"
        if self._guided:
            work = lightness if shape == lightness.shape else area_shrink(lightness, shape)
            on_pixels = self._at(np.arange(shape[0]), np.arange(shape[1]))
            pixels = max(1, round(radius * min(shape) / REFERENCE_SIDE))
            self._slope, self._offset = guided_coefficients(
                on_pixels, work / np.float32(100), pixels, JOIN_EPSILON
            )

    def __call__(self, start: int, stop: int) -> FloatArray:
        """Return a* and b* of rows `start` to `stop`, shape (stop - start, W, 2), float32."""
        height, width = self._lightness.shape
        rows = (np.arange(start, stop) + 0.5) * (self._size[0] / height) - 0.5
        cols = (np.arange(width) + 0.5) * (self._size[1] / width) - 0.5
        if not self._guided:
            return self._at(rows, cols)
        guide = self._lightness[start:stop, :, np.newaxis] / np.float32(100)
        chroma = sample_bilinear(self._slope, rows, cols).astype(np.float32, copy=False)
        chroma *= guide
        chroma += sample_bilinear(self._offset, rows, cols)
        return chroma

    def _at(self, rows: AnyArray, cols: AnyArray) -> FloatArray:
        grid = self._grid
        return sample_bilinear(
            self._chroma,
            (rows - grid.origin[0]) / grid.step[0],
            (cols - grid.origin[1]) / grid.step[1],
        )


def refine(color: FloatArray, scene: Scene, refiners: tuple[Refiner[Any], ...]) -> FloatArray:
    """Apply refiners one after the other; L* stays unless a refiner says that it moves it.

    Parameters
    ----------
    color : ndarray, shape (H, W, 3)
        L*, a*, b*.
    scene : Scene
        The gray picture, same rows.
    """
    for refiner in refiners:
        refined = asked(refiner, refiner.refine, read_only(color), scene)
        check_answer(refiner, "refine", refined, color.shape)
        if not refiner.moves_lightness:
            refined = np.concatenate([color[..., :1], refined[..., 1:]], axis=-1)
        color = refined.astype(np.float32, copy=False)
    return color


def merge(color: FloatArray, colorspace: Colorspace[Any], dtype: Any) -> PixelArray:
    """Map into the gamut at constant lightness and hue, and encode.

    Parameters
    ----------
    color : ndarray, shape (H, W, 3)
        Lightness and chroma.
    colorspace : Colorspace
        The stage that takes them to sRGB.
    dtype : dtype
        uint8, uint16 or float32 of the result.
    """
    mapped = asked(colorspace, colorspace.into_gamut, read_only(color))
    check_answer(colorspace, "into_gamut", mapped, color.shape)
    rgb = asked(colorspace, colorspace.to_rgb, read_only(mapped))
    check_answer(colorspace, "to_rgb", rgb, color.shape)
    # What is left outside is rounding: at most the mapping's tolerance.
    rgb = np.clip(rgb, 0.0, 1.0)
    floating = np.issubdtype(dtype, np.floating)
    encoded: PixelArray = rgb if floating else np.rint(rgb * np.iinfo(dtype).max)
    return encoded.astype(np.float32 if floating else dtype, copy=False)


def stage_text(stage: Stage[Any]) -> dict[str, Any]:
    """Return name, version and options of a stage as text; of several, one by one."""
    parts = getattr(stage, "stages", None)
    if parts is not None:
        return {"name": stage.name, "stages": [stage_text(part) for part in parts]}
    return {
        "name": stage.name,
        "version": stage.version,
        "options": options_to_text(stage.options),
    }


def _speaks(refiner: Refiner[Any], colorspace: Colorspace[Any]) -> bool:
    return colorspace.name in refiner.spaces or any(
        colorspace.name.startswith(f"{space}-") for space in refiner.spaces
    )


def _scene(lightness: FloatArray, side: Mapping[str, AnyArray] | None) -> Scene:
    """Return what stages may see of a picture, which they may not write into.

    Raises
    ------
    InputError
        If an array that the user gave does not have the picture's size.
    """
    seen = {}
    for name, array in (side or {}).items():
        given = np.asarray(array)
        if given.shape[:2] != lightness.shape or given.ndim not in (2, 3):
            height, width = lightness.shape
            raise InputError(
                f"side input {name} has shape {given.shape}, "
                f"wanted ({height}, {width}) or ({height}, {width}, C)"
            )
        seen[name] = read_only(given)
    return Scene(lightness=read_only(lightness), scale=scene_scale(lightness.shape), side=seen)


def _from_rgb(colorspace: Colorspace[Any], rgb: FloatArray) -> FloatArray:
    color = asked(colorspace, colorspace.from_rgb, read_only(rgb))
    return check_answer(colorspace, "from_rgb", color, rgb.shape)


def _check_pixels(pixels: PixelArray) -> None:
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if not shaped or 0 in pixels.shape:
        raise InputError(f"picture has shape {pixels.shape}, wanted (H, W) or (H, W, 3)")
    if pixels.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(pixels.dtype, np.floating):
        raise InputError(f"picture has dtype {pixels.dtype}, wanted uint8, uint16 or floats")
    bad = int(pixels.size - np.count_nonzero(np.isfinite(pixels)))
    if bad:
        raise InputError(f"picture holds {bad} values that are NaN or infinite")
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0.0 or high > 1.0:
        raise InputError(f"picture goes from {low:g} to {high:g}, wanted floats in [0, 1]")


def _check_depth(pixels: PixelArray, colorspace: Colorspace[Any]) -> None:
    most = getattr(colorspace, "max_depth", None)
    if most is not None and pixels.dtype.itemsize * 8 > most:
        raise InputError(
            f"colorspace {colorspace.name} is exact to {most} bits only, and the picture has more",
            hint="--colorspace lab",
        )


def _as_float(pixels: PixelArray) -> FloatArray:
    if np.issubdtype(pixels.dtype, np.integer):
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return pixels.astype(np.float32, copy=False)


def _output_dtype(dtype: Any) -> Any:
    return dtype if dtype in (np.uint8, np.uint16) else np.dtype(np.float32)


def _plain_stripes(shape: tuple[int, ...]) -> Iterator[slice]:
    rows = max(1, STRIPE_PIXELS // shape[1])
    for start in range(0, shape[0], rows):
        yield slice(start, min(start + rows, shape[0]))


def _stripes(
    shape: tuple[int, ...], refiners: tuple[Refiner[Any], ...], scale: float
) -> Iterator[tuple[slice, slice]]:
    """Yield rows to make, and rows to make them from: wider by what the refiners look at."""
    reaches = [reach_of(refiner, scale) for refiner in refiners]
    whole = any(reach is None for reach in reaches)
    margin = shape[0] if whole else sum(reach for reach in reaches if reach is not None)
    rows = shape[0] if whole else max(1, STRIPE_PIXELS // shape[1], margin)
    for start in range(0, shape[0], rows):
        stop = min(start + rows, shape[0])
        yield slice(start, stop), slice(max(0, start - margin), min(shape[0], stop + margin))

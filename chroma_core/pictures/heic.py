"""HEIC (ISO/IEC 23008-12): the boxes are checked here, libheif decodes (extra ``heic``).

The package is pi-heif, which decodes only: wheels of pillow-heif hold an encoder, x265, under the
GPL. libheif turns the picture as the file says, so that the orientation in EXIF is history.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.avif import boxes
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.pnm import full_scale
from chroma_core.pictures.stored import Stored, check_size, cut_short, spoilt
from chroma_core.pictures.webp import describe_from_info

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["read_heic"]

_SRGB_LIKE = {0, 1, 2}
"""Colour primaries that are sRGB's, or not said (ITU-T H.273, table 2)."""

_HDR = {16: "PQ", 18: "HLG"}
"""Transfer characteristics that sRGB cannot show (ITU-T H.273, table 3)."""


def read_heic(data: bytes, limits: Limits) -> Stored:
    """Read the primary picture of a HEIC.

    Raises
    ------
    PictureError
        If it is damaged, cut short, too large, or of a kind that is not read; ``unsupported`` with
        exit status 69 if the extra is not installed.
    """
    pi_heif = _library()
    _check_boxes(data, limits)
    try:
        file = pi_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        image = file[file.primary_index]
        width, height = image.size
        check_size(width, height, 8, limits)
        # A copy: what libheif decoded is gone with its object.
        samples = np.array(image)[:height, :width]
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError("there is not enough memory for it", kind="memory") from error
    except Exception as error:
        raise _decoder_error(error) from error
    stored = _stored(samples, int(image.info["bit_depth"]))
    if image.premultiplied_alpha:
        raise _not_read("whose colours are multiplied by its opacity")
    _judge_colours(stored, image.info)
    if len(file) > 1:
        stored.warnings.append("it has more than one picture: only the main one is used")
    describe_from_info(stored, image.info, limits)
    stored.orientation = None
    return stored


def _library() -> ModuleType:
    """Return pi-heif, or say how to get it."""
    try:
        import pi_heif
    except ImportError as error:
        raise PictureError(
            "a HEIC picture needs an extra that is not installed",
            kind="unsupported",
            hint="pip install 'chroma-colorize[heic]', or convert it to PNG",
            exit_status=69,
        ) from error
    module: ModuleType = pi_heif
    return module


def _check_boxes(data: bytes, limits: Limits) -> None:
    """Refuse a picture by the sizes that its boxes say."""
    sizes = 0
    for name, body in boxes(memoryview(data)):
        if name == b"ispe" and len(body) >= 12:
            width, height = struct.unpack_from(">II", body, 4)
            check_size(width, height, 4, limits)
            sizes += 1
    if not sizes:
        raise spoilt("there is no picture in it")


def _stored(samples: PixelArray, bits: int) -> Stored:
    """Return samples at full scale, opacity apart."""
    if samples.dtype == np.uint16:
        top = (1 << bits) - 1
        samples = full_scale(np.minimum(samples, top), top, 16)
    stored = Stored(format="heic", color="gray", samples=samples, depth=8 * samples.itemsize)
    if samples.ndim == 3:
        if samples.shape[2] in (2, 4):
            stored.alpha, samples = samples[..., -1], samples[..., :-1]
        stored.color = "rgb" if samples.shape[2] == 3 else "gray"
        stored.samples = samples if stored.color == "rgb" else samples[..., 0]
    return stored


def _judge_colours(stored: Stored, info: dict[str, Any]) -> None:
    """Refuse light that sRGB cannot show, and warn of colours that are taken for others."""
    said = info.get("nclx_profile") or {}
    curve = _HDR.get(said.get("transfer_characteristics", 2))
    if curve and not info.get("icc_profile"):
        raise _not_read(f"in HDR ({curve})")
    wide = said.get("color_primaries", 2) not in _SRGB_LIKE and not info.get("icc_profile")
    if wide and stored.color == "rgb":
        stored.warnings.append("its colours have other primaries than sRGB, and are taken as sRGB")


def _not_read(what: str) -> PictureError:
    """Return the error of a HEIC of a kind that is not read."""
    return PictureError(
        f"a HEIC {what} is not read", kind="unsupported", hint="convert it to PNG or TIFF"
    )


def _decoder_error(error: Exception) -> PictureError:
    """Return what libheif says as one of our errors."""
    text = " ".join(str(error).split())[:200] or type(error).__name__
    if "end of file" in text.lower():
        return cut_short(f"cut short: the pixels end too early ({text})")
    if "nsupported" in text:
        return _not_read(f"of this kind ({text})")
    return spoilt(f"it cannot be decoded ({text})")

"""Pillow, held to one format and to its strict behaviour."""

from __future__ import annotations

import io
import threading
import warnings
from typing import TYPE_CHECKING

import numpy as np

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.stored import Stored, check_size, cut_short, spoilt

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["decode_with_pillow"]

_LOCK = threading.Lock()


def decode_with_pillow(data: bytes, format: str, limits: Limits) -> tuple[Stored, Image]:
    """Decode the first picture of a file.

    Parameters
    ----------
    data : bytes
        The file.
    format : str
        The one of Pillow's names that is allowed.
    limits : Limits
        Looked at once more with the size that Pillow finds.

    Returns
    -------
    Stored
        Samples, gray or RGB, and alpha.
    Image
        Pillow's object, loaded, for its `info`.

    Raises
    ------
    PictureError
        If Pillow refuses. Its object is dropped then: asked a second time, it would hand out an
        unfilled picture without an error.
    """
    from PIL import Image, ImageFile

    # Another library in the process may have made Pillow lenient, for all.
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lenient, most = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = False, None
        try:
            image: Image.Image = Image.open(io.BytesIO(data), formats=[format])
            check_size(*image.size, 4, limits)
            image.load()
            stored = _stored(image)
        except PictureError:
            raise
        except MemoryError as error:
            raise PictureError("there is not enough memory for it", kind="memory") from error
        except Exception as error:
            raise _decoder_error(error) from error
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = lenient, most
    return stored, image


def _stored(image: Image) -> Stored:
    """Return samples and alpha of an image that is loaded."""
    seen = image
    if seen.mode == "P" or (seen.mode in ("L", "RGB", "1") and "transparency" in seen.info):
        seen = seen.convert("RGBA" if "transparency" in seen.info else "RGB")
    elif seen.mode == "1":
        seen = seen.convert("L")
    if seen.mode not in ("L", "LA", "RGB", "RGBA"):
        raise PictureError(f"pictures of mode {seen.mode} are not read", kind="unsupported")
    samples = np.asarray(seen)
    stored = Stored(format="", color="rgb" if "RGB" in seen.mode else "gray", samples=samples)
    if seen.mode in ("LA", "RGBA"):
        stored.alpha, stored.samples = samples[..., -1], samples[..., :-1]
    if stored.color == "gray" and stored.samples.ndim == 3:
        stored.samples = stored.samples[..., 0]
    return stored


def _decoder_error(error: Exception) -> PictureError:
    """Return what Pillow says as one of our errors."""
    text = (str(error) or type(error).__name__).splitlines()[0]
    if "BytesIO" in text:
        text = "Pillow cannot make out its header"
    if "truncated" in text or "not enough image data" in text or "unexpected end" in text:
        return cut_short(f"cut short: the pixels end too early ({text})")
    return spoilt(f"it cannot be decoded ({text})")

"""PNG (ISO/IEC 15948): chunks are checked here, and the decoder gets those for pixels alone."""

from __future__ import annotations

from chroma_core.errors import PictureError
from chroma_core.pictures.exif import exif_orientation
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.png_chunks import CHANNELS, SIGNATURE, PngChunks, png_chunk
from chroma_core.pictures.png_salvage import salvaged_samples
from chroma_core.pictures.reading import PLAIN, Reading
from chroma_core.pictures.stored import Stored, check_size, cut_short, spoilt

__all__ = ["png_chunk", "read_png"]


def read_png(data: bytes, limits: Limits, reading: Reading = PLAIN) -> Stored:
    """Read a PNG. An animated one gives its default picture.

    Raises
    ------
    PictureError
        If it is damaged, cut short or too large.
    """
    import imagecodecs

    chunks = PngChunks(data, limits, salvage=reading.salvage)
    width, height, depth, kind = chunks.header
    channels = 4 if kind == 3 else CHANNELS[kind]
    check_size(width, height, channels * (2 if depth == 16 else 1), limits)
    if not chunks.pixel_data:
        raise cut_short("there are no pixels in it (no IDAT)")
    missing = "" if chunks.ended else chunks.missing
    if missing and not reading.salvage:
        raise cut_short(missing)
    try:
        samples = imagecodecs.png_decode(b"".join([SIGNATURE, *chunks.kept]))
    except Exception as error:
        if not reading.salvage:
            raise _decoder_error(error) from error
        why = cut_short(missing) if missing else _decoder_error(error)
        samples, missing = salvaged_samples(chunks.kept, why)
    stored = Stored(format="png", color="gray", samples=samples, depth=16 if depth == 16 else 8)
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        stored.alpha, stored.samples = samples[..., -1], samples[..., :-1]
    if stored.samples.ndim == 3:
        if stored.samples.shape[2] == 1:
            stored.samples = stored.samples[..., 0]
        else:
            stored.color = "rgb"
    chunks.describe(stored)
    stored.orientation = exif_orientation(stored.exif)
    stored.salvaged = missing
    return stored


def _decoder_error(error: Exception) -> PictureError:
    """Return what libpng says as one of our errors."""
    text = str(error)
    if "Not enough image data" in text or "too small" in text:
        return cut_short("cut short: there are fewer pixels than its header says")
    return spoilt(f"its pixels are damaged ({text})")

"""From pixels to the bytes of a file, with what the picture carried."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.carried import JPEG_COMMENT, PNG_TEXTS
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.png import png_chunk
from chroma_core.pictures.profile import srgb_profile
from chroma_core.pictures.tiff_write import GRAY, RGB, PageTags, encode_tiff

__all__ = ["DEEP_FORMATS", "encode_picture", "tiff_page", "with_alpha"]

DEEP_FORMATS = frozenset({"png", "tiff", "ppm"})
"""Formats that are written with 16 bits, too."""

_WITHOUT_ALPHA = frozenset({"jpeg", "ppm", "bmp"})
_QUALITY = {"jpeg": 95, "webp": 95, "avif": 90}
_LARGEST_SIDE = {"jpeg": 65500, "webp": 16383, "avif": 65536}
_LARGEST_SEGMENT = 65533
_EXIF = b"Exif\0\0"


def encode_picture(picture: Picture, format: str, quality: int | None) -> bytes:
    """Return the file of a picture whose dtype is that of the file.

    Parameters
    ----------
    picture : Picture
        uint8, or uint16 for one of `DEEP_FORMATS`.
    format : str
        One of `chroma_core.pictures.names.FORMATS`.
    quality : int or None
        1 to 100, for JPEG, WebP and AVIF; 100 makes a WebP lossless.

    Raises
    ------
    PictureError
        ``unsupported`` if the format cannot hold the picture.
    """
    if picture.alpha is not None and format in _WITHOUT_ALPHA:
        if int(picture.alpha.min()) != np.iinfo(picture.alpha.dtype).max:
            raise PictureError(
                f"{format} cannot hold transparency, and the picture has it",
                kind="unsupported",
                hint="choose png, tiff or webp",
            )
        picture = replace(picture, alpha=None)
    most = _LARGEST_SIDE.get(format)
    if most is not None and max(picture.width, picture.height) > most:
        raise PictureError(
            f"{format} holds at most {most:,} pixels a side, "
            f"the picture has {picture.width:,} x {picture.height:,}",
            kind="unsupported",
            hint="choose png or tiff",
        )
    return _ENCODERS[format](picture, quality)


def with_alpha(picture: Picture) -> PixelArray:
    """Return pixels and alpha, where there is one, as one array."""
    if picture.alpha is None:
        plain = np.ascontiguousarray(picture.pixels)
        # A side of one pixel counts as contiguous with whatever step a turn left it; codecs do not
        # agree. Going through one dimension gives it the usual one.
        return plain.reshape(-1).reshape(plain.shape)
    return np.dstack([picture.pixels, picture.alpha])


def _encode_png(picture: Picture, quality: int | None) -> bytes:
    """Return a PNG: libpng's pixels, our chunks in front of them."""
    import imagecodecs

    plain = memoryview(imagecodecs.png_encode(with_alpha(picture), level=4))
    end_of_header = 8 + 25
    # Rendering intent 1 is relative colorimetric (ISO/IEC 15948, 11.3.3.5).
    chunks = [png_chunk(b"sRGB", b"\x01")]
    if picture.dpi is not None:
        across, down = (round(value / 0.0254) for value in picture.dpi)
        chunks.append(png_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if picture.exif:
        chunks.append(png_chunk(b"eXIf", picture.exif))
    if picture.xmp:
        chunks.append(png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + picture.xmp))
    chunks += [png_chunk(name.encode(), body) for name, body in picture.texts if name in PNG_TEXTS]
    return b"".join([plain[:end_of_header], *chunks, plain[end_of_header:]])


def _encode_tiff(picture: Picture, quality: int | None) -> bytes:
    """Return a TIFF."""
    return encode_tiff(*tiff_page(picture))


def tiff_page(picture: Picture) -> tuple[PixelArray, int, PageTags]:
    """Return what `chroma_core.pictures.tiff_write.encode_page` takes of a picture."""
    tags = PageTags(
        alpha=picture.alpha is not None,
        # A gray picture is written with sRGB's curve, for which there is no usual profile.
        icc=b"" if picture.is_gray else srgb_profile(),
        exif=picture.exif,
        xmp=picture.xmp,
        iptc=picture.iptc,
        dpi=picture.dpi,
    )
    return with_alpha(picture), GRAY if picture.is_gray else RGB, tags


def _encode_jpeg(picture: Picture, quality: int | None) -> bytes:
    """Return a JPEG without subsampling: colour is what the picture is about."""
    options: dict[str, Any] = {"subsampling": 0}
    if quality is None and picture.jpeg_tables is not None:
        # A gray JPEG has one table; for chroma it is the finer of the two there could be.
        tables = [list(table) for table in picture.jpeg_tables]
        options["qtables"] = [tables[0], tables[-1]]
    else:
        options["quality"] = _QUALITY["jpeg"] if quality is None else quality
    if picture.dpi is not None:
        options["dpi"] = tuple(min(max(round(value), 1), 65535) for value in picture.dpi)
    plain = _saved(picture, "JPEG", options)
    segments = []
    if picture.exif:
        segments.append((0xE1, _EXIF + picture.exif))
    if picture.xmp:
        segments.append((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + picture.xmp))
    if not picture.is_gray:
        segments.append((0xE2, b"ICC_PROFILE\0\x01\x01" + srgb_profile()))
    if picture.iptc:
        size = struct.pack(">I", len(picture.iptc))
        block = b"8BIM\x04\x04\0\0" + size + picture.iptc + b"\0" * (len(picture.iptc) % 2)
        segments.append((0xED, b"Photoshop 3.0\0" + block))
    segments += [(0xFE, body) for name, body in picture.texts if name == JPEG_COMMENT]
    (length,) = struct.unpack_from(">H", plain, 4)
    after_jfif = 4 + length
    parts = [
        b"\xff" + bytes([marker]) + struct.pack(">H", 2 + len(body)) + body
        for marker, body in segments
        if len(body) <= _LARGEST_SEGMENT
    ]
    return b"".join([plain[:after_jfif], *parts, plain[after_jfif:]])


def _encode_webp(picture: Picture, quality: int | None) -> bytes:
    """Return a WebP; lossless at quality 100."""
    chosen = _QUALITY["webp"] if quality is None else quality
    options = {"quality": chosen, "lossless": chosen == 100, "exact": True}
    return _saved(picture, "WEBP", {**options, **_metadata(picture)})


def _encode_avif(picture: Picture, quality: int | None) -> bytes:
    """Return an AVIF without subsampling."""
    chosen = _QUALITY["avif"] if quality is None else quality
    options = {"quality": chosen, "subsampling": "4:4:4"}
    return _saved(picture, "AVIF", {**options, **_metadata(picture)})


def _encode_bmp(picture: Picture, quality: int | None) -> bytes:
    """Return a BMP of 24 bits."""
    return _saved(picture, "BMP", {"dpi": picture.dpi} if picture.dpi else {})


def _encode_ppm(picture: Picture, quality: int | None) -> bytes:
    """Return a binary PPM of 8 or 16 bits."""
    pixels = picture.pixels
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., np.newaxis], 3, axis=-1)
    head = f"P6\n{picture.width} {picture.height}\n{np.iinfo(pixels.dtype).max}\n".encode()
    return head + pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()


def _metadata(picture: Picture) -> dict[str, Any]:
    """Return what Pillow takes besides pixels."""
    told = {"exif": _EXIF + picture.exif if picture.exif else b"", "xmp": picture.xmp}
    return {"icc_profile": srgb_profile(), **{name: block for name, block in told.items() if block}}


def _saved(picture: Picture, format: str, options: dict[str, Any]) -> bytes:
    """Return what Pillow makes of a picture."""
    from PIL import Image

    stream = io.BytesIO()
    try:
        image: Image.Image = Image.fromarray(with_alpha(picture))
        image.save(stream, format, **options)
    except (OSError, ValueError, zlib.error) as error:
        raise PictureError(
            f"cannot be encoded as {format}: {error}", kind="unsupported", hint="choose png or tiff"
        ) from error
    return stream.getvalue()


_ENCODERS: dict[str, Callable[[Picture, int | None], bytes]] = {
    "png": _encode_png,
    "jpeg": _encode_jpeg,
    "tiff": _encode_tiff,
    "webp": _encode_webp,
    "avif": _encode_avif,
    "bmp": _encode_bmp,
    "ppm": _encode_ppm,
}

"""What mutations start from: small good files of every format, and of most ways to write it."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

HEIGHT, WIDTH = 12, 16


def seeds() -> dict[str, bytes]:
    """Return files by a telling name; made anew, by libraries other than chroma's writers."""
    gray, rgb, rgba, cmyk = (_ramp(255, np.uint8, n) for n in (1, 3, 4, 4))
    gray16, rgb16 = _ramp(65535, np.uint16, 1), _ramp(65535, np.uint16, 3)
    return {
        **_png(gray, rgb, rgba, gray16, rgb16),
        **_jpeg(gray, rgb, cmyk),
        **_tiff(gray, rgb, rgba, gray16, rgb16),
        **_others(gray, rgb, rgba),
        **_pnm(gray, rgb, gray16),
    }


def _ramp(top: int, dtype: type, channels: int) -> np.ndarray:
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    planes = [((rows * (3 + k) + cols * (7 - k)) % 61) / 60 for k in range(channels)]
    codes = np.rint(np.stack(planes, -1) * top).astype(dtype)
    return codes[..., 0] if channels == 1 else codes


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[274], exif[306], exif[315] = 6, "1921:05:01 12:00:00", "somebody"
    exif.get_ifd(34665)[36867] = "1921:05:01 12:00:00"
    exif.get_ifd(34853).update({1: "N", 2: (48.0, 12.0, 30.0)})
    return exif


XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="w"?>'
)


def _png(gray, rgb, rgba, gray16, rgb16) -> dict[str, bytes]:
    said = PngImagePlugin.PngInfo()
    said.add_itxt("XML:com.adobe.xmp", XMP.decode())
    said.add_text("Title", "a picture", zip=True)
    palette = Image.fromarray(rgb).quantize(7)
    return {
        "png-gray": _saved(Image.fromarray(gray), "PNG"),
        "png-one-bit": _saved(Image.fromarray(gray > 99), "PNG"),
        "png-palette": _saved(palette, "PNG", transparency=3, bits=4),
        "png-rgba": _saved(Image.fromarray(rgba), "PNG", dpi=(300, 300)),
        "png-gray-16": _saved(Image.fromarray(gray16), "PNG"),
        "png-rgb-16": imagecodecs.png_encode(rgb16),
        "png-said": _saved(
            Image.fromarray(rgb), "PNG", icc_profile=_profile(), exif=_exif(), pnginfo=said
        ),
        "png-two-frames": _saved(
            Image.fromarray(rgb), "PNG", save_all=True, append_images=[Image.fromarray(rgb[::-1])]
        ),
    }


def _jpeg(gray, rgb, cmyk) -> dict[str, bytes]:
    color = Image.fromarray(rgb)
    return {
        "jpeg-gray": _saved(Image.fromarray(gray), "JPEG", dpi=(300, 300)),
        "jpeg-said": _saved(color, "JPEG", exif=_exif(), icc_profile=_profile(), xmp=XMP),
        "jpeg-progressive": _saved(color, "JPEG", progressive=True),
        "jpeg-restarts": _saved(color, "JPEG", restart_marker_rows=1, subsampling=0),
        "jpeg-cmyk": _saved(Image.fromarray(cmyk, "CMYK"), "JPEG"),
    }


def _tiff(gray, rgb, rgba, gray16, rgb16) -> dict[str, bytes]:
    def tiff(*pages, **options) -> bytes:
        stream = io.BytesIO()
        with tifffile.TiffWriter(stream, bigtiff=options.pop("bigtiff", False)) as writer:
            for page in pages:
                writer.write(page, metadata=None, **options)
        return stream.getvalue()

    black, color = {"photometric": "minisblack"}, {"photometric": "rgb"}
    floats = (gray / 255).astype(np.float32)
    table = (np.arange(768).reshape(3, 256) * 85).astype(np.uint16)
    return {
        "tiff-gray": tiff(gray, **black),
        "tiff-white-is-zero": tiff(gray16, photometric="miniswhite"),
        "tiff-rgb-16": tiff(rgb16, **color),
        "tiff-alpha": tiff(rgba, extrasamples=["unassalpha"], **color),
        "tiff-planes": tiff(np.moveaxis(rgb, -1, 0).copy(), planarconfig="separate", **color),
        "tiff-tiles": tiff(rgb, tile=(16, 16), compression="zlib", predictor=True, **color),
        "tiff-lzw": tiff(rgb, compression="lzw", rowsperstrip=5, **color),
        "tiff-packbits": tiff(gray, compression="packbits", **black),
        "tiff-zstd": tiff(gray16, compression="zstd", **black),
        "tiff-jpeg": tiff(rgb, compression="jpeg", **color),
        "tiff-float": tiff(floats, compression="zlib", predictor=3, **black),
        "tiff-double": tiff(floats.astype(np.float64), **black),
        "tiff-32": tiff(gray16.astype(np.uint32) * 65537, **black),
        "tiff-big": tiff(rgb, bigtiff=True, **color),
        "tiff-pages": tiff(gray, gray[::-1], gray16, **black),
        "tiff-palette": tiff(gray, photometric="palette", colormap=table),
        "tiff-inks": tiff(rgba, photometric="separated"),
        "tiff-lab": tiff(rgb, photometric="cielab"),
        "tiff-fax": _saved(Image.fromarray(gray > 99), "TIFF", compression="group4"),
        "tiff-said": _saved(
            Image.fromarray(rgb), "TIFF", exif=_exif(), icc_profile=_profile(), dpi=(300, 300)
        ),
    }


def _others(gray, rgb, rgba) -> dict[str, bytes]:
    color, other = Image.fromarray(rgb), Image.fromarray(rgb[::-1])
    return {
        "webp": _saved(color, "WEBP", quality=70, exif=_exif(), icc_profile=_profile(), xmp=XMP),
        "webp-lossless": _saved(Image.fromarray(rgba), "WEBP", lossless=True),
        "webp-moves": _saved(color, "WEBP", save_all=True, append_images=[other]),
        "avif": _saved(color, "AVIF", speed=9, exif=_exif(), xmp=XMP),
        "avif-alpha": _saved(Image.fromarray(rgba), "AVIF", speed=9),
        "gif": _saved(Image.fromarray(gray), "GIF"),
        "gif-moves": _saved(color, "GIF", save_all=True, append_images=[other], transparency=1),
        "bmp": _saved(color, "BMP"),
        "bmp-palette": _saved(color.quantize(9), "BMP"),
        "bmp-32": _saved(Image.fromarray(rgba), "BMP"),
    }


def _pnm(gray, rgb, gray16) -> dict[str, bytes]:
    size = f"{WIDTH} {HEIGHT}".encode()
    text = " ".join(map(str, gray.ravel())).encode()
    pam = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" % (WIDTH, HEIGHT)
    return {
        "pbm": b"P4\n" + size + b"\n" + np.packbits(gray > 99, axis=1).tobytes(),
        "pgm-text": b"P2\n# said\n" + size + b"\n255\n" + text,
        "pgm-16": b"P5\n" + size + b"\n65535\n" + gray16.astype(">u2").tobytes(),
        "ppm": b"P6\n" + size + b"\n255\n" + rgb.tobytes(),
        "pam": pam + rgb.tobytes(),
        "pfm": b"Pf\n" + size + b"\n-1.0\n" + (gray / 255).astype("<f4").tobytes(),
    }

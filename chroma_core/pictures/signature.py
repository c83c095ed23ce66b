"""What a file is, by its first bytes; its name is only a hint."""

from __future__ import annotations

from chroma_core.errors import PictureError

__all__ = ["READ_FORMATS", "identify", "is_utf8_text"]

READ_FORMATS = ("png", "jpeg", "tiff", "webp", "avif", "bmp", "gif", "pnm", "heic")
"""What can be read, HEIC with an extra. Everything else is refused before a decoder sees it."""

_PICTURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)

_UNSUPPORTED: tuple[tuple[bytes, str], ...] = (
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (b"%!PS", "an EPS or PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "an EPS file"),
    (b"SIMPLE  =", "a FITS file"),
    (b"8BPS", "a Photoshop file"),
    (b"\0\0\1\0", "an icon"),
    (b"\0\0\2\0", "a cursor"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"#?RGBE", "a Radiance HDR picture"),
    (b"IIRO", "an Olympus RAW file"),
    (b"IIU\0", "a Panasonic RAW file"),
    (b"FUJIFILMCCD-RAW", "a Fujifilm RAW file"),
    (b"gimp xcf", "a GIMP file"),
    (b"qoif", "a QOI picture"),
    (b"FORM", "an IFF file"),
    (b"DDS ", "a DirectDraw surface"),
)

_NO_PICTURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"\0\x05\x16\x07", "a resource fork that macOS left (AppleDouble), not the picture itself"),
    (b"\0\x05\x16\0", "a resource fork that macOS left (AppleSingle)"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"ID3", "an MP3 file"),
    (b"OggS", "an Ogg file"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"SQLite format 3\0", "a database"),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy array"),
)

_COPY_AGAIN = "copy it again from where it came"


def identify(data: bytes | memoryview, size: int | None = None) -> str:
    """Return which of `READ_FORMATS` the bytes are.

    Parameters
    ----------
    data : bytes
        The file, or at least its first 4096 bytes.
    size : int, optional
        Size of the whole file in bytes.

    Raises
    ------
    PictureError
        ``empty``, ``truncated``, ``unsupported`` or ``not-a-picture``, saying what it looks like.
    """
    head = bytes(data[:4096])
    if not head:
        raise PictureError("the file is empty", kind="empty", hint=_COPY_AGAIN)
    for magic, name in _PICTURES:
        if head.startswith(magic):
            return name
    if head.startswith(b"RIFF") and head[8:12] in (b"WEBP", b""):
        return "webp"
    if head.startswith(b"BM") and len(head) >= 18 and head[14:18] in _BMP_HEADERS:
        return "bmp"
    if _is_pnm(head):
        return "pnm"
    if head[4:8] == b"ftyp":
        return _identify_box_file(head)
    for magic, what in _UNSUPPORTED:
        if head.startswith(magic):
            raise PictureError(
                f"this is {what}, which is not read",
                kind="unsupported",
                hint=f"convert it to one of {', '.join(READ_FORMATS)}",
            )
    raise PictureError(
        f"not a picture: it looks like {_describe(head, size)}",
        kind="not-a-picture",
        hint=f"pictures are {', '.join(READ_FORMATS)}",
    )


_BMP_HEADERS = {size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)}


def _is_pnm(head: bytes) -> bool:
    """Return whether a file begins as PBM, PGM, PPM, PAM or PFM do."""
    if len(head) < 3 or head[:1] != b"P":
        return False
    kind, after = head[1:2], head[2:3]
    return kind in b"1234567Ff" and (after.isspace() or after == b"#")


def _identify_box_file(head: bytes) -> str:
    """Return ``avif`` or ``heic`` for such a file, and say what other files made of boxes are."""
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, min(len(head), 64), 4))}
    if brands & {b"avif", b"avis"}:
        return "avif"
    if brands & {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}:
        return "heic"
    if head[8:11] == b"crx":
        raise PictureError(
            "this is a Canon RAW file, which is not read",
            kind="unsupported",
            hint="develop it to a 16-bit TIFF first",
        )
    raise PictureError(
        "not a picture: it looks like a video",
        kind="not-a-picture",
        hint=f"pictures are {', '.join(READ_FORMATS)}",
    )


def _describe(head: bytes, size: int | None) -> str:
    """Return in words what bytes look like that are no picture."""
    for magic, what in _NO_PICTURES:
        if head.startswith(magic):
            return what
    if not head.strip(b"\0"):
        amount = f"{size:,} bytes of zeros" if size is not None and size <= 4096 else "zeros"
        return f"{amount}, a file that was never written"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if text.startswith((b"<svg", b"<?xml")):
        return "an SVG drawing" if b"<svg" in text else "an XML file"
    if text.startswith((b"{", b"[")) and is_utf8_text(head):
        return "JSON text"
    return "text" if is_utf8_text(head) else "other data"


def is_utf8_text(head: bytes) -> bool:
    """Return whether bytes are text without control characters."""
    try:
        text = head[: len(head) - 4 if len(head) >= 4096 else len(head)].decode()
    except UnicodeDecodeError as error:
        # A character that the cut went through is no proof against text.
        if error.start < len(head) - 8:
            return False
        text = head[: error.start].decode()
    return all(c.isprintable() or c in "\t\r\n\f" for c in text)

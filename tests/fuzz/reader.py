"""A fuzzing target: mutated pictures through the reader, in this process, guided by coverage.

Run as `python -m tests.fuzz.reader FOLDER [options of libFuzzer]`; `make fuzz` does. Whatever is
not a picture or a `PictureError` ends it, and FOLDER keeps the file. A crash of a library, more
memory than its limit, and an input that takes too long end it as well.
"""

from __future__ import annotations

import operator
import random
import struct
import sys
import warnings
import zlib
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import atheris
import numpy as np
from atheris.version_dependent import CMP_OP_SHIFT_AMOUNT

with atheris.instrument_imports(include=["chroma_core.pictures", "tifffile"]):
    from chroma_core.pictures import decode, encode, exif_history, provenance

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.reading import PLAIN, Reading
from tests.fuzz.seeds import seeds

LIMITS = Limits(
    max_pixels=1 << 16, max_side=4000, max_memory=1 << 22, max_metadata=1 << 16, max_pages=20
)
"""Small, so that thousands of files a second are tried."""

READINGS = (PLAIN, PLAIN, Reading(salvage=True), Reading(page=2, nan=0.0, value_range=(-1.0, 2.0)))
WRITTEN = ("png", "tiff", "jpeg")
BOUNDS = ("-timeout=20", "-rss_limit_mb=4096", "-malloc_limit_mb=512", "-max_len=8192")
"""Seconds of one input, MiB of all and of one allocation, and the longest file, in bytes."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)


def read(data: bytes) -> None:
    """Read a file, and write what came of it."""
    free_arrays()
    choice = zlib.crc32(data)
    what, said = "none", ""
    try:
        picture = decode.decode_picture(data, LIMITS, reading=READINGS[choice % len(READINGS)])
        check(picture)
        said_in = {
            "xmp": provenance.with_note(picture.xmp, "{}"),
            "exif": exif_history.exif_with_note(picture.exif, "{}"),
        }
        noted = replace(picture, **said_in)
        provenance.record_of(noted.xmp)
        exif_history.record_of_exif(noted.exif)
        form = WRITTEN[choice // 7 % len(WRITTEN)]
        if form != "jpeg" or picture.pixels.dtype == np.uint8:
            encode.encode_picture(noted, form, None)
    except PictureError as error:
        # Not the error itself: its traceback holds this frame, and with it all that was read.
        what, said = error.what, str(error)
    assert what
    assert "\n" not in said


def check(picture: Picture) -> None:
    """Assert what is true of every picture."""
    assert picture.pixels.dtype in (np.uint8, np.uint16)
    assert picture.pixels.ndim in (2, 3)
    assert 1 <= picture.width * picture.height <= LIMITS.max_pixels
    assert not any("\n" in warning for warning in picture.warnings)
    if picture.alpha is not None:
        assert picture.alpha.shape == picture.pixels.shape[:2]
        assert picture.alpha.dtype == picture.pixels.dtype


def mutate(data: bytes, size: int, seed: int) -> bytes:
    """Change some bytes; mend PNG checksums three times in four: they would stop every change."""
    changed = bytearray(atheris.Mutate(bytes(data), size))
    if not changed.startswith(SIGNATURE) or random.Random(seed).random() < 0.25:
        return bytes(changed)
    at = len(SIGNATURE)
    while at + 12 <= len(changed):
        (length,) = struct.unpack_from(">I", changed, at)
        end = at + 8 + length
        if end + 4 > len(changed):
            break
        struct.pack_into(">I", changed, end, zlib.crc32(changed[at + 4 : end]))
        at = end + 4
    return bytes(changed)


@cache
def free_arrays() -> None:
    """Compare arrays ourselves: atheris 3.0 never frees what they answer, 4 GiB in a minute.

    To be called with the first file: what begins the fuzzing brings in its own comparison.
    """
    atheris._trace_cmp = partial(compared, atheris._trace_cmp)


def compared(traced: Any, left: Any, right: Any, operation: int, *place: Any) -> Any:
    """Compare, and tell the fuzzer unless there are arrays."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return COMPARISONS[operation >> CMP_OP_SHIFT_AMOUNT](left, right)
    return traced(left, right, operation, *place)


def main() -> None:
    """Write the seeds beside what was found earlier, and go on from both."""
    folder = Path(sys.argv[1])
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    for name, data in seeds().items():
        (folder / "corpus" / name).write_bytes(data)
    warnings.simplefilter("ignore")
    found = f"-artifact_prefix={folder}/"
    arguments = [sys.argv[0], str(folder / "corpus"), found, *BOUNDS, *sys.argv[2:]]
    atheris.Setup(arguments, read, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

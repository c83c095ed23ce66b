"""Measure what is left of ten pictures after chroma, and after the file calls of two others.

DeOldify opens a picture by ``PIL.Image.open(path).convert("RGB")`` and saves it by ``save(path)``
(its ``deoldify/visualize.py``); DDColor reads by ``cv2.imread(path)`` and writes by
``cv2.imwrite(path, image)`` (its ``scripts/infer.py``). Only these calls are made here, no network
is run; chroma is run whole, without colour, so that lightness alone can change.

Usage: ``python docs/scripts/compare_reading.py docs/scripts/compare_reading.md``
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from chroma_core.arrays import AnyArray, FloatArray
from chroma_core.cli.program import run_program
from chroma_core.color import rgb_to_lab

HEIGHT, WIDTH = 64, 96
DPI = 600
ARTIST = "A. Photographer"
EXIF_ARTIST, EXIF_ORIENTATION = 0x013B, 0x0112
SAME = 0.6
"""Mean differences of L* up to this are rounding to 8 bits, or a JPEG of the best quality."""


@dataclass(frozen=True)
class Case:
    """A picture, and what of it there is to keep."""

    name: str
    what: str
    lightness: FloatArray
    depth: int = 8
    artist: bool = False
    dpi: bool = False
    alpha: bool = False


def scene() -> FloatArray:
    """Return values of sRGB in [0, 1], shape (H, W), that no turning or mirroring repeats."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.asarray(0.1 + 0.5 * columns / (WIDTH - 1) + 0.3 * rows / (HEIGHT - 1))


def lightness(values: AnyArray) -> FloatArray:
    """Return L* of gray values of sRGB in [0, 1], or of colours, of any shape."""
    colors = values if values.ndim == 3 else np.repeat(values[..., np.newaxis], 3, axis=-1)
    return np.asarray(rgb_to_lab(np.asarray(colors, np.float64))[..., 0])


def make(folder: Path) -> list[Case]:
    """Write the pictures and return what each is."""
    import tifffile

    gray = scene()
    eight, sixteen = np.rint(gray * 255).astype(np.uint8), np.rint(gray * 65535).astype(np.uint16)
    seen, seen16 = lightness(eight / 255), lightness(sixteen / 65535)
    cases = []

    def add(name: str, what: str, truth: FloatArray, **kept: int | bool) -> Path:
        cases.append(Case(name, what, truth, **kept))  # type: ignore[arg-type]
        return folder / name

    resolution = {"resolution": (DPI, DPI), "resolutionunit": "INCH"}
    path = add("gray16.tif", "TIFF, gray, 16 bits, 600 dpi", seen16, depth=16, dpi=True)
    tifffile.imwrite(path, sixteen, photometric="minisblack", metadata=None, **resolution)

    path = add("gray16.png", "PNG, gray, 16 bits", seen16, depth=16)
    Image.fromarray(sixteen).save(path)

    linear = np.where(gray <= 0.04045, gray / 12.92, ((gray + 0.055) / 1.055) ** 2.4)
    path = add("linear.tif", "TIFF, gray, linear ICC profile", lightness(gray))
    stored = Image.fromarray(np.rint(linear * 255).astype(np.uint8))
    stored.save(path, icc_profile=linear_gray_profile())

    exif = Image.Exif()
    exif[EXIF_ARTIST] = ARTIST
    path = add("exif.jpg", "JPEG with EXIF, 600 dpi", seen, artist=True, dpi=True)
    Image.fromarray(eight).save(path, quality=100, exif=exif, dpi=(DPI, DPI))

    turned = Image.Exif()
    turned[EXIF_ORIENTATION] = 6
    path = add("turned.jpg", "JPEG, EXIF orientation 6", seen)
    Image.fromarray(np.rot90(eight)).save(path, quality=100, exif=turned)

    path = add("turned.tif", "TIFF, orientation 6", seen)
    tifffile.imwrite(path, np.rot90(eight), metadata=None, extratags=[(274, 3, 1, 6, True)])

    opacity = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    path = add("alpha.png", "PNG, gray with alpha", seen, alpha=True)
    Image.fromarray(np.dstack([eight, opacity])).save(path)

    bits = eight > 120
    path = add("scan1.tif", "TIFF, 1 bit, fax group 4, 600 dpi", lightness(bits * 1.0), dpi=True)
    Image.fromarray(bits).save(path, compression="group4", dpi=(DPI, DPI))

    path = add("white0.tif", "TIFF, gray, 16 bits, 0 is white", seen16, depth=16)
    tifffile.imwrite(path, 65535 - sixteen, photometric="miniswhite", metadata=None)

    path = add("cut.jpg", "JPEG, cut off in its middle", seen)
    whole = io.BytesIO()
    Image.fromarray(eight).save(whole, "JPEG", quality=100)
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    return cases


def linear_gray_profile() -> bytes:
    """Return an ICC profile (version 2.1) of gray whose values are amounts of light."""

    def text(kind: bytes, body: bytes) -> bytes:
        return kind + bytes(4) + body

    white = np.array([0.9642, 1.0, 0.8249])
    tags = {
        b"desc": text(b"desc", (7).to_bytes(4, "big") + b"linear\0" + bytes(78)),
        b"cprt": text(b"text", b"none\0"),
        b"wtpt": text(b"XYZ ", np.rint(white * 65536).astype(">i4").tobytes()),
        b"kTRC": text(b"curv", (0).to_bytes(4, "big")),
    }
    place, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        tag += bytes(-len(tag) % 4)
        table += name + (place + len(body)).to_bytes(4, "big") + len(tag).to_bytes(4, "big")
        body += tag
    head = bytearray(128)
    head[0:4] = (place + len(body)).to_bytes(4, "big")
    head[8:24] = b"\x02\x10\0\0mntrGRAYXYZ "
    head[24:36] = np.array([2026, 1, 1, 0, 0, 0], ">u2").tobytes()
    head[36:40] = b"acsp"
    head[68:80] = np.rint(white * 65536).astype(">i4").tobytes()
    profile = bytes(head) + len(tags).to_bytes(4, "big") + table + body
    ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return profile


def by_chroma(source: Path, result: Path) -> None:
    """Run the whole of chroma without colour."""
    plain = ("--features", "none", "--regressor", "none", "--refiner", "none", "--quiet")
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        status = run_program(["run", str(source), "-o", str(result), *plain])
    if status:
        what = said.getvalue().partition(f"{source}: ")[2].partition(" (")[0].strip()
        raise ValueError(f"refused, exit status {status}: {what}")


def by_pillow(source: Path, result: Path) -> None:
    """Make the calls of DeOldify."""
    with Image.open(source) as opened:
        opened.convert("RGB").save(result)


def by_opencv(source: Path, result: Path) -> None:
    """Make the calls of DDColor."""
    import cv2

    image = cv2.imread(str(source))
    if image is None:
        raise ValueError("not read: `imread` gives None")
    cv2.imwrite(str(result), image)


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "chroma": by_chroma,
    "DeOldify's calls": by_pillow,
    "DDColor's calls": by_opencv,
}


def pixels_of(path: Path) -> AnyArray:
    """Return a result's samples as they are stored, by a library that keeps all of their bits."""
    import cv2
    import tifffile

    if path.suffix == ".tif":
        return np.asarray(tifffile.imread(path))
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if image.ndim == 3:
        image = image[..., [2, 1, 0, 3][: image.shape[2]]]
    return np.asarray(image)


def judge(case: Case, path: Path) -> str:
    """Return what a result kept, in a few words."""
    stored = pixels_of(path)
    depth = 8 * stored.dtype.itemsize
    values = stored / np.iinfo(stored.dtype).max
    said = [f"{depth} bits" + (" of 16" if depth < case.depth else "")]
    with Image.open(path) as opened:
        exif, info = opened.getexif(), dict(opened.info)
    colors = values[..., :3] if values.ndim == 3 else values
    orientation = exif.get(EXIF_ORIENTATION, 1)
    if orientation != 1:
        said.append(f"orientation {orientation} left to the viewer")
        colors = np.rot90(colors, {6: -1, 8: 1, 3: 2}[orientation])
    if colors.shape[:2] != case.lightness.shape:
        return ", ".join([*said, "**lying on its side**"])
    off = np.abs(lightness(colors) - case.lightness)
    mean = f"L\\* off by {off.mean():.2g} on average"
    said.append(mean if off.mean() <= SAME else f"**{mean}**")
    if case.alpha:
        kept = values.ndim == 3 and values.shape[2] == 4
        said.append("alpha kept" if kept else "**alpha lost**")
    if case.artist:
        said.append("EXIF kept" if exif.get(EXIF_ARTIST) == ARTIST else "**EXIF lost**")
    if case.dpi:
        found = info.get("dpi", (0, 0))
        kept = all(abs(float(one) - DPI) < 0.5 for one in found)
        said.append("dpi kept" if kept else "**dpi lost**")
    if info.get("icc_profile"):
        profile = ImageCms.ImageCmsProfile(io.BytesIO(info["icc_profile"]))
        space = profile.profile.xcolor_space.strip()
        if space != "RGB":
            said.append(f"**a {space} profile in a file of RGB**")
    return ", ".join(said)


def figures() -> str:
    """Return the table."""
    lines = [f"| picture | {' | '.join(WAYS)} |", "| --- " * (len(WAYS) + 1) + "|"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in make(folder):
            cells = []
            for number, way in enumerate(WAYS.values()):
                result = folder / str(number) / case.name
                result.parent.mkdir(exist_ok=True)
                try:
                    way(folder / case.name, result)
                    cells.append(judge(case, result))
                except (ValueError, OSError) as error:
                    left = ", a file is left" if os.path.lexists(result) else ""
                    kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
                    cells.append(f"{kind}{error}{left}")
            lines.append(f"| {case.what} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(figures(), encoding="utf-8")

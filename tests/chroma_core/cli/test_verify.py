"""``chroma verify``: what was kept is told, and what was not ends with exit status 1."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tifffile

from chroma_core.demo import demo_photographs
from chroma_core.pictures.ifd import Value, build_exif
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.verify import compare_pictures
from chroma_core.pictures.write import write_picture

PLAIN = ("--features", "none", "--regressor", "none")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r"></rdf:RDF></x:xmpmeta>'
IPTC = b"\x1c\x02\x78\x00\x05hello"


def rich(gray, order="<"):
    """Return a picture with alpha and all metadata."""
    camera = Value(2, 6, b"Contax")
    taken = Value(2, 20, b"1931:05:04 12:00:00\0")
    latitude = Value(5, 3, struct.pack(f"{order}6I", 48, 1, 12, 1, 3, 1))
    exif = build_exif(order, {272: camera}, {0x9003: taken}, {2: latitude})
    return Picture(
        pixels=gray,
        alpha=np.minimum(gray, 200),
        exif=exif,
        xmp=XMP,
        iptc=IPTC,
        dpi=(300.0, 300.0),
    )


def checks(outcome):
    """Return what was kept, by name."""
    return {check["name"]: check["kept"] for check in outcome.json[0]["checks"]}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("ending", ["tif", "png"])
def test_what_a_result_carries_is_kept(chroma, gray, tiny_model, tmp_path, order, ending):
    original = write_picture(rich(gray, order), tmp_path / "in.tif")
    result = tmp_path / f"out.{ending}"
    chroma("run", original, "-o", result, "--model", tiny_model)

    outcome = chroma("verify", original, result, "--json")

    told = checks(outcome)
    wanted = {"size", "depth", "lightness", "profile", "alpha", "dpi", "exif", "xmp", "iptc"}
    assert set(told) == wanted
    # PNG holds no IPTC; everything else is in both.
    lost = {name for name, kept in told.items() if not kept}
    assert lost == ({"iptc"} if ending == "png" else set())
    assert outcome.status == (1 if lost else 0)
    assert 0 < outcome.json[0]["mean_delta"] < outcome.json[0]["max_delta"] < 0.3


def test_a_result_of_every_shipped_photograph_is_verified(chroma, tmp_path):
    original = demo_photographs()[0]
    result = tmp_path / "out.jpg"
    chroma("run", original, "-o", result, "--model", "local-dense", "--regressor", "dense")

    assert chroma("verify", original, result).status == 0


def test_each_thing_that_is_not_kept_is_named(gray):
    before = rich(gray)
    bare = Picture(pixels=gray, format="tiff")

    lost = {check.name for check in compare_pictures(before, bare).checks if not check.kept}

    assert lost == {"alpha", "dpi", "exif", "xmp", "iptc"}


def test_other_pixels_and_sizes_and_depths_are_not_kept(gray):
    before = Picture(pixels=gray.astype(np.uint16) * 257, depth=16)
    darker = Picture(pixels=gray // 2, format="png")
    smaller = Picture(pixels=gray[1:], format="png")

    def lost(after):
        return {check.name for check in compare_pictures(before, after).checks if not check.kept}

    assert lost(darker) == {"depth", "lightness"}
    assert lost(smaller) == {"size", "depth"}
    assert compare_pictures(before, smaller).max_delta is None


def test_limits_may_be_given(chroma, photo, tiny_model, tmp_path, refused):
    result = tmp_path / "out.png"
    chroma("run", photo, "-o", result, "--model", tiny_model)

    assert chroma("verify", photo, result).status == 0
    outcome = chroma("verify", photo, result, "--max-delta", "0.0001")
    assert outcome.status == 1
    assert "NOT KEPT lightness" in outcome.out
    assert chroma("verify", photo, result, "--mean-delta", "0.0001", "--quiet").out == ""
    refused(chroma("verify", photo, result, "--max-delta", "-1"), 2, "max-delta")


def test_a_missing_file_is_told(chroma, photo, tmp_path, refused):
    refused(chroma("verify", photo, tmp_path / "nothing.png"), 66, "nothing.png")


def test_an_original_of_another_tiff_writer_is_compared_too(chroma, gray, tmp_path):
    original = tmp_path / "in.tif"
    tifffile.imwrite(original, gray, resolution=(400, 400), resolutionunit="INCH")
    chroma("run", original, "-o", tmp_path / "out.tif", *PLAIN)

    outcome = chroma("verify", original, tmp_path / "out.tif", "--json")

    assert outcome.status == 0, outcome.out
    assert read_picture(tmp_path / "out.tif").dpi == (400.0, 400.0)
    assert checks(outcome)["dpi"]

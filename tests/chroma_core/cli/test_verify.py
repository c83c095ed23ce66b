"""``chroma verify``: what was kept is told, and what was not ends with exit status 1."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tifffile

from chroma_core.demo import demo_photographs
from chroma_core.pictures.ifd import Value, build_exif
from chroma_core.pictures.pages import open_pages
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.verify import compare_pictures, verify_file
from chroma_core.pictures.write import write_pages, write_picture

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


# Several pages.


@pytest.fixture
def book(chroma, gray, tmp_path):
    """Return a TIFF of three pages, and the file of as many that was made of it."""
    shown = [gray, gray[::-1], gray[:, ::-1]]
    pages = [
        (Picture(pixels=page, dpi=(100.0 * n, 100.0 * n)), None) for n, page in enumerate(shown, 1)
    ]
    write_pages(pages, tmp_path / "book.tif")
    made = chroma(
        *("run", tmp_path / "book.tif", "-o", tmp_path / "made.tif", "--page", "all", *PLAIN)
    )
    assert made.status == 0, made.err
    return tmp_path / "book.tif", tmp_path / "made.tif"


def test_all_pages_are_compared_each_with_its_own(chroma, book):
    outcome = chroma("verify", *book, "--page", "all", "--json")

    assert outcome.status == 0, outcome.out
    told = outcome.json[0]
    assert told["checks"][0] == {"name": "pages", "kept": True, "story": "3 -> 3", "page": None}
    dpi = {c["page"]: c["story"] for c in told["checks"] if c["name"] == "dpi"}
    assert dpi == {
        n: f"{n}00.00 x {n}00.00 -> {n}00.00 x {n}00.00 pixels an inch" for n in (1, 2, 3)
    }
    assert told["max_delta"] == told["mean_delta"] == 0
    assert told["warnings"] == []


def test_a_page_that_was_changed_is_named_and_counts_for_all(chroma, book, tmp_path):
    original, result = book
    pages = list(open_pages(result))
    darker = pages[1].with_pixels(pages[1].pixels // 2)
    changed = tmp_path / "changed.tif"
    write_pages([(page, None) for page in (pages[0], darker, pages[2])], changed)

    everything = chroma("verify", original, changed, "--page", "all")
    first, second = (chroma("verify", original, changed, "--page", n) for n in (1, 2))

    assert everything.status == 1
    lost = [line for line in everything.out.splitlines() if line.startswith("NOT KEPT")]
    assert [line.split(":")[0] for line in lost] == ["NOT KEPT lightness of page 2"]
    assert (first.status, second.status) == (0, 1)
    both = chroma("verify", original, changed, "--page", "all", "--json").json[0]
    alone = chroma("verify", original, changed, "--page", "2", "--json").json[0]
    assert both["max_delta"] == alone["max_delta"] > 10
    # The other two pages are the same.
    assert both["mean_delta"] == pytest.approx(alone["mean_delta"] / 3)


def test_a_page_that_is_missing_is_not_kept(chroma, book, tmp_path):
    original, result = book
    shorter = tmp_path / "shorter.tif"
    write_pages([(page, None) for page in list(open_pages(result))[:2]], shorter)

    outcome = chroma("verify", original, shorter, "--page", "all")

    assert outcome.status == 1
    assert "NOT KEPT pages: 3 -> 2" in outcome.out


def test_a_page_coloured_into_a_file_of_its_own_is_compared_with_its_page(chroma, book, tmp_path):
    original, _ = book
    single = tmp_path / "third.png"
    chroma("run", original, "-o", single, "--page", "3", *PLAIN)

    assert chroma("verify", original, single, "--page", "3").status == 0
    assert chroma("verify", original, single, "--page", "2").status == 1


def test_without_a_page_the_first_is_compared_and_the_others_are_mentioned(chroma, book):
    outcome = chroma("verify", *book)

    assert outcome.status == 0
    more = "it has more than one page: only the first is used"
    assert outcome.err.splitlines() == [
        f"chroma: warning: {side}: {more}" for side in ("original", "result")
    ]


def test_a_page_that_is_not_there_is_refused(chroma, book, photo, refused):
    refused(chroma("verify", *book, "--page", "4"), 65, "no page 4, it has 3 pages")
    refused(chroma("verify", *book, "--page", "none"), 2, "--page")
    refused(chroma("verify", photo, photo, "--page", "2"), 65, "no page 2 in a PNG")


def test_sizes_that_differ_on_one_page_leave_no_difference_of_lightness(gray, tmp_path):
    for name, second in (("one", gray), ("other", gray[1:])):
        write_pages([(Picture(pixels=p), None) for p in (gray, second)], tmp_path / f"{name}.tif")

    found = verify_file(tmp_path / "one.tif", tmp_path / "other.tif", page="all")

    assert (found.max_delta, found.mean_delta) == (None, None)
    assert [(c.name, c.page) for c in found.checks if not c.kept] == [("size", 2)]


def test_an_original_is_read_as_it_was_coloured(chroma, gray, tmp_path, refused):
    original, result = tmp_path / "floats.tif", tmp_path / "out.tif"
    tifffile.imwrite(original, gray.astype(np.float32), metadata=None)
    cut = tmp_path / "cut.png"
    cut.write_bytes(write_picture(gray, tmp_path / "whole.png").read_bytes()[:-600])
    chroma("run", original, "-o", result, "--range", "0,255", *PLAIN)
    chroma("run", cut, "-o", tmp_path / "mended.png", "--salvage", *PLAIN)

    refused(chroma("verify", original, result), 65, "--range")
    assert chroma("verify", original, result, "--range", "0,255").status == 0
    refused(chroma("verify", cut, tmp_path / "mended.png"), 65, "cut short")
    mended = chroma("verify", cut, tmp_path / "mended.png", "--salvage")
    assert mended.status == 0
    assert mended.err.startswith("chroma: warning: original: salvaged: ")

"""``chroma run --page``: one page of a TIFF, or all of them into a TIFF of as many."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from chroma_core.pictures.ifd import parse_exif
from chroma_core.pictures.pages import open_pages
from chroma_core.pictures.provenance import record_of
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.verify import compare_pictures

PLAIN = ("--features", "none", "--regressor", "none")
KEEP = ("--already-colour", "keep")


def ramp(shift: int = 0, side: int = 48) -> np.ndarray:
    """Return a gray picture of 8 bits."""
    rows, columns = np.mgrid[:side, : side + 16]
    return ((rows * 3 + columns * 2 + shift) % 256).astype(np.uint8)


def colours(side: int = 48) -> np.ndarray:
    """Return a picture that is in colour."""
    rows, columns = np.mgrid[:side, : side + 16]
    return np.stack([rows * 5, 255 - rows * 5, columns * 3], -1).astype(np.uint8)


def book(path, *pages, **options):
    """Write pages into a TIFF, each with a description and a resolution of its own."""
    with tifffile.TiffWriter(path, **options) as writer:
        for number, page in enumerate(pages, start=1):
            writer.write(
                page,
                photometric="rgb" if page.ndim == 3 else "minisblack",
                description=f"page {number}",
                resolution=(100 * number, 100 * number),
                resolutionunit=2,
                metadata=None,
            )
    return path


@pytest.fixture
def three(tmp_path):
    """Return a TIFF of three gray pages of 8 bits, 16 bits and floats, and what they show."""
    pages = [ramp(), ramp(40).astype(np.uint16) * 257, ramp(80).astype(np.float32) / 255]
    return book(tmp_path / "book.tif", *pages), pages


def test_all_pages_are_coloured_each_with_its_own_tags(chroma, three, tmp_path):
    path, _ = three
    before = path.read_bytes()

    outcome = chroma("run", path, "--page", "all", "--json", *PLAIN)

    assert outcome.status == 0, outcome.err
    result = tmp_path / "book.color.tif"
    with tifffile.TiffFile(result) as opened:
        told = [
            (str(page.dtype), page.photometric.name, page.tags[270].value, page.tags[282].value)
            for page in opened.pages
        ]
    assert told == [
        ("uint8", "RGB", "page 1", (100, 1)),
        ("uint16", "RGB", "page 2", (200, 1)),
        ("uint16", "RGB", "page 3", (300, 1)),
    ]
    originals, results = open_pages(path), open_pages(result)
    for original, page in zip(originals, results, strict=True):
        checks = compare_pictures(original, page)
        assert checks.kept, [check for check in checks.checks if not check.kept]
        assert record_of(page.xmp)["file"] == {"page": "all"}
    (line, _) = outcome.json
    assert line["size"] == [64, 48]
    assert line["sha256"] == hashlib.sha256(result.read_bytes()).hexdigest()
    assert path.read_bytes() == before


@pytest.mark.parametrize("options", [{"byteorder": ">"}, {"bigtiff": True}], ids=str)
def test_pages_of_other_layouts_are_read_alike(chroma, tmp_path, options):
    path = book(tmp_path / "book.tif", ramp(), ramp(9), **options)

    assert chroma("run", path, "--page", "all", *PLAIN).status == 0

    for shift, page in zip((0, 9), open_pages(tmp_path / "book.color.tif"), strict=True):
        np.testing.assert_array_equal(page.pixels[..., 1], ramp(shift))


def test_a_page_by_number_goes_into_any_format(chroma, three, tmp_path):
    path, pages = three

    outcome = chroma("run", path, "--page", "2", "-o", tmp_path / "second.png", *PLAIN)

    assert outcome.status == 0
    assert "more than one page" not in outcome.err
    second = read_picture(tmp_path / "second.png")
    np.testing.assert_array_equal(second.pixels[..., 1], pages[1])
    assert record_of(second.xmp)["file"] == {"page": 2}


def test_without_a_word_the_first_page_is_taken_with_a_warning(chroma, three, tmp_path):
    outcome = chroma("run", three[0], "-o", tmp_path / "first.tif", *PLAIN)

    assert outcome.status == 0
    assert "it has more than one page: only the first is used" in outcome.err
    assert len(open_pages(tmp_path / "first.tif")) == 1


def test_one_page_of_all_gives_what_it_gives_without(chroma, tmp_path):
    path = book(tmp_path / "one.tif", ramp())

    chroma("run", path, "--page", "all", "-o", tmp_path / "all.tif", *PLAIN)
    chroma("run", path, "-o", tmp_path / "plain.tif", *PLAIN)

    both = [read_picture(tmp_path / name) for name in ("all.tif", "plain.tif")]
    np.testing.assert_array_equal(both[0].pixels, both[1].pixels)
    first, second = (parse_exif(picture.exif)[1] for picture in both)
    assert first[270].data == b"page 1\0"
    assert first == second


@pytest.mark.parametrize(
    "arguments", [("--format", "png"), ("-o", "one.png")], ids=["format", "name"]
)
def test_all_pages_into_a_format_without_pages_are_refused(
    chroma, refused, three, tmp_path, monkeypatch, arguments
):
    monkeypatch.chdir(tmp_path)

    outcome = chroma("run", three[0], "--page", "all", *arguments, *PLAIN)

    refused(outcome, 2, "book.tif", "--page all needs a TIFF", "png", "--format tiff")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book.tif"]


def test_a_tiff_under_another_name_is_refused_as_well(chroma, refused, three, tmp_path):
    path = three[0].rename(tmp_path / "book.png")

    refused(chroma("run", path, "--page", "all", *PLAIN), 2, "book.png", "needs a TIFF")


def test_pictures_without_pages_are_done_as_ever(chroma, tmp_path, make_gif):
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.fromarray(ramp()).save(folder / "a.png")
    (folder / "b.gif").write_bytes(make_gif)
    book(folder / "c.tif", ramp(), ramp(7))

    outcome = chroma("run", folder, "-o", tmp_path / "out", "--page", "all", *PLAIN)

    assert outcome.status == 0, outcome.err
    assert "b.gif: animated: only its first picture is used" in outcome.err
    assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == [
        "a.png",
        "b.png",
        "c.tif",
    ]
    assert len(open_pages(tmp_path / "out" / "c.tif")) == 2


@pytest.fixture
def make_gif() -> bytes:
    """Return an animated GIF."""
    stream = io.BytesIO()
    frames = [Image.fromarray(ramp(shift)) for shift in (0, 60)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


@pytest.mark.parametrize(
    ("page", "words"), [("4", "it has 3 pages"), ("9999", "it has 3 pages")], ids=str
)
def test_a_page_that_is_not_there_is_refused(chroma, refused, three, page, words):
    outcome = chroma("run", three[0], "--page", page, *PLAIN)

    refused(outcome, 65, "book.tif", f"there is no page {int(page):,}", words)


def test_another_page_of_a_format_without_pages_is_refused(chroma, refused, tmp_path):
    Image.fromarray(ramp()).save(tmp_path / "a.png")

    outcome = chroma("run", tmp_path / "a.png", "--page", "2", *PLAIN)

    refused(outcome, 65, "a.png", "no page 2 in a PNG", "TIFF")
    assert chroma("run", tmp_path / "a.png", "--page", "1", *PLAIN).status == 0


@pytest.mark.parametrize("page", ["0", "-1", "two", "1.5", "", "9" * 12])
def test_a_page_that_is_no_number_is_wrong_use(chroma, refused, three, page):
    refused(chroma("run", three[0], f"--page={page}", *PLAIN), 2, "--page")


def damaged(path, number):
    """Spoil the pixels of a page, which are deflated."""
    with tifffile.TiffFile(path) as opened:
        offset, count = (getattr(opened.pages[number - 1], name)[0] for name in PLACES)
    data = bytearray(path.read_bytes())
    data[offset + count // 2 : offset + count] = bytes(count - count // 2)
    path.write_bytes(data)


PLACES = ("dataoffsets", "databytecounts")


def test_a_damaged_page_among_good_ones_costs_the_file(chroma, refused, tmp_path):
    path = tmp_path / "book.tif"
    with tifffile.TiffWriter(path) as writer:
        for seed in range(3):
            # Noise, of which every row takes as many bytes.
            page = np.random.default_rng(seed).integers(0, 256, (48, 64), np.uint8)
            writer.write(page, photometric="minisblack", compression="zlib", metadata=None)
    damaged(path, 2)

    outcome = chroma("run", path, "--page", "all", *PLAIN)

    refused(outcome, 65, "book.tif: page 2:", "cannot be decoded")
    assert [found.name for found in tmp_path.iterdir() if found != path] == []

    saved = chroma("run", path, "--page", "all", "--salvage", "--sidecar", *PLAIN)

    assert saved.status == 0
    assert "page 2: salvaged: 1 of 1 strips" in saved.err
    notes = [record_of(page.xmp)["file"] for page in open_pages(tmp_path / "book.color.tif")]
    assert ["salvaged" in note for note in notes] == [False, True, False]
    sidecar = json.loads((tmp_path / "book.color.tif.chroma.json").read_text())
    assert "page 2: 1 of 1 strips" in sidecar["made_by"]["file"]["salvaged"]


def test_a_list_of_pages_that_is_cut_costs_the_file(chroma, refused, three):
    path, _ = three
    path.write_bytes(path.read_bytes()[:-20])

    outcome = chroma("run", path, "--page", "all", *PLAIN)

    assert outcome.status == 65
    assert "page 3: " in outcome.err


def test_more_pages_than_allowed_are_refused(chroma, refused, three, monkeypatch):
    monkeypatch.setenv("CHROMA_MAX_PAGES", "2")

    outcome = chroma("run", three[0], "--page", "all", *PLAIN)

    refused(outcome, 65, "more than 2 pages", "CHROMA_MAX_PAGES")


def test_pages_in_colour_keep_their_colours(chroma, tmp_path):
    path = book(tmp_path / "book.tif", ramp(), colours(), colours(48))

    outcome = chroma("run", path, "--page", "all", "--json", *KEEP, *PLAIN)

    assert outcome.status == 0
    pages = list(open_pages(tmp_path / "book.color.tif"))
    np.testing.assert_array_equal(pages[1].pixels, colours())
    assert record_of(pages[0].xmp) is not None
    assert record_of(pages[1].xmp) is None
    line = outcome.json[0]
    assert line["note"] == "already-colour"
    assert line["warnings"] == ["pages 2, 3: it is in colour already, and keeps its own colours"]


def test_a_book_in_colour_is_kept_byte_by_byte(chroma, tmp_path):
    path = book(tmp_path / "book.tif", *[colours()] * 7)

    outcome = chroma("run", path, "--page", "all", *KEEP, *PLAIN)

    assert outcome.status == 0
    assert "pages 1, 2, 3, 4, 5 and 2 more: it is in colour already" in outcome.err
    assert (tmp_path / "book.color.tif").read_bytes() == path.read_bytes()


def test_a_book_in_colour_that_shall_be_deeper_is_written_anew(chroma, tmp_path):
    path = book(tmp_path / "book.tif", colours(), colours())

    outcome = chroma("run", path, "--page", "all", *KEEP, "--depth", "16", *PLAIN)

    assert outcome.status == 0
    for page in open_pages(tmp_path / "book.color.tif"):
        np.testing.assert_array_equal(page.pixels, colours().astype(np.uint16) * 257)


def test_a_book_in_colour_is_skipped_and_a_mixed_one_is_not(chroma, tmp_path):
    skip = ("--already-colour", "skip", "--page", "all", "--json")
    whole = book(tmp_path / "whole.tif", colours(), colours())
    mixed = book(tmp_path / "mixed.tif", colours(), ramp())

    left, made = (chroma("run", path, *skip, *PLAIN).json[0] for path in (whole, mixed))

    assert (left["status"], left["output"], left["sha256"]) == ("skipped", None, None)
    assert left["warnings"] == ["pages 1, 2: it is in colour already, and has no result"]
    assert made["status"] == "ok"
    assert not (tmp_path / "whole.color.tif").exists()
    assert len(open_pages(tmp_path / "mixed.color.tif")) == 2


def test_a_book_goes_through_a_pipe(chroma, three, tmp_path, monkeypatch):
    class Stream:
        buffer = io.BytesIO(three[0].read_bytes())

    monkeypatch.setattr("sys.stdin", Stream)

    assert chroma("run", "-", "-o", tmp_path / "out.tif", "--page", "all", *PLAIN).status == 0

    assert len(open_pages(tmp_path / "out.tif")) == 3


def test_from_a_result_the_same_pages_come_again(chroma, three, tmp_path):
    path, _ = three
    first, again = tmp_path / "first.tif", tmp_path / "again.tif"
    chroma("run", path, "-o", first, "--page", "all", "--sidecar", *PLAIN)
    other = book(tmp_path / "other.tif", ramp(), ramp())

    assert chroma("run", "--from", first, path, "-o", again).status == 0
    assert again.read_bytes() == first.read_bytes()

    outcome = chroma("run", "--from", first, other, "-o", tmp_path / "third.tif")
    assert "made from another picture" in outcome.err

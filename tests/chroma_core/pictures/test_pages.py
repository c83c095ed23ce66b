"""Pages of a TIFF: found, counted, read one by one, and written one by one."""

from __future__ import annotations

import io
import os
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from chroma_core.errors import InputError, PictureError
from chroma_core.pictures import tiff_write
from chroma_core.pictures.ifd import Value, build_exif, in_order, parse_exif
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.pages import open_pages
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.reading import Reading
from chroma_core.pictures.tiff_pages import count_pages
from chroma_core.pictures.worker import DecodingWorker
from chroma_core.pictures.write import write_pages

GRAY = np.arange(35, dtype=np.uint8).reshape(5, 7)


def book(*pages, subfiletypes=None, **options) -> bytes:
    """Return a TIFF of pages, by tifffile."""
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, **options) as writer:
        for page, kind in zip(pages, subfiletypes or [0] * len(pages), strict=True):
            photometric = "rgb" if page.ndim == 3 else "minisblack"
            writer.write(page, photometric=photometric, subfiletype=kind, metadata=None)
    return stream.getvalue()


def links(data: bytes) -> list[int]:
    """Return where the offsets of directories stand in a classic TIFF of this machine's order."""
    found, at = [4], struct.unpack_from("<I", data, 4)[0]
    while at:
        (count,) = struct.unpack_from("<H", data, at)
        found.append(at + 2 + 12 * count)
        (at,) = struct.unpack_from("<I", data, found[-1])
    return found


LAYOUTS = [{}, {"byteorder": ">"}, {"bigtiff": True}, {"bigtiff": True, "byteorder": ">"}]


@pytest.mark.parametrize("options", LAYOUTS, ids=str)
def test_previews_and_masks_do_not_count(options):
    kinds = [1, 0, 4, 2]
    data = book(GRAY, GRAY + 1, GRAY > 9, GRAY + 3, subfiletypes=kinds, **options)

    pages = open_pages(data)

    assert len(pages) == 2
    assert [int(page.pixels[0, 0]) for page in pages] == [1, 3]
    assert int(read_picture(data, page=2).pixels[0, 0]) == 3
    assert [page.warnings for page in pages] == [(), ()]


def test_where_all_are_previews_the_first_is_the_page():
    data = book(GRAY, GRAY + 1, subfiletypes=[1, 1])

    (page,) = open_pages(data)

    np.testing.assert_array_equal(page.pixels, GRAY)


def test_the_tag_of_old_writers_counts_too():
    """OldSubfileType (255) of 2 is a preview (TIFF 6.0); tifffile writes 254 there."""
    data = bytearray(book(GRAY, GRAY + 1, subfiletypes=[1, 0]))
    (at,) = struct.unpack_from("<I", data, 4)
    struct.pack_into("<HHII", data, at + 2, 255, 3, 1, 2)

    (page,) = open_pages(bytes(data))

    np.testing.assert_array_equal(page.pixels, GRAY + 1)


def test_a_list_that_loops_ends():
    data = bytearray(book(GRAY, GRAY + 1))
    struct.pack_into("<I", data, links(data)[-1], struct.unpack_from("<I", data, 4)[0])

    assert len(open_pages(bytes(data))) == 2


@pytest.mark.parametrize(
    ("target", "kind", "words"),
    [
        (3, "corrupt", "page 3: its directory is said to lie at byte 3"),
        (1 << 30, "truncated", "page 3: cut short: .* lies at byte 1,073,741,824"),
        (-3, "truncated", "page 3: cut short: its directory ends outside"),
    ],
)
def test_a_list_that_leads_out_of_the_file_is_refused(target, kind, words):
    data = bytearray(book(GRAY, GRAY + 1))
    place = target if target > 0 else len(data) + target
    struct.pack_into("<I", data, links(data)[-1], place)

    with pytest.raises(PictureError, match=words) as caught:
        open_pages(bytes(data))

    assert caught.value.kind == kind
    # What comes before can be read.
    assert int(read_picture(bytes(data), page=2).pixels[0, 0]) == 1


@pytest.mark.parametrize(("pages", "words"), [(1, "it has 1 page"), (3, "it has 3 pages")])
def test_a_page_that_is_not_there_is_refused(pages, words):
    with pytest.raises(PictureError, match=f"there is no page 7, {words}") as caught:
        read_picture(book(*[GRAY] * pages), page=7)

    assert caught.value.kind == "unsupported"


def test_a_format_without_pages_has_only_the_first():
    data = b"P5 7 5 255\n" + GRAY.tobytes()

    np.testing.assert_array_equal(read_picture(data, page=1).pixels, GRAY)
    with pytest.raises(PictureError, match="no page 2 in a PNM, which has one picture"):
        read_picture(data, page=2)


def test_more_directories_than_allowed_are_refused():
    data = book(*[GRAY] * 5)

    with pytest.raises(PictureError, match="more than 4 pages") as caught:
        count_pages(data, Limits(max_pages=4))

    assert caught.value.kind == "too-large"
    assert count_pages(data, Limits(max_pages=5)) == 5


def test_a_damaged_page_is_named_with_its_file(tmp_path):
    data = bytearray(book(GRAY, GRAY))
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        tag = opened.pages[1].tags["PhotometricInterpretation"]
        struct.pack_into("<H", data, tag.valueoffset, 77)
    path = tmp_path / "a.tif"
    path.write_bytes(data)

    with pytest.raises(PictureError, match=r"a\.tif: page 2: its photometric") as caught:
        list(open_pages(path))

    assert caught.value.kind == "corrupt"


def test_other_formats_have_one_page(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(GRAY).save(path, "PNG")

    (page,) = pages = open_pages(path)

    assert (len(pages), pages.format, page.source) == (1, "png", str(path))
    assert page.warnings == ("its name says jpeg, its content is png",)
    with pytest.raises(PictureError, match=r"nothing\.tif"):
        open_pages(tmp_path / "nothing.tif")


def test_a_page_in_a_process_of_its_own_is_the_same_and_the_file_is_sent_once(monkeypatch):
    data = book(GRAY, GRAY + 1, GRAY + 2)
    sent = []
    send = DecodingWorker._send
    monkeypatch.setattr(
        DecodingWorker,
        "_send",
        lambda self, line, body: (sent.append(len(body)), send(self, line, body)),
    )

    for one, other in zip(open_pages(data, guarded=True), open_pages(data), strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)

    if os.name == "posix":
        assert sent == [len(data), 0, 0]


def test_a_worker_that_died_gets_the_file_again():
    data = book(GRAY, GRAY + 1)
    worker = DecodingWorker()
    other = DecodingWorker()
    try:
        for number, hand in ((1, worker), (2, worker), (1, other)):
            page = hand.decode(data, Limits(), reading=Reading(page=number))
            assert int(page.pixels[0, 0]) == number - 1
    finally:
        worker.close()
        other.close()


def picture(pixels=GRAY, order=None, **carried):
    """Return a picture, with EXIF of a byte order."""
    exif = b""
    if order:
        first = {270: Value(2, 2, b"a\0"), 33432: Value(2, 6, b"mine!\0")}
        inner = {
            0x9003: Value(2, 20, b"1999:01:02 03:04:05\0"),
            0x829A: Value(5, 1, struct.pack(order + "II", 1, 250)),
            0x8827: Value(3, 2, struct.pack(order + "HH", 100, 200)),
            0x9286: Value(7, 4, b"\1\2\3\4"),
        }
        gps = {0: Value(1, 4, b"\2\3\0\0"), 2: Value(5, 3, struct.pack(order + "6I", *range(1, 7)))}
        exif = build_exif(order, first, inner, gps)
    return Picture(pixels=pixels, depth=8 * pixels.dtype.itemsize, exif=exif, **carried)


def exif_of(page: Picture):
    """Return the directories of a page's EXIF in one byte order."""
    order, *directories = parse_exif(page.exif)
    return [in_order(tags, order, "<") for tags in directories]


@pytest.mark.parametrize("orders", [("<", ">"), (">", "<"), (">", None, "<"), (None, ">")], ids=str)
def test_pages_keep_what_they_carry_whatever_their_byte_order(tmp_path, orders):
    rgb = np.dstack([GRAY, GRAY + 1, GRAY + 2])
    shapes = [GRAY, rgb.astype(np.uint16) * 257, rgb[:3, :4]]
    pages = [
        picture(
            shapes[index],
            order,
            dpi=(72.0 * (index + 1), 300.0),
            xmp=b"<x:xmpmeta/>",
            iptc=b"\x1c\x02\x05\0\1x",
        )
        for index, order in enumerate(orders)
    ]
    path = tmp_path / "a.tif"

    count = write_pages(((page, None) for page in pages), path)

    assert count == len(pages)
    for page, read in zip(pages, open_pages(path), strict=True):
        np.testing.assert_array_equal(read.pixels, page.pixels)
        assert (read.depth, read.xmp, read.iptc) == (page.depth, page.xmp, page.iptc)
        assert read.dpi == pytest.approx(page.dpi)
        if page.exif:
            wanted, got = exif_of(page), exif_of(read)
            assert got[1:] == wanted[1:]
            assert {tag: got[0][tag] for tag in (270, 33432)} == {
                tag: wanted[0][tag] for tag in (270, 33432)
            }
    with tifffile.TiffFile(path) as opened:
        assert [page.shape[:2] for page in opened.pages] == [p.pixels.shape[:2] for p in pages]


def test_pages_may_have_opacity_another_depth_and_a_note(tmp_path):
    clear = Picture(pixels=GRAY, alpha=GRAY + 5)
    path = tmp_path / "a.tif"

    write_pages([(clear, "{}"), (picture(), None)], path, depth=16)

    first, second = open_pages(path)
    np.testing.assert_array_equal(first.alpha, (GRAY + 5).astype(np.uint16) * 257)
    assert (first.depth, second.depth) == (16, 16)
    assert b"urn:chroma" in first.xmp
    assert second.xmp == b""


def test_one_page_is_what_a_picture_is(tmp_path):
    """The bytes lie in another order, the file says the same."""
    path = tmp_path / "a.tif"

    write_pages([(picture(order=">", dpi=(300.0, 300.0)), None)], path)

    (page,) = open_pages(path)
    assert len(read_picture(path).warnings) == 0
    assert exif_of(page)[0][33432].data == b"mine!\0"


def test_nothing_is_left_where_a_page_fails(tmp_path):
    def pages():
        yield picture(), None
        raise PictureError("page 2: damaged")

    with pytest.raises(PictureError, match="page 2"):
        write_pages(pages(), tmp_path / "a.tif")
    with pytest.raises(InputError, match="no pages"):
        write_pages([], tmp_path / "a.tif")

    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_left_alone(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"mine")

    with pytest.raises(PictureError, match="there already"):
        write_pages([(picture(), None)], path)
    assert path.read_bytes() == b"mine"

    write_pages([(picture(), None)], path, overwrite="always")
    assert len(open_pages(path)) == 1


def test_more_than_a_tiff_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_write, "_LARGEST", (1 << 26) + 600)
    noise = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)

    with pytest.raises(PictureError, match="4 GiB") as caught:
        write_pages([(picture(noise), None)] * 5, tmp_path / "a.tif")

    assert "--page 1" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_no_more_than_one_page_is_held(tmp_path):
    """The pages are asked for when the one before is written."""
    sizes = []
    path = tmp_path / "a.tif"

    def pages():
        for number in range(4):
            (part,) = tmp_path.iterdir()
            sizes.append(part.stat().st_size)
            yield picture(GRAY + number), None

    write_pages(pages(), path)

    assert sizes == sorted(set(sizes))
    assert sizes[0] == 0

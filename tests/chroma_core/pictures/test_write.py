"""What the writer puts into files, read back by other libraries and by our reader."""

from __future__ import annotations

import io
from dataclasses import replace

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from chroma_core.errors import InputError, PictureError
from chroma_core.pictures.names import FORMATS
from chroma_core.pictures.picture import Picture, to_depth
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_lab_tiff, write_npy, write_picture

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))


@st.composite
def pictures(draw, depths=(8, 16)):
    """Return a gray or RGB picture, with alpha or without."""
    depth = draw(st.sampled_from(depths))
    dtype = np.uint8 if depth == 8 else np.uint16
    height, width = draw(shapes)
    shape = draw(st.sampled_from([(height, width), (height, width, 3)]))
    alpha = draw(st.none() | hnp.arrays(dtype, (height, width)))
    return Picture(pixels=draw(hnp.arrays(dtype, shape)), alpha=alpha, depth=depth)


@given(picture=pictures(), format=st.sampled_from(["png", "tiff"]))
def test_law_png_and_tiff_keep_every_bit(picture, format, tmp_path_factory):
    path = tmp_path_factory.mktemp("exact") / f"picture{FORMATS[format][0]}"

    again = read_picture(write_picture(picture, path))

    np.testing.assert_array_equal(again.pixels, picture.pixels)
    assert again.depth == picture.depth
    assert (again.alpha is None) == (picture.alpha is None)
    if picture.alpha is not None:
        np.testing.assert_array_equal(again.alpha, picture.alpha)


@given(codes=hnp.arrays(np.uint8, shapes))
def test_law_sixteen_bits_and_back_are_the_same_eight(codes):
    np.testing.assert_array_equal(to_depth(to_depth(codes, 16), 8), codes)


@given(codes=hnp.arrays(np.uint16, shapes))
def test_law_eight_bits_of_sixteen_are_the_nearest(codes):
    assert np.abs(to_depth(codes, 8) * 257.0 - codes).max() <= 128


def test_sixteen_bit_colour_is_read_alike_by_other_libraries(tmp_path, make_ramp):
    import imagecodecs

    pixels = make_ramp(65535, np.uint16, 3)
    alpha = make_ramp(65535, np.uint16)
    picture = Picture(pixels=pixels, alpha=alpha, depth=16)
    whole = np.dstack([pixels, alpha])

    png = write_picture(picture, tmp_path / "a.png").read_bytes()
    tiff = write_picture(picture, tmp_path / "a.tif")

    np.testing.assert_array_equal(imagecodecs.png_decode(png), whole)
    with tifffile.TiffFile(tiff) as opened:
        page = opened.pages[0]
        np.testing.assert_array_equal(page.asarray(), whole)
        assert (page.photometric, page.extrasamples) == (2, (2,))


@pytest.fixture
def carried(make_ramp) -> Picture:
    """Return a picture that carries everything there is to carry."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 1
    exif.get_ifd(0x8769)[0x9003] = "1931:05:04 03:02:01"
    exif.get_ifd(0x8825)[1] = "N"
    xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r"><é/></rdf:RDF></x:xmpmeta>'
    return Picture(
        pixels=make_ramp(255, np.uint8, 3),
        exif=exif.tobytes()[6:],
        xmp=xmp.encode(),
        iptc=b"\x1c\x02\x05\x00\x03abc",
        dpi=(300.0, 150.0),
        format="jpeg",
    )


CARRIES = {
    "png": {"exif", "xmp", "dpi"},
    "jpeg": {"exif", "xmp", "iptc", "dpi"},
    "tiff": {"exif", "xmp", "iptc", "dpi"},
    "webp": {"exif", "xmp"},
    "avif": {"exif", "xmp"},
    "bmp": {"dpi"},
    "ppm": set(),
}


@pytest.mark.parametrize("format", FORMATS)
def test_formats_carry_what_they_can(format, tmp_path, carried):
    path = write_picture(carried, tmp_path / f"a{FORMATS[format][0]}")

    again = read_picture(path)

    assert ("xmp" in CARRIES[format]) == (again.xmp == carried.xmp)
    assert ("iptc" in CARRIES[format]) == (again.iptc == carried.iptc)
    if "dpi" in CARRIES[format]:
        # Stored as whole pixels a metre in PNG and BMP.
        np.testing.assert_allclose(again.dpi, carried.dpi, rtol=1e-4)
    with Image.open(path) as image:
        seen = image.getexif()
        assert ("exif" in CARRIES[format]) == (seen.get(0x010F) == "Maker")
        if "exif" in CARRIES[format]:
            assert seen.get_ifd(0x8769)[0x9003] == "1931:05:04 03:02:01"
            assert seen.get_ifd(0x8825)[1] == "N"
            assert seen.get(0x0112, 1) == 1


@pytest.mark.parametrize("format", ["png", "jpeg", "tiff", "webp", "avif"])
def test_results_say_that_they_are_srgb(format, tmp_path, make_ramp):
    pixels = make_ramp(255, np.uint8, 3)
    path = write_picture(pixels, tmp_path / f"a{FORMATS[format][0]}")

    with Image.open(path) as image:
        if format == "png":
            assert image.info["srgb"] == 1
            return
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    through = ImageCms.applyTransform(Image.fromarray(pixels), transform)
    np.testing.assert_allclose(np.asarray(through).astype(int), pixels.astype(int), atol=1)


def test_writing_the_same_twice_gives_the_same_bytes(tmp_path, carried):
    for format, suffixes in FORMATS.items():
        first = write_picture(carried, tmp_path / f"a{suffixes[0]}", note="n").read_bytes()
        second = write_picture(carried, tmp_path / f"b{suffixes[0]}", note="n").read_bytes()

        assert first == second, format


def test_jpeg_has_the_tables_of_its_input_and_no_subsampling(tmp_path, make_file, make_ramp):
    gray = read_picture(make_file(make_ramp(255, np.uint8), "JPEG", quality=71))
    rgb = make_ramp(255, np.uint8, 3)

    path = write_picture(rgb, tmp_path / "a.jpg", like=gray)

    with Image.open(path) as image:
        assert image.quantization[0] == list(gray.jpeg_tables[0])
        assert image.layer[0][1:3] == image.layer[1][1:3] == (1, 1)
    finer = write_picture(rgb, tmp_path / "b.jpg", like=gray, quality=98)
    assert finer.stat().st_size > path.stat().st_size


def test_a_result_has_depth_and_alpha_of_its_input(tmp_path, make_ramp):
    alpha = make_ramp(65535, np.uint16)
    gray = Picture(pixels=make_ramp(65535, np.uint16), alpha=alpha, depth=16)
    colored = make_ramp(1, np.float32, 3)

    again = read_picture(write_picture(colored, tmp_path / "a.png", like=gray))

    assert again.depth == 16
    np.testing.assert_array_equal(again.alpha, alpha)
    np.testing.assert_array_equal(again.pixels, np.rint(colored * 65535))


def test_transparency_is_refused_where_it_cannot_be_held(tmp_path, make_ramp):
    pixels, alpha = make_ramp(255, np.uint8, 3), make_ramp(255, np.uint8)
    for name in ("a.jpg", "a.ppm", "a.bmp"):
        with pytest.raises(PictureError, match="transparency"):
            write_picture(Picture(pixels=pixels, alpha=alpha), tmp_path / name)
        opaque = np.full_like(alpha, 255)
        write_picture(Picture(pixels=pixels, alpha=opaque), tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.bmp", "a.jpg", "a.ppm"]


def test_more_bits_than_a_format_holds_are_refused_where_asked_for(tmp_path, make_ramp):
    deep = Picture(pixels=make_ramp(65535, np.uint16, 3), depth=16, format="avif")
    for name, depth in (("a.jpg", 16), ("a.avif", None)):
        with pytest.raises(PictureError, match="8 bits"):
            write_picture(deep, tmp_path / name, depth=depth)
    assert read_picture(write_picture(deep, tmp_path / "a.jpg")).depth == 8


def test_what_cannot_be_written_leaves_no_file(tmp_path, make_ramp):
    pixels = make_ramp(255, np.uint8, 3)
    with pytest.raises(PictureError, match="cannot be written as"):
        write_picture(pixels, tmp_path / "a.xyz")
    with pytest.raises(PictureError, match="16,383"):
        write_picture(np.zeros((1, 20_000, 3), np.uint8), tmp_path / "a.webp")
    with pytest.raises(InputError, match="NaN"):
        write_picture(np.full((3, 3, 3), np.nan), tmp_path / "a.png")
    with pytest.raises(InputError, match="shape"):
        write_picture(np.zeros((3, 3, 4), np.uint8), tmp_path / "a.png")
    with pytest.raises(InputError, match="shape"):
        write_picture(pixels, tmp_path / "a.png", like=Picture(pixels=pixels[:5]))

    assert list(tmp_path.iterdir()) == []


def test_the_note_stands_in_the_xmp_once(tmp_path, carried):
    first = write_picture(carried, tmp_path / "a.png", note='{"chroma": "1 < 2 & 3"}')
    again = write_picture(read_picture(first), tmp_path / "b.png", note="second")
    bare = replace(carried, xmp=b"")

    xmp = read_picture(again).xmp

    from defusedxml.ElementTree import fromstring

    fromstring(read_picture(first).xmp.replace(b"tiff:", b""))
    assert b"1 &lt; 2 &amp; 3" in read_picture(first).xmp
    assert b"<\xc3\xa9/>" in xmp
    assert xmp.count(b"chroma:madeBy=") == 1
    assert b'chroma:madeBy="second"' in xmp
    made = read_picture(write_picture(bare, tmp_path / "c.png", note="n")).xmp
    fromstring(made)
    assert b"algorithmicallyEnhanced" in made


def test_eight_bit_lab_is_opened_by_pillow_as_lab(tmp_path):
    lab = np.empty((4, 5, 3), np.float32)
    lab[:] = (53.58, 10, -20)

    path = write_lab_tiff(lab, tmp_path / "lab.tif", white_point=(0.3457, 0.3585))

    with Image.open(path) as image:
        assert image.mode == "LAB"
        # Pillow's getpixel adds 128 to a* and b*; L* is 53.58 * 2.55 = 136.6.
        assert image.getpixel((0, 0)) == (137, 138, 108)
        assert image.tag_v2[318] == pytest.approx((0.3457, 0.3585), abs=1e-6)


@pytest.mark.parametrize(("depth", "step"), [(8, (100 / 255, 1)), (16, (100 / 65535, 1 / 256))])
def test_lab_codes_are_those_of_the_standard(depth, step, tmp_path):
    lab = np.stack(
        [np.linspace(0, 100, 60), np.linspace(-120, 120, 60), np.linspace(90, -128, 60)], -1
    )[np.newaxis]

    codes = tifffile.imread(write_lab_tiff(lab, tmp_path / "lab.tif", depth=depth))

    signed = np.int8 if depth == 8 else np.int16
    np.testing.assert_allclose(codes[..., 0] * step[0], lab[..., 0], atol=step[0] / 2 + 1e-9)
    chroma = codes[..., 1:].view(signed) * step[1]
    np.testing.assert_allclose(chroma, lab[..., 1:], atol=step[1] / 2 + 1e-9)


def test_arrays_are_written_as_they_are(tmp_path):
    array = np.arange(24.0).reshape(2, 3, 4).T

    path = write_npy(tmp_path / "a.npy", array)

    np.testing.assert_array_equal(np.load(path), array)
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        write_npy(tmp_path / "b.npy", np.array([object()]))
    assert [p.name for p in tmp_path.iterdir()] == ["a.npy"]

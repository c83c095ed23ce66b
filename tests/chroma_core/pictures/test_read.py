"""What the reader makes of good files: depth, sense, alpha, orientation, profile, pages."""

from __future__ import annotations

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.names import FORMATS, output_format
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

TRUE_FORMAT = {"ppm": "pnm"}


def test_every_format_is_known_by_its_content(good_files):
    for name, data in good_files.items():
        picture = read_picture(data)

        family = name.split("-")[0]
        assert picture.format == TRUE_FORMAT.get(family, family)
        assert picture.pixels.shape[:2] == (24, 32)
        assert picture.depth == (16 if "16" in name else 8)
        assert picture.pixels.dtype == (np.uint16 if "16" in name else np.uint8)
        assert (picture.alpha is not None) == ("rgba" in name or name == "webp-lossless")


def test_a_name_is_only_a_hint(tmp_path, good_files):
    path = tmp_path / "photo.jpg"
    path.write_bytes(good_files["png-rgb16"])

    picture = read_picture(path)

    assert (picture.format, picture.depth, picture.source) == ("png", 16, str(path))
    assert picture.warnings == ("its name says jpeg, its content is png",)


def test_streams_and_bytes_are_read_alike(good_files):
    data = good_files["png-rgba8"]

    for source in (io.BytesIO(data), bytearray(data), memoryview(data)):
        np.testing.assert_array_equal(read_picture(source).pixels, read_picture(data).pixels)


@pytest.mark.parametrize("bits", [8, 16])
def test_integers_are_read_exactly(bits, make_ramp, make_tiff):
    dtype = np.uint8 if bits == 8 else np.uint16
    for channels in (1, 2, 3, 4):
        pixels = make_ramp((1 << bits) - 1, dtype, channels)
        photometric = "rgb" if channels > 2 else "minisblack"
        extra = ["unassalpha"] if channels in (2, 4) else None
        files = [
            imagecodecs.png_encode(pixels),
            make_tiff(pixels, photometric=photometric, extrasamples=extra),
            make_tiff(pixels, photometric=photometric, extrasamples=extra, byteorder=">"),
            make_tiff(pixels, photometric=photometric, extrasamples=extra, bigtiff=True),
        ]
        color = pixels if channels in (1, 3) else pixels[..., :-1]
        for data in files:
            picture = read_picture(data)

            np.testing.assert_array_equal(picture.pixels, color.squeeze())
            assert picture.pixels.dtype.isnative
            if channels in (2, 4):
                np.testing.assert_array_equal(picture.alpha, pixels[..., -1])


@pytest.mark.parametrize(("top", "dtype"), [(255, np.uint8), (65535, np.uint16)])
def test_white_is_zero_is_inverted(top, dtype, make_ramp, make_tiff):
    pixels = make_ramp(top, dtype)

    picture = read_picture(make_tiff(top - pixels, photometric="miniswhite"))

    np.testing.assert_array_equal(picture.pixels, pixels)


def test_bilevel_tiff_is_black_and_white(make_tiff):
    bits = np.indices((24, 32)).sum(0) % 3 == 0

    for photometric, white in (("minisblack", True), ("miniswhite", False)):
        picture = read_picture(make_tiff(bits, photometric=photometric))

        np.testing.assert_array_equal(picture.pixels, np.where(bits == white, 255, 0))


def test_planes_of_a_tiff_are_put_together(make_ramp, make_tiff):
    pixels = make_ramp(255, np.uint8, 3)
    planes = np.moveaxis(pixels, -1, 0)

    picture = read_picture(make_tiff(planes, photometric="rgb", planarconfig="separate"))

    np.testing.assert_array_equal(picture.pixels, pixels)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_sixteen_bits_unless_told(dtype, make_ramp, make_tiff):
    codes = make_ramp(1023, np.uint16)
    data = make_tiff((codes / 1023).astype(dtype), photometric="minisblack")

    picture, kept = read_picture(data), read_picture(data, keep_floats=True)

    # float16 has 11 bits: half a step of 2^-11 is 16 of 65535.
    atol = 17 if dtype == np.float16 else 1
    np.testing.assert_allclose(picture.pixels, codes / 1023 * 65535, atol=atol)
    assert (picture.pixels.dtype, picture.depth) == (np.uint16, 16)
    assert kept.pixels.dtype == np.float32


def test_thirty_two_bits_are_scaled_by_their_own_maximum(make_tiff):
    codes = np.linspace(0, 2**32 - 1, 24 * 32).astype(np.uint32).reshape(24, 32)

    picture = read_picture(make_tiff(codes, photometric="minisblack"))

    np.testing.assert_allclose(picture.pixels, codes / (2**32 - 1) * 65535, atol=0.51)


@pytest.mark.parametrize(
    ("values", "what"),
    [((0.5, np.nan), "NaN"), ((0.5, np.inf), "infinite"), ((0.0, 255.0), "255"), ((-1, 0), "-1")],
)
def test_floats_of_another_scale_are_refused(values, what, make_tiff):
    pixels = np.resize(np.array(values, np.float32), (24, 32))

    with pytest.raises(PictureError, match=what) as caught:
        read_picture(make_tiff(pixels, photometric="minisblack"))

    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize("top", [1, 31, 255, 1000, 65535])
def test_pnm_is_scaled_by_its_own_maximum(top):
    values = np.arange(24 * 32) % (top + 1)
    raw = values.astype(">u2" if top > 255 else np.uint8).tobytes()
    binary = b"P5 # a comment\n32 24 %d\n" % top + raw
    text = b"P2\n# a comment\n32 24\n%d\n" % top + b" ".join(b"%d" % v for v in values)

    for data in (binary, text):
        picture = read_picture(data)

        full = 65535 if top > 255 else 255
        np.testing.assert_allclose(picture.pixels.ravel(), values * full / top, atol=0.51)
        assert picture.depth == (16 if top > 255 else 8)


@pytest.mark.parametrize("bits", [10, 12])
def test_avif_of_more_than_eight_bits_keeps_them(bits, make_ramp):
    top = (1 << bits) - 1
    pixels = make_ramp(top, np.uint16, 3)
    data = imagecodecs.avif_encode(pixels, level=100, bitspersample=bits, pixelformat="444")

    picture = read_picture(data)

    assert (picture.depth, picture.pixels.dtype) == (16, np.uint16)
    # Lossless but for YCbCr, which rounds by one at most (measured); by way of 8 bits it were 2.
    np.testing.assert_allclose(picture.pixels / 65535 * top, pixels, atol=1.01)


def test_one_is_black_in_a_bitmap():
    assert read_picture(b"P1\n3 2\n101\n0 1 0").pixels.tolist() == [[0, 255, 0], [255, 0, 255]]
    assert read_picture(b"P4\n3 2\n\xa0\x40").pixels.tolist() == [[0, 255, 0], [255, 0, 255]]


def test_palette_gives_colours_not_indices():
    indices = np.arange(24 * 32, dtype=np.uint8).reshape(24, 32) % 4
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)]
    image = Image.fromarray(indices, "P")
    image.putpalette([part for color in colors for part in color])
    wanted = np.array(colors, np.uint8)[indices]
    for format in ("PNG", "TIFF", "BMP"):
        stream = io.BytesIO()
        image.save(stream, format)

        np.testing.assert_array_equal(read_picture(stream.getvalue()).pixels, wanted)


def test_inks_are_converted_in_the_right_sense(make_tiff):
    inks = np.zeros((24, 32, 4), np.uint8)
    inks[..., 3] = np.arange(32) * 8
    stream = io.BytesIO()
    Image.fromarray(inks, "CMYK").save(stream, "JPEG", quality=100)

    for data, atol in ((make_tiff(inks, photometric="separated"), 0), (stream.getvalue(), 2)):
        picture = read_picture(data)

        wanted = np.repeat(255 - inks[..., 3:].astype(int), 3, -1)
        np.testing.assert_allclose(picture.pixels.astype(int), wanted, atol=atol)


def test_associated_alpha_is_divided_out(make_tiff):
    straight = np.full((24, 32, 3), 200, np.uint8)
    alpha = np.linspace(40, 255, 32).astype(np.uint8) * np.ones((24, 1), np.uint8)
    multiplied = np.rint(straight * (alpha[..., None] / 255)).astype(np.uint8)
    data = make_tiff(np.dstack([multiplied, alpha]), photometric="rgb", extrasamples=["assocalpha"])

    picture = read_picture(data)

    np.testing.assert_array_equal(picture.alpha, alpha)
    # Half a step of the product, divided by at least 40 / 255, and half a step of the quotient.
    np.testing.assert_allclose(picture.pixels.astype(float), 200, atol=0.5 * 255 / 40 + 0.5)


def test_an_unspecified_extra_sample_is_no_alpha(make_ramp, make_tiff):
    pixels = make_ramp(255, np.uint8, 4)
    data = make_tiff(pixels, photometric="rgb", extrasamples=["unspecified"])

    picture = read_picture(data)

    assert picture.alpha is None
    np.testing.assert_array_equal(picture.pixels, pixels[..., :3])


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Return what a viewer shows, after the table of TIFF 6.0, tag 274, written out."""
    return {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: np.rot90(pixels, -1),
        7: pixels[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(pixels, 1),
    }[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_upright(orientation, make_ramp, make_file, make_tiff):
    pixels = make_ramp(255, np.uint8, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    tag = [(274, "H", 1, orientation, True)]
    files = {
        "png": make_file(pixels, "PNG", exif=exif),
        "webp": make_file(pixels, "WEBP", lossless=True, exif=exif.tobytes()),
        "tiff": make_tiff(pixels, photometric="rgb", extratags=tag),
    }
    for data in files.values():
        picture = read_picture(data)

        np.testing.assert_array_equal(picture.pixels, turned(pixels, orientation))
        if picture.exif:
            upright = Image.Exif()
            upright.load(b"Exif\0\0" + picture.exif)
            assert upright.get(0x0112, 1) == 1


@pytest.mark.parametrize("bad", [0, 9, 77])
def test_an_impossible_orientation_is_ignored_with_a_warning(bad, make_ramp, make_file):
    pixels = make_ramp(255, np.uint8)
    exif = Image.Exif()
    exif[0x0112] = bad

    picture = read_picture(make_file(pixels, "PNG", exif=exif))

    np.testing.assert_array_equal(picture.pixels, pixels)
    assert any("orientation" in warning for warning in picture.warnings)


def test_linear_gray_profile_is_applied_as_the_formula_says(make_file, make_ramp):
    profile = imagecodecs.cms_profile("gray", whitepoint=(0.3457, 0.3585, 1.0), gamma=1.0)
    gray8, gray16 = make_ramp(255, np.uint8), make_ramp(65535, np.uint16)
    as_png = make_file(gray8, "PNG", icc_profile=profile)
    stream = io.BytesIO()
    tifffile.imwrite(stream, gray16, photometric="minisblack", metadata=None, iccprofile=profile)

    for data, codes in ((as_png, gray8 / 255), (stream.getvalue(), gray16 / 65535)):
        picture = read_picture(data)

        # IEC 61966-2-1; LittleCMS in floats keeps it within 1e-4 (measured), and rounding.
        wanted = np.where(codes <= 0.0031308, codes * 12.92, 1.055 * codes ** (1 / 2.4) - 0.055)
        step = 1 / np.iinfo(picture.pixels.dtype).max
        got = picture.pixels * step
        np.testing.assert_allclose(got, wanted, atol=3e-4 + step / 2)
        assert picture.icc_note.startswith("sRGB from")


def test_profile_of_another_kind_is_ignored_with_a_warning(make_file, make_ramp):
    gray = make_ramp(255, np.uint8)
    for profile in (imagecodecs.cms_profile("srgb"), b"rubbish" * 40):
        picture = read_picture(make_file(gray, "PNG", icc_profile=profile))

        np.testing.assert_array_equal(picture.pixels, gray)
        assert any("profile" in warning for warning in picture.warnings)


def test_srgb_by_another_name_changes_nothing(make_ramp, make_tiff):
    pixels = make_ramp(65535, np.uint16, 3)
    data = make_tiff(pixels, photometric="rgb", iccprofile=imagecodecs.cms_profile("srgb"))

    np.testing.assert_array_equal(read_picture(data).pixels, pixels)


def test_the_first_page_that_is_no_preview_counts(make_ramp):
    stream = io.BytesIO()
    pages = [make_ramp(255, np.uint8)[:6, :8], make_ramp(255, np.uint8), make_ramp(9, np.uint8)]
    with tifffile.TiffWriter(stream) as writer:
        for index, page in enumerate(pages):
            writer.write(page, subfiletype=int(index == 0), metadata=None, photometric="minisblack")

    picture = read_picture(stream.getvalue())

    np.testing.assert_array_equal(picture.pixels, pages[1])
    assert any("page" in warning for warning in picture.warnings)


def test_the_first_frame_of_an_animation_counts(make_ramp):
    frames = [Image.fromarray(make_ramp(top, np.uint8)) for top in (255, 90)]
    for format, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})):
        stream = io.BytesIO()
        frames[0].save(stream, format, save_all=True, append_images=frames[1:], **options)

        picture = read_picture(stream.getvalue())

        shown = picture.pixels if picture.is_gray else picture.pixels[..., 0]
        np.testing.assert_array_equal(shown, np.asarray(frames[0]))
        assert any("animated" in warning for warning in picture.warnings)


def test_lab_tiff_is_read_by_its_own_white(tmp_path):
    from chroma_core.color.lab import lab_to_rgb
    from chroma_core.pictures.write import write_lab_tiff

    lab = np.array([[[53.0, 20.0, -30.0], [80.0, 0.0, 0.0]]], np.float32)
    for depth, atol in ((8, 2.5), (16, 2.5), ("float", 1.0)):
        path = write_lab_tiff(lab, tmp_path / f"{depth}.tif", depth=depth)

        # 8 bits: half a step of L* is 0.2, of a* and b* 0.5, up to 2 code values together.
        unit = read_picture(path, keep_floats=True).pixels.astype(float)
        unit /= (
            {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(
                read_picture(path).pixels.dtype, 1
            )
            if unit.max() > 1
            else 1
        )
        np.testing.assert_allclose(unit * 255, lab_to_rgb(lab) * 255, atol=atol)


def test_metadata_are_carried_as_bytes():
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    stream = io.BytesIO()
    Image.new("L", (9, 5)).save(stream, "JPEG", exif=exif, xmp=xmp, dpi=(300, 200), comment=b"hi")

    picture = read_picture(stream.getvalue())

    assert b"Maker" in picture.exif
    assert picture.xmp == xmp.replace(b'"6"', b'"1"')
    assert picture.dpi == (300, 200)


def test_tables_of_a_jpeg_are_those_that_pillow_reads(make_file, make_ramp):
    data = make_file(make_ramp(255, np.uint8, 3), "JPEG", quality=83)
    tables = Image.open(io.BytesIO(data)).quantization

    picture = read_picture(data)

    assert [list(table) for table in picture.jpeg_tables] == [list(tables[0]), list(tables[1])]


def test_jpeg_is_decoded_as_pillow_does(good_files):
    for name in ("jpeg-gray", "jpeg-rgb", "jpeg-progressive"):
        shown = np.asarray(Image.open(io.BytesIO(good_files[name]))).astype(int)

        picture = read_picture(good_files[name])

        # The same libjpeg-turbo, perhaps of another build: its IDCT may differ by one.
        np.testing.assert_allclose(picture.pixels.astype(int), shown, atol=1)


def test_what_lies_behind_the_picture_is_no_matter_and_is_not_handed_on(good_files, tmp_path):
    for name, data in good_files.items():
        if name in ("avif", "webp", "webp-lossless"):
            continue
        behind = read_picture(data + b"PK\x03\x04 trailing" * 9)

        np.testing.assert_array_equal(behind.pixels, read_picture(data).pixels)
        result = write_picture(
            behind, tmp_path / f"{name}{FORMATS[output_format(behind.format)][0]}"
        )
        assert b"trailing" not in result.read_bytes()


def test_metadata_too_large_are_left_out_with_a_warning(make_ramp):
    noise = np.random.default_rng(0).bytes(5000)
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x0e\0\x02" + struct.pack(">II", 5000, 26) + b"\0" * 4 + noise
    stream = io.BytesIO()
    Image.fromarray(make_ramp(255, np.uint8)).save(stream, "PNG", exif=exif)

    picture = read_picture(stream.getvalue(), limits=Limits(max_metadata=1000))

    assert picture.exif == b""
    assert any("larger" in warning for warning in picture.warnings)


def test_profile_that_inflates_without_end_costs_no_memory(good_files):
    import tracemalloc

    body = b"x\0\0" + zlib.compress(b"\0" * 200_000_000, 9)
    chunk = struct.pack(">I", len(body)) + b"iCCP" + body
    chunk += struct.pack(">I", zlib.crc32(b"iCCP" + body))
    data = good_files["png-gray8"]
    bomb = data[:33] + chunk + data[33:]
    read_picture(data)
    tracemalloc.start()

    picture = read_picture(bomb, limits=Limits(max_metadata=1 << 20))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert any("profile" in warning for warning in picture.warnings)

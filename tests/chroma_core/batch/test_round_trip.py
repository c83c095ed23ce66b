"""From file to file without colour: the luminance of the input, whatever its mode and its turn.

Files are written and read here by tifffile, so that neither our reader nor our writer is its own
judge.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.batch.color import Coloring
from chroma_core.batch.plan import Job

PLAIN = Coloring(features="none", regressor="none", refiner="none")

UPRIGHT = {
    1: lambda plane: plane,
    2: lambda plane: plane[:, ::-1],
    3: lambda plane: np.rot90(plane, 2),
    4: lambda plane: plane[::-1],
    5: lambda plane: plane.T,
    6: lambda plane: np.rot90(plane, -1),
    7: lambda plane: np.rot90(plane, 2).T,
    8: lambda plane: np.rot90(plane),
}
"""What each orientation asks for (TIFF 6.0, tag 274)."""

LAYOUTS = {
    "one strip": {},
    "strips": {"rowsperstrip": 3},
    "tiles": {"tile": (16, 16)},
    "deflate": {"compression": "zlib", "predictor": True},
    "LZW": {"compression": "lzw"},
    "BigTIFF": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
}

LINEAR = imagecodecs.cms_profile("gray", whitepoint=(0.3457, 0.3585, 1.0), gamma=1.0)


@st.composite
def scans(draw):
    """Draw pixels, opacity or None, and how they stand in a TIFF."""
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    top = int(np.iinfo(dtype).max)
    gray = rng.integers(0, top, (height, width), dtype, endpoint=True)
    alpha = rng.integers(0, top, (height, width), dtype, endpoint=True)
    mode = draw(st.sampled_from(["black is zero", "white is zero", "rgb", "rgb planes"]))
    see_through = draw(st.booleans()) and mode != "rgb planes"
    planes = [top - gray if mode == "white is zero" else gray] * (3 if "rgb" in mode else 1)
    samples = np.stack([*planes, *([alpha] if see_through else [])], -1)
    photometric = {"black is zero": "minisblack", "white is zero": "miniswhite"}.get(mode, "rgb")
    options = {
        "photometric": photometric,
        "extrasamples": ["unassalpha"] if see_through else None,
        "planarconfig": "separate" if mode == "rgb planes" else "contig",
        **LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))],
    }
    if mode == "rgb planes":
        samples = np.moveaxis(samples, -1, 0)
    elif samples.shape[-1] == 1:
        samples = samples[..., 0]
    return gray, alpha if see_through else None, samples, options


def colored(samples, options, orientation, folder, **changes):
    """Return the samples of the TIFF that comes of one, without colour, and its tags."""
    source, result = Path(folder) / "in.tif", Path(folder) / "out.tif"
    how = dict(options)
    file = {name: how.pop(name) for name in ("bigtiff", "byteorder") if name in how}
    with tifffile.TiffWriter(source, **file) as writer:
        turn = [(274, "H", 1, orientation, True)]
        writer.write(samples, metadata=None, extratags=turn, **how, **changes)
    PLAIN(Job(input=source, output=result))
    with tifffile.TiffFile(result) as made:
        page = made.pages[0]
        assert page.tags[274].value == 1
        return page.asarray()


@given(scans(), st.sampled_from(sorted(UPRIGHT)))
def test_law_without_colour_every_code_value_comes_back_in_its_place(scan, orientation):
    gray, alpha, samples, options = scan
    with tempfile.TemporaryDirectory() as folder:
        result = colored(samples, options, orientation, folder)

    turn = UPRIGHT[orientation]
    wanted = [turn(gray)] * 3 + ([] if alpha is None else [turn(alpha)])
    assert result.dtype == gray.dtype
    np.testing.assert_array_equal(result, np.stack(wanted, -1))


@given(st.integers(0, 1000), st.sampled_from([np.uint8, np.uint16]), st.sampled_from([1, 3, 6]))
def test_law_a_profile_is_applied_and_then_every_code_value_comes_back(seed, dtype, orientation):
    top = int(np.iinfo(dtype).max)
    gray = np.random.default_rng(seed).integers(0, top, (9, 7), dtype, endpoint=True)
    with tempfile.TemporaryDirectory() as folder:
        result = colored(
            gray, {"photometric": "minisblack"}, orientation, folder, iccprofile=LINEAR
        )

    linear = UPRIGHT[orientation](gray) / top
    # IEC 61966-2-1; LittleCMS in floats keeps it within 1e-4 (measured), and rounding.
    wanted = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(result[..., 1] / top, wanted, atol=3e-4 + 0.5 / top)
    assert (result == result[..., :1]).all()


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_all_of_sixteen_bits_come_back(tmp_path, photometric):
    codes = np.arange(65536, dtype=np.uint16).reshape(256, 256)

    result = colored(codes, {"photometric": photometric}, 1, tmp_path)

    wanted = codes if photometric == "minisblack" else 65535 - codes
    np.testing.assert_array_equal(result, np.repeat(wanted[..., np.newaxis], 3, -1))

"""Names of results."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import PictureError
from chroma_core.pictures.names import (
    comparable_name,
    format_of_suffix,
    is_earlier_result,
    output_format,
    output_path,
)

names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=90
).filter(lambda name: name not in (".", ".."))


@pytest.mark.parametrize(
    ("given_", "folder", "format", "wanted"),
    [
        ("photo.jpg", None, None, "photo.color.jpg"),
        ("in/photo.JPG", None, None, "in/photo.color.JPG"),
        ("in/photo.jpg", "out", None, "out/photo.jpg"),
        ("a.b.tiff", None, None, "a.b.color.tiff"),
        ("anim.gif", None, None, "anim.color.png"),
        ("scan.pgm", "out", None, "out/scan.ppm"),
        ("scan.jp2", "out", None, "out/scan.png"),
        ("scan", "out", None, "out/scan.png"),
        ("scan.001", "out", None, "out/scan.001.png"),
        ("2. May 1931", "out", "tiff", "out/2. May 1931.tif"),
        ("photo.jpg", "out", "tiff", "out/photo.tif"),
        ("photo.tiff", "out", "tiff", "out/photo.tiff"),
        (".hidden", "out", None, "out/.hidden.png"),
    ],
)
def test_names_of_results(given_, folder, format, wanted):
    assert output_path(given_, folder, format=format) == Path(wanted)


@given(names, st.sampled_from(["out", None]), st.sampled_from([None, "png", "jpeg"]))
def test_law_results_stay_in_their_folder_and_fit_the_file_system(name, folder, format):
    result = output_path(Path("in") / name, folder, format=format)

    assert result.parent == Path(folder or "in")
    assert len(os.fsencode(result.name)) <= 255
    assert format_of_suffix(result) is not None


def test_long_names_are_shortened_and_stay_apart():
    first, second = ("é" * 124 + end + ".png" for end in "ab")

    one, other = output_path(first), output_path(second)

    assert len(os.fsencode(one.name)) <= 255
    assert one != other
    assert one.name.endswith(".color.png")
    assert is_earlier_result(one)


def test_names_that_a_file_system_takes_for_one_are_equal():
    assert comparable_name("A.png") == comparable_name("a.PNG")
    assert comparable_name("Jos\u00e9") == comparable_name("Jose\u0301")
    assert comparable_name("a. .") == comparable_name("a")
    assert comparable_name("a") != comparable_name("b")


@given(names)
def test_law_every_result_beside_its_input_is_known_again(name):
    assert is_earlier_result(output_path(name))


def test_folders_between_do_not_lead_out():
    assert output_path("x/a.png", "out", below="y/z") == Path("out/y/z/a.png")
    for below in ("../x", "/x", "y/../../x"):
        with pytest.raises(PictureError, match="outside"):
            output_path("x/a.png", "out", below=below)


def test_formats_that_are_not_written_have_a_stand_in():
    assert [output_format(read) for read in ("jpeg", "gif", "pnm", "?")] == [
        "jpeg",
        "png",
        "ppm",
        "png",
    ]
    with pytest.raises(PictureError, match="heic"):
        output_path("a.png", format="heic")

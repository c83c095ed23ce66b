"""The parts follow from names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.errors import OptionError
from chroma_core.training.split import split_of


@pytest.mark.parametrize(
    ("name", "index", "part"),
    [
        ("bsds500/00010.webp", 3, "card"),
        ("bsds500/00011.webp", 0, "validation"),
        ("bsds500/00012.webp", 0, "train"),
        ("2007_000121.jpg", 5, "validation"),
        ("0012-640x480.jpg", 0, "train"),
        ("20/harbour.jpg", 10, "card"),
        ("harbour.jp2", 11, "validation"),
        ("harbour.jpg", 12, "train"),
    ],
)
def test_the_number_of_the_file_decides_and_without_one_its_place(name, index, part):
    assert split_of(name, index) == part


@given(st.integers(3, 50))
def test_law_each_small_part_is_one_picture_in_n(modulus):
    parts = [split_of(f"{n:06d}.jpg", 0, f"mod{modulus}") for n in range(modulus * 4)]

    assert parts.count("card") == parts.count("validation") == 4


@given(st.integers(0, 10**9), st.integers(0, 100), st.integers(0, 100))
def test_law_other_pictures_of_the_folder_do_not_move_a_numbered_one(number, here, there):
    assert split_of(f"a/{number}.jpg", here) == split_of(f"a/{number}.jpg", there)


@given(st.integers(0, 10**6))
def test_law_variants_of_one_number_stay_together(number):
    assert split_of(f"{number:05d}.jpg", 0) == split_of(f"{number:05d}-crop.png", 9)


@pytest.mark.parametrize("rule", ["mod2", "mod0", "mod", "10", "mod-3", "mod10 ", "random"])
def test_rules_that_leave_nothing_to_train_on_are_refused(rule):
    with pytest.raises(OptionError, match="split rule"):
        split_of("1.jpg", 0, rule)

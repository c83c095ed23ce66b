"""Limits: arguments before variables before defaults."""

from __future__ import annotations

import pytest

from chroma_core.errors import OptionError
from chroma_core.pictures.limits import VARIABLES, Limits, number_with_suffix


@pytest.mark.parametrize(
    ("text", "number"),
    [("400M", 4e8), ("2Gi", 2**31), ("1.5k", 1500), ("10_000", 1e4), ("178,956,970", 178956970)],
)
def test_numbers_may_have_suffixes(text, number):
    assert number_with_suffix(text) == number


@pytest.mark.parametrize("text", ["", "M", "12x", "nan", "inf", "1e999", "-", "kk", "5kk"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match=r"number|could not convert"):
        number_with_suffix(text)


@pytest.mark.parametrize(("name", "variable"), VARIABLES.items())
def test_every_limit_has_its_variable(name, variable):
    assert getattr(Limits.from_environment({variable: "12k"}), name) == 12000
    assert getattr(Limits.from_environment({variable: "12k"}, **{name: 7}), name) == 7
    assert Limits.from_environment({}) == Limits()
    for bad in ("many", "0", "-5", "nan"):
        with pytest.raises(OptionError, match=variable):
            Limits.from_environment({variable: bad})


def test_a_limit_is_positive():
    with pytest.raises(OptionError, match="max_side"):
        Limits(max_side=0)


def test_time_grows_with_the_picture():
    assert Limits().seconds(100_000_000) == 40.0

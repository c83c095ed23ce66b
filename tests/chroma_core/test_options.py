"""Options: checked when made, and the same after going to text and back."""

import dataclasses
import math
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chroma_core.errors import OptionError
from chroma_core.options import (
    NoOptions,
    Options,
    describe_options,
    option,
    options_from_text,
    options_to_text,
)
from chroma_core.plugins import installed_stages


@dataclass(frozen=True, kw_only=True)
class Every(Options):
    """One option of every type that is allowed."""

    flag: bool = option(False, "a switch")
    count: int = option(3, "a number of things", ge=0, le=10**9)
    gain: float = option(1.0, "a factor", unit="x", gt=-1e300)
    ceiling: float = option(math.inf, "the largest", ge=0)
    label: str = option("", "a text")
    table: Path = option(Path(), "a file")
    rule: Literal["first", "second"] = option("first", "a choice")
    observer: Literal[2, 10] = option(2, "degrees")
    sizes: tuple[int, ...] = option((4, 8), "whole numbers", unit="px", ge=1)
    sigmas: tuple[float, ...] = option((), "numbers", lt=1e6)
    names: tuple[str, ...] = option((), "words")
    threads: int = option(1, "threads", ge=1, run=True)


def values_of(described):
    """Return a strategy for the values that an option allows."""
    kind, bounds = described.type, described.bounds
    if typing.get_origin(kind) is Literal:
        return st.sampled_from(typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        words = st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1)
        if item is str:
            # The text form separates by commas, so no item holds one, is empty, or ends in blanks.
            return st.lists(words.filter(lambda text: text == text.strip()), max_size=4).map(tuple)
        one = dataclasses.replace(described, type=item)
        return st.lists(values_of(one), max_size=4).map(tuple)
    if kind is bool:
        return st.booleans()
    if kind is Path:
        return st.text(st.characters(codec="utf-8", exclude_characters="\0")).map(Path)
    if kind is str:
        return st.text()
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if kind is int:
        low = None if low is None else math.floor(low) + ("gt" in bounds)
        high = None if high is None else math.ceil(high) - ("lt" in bounds)
        return st.integers(low, high)
    return st.floats(
        low,
        high,
        exclude_min="gt" in bounds,
        exclude_max="lt" in bounds,
        allow_nan=False,
    )


def options_of(options_type):
    """Return a strategy for options that the fields allow, leaving out what else is refused."""

    def made(values):
        try:
            return options_type(**values)
        except OptionError:
            return None

    fields = {item.name: values_of(item) for item in describe_options(options_type)}
    return st.fixed_dictionaries(fields).map(made).filter(lambda options: options is not None)


@given(options_of(Every))
def test_law_text_and_back_is_the_identity(options):
    assert options_from_text(Every, options_to_text(options)) == options


@given(options_of(Every))
def test_law_text_is_text_of_one_form(options):
    text = options_to_text(options)

    assert list(text) == [item.name for item in describe_options(Every)]
    assert all(isinstance(value, str) for value in text.values())
    assert options_to_text(options_from_text(Every, text)) == text


@given(options_of(Every))
def test_law_options_of_the_run_are_left_out_when_asked(options):
    text = options_to_text(options, run=False)

    assert set(options_to_text(options)) - set(text) == {"threads"}
    assert options_from_text(Every, text) == dataclasses.replace(options, threads=1)


@pytest.mark.parametrize(
    "options_type",
    sorted({info.stage.Options for info in installed_stages()}, key=lambda kind: kind.__name__),
    ids=lambda kind: kind.__name__,
)
# Options that must fit each other (a path with a profile) throw most draws away.
@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_law_options_of_every_stage_come_back(options_type, data):
    options = data.draw(options_of(options_type))

    assert options_from_text(options_type, options_to_text(options)) == options


@pytest.mark.parametrize("info", installed_stages(), ids=lambda info: f"{info.role}-{info.name}")
def test_every_option_of_every_stage_is_described(info):
    for described in info.options:
        assert described.help
        assert described.allowed
        assert options_from_text(info.stage.Options, {described.name: described.default_text}) == (
            info.stage.Options()
        )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"flag": 1}, "flag is 1, wanted true or false"),
        ({"count": True}, "count is True, wanted a whole number at least 0 and at most 1e\\+09"),
        ({"count": 1.0}, "count is 1.0"),
        ({"count": -1}, "count is -1"),
        ({"gain": math.nan}, "gain is nan, wanted a number above -1e\\+300 \\(x\\)"),
        ({"gain": "1"}, "gain is '1'"),
        ({"label": None}, "label is None, wanted text"),
        ({"table": "x"}, "table is 'x', wanted a path"),
        ({"rule": "third"}, "rule is 'third', wanted one of first, second"),
        ({"observer": 3}, "wanted one of 2, 10"),
        ({"sizes": [4]}, "wanted a whole number, or several separated by commas at least 1"),
        ({"sizes": (4, 0)}, "sizes is \\(4, 0\\)"),
        ({"sigmas": (math.nan,)}, "sigmas is \\(nan,\\)"),
        ({"names": ("a", 1)}, "names is"),
    ],
)
def test_values_of_another_type_or_out_of_bounds_are_refused(values, said):
    with pytest.raises(OptionError, match=said) as caught:
        Every(**values)

    assert caught.value.exit_status == 2


def test_a_whole_number_will_do_for_a_number():
    assert Every(gain=2) == Every(gain=2.0)
    assert options_to_text(Every(gain=2.0))["gain"] == "2"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("flag", "TRUE", True),
        ("flag", "yes", True),
        ("flag", "off", False),
        ("flag", "0", False),
        ("gain", "1e-3", 0.001),
        ("ceiling", "inf", math.inf),
        ("sizes", "4, 8 ,16", (4, 8, 16)),
        ("sigmas", "", ()),
        ("observer", "10", 10),
        ("label", "a=b,c", "a=b,c"),
        ("table", "a/b.csv", Path("a/b.csv")),
    ],
)
def test_text_that_people_write_is_read(name, text, value):
    assert getattr(options_from_text(Every, {name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("flag", "maybe"),
        ("count", "3.5"),
        ("count", ""),
        ("count", "9" * 5000),
        ("gain", "large"),
        ("gain", "nan"),
        ("sizes", "4,,8"),
        ("sizes", "4;8"),
        ("rule", "First"),
        ("observer", "2.0"),
    ],
)
def test_text_that_cannot_be_read_is_refused_with_the_stage_named(name, text):
    with pytest.raises(OptionError, match=rf"^blur\.{name} is .*, wanted "):
        options_from_text(Every, {name: text}, owner="blur")


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(OptionError, match=r"unknown option blur\.sise .*did you mean blur\.sizes"):
        options_from_text(Every, {"sise": "4"}, owner="blur")
    with pytest.raises(OptionError, match=r"unknown option zzz \(options: flag, count"):
        options_from_text(Every, {"zzz": "4"})
    with pytest.raises(OptionError, match="options: none"):
        options_from_text(NoOptions, {"zzz": "4"})


def test_options_cannot_be_changed_and_are_given_by_name():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Every().count = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        Every(True)


def test_what_is_known_of_an_option():
    described = {item.name: item for item in describe_options(Every)}["sizes"]

    assert (described.help, described.unit, described.run) == ("whole numbers", "px", False)
    assert (dict(described.bounds), described.default_text) == ({"ge": 1}, "4,8")

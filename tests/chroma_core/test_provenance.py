"""The record of what made a picture: enough to make it again, and harmless whoever wrote it."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.api import build
from chroma_core.errors import ChromaError, InputError
from chroma_core.pictures.provenance import record_of, with_note
from chroma_core.provenance import arguments_of, parse_record, provenance_note, provenance_record

TEXTS = st.text(max_size=30)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "given",
    [
        {"features": "none", "regressor": "none"},
        {
            "features": "none",
            "regressor": "none",
            "refiner": "guided,intensity",
            "settings": ["guided.radius=3", "intensity.of=rec601", "lab.illuminant=D50"],
            "join": "bilinear",
            "work_size": 0,
            "vividness": 1.5,
        },
    ],
)
def test_a_record_builds_the_pipeline_that_it_describes(given):
    pipeline = build(**given)

    again = build(**arguments_of(json.loads(provenance_note(pipeline.describe()))))

    assert again.describe() == pipeline.describe()


def test_a_record_builds_the_pipeline_of_a_model(tiny_model):
    pipeline = build(model=tiny_model, settings=["patch.step=2"])
    arguments = arguments_of(provenance_record(pipeline.describe()))
    assert arguments["model"] == "tiny"

    again = build(**{**arguments, "model": tiny_model})

    assert again.describe() == pipeline.describe()


@given(record=st.dictionaries(TEXTS, JSON, max_size=4))
def test_law_a_record_comes_back_from_xmp(record):
    xmp = with_note(b"", json.dumps(record))

    assert record_of(xmp) == record


def test_a_record_comes_back_from_xmp_that_another_program_wrote():
    element = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:chroma="urn:chroma:provenance:1">'
        b"<chroma:madeBy>{&quot;chroma&quot;: &quot;1&quot;}</chroma:madeBy></x:xmpmeta>"
    )
    attribute = b'<a xmlns:chroma="urn:chroma:provenance:1" chroma:madeBy = "{&quot;a&quot;: 1}"/>'

    assert record_of(element) == {"chroma": "1"}
    assert record_of(attribute) == {"a": 1}
    assert record_of(b"chroma:madeBy='{}'") is None
    assert record_of(b"") is None


@given(
    change=st.dictionaries(
        st.sampled_from(
            [
                "features",
                "refiners",
                "regressor",
                "model",
                "colorspace",
                "join",
                "work_size",
                "vividness",
            ]
        ),
        JSON,
        min_size=1,
    )
)
def test_law_a_record_that_anybody_wrote_gives_arguments_or_one_line(change):
    record = {**provenance_record(build(features="none", regressor="none").describe()), **change}

    arguments, said = None, ""
    try:
        arguments = arguments_of(record)
    except ChromaError as error:
        said = str(error)

    assert "\n" not in said
    assert said or isinstance(arguments["features"], str)
    assert said or all(isinstance(text, str) for text in arguments["settings"])


def test_text_that_is_no_record_is_none():
    for text in (
        "[]",
        "{",
        "NaN",
        '{"a": NaN}',
        "[" * 100_000,
        '{"a": 1e999}',
        '{"a":' * 30 + "1" + "}" * 30,
        '"a"',
        b"\xff",
    ):
        assert parse_record(text) is None


def test_two_stages_of_a_name_with_other_options_cannot_be_told_apart():
    record = provenance_record(build(features="none", regressor="none").describe())
    twice = [{"name": "guided", "options": {"radius": text}} for text in ("1", "2")]

    with pytest.raises(InputError, match="twice"):
        arguments_of({**record, "refiners": twice})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"regressor": {"name": "ridge", "options": ["alpha"]}}, "options of ridge are none"),
        ({"regressor": {"name": "ridge", "options": {"alpha": 1}}}, "ridge.alpha is no text"),
        ({"regressor": {"name": "a", "options": {"b": "../c"}}}, "a.b names a place: '../c'"),
        ({"regressor": {"name": "a", "options": {"b": r"\\d\c"}}}, "a.b names a place"),
        ({"regressor": {"options": {}}}, "a stage has no name"),
        ({"features": {"stages": {"name": "patch"}}}, "features are no list"),
        ({"refiners": {}}, "features or refiners are missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_a_record_lacks_is_said(change, said):
    record = provenance_record(build(features="none", regressor="none").describe())

    with pytest.raises(InputError, match=re.escape(said)):
        arguments_of({**record, **change})

"""Comparing a result with its original: limits that are none, sizes that differ, notes kept."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.errors import OptionError
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.provenance import record_of, with_note, without_note
from chroma_core.pictures.verify import compare_pictures, verify_file

GRAY = np.full((4, 6), 100, np.uint8)


@pytest.mark.parametrize("name", ["max_delta", "mean_delta"])
@pytest.mark.parametrize("value", [-0.1, np.inf, np.nan])
def test_limits_that_are_none_are_refused_before_a_file_is_opened(name, value):
    with pytest.raises(OptionError, match=f"{name} is {value}, wanted at least 0"):
        verify_file("nowhere.png", "nowhere either.png", **{name: value})


def test_a_result_of_another_size_has_lost_its_alpha_too():
    before = Picture(pixels=GRAY, alpha=GRAY, format="png")
    after = Picture(pixels=GRAY[1:], alpha=GRAY[1:], format="png")

    found = compare_pictures(before, after)

    checks = {check.name: check for check in found.checks}
    assert not found.kept
    assert (found.max_delta, found.mean_delta) == (None, None)
    assert "lightness" not in checks
    assert (checks["size"].kept, checks["size"].story) == (False, "6 x 4 -> 6 x 3 pixels")
    assert (checks["alpha"].kept, checks["alpha"].story) == (False, "of another size")


PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r">'
    b"<rdf:Description %s/></rdf:RDF></x:xmpmeta>"
)


def test_a_note_says_what_kind_of_source_it_is_only_if_nobody_has_said_it():
    """The user's own word of it is not contradicted."""
    silent, said = PACKET % b"", PACKET % b'Iptc4xmpExt:DigitalSourceType="negativeFilm"'

    noted, kept = with_note(silent, "chroma"), with_note(said, "chroma")

    assert noted.count(b"DigitalSourceType") == 1
    assert b"algorithmicallyEnhanced" in noted
    assert kept.count(b"DigitalSourceType") == 1
    assert b"algorithmicallyEnhanced" not in kept
    assert (without_note(noted), without_note(kept)) == (silent, said)


@pytest.mark.parametrize(
    "xmp", [b"words", b"</rdf:RDF> before <rdf:RDF", "<rdf:RDF/>".encode("utf-16")]
)
def test_xmp_without_a_place_for_a_note_is_kept_as_it_is(xmp):
    assert with_note(xmp, "chroma") == xmp
    assert record_of(xmp) is None

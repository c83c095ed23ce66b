"""How a result was coloured is read from its record, which anybody may have written."""

from __future__ import annotations

import pytest

from chroma_core.api import build
from chroma_core.batch.color import coloring_from
from chroma_core.errors import InputError
from chroma_core.provenance import provenance_record


@pytest.mark.parametrize(
    "file",
    [
        {"depth": 12},
        {"format": "exe"},
        {"quality": 0},
        {"quality": "best"},
        {"quality": 101},
    ],
    ids=str,
)
def test_a_record_that_asks_for_no_file_that_there_is_is_refused(file):
    record = provenance_record(build(features="none", regressor="none").describe())

    with pytest.raises(InputError, match="its provenance asks for the file"):
        coloring_from({**record, "file": file})
    assert coloring_from({**record, "file": {"depth": 16}}).depth == 16

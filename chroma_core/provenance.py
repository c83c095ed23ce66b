"""What made a picture, as one text: written into it, and enough to make the same bytes again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chroma_core.version import VERSION

__all__ = ["provenance_note"]


def provenance_note(made_by: Mapping[str, Any]) -> str:
    """Return what made a picture as text for its metadata.

    Parameters
    ----------
    made_by : Mapping
        What `chroma_core.pipeline.Pipeline.describe` said.
    """
    return json.dumps({"chroma": VERSION, **made_by}, sort_keys=True)

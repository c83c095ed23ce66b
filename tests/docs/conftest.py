"""The documentation as text: its pages, and the blocks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    language: str
    text: str


class Documentation:
    """All Markdown that people read, at the root and under ``docs``."""

    root = ROOT

    def pages(self) -> list[Path]:
        return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

    def text(self, page: str | Path) -> str:
        return (ROOT / page).read_text(encoding="utf-8")

    def blocks(self, language: str, page: str | Path | None = None) -> Iterator[Block]:
        for path in self.pages() if page is None else [ROOT / page]:
            for _, found, text in FENCE.findall(self.text(path)):
                if found == language:
                    yield Block(path.relative_to(ROOT), language, text)


@pytest.fixture(scope="session")
def documentation() -> Documentation:
    return Documentation()

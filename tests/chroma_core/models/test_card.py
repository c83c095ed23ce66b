"""The card says what the record says, and nothing in it acts on a terminal or a page."""

import json

from chroma_core.models import write_card


def described(good, **record):
    description = json.loads((good / "model.json").read_text("utf-8"))
    description["training"] = record
    return write_card(description)


def test_what_was_saved_stands_in_the_card(good):
    card = (good / "README.md").read_text("utf-8")

    assert card.startswith("# good\n")
    assert "| features | lightness | 1 | sigmas=2,8,32 |" in card
    assert "| refiner | guided |  | radius=4" in card
    assert "- mean ΔE: 8.5" in card
    assert "    chroma train shards -o good" in card
    assert "## Licence\n\nCC0" in card


def test_every_fact_of_the_record_is_shown(good):
    facts = {
        "summary": "Made for landscapes.",
        "data": [{"set": "train", "pictures": 1021, "licence": "public domain"}],
        "options": {"epochs": "50"},
        "mean_chroma": [3.25, 8.5],
        "unheard_of": {"deep": {"deeper": "seen"}},
    }

    card = described(good, **facts)

    for shown in ("Made for landscapes.", "pictures 1021", "epochs: 50", "3.25, 8.5", "seen"):
        assert shown in card
    assert "unheard_of: deep deeper seen" in card


def test_markup_and_escapes_are_shown_as_text(good):
    hostile = "<script>alert(1)</script> [x](http://y) \x1b[2J | `z`\n# head"

    card = described(good, summary=hostile, commands=["rm\n-rf\x1b[2J"], notes={hostile: hostile})

    assert "<script" not in card.replace("\\<script", "")
    assert "[x](" not in card.replace("\\[x\\](", "")
    assert "\x1b" not in card
    assert "\n# head" not in card
    assert "    rm -rf [2J" in card

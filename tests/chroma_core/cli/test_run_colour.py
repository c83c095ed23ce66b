"""``chroma run`` on pictures that are in colour or toned already."""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.api import colorize
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

PLAIN = ("--features", "none", "--regressor", "none")


@pytest.fixture
def mixed(tmp_path, gray):
    """Return a folder of a gray, a colour and a sepia picture."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    rows, cols = np.mgrid[:90, :120]
    hue = np.stack([rows * 2 + 40, 255 - cols * 2, (rows + cols) % 256], axis=-1).astype(np.uint8)
    tone = np.stack([40 + gray * 0.8, 25 + gray * 0.8, 10 + gray * 0.7], axis=-1).astype(np.uint8)
    write_picture(gray, folder / "gray.png")
    write_picture(hue, folder / "hue.png")
    write_picture(tone, folder / "tone.png")
    return folder


def test_pictures_in_colour_are_coloured_anew_with_a_warning(chroma, mixed, tmp_path, tiny_model):
    outcome = chroma("run", mixed, "-o", tmp_path / "out", "--model", tiny_model, "--json")

    told = {line["input"].rpartition("/")[2]: line for line in outcome.json[:-1]}
    assert outcome.status == 0
    assert [told[name]["note"] for name in ("gray.png", "hue.png", "tone.png")] == [
        None,
        "already-colour",
        "tinted",
    ]
    assert "its own colours are replaced" in told["hue.png"]["warnings"][0]
    assert "the tint is replaced" in told["tone.png"]["warnings"][0]
    assert told["gray.png"]["warnings"] == []
    for name in ("hue.png", "tone.png"):
        pixels = read_picture(tmp_path / "out" / name).pixels
        np.testing.assert_array_equal(pixels, colorize(mixed / name, model=tiny_model))


@pytest.mark.parametrize("workers", [1, 2])
def test_pictures_in_colour_may_be_left_alone(chroma, mixed, tmp_path, workers):
    options = ("--already-colour", "skip", "--json", "--workers", workers)

    outcome = chroma("run", mixed, "-o", tmp_path / "out", *options, *PLAIN)

    told = {line["input"].rpartition("/")[2]: line for line in outcome.json[:-1]}
    assert outcome.status == 0
    assert (told["hue.png"]["status"], told["hue.png"]["output"]) == ("skipped", None)
    assert told["tone.png"]["status"] == "ok"
    written = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert written == {"gray.png", "tone.png"}


def test_pictures_that_keep_their_colours_keep_their_bytes(chroma, mixed, tmp_path):
    outcome = chroma("run", mixed, "-o", tmp_path / "out", "--already-colour", "keep", *PLAIN)

    assert outcome.status == 0
    assert (tmp_path / "out" / "hue.png").read_bytes() == (mixed / "hue.png").read_bytes()
    assert "keeps its own colours" in outcome.err
    # What was coloured says so in its XMP; what kept its colours does not.
    assert b"urn:chroma" in read_picture(tmp_path / "out" / "tone.png").xmp


def test_pictures_that_keep_their_colours_may_change_format(chroma, mixed, tmp_path):
    options = ("--already-colour", "keep", "--format", "tiff")

    outcome = chroma("run", mixed / "hue.png", "-o", f"{tmp_path}/out/", *options, *PLAIN)

    assert outcome.status == 0
    kept = read_picture(tmp_path / "out" / "hue.tif")
    np.testing.assert_array_equal(kept.pixels, read_picture(mixed / "hue.png").pixels)
    assert kept.xmp == b""


def test_a_picture_left_alone_has_no_line_on_stdout(chroma, mixed, tmp_path):
    outcome = chroma("run", mixed / "hue.png", "-o", tmp_path / "o.png", *PLAIN, "--already-colour")
    assert outcome.status == 2

    options = ("--already-colour", "skip", *PLAIN)
    outcome = chroma("run", mixed / "hue.png", "-o", tmp_path / "o.png", *options)

    assert (outcome.status, outcome.out) == (0, "")
    assert "it is in colour already, and has no result" in outcome.err
    assert not (tmp_path / "o.png").exists()


def test_metadata_that_a_result_cannot_hold_are_told(chroma, gray, tmp_path):
    picture = Picture(pixels=gray, iptc=b"\x1c\x02\x78\0\4text")
    scan = write_picture(picture, tmp_path / "scan.tif")

    kept = chroma("run", scan, "-o", tmp_path / "kept.tif", *PLAIN)
    lost = chroma("run", scan, "-o", tmp_path / "lost.png", *PLAIN)

    assert (kept.status, lost.status) == (0, 0)
    assert "warning" not in kept.err
    told = [line for line in lost.err.splitlines() if "warning" in line]
    assert told == [f"chroma: warning: {scan}: its IPTC is left out, png holds none of it"]

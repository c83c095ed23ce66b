"""``chroma run --sidecar``, ``chroma inspect``, and ``chroma run --from``: the same bytes again."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace

import pytest

from chroma_core.demo import demo_photographs
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.provenance import with_note
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_pages, write_picture
from chroma_core.version import VERSION

PLAIN = ("--features", "none", "--regressor", "none")
CHOSEN = (
    *("--refiner", "guided,intensity", "--set", "guided.radius=2", "--set", "intensity.of=rec601"),
    *("--join", "bilinear", "--vividness", "0.7", "--work-size", "48", "--set", "patch.step=2"),
)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("options", [(), CHOSEN], ids=["plain", "chosen"])
@pytest.mark.parametrize(
    ("ending", "file"),
    [
        ("png", ("--depth", "16")),
        ("jpg", ("--quality", "80")),
        ("tif", ()),
        ("webp", ("--quality", "100")),
    ],
)
def test_a_result_says_enough_to_be_made_again(
    chroma, photo, tiny_model, tmp_path, options, ending, file
):
    first, again = tmp_path / f"first.{ending}", tmp_path / f"again.{ending}"
    made = chroma("run", photo, "-o", first, "--model", tiny_model, *options, *file)
    assert made.status == 0, made.err

    outcome = chroma("run", "--from", first, photo, "-o", again, "--model", tiny_model)

    assert outcome.status == 0, outcome.err
    assert again.read_bytes() == first.read_bytes()


def test_a_shipped_model_is_found_by_the_result_alone(chroma, tmp_path):
    original = next(path for path in demo_photographs() if path.name.startswith("gray-"))
    first, again = tmp_path / "first.jpg", tmp_path / "again.jpg"
    chroma("run", original, "-o", first, "--model", "local-dense", "--regressor", "dense")

    outcome = chroma("run", "--from", first, original, "-o", again)

    assert outcome.status == 0, outcome.err
    assert again.read_bytes() == first.read_bytes()
    told = chroma("inspect", first, "--json").json[0]["made_by"]
    assert (told["model"], len(told["model_sha256"])) == ("local-dense", 64)


def test_a_format_without_metadata_is_made_again_from_its_sidecar(
    chroma, photo, tiny_model, tmp_path
):
    first, again = tmp_path / "first.bmp", tmp_path / "again.bmp"
    chroma("run", photo, "-o", first, "--model", tiny_model, "--vividness", "0.5", "--sidecar")

    for told in (first, tmp_path / "first.bmp.chroma.json"):
        again.unlink(missing_ok=True)
        outcome = chroma("run", "--from", told, photo, "-o", again, "--model", tiny_model)
        assert outcome.status == 0, outcome.err
        assert again.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sidecar_says_what_made_a_result_and_from_what(
    chroma, photo, tiny_model, tmp_path, workers
):
    shutil.copy(photo, photo.with_name("other.png"))
    options = ("--model", tiny_model, "--sidecar", "--workers", workers)
    outcome = chroma("run", photo.parent, "-o", tmp_path / "out", *options)
    assert outcome.status == 0, outcome.err

    told = json.loads((tmp_path / "out" / "photo.png.chroma.json").read_text())

    result = tmp_path / "out" / "photo.png"
    assert told["artificial_colour"] is True
    assert "artificial" in told["statement"]
    assert told["chroma"] == VERSION
    assert told["input"] == {
        "name": "photo.png",
        "bytes": photo.stat().st_size,
        "sha256": sha256(photo),
    }
    assert told["output"] == {
        "name": "photo.png",
        "bytes": result.stat().st_size,
        "sha256": sha256(result),
        "width": 120,
        "height": 90,
    }
    assert told["made_by"]["model"] == "tiny"
    assert [stage["name"] for stage in told["made_by"]["refiners"]] == ["intensity"]


def test_a_sidecar_that_is_there_is_not_written_over(chroma, photo, tmp_path, refused):
    (tmp_path / "o.png.chroma.json").write_text("mine")

    outcome = chroma("run", photo, "-o", tmp_path / "o.png", "--sidecar", *PLAIN)

    refused(outcome, 73, "o.png.chroma.json", "there already")
    assert not (tmp_path / "o.png").exists()
    assert (tmp_path / "o.png.chroma.json").read_text() == "mine"


def test_a_file_that_changed_since_is_told(chroma, photo, tmp_path, gray):
    out = tmp_path / "o.png"
    chroma("run", photo, "-o", out, "--sidecar", *PLAIN)
    assert chroma("inspect", out, "--json").json[0]["unchanged"] is True

    write_picture(gray, out, overwrite="always")

    told = chroma("inspect", out, "--json").json[0]
    assert (told["unchanged"], told["source"]) == (False, "sidecar")
    assert "changed since" in chroma("inspect", out).out


def test_another_original_is_a_warning(chroma, photo, gray, tmp_path):
    chroma("run", photo, "-o", tmp_path / "o.png", "--sidecar", *PLAIN)
    other = write_picture(gray[::-1], tmp_path / "other.png")
    sidecar = tmp_path / "o.png.chroma.json"

    outcome = chroma("run", "--from", sidecar, other, "-o", tmp_path / "p.png")

    assert outcome.status == 0
    assert "made from another picture" in outcome.err


def test_another_model_of_the_name_is_refused(chroma, photo, tiny_model, tmp_path, refused):
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_model, folder)
    card = json.loads((folder / "model.json").read_text())
    chroma("run", photo, "-o", tmp_path / "o.png", "--model", tiny_model)
    card["work_size"] = 96
    (folder / "model.json").write_text(json.dumps(card))

    outcome = chroma(
        "run", "--from", tmp_path / "o.png", photo, "-o", tmp_path / "p.png", "--model", folder
    )

    refused(outcome, 78, "made with model")


def test_a_picture_of_anybody_names_no_place_on_the_disk(chroma, photo, tiny_model, tmp_path):
    chroma("run", photo, "-o", tmp_path / "o.png", "--model", tiny_model)
    record = chroma("inspect", tmp_path / "o.png", "--json").json[0]["made_by"]
    record["model"] = str(tiny_model)
    hostile = tmp_path / "hostile.chroma.json"
    hostile.write_text(json.dumps({"sidecar": 1, "made_by": record}))

    outcome = chroma("run", "--from", hostile, photo, "-o", tmp_path / "p.png")

    assert outcome.status == 65
    assert "which is no name" in outcome.err


def test_stages_beside_from_are_wrong_use(chroma, photo, tmp_path, refused):
    chroma("run", photo, "-o", tmp_path / "o.png", *PLAIN)
    outcome = chroma(
        "run", "--from", tmp_path / "o.png", photo, "-o", tmp_path / "p.png", "--vividness", "2"
    )

    refused(outcome, 2, "--from", "--vividness")


def test_a_picture_that_says_nothing_is_told_so(chroma, photo, tmp_path, refused):
    told = chroma("inspect", photo, "--json").json[0]
    assert (told["artificial_colour"], told["made_by"], told["source"]) == (False, None, None)
    assert told["picture"]["format"] == "png"
    assert "nothing in it says" in chroma("inspect", photo).out

    outcome = chroma("run", "--from", photo, photo, "-o", tmp_path / "p.png")
    refused(outcome, 65, "nothing in it says how")


def test_what_a_file_says_is_printed_escaped(chroma, gray, tmp_path):
    note = json.dumps({"chroma": "\x1b[31mred\u202e", "features": "<script>", "join": "\ud800"})
    path = tmp_path / "hostile.png"
    write_picture(Picture(pixels=gray, xmp=with_note(b"", note)), path)

    outcome = chroma("inspect", path)

    assert outcome.status == 0
    assert "\x1b" not in outcome.out
    assert "\u202e" not in outcome.out
    assert "\\x1b[31mred" in outcome.out


@pytest.mark.parametrize("text", ["", "{}", "[" * 5000, '{"sidecar": 9, "made_by": {}}', "\0"])
def test_a_damaged_sidecar_is_one_line(chroma, tmp_path, text, refused):
    path = tmp_path / "x.png.chroma.json"
    path.write_text(text)

    refused(chroma("inspect", path), 65, "sidecar")


def test_each_page_of_a_book_says_what_made_it(chroma, gray, tmp_path, refused):
    path = tmp_path / "book.tif"
    notes = ['{"chroma": "1"}', '{"chroma": "2"}']
    write_pages([(Picture(pixels=gray), note) for note in notes], path)

    for number in (1, 2):
        told = chroma("inspect", path, "--page", number, "--json").json[0]
        assert told["made_by"] == {"chroma": str(number)}
        assert told["warnings"] == []
    unsaid = chroma("inspect", path)
    assert "chroma: 1" in unsaid.out
    assert unsaid.err == (
        f"chroma: warning: {path}: it has more than one page: only the first is used\n"
    )
    refused(chroma("inspect", path, "--page", "3"), 65, "no page 3")


def test_where_xmp_was_cut_off_exif_still_tells(chroma, photo, tiny_model, tmp_path):
    first, stripped, again = (tmp_path / f"{name}.png" for name in ("first", "stripped", "again"))
    chroma("run", photo, "-o", first, "--model", tiny_model)
    result = read_picture(first)
    write_picture(replace(result, xmp=b""), stripped)

    told = chroma("inspect", stripped, "--json").json[0]

    assert told["source"] == "exif"
    assert told["made_by"] == chroma("inspect", first, "--json").json[0]["made_by"]
    assert chroma("run", "--from", stripped, photo, "-o", again, "--model", tiny_model).status == 0
    assert again.read_bytes() == first.read_bytes()

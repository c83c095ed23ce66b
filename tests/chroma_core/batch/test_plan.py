"""What will be written is known, and refused where it would lose something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.batch.plan import find_pictures, plan
from chroma_core.errors import PictureError
from chroma_core.pictures.names import comparable_name


def make(folder: Path, *names: str) -> list[Path]:
    """Make files."""
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    return paths


def outputs(jobs) -> list[str]:
    """Return the names of all results."""
    return [job.output.name for job in jobs]


def test_a_folder_gives_its_pictures_in_order(tmp_path):
    make(tmp_path, "in/b.jpg", "in/a.png", "in/notes.txt", "in/.DS_Store", "in/deep/c.png")

    jobs = plan([tmp_path / "in"], tmp_path / "out")

    assert [job.output for job in jobs] == [tmp_path / "out" / n for n in ("a.png", "b.jpg")]
    assert not any(job.exists for job in jobs)


def test_folders_in_folders_keep_their_places(tmp_path):
    make(tmp_path, "in/a.png", "in/x/a.png", "in/x/y/a.png", "in/.hidden/a.png")

    jobs = plan([tmp_path / "in"], tmp_path / "out", recursive=True)

    places = [job.output.relative_to(tmp_path / "out").as_posix() for job in jobs]
    assert places == ["a.png", "x/a.png", "x/y/a.png"]


def test_results_of_earlier_runs_are_no_inputs(tmp_path):
    make(tmp_path, "a.jpg", "a.color.jpg", "out/a.jpg")

    assert outputs(plan([tmp_path])) == ["a.color.jpg"]
    jobs = plan([tmp_path], tmp_path / "out", recursive=True)
    assert [job.input for job in jobs] == [tmp_path / "a.jpg"]


def test_what_looks_like_a_picture_is_not_passed_over(tmp_path):
    make(tmp_path, "a.fits", "._b.jpg", "d.heic")
    os.mkfifo(tmp_path / "c.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")

    names = [path.name for path in find_pictures(tmp_path)]

    assert names == ["._b.jpg", "a.fits", "c.png", "d.heic", "loop.png"]
    assert len(plan([tmp_path], tmp_path / "out")) == 5


def test_what_is_a_picture_counts_whatever_its_name(tmp_path):
    """JPEG, PNG and PPM by their first bytes; text that begins like one is text."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    contents = {
        "IMG_0001": b"\xff\xd8\xff\xe0",
        "scan.001": b"\x89PNG\r\n\x1a\n",
        "scan.002": b"P5\n# a comment\n3 4\n255\n",
        "anim.old": b"GIF89a",
        "deep/page": b"II*\0",
        "P1.txt": b"P1 is the first picture of 12 or 13",
        "half": b"\xff\xd8",
        "notes.txt": b"words",
        "empty": b"",
        "sound.wav": b"RIFF....WAVE",
        ".hidden": b"\x89PNG\r\n\x1a\n",
        "a.png.chroma.json": b"{}",
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    os.mkfifo(folder / "pipe")
    (folder / "nowhere").symlink_to(folder / "gone")
    others = []

    jobs = plan([folder], tmp_path / "out", recursive=True, passed_over=others.append)

    assert {job.input.name: job.output.name for job in jobs} == {
        "IMG_0001": "IMG_0001.jpg",
        "anim.old": "anim.old.png",
        "page": "page.tif",
        "scan.001": "scan.001.png",
        "scan.002": "scan.002.ppm",
    }
    assert {path.name for path in others} == {
        *("P1.txt", "half", "notes.txt", "empty", "sound.wav", "pipe", "nowhere")
    }
    assert set(find_pictures(folder, recursive=True)) == {job.input for job in jobs}
    assert outputs(plan([folder], tmp_path / "out", format="webp"))[0] == "IMG_0001.webp"
    assert outputs(plan([folder / "IMG_0001"])) == ["IMG_0001.color.jpg"]


def test_links_in_circles_end(tmp_path):
    make(tmp_path, "in/a.png", "in/x/b.png")
    (tmp_path / "in/x/back").symlink_to(tmp_path / "in")

    assert len(list(find_pictures(tmp_path / "in", recursive=True, follow_links=True))) == 2
    assert len(list(find_pictures(tmp_path / "in", recursive=True))) == 2


def test_patterns_are_read_where_the_shell_did_not(tmp_path):
    make(tmp_path, "a.png", "b.png", "c.jpg", "[odd].png")

    assert outputs(plan([tmp_path / "?.png"], tmp_path / "out")) == ["a.png", "b.png"]
    assert outputs(plan([tmp_path / "[odd].png"], tmp_path / "out")) == ["[odd].png"]
    with pytest.raises(PictureError, match="pattern"):
        plan([tmp_path / "*.webp"])


def test_one_picture_may_have_a_file_for_output(tmp_path):
    (photo,) = make(tmp_path, "photo.jpg")
    (tmp_path / "out").mkdir()

    assert plan([photo], tmp_path / "new.png")[0].output == tmp_path / "new.png"
    assert plan([photo], tmp_path / "out")[0].output == tmp_path / "out" / "photo.jpg"
    assert plan([photo], f"{tmp_path}/other/")[0].output == tmp_path / "other" / "photo.jpg"
    assert plan([photo], format="png")[0].output == tmp_path / "photo.color.png"


def test_one_output_of_two_inputs_is_refused_and_both_are_named(tmp_path):
    make(tmp_path, "a.jpg", "a.png", "b.png")

    with pytest.raises(PictureError) as caught:
        plan([tmp_path], tmp_path / "out", format="png")

    assert (caught.value.kind, caught.value.exit_status) == ("collision", 73)
    assert "a.jpg" in str(caught.value)
    assert "a.png" in str(caught.value)
    kept = plan([tmp_path], tmp_path / "out", format="png", collisions="keep-extension")
    assert outputs(kept) == ["a.jpg.png", "a.png.png", "b.png"]


def test_the_same_picture_twice_is_one_job(tmp_path):
    (photo,) = make(tmp_path, "photo.png")

    assert len(plan([photo, photo, tmp_path], tmp_path / "out")) == 1


@pytest.mark.parametrize("how", ["same", "symlink", "hard link", "linked folder"])
def test_an_input_is_never_an_output(how, tmp_path):
    make(tmp_path, "in/a.png", "in/b.png")
    out = tmp_path / "out"
    if how == "same":
        out = tmp_path / "in"
    elif how == "linked folder":
        out.symlink_to(tmp_path / "in")
    else:
        out.mkdir()
        if how == "symlink":
            (out / "a.png").symlink_to(tmp_path / "in/b.png")
        else:
            os.link(tmp_path / "in/b.png", out / "a.png")

    for rule in ("never", "always"):
        with pytest.raises(PictureError) as caught:
            plan([tmp_path / "in"], out, overwrite=rule)
        assert (caught.value.kind, caught.value.exit_status) == ("is-input", 73)


def test_what_stays_and_what_is_made_anew(tmp_path):
    make(tmp_path, "in/new.png", "in/old.png", "in/fresh.png", "out/new.png", "out/old.png")
    os.utime(tmp_path / "in/new.png", (9e8, 9e8))
    os.utime(tmp_path / "out/new.png", (1e8, 1e8))
    os.utime(tmp_path / "in/old.png", (1e8, 1e8))
    os.utime(tmp_path / "out/old.png", (9e8, 9e8))

    for rule, stay in {"never": {"new", "old"}, "older": {"old"}, "always": set()}.items():
        jobs = plan([tmp_path / "in"], tmp_path / "out", overwrite=rule)

        assert {job.input.stem for job in jobs if job.exists} == stay


def test_a_single_picture_whose_output_is_there_says_so(tmp_path):
    photo, _ = make(tmp_path, "photo.png", "photo.color.png")

    assert plan([photo])[0].exists
    assert not plan([photo], overwrite="always")[0].exists


def test_nothing_to_do_is_said(tmp_path):
    (tmp_path / "empty.jpg").mkdir()

    with pytest.raises(PictureError, match="no pictures") as caught:
        plan([tmp_path / "empty.jpg"], tmp_path / "out")

    assert caught.value.exit_status == 66


names = st.text(st.sampled_from("aAbB.é\u0301 "), min_size=1, max_size=4).filter(str.strip)


@given(st.lists(names, min_size=1, max_size=6), st.sampled_from(["refuse", "keep-extension"]))
def test_law_no_two_inputs_have_one_output(stems, collisions):
    inputs = [Path("in") / f"{stem}{end}" for stem in stems for end in (".jpg", ".tif")]
    try:
        jobs = plan(inputs, "out/", format="png", collisions=collisions)
    except PictureError as error:
        refused = error.kind
    else:
        refused = ""
        outputs = {comparable_name(job.output.name) for job in jobs}
        assert len(outputs) == len(jobs) == len(set(inputs))
    assert refused in ("", "collision", "is-input")

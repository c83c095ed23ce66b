"""``chroma run``: one picture, folders, pipes, the demo; what is refused, what is left alone."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from chroma_core.api import colorize
from chroma_core.demo import demo_photographs
from chroma_core.pictures.parts import PART_SUFFIX
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

PLAIN = ("--features", "none", "--regressor", "none")
KEYS = {
    "input",
    "output",
    "status",
    "class",
    "exit",
    "message",
    "hint",
    "warnings",
    "seconds",
    "note",
    "size",
    "sha256",
}


def names(folder):
    """Return what lies in a folder, the journal left out."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.fixture
def scans(tmp_path, gray):
    """Return a folder of three pictures."""
    folder = tmp_path / "scans"
    (folder / "deeper").mkdir(parents=True)
    write_picture(gray, folder / "a.png")
    write_picture(gray[::-1], folder / "b.jpg")
    write_picture(gray[:, ::-1], folder / "deeper" / "c.tif")
    return folder


# One picture.


def test_a_picture_is_coloured_as_the_library_does(chroma, photo, tiny_model, tmp_path):
    outcome = chroma("run", photo, "-o", tmp_path / "out.png", "--model", tiny_model)

    assert outcome.status == 0
    assert outcome.out == f"{tmp_path / 'out.png'}\n"
    assert outcome.err == "chroma: model tiny: patch,position > ridge > intensity\n"
    pixels = read_picture(tmp_path / "out.png").pixels
    np.testing.assert_array_equal(pixels, colorize(photo, model=tiny_model))


def test_without_an_output_the_result_lies_beside_the_picture(chroma, photo, tiny_model):
    before = photo.read_bytes()

    outcome = chroma("run", photo, "--model", tiny_model)

    assert outcome.status == 0
    assert names(photo.parent) == ["photo.color.png", "photo.png"]
    assert photo.read_bytes() == before


def test_the_suffix_of_results_may_be_chosen_and_marks_them(chroma, scans, tmp_path):
    command = ("run", scans, "--suffix", ".tinted", *PLAIN)
    assert chroma(*command).status == 0
    assert {"a.png", "a.tinted.png", "b.tinted.jpg"} <= set(names(scans))
    before = names(scans)

    again = chroma(*command)

    assert again.status == 0
    assert names(scans) == before


def test_options_reach_the_stages(chroma, photo, tiny_model, tmp_path):
    options = ["--refiner", "guided,intensity", "--set", "guided.radius=2", "--join", "bilinear"]
    options += ["--set", "patch.step=2", "--vividness", "0.5", "--work-size", "full"]

    outcome = chroma("run", photo, "-o", tmp_path / "o.png", "--model", tiny_model, *options)

    wanted = colorize(
        photo,
        model=tiny_model,
        refiner="guided,intensity",
        settings=["guided.radius=2", "patch.step=2"],
        join="bilinear",
        vividness=0.5,
        work_size=0,
    )
    assert outcome.status == 0
    np.testing.assert_array_equal(read_picture(tmp_path / "o.png").pixels, wanted)


@pytest.mark.parametrize(
    ("options", "name", "dtype"),
    [
        (["--format", "tiff"], "photo.tif", np.uint8),
        (["--depth", "16"], "photo.png", np.uint16),
        (["--format", "jpeg", "--quality", "50"], "photo.jpg", np.uint8),
    ],
    ids=["format", "depth", "quality"],
)
def test_format_and_depth_may_be_chosen(chroma, photo, tmp_path, options, name, dtype):
    outcome = chroma("run", photo, "-o", tmp_path / "out/", *options, *PLAIN)

    assert outcome.status == 0
    assert read_picture(tmp_path / "out" / name).pixels.dtype == dtype


def test_quiet_prints_nothing(chroma, photo, tmp_path):
    outcome = chroma("run", photo, "-o", tmp_path / "out.png", "--quiet", *PLAIN)

    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    assert (tmp_path / "out.png").exists()


def test_programs_get_one_json_object_a_picture_and_a_summary(chroma, scans, tmp_path):
    (scans / "bad.png").write_bytes(b"")
    (scans / "notes.txt").write_text("two pictures of our house")

    outcome = chroma("run", scans, "-o", tmp_path / "out", "--json", *PLAIN)

    *pictures, last = outcome.json
    assert outcome.status == 1
    assert outcome.out.isascii()
    assert [set(picture) for picture in pictures] == [KEYS] * 3
    by_name = {picture["input"].rpartition("/")[2]: picture for picture in pictures}
    good, bad = by_name["a.png"], by_name["bad.png"]
    assert (good["status"], good["class"], good["exit"]) == ("ok", None, 0)
    assert good["output"] == str(tmp_path / "out" / "a.png")
    assert (bad["status"], bad["class"], bad["exit"], bad["output"]) == (
        "failed",
        "empty",
        65,
        None,
    )
    assert bad["message"]
    assert last == {"summary": {"pictures": 3, "ok": 2, "failed": 1, "left": 0, "others": 1}}


def test_a_dry_run_says_what_would_be_done_and_does_nothing(chroma, scans, tmp_path):
    out = tmp_path / "out"

    outcome = chroma("run", scans, "-o", out, "--dry-run", *PLAIN)

    assert outcome.status == 0
    assert outcome.out.splitlines() == [
        f"{scans / 'a.png'} -> {out / 'a.png'}",
        f"{scans / 'b.jpg'} -> {out / 'b.jpg'}",
    ]
    assert not out.exists()


# Folders.


def test_a_folder_is_coloured_into_another_with_names_kept(chroma, scans, tmp_path):
    outcome = chroma("run", scans, "-o", tmp_path / "out", *PLAIN)

    assert outcome.status == 0
    assert names(tmp_path / "out") == ["a.png", "b.jpg"]
    assert names(scans) == ["a.png", "b.jpg", "deeper"]


def test_other_files_are_counted_and_not_failed(chroma, scans, tmp_path):
    shutil.copy(scans / "a.png", scans / "scan.001")
    (scans / "notes.txt").write_text("two pictures of our house")
    (scans / "a.wav").write_bytes(b"RIFF....WAVEfmt ")

    outcome = chroma("run", scans, "-o", tmp_path / "out", *PLAIN)

    assert outcome.status == 0, outcome.err
    assert names(tmp_path / "out") == ["a.png", "b.jpg", "scan.001.png"]
    assert "chroma: 2 other files are no pictures\n" in outcome.err
    (scans / "a.wav").unlink()
    again = chroma("run", scans, "-o", tmp_path / "out", *PLAIN)
    assert "chroma: 1 other file is no picture\n" in again.err
    assert "other" not in chroma("run", scans, "-o", tmp_path / "out", "--quiet", *PLAIN).err


def test_folders_of_folders_keep_their_shape(chroma, scans, tmp_path):
    outcome = chroma("run", scans, "-o", tmp_path / "out", "--recursive", *PLAIN)

    assert outcome.status == 0
    assert names(tmp_path / "out") == ["a.png", "b.jpg", "deeper"]
    assert names(tmp_path / "out" / "deeper") == ["c.tif"]


@pytest.mark.parametrize("where", ["beside", "a folder below"])
def test_earlier_results_are_never_taken_as_pictures(chroma, scans, where):
    output = [] if where == "beside" else ["-o", scans / "out"]
    chroma("run", scans, "--recursive", *output, *PLAIN)
    before = sorted(path for path in scans.rglob("*.*") if not path.name.startswith("."))

    again = chroma("run", scans, "--recursive", *output, *PLAIN)

    after = sorted(path for path in scans.rglob("*.*") if not path.name.startswith("."))
    assert again.status == 0
    assert after == before
    assert again.out.count("is there already") == 3


def test_a_bad_picture_costs_one_picture(chroma, scans, tmp_path):
    (scans / "bad.jpg").write_bytes((scans / "b.jpg").read_bytes()[:300])

    outcome = chroma("run", scans, "-o", tmp_path / "out", *PLAIN)

    errors = [line for line in outcome.err.splitlines() if "error" in line]
    assert outcome.status == 1
    assert len(errors) == 1
    assert f"{scans / 'bad.jpg'}: " in errors[0]
    assert names(tmp_path / "out") == ["a.png", "b.jpg"]


def test_a_folder_of_bad_pictures_that_fail_alike_ends_with_their_status(chroma, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.jpg"):
        (tmp_path / "in" / name).write_bytes(b"")

    outcome = chroma("run", tmp_path / "in", "-o", tmp_path / "out", *PLAIN)

    assert outcome.status == 65
    assert outcome.err.count("chroma: error: ") == outcome.err.count("\n") == 2


def test_a_second_run_does_only_what_is_missing(chroma, scans, tmp_path):
    chroma("run", scans, "-o", tmp_path / "out", *PLAIN)
    (tmp_path / "out" / "a.png").unlink()
    times = (tmp_path / "out" / "b.jpg").stat().st_mtime_ns

    again = chroma("run", scans, "-o", tmp_path / "out", *PLAIN)

    assert again.status == 0
    assert names(tmp_path / "out") == ["a.png", "b.jpg"]
    assert (tmp_path / "out" / "b.jpg").stat().st_mtime_ns == times


def test_a_picture_that_its_folder_s_journal_knows_is_done_already(
    chroma, refused, scans, tmp_path
):
    """Asked for alone, a result that is there is refused unless this very run would make it."""
    out = tmp_path / "out"
    single = ("run", scans / "a.png", "-o", out, *PLAIN)
    chroma("run", scans, "-o", out, *PLAIN)
    before = (out / "a.png").read_bytes()

    again = chroma(*single)

    assert (again.status, again.out) == (0, f"{out / 'a.png'} (is there already, left as it is)\n")
    refused(chroma(*single, "--vividness", "0.5"), 73, "there already")
    (out / "a.png").write_bytes(before + b"!")
    refused(chroma(*single), 73, "there already")
    (out / "a.png").write_bytes(before)
    assert chroma(*single).status == 0
    os.utime(scans / "a.png", (1, 1))
    refused(chroma(*single), 73, "there already")
    (out / ".chroma-journal.jsonl").unlink()
    refused(chroma(*single), 73, "there already")
    assert (out / "a.png").read_bytes() == before


def test_folders_that_are_links_are_entered_only_when_told(chroma, scans, gray, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    write_picture(gray, tmp_path / "elsewhere" / "c.png")
    (scans / "linked").symlink_to(tmp_path / "elsewhere")
    (scans / "back").symlink_to(scans)
    command = ("run", scans, "-r", "--dry-run")

    plain = chroma(*command, "-o", tmp_path / "out").out
    told = chroma(*command, "--follow-links", "-o", tmp_path / "out").out

    assert "linked" not in plain
    assert f"{scans / 'linked' / 'c.png'} -> {tmp_path / 'out' / 'linked' / 'c.png'}" in told
    assert len(told.splitlines()) == len(plain.splitlines()) + 1


def test_the_number_of_processes_may_stand_in_a_variable(chroma, refused, photo, monkeypatch):
    from chroma_core.batch import run

    asked = []

    def none(jobs, work, *, workers, timeout):
        asked.append(workers)
        return iter(())

    monkeypatch.setattr(run, "run_batch", none)
    monkeypatch.setenv("CHROMA_WORKERS", "3")
    chroma("run", photo, *PLAIN)
    chroma("run", photo, "--workers", "2", *PLAIN)
    monkeypatch.setenv("CHROMA_WORKERS", "many")

    assert asked == [3, 2]
    refused(chroma("run", photo, *PLAIN), 2, "CHROMA_WORKERS", "many")


def test_overwrite_makes_them_anew(chroma, scans, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"old")

    outcome = chroma("run", scans, "-o", tmp_path / "out", "--overwrite", "always", *PLAIN)

    assert outcome.status == 0
    assert read_picture(tmp_path / "out" / "a.png").pixels.shape == (90, 120, 3)


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_results_do_not_depend_on_the_run_on_workers_or_on_company(
    chroma, scans, tiny_model, tmp_path, workers
):
    model = ("--model", tiny_model)
    for again in ("one", "two"):
        outcome = chroma(
            *("run", scans, "-o", tmp_path / again, "--recursive", "--workers", workers, *model)
        )
        assert outcome.status == 0, outcome.err
    pictures = [path for path in scans.rglob("*") if path.suffix in (".png", ".jpg")]
    for path in pictures:
        assert chroma("run", path, "-o", tmp_path / "alone" / path.name, *model).status == 0

    one, two, alone = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.[pj]*g")}
        for name in ("one", "two", "alone")
    )
    assert one == two == alone
    assert set(one) == {path.name for path in pictures} == {"a.png", "b.jpg"}


# What is refused.


def truncated(ending):
    def make(path, gray):
        whole = write_picture(gray, path.with_name(f"whole{ending}"))
        path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        whole.unlink()

    return make


BAD_PICTURES = {
    "missing": ("gone.png", lambda path, gray: None, 66, "no such file"),
    "a folder without pictures": ("empty", lambda path, gray: path.mkdir(), 66, "no pictures"),
    "empty": ("empty.png", lambda path, gray: path.write_bytes(b""), 65, "empty"),
    "truncated JPEG": ("cut.jpg", truncated(".jpg"), 65, "cut.jpg"),
    "truncated PNG": ("cut.png", truncated(".png"), 65, "cut.png"),
    "truncated TIFF": ("cut.tif", truncated(".tif"), 65, "cut.tif"),
    "text named .jpg": (
        "text.jpg",
        lambda path, gray: path.write_text("Dear Sir,\n" * 50),
        65,
        "not a picture",
    ),
    "a page named .png": (
        "page.png",
        lambda path, gray: path.write_text("<!DOCTYPE html><html></html>"),
        65,
        "not a picture",
    ),
    "a pipe": ("pipe.png", lambda path, gray: os.mkfifo(path), 66, "pipe.png"),
}


@pytest.mark.parametrize("bad", BAD_PICTURES)
def test_a_picture_that_cannot_be_read_is_one_line(chroma, refused, tmp_path, gray, bad):
    name, make, status, words = BAD_PICTURES[bad]
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / name
    make(path, gray)
    output = tmp_path / ("out" if bad.startswith("a folder") else "out.png")

    outcome = chroma("run", path, "-o", output, *PLAIN)

    refused(outcome, status, words, str(path))
    assert not output.exists()
    assert names(tmp_path) == ["in"]


def test_a_pattern_that_fits_nothing_is_refused(chroma, refused, tmp_path):
    refused(chroma("run", tmp_path / "*.png", *PLAIN), 66, "no picture fits")


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--features", "pach", "--regressor", "none"], 2, ["pach", "did you mean patch?"]),
        (["--features", "none", "--regressor", "rige"], 2, ["rige", "did you mean ridge?"]),
        ([*PLAIN, "--refiner", "guidd"], 2, ["guidd", "did you mean guided?"]),
        ([*PLAIN, "--colorspace", "xyz"], 2, ["xyz", "lab"]),
        ([*PLAIN, "--set", "none.stp=3"], 2, ["unknown option none.stp", "none.step"]),
        ([*PLAIN, "--set", "none.step=x"], 2, ["none.step is 'x'", "a whole number"]),
        ([*PLAIN, "--set", "none.step=0"], 2, ["none.step is 0", "at least 1"]),
        ([*PLAIN, "--set", "step=4"], 2, ["'step=4'", "STAGE.OPTION=VALUE"]),
        ([*PLAIN, "--set", "none.step"], 2, ["'none.step'", "STAGE.OPTION=VALUE"]),
        ([*PLAIN, "--set", "sift.step=4"], 2, ["sift", "not in use"]),
        (["--model", "no-such-model"], 69, ["no-such-model"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_name_or_option_is_one_line(
    chroma, refused, photo, tmp_path, options, status, words
):
    outcome = chroma("run", photo, "-o", tmp_path / "out.png", *options)

    refused(outcome, status, *words)
    assert names(tmp_path) == ["in"]


def test_a_wrong_option_costs_a_folder_one_line(chroma, refused, scans, tmp_path):
    outcome = chroma("run", scans, "-o", tmp_path / "out", *PLAIN, "--refiner", "guidd")

    refused(outcome, 2, "guidd")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--features", "patch"], ["patch,position", "not patch"]),
        (["--set", "patch.size=9"], ["patch.size is 9", "made with 3"]),
        (["--regressor", "dense"], ["dense", "ridge/1"]),
    ],
    ids=["features", "option", "regressor"],
)
def test_what_contradicts_the_model_is_one_line(
    chroma, refused, photo, tiny_model, tmp_path, options, words
):
    outcome = chroma("run", photo, "-o", tmp_path / "o.png", "--model", tiny_model, *options)

    refused(outcome, 78, *words)
    assert names(tmp_path) == ["in"]


def test_a_damaged_model_is_one_line(chroma, refused, photo, tiny_model, tmp_path):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / "a.safetensors").write_bytes(b"")

    refused(chroma("run", photo, "-o", tmp_path / "o.png", "--model", model), 78, str(model))
    assert not (tmp_path / "o.png").exists()


@pytest.mark.parametrize(
    ("library", "options", "extra"),
    [
        ("cv2", ["--features", "sift", "--regressor", "none"], "opencv"),
        ("cv2", [*PLAIN, "--refiner", "guided-opencv"], "opencv"),
        ("cv2", [*PLAIN, "--colorspace", "lab-opencv"], "opencv"),
    ],
    ids=["features", "refiner", "colorspace"],
)
def test_a_missing_extra_is_named(
    chroma, refused, photo, tmp_path, monkeypatch, library, options, extra
):
    monkeypatch.setitem(sys.modules, library, None)

    outcome = chroma("run", photo, "-o", tmp_path / "out.png", *options)

    refused(outcome, 69, library, f"chroma-colorize[{extra}]")
    assert names(tmp_path) == ["in"]


def test_an_output_that_is_there_is_left_alone(chroma, refused, photo, tmp_path):
    (tmp_path / "out.png").write_bytes(b"mine")

    refused(chroma("run", photo, "-o", tmp_path / "out.png", *PLAIN), 73, "is there already")

    assert (tmp_path / "out.png").read_bytes() == b"mine"


@pytest.mark.parametrize("by", ["name", "hard link", "symbolic link"])
def test_an_output_that_is_the_input_is_refused(chroma, refused, photo, tmp_path, by):
    before = photo.read_bytes()
    output = photo if by == "name" else tmp_path / "link.png"
    if by == "hard link":
        os.link(photo, output)
    elif by == "symbolic link":
        output.symlink_to(photo)

    outcome = chroma("run", photo, "-o", output, "--overwrite", "always", *PLAIN)

    refused(outcome, 73, str(photo))
    assert photo.read_bytes() == before


def test_two_pictures_of_one_result_are_refused_and_both_are_named(chroma, refused, gray, tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write_picture(gray, tmp_path / folder / "a.png")
    pair = [tmp_path / "x" / "a.png", tmp_path / "y" / "a.png"]

    refused(chroma("run", *pair, "-o", tmp_path / "out", *PLAIN), 73, *map(str, pair))
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_output_folder_s_place_is_refused(chroma, scans, tmp_path):
    (tmp_path / "out").write_bytes(b"mine")

    outcome = chroma("run", scans, "-o", tmp_path / "out" / "", *PLAIN)

    assert outcome.status == 73, outcome.err
    assert "bug in chroma" not in outcome.err
    assert (tmp_path / "out").read_bytes() == b"mine"


# Pipes and the demo.


class Pipe(io.BytesIO):
    """Stands for standard input or output."""

    @property
    def buffer(self):
        return self

    def fileno(self):
        raise io.UnsupportedOperation


def test_a_picture_comes_and_goes_by_pipes(photo, tiny_model, monkeypatch, capsysbinary):
    from chroma_core.cli.program import run_program

    monkeypatch.setattr("sys.stdin", Pipe(photo.read_bytes()))

    status = run_program(["run", "-", "-o", "-", "--model", str(tiny_model)])

    out, err = capsysbinary.readouterr()
    assert (status, err) == (0, b"")
    np.testing.assert_array_equal(read_picture(out).pixels, colorize(photo, model=tiny_model))


def test_a_file_may_go_into_a_pipe(photo, tiny_model, capsysbinary):
    from chroma_core.cli.program import run_program

    status = run_program(["run", str(photo), "-o", "-", "--model", str(tiny_model)])

    out, err = capsysbinary.readouterr()
    assert (status, err) == (0, b"")
    assert read_picture(out).format == "png"
    assert names(photo.parent) == ["photo.png"]


def test_a_pipe_may_go_into_a_file(chroma, photo, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", Pipe(photo.read_bytes()))

    outcome = chroma("run", "-", "-o", tmp_path / "out.png", *PLAIN)

    assert outcome.status == 0
    assert read_picture(tmp_path / "out.png").pixels.shape == (90, 120, 3)


@pytest.mark.parametrize(("data", "words"), [(b"", "nothing came"), (b"text", "not a picture")])
def test_a_pipe_without_a_picture_is_refused(chroma, refused, monkeypatch, data, words):
    monkeypatch.setattr("sys.stdin", Pipe(data))

    refused(chroma("run", "-", "-o", "-", *PLAIN), 65, words)


def test_without_pictures_the_demo_is_coloured(chroma, tmp_path, gray, monkeypatch):
    (tmp_path / "shipped").mkdir()
    paths = [write_picture(gray, tmp_path / "shipped" / "gray-street.jpg")]
    monkeypatch.setattr("chroma_core.demo.demo_photographs", lambda: paths)
    monkeypatch.chdir(tmp_path)

    outcome = chroma("run", *PLAIN)

    assert outcome.status == 0
    assert "chroma-demo" in outcome.out
    assert names(tmp_path / "chroma-demo") == [
        "gray-street.gray.png",
        "gray-street.predicted.png",
        "gray-street.refined.png",
        "gray-street.sheet.png",
        "made-by-chroma-demo.txt",
    ]


@pytest.mark.slow
@pytest.mark.opencv
def test_without_pictures_and_without_names_the_best_shipped_model_colours_the_demo(
    chroma, tmp_path, monkeypatch
):
    shipped = demo_photographs()[0]
    monkeypatch.setattr("chroma_core.demo.demo_photographs", lambda: [shipped])

    outcome = chroma("run", "-o", tmp_path / "out")

    assert outcome.status == 0, outcome.err
    refined = read_picture(tmp_path / "out" / f"{shipped.stem}.refined.png").rgb()
    assert np.abs(refined - refined.mean(axis=-1, keepdims=True)).mean() > 0.005


# Processes of their own.


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "chroma_core", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_whole_pictures_and_nothing_else(tmp_path, number):
    """Sent when the first result is there, with many more to do."""
    (tmp_path / "in").mkdir()
    large = np.random.default_rng(0).integers(0, 256, (700, 700)).astype(np.uint8)
    first = write_picture(large, tmp_path / "in" / "00.png")
    for index in range(1, 40):
        shutil.copy(first, tmp_path / "in" / f"{index:02}.png")
    out = tmp_path / "out"

    process = start("run", tmp_path / "in", "-o", out, *PLAIN, "--refiner", "guided")
    while process.poll() is None and not (out.is_dir() and names(out)):
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    made = names(out)
    hidden = [path.name for path in out.iterdir() if path.name.endswith(PART_SUFFIX)]
    assert process.returncode == 128 + number
    assert b"Traceback" not in err
    assert 1 <= len(made) < 40
    assert hidden == []
    for name in made:
        assert read_picture(out / name).pixels.shape == (700, 700, 3)


@pytest.mark.slow
def test_a_closed_pipe_ends_quietly(photo):
    process = start("run", photo, "-o", "-", *PLAIN)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()

    assert process.wait(timeout=60) == 74
    assert err == b""


def test_json_of_a_single_failure_is_there_too(chroma, tmp_path):
    outcome = chroma("run", tmp_path / "gone.png", "-o", tmp_path / "o.png", "--json", *PLAIN)

    first, last = (json.loads(line) for line in outcome.out.splitlines())
    assert outcome.status == 66
    assert (first["status"], first["class"], first["exit"]) == ("failed", "no-input", 66)
    assert last["summary"]["failed"] == 1

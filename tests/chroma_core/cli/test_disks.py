"""Disks that are full, rights that are missing, two programs at once: in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chroma_core.batch.journal import JOURNAL_NAME
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_picture

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs the rights of POSIX")

CHROMA = [sys.executable, "-m", "chroma_core"]
PLAIN = ("--features", "none", "--regressor", "none")


def without_powers():
    """Give up what lets root read and write anywhere (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)."""
    if os.geteuid() == 0:
        import ctypes

        for capability in (1, 2):
            if ctypes.CDLL(None).prctl(24, capability, 0, 0, 0):
                raise OSError("root may write anywhere here")


def at_most(size):
    """Return a function that lets no file grow beyond so many bytes."""

    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def run(*arguments, preparing=without_powers, **options):
    """Run the program to its end."""
    command = [*CHROMA, *map(str, arguments), *PLAIN]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=preparing, **options
    )


def listed(folder):
    """Return all names in a folder, hidden ones, too."""
    return sorted(os.listdir(folder))


@pytest.fixture
def scans(tmp_path):
    """Return a folder of three pictures of noise, the second of which is large."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for seed, (name, side) in enumerate({"a": 20, "b": 200, "c": 20}.items()):
        noise = np.random.default_rng(seed).integers(0, 256, (side, side)).astype(np.uint8)
        write_picture(noise, folder / f"{name}.png")
    return folder


def test_a_file_that_cannot_be_finished_costs_its_picture_and_leaves_nothing(scans, tmp_path):
    out = tmp_path / "out"

    ended = run("run", scans, "-o", out, "--json", preparing=at_most(20_000))

    assert ended.returncode == 1
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line.get("class") for line in results[:3]] == [None, "io", None]
    assert [line.get("exit") for line in results[:3]] == [0, 74, 0]
    assert listed(out) == [JOURNAL_NAME, "a.png", "c.png"]


def test_a_result_that_is_there_outlives_one_that_cannot_be_finished(scans, tmp_path):
    old = write_picture(np.zeros((9, 9, 3), np.uint8), tmp_path / "old.png")
    before = old.read_bytes()

    ended = run(
        *("run", scans / "b.png", "-o", old, "--overwrite", "always"), preparing=at_most(20_000)
    )

    assert ended.returncode == 74, ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert old.read_bytes() == before
    assert listed(tmp_path) == ["old.png", "scans"]


ON_A_SMALL_DISK = """
mount -t tmpfs -o size=104k small "$1" || exit 99
shift
"$@"; echo "{\\"status\\": $?}"
ls -A "$OUT" | sort | tr '\\n' ' ' > "$TOLD"
mount -o remount,size=50m "$OUT"
"$@" --quiet > /dev/null; echo "{\\"status\\": $?}"
cp -a "$OUT" "$KEPT"
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a mount of its own")
def test_a_full_disk_stops_a_batch_which_goes_on_when_there_is_space(scans, tmp_path):
    (scans / "d.png").write_bytes((scans / "a.png").read_bytes())
    (scans / "b0.png").write_bytes((scans / "b.png").read_bytes())
    small, kept, told = (tmp_path / name for name in ("small", "kept", "told"))
    small.mkdir()
    environment = {**os.environ, "OUT": str(small), "KEPT": str(kept), "TOLD": str(told)}
    whole = run("run", scans, "-o", tmp_path / "whole", preparing=None)
    assert whole.returncode == 0, whole.stderr

    ended = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK, "sh"),
            *(small, *CHROMA, "run", scans, "-o", small, "--json", *PLAIN),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )

    if ended.returncode in (1, 99) and not told.exists():
        pytest.skip("no disk may be mounted here")
    *results, last, full, later = (json.loads(line) for line in ended.stdout.splitlines())
    # The first large one fits, the second does not, and nobody tries the rest.
    assert [line["class"] for line in results] == [None, None, "io"]
    assert last["summary"] == {"pictures": 5, "ok": 2, "failed": 1, "left": 2, "others": 0}
    assert "free some space" in ended.stderr
    assert told.read_text().split() == [JOURNAL_NAME, "a.png", "b.png"]
    assert (full["status"], later["status"]) == (74, 0)
    assert listed(kept) == listed(tmp_path / "whole")
    for name in ("a.png", "b.png", "b0.png", "c.png", "d.png"):
        assert (kept / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_folder_that_may_not_be_written_to_is_told_before_any_picture(scans, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)

    batch = run("run", scans, "-o", locked)
    single = run("run", scans / "a.png", "-o", locked / "a.png")
    new = run("run", scans, "-o", locked / "new")

    for ended in (batch, single, new):
        assert ended.returncode == 73, ended.stderr
        assert ended.stdout == ""
        assert len(ended.stderr.splitlines()) == 1
        assert "locked" in ended.stderr
    assert listed(locked) == []


def test_results_that_may_not_lie_beside_their_pictures_are_told(scans):
    scans.chmod(0o555)

    ended = run("run", scans)
    scans.chmod(0o755)

    assert ended.returncode == 73, ended.stderr
    assert len(ended.stderr.splitlines()) == 3
    assert listed(scans) == ["a.png", "b.png", "c.png"]


def test_a_picture_that_may_not_be_read_costs_itself(scans, tmp_path):
    (scans / "b.png").chmod(0)
    (tmp_path / "hidden").mkdir(mode=0)

    batch = run("run", scans, "-o", tmp_path / "out")
    single = run("run", scans / "b.png", "-o", tmp_path / "b.png")
    folder = run("run", tmp_path / "hidden", "-o", tmp_path / "other")

    assert batch.returncode == 1
    assert "b.png: cannot be read: Permission denied" in batch.stderr
    assert listed(tmp_path / "out") == [JOURNAL_NAME, "a.png", "c.png"]
    assert (single.returncode, folder.returncode) == (66, 66)
    assert stat.S_IMODE((scans / "b.png").stat().st_mode) == 0


def test_originals_that_nobody_may_change_are_coloured(scans, tmp_path):
    before = {}
    for path in scans.iterdir():
        path.chmod(0o444)
        before[path.name] = (path.read_bytes(), path.stat().st_mtime_ns)
    scans.chmod(0o555)

    ended = run("run", scans, "-o", tmp_path / "out")
    scans.chmod(0o755)

    assert ended.returncode == 0, ended.stderr
    assert listed(tmp_path / "out") == [JOURNAL_NAME, *sorted(before)]
    for path in scans.iterdir():
        assert (path.read_bytes(), path.stat().st_mtime_ns) == before[path.name]


def test_two_programs_at_once_in_one_folder_make_what_one_makes(scans, tmp_path):
    for number in range(12):
        shutil.copy(scans / "b.png", scans / f"{number:02}.png")
    alone, both = tmp_path / "alone", tmp_path / "both"
    assert run("run", scans, "-o", alone).returncode == 0

    command = [*CHROMA, "run", scans, "-o", both, *PLAIN]
    pair = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in pair]
    statuses = [process.returncode for process in pair]

    # Both may end well where one of them began when the other was done.
    assert sorted(statuses) in ([0, 75], [0, 0]), said
    for process, other, text in zip(pair, reversed(pair), said, strict=True):
        if process.returncode == 75:
            assert f"another run works in this folder (process {other.pid})" in text
    assert listed(both) == listed(alone)
    for name in listed(alone):
        if name != JOURNAL_NAME:
            assert (both / name).read_bytes() == (alone / name).read_bytes()


ODD_NAMES = [
    b"two words.png",
    b" first.png",
    b"two\nlines.png",
    "José été.png".encode(),
    "Jose\u0301 decomposed.png".encode(),
    "写真.png".encode(),
    "👩‍👩‍👧.png".encode(),
    "a\u202egnp.exe.png".encode(),
    b"--dash.png",
    b"-o.png",
    b"%s %n.png",
    b"'\"$(touch x).png",
    b"back\\slash.png",
    b"\x1b[31mred.png",
    b"latin \xe9.png",
    b"n" * 251 + b".png",
    "é".encode() * 125 + b"x.png",
]


def test_names_of_every_kind_keep_their_pictures(tmp_path, gray):
    scans, out = os.fsencode(tmp_path / "scans"), os.fsencode(tmp_path / "out")
    os.mkdir(scans)
    data = write_picture(gray, tmp_path / "gray.png").read_bytes()
    for name in ODD_NAMES:
        try:
            descriptor = os.open(os.path.join(scans, name), os.O_WRONLY | os.O_CREAT, 0o666)
        except OSError:
            pytest.skip(f"no file can be called {name!r} here")
        os.write(descriptor, data)
        os.close(descriptor)
    (tmp_path / "gray.png").unlink()

    into = run("run", os.fsdecode(scans), "-o", os.fsdecode(out), "--json")
    beside = run("run", os.fsdecode(scans), "--json")

    for ended in (into, beside):
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.isascii()
        *results, _ = map(json.loads, ended.stdout.splitlines())
        assert {os.fsencode(Path(line["input"]).name) for line in results} == set(ODD_NAMES)
    assert set(os.listdir(out)) == {*ODD_NAMES, JOURNAL_NAME.encode()}
    made = set(os.listdir(scans)) - set(ODD_NAMES)
    assert len(made) == len(ODD_NAMES)
    assert all(b".color.png" in name and len(name) <= 255 for name in made)
    for name in made:
        assert read_picture(os.path.join(os.fsdecode(scans), os.fsdecode(name))).width == 120
    assert listed(tmp_path) == ["out", "scans"]

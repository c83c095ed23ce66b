"""A batch goes on whatever happens to one picture; a second run does what is missing."""

from __future__ import annotations

import errno
import json
import os

import pytest

from chroma_core.batch import journal as journal_module
from chroma_core.batch.journal import JOURNAL_NAME, open_journal
from chroma_core.batch.plan import plan
from chroma_core.batch.run import run_batch
from chroma_core.errors import InputError, OptionError, PictureError
from chroma_core.pictures.atomic import PART_SUFFIX, write_error


def told(results) -> dict[str, str]:
    """Return status, or kind of error, by stem."""
    return {r.job.input.stem: r.error.kind if r.error else r.status for r in results}


@pytest.mark.parametrize("workers", [1, 2])
def test_one_bad_picture_costs_one_picture(workers, folder, works):
    for name, text in {"b": "damaged", "c": "fault", "d": "memory", "e": "warn noisy"}.items():
        (folder / f"{name}.png").write_text(text)
    jobs = plan([folder], folder.parent / "out")

    results = list(run_batch(jobs, works.Copy(), workers=workers))

    assert told(results) == {
        "a": "ok",
        "b": "truncated",
        "c": "internal",
        "d": "memory",
        "e": "ok",
    }
    assert [result.job for result in results] == jobs
    by_stem = {result.job.input.stem: result for result in results}
    assert by_stem["e"].warnings == ("warned",)
    assert by_stem["a"].note == "low-confidence"
    assert by_stem["b"].error.hint == "copy it again"
    assert by_stem["b"].error.exit_status == 65
    assert by_stem["c"].error.exit_status == 70
    assert "\n" not in str(by_stem["c"].error)
    assert all(r.error is None or r.error.path == str(r.job.input) for r in results)
    assert sorted(p.name for p in (folder.parent / "out").iterdir()) == [
        JOURNAL_NAME,
        "a.png",
        "e.png",
    ]


def test_a_worker_that_dies_costs_its_picture_alone(folder, works):
    (folder / "b.png").write_text("poison")
    (folder / "d.png").write_text("once")
    jobs = plan([folder], folder.parent / "out")

    results = list(run_batch(jobs, works.Copy(), workers=2))

    assert told(results) == {"a": "ok", "b": "crash", "c": "ok", "d": "ok", "e": "ok"}
    crash = results[1].error
    assert "signal 9" in crash.what
    assert crash.exit_status == 75


def test_a_picture_that_takes_too_long_is_stopped(folder, works):
    (folder / "a.png").write_text("hang")
    jobs = plan([folder], folder.parent / "out")

    results = list(run_batch(jobs, works.Copy(), workers=2, timeout=2.0))

    assert told(results) == {"a": "timeout", "b": "ok", "c": "ok", "d": "ok", "e": "ok"}


def test_results_do_not_depend_on_workers(folder, works):
    for workers in (1, 3):
        out = folder.parent / f"out{workers}"
        list(run_batch(plan([folder], out), works.Copy(ending="!", parts=("x",)), workers=workers))

    names = [f"{name}.png" for name in "abcde"]
    one, other = (
        [(folder.parent / f"out{n}" / name).read_bytes() for name in names] for n in (1, 3)
    )
    assert one == other
    assert one[0] == b"good a!"


def test_workers_end_when_the_batch_is_left_early(folder, works):
    import psutil

    before = set(psutil.Process().children())
    running = run_batch(plan([folder], folder.parent / "out"), works.Copy(), workers=2)
    next(running)
    running.close()

    assert set(psutil.Process().children()) <= before


def test_a_second_run_does_what_is_missing(folder, works):
    (folder / "b.png").write_text("damaged")
    out = folder.parent / "out"
    list(run_batch(plan([folder], out), works.Copy()))
    (folder / "b.png").write_text("mended")

    again = list(run_batch(plan([folder], out), works.Copy()))

    assert told(again) == {
        "a": "skipped",
        "b": "ok",
        "c": "skipped",
        "d": "skipped",
        "e": "skipped",
    }
    assert not any(result.warnings for result in again)


def test_other_settings_and_changed_inputs_are_remarked(folder, works):
    out = folder.parent / "out"
    list(run_batch(plan([folder], out), works.Copy()))
    (folder / "c.png").write_text("scanned once more")

    same = list(run_batch(plan([folder], out), works.Copy()))
    other = list(run_batch(plan([folder], out), works.Copy(ending="?")))

    assert [bool(result.warnings) for result in same] == [False, False, True, False, False]
    assert "changed" in same[2].warnings[0]
    assert all("other settings" in result.warnings[0] for result in other)


def test_the_journal_tells_what_was_made(folder, works):
    import hashlib

    out = folder.parent / "out"
    list(run_batch(plan([folder], out), works.Copy()))

    lines = [json.loads(line) for line in (out / JOURNAL_NAME).read_text().splitlines()]
    assert lines[0] == {"begun": os.getpid()}
    assert [line["output"] for line in lines[1:]] == [f"{n}.png" for n in "abcde"]
    assert lines[1]["sha256"] == hashlib.sha256(b"good a").hexdigest()


def test_a_journal_cut_at_any_byte_is_read(folder, works):
    out = folder.parent / "out"
    list(run_batch(plan([folder], out), works.Copy()))
    path = out / JOURNAL_NAME
    whole = path.read_bytes()
    last_two = len(b"\n".join(whole.split(b"\n")[:-3]))
    for cut in range(last_two, len(whole), 7):
        path.write_bytes(whole[:cut])

        results = list(run_batch(plan([folder], out), works.Copy()))

        assert {result.status for result in results} == {"skipped"}


def test_two_runs_do_not_work_in_one_folder(folder, works):
    out = folder.parent / "out"
    with open_journal(out, "text"):
        with pytest.raises(PictureError, match=f"process {os.getpid()}") as caught:
            list(run_batch(plan([folder], out), works.Copy()))
        assert caught.value.exit_status == 75
    assert len(list(run_batch(plan([folder], out), works.Copy()))) == 5


def test_leftovers_of_a_killed_run_are_removed(folder, works):
    out = folder.parent / "out"
    out.mkdir()
    (out / f".0123{PART_SUFFIX}").write_bytes(b"half")
    (out / "user.chroma-part.txt").write_bytes(b"not ours")

    list(run_batch(plan([folder], out), works.Copy()))

    names = {path.name for path in out.iterdir()}
    assert f".0123{PART_SUFFIX}" not in names
    assert "user.chroma-part.txt" in names


def test_results_beside_their_inputs_leave_no_journal(folder, works):
    list(run_batch(plan([folder]), works.Copy()))

    assert not (folder / JOURNAL_NAME).exists()
    assert (folder / "a.color.png").exists()


def test_a_full_disk_ends_the_batch(folder):
    seen = []

    def work(job):
        seen.append(job.input.stem)
        raise write_error(OSError(errno.ENOSPC, "No space left on device"), job.output)

    results = list(run_batch(plan([folder], folder.parent / "out"), work))

    assert seen == ["a"]
    assert [result.error.exit_status for result in results] == [74]


def test_what_cannot_be_sent_to_other_processes_is_said(folder):
    jobs = plan([folder], folder.parent / "out")
    with pytest.raises(InputError, match="cannot be sent"):
        list(run_batch(jobs, lambda job: None, workers=2))


def test_bad_variables_are_named(folder, works, monkeypatch):
    monkeypatch.setenv("CHROMA_TIMEOUT", "soon")
    with pytest.raises(OptionError, match="CHROMA_TIMEOUT"):
        list(run_batch(plan([folder], folder.parent / "out"), works.Copy(), workers=2))


def test_a_folder_that_may_not_be_written_to_is_said_before_any_picture(folder, works, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(journal_module.os, "open", refuse)
    with pytest.raises(PictureError) as caught:
        list(run_batch(plan([folder], folder.parent / "out"), works.Copy()))

    assert caught.value.exit_status == 73


@pytest.mark.slow
def test_a_killed_batch_leaves_whole_files_and_is_taken_up_again(folder, works):
    import random
    import signal
    import subprocess
    import sys
    import time

    script = (
        "import sys\n"
        "from chroma_core.batch.plan import plan\n"
        "from chroma_core.batch.run import run_batch\n"
        "import chroma_batch_test_works as works\n"
        "jobs = plan([sys.argv[1]], sys.argv[2])\n"
        "list(run_batch(jobs, works.Copy(), workers=int(sys.argv[3])))\n"
    )
    whole = {}
    for number in range(60):
        text = f"picture {number} " * 20_000
        (folder / f"{number}.png").write_text(text)
        whole[f"{number}.png"] = text
    whole |= {f"{name}.png": f"good {name}" for name in "abcde"}
    moments = random.Random(0)
    for attempt in range(6):
        out = folder.parent / f"out{attempt}"
        argv = [sys.executable, "-c", script, str(folder), str(out), str(1 + attempt % 2)]
        process = subprocess.Popen(argv)
        time.sleep(moments.uniform(0.1, 0.8))
        process.send_signal(moments.choice([signal.SIGKILL, signal.SIGTERM]))
        process.wait()

        for path in out.glob("*.png"):
            assert path.read_text() == whole[path.name]
        for _ in range(100):
            # The lock goes when the process is gone; its workers end within a second.
            if subprocess.run(argv, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                break
        assert {p.name for p in out.iterdir()} == {*whole, JOURNAL_NAME}

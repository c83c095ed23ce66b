"""A batch goes on whatever happens to one picture; a second run does what is missing."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
import time

import pytest

from chroma_core import memory
from chroma_core.batch import journal as journal_module
from chroma_core.batch.journal import JOURNAL_NAME, open_journal
from chroma_core.batch.plan import plan
from chroma_core.batch.run import run_batch
from chroma_core.errors import InputError, OptionError, PictureError
from chroma_core.pictures.atomic import write_error
from chroma_core.pictures.parts import PART_SUFFIX, make_part


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


def test_a_worker_that_dies_after_its_result_has_its_name_has_made_it(folder, works):
    """Tried again it would find the name taken, by its own work."""
    (folder / "b.png").write_text("last breath")
    out = folder.parent / "out"

    results = list(run_batch(plan([folder], out), works.Copy(), workers=2))

    assert told(results) == dict.fromkeys("abcde", "ok")
    assert "died when the result was written" in results[1].warnings[0]
    assert results[1].sha256 == hashlib.sha256(b"last breath").hexdigest()
    assert (out / "b.png").read_bytes() == b"last breath"
    again = list(run_batch(plan([folder], out), works.Copy(), workers=2))
    assert {result.status for result in again} == {"skipped"}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_workers_that_are_killed_from_outside_cost_nothing(tmp_path, works):
    """Five of them in a batch of a thousand: the picture in hand is tried again."""
    import psutil

    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(1000):
        (folder / f"{number:03}.png").write_text(f"good {number}")
    out, killed = tmp_path / "out", []
    out.mkdir()

    def kill():
        for made in (100, 250, 400, 600, 850):
            while len(os.listdir(out)) < made:
                time.sleep(0.001)
            alive = [child for child in psutil.Process().children() if child.pid not in killed]
            alive[-1].kill()
            killed.append(alive[-1].pid)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    results = list(run_batch(plan([folder], out), works.Copy(), workers=2))
    killer.join(timeout=10)

    assert len(set(killed)) == 5
    assert [result.status for result in results] == ["ok"] * 1000
    made = {path.name: path.read_text() for path in out.glob("*.png")}
    assert made == {f"{number:03}.png": f"good {number}" for number in range(1000)}


def test_a_picture_that_takes_too_long_is_stopped(folder, works):
    (folder / "a.png").write_text("hang")
    jobs = plan([folder], folder.parent / "out")

    results = list(run_batch(jobs, works.Copy(), workers=2, timeout=2.0))

    assert told(results) == {"a": "timeout", "b": "ok", "c": "ok", "d": "ok", "e": "ok"}


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc of Linux")
def test_a_picture_that_takes_too_much_memory_is_stopped(folder, works, monkeypatch):
    """A worker takes some 40 MiB; 400 more pass the limit, whatever the machine has."""
    monkeypatch.setenv("CHROMA_WORKER_MEMORY", "250Mi")
    (folder / "b.png").write_text("swells")
    jobs = plan([folder], folder.parent / "out")

    results = list(run_batch(jobs, works.Copy(), workers=2))

    assert told(results) == {"a": "ok", "b": "memory", "c": "ok", "d": "ok", "e": "ok"}
    assert results[1].error.exit_status == 75
    assert "262,144,000 bytes" in results[1].error.what
    assert "CHROMA_WORKER_MEMORY" in results[1].error.hint


def test_workers_share_half_of_the_memory(monkeypatch):
    gib = 1 << 30
    monkeypatch.delenv("CHROMA_WORKER_MEMORY", raising=False)
    for there, workers, each in [(64, 4, 4), (16, 4, 2), (8, 1, 4), (2, 4, 0.25), (0, 2, 4)]:
        monkeypatch.setattr(memory, "_memory", lambda there=there: there * gib)

        assert memory.memory_limit(workers) == each * gib

    monkeypatch.setenv("CHROMA_WORKER_MEMORY", "5G")
    assert memory.memory_limit(4) == 5_000_000_000


def test_the_process_that_decodes_counts_with_its_worker():
    import subprocess
    import sys

    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        pytest.skip("needs /proc with children")
    alone = memory.family_bytes(os.getpid())
    said = "kept = bytes(range(256)) * 400_000; print(len(kept), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", said], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()

        assert memory.family_bytes(os.getpid()) - alone > 100_000_000
        child.kill()


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
    out = folder.parent / "out"
    list(run_batch(plan([folder], out), works.Copy()))

    lines = [json.loads(line) for line in (out / JOURNAL_NAME).read_text().splitlines()]
    assert lines[0] == {"begun": os.getpid()}
    assert [line["output"] for line in lines[1:]] == [f"{n}.png" for n in "abcde"]
    assert lines[1]["sha256"] == hashlib.sha256(b"good a").hexdigest()


def test_a_journal_cut_at_any_byte_is_read(folder, works, monkeypatch):
    monkeypatch.setattr(journal_module.os, "fsync", lambda descriptor: None)
    out = folder.parent / "out"
    list(run_batch(plan([folder], out), works.Copy()))
    path = out / JOURNAL_NAME
    whole = path.read_bytes()
    last_two = len(b"\n".join(whole.split(b"\n")[:-3]))
    for cut in range(last_two, len(whole)):
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
    left = out / f".0123456789abcdef{PART_SUFFIX}"
    left.write_bytes(b"half")
    others = [out / "user.chroma-part.txt", out / f".user{PART_SUFFIX}"]
    for path in others:
        path.write_bytes(b"not ours")

    list(run_batch(plan([folder], out), works.Copy()))

    assert not left.exists()
    assert all(path.exists() for path in others)


@pytest.mark.parametrize("all_there", [True, False])
def test_leftovers_in_folders_within_are_removed_too(folder, works, all_there):
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "f.png").write_text("good f")
    out = folder.parent / "out"
    list(run_batch(plan([folder], out, recursive=True), works.Copy()))
    left = out / "deep" / "er" / f".0123456789abcdef{PART_SUFFIX}"
    left.write_bytes(b"half")
    somebody_s = make_part(left.parent)
    if not all_there:
        (out / "deep" / "er" / "f.png").unlink()

    list(run_batch(plan([folder], out, recursive=True), works.Copy()))

    assert {path.name for path in left.parent.iterdir()} == {somebody_s.path.name, "f.png"}
    os.close(somebody_s.descriptor)
    somebody_s.release()


@pytest.mark.parametrize("how_many", [1, 5])
def test_leftovers_beside_the_pictures_are_removed_and_nothing_else(folder, works, how_many):
    left = folder / f".0123456789abcdef{PART_SUFFIX}"
    left.write_bytes(b"half")
    hidden = folder / f".scan{PART_SUFFIX}"
    hidden.write_bytes(b"the user's")
    somebody_s = make_part(folder)
    before = {path.name for path in folder.iterdir()}

    list(run_batch(plan([folder])[:how_many], works.Copy()))

    made = {f"{name}.color.png" for name in "abcde"[:how_many]}
    assert {path.name for path in folder.iterdir()} == before - {left.name} | made
    os.close(somebody_s.descriptor)
    somebody_s.release()


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

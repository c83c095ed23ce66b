"""The guarded decoder: the same pictures, and no harm from what kills it."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures import worker as worker_module
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.worker import DecodingWorker

FIELDS = ("depth", "format", "icc_note", "exif", "xmp", "iptc", "dpi", "warnings", "jpeg_tables")


@pytest.fixture
def worker():
    """Return a worker of one's own."""
    started = DecodingWorker()
    yield started
    started.close()


def test_guarded_and_unguarded_give_the_same(good_files):
    for data in good_files.values():
        one, other = read_picture(data), read_picture(data, guarded=True)

        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.pixels.dtype == other.pixels.dtype
        assert all(getattr(one, name) == getattr(other, name) for name in FIELDS)
        if one.alpha is not None:
            np.testing.assert_array_equal(one.alpha, other.alpha)


def test_one_process_serves_many_pictures(good_files):
    read_picture(good_files["ppm"], guarded=True)
    (first,) = worker_module._workers
    for _ in range(3):
        read_picture(good_files["png-gray8"], guarded=True)

    assert worker_module._workers == [first]


def test_errors_come_through(good_files):
    cut = good_files["jpeg-rgb"][:-300]
    with pytest.raises(PictureError) as plain:
        read_picture(cut)
    with pytest.raises(PictureError) as guarded:
        read_picture(cut, guarded=True)

    assert vars(plain.value) == vars(guarded.value)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_died_between_pictures_is_replaced(number, good_files):
    read_picture(good_files["ppm"], guarded=True)
    os.kill(worker_module._workers[-1].process.pid, number)
    worker_module._workers[-1].process.wait()

    assert read_picture(good_files["ppm"], guarded=True).format == "pnm"


def test_death_in_the_middle_is_an_error_of_that_picture(worker, good_files):
    os.kill(worker.process.pid, signal.SIGSTOP)
    killer = threading.Timer(0.2, os.kill, (worker.process.pid, signal.SIGKILL))
    killer.start()

    with pytest.raises(PictureError, match="signal 9") as caught:
        worker.decode(good_files["ppm"], Limits())

    killer.join()
    assert (caught.value.kind, caught.value.exit_status) == ("crash", 75)
    assert not worker.alive


def test_a_picture_whose_worker_dies_once_is_read_by_the_next(good_files, monkeypatch):
    read_picture(good_files["ppm"], guarded=True)
    victim = worker_module._workers[-1]
    os.kill(victim.process.pid, signal.SIGSTOP)
    killer = threading.Timer(0.2, os.kill, (victim.process.pid, signal.SIGKILL))
    killer.start()

    picture = read_picture(good_files["png-rgba8"], guarded=True)

    killer.join()
    assert picture.format == "png"


def test_a_worker_that_hangs_is_ended(worker, good_files, monkeypatch):
    worker.decode(good_files["ppm"], Limits())
    os.kill(worker.process.pid, signal.SIGSTOP)
    monkeypatch.setattr(worker_module, "_START_TIMEOUT", 0.0)

    with pytest.raises(PictureError, match="stopped after") as caught:
        worker.decode(good_files["ppm"], Limits(decode_timeout=0.2))

    assert caught.value.kind == "timeout"
    assert worker.process.poll() is not None


def test_a_worker_that_takes_too_much_memory_is_ended(worker, good_files):
    worker.decode(good_files["ppm"], Limits())
    os.kill(worker.process.pid, signal.SIGSTOP)

    with pytest.raises(PictureError, match="memory") as caught:
        worker.decode(good_files["ppm"], Limits(worker_memory=1 << 20))

    assert (caught.value.kind, caught.value.exit_status) == ("memory", 75)
    assert worker.process.poll() is not None


def test_noise_of_libraries_goes_nowhere(good_files, capfd):
    noisy = good_files["png-gray8"][:-12] + good_files["png-gray8"][-12:]
    for data in (noisy, good_files["gif"]):
        read_picture(data, guarded=True)

    assert capfd.readouterr() == ("", "")


def test_the_worker_ends_with_its_parent(tmp_path, good_files):
    import subprocess
    import sys

    path = tmp_path / "a.ppm"
    path.write_bytes(good_files["ppm"])
    script = (
        "import os, signal, sys\n"
        "from chroma_core.pictures import worker\n"
        "from chroma_core.pictures.read import read_picture\n"
        "read_picture(sys.argv[1], guarded=True)\n"
        "print(worker._workers[0].process.pid, flush=True)\n"
        "if sys.argv[2] == 'kill': os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for how in ("exit", "kill"):
        ended = subprocess.run(
            [sys.executable, "-c", script, str(path), how], capture_output=True, check=False
        )
        child = int(ended.stdout)
        gone = False
        for _ in range(100):
            try:
                os.kill(child, 0)
            except ProcessLookupError:
                gone = True
                break
            with open(f"/proc/{child}/stat") as file:
                if file.read().split()[2] == "Z":
                    gone = True
                    break
            time.sleep(0.05)

        assert gone, how


def test_a_script_in_the_current_folder_is_not_imported(tmp_path, good_files, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    fresh = DecodingWorker()
    try:
        assert fresh.decode(good_files["ppm"], Limits()).format == "pnm"
    finally:
        fresh.close()

"""What the two ends of the decoding worker make of each other's death, noise and limits."""

from __future__ import annotations

import io
import json
import logging
import os
import resource
import signal
from dataclasses import asdict

import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures import worker as worker_module
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.reading import Reading
from chroma_core.pictures.worker import DecodingWorker, resident_bytes


@pytest.fixture
def worker():
    """Return a worker of one's own."""
    started = DecodingWorker()
    yield started
    started.close()


@pytest.fixture
def answering(worker):
    """Return a worker that answers what it is told to, and ends there."""

    def told(answer: dict, behind: bytes = b"") -> DecodingWorker:
        read_end, write_end = os.pipe()
        os.write(write_end, json.dumps(answer).encode() + b"\n" + behind)
        os.close(write_end)
        worker.out.close()
        worker.out = os.fdopen(read_end, "rb")
        return worker

    return told


def test_a_process_that_did_not_start_a_worker_does_not_end_it(worker):
    """After a fork the child holds the parent's worker, and must leave it alone."""
    owner = worker.owner
    worker.owner = owner + 1
    assert not worker.alive

    worker.close()

    assert worker.process.poll() is None
    worker.owner = owner
    assert worker.alive


def test_a_request_to_a_worker_that_is_dead_tells_of_its_death(worker, good_files):
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()

    with pytest.raises(PictureError, match="signal 9") as caught:
        worker.decode(good_files["ppm"], Limits())

    assert caught.value.kind == "crash"


def test_a_worker_that_dies_while_it_hands_over_pixels_tells_of_its_death(answering, good_files):
    worker = answering({"planes": [["pixels", [10, 10], "|u1"]]}, b"only some")
    os.kill(worker.process.pid, signal.SIGKILL)

    with pytest.raises(PictureError, match="signal 9") as caught:
        worker.decode(good_files["ppm"], Limits())

    assert caught.value.kind == "crash"
    assert not worker.alive


def test_what_libraries_write_is_kept_for_who_looks_for_faults(answering, good_files, caplog):
    error = {"what": "it is spoilt", "hint": "", "kind": "corrupt"}
    worker = answering({"error": error, "noise": "libpng warning: odd"})

    with caplog.at_level(logging.DEBUG), pytest.raises(PictureError, match="it is spoilt"):
        worker.decode(good_files["ppm"], Limits())

    assert "libraries wrote: libpng warning: odd" in caplog.messages


def test_an_interruption_ends_the_worker(worker, good_files, monkeypatch):
    """A half-read answer would be taken for the next picture's."""

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DecodingWorker, "_read_line", interrupt)
    with pytest.raises(KeyboardInterrupt):
        worker.decode(good_files["ppm"], Limits())

    assert not worker.alive


def test_a_crash_on_the_second_try_is_told_and_no_other_error_is_tried_again(monkeypatch):
    tried = []

    class Failing:
        kind = "crash"

        def decode(self, *args: object, **kwargs: object) -> None:
            tried.append(self.kind)
            raise PictureError("it failed", kind=self.kind)

    failing = Failing()
    monkeypatch.setattr(worker_module, "_current_worker", lambda: failing)
    for kind, times in (("crash", 2), ("corrupt", 1), ("timeout", 1)):
        failing.kind = kind
        tried.clear()

        with pytest.raises(PictureError) as caught:
            worker_module.decode_guarded(b"", Limits())

        assert caught.value.kind == kind
        assert tried == [kind] * times


def test_a_process_that_is_not_there_takes_no_memory():
    assert resident_bytes(os.getpid()) > 1 << 20
    assert resident_bytes(2**22 + 1) == 0


def test_a_worker_whose_parent_is_gone_ends_itself(monkeypatch):
    left = []
    monkeypatch.setattr(os, "getppid", lambda: 1)
    monkeypatch.setattr(os, "_exit", left.append)

    worker_module._end_with_parent(4242)

    assert left == [0]


@pytest.mark.parametrize(
    ("hard", "wanted"), [(resource.RLIM_INFINITY, 4000), (5000, 4000), (3000, 3000)]
)
def test_address_space_is_bounded_by_four_times_the_memory_or_what_the_system_allows(
    hard, wanted, monkeypatch
):
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (hard, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda which, pair: asked.append((which, pair)))

    worker_module._bound_address_space(Limits(worker_memory=1000))

    assert asked == [(resource.RLIMIT_AS, (wanted, hard))]


@pytest.mark.parametrize("fault", [MemoryError(), PictureError("spoilt", kind="corrupt")])
def test_what_goes_wrong_in_a_worker_is_told_in_one_line(fault, good_files, monkeypatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise fault

    monkeypatch.setattr(worker_module, "_bound_address_space", lambda limits: None)
    monkeypatch.setattr("chroma_core.pictures.decode.decode_picture", fail)
    answers, noise = io.BytesIO(), io.BytesIO(b"a library's words")
    request = {
        "limits": asdict(Limits()),
        "reading": asdict(Reading()),
        "keep_floats": False,
        "keep": False,
    }

    worker_module._serve(request, [good_files["ppm"]], answers, noise)

    (line,) = answers.getvalue().splitlines()
    told = json.loads(line)
    assert told["noise"] == "a library's words"
    assert noise.getvalue() == b""
    if isinstance(fault, MemoryError):
        assert told["error"]["kind"] == "memory"
        assert "CHROMA_WORKER_MEMORY" in told["error"]["hint"]
    else:
        assert told["error"] == {"what": "spoilt", "hint": "", "kind": "corrupt"}

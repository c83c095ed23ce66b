"""Whatever happens to a process that works for this one, it ends in one error, and soon."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from chroma_core.errors import ChromaError, ModelFormatError
from chroma_core.guarded import GuardedProcess, Stopped

MIB = 1 << 20

SERVER = """
import ctypes, os, signal, sys, time
import numpy as np
from chroma_core.errors import ChromaError, ModelFormatError
from chroma_core.guarded import serve

kept = []
RAW = {"no JSON": b"{\\n", "no table": b"[]\\n", "no size": b'{"bytes": "1"}\\n'}

def answers():
    return max(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(
        f"/proc/self/fd/{name}") and "pipe" in os.readlink(f"/proc/self/fd/{name}"))

def answer(question, payload):
    print("noise")
    what = question["do"]
    if what == "echo":
        return {"count": len(payload)}, [payload[: question.get("back")]]
    if what == "refuse":
        raise ModelFormatError("is no network", hint="try another", path="a\\nb", exit_status=78)
    if what == "odd error":
        class Odd(ChromaError):
            pass
        raise Odd("is odd")
    if what == "bug":
        raise ZeroDivisionError("a bug")
    if what == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "leave":
        os._exit(3)
    if what == "hang":
        time.sleep(600)
    if what == "hang and hold the interpreter":
        ctypes.PyDLL(None).sleep(600)
    if what == "grow":
        while True:
            kept.append(np.ones(1 << 20))
    if what == "ask for more than there is":
        kept.append(np.ones(1 << 45))
    if what == "long line":
        return {"x": "y" * (1 << 20)}, ()
    if what in RAW:
        os.write(answers(), RAW[what])
        time.sleep(600)
    if what == "arguments":
        return {"argv": sys.argv, "stdin": os.read(0, 1).decode()}, ()
    raise AssertionError(what)

if __name__ == "__main__":
    serve(answer)
"""


@pytest.fixture
def process(tmp_path, monkeypatch):
    """Return a process that does what it is asked for."""
    (tmp_path / "guarded_server.py").write_text(SERVER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    started = GuardedProcess("guarded_server")
    yield started
    started.close()


def ask(process, what, payload=(), *, seconds=60.0, memory=512 * MIB, most_bytes=0, **more):
    return process.ask(
        {"do": what, **more}, payload, seconds=seconds, memory=memory, most_bytes=most_bytes
    )


def test_bytes_come_back_as_they_were_and_the_process_stays(process):
    for size in (0, 1, 100, 20 * MIB):
        sent = np.random.default_rng(size).bytes(size)
        told, came = ask(process, "echo", [sent[:10], memoryview(sent)[10:]], most_bytes=size)

        assert (told, bytes(came)) == ({"count": size}, sent)
    assert process.alive


def test_nothing_of_the_caller_s_is_run_or_read(process):
    told, _ = ask(process, "arguments")

    assert os.path.basename(told["argv"][0]) == "guarded_server.py"
    assert len(told["argv"]) == 1
    assert told["stdin"] == ""


def test_errors_of_the_family_come_as_they_were_raised(process):
    with pytest.raises(ModelFormatError) as caught:
        ask(process, "refuse")

    error = caught.value
    assert (error.what, error.hint, error.path) == ("is no network", "try another", "a\nb")
    assert (error.exit_status, error.kind) == (78, ModelFormatError.kind)
    assert process.alive


def test_an_error_of_another_name_is_one_of_the_family(process):
    with pytest.raises(ChromaError, match="is odd") as caught:
        ask(process, "odd error")

    assert type(caught.value) is ChromaError


def test_any_other_error_is_a_bug(process):
    with pytest.raises(RuntimeError, match="ZeroDivisionError: a bug"):
        ask(process, "bug")

    assert process.alive


@pytest.mark.parametrize(
    ("what", "kind", "said"),
    [
        ("die", "crash", r"ended its process \(signal 11\)"),
        ("leave", "crash", r"ended its process \(exit status 3\)"),
        ("long line", "crash", "answered with a line of more than 65536 bytes"),
        ("no JSON", "crash", "answered with no JSON"),
        ("no table", "crash", "answered with something else"),
        ("no size", "crash", "answered with something else"),
        ("grow", "memory", r"takes more than 536,870,912 bytes of memory"),
        ("ask for more than there is", "memory", r"takes more than 536,870,912 bytes of memory"),
    ],
)
def test_what_ends_the_process_is_told(process, what, kind, said):
    with pytest.raises(Stopped, match=said) as caught:
        ask(process, what)

    assert caught.value.kind == kind
    assert not process.alive


@pytest.mark.parametrize("what", ["hang", "hang and hold the interpreter"])
def test_what_takes_too_long_is_stopped(process, what):
    ask(process, "echo")  # Its start is not counted.
    began = time.monotonic()
    with pytest.raises(Stopped, match="was stopped after") as caught:
        ask(process, what, seconds=0.3)

    assert caught.value.kind == "timeout"
    assert time.monotonic() - began < 10
    assert not process.alive


def test_what_a_quick_answer_leaves_behind_counts(process):
    """However short it took: the next answer must not begin with a process that is too large."""
    with pytest.raises(Stopped, match="takes more than 1,048,576 bytes"):
        ask(process, "echo", memory=MIB)

    assert not process.alive


def test_a_payload_that_is_never_read_is_given_up(process):
    """The pipe is full long before, so that writing itself must not wait for ever."""
    ask(process, "echo")
    os.kill(process.pid, signal.SIGSTOP)

    with pytest.raises(Stopped, match="was stopped after"):
        ask(process, "echo", [bytes(20 * MIB)], seconds=0.3)


def test_an_answer_of_more_bytes_than_agreed_is_not_taken(process):
    with pytest.raises(Stopped, match="answered with 100 bytes, wanted 99"):
        ask(process, "echo", [bytes(100)], most_bytes=99)

    assert not process.alive


def test_an_interruption_ends_the_process(process, monkeypatch):
    """A half-read answer would be taken for the next one's."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(GuardedProcess, "_line", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ask(process, "echo")

    assert not process.alive


def test_a_process_that_did_not_start_it_does_not_end_it(process, monkeypatch):
    """After a fork the child holds the parent's process, and must leave it alone."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        assert not process.alive
        process.close()

    assert process.alive


PARENT = """
import os, signal, sys, threading
from chroma_core.guarded import GuardedProcess
process = GuardedProcess("guarded_server")
process.ask({"do": "echo"}, seconds=60, memory=1 << 30)
print(process.pid, flush=True)
if sys.argv[1] == "busy":
    threading.Thread(
        target=process.ask, args=({"do": "hang"},), kwargs={"seconds": 600, "memory": 1 << 30}
    ).start()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_it_ends_with_a_parent_that_is_killed(tmp_path, process, state):
    done = subprocess.run(
        [sys.executable, "-c", PARENT, state], stdout=subprocess.PIPE, timeout=60, check=False
    )

    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while is_running(int(done.stdout)):
        assert time.monotonic() < deadline


def is_running(pid):
    """Return whether a process still works: one that nobody waits for is left as a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

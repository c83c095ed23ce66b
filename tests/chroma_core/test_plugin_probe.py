"""A plugin that no guard can catch ends a process of its own, not the program that asks for it."""

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from chroma_core import plugin_probe
from chroma_core.errors import OptionError
from chroma_core.plugin_probe import probe
from chroma_core.plugins import Registry

CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
LEAVING_THREAD = (
    "import os, threading, time\n"
    "threading.Thread(target=os._exit, args=({status},)).start()\n"
    "time.sleep(60)\n"
)
HOLDING_THE_INTERPRETER = "import ctypes; ctypes.PyDLL(None).sleep(60)"
GOOD = (
    "from chroma_core.plugins import hookimpl\n"
    "from chroma_core.refiners.none import NoRefiner\n"
    "class Stage(NoRefiner):\n    name = 'stranger'\n"
    "@hookimpl\ndef chroma_stages(): return [Stage]\n"
)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Return a function from source to a plugin's entry point."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(source, name="probed_stranger"):
        (tmp_path / f"{name}.py").write_text(source)
        return EntryPoint(name, name, "chroma")

    yield make
    for name in ("probed_stranger", "probed_crashing"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("source", "ending"),
    [
        (CRASH, "ended the process by SIGSEGV"),
        ("import os; os.abort()", "ended the process by SIGABRT"),
        (f"import os; os.kill(os.getpid(), {signal.SIGRTMIN + 3})", "ended the process by signal"),
        (LEAVING_THREAD.format(status=3), "ended the process with status 3"),
        (LEAVING_THREAD.format(status=0), "ended the process with status 0"),
        ("print('survived'); import os; os.abort()", "ended the process by SIGABRT"),
    ],
    ids=["crash", "abort", "odd signal", "thread leaves", "thread leaves well", "imposter"],
)
def test_what_ends_the_process_is_told(plugin, source, ending):
    told = probe(plugin(source).value)

    assert told.startswith(ending)
    assert told.endswith(" while it was loaded")


def test_a_crash_in_a_hook_is_told_as_well(plugin):
    entry = plugin(
        f"from chroma_core.plugins import hookimpl\n@hookimpl\ndef chroma_stages():\n    {CRASH}\n"
    )

    assert "SIGSEGV" in probe(entry.value)


@pytest.mark.parametrize(
    "source",
    [GOOD, "raise RuntimeError", "import sys; sys.exit(3)", "import os; os._exit(3)", "no python"],
    ids=["good", "raises", "exits", "leaves", "no Python"],
)
def test_what_the_guard_can_catch_is_left_to_the_guard(plugin, source):
    assert probe(plugin(source).value) == ""


def test_holding_the_interpreter_is_told_and_ended(plugin, monkeypatch):
    monkeypatch.setattr(plugin_probe, "START_SECONDS", 3.0)

    told = probe(plugin(HOLDING_THE_INTERPRETER).value, 0.5)

    assert told == "lets a process hang that loads it: not done after 0.5 s"


def test_a_crashing_plugin_is_kept_out_and_the_others_are_loaded(plugin):
    crashing = plugin(CRASH, "probed_crashing")
    registry = Registry([crashing, plugin(GOOD)])

    stories = {story.plugin: story for story in registry.plugin_stories(probed=True)}

    assert "SIGSEGV" in stories["probed_crashing"].problem
    assert not stories["probed_crashing"].loaded
    assert stories["probed_stranger"].loaded
    assert registry.find_stage("refiner", "stranger").name == "stranger"


def test_doctor_names_a_crashing_plugin_and_goes_on(tmp_path):
    """A real program, and a plugin that is installed as any other."""
    (tmp_path / "crashing.py").write_text(CRASH)
    facts = tmp_path / "crashing_plugin-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: crashing-plugin\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[chroma]\ncrashing = crashing\n")
    done = subprocess.run(
        [sys.executable, "-m", "chroma_core", "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )

    assert done.returncode == 69, done.stderr
    told = json.loads(done.stdout)
    assert (
        "plugin crashing of crashing-plugin: ended the process by SIGSEGV while it was loaded"
        in told["problems"]
    )
    assert {"core", "crashing", "models"} <= {plugin["name"] for plugin in told["plugins"]}


def test_a_wrong_timeout_is_refused(monkeypatch):
    monkeypatch.setenv("CHROMA_PLUGIN_TIMEOUT", "soon")

    with pytest.raises(OptionError, match="CHROMA_PLUGIN_TIMEOUT"):
        probe("anything")

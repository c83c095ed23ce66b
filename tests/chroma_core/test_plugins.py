"""Whatever a plugin does, the others work, and its story is told in one line.

The plugins here are real modules and real entry points: files in a folder of the test.
"""

import inspect
import json
import os
import re
import subprocess
import sys
import threading
import warnings
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import numpy as np
import pytest

from chroma_core import hookspecs, plugin_guard
from chroma_core.errors import OptionError, PluginError, StageNotFound
from chroma_core.features.position import PositionFeatures
from chroma_core.plugin_guard import one_line
from chroma_core.plugins import (
    DISTRIBUTION,
    PluginStory,
    Registry,
    default_registry,
    find_stage,
    hookimpl,
    installed_stages,
    missing_libraries,
    model_folders,
    plugin_stories,
    register,
    require_libraries,
)
from chroma_core.refiners.none import NoRefiner
from chroma_core.testing import check_stage

HEAD = """
from pathlib import Path
from chroma_core.plugins import hookimpl
from chroma_core.refiners.none import NoRefiner
class Stage(NoRefiner):
    name = "stranger"
"""
GOOD = HEAD + "@hookimpl\ndef chroma_stages(): return [Stage]\n"


class FakeEntryPoint:
    """An entry point of a distribution that is not installed."""

    def __init__(self, module, distribution, name=""):
        self.name = name or module
        self.value = module
        self.dist = SimpleNamespace(name=distribution, version="1.2")

    def load(self):
        return EntryPoint(name=self.name, value=self.value, group="chroma").load()


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Return a function from source to an entry point for it."""
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def make(source, distribution="stranger-plugin", name=""):
        module = f"plugin_{tmp_path.name}_{len(made)}".replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        made.append(module)
        return FakeEntryPoint(module, distribution, name or f"plugin{len(made)}")

    yield make
    for module in made:
        sys.modules.pop(module, None)


CORE = FakeEntryPoint("chroma_core.builtin", DISTRIBUTION, "core")


def story_of(registry, name):
    return next(story for story in registry.plugin_stories() if story.plugin == name)


def test_a_good_plugin_is_found_and_described(plugin):
    registry = Registry([plugin(GOOD), CORE])

    stage = registry.find_stage("refiner", "stranger")

    assert stage.name == "stranger"
    info = next(info for info in registry.installed_stages() if info.name == "stranger")
    assert (info.role, info.distribution, info.version) == ("refiner", "stranger-plugin", "1.2")
    assert (info.stage, info.options, info.missing) == (stage, (), ())
    assert story_of(registry, "plugin1").problem == ""


# --- P1, P2, P8: what a plugin raises ------------------------------------------------------------

RAISED = {
    "import": ("import no_such_module_at_all", "ModuleNotFoundError: No module named"),
    "syntax": ("def broken(:", "SyntaxError"),
    "exit": ("import sys; sys.exit(0)", r"called sys.exit\(0\)"),
    "exit text": ("raise SystemExit('bye')", r"called sys.exit\(bye\)"),
    "interrupt": ("raise KeyboardInterrupt", "^KeyboardInterrupt$"),
    "no message": ("raise ValueError", "^ValueError$"),
    "lines": (
        "raise ValueError('one\\ntwo\\r\\x1b[2J three')",
        r"^ValueError: one two \[2J three$",
    ),
    "long": ("raise ValueError('x' * 10_000_000)", r"^ValueError: x+\.\.\.$"),
    "wide": ("raise ValueError('\\u20ac' * 5000)", r"^ValueError: €+\.\.\.$"),
    "group": ("raise ExceptionGroup('two', [ValueError(1), KeyError(2)])", "ExceptionGroup: two"),
    "stop": ("raise StopIteration(3)", "StopIteration: 3"),
    "generator": ("raise GeneratorExit", "GeneratorExit"),
    "recursion": ("def f(): f()\nf()", "RecursionError"),
    "unreadable": (
        "class Bad(Exception):\n    def __str__(self): raise RuntimeError('no')\nraise Bad",
        "Bad: <its text cannot be read: RuntimeError>",
    ),
    "in the hook": (
        HEAD + "@hookimpl\ndef chroma_stages(): raise OSError('disk')",
        "OSError: disk",
    ),
    "exit in the hook": (HEAD + "@hookimpl\ndef chroma_stages(): exit(3)", r"called sys.exit\(3\)"),
}


@pytest.mark.parametrize("case", RAISED)
def test_a_plugin_that_raises_is_kept_with_its_story(plugin, case):
    source, said = RAISED[case]
    registry = Registry([CORE, plugin(source), plugin(GOOD)])

    assert registry.find_stage("refiner", "stranger").name == "stranger"
    story = story_of(registry, "plugin1")
    assert re.search(said, story.problem), story.problem
    assert not story.loaded
    assert len(story.problem.encode()) <= 400
    assert all(character.isprintable() for character in story.problem)


def test_the_story_is_raised_only_if_its_stage_is_asked_for(plugin):
    registry = Registry([CORE, plugin("import no_such_module_at_all", name="structure")])

    assert registry.find_stage("features", "position") is PositionFeatures
    for name in ("structure", "stranger-plugin:anything", "Stranger_Plugin:anything"):
        with pytest.raises(
            PluginError, match=r"structure of stranger-plugin 1\.2.*no_such"
        ) as caught:
            registry.find_stage("features", name)
        assert caught.value.exit_status == 69


def test_an_unknown_stage_names_the_nearest_and_what_did_not_load(plugin):
    registry = Registry([CORE, plugin("raise ValueError('its reason')")])

    with pytest.raises(StageNotFound, match=r"no features stage 'positoin'") as caught:
        registry.find_stage("features", "positoin")

    assert caught.value.exit_status == 2
    assert re.search("did you mean position", caught.value.hint)
    assert re.search("there are position, .*lightness", caught.value.hint)
    assert "plugin1 did not load: ValueError: its reason" in caught.value.hint


def test_a_role_without_stages_says_so():
    with pytest.raises(StageNotFound, match="no features stage is installed"):
        Registry([]).find_stage("features", "position")


@pytest.mark.parametrize("how", ["sys.exit(0)", "os._exit(3)"])
def test_leaving_at_import_does_not_end_the_program(tmp_path, how):
    (tmp_path / "leaving.py").write_text(f"import os, sys; print('noise'); {how}")
    program = (
        "from importlib.metadata import EntryPoint\n"
        "from chroma_core.plugins import Registry\n"
        "entry = EntryPoint('leaving', 'leaving', 'chroma')\n"
        "print(Registry([entry]).plugin_stories()[0].problem)\n"
        "import os, threading\n"
        "leaving = threading.Thread(target=os._exit, args=(7,))\n"
        "leaving.start(); leaving.join()\n"
    )
    done = subprocess.run(
        [sys.executable, "-u", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )

    # Once the plugin was left, the program itself may leave so.
    assert (done.returncode, done.stdout) == (7, f"called {how}\n")
    assert done.stderr == "noise\n"


# --- P3: slow ------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["import", "hook"])
def test_a_plugin_that_hangs_is_left(plugin, where):
    body = "threading.Event().wait(20)"
    hook = f"@hookimpl\ndef chroma_stages(): {body if where == 'hook' else 'return []'}\n"
    source = f"import threading\n{HEAD}{body if where == 'import' else ''}\n{hook}"
    registry = Registry([CORE, plugin(source), plugin(GOOD)], timeout=0.2)

    assert registry.find_stage("refiner", "stranger").name == "stranger"
    story = story_of(registry, "plugin1")
    assert story.problem.startswith("did not finish loading in 0.2 s")
    assert story.seconds >= 0.2


def test_the_wait_is_set_by_a_variable(plugin, monkeypatch):
    monkeypatch.setenv("CHROMA_PLUGIN_TIMEOUT", "0.1")
    registry = Registry([plugin("import time\ntime.sleep(20)")])

    assert "did not finish loading in 0.1 s" in registry.plugin_stories()[0].problem


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_a_wait_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("CHROMA_PLUGIN_TIMEOUT", text)

    with pytest.raises(OptionError, match="CHROMA_PLUGIN_TIMEOUT is"):
        Registry([CORE]).installed_stages()


def test_strangers_are_not_loaded_for_shipped_stages(plugin):
    loud = plugin("raise AssertionError('was loaded')")
    registry = Registry([loud, CORE])
    loads = []
    loud.load = lambda: loads.append(1)

    registry.find_stage("colorspace", "lab")
    assert loads == []

    registry.installed_stages()
    registry.installed_stages()
    assert loads == [1]


# --- P4: noise -----------------------------------------------------------------------------------


def test_what_a_plugin_prints_goes_to_stderr(plugin, capsys):
    noisy = GOOD.replace("return [Stage]", "print('from the hook'); return [Stage]")
    registry = Registry([plugin("print('at import')\n" + noisy)])

    print(json.dumps([info.name for info in registry.installed_stages()]))

    captured = capsys.readouterr()
    assert json.loads(captured.out) == ["stranger"]
    assert captured.err == "at import\nfrom the hook\n"


# --- P5: names -----------------------------------------------------------------------------------


def rival(name):
    return GOOD.replace('"stranger"', f'"{name}"')


def test_shipped_names_cannot_be_taken(plugin):
    registry = Registry([plugin(rival("none"), "Zebra.Plugin"), CORE])

    assert registry.find_stage("refiner", "none") is NoRefiner
    other = registry.find_stage("refiner", "zebra-plugin:none")
    assert other.__name__ == "Stage"
    assert registry.find_stage("refiner", "Zebra_Plugin:none") is other
    assert registry.find_stage("refiner", "chroma-colorize:none") is NoRefiner
    assert registry.name_of(other) == "zebra-plugin:none"
    story = story_of(registry, "plugin1")
    assert story.loaded
    assert story.problem == "the refiner name none is taken, so it is called zebra-plugin:none"
    names = [info.name for info in registry.installed_stages() if info.role == "refiner"]
    assert names.count("none") == 1
    assert "zebra-plugin:none" in names


def test_of_two_strangers_both_are_named_and_the_bare_name_is_refused(plugin):
    registry = Registry([CORE, plugin(rival("same"), "one"), plugin(rival("same"), "two")])

    with pytest.raises(PluginError, match="several plugins") as caught:
        registry.find_stage("refiner", "same")

    assert caught.value.hint == "say one:same or two:same"
    both = {registry.find_stage("refiner", f"{owner}:same") for owner in ("one", "two")}
    assert len(both) == 2
    assert "called two:same" in story_of(registry, "plugin2").problem


def test_one_name_in_two_roles_is_no_clash(plugin):
    registry = Registry([CORE, plugin(rival("position"))])

    assert registry.find_stage("features", "position") is PositionFeatures
    assert registry.find_stage("refiner", "position").__name__ == "Stage"


def test_a_plugin_named_twice_in_the_metadata_is_one(plugin):
    entry = plugin(GOOD)
    registry = Registry([entry, FakeEntryPoint(entry.value, "Stranger.Plugin", entry.name)])

    assert registry.find_stage("refiner", "stranger").name == "stranger"
    assert len(registry.plugin_stories()) == 1


# --- hooks and what they return ------------------------------------------------------------------

WRONG = {
    "misspelt": (
        HEAD + "@hookimpl\ndef chroma_stage(): return [Stage]",
        r"^chroma_stage is not a hook \(did you mean chroma_stages\?\)$",
    ),
    "unknown": (
        HEAD + "@hookimpl\ndef on_start(): pass",
        r"on_start is not a hook \(hooks are chroma_stages, chroma_models\)",
    ),
    "signature": (
        HEAD + "@hookimpl\ndef chroma_stages(registry, extra): return [Stage]",
        "wrong signature: .*extra.*registry|wrong signature: .*registry.*extra",
    ),
    "unmarked": (HEAD + "def chroma_stages(): return [Stage]", "marked with @hookimpl"),
    "empty": ("", "marked with @hookimpl"),
    "none": (HEAD + "@hookimpl\ndef chroma_stages(): return 3", "returned a int, wanted a list"),
    "text": (HEAD + "@hookimpl\ndef chroma_stages(): return 'Stage'", "a str, wanted a list"),
    "one": (HEAD + "@hookimpl\ndef chroma_stages(): return Stage", "ABCMeta, wanted a list"),
    "instances": (HEAD + "@hookimpl\ndef chroma_stages(): return [Stage()]", "wanted classes"),
    "strangers": (HEAD + "@hookimpl\ndef chroma_stages(): return [dict]", "dict, wanted classes"),
    "abstract": (
        "from chroma_core.stages import Features\n" + HEAD + "class Half(Features):\n"
        "    name = 'half'\n    width = 1\n@hookimpl\ndef chroma_stages(): return [Half]",
        "stage Half lacks extract, grid",
    ),
    "nameless": (
        "from chroma_core.stages import Refiner\n" + HEAD + "class Half(Refiner):\n"
        "    def reach(self, scale): return 0\n    def refine(self, lab, scene): return lab\n"
        "@hookimpl\ndef chroma_stages(): return [Half]",
        "stage Half has the name None",
    ),
    "name": (rival("Not A Name"), "has the name 'Not A Name', wanted words joined by hyphens"),
    "colon": (rival("other:name"), "has the name 'other:name'"),
    "role": (
        GOOD.replace("class Stage(NoRefiner):", "class Stage(NoRefiner):\n    role = 'x'"),
        "'x'",
    ),
    "options": (GOOD + "Stage.Options = dict", "Options that do not derive"),
    "default": (
        "from dataclasses import dataclass\nfrom chroma_core.options import Options, option\n"
        "@dataclass(frozen=True, kw_only=True)\nclass O(Options):\n"
        "    n: int = option(-1, 'n', ge=0)\n" + GOOD + "Stage.Options = O",
        "n is -1",
    ),
    "twice": (GOOD.replace("[Stage]", "[Stage, type('Twin', (Stage,), {})]"), "called stranger"),
    "models": (HEAD + "@hookimpl\ndef chroma_models(): return ['here']", "'here', wanted paths"),
    "repr": (
        HEAD + "class R:\n    def __repr__(self): raise ValueError('hm')\n"
        "@hookimpl\ndef chroma_stages(): return [R()]",
        "ValueError: hm",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_plugin_that_offers_nonsense_is_kept_with_its_story(plugin, case):
    source, said = WRONG[case]
    registry = Registry([CORE, plugin(source)])

    story = story_of(registry, "plugin1")

    assert re.search(said, story.problem), story.problem
    assert not story.loaded
    assert registry.find_stage("features", "position") is PositionFeatures


def test_an_object_may_be_a_plugin(plugin):
    class Offer:
        @hookimpl
        def chroma_stages(self):
            return (NoRefiner,)

    registry = Registry([])
    registry.register(Offer(), distribution="mine", version="0.1")

    assert registry.find_stage("refiner", "none") is NoRefiner
    assert registry.plugin_stories() == [
        PluginStory(
            plugin="Offer",
            module=__name__,
            distribution="mine",
            version="0.1",
            problem="",
            loaded=True,
            seconds=registry.plugin_stories()[0].seconds,
        )
    ]


def test_a_broken_plugin_cannot_be_registered():
    registry = Registry([])

    with pytest.raises(PluginError, match="offers nothing"):
        registry.register(SimpleNamespace(), distribution="mine")

    assert registry.plugin_stories() == []


def test_models_of_plugins_are_found(plugin, tmp_path):
    source = HEAD + f"@hookimpl\ndef chroma_models(): return [Path({str(tmp_path / 'm')!r})]"
    ours = plugin(source, DISTRIBUTION)
    registry = Registry([plugin(source, "other"), ours])

    assert [folder.name for folder in registry.models()] == ["m", "other:m"]
    assert [folder.name for folder in registry.models(shipped_only=True)] == ["m"]
    assert registry.model_folders() == [tmp_path / "m"] * 2


# --- libraries -----------------------------------------------------------------------------------


class NeedsMore(NoRefiner):
    name = "needs-more"
    requires = ("numpy", "no_such_library", "no_such_parent.child")
    extra = "opencv"


def test_a_stage_without_its_library_is_found_and_says_what_brings_it():
    class Offer:
        @hookimpl
        def chroma_stages(self):
            return [NeedsMore]

    registry = Registry([])
    registry.register(Offer())

    assert registry.find_stage("refiner", "needs-more") is NeedsMore
    assert registry.installed_stages()[0].missing == ("no_such_library", "no_such_parent.child")
    with pytest.raises(PluginError, match="refiner needs-more needs no_such_library") as caught:
        require_libraries(NeedsMore)
    assert caught.value.hint == "pip install 'chroma-colorize[opencv]'"
    assert caught.value.exit_status == 69


def test_a_stand_in_for_a_library_counts(monkeypatch):
    monkeypatch.setitem(sys.modules, "no_such_library", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "no_such_parent.child", None)

    assert missing_libraries(NeedsMore) == ("no_such_parent.child",)


def test_a_stage_that_has_its_libraries_is_let_pass():
    require_libraries(PositionFeatures)


# --- P9: global state ----------------------------------------------------------------------------


def test_a_hostile_neighbour_does_not_change_what_others_do(plugin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    source = (
        "import os, warnings, numpy\n"
        f"os.chdir({str(tmp_path / 'elsewhere')!r})\n"
        "numpy.seterr(all='raise')\nnumpy.random.seed(3)\nwarnings.simplefilter('ignore')\n"
    )
    before = np.geterr()
    with warnings.catch_warnings():
        registry = Registry([CORE, plugin(source + GOOD)])
        stage = registry.find_stage("refiner", "stranger")

    assert os.getcwd() == str(tmp_path)
    assert np.geterr() == before
    check_stage(stage())
    check_stage(registry.find_stage("features", "position")())


def test_a_plugin_may_not_set_signal_handlers(plugin):
    source = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + GOOD
    registry = Registry([plugin(source)])

    assert "signal only works in main thread" in registry.plugin_stories()[0].problem


def test_threads_get_one_and_the_same_registry(plugin):
    slow = plugin("import time\ntime.sleep(0.1)\n" + GOOD)
    registry = Registry([CORE, slow])
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(registry.find_stage("refiner", "stranger")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert len(set(found)) == 1


# --- what is installed ---------------------------------------------------------------------------


def test_every_shipped_plugin_loads_and_no_name_is_taken():
    assert [story for story in plugin_stories() if story.problem] == []
    names = {story.plugin for story in plugin_stories()}
    assert {"core", "opencv", "tensorflow", "models"} <= names


def test_the_stages_of_the_core_are_installed():
    assert {
        "colorspace lab",
        "features patch",
        "features lightness",
        "features position",
        "features whole",
        "features none",
        "regressor ridge",
        "regressor dense",
        "regressor none",
        "refiner none",
        "refiner seed",
        "refiner ratio",
        "refiner intensity",
        "refiner guided",
        "refiner joint-bilateral",
        "features sift",
        "regressor tf-dense",
    } <= {f"{info.role} {info.name}" for info in installed_stages()}
    assert find_stage("features", "position") is PositionFeatures
    assert all(folder.is_dir() for folder in model_folders())


def test_a_plugin_can_be_registered_for_the_whole_program():
    class Offer:
        @hookimpl
        def chroma_stages(self):
            return [NeedsMore]

    # The registry of the program outlives the test: nothing is left in it.
    registry = default_registry()
    before = list(registry._registered)
    try:
        register(Offer(), distribution="mine")
        assert find_stage("refiner", "needs-more") is NeedsMore
    finally:
        registry._registered[:] = before


def test_every_hook_is_described_and_known_to_the_guard():
    hooks = {
        name: hook
        for name, hook in vars(hookspecs).items()
        if inspect.isfunction(hook) and hasattr(hook, "chroma_spec")
    }

    assert set(hooks) == set(plugin_guard.HOOKS)
    assert all(inspect.getdoc(hook) for hook in hooks.values())


def test_finding_the_core_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from chroma_core.plugins import installed_stages\n"
        "assert installed_stages()\n"
        "print([name for name in ('cv2', 'tensorflow', 'hypothesis') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )

    assert done.stdout == "[]\n"


def test_one_line_keeps_its_promise_for_every_error():
    assert one_line(ValueError("a\0b\u2028c")) == "ValueError: a b c"
    assert one_line(PluginError("what", hint="do")) == "what (do)"
    assert len(one_line(ValueError("\U0001f600" * 10**6)).encode()) <= 400

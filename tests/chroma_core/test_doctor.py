"""``chroma doctor`` tells what is there, and nothing that is wrong stops it."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace

import pytest

from chroma_core import doctor
from chroma_core.cli.program import run_program
from chroma_core.errors import ModelFormatError, PluginError
from chroma_core.models import list_models
from chroma_core.plugins import PluginStory
from chroma_core.version import VERSION


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for variable in ("CHROMA_MAX_PIXELS", "CHROMA_TIMEOUT", "CHROMA_RETRIES"):
        monkeypatch.delenv(variable, raising=False)


def told(capsys):
    """Return what the program prints as JSON, and its exit status."""
    status = run_program(["doctor", "--json"])
    return json.loads(capsys.readouterr().out), status


def test_everything_is_told_and_every_shipped_model_colours_a_picture(capsys):
    found, status = told(capsys)

    assert (found["problems"], status) == ([], 0)
    assert found["versions"]["chroma"] == VERSION
    assert all(found["versions"].values())
    assert {"opencv", "tensorflow", "train", "onnx", "heic"} == set(found["extras"])
    assert {plugin["name"] for plugin in found["plugins"]} >= {"core", "models"}
    assert {model["name"] for model in found["models"]} == {m.name for m in list_models()}
    assert all(model["works"] for model in found["models"])
    assert {model["regressor"] for model in found["models"]} == {"dense", "onnx"}
    assert found["threads"]["cores"] >= 1


def test_people_are_told_the_same(capsys):
    assert run_program(["doctor"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "nothing is wrong"
    assert any(line.startswith("limit") and "178,956,970 (default)" in line for line in lines)


def test_a_limit_says_where_it_comes_from(monkeypatch, capsys):
    monkeypatch.setenv("CHROMA_MAX_PIXELS", "400M")
    monkeypatch.setenv("CHROMA_TIMEOUT", "9")

    limits = {limit["name"]: limit for limit in told(capsys)[0]["limits"]}

    assert limits["max_pixels"] == {
        "name": "max_pixels",
        "value": 400_000_000,
        "variable": "CHROMA_MAX_PIXELS",
        "source": "environment",
    }
    assert (limits["timeout"]["value"], limits["timeout"]["source"]) == (9.0, "environment")
    assert (limits["max_side"]["value"], limits["max_side"]["source"]) == (1_000_000, "default")


@pytest.mark.parametrize("variable", ["CHROMA_MAX_PIXELS", "CHROMA_TIMEOUT"])
def test_a_bad_variable_is_a_problem(monkeypatch, capsys, variable):
    monkeypatch.setenv(variable, "many")

    found, status = told(capsys)

    assert status == 69
    assert any(variable in problem for problem in found["problems"])


class Installed:
    """A distribution, as its metadata tell of it."""

    def __init__(self, name, version):
        self.metadata, self.version = {"Name": name}, version


@pytest.mark.parametrize(
    ("names", "problems"),
    [
        (["numpy", "opencv-python"], 0),
        (["opencv_python", "opencv-contrib-python-headless"], 1),
        (["opencv-stubs", "my-opencv-python"], 0),
    ],
)
def test_two_distributions_of_opencv_are_named(monkeypatch, names, problems):
    installed = [Installed(name, "4.10") for name in names]
    monkeypatch.setattr(doctor.metadata, "distributions", lambda: installed)
    monkeypatch.setattr(doctor, "list_models", list)

    found = doctor.examine()

    assert len(found.problems) == problems
    if problems:
        assert "opencv-contrib-python-headless 4.10, opencv-python 4.10" in found.problems[0]


def test_a_broken_and_a_slow_plugin_are_problems(monkeypatch):
    story = {"module": "m", "distribution": "dist", "version": "1", "loaded": False}
    stories = [
        PluginStory(plugin="broken", problem="ImportError: no", seconds=0.0, **story),
        PluginStory(plugin="slow", problem="", seconds=30.0, **story),
    ]
    monkeypatch.setattr(doctor, "plugin_stories", lambda **how: stories)
    monkeypatch.setattr(doctor, "list_models", list)

    problems = doctor.examine().problems

    assert problems == [
        "plugin broken of dist: ImportError: no",
        "plugin slow takes 30.0 s to load",
    ]


@pytest.mark.parametrize(
    ("error", "problems"),
    [
        (PluginError("needs cv2", hint="install it"), 0),
        (ModelFormatError("is damaged"), 1),
        (RuntimeError("a\nbug"), 1),
    ],
)
def test_a_model_that_does_not_work_is_told_with_its_reason(monkeypatch, error, problems):
    def fail(**wanted):
        raise error

    monkeypatch.setattr(doctor, "build", fail)

    found = doctor.examine()

    assert not any(model["works"] for model in found.models)
    assert len(found.problems) == problems * len(found.models)
    assert all("\n" not in model["problem"] for model in found.models)
    json.dumps(asdict(found), allow_nan=False)


@pytest.mark.parametrize("text", ["-1", "inf", "nan"])
def test_a_number_that_no_time_can_be_is_a_problem(monkeypatch, text):
    monkeypatch.setenv("CHROMA_TIMEOUT", text)
    monkeypatch.setattr(doctor, "list_models", list)

    found = doctor.examine()

    assert found.problems == [f"CHROMA_TIMEOUT is {text!r}, wanted a number of at least 0"]
    (timeout,) = (limit for limit in found.limits if limit["name"] == "timeout")
    assert timeout["value"] == 600.0


V2, V1 = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
MEMINFO = "MemTotal:       2000 kB\nMemFree:        100 kB\nMemAvailable:    500 kB\n"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({}, (None, None, None)),
        ({"/proc/meminfo": MEMINFO}, (2_048_000, 512_000, None)),
        ({"/proc/meminfo": MEMINFO.replace("Available", "Guess")}, (2_048_000, None, None)),
        ({"/proc/meminfo": "no such thing"}, (None, None, None)),
        ({V2: "1048576\n"}, (None, None, 1_048_576)),
        ({V2: "max\n"}, (None, None, None)),
        ({V1: "1048576\n"}, (None, None, 1_048_576)),
        ({V2: "max\n", V1: f"{2**63 - 4096}\n"}, (None, None, None)),
    ],
    ids=["no Linux", "Linux", "old", "strange", "version 2", "no limit", "version 1", "neither"],
)
def test_memory_is_what_the_system_says_of_it(monkeypatch, files, wanted):
    def opened(path, **how):
        if path not in files:
            raise FileNotFoundError(path)
        return io.StringIO(files[path])

    monkeypatch.setattr(doctor, "open", opened, raising=False)
    monkeypatch.setattr(doctor, "list_models", list)

    memory = doctor.examine().memory

    assert (memory["total"], memory["available"], memory["allowed"]) == wanted


def test_cores_are_those_of_the_machine_where_a_process_has_no_own(monkeypatch):
    monkeypatch.delattr(doctor.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 48)
    monkeypatch.setattr(doctor, "list_models", list)

    assert doctor.examine().threads["cores"] == 48


def test_a_model_that_cannot_be_read_is_not_tried(monkeypatch):
    def tried(**wanted):
        raise AssertionError("tried for nothing")

    broken = replace(list_models()[0], problem="has no weights")
    monkeypatch.setattr(doctor, "list_models", lambda: [broken])
    monkeypatch.setattr(doctor, "build", tried)

    found = doctor.examine()

    assert found.problems == [f"model {broken.name}: has no weights"]
    assert [model["works"] for model in found.models] == [False]


def test_a_model_that_leaves_pictures_gray_does_not_work(monkeypatch):
    monkeypatch.setattr(doctor, "build", lambda **wanted: lambda picture: picture)
    monkeypatch.setattr(doctor, "list_models", lambda: list_models()[:1])

    (problem,) = doctor.examine().problems

    assert problem.endswith("it gives (64, 64), uint8")

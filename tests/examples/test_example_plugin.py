"""The example plugin is a stranger: built, installed and found as any other distribution."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chroma_core.plugins import Registry
from chroma_core.testing import check_stage

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = CHECKOUT / "examples" / "chroma-example-plugin"
HOW_TO = CHECKOUT / "docs" / "how-to" / "write-a-plugin.md"
BLOCK = re.compile(r'^```\w+ title="(?P<file>[^"]+)"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)

# What architecture allows a plugin to import of chroma.
PUBLIC = {
    "arrays",
    "color",
    "errors",
    "filters",
    "models",
    "options",
    "plugins",
    "stages",
    "testing",
}


def sources():
    return sorted(EXAMPLE.rglob("*.py"))


def test_the_how_to_prints_the_files_as_they_are():
    printed = {found["file"]: found["text"] for found in BLOCK.finditer(HOW_TO.read_text("utf-8"))}

    code = {str(path.relative_to(EXAMPLE)) for path in sources()}
    assert set(printed) == code | {"pyproject.toml"}
    for name, text in printed.items():
        assert text == (EXAMPLE / name).read_text("utf-8"), name


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_only_public_parts_of_chroma_are_imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chroma_core"):
            assert (node.module or "").split(".")[1] in PUBLIC
        if isinstance(node, ast.Import):
            assert not any(name.name.startswith("chroma_core") for name in node.names)


@pytest.fixture
def example(monkeypatch):
    """Return the plugin's module, imported from the checkout."""
    monkeypatch.syspath_prepend(EXAMPLE)
    yield importlib.import_module("chroma_example.plugin")
    for name in [name for name in sys.modules if name.startswith("chroma_example")]:
        del sys.modules[name]


def test_law_its_stages_keep_the_contract(example):
    for stage in example.chroma_stages():
        check_stage(stage())


def test_it_can_be_registered(example):
    registry = Registry()
    registry.register(example, distribution="chroma-example-plugin")

    assert registry.find_stage("features", "structure") is example.StructureFeatures
    assert registry.find_stage("refiner", "fade") is example.FadeRefiner


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """Return an environment in which the built distribution is installed beside chroma."""
    if importlib.util.find_spec("hatchling") is None or importlib.util.find_spec("pip") is None:
        pytest.skip("needs pip and hatchling to build without a network")
    root = tmp_path_factory.mktemp("example")
    source, target = root / "source", root / "site"
    # From a copy: a build leaves files beside what it builds.
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", *offline, "--target", target, source],
        check=True,
        capture_output=True,
        timeout=300,
    )
    assert (target / "chroma_example" / "plugin.py").is_file()
    return {**os.environ, "PYTHONPATH": f"{target}{os.pathsep}{CHECKOUT}"}


def run(environment, *words, cwd):
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cwd,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_its_stages_are_listed_with_their_distribution(installed, tmp_path):
    listed = run(installed, "-m", "chroma_core", "stages", cwd=tmp_path)

    assert re.search(r"^features +structure +chroma-example-plugin 0\.1\.0", listed, re.MULTILINE)
    assert re.search(r"^refiner +fade +chroma-example-plugin 0\.1\.0", listed, re.MULTILINE)
    assert "problem" not in listed


@pytest.mark.slow
def test_its_options_are_shown(installed, tmp_path):
    shown = run(installed, "-m", "chroma_core", "stages", "fade", cwd=tmp_path)

    assert "fade.shadows=10" in shown
    assert "colour fades below this lightness" in shown


@pytest.mark.slow
def test_its_stages_colour_a_picture(installed, tmp_path):
    program = (
        "import numpy as np, chroma_core\n"
        "gray = np.linspace(0, 255, 48 * 64).reshape(48, 64).astype(np.uint8)\n"
        "made = chroma_core.colorize(gray, features='structure', regressor='none',\n"
        "                            refiner='fade', settings={'fade.shadows': '20'})\n"
        "print(made.shape, made.dtype, (made[..., 0] == gray).all())\n"
    )

    assert run(installed, "-c", program, cwd=tmp_path) == "(48, 64, 3) uint8 True\n"


@pytest.mark.slow
def test_its_own_tests_pass_against_what_was_installed(installed, tmp_path):
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    shutil.copy(EXAMPLE / "pyproject.toml", tmp_path)

    told = run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)

    assert re.search(r"^[1-9]\d* passed", told, re.MULTILINE)

"""What the pages say is there, is there: links, pictures, commands, options, code."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer

from chroma_core.cli.program import app
from chroma_core.demo import demo_photographs
from chroma_core.options import describe_options
from chroma_core.pictures.write import write_picture
from chroma_core.plugins import installed_stages, model_folders
from chroma_core.stages import TrainableRegressor

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
INLINE = re.compile(r"`chroma ([a-z]\w*)[^`]*`")
LARGEST_PICTURE = 150_000
RUN = ("README.md", "docs/how-to/use-the-library.md", "docs/tutorial/first-picture.md")
"""Pages whose Python blocks are run; those of the others are compiled."""


def commands():
    return typer.main.get_command(app).commands


def chroma_calls(documentation):
    """Yield page and words of each call of chroma in a shell block."""
    for block in documentation.blocks("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\|", line):
                words = shlex.split(part, comments=True)
                if "chroma" in words and words[0] in ("chroma", "uv"):
                    ends = [words.index(mark) for mark in (">", "<", "|") if mark in words]
                    yield block.page, words[words.index("chroma") + 1 : min(ends, default=None)]


def test_links_and_pictures_exist(documentation):
    missing = []
    for page in documentation.pages():
        for target in LINK.findall(re.sub(r"```.*?```", "", documentation.text(page), flags=re.S)):
            path = target.partition("#")[0]
            if path and "://" not in path and not (page.parent / path).exists():
                missing.append(f"{page.relative_to(documentation.root)}: {target}")

    assert not missing


def test_pictures_are_small_and_shown(documentation):
    texts = "".join(documentation.text(page) for page in documentation.pages())

    pictures = sorted((documentation.root / "docs" / "assets").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < LARGEST_PICTURE, picture.name
        assert picture.name in texts, f"{picture.name} is shown nowhere"


def test_calls_in_shell_blocks_are_what_the_commands_take(documentation):
    calls = list(chroma_calls(documentation))

    assert len(calls) > 20
    for page, (name, *words) in calls:
        assert name in commands(), f"{page}: chroma {name}"
        try:
            commands()[name].make_context(name, list(words))
        except Exception as error:
            pytest.fail(f"{page}: chroma {name} {shlex.join(words)}: {error}")


def test_stages_models_and_options_in_shell_blocks_exist(documentation):
    infos = installed_stages()
    names = {info.role: {i.name for i in infos if i.role == info.role} for info in infos}
    options = {f"{info.name}.{option.name}" for info in infos for option in info.options}
    for info in infos:
        if issubclass(info.stage, TrainableRegressor):
            trained = describe_options(info.stage.TrainOptions)
            options |= {f"train.{option.name}" for option in trained}
    models = {folder.name for folder in model_folders()}

    for page, words in chroma_calls(documentation):
        for option, value in pairwise(words):
            where = f"{page}: {option} {value}"
            if option in ("--features", "--regressor", "--refiner", "--colorspace"):
                assert set(value.split(",")) <= names[option.removeprefix("--")], where
            if option == "--model" and "/" not in value:
                assert value in models, where
            if option == "--set":
                assert value.partition("=")[0] in options, where


def test_commands_named_in_sentences_exist(documentation):
    for page in documentation.pages():
        for name in INLINE.findall(documentation.text(page)):
            assert name in commands(), f"{page.name}: chroma {name}"


def test_python_blocks_compile(documentation):
    blocks = list(documentation.blocks("python"))

    assert len(blocks) > 5
    for block in blocks:
        compile(block.text, str(block.page), "exec")


@pytest.mark.opencv
@pytest.mark.parametrize("page", RUN)
def test_python_blocks_run(documentation, tmp_path, page):
    """Each block as a program of its own, one after the other, beside a small picture."""
    if importlib.util.find_spec("cv2") is None:
        pytest.skip("OpenCV is not installed")
    rows, columns = np.mgrid[0:48, 0:64]
    write_picture((rows * 2 + columns).astype(np.uint8), tmp_path / "photo.jpg")
    (tmp_path / "ab").mkdir()
    for channel in "ab":
        np.save(tmp_path / "ab" / f"girl.{channel}.npy", np.zeros((12, 16), np.float32))
    blocks = [block.text for block in documentation.blocks("python", page)]

    assert blocks
    program = "import json, sys\nfor text in json.load(sys.stdin):\n    exec(text, {})\n"
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=json.dumps(blocks),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr


def test_modules_of_the_reference_exist(documentation):
    found = []
    for page in sorted((documentation.root / "docs" / "reference" / "api").glob("*.md")):
        found += re.findall(r"^::: (\S+)", documentation.text(page), re.MULTILINE)

    assert len(found) == len(set(found)) > 12
    for module in found:
        assert importlib.util.find_spec(module), module


def test_every_demo_photograph_is_credited(documentation):
    notice = documentation.text("NOTICE")

    for path in demo_photographs():
        assert path.name in notice


def test_no_page_names_a_place_on_one_machine(documentation):
    for page in documentation.pages():
        found = re.findall(r"(?<![\w.])/(?:tmp|work|root|home)/\S*", documentation.text(page))
        assert not found, f"{Path(page).name}: {found}"

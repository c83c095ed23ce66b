"""Pages that scripts make are what the scripts would make today."""

from __future__ import annotations

import importlib.util
import re
import sys

import numpy as np
import pytest


@pytest.fixture
def script(documentation, monkeypatch):
    def load(name):
        path = documentation.root / "docs" / "scripts" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize("name", ["cli", "stages"])
def test_page_is_what_its_script_makes(documentation, script, name):
    made = script(f"make_{name}_page").page()

    again = f"python docs/scripts/make_{name}_page.py docs/reference/{name}.md"
    assert documentation.text(f"docs/reference/{name}.md") == made, f"run: {again}"


def test_command_page_has_every_command(documentation, script):
    text = documentation.text("docs/reference/cli.md")

    for name in script("make_cli_page").command_names():
        assert f"\n## chroma {name}\n" in text


def test_readme_lists_every_command_once(documentation, script):
    listed = re.findall(r"^\| `chroma (\w+)` \|", documentation.text("README.md"), re.MULTILINE)

    assert sorted(listed) == sorted(script("make_cli_page").command_names())


def numbers(text):
    return np.array([float(number) for number in re.findall(r"(?<![\w.])-?\d+\.\d+", text)])


def test_figures_of_refiners_are_measured(documentation, script):
    made = script("refinement_figures").row_of("coffee")
    text = documentation.text("docs/scripts/refinement_figures.md")
    printed = next(line for line in text.splitlines() if line.startswith("| coffee "))

    # Printed to two digits at most; the last one may turn with another NumPy.
    np.testing.assert_allclose(numbers(printed), numbers(made), atol=0.11)


def test_figures_of_colours_are_measured(documentation, script):
    made = script("colour_figures").figures().splitlines()
    printed = documentation.text("docs/scripts/colour_figures.md").splitlines()

    assert [row.split("|")[1] for row in made] == [row.split("|")[1] for row in printed]
    # Rounding differs a little between builds of NumPy: a round trip is exact to some 1e-14.
    for row, old in zip(made, printed, strict=True):
        np.testing.assert_allclose(numbers(row), numbers(old), rtol=1e-3, atol=1e-12)


def test_only_chroma_keeps_what_ten_pictures_carry(documentation, script):
    """The other columns depend on the versions of Pillow and OpenCV; chroma's may not lose."""
    made = script("compare_reading").figures().splitlines()[2:]
    printed = documentation.text("docs/scripts/compare_reading.md").splitlines()[2:]

    assert len(made) == 10
    for row, stated in zip(made, printed, strict=True):
        picture, cell = (part.strip() for part in row.split("|")[1:3])
        assert "**" not in cell, row
        assert stated.startswith(f"| {picture} | "), stated
        kept = re.sub(r"\d+\.\d+", "#", stated.split("|")[2].strip())
        assert re.sub(r"\d+\.\d+", "#", cell) == kept

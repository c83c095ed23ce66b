"""What the rooms may import, beyond the arrows that import-linter checks (pyproject.toml).

import-linter knows which of our rooms imports which. It does not say which other libraries a room
may import, nor where in a file an import stands. Both matter: the mathematics must run on NumPy
alone, one room alone opens picture files, and nothing heavy may be imported before it is needed.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import chroma_core

CHECKOUT = Path(__file__).resolve().parents[1]
OURS = {"chroma_core", "chroma_opencv", "chroma_tensorflow", "chroma_onnx", "chroma_models"}
HEAVY = {
    "cv2",
    "imagecodecs",
    "keras",
    "matplotlib",
    "onnxruntime",
    "PIL",
    "pyarrow",
    "scipy",
    "simplejpeg",
    "tensorflow",
    "tifffile",
}
ALLOWED = {
    "chroma_core/arrays.py": {"numpy"},
    "chroma_core/color": {"numpy"},
    "chroma_core/filters": {"numpy"},
    "chroma_core/colorspaces": {"numpy"},
    "chroma_core/features": {"numpy"},
    "chroma_core/refiners": {"numpy"},
    "chroma_core/regressors": {"numpy"},
    "chroma_core/errors.py": set(),
    "chroma_core/options.py": set(),
    "chroma_core/stages.py": {"numpy"},
    "chroma_core/pipeline.py": {"numpy"},
    "chroma_core/cli": {"typer", "rich"},
}


def sources(*folders: str) -> list[Path]:
    """Return the Python files below folders of the project, or the file itself."""
    found: list[Path] = []
    for folder in folders or ("chroma_core", *(f"plugins/{name}" for name in sorted(OURS))):
        path = CHECKOUT / folder
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the first part of the name of each module that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.partition(".")[0]


def at_the_top(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements that run when a module is imported."""
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_no_library_but_its_own(room):
    standard = sys.stdlib_module_names | OURS
    strange = {
        f"{path.relative_to(CHECKOUT)}: {name}"
        for path in sources(room)
        for name in imported(ast.parse(path.read_text()))
        if name not in standard | ALLOWED[room]
    }

    assert sources(room)
    assert not strange


def test_nothing_heavy_is_imported_when_a_module_is():
    early = {
        f"{path.relative_to(CHECKOUT)}: {name}"
        for path in sources()
        for node in at_the_top(ast.parse(path.read_text()))
        for name in imported(node)
        if name in HEAVY
    }

    # The decoders live behind `read_picture`, which is imported whenever a picture is read.
    assert not {entry for entry in early if not entry.startswith("chroma_core/pictures/")}


def test_one_room_alone_opens_picture_files():
    codecs = {"PIL", "tifffile", "imagecodecs", "simplejpeg"}
    users = {
        str(path.relative_to(CHECKOUT)): path.read_text()
        for path in sources("chroma_core")
        if codecs & set(imported(ast.parse(path.read_text())))
    }
    outside = {path: text for path, text in users.items() if "chroma_core/pictures/" not in path}

    # The report encodes thumbnails of arrays that it holds; it opens no file.
    assert set(outside) <= {"chroma_core/evaluation/gallery.py"}
    assert not [path for path, text in outside.items() if ".open(" in text or "imread" in text]


def test_no_module_is_named_for_nothing():
    names = {path.stem for path in sources()}

    assert not names & {"utils", "util", "helpers", "common", "misc"}


def test_no_code_of_a_file_is_ever_run():
    """Models and shards may be hostile: nothing that can run what it reads (threat M7)."""
    forbidden = {"pickle", "dill", "joblib", "shelve", "marshal"}
    callers = {
        f"{path.relative_to(CHECKOUT)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (
            ast.unparse(node.func) in {"eval", "exec"}
            or any(
                word.arg == "allow_pickle" and ast.unparse(word.value) != "False"
                for word in node.keywords
            )
        )
    }
    importers = {
        str(path.relative_to(CHECKOUT))
        for path in sources()
        if forbidden & set(imported(ast.parse(path.read_text())))
    }

    assert not callers
    assert not importers


PROGRAM = "from chroma_core.cli.program import run_program\n"


def loaded_after(statement: str) -> set[str]:
    """Return which of the heavy libraries a fresh interpreter holds after a statement."""
    program = f"import sys\n{statement}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


def test_importing_the_package_imports_no_array_library():
    loaded = loaded_after("import chroma_core; chroma_core.__version__; dir(chroma_core)")

    assert "chroma_core" in loaded
    assert not loaded & (HEAVY | {"numpy", "typer", "pluggy"})


def test_help_imports_no_array_library():
    loaded = loaded_after(
        "from chroma_core.cli.program import run_program; run_program(['--help'])"
    )

    assert "typer" in loaded
    assert not loaded & (HEAVY | {"numpy"})


def test_listing_stages_imports_no_stage_s_library():
    loaded = loaded_after(
        "from chroma_core.cli.program import run_program; run_program(['stages'])"
    )

    assert {"numpy", "chroma_opencv", "chroma_tensorflow"} <= loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", chroma_core.__all__)
def test_every_exported_name_is_there_and_says_what_it_is(name):
    member = getattr(chroma_core, name)

    assert name in dir(chroma_core)
    if inspect.isclass(member) or inspect.isfunction(member):
        assert inspect.getdoc(member)
        assert member.__module__.startswith("chroma_core.")


def test_exports_are_the_names_that_type_checkers_see():
    """The three lists of `chroma_core/__init__.py` say the same."""
    tree = ast.parse(inspect.getsource(chroma_core))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.asname or alias.name: node.module
        for node in ast.walk(blocks[0])
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: home for home, names in chroma_core._HOMES.items() for name in names}

    assert seen.pop("__version__") == "chroma_core.version"
    assert seen == homes
    assert sorted([*homes, "__version__"]) == sorted(chroma_core.__all__)
    assert len(set(chroma_core.__all__)) == len(chroma_core.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="colourize"):
        chroma_core.colourize  # noqa: B018


def test_public_modules_say_what_they_export():
    """Every module has a docstring; one with public names lists them."""
    silent = []
    for path in sources("chroma_core"):
        tree = ast.parse(path.read_text())
        if ast.get_docstring(tree) is None:
            silent.append(f"{path.relative_to(CHECKOUT)}: no docstring")
        listed = any("__all__" in ast.unparse(node) for node in tree.body)
        command = path.parent.name == "cli"
        public = [
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        ]
        if public and not listed and not command:
            silent.append(f"{path.relative_to(CHECKOUT)}: no __all__")

    assert not silent


def test_what_all_names_exists():
    wrong = []
    for path in sources("chroma_core"):
        name = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)
        if name.endswith("__main__") or "worker" in name:
            continue
        module = importlib.import_module(name.removesuffix(".__init__"))
        exported = getattr(module, "__all__", [])
        wrong += [f"{name}: {entry}" for entry in exported if not hasattr(module, entry)]

    assert not wrong

"""One family, one line each, an exit status that is part of the interface."""

import inspect
import re

import pytest

from chroma_core import errors
from chroma_core.errors import ChromaError, PictureError

CLASSES = [kind for kind in vars(errors).values() if inspect.isclass(kind)]


def test_the_drawing_in_the_docstring_is_the_tree():
    drawn = {}
    path = []
    for line in errors.__doc__.splitlines():
        found = re.match(r"    ([│ ]*)(?:[├└]── )?(\w+)(?: \((\w+)\))?", line)
        if not found or not ("──" in line or line.strip() == "ChromaError"):
            continue
        depth = line.index(found[2]) // 4 - 1
        path[depth:] = [found[2]]
        drawn[found[2]] = (path[depth - 1] if depth else "", found[3] or "")

    assert len(drawn) == len(CLASSES)
    for kind in CLASSES:
        parent, builtin = drawn[kind.__name__]
        bases = [base.__name__ for base in kind.__bases__]
        assert bases == [name for name in (parent or "Exception", builtin) if name]


def test_all_is_complete():
    assert sorted(errors.__all__) == sorted(kind.__name__ for kind in CLASSES)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_and_a_class(kind):
    error = kind("what came")

    # The statuses that the command line documents.
    assert error.exit_status in {2, 65, 66, 69, 70, 73, 74, 75, 78}
    assert re.fullmatch(r"[a-z-]+", error.kind)
    assert str(error) == "what came"


def test_the_line_has_path_what_and_hint():
    error = ChromaError("cut short", path="in.png", hint="copy it again")

    assert str(error) == "in.png: cut short (copy it again)"
    assert (error.what, error.path, error.hint) == ("cut short", "in.png", "copy it again")


def test_status_and_class_may_be_set_for_one_error():
    error = ChromaError("x", exit_status=75, kind="timeout")

    assert (error.exit_status, error.kind) == (75, "timeout")
    assert (ChromaError("y").exit_status, ChromaError("y").kind) == (70, "internal")


@pytest.mark.parametrize(("kind", "status"), PictureError.EXIT_STATUS_OF_KIND.items())
def test_the_status_of_a_picture_error_follows_from_its_kind(kind, status):
    assert PictureError("x", kind=kind).exit_status == status
    assert PictureError("x", kind=kind, exit_status=1).exit_status == 1


def test_an_unknown_kind_of_picture_error_is_our_mistake():
    with pytest.raises(KeyError):
        PictureError("x", kind="typo")

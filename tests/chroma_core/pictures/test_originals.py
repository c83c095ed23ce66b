"""An output is never the file that it is made from, by any name."""

from __future__ import annotations

import os

import pytest

from chroma_core.errors import PictureError
from chroma_core.pictures.originals import refuse_original


@pytest.mark.parametrize("by", ["name", "another way to the folder", "hard link", "symbolic link"])
def test_the_same_file_by_any_name_is_refused(tmp_path, by):
    original = tmp_path / "photo.png"
    original.write_bytes(b"mine")
    output = tmp_path / "link.png"
    if by == "name":
        output = original
    elif by == "another way to the folder":
        (tmp_path / "way").symlink_to(tmp_path)
        output = tmp_path / "way" / "photo.png"
    elif by == "hard link":
        os.link(original, output)
    else:
        output.symlink_to(original)

    with pytest.raises(PictureError) as caught:
        refuse_original(original, output)

    assert caught.value.kind == "is-input"
    assert caught.value.exit_status == 73


def test_another_file_a_new_one_and_a_missing_input_are_let_pass(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "b.png").write_bytes(b"a")

    refuse_original(tmp_path / "a.png", tmp_path / "b.png")
    refuse_original(tmp_path / "a.png", tmp_path / "new.png")
    refuse_original(tmp_path / "gone.png", tmp_path / "b.png")

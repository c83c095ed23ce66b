"""A batch that is killed at any moment ends, when it is run again, as if nothing had happened."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from PIL import Image

from chroma_core.batch.journal import JOURNAL_NAME
from tests.killing import FEW, MOMENTS, Forks, alive, moments, side_by_side

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

PICTURES = 60


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Return a folder of sixty small pictures of three formats, in two folders."""
    folder = tmp_path_factory.mktemp("scans")
    for place in range(PICTURES):
        rng = np.random.default_rng(place)
        coarse = Image.fromarray(rng.integers(0, 256, (4, 5), dtype=np.uint8))
        where = (
            folder
            / ("old" if place % 2 else "new")
            / f"{place:02d}.{['png', 'jpg', 'tif'][place % 3]}"
        )
        where.parent.mkdir(exist_ok=True)
        coarse.resize((72 + place, 54), Image.Resampling.BICUBIC).save(where)
    return folder


def contents(folder):
    """Return the files below a folder, by name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {os.fspath(path.relative_to(folder)): path.read_bytes() for path in files}


def batches():
    """Return a process that has imported what colours pictures."""
    modules = ("chroma_core.cli.program", "chroma_core.batch.color", "chroma_core.batch.run")
    return Forks(*modules, "chroma_core.regressors.ridge", "chroma_core.refiners.intensity")


@pytest.mark.parametrize(
    ("count", "by"),
    [
        (FEW, signal.SIGKILL),
        pytest.param(MOMENTS, signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param(20, signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_a_killed_batch_ends_in_the_same_bytes(scans, tiny_model, tmp_path, count, by):
    with batches() as one, batches() as other:

        def command(folder, workers):
            how = ("--model", tiny_model, "--recursive", "--workers", str(workers))
            return ("run", scans, "-o", folder, *how)

        whole = one.run(*command(tmp_path / "whole", 1), below=tmp_path)
        assert whole.status == 0, whole.said
        wanted = contents(tmp_path / "whole")
        del wanted[JOURNAL_NAME]
        assert len(wanted) == PICTURES

        def trial(forks, moment, own):
            out = own / "out"
            # Changes are counted in the process that gets the orders, so by two it is a time.
            workers = 1 if moment.change else 1 + len(own.name) % 2
            killed = forks.run(*command(out, workers), below=own, until=moment, by=by)
            ends = {0, -by} if by == signal.SIGKILL else {0, -by, 128 + by}
            assert killed.status in ends, killed.said
            for name, made in contents(out).items() if out.exists() else ():
                if not os.path.basename(name).startswith("."):
                    assert made == wanted[name], f"{name} is torn"
            again = forks.run(*command(out, workers), below=own)
            assert again.status == 0, again.said
            found = contents(out)
            assert found.pop(JOURNAL_NAME)
            assert found == wanted
            assert [path.name for path in own.iterdir()] == ["out"]
            assert alive(killed.session) == []

        side_by_side(trial, moments(whole, count, seed=3), tmp_path, (one, other))


@pytest.mark.parametrize("count", [FEW, pytest.param(MOMENTS, marks=pytest.mark.slow)])
def test_a_killed_batch_beside_its_pictures_leaves_nothing_that_stays(
    scans, tiny_model, tmp_path, count
):
    """No folder of its own, so no journal: the locks of files in the making tell what is left."""
    pictures = contents(scans / "new")

    with batches() as forks:

        def command(folder):
            return ("run", folder, "--model", tiny_model)

        def fresh(folder):
            folder.mkdir()
            for name, data in pictures.items():
                (folder / name).write_bytes(data)
            return folder

        whole = forks.run(*command(fresh(tmp_path / "whole")), below=tmp_path)
        assert whole.status == 0, whole.said
        wanted = contents(tmp_path / "whole")
        assert len(wanted) == PICTURES

        def trial(mine, moment, own):
            folder = fresh(own / "scans")
            killed = mine.run(*command(folder), below=folder, until=moment)
            assert killed.status in (0, -signal.SIGKILL), killed.said
            again = mine.run(*command(folder), below=folder)
            assert again.status == 0, again.said
            assert contents(folder) == wanted

        side_by_side(trial, moments(whole, count, seed=5), tmp_path, [forks])

"""``chroma run --report``."""

from __future__ import annotations

import csv

import pytest

from chroma_core.pictures.write import write_picture

PLAIN = ("--features", "none", "--regressor", "none")


@pytest.fixture
def scans(tmp_path, gray):
    """Return a folder of a good and a damaged picture."""
    folder = tmp_path / "scans"
    folder.mkdir()
    write_picture(gray, folder / "good.png")
    (folder / "bad.jpg").write_bytes(b"<html>")
    return folder


@pytest.mark.parametrize("workers", [1, 2])
def test_a_table_names_every_picture(chroma, scans, tmp_path, workers):
    table = tmp_path / "report.csv"

    outcome = chroma(
        "run", scans, "-o", tmp_path / "out", "--report", table, "--workers", workers, *PLAIN
    )

    assert outcome.status == 1
    bad, good = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    assert (bad["status"], bad["output"], bad["output_bytes"]) == ("failed", "", "")
    assert bad["reason"]
    assert good["status"] == "coloured"
    assert (good["width"], good["height"]) == ("120", "90")
    assert int(good["input_bytes"]) == (scans / "good.png").stat().st_size
    assert int(good["output_bytes"]) == (tmp_path / "out" / "good.png").stat().st_size


def test_a_page_can_be_written_and_a_wrong_name_costs_no_picture(chroma, scans, tmp_path, refused):
    wrong = chroma("run", scans, "-o", tmp_path / "out", "--report", tmp_path / "r.txt", *PLAIN)
    refused(wrong, 2, ".csv or .html")
    assert not list(tmp_path.glob("out/*.png"))

    chroma("run", scans, "-o", tmp_path / "out", "--report", tmp_path / "r.html", *PLAIN)
    assert "bad.jpg" in (tmp_path / "r.html").read_text()

    again = chroma("run", scans, "-o", tmp_path / "out", "--report", tmp_path / "r.html", *PLAIN)
    refused(again, 73, "there already")

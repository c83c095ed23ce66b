"""A report names every picture with what became of it, and is safe to open."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_core.batch.plan import Job
from chroma_core.batch.report import check_report, report_row, to_csv, to_html, write_report
from chroma_core.batch.run import Result
from chroma_core.errors import OptionError, PictureError


def result(name="a.png", status="ok", **more):
    """Return a result of a picture that lies nowhere."""
    return Result(job=Job(input=Path("in", name), output=Path("out", name)), status=status, **more)


class Page(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_every_outcome_has_its_word():
    bad = PictureError("cut short", kind="truncated", hint="scan it again")
    there = Job(input=Path("in/e.png"), output=Path("out/e.png"), exists=True)
    rows = [
        report_row(result(width=4, height=3, seconds=0.25)),
        report_row(result(status="skipped", note="already-colour", warnings=("in colour",))),
        report_row(result(note="already-colour", kept=True)),
        report_row(result(note="already-colour")),
        report_row(result(status="failed", error=bad)),
        report_row(Result(job=there, status="skipped")),
    ]

    assert [row.status for row in rows] == [
        "coloured",
        "already colour",
        "already colour",
        "coloured",
        "failed",
        "skipped",
    ]
    assert (rows[0].width, rows[0].height, rows[0].seconds) == (4, 3, 0.25)
    assert (rows[1].output, rows[4].output) == ("", "")
    assert (rows[4].reason, rows[4].hint) == ("cut short", "scan it again")
    assert rows[5].reason == "the result is there already"


def test_sizes_of_files_are_looked_up(tmp_path):
    (tmp_path / "a.png").write_bytes(b"12345")
    (tmp_path / "b.png").write_bytes(b"123")
    job = Job(input=tmp_path / "a.png", output=tmp_path / "b.png")

    row = report_row(Result(job=job, status="ok"))

    assert (row.input_bytes, row.output_bytes) == (5, 3)


NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=30)


@given(name=NAMES, reason=st.text(min_size=1, max_size=40))
def test_law_a_page_has_the_tags_that_we_wrote_and_no_others(name, reason):
    error = PictureError(reason, hint=reason)
    hostile = to_html([report_row(result(name, "failed", error=error))])
    tame = to_html([report_row(result("a", "failed", error=PictureError("b", hint="c")))])

    assert Page(hostile).tags == Page(tame).tags


@given(name=NAMES)
def test_law_a_table_has_one_line_a_picture_and_no_formulas(name):
    rows = list(csv.reader(io.StringIO(to_csv([report_row(result(name))]))))

    assert len(rows) == 2
    assert len(rows[0]) == len(rows[1])
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in rows[1])


def test_a_page_loads_nothing():
    page = Page(to_html([report_row(result("<img src=x onerror=alert(1)>.png"))]))

    assert not any(tag in ("script", "img", "link", "iframe") for tag, _ in page.tags)
    policy = [attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert "<img src=x onerror=alert(1)>.png" in page.text


def test_a_report_is_not_written_over_and_has_one_of_two_endings(tmp_path):
    path = write_report(tmp_path / "r.csv", [report_row(result())])
    with pytest.raises(PictureError, match="there already"):
        write_report(path, [])
    with pytest.raises(OptionError, match=r"\.csv or \.html"):
        write_report(tmp_path / "r.pdf", [])


def test_a_report_that_is_there_may_be_replaced_when_that_is_asked_for(tmp_path):
    for name in ("r.csv", "R.HTML"):
        (tmp_path / name).write_text("old")

        with pytest.raises(PictureError, match="there already"):
            check_report(tmp_path / name)
        check_report(tmp_path / name, "always")
    with pytest.raises(OptionError, match=r"\.csv or \.html"):
        check_report(tmp_path / "r.txt", "always")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"caf\xe9.png".decode("utf-8", "surrogateescape"), r"caf\xe9.png"),
        ("half \ud83d.png", r"half \ud83d.png"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("two\nlines.png", r"two\nlines.png"),
    ],
)
def test_names_that_cannot_be_printed_are_made_visible_in_both_reports(name, shown):
    row = report_row(result(name))

    assert shown in to_csv([row])
    assert shown in Page(to_html([row])).text
    to_csv([row]).encode("utf-8")
    to_html([row]).encode("utf-8")

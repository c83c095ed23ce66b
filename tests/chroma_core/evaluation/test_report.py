"""Reports: what they hold, that they can be read back, and that nothing in a name acts."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chroma_core.errors import InputError, PictureError
from chroma_core.evaluation.evaluate import METRICS, evaluate
from chroma_core.evaluation.gallery import Gallery
from chroma_core.evaluation.report import (
    CSV_COLUMNS,
    to_card,
    to_json,
    to_record,
    to_text,
    write_csv,
    write_html,
)

VOID = {"meta", "link", "img", "br"}
HOSTILE = '<script>alert(1)</script>" onload="x\x1b[31m,\n.png'


def truth(path):
    rng = np.random.default_rng(len(path.name))
    return rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)


def evaluated(names=("a.png", "bb.png"), gallery=None, **options):
    return evaluate(
        {"street": [Path("album") / name for name in names], "sea": [Path("sea/1.png")]},
        lambda gray: np.repeat(gray[..., np.newaxis] * np.float32(0.8), 3, axis=-1),
        mean_ab=(1.16, 6.07),
        read=options.pop("read", truth),
        watch=None if gallery is None else gallery.add,
        resamples=50,
        **options,
    )


class Page(HTMLParser):
    """Elements of a page with their attributes; fails on what is not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), "an attribute stands twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "script"}:
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def written(tmp_path, evaluation, gallery=None):
    write_html(tmp_path / "page.html", evaluation, gallery)
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_json_says_what_the_figures_are_and_how_they_were_made():
    evaluation = evaluated(label="sift-dense", facts={"model": "sift-dense"}, seed=3)
    record = json.loads(to_json(evaluation))
    street = record["sets"][0]

    assert [(item["name"], item["n"]) for item in record["sets"]] == [("street", 2), ("sea", 1)]
    assert "L*" in record["gray_input"]
    assert record["bootstrap"] == {"resamples": 50, "seed": 3, "level": 0.95}
    assert record["mean_ab"] == [1.16, 6.07]
    assert record["facts"] == {"model": "sift-dense"}
    assert list(street["metrics"]) == [metric.key for metric in METRICS]
    for key, found in street["metrics"].items():
        comparison = evaluation.sets[0].metrics[key]
        assert (found["gray"], found["ours"]) == (comparison.gray, comparison.ours)
        assert found["gain_over_gray"] == list(comparison.ours_minus_gray)
        assert found["gain_over_mean_colour"] == list(comparison.ours_minus_mean_colour)
    assert street["metrics"]["ciede2000"]["better"] == "lower"
    assert street["metrics"]["colourfulness"]["truth"] == evaluation.sets[0].truth_colourfulness


def test_json_has_null_where_a_gray_truth_has_no_ratio():
    evaluation = evaluated(read=lambda path: np.repeat(truth(path)[..., :1], 3, axis=-1))

    record = json.loads(to_json(evaluation))
    assert record["sets"][0]["metrics"]["colourfulness"]["ratio_to_truth"] is None


def test_csv_keeps_every_digit(tmp_path):
    evaluation = evaluated()
    write_csv(tmp_path / "rows.csv", evaluation)
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))

    assert tuple(lines[0]) == CSV_COLUMNS
    assert len(lines) == len(evaluation.rows)
    for line, row in zip(lines, evaluation.rows, strict=True):
        assert (line["set"], line["picture"]) == (row.set_name, row.picture)
        assert (int(line["height"]), int(line["width"])) == (row.height, row.width)
        assert float(line["colourfulness_truth"]) == row.truth_colourfulness
        for metric in METRICS:
            for way in ("gray", "mean_colour", "ours"):
                expected = getattr(getattr(row, way), metric.key)
                assert float(line[f"{metric.key}_{way}"]) == expected


def test_csv_holds_any_name(tmp_path):
    write_csv(tmp_path / "rows.csv", evaluated(names=[HOSTILE.replace("/", "_")]))
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))

    assert lines[0]["picture"] == HOSTILE.replace("/", "_")


def test_text_is_aligned_ascii_with_the_figures():
    evaluation = evaluated(label="sift-dense")
    text = to_text(evaluation)
    tables = re.findall(
        r"(?:^.*(?:gray  |PSNR|SSIM  |CIEDE2000  |Colourfulness  ).*\n){5}", text, re.M
    )
    street = evaluation.sets[0].metrics["psnr"]

    assert text.isascii()
    assert "street: 2 pictures" in text
    assert "sea: 1 picture\n" in text
    assert "Gray input made from the truth's L*" in text
    assert f"{street.gray:.2f}" in text
    assert f"{street.ours_minus_gray.mean:+.3f} [" in text
    assert len(tables) == 2
    for table in tables:
        assert len({len(line) for line in table.splitlines()}) == 1


def test_text_writes_no_minus_before_zero():
    text = to_text(
        evaluate(
            {"one": [Path("a.png")]},
            lambda gray: np.repeat(gray[..., np.newaxis], 3, axis=-1),
            mean_ab=(0.0, 0.0),
            read=truth,
            resamples=5,
        )
    )

    assert "-0.000" not in text


def test_text_escapes_what_could_steer_a_terminal():
    text = to_text(evaluated(label="red\x1b[31m\u202e"))

    assert "\x1b" not in text
    assert r"red\x1b[31m\u202e" in text


def test_reports_name_what_was_not_scored(tmp_path):
    def read(path):
        if path.name == "bb.png":
            raise PictureError("ends too early", kind="truncated")
        return truth(path)

    evaluation = evaluated(read=read, keep_going=True)

    assert "bb.png: ends too early" in to_text(evaluation)
    assert json.loads(to_json(evaluation))["failures"][0]["reason"] == "ends too early"
    assert "ends too early" in "".join(Page(written(tmp_path, evaluation)).words)


def test_the_page_stands_alone(tmp_path):
    gallery = Gallery()
    text = written(tmp_path, evaluated(gallery=gallery), gallery)
    page = Page(text)

    without_pictures = re.sub(r"base64,[A-Za-z0-9+/=]*", "", text)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", without_pictures)
    for tag, attributes in page.elements:
        assert tag not in {"iframe", "object", "embed", "base"}
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    policy = next(item for item in page.all("meta") if "http-equiv" in item)["content"]
    assert "default-src 'none'" in policy


def test_the_page_can_be_read_by_everyone(tmp_path):
    gallery = Gallery()
    text = written(tmp_path, evaluated(gallery=gallery), gallery)
    page = Page(text)

    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("title")) == len(page.all("h1")) == len(page.all("main")) == 1
    assert len(page.all("caption")) == len(page.all("table")) == 4
    assert all(head["scope"] in {"row", "col"} for head in page.all("th"))
    for rule in ("prefers-color-scheme: dark", "@media print", "color-scheme: light dark"):
        assert rule in text


def test_every_picture_of_the_page_says_what_it_is_and_can_be_decoded(tmp_path):
    gallery = Gallery(side=12)
    evaluation = evaluated(gallery=gallery)
    pictures = Page(written(tmp_path, evaluation, gallery)).all("img")

    assert [item["alt"] for item in pictures] == [
        f"{row.picture}: {view}" for row in evaluation.rows for view in ("truth", "gray", "ours")
    ]
    for item in pictures:
        data = base64.b64decode(item["src"].removeprefix("data:image/webp;base64,"))
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (int(item["width"]), int(item["height"])) == (12, 8)


def test_the_page_says_where_pictures_are_left_out(tmp_path):
    gallery = Gallery(limit=1)
    page = Page(written(tmp_path, evaluated(gallery=gallery), gallery))

    assert len(gallery) == 1
    assert len(page.all("img")) == 3
    assert "first 1 rows only" in "".join(page.words)


def test_the_page_goes_without_pictures(tmp_path):
    page = Page(written(tmp_path, evaluated()))

    assert page.all("img") == []
    assert "bb.png" in page.words


def test_the_page_shows_the_figures(tmp_path):
    evaluation = evaluated()
    words = "".join(Page(written(tmp_path, evaluation)).words)

    for summary in evaluation.sets:
        for metric in METRICS:
            comparison = summary.metrics[metric.key]
            assert metric.text(comparison.mean_colour) in words
            assert metric.interval_text(comparison.ours_minus_gray) in words
    assert "made from the truth's L*" in words


def test_sorting_has_the_unrounded_number_of_every_figure(tmp_path):
    evaluation = evaluated()
    cells = Page(written(tmp_path, evaluation)).all("td")
    values = {item["data-value"] for item in cells if "data-value" in item}

    for row in evaluation.rows:
        assert repr(row.ours.psnr) in values
        assert repr(row.ours.psnr - row.gray.psnr) in values


def test_names_on_the_page_are_only_names(tmp_path):
    gallery = Gallery()
    hostile = HOSTILE.replace("/", "_")
    evaluation = evaluated(
        names=[hostile], gallery=gallery, label=hostile, facts={hostile: hostile}
    )
    text = written(tmp_path, evaluation, gallery)
    page = Page(text)

    assert len(page.all("script")) == 1
    assert not any("onload" in attributes for _, attributes in page.elements)
    assert "\x1b" not in text


@pytest.mark.parametrize("write", [write_csv, write_html], ids=lambda f: f.__name__)
def test_reports_are_not_written_over_unasked(tmp_path, write):
    path = tmp_path / "report"
    path.write_text("mine")

    with pytest.raises(PictureError, match="there already"):
        write(path, evaluated())
    assert path.read_text() == "mine"

    write(path, evaluated(), overwrite="always")
    assert path.read_text(encoding="utf-8") != "mine"


@pytest.mark.parametrize("options", [{"side": 0}, {"limit": -1}], ids=str)
def test_a_gallery_that_could_hold_nothing_is_refused(options):
    with pytest.raises(InputError, match="wanted at least"):
        Gallery(**options)


def test_a_card_holds_each_set_in_words():
    evaluation = evaluated()
    street = to_record(evaluation)["sets"][0]

    words = to_card(evaluation)

    assert set(words) == {"street", "sea"}
    assert words["street"]["pictures"] == "2"
    mean, low, high = street["metrics"]["psnr"]["gain_over_gray"]
    assert f"ours {street['metrics']['psnr']['ours']:.2f}" in words["street"]["psnr"]
    assert f"gain over gray {mean:+.3f} [{low:+.3f}, {high:+.3f}]" in words["street"]["psnr"]
    assert words["street"]["colourfulness"].endswith(
        f"truth {street['metrics']['colourfulness']['truth']:.1f}"
    )

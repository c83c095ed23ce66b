"""What `evaluate` gives to the colorizer, and what it makes of its answers."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from chroma_core.color.lab import gray_to_lightness
from chroma_core.errors import InputError, PictureError
from chroma_core.evaluation.baselines import gray_of, lightness_of, mean_colour
from chroma_core.evaluation.evaluate import METRICS, evaluate
from chroma_core.evaluation.intervals import paired_bootstrap
from chroma_core.evaluation.metrics import colourfulness, mean_ciede2000, psnr, ssim

MEAN_AB = (3.0, 7.0)


def picture(seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(20, 236, (2, 2, 3))
    down = np.linspace(0, 1, 14 + seed)[:, None, None]
    across = np.linspace(0, 1, 17)[None, :, None]
    smooth = (1 - down) * ((1 - across) * corners[0, 0] + across * corners[0, 1]) + down * (
        (1 - across) * corners[1, 0] + across * corners[1, 1]
    )
    return np.rint(smooth).astype(np.uint8)


TRUTHS = {Path(f"album/{name}.png"): picture(seed) for seed, name in enumerate("abc")}
SETS = {"first": list(TRUTHS)[:2], "second": list(TRUTHS)[2:]}


def read(path):
    return TRUTHS[path]


def as_gray(gray):
    return np.repeat(gray[..., np.newaxis], 3, axis=-1)


def evaluated(colorize=as_gray, sets=SETS, **options):
    options = {"mean_ab": MEAN_AB, "read": read, "resamples": 100, **options}
    return evaluate(sets, colorize, **options)


def knowing():
    """Return a colorizer that knows the truths and answers with them, in their order."""
    answers = iter(TRUTHS.values())
    return lambda gray: next(answers)


def test_the_colorizer_gets_float32_gray_with_the_lightness_of_the_truth():
    seen = []
    evaluated(lambda gray: seen.append(gray) or as_gray(gray))

    for gray, truth in zip(seen, TRUTHS.values(), strict=True):
        assert gray.dtype == np.float32
        assert gray.shape == truth.shape[:2]
        # float32 mathematics, held to 2e-4; 8-bit gray would be off by up to 0.26.
        np.testing.assert_allclose(gray_to_lightness(gray), lightness_of(truth), atol=3e-4)


def test_the_truth_itself_gets_full_marks():
    result = evaluated(knowing())

    for row in result.rows:
        assert astuple(row.ours) == (99.0, pytest.approx(1), 0.0, row.truth_colourfulness)
    for summary in result.sets:
        assert summary.colourfulness_ratio == pytest.approx(1)
        assert summary.colourfulness_minus_truth == (0, 0, 0)
        assert summary.metrics["ciede2000"].ours_minus_gray.high < 0


def test_rows_hold_the_figures_of_each_picture():
    result = evaluated(lambda gray: np.full((*gray.shape, 3), 90, np.uint8))
    row, truth = result.rows[2], TRUTHS[SETS["second"][0]]
    constant = mean_colour(lightness_of(truth), MEAN_AB)
    ours = np.full(truth.shape, 90, np.uint8)

    assert (row.set_name, row.picture, row.path) == ("second", "c.png", SETS["second"][0])
    assert (row.height, row.width) == truth.shape[:2]
    assert row.truth_colourfulness == colourfulness(truth)
    assert row.gray.colourfulness == 0
    for scores, coloured in ((row.mean_colour, constant), (row.ours, ours)):
        assert astuple(scores) == (
            psnr(truth, coloured),
            ssim(truth, coloured),
            mean_ciede2000(truth, coloured),
            colourfulness(coloured),
        )


def test_summaries_are_means_and_paired_intervals_of_the_rows():
    result = evaluated(lambda gray: mean_colour(gray_to_lightness(gray), (9, 9)), seed=5)
    rows = result.rows_of("first")
    summary = result.sets[0]

    assert (summary.name, summary.n) == ("first", 2)
    for metric in METRICS:
        ways = {
            way: np.array([getattr(getattr(row, way), metric.key) for row in rows])
            for way in ("gray", "mean_colour", "ours")
        }
        found = summary.metrics[metric.key]
        for way, figures in ways.items():
            assert getattr(found, way) == figures.mean()
        for pair in (("ours", "gray"), ("ours", "mean_colour"), ("mean_colour", "gray")):
            differences = ways[pair[0]] - ways[pair[1]]
            expected = paired_bootstrap(differences, resamples=100, seed=5)
            assert getattr(found, f"{pair[0]}_minus_{pair[1]}") == expected
    truth = np.array([row.truth_colourfulness for row in rows])
    ours = np.array([row.ours.colourfulness for row in rows])
    assert summary.truth_colourfulness == pytest.approx(truth.mean())
    assert summary.colourfulness_ratio == pytest.approx(ours.mean() / truth.mean())
    assert summary.colourfulness_distance.mean == pytest.approx(np.abs(ours - truth).mean())


def test_floats_are_rounded_like_any_result():
    in_floats = evaluated(lambda gray: as_gray(gray) * np.float32(0.9))
    in_codes = evaluated(lambda gray: np.rint(as_gray(gray) * 0.9 * 255).astype(np.uint8))

    assert in_floats.rows == in_codes.rows


def test_figures_of_a_set_do_not_depend_on_the_other_sets():
    alone = evaluated(sets={"second": SETS["second"]})

    assert alone.sets[0] == evaluated().sets[1]


def test_pictures_are_named_below_the_folder_that_they_share():
    paths = [Path("x/y/a.png"), Path("x/z/a.png")]
    result = evaluated(sets={"one": paths}, read=lambda path: picture(1))

    assert [row.picture for row in result.rows] == ["y/a.png", "z/a.png"]


def test_the_watcher_sees_each_row_with_its_pictures():
    seen = []
    result = evaluated(watch=lambda row, views: seen.append((row, views)))

    assert tuple(row for row, _ in seen) == result.rows
    for (_, views), truth in zip(seen, TRUTHS.values(), strict=True):
        np.testing.assert_array_equal(views.truth, truth)
        np.testing.assert_array_equal(views.gray[..., 1], np.rint(gray_of(truth) * 255))
        np.testing.assert_array_equal(views.ours, views.gray)
        np.testing.assert_array_equal(views.mean_colour, mean_colour(lightness_of(truth), MEAN_AB))


def test_progress_counts_all_pictures_of_all_sets():
    calls = []
    evaluated(progress=lambda done, total, facts: calls.append((done, total, facts["picture"])))

    assert calls == [(1, 3, "a.png"), (2, 3, "b.png"), (3, 3, "c.png")]


def broken(path):
    if path.stem == "b":
        raise PictureError("ends too early", kind="truncated")
    return TRUTHS[path]


def test_a_picture_that_cannot_be_read_stops_the_evaluation_and_is_named():
    with pytest.raises(PictureError, match=r"b\.png: ends too early") as caught:
        evaluated(read=broken)

    assert caught.value.path == str(Path("album/b.png"))


def test_told_to_keep_going_it_reports_what_is_in_no_figure():
    result = evaluated(read=broken, keep_going=True)

    assert [row.picture for row in result.rows] == ["a.png", "c.png"]
    assert [summary.n for summary in result.sets] == [1, 1]
    assert [(item.set_name, item.path.name, item.reason) for item in result.failures] == [
        ("first", "b.png", "ends too early")
    ]


def test_a_set_of_which_nothing_could_be_scored_has_no_figures():
    with pytest.raises(InputError, match=r"no picture of set 'only' .* ends too early"):
        evaluated(sets={"only": [Path("album/b.png")]}, read=broken, keep_going=True)


def test_a_gray_truth_has_no_ratio_of_colourfulness():
    result = evaluated(read=lambda path: np.repeat(TRUTHS[path][..., :1], 3, axis=-1))

    assert [summary.colourfulness_ratio for summary in result.sets] == [None, None]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda gray: gray, "of shape"),
        (lambda gray: np.zeros((*gray.shape, 3), np.uint16), "uint16"),
        (lambda gray: np.full((*gray.shape, 3), np.nan), "NaN or infinite"),
    ],
    ids=["gray", "16 bits", "nan"],
)
def test_an_answer_that_is_no_colour_picture_is_refused(answer, why):
    with pytest.raises(InputError, match=why) as caught:
        evaluated(answer)

    assert caught.value.path == str(Path("album/a.png"))


def test_a_picture_too_small_for_its_figures_is_named():
    with pytest.raises(InputError, match=r"a\.png: SSIM needs"):
        evaluated(read=lambda path: TRUTHS[path][:10])


@pytest.mark.parametrize("sets", [{}, {"full": SETS["first"], "none": []}], ids=["none", "empty"])
def test_without_pictures_there_is_nothing_to_evaluate(sets):
    with pytest.raises(InputError, match="no pictures"):
        evaluated(sets=sets)


def test_a_reader_that_names_another_file_is_believed():
    """As for a picture that lies in an archive."""

    def read_archive(path):
        raise PictureError("ends too early", kind="truncated", path="album.zip")

    with pytest.raises(PictureError, match=r"^album\.zip: ends too early"):
        evaluated(read=read_archive)


def test_pictures_of_folders_that_share_none_keep_their_whole_names(monkeypatch):
    """As on two drives of Windows, of which `os.path.commonpath` says so by a ValueError."""

    def apart(paths):
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr("os.path.commonpath", apart)

    assert [row.picture for row in evaluated().rows] == [path.as_posix() for path in TRUTHS]

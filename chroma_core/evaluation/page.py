"""The HTML page of an evaluation: figures, pictures, and nothing from outside.

Style, script and pictures stand in the page itself, and its content security policy forbids the
browser to fetch anything else. It is readable without the script, which only sorts the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from chroma_core.evaluation.evaluate import METRICS, Evaluation, PictureRow, SetSummary
from chroma_core.evaluation.gallery import Gallery, Thumbnail

__all__ = ["page"]

_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fdfdfd; --quiet: #595959;
  --line: #c9c9c9; --wash: #f0f0f0; --mount: #777777; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #161616; --quiet: #b0b0b0;
  --line: #464646; --wash: #242424; --mount: #5a5a5a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 1rem 1.5rem 3rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: .5rem 0; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
p, dl { max-width: 50rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .75rem 0 1.5rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); padding: .25rem 0; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: middle; white-space: nowrap; }
th { background: var(--wash); font-weight: 600; }
th:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 8rem; }
tbody th { background: none; font-weight: 400; }
th button { all: unset; cursor: pointer; text-decoration: underline dotted; }
th button:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
td.picture { background: var(--mount); padding: .35rem; text-align: center; }
td.picture img { display: block; margin: auto; max-width: none; }
.quiet { color: var(--quiet); }
@media print { body { max-width: none; padding: 0; font-size: 9pt; }
  :root { --ink: #000; --paper: #fff; --quiet: #444; --line: #999; --wash: #eee; --mount: #777; }
  .scroll { overflow: visible; } tr { break-inside: avoid; } thead { display: table-header-group; }
  td.picture { print-color-adjust: exact; } td.picture img { width: 3.2cm; height: auto; } }
"""

_SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (head.dataset.plain !== undefined) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const numbers = table.tBodies[0].rows[0].cells[column].dataset.value !== undefined;
      const order = (a, b) => numbers ? key(a) - key(b) : key(a).localeCompare(key(b));
      const rows = [...table.tBodies[0].rows].sort(order);
      table.tBodies[0].append(...(up ? rows : rows.reverse()));
    });
  });
}
"""


def page(evaluation: Evaluation, gallery: Gallery) -> str:
    """Return the page as HTML text.

    Parameters
    ----------
    evaluation : Evaluation
        What to show.
    gallery : Gallery
        Small pictures of its rows; rows without any are shown as figures alone.
    """
    title = f"Evaluation of {_text(evaluation.label)}"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{title}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<h1>{title}</h1>",
            *_about(evaluation),
            *_failures(evaluation),
            *(line for summary in evaluation.sets for line in _set(evaluation, summary, gallery)),
            "</main>",
            f"<script>{_SCRIPT}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _about(evaluation: Evaluation) -> Iterator[str]:
    a, b = evaluation.mean_ab
    facts = {
        **evaluation.facts,
        "Gray input": evaluation.gray_input,
        "Mean colour": f"the constant a* = {a:.2f}, b* = {b:.2f}, brought into gamut",
        "Intervals": f"{100 * evaluation.level:g} % of the mean difference, paired bootstrap over "
        f"pictures, {evaluation.resamples} resamples, seed {evaluation.seed}",
        "Better": "higher PSNR and SSIM, lower CIEDE2000, colourfulness near the truth's",
    }
    yield "<dl>"
    for name, fact in facts.items():
        yield f"<dt>{_text(name)}</dt><dd>{_text(fact)}</dd>"
    yield "</dl>"


def _failures(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.failures:
        return
    yield f"<h2>Not scored: {len(evaluation.failures)}</h2>"
    yield "<ul>"
    for item in evaluation.failures:
        yield f"<li>{_text(str(item.path))}: {_text(item.reason)}</li>"
    yield "</ul>"


def _set(evaluation: Evaluation, summary: SetSummary, gallery: Gallery) -> Iterator[str]:
    rows = evaluation.rows_of(summary.name)
    shown = sum(gallery.find(row) is not None for row in rows)
    name = _text(summary.name)
    plural = "" if summary.n == 1 else "s"
    yield "<section>"
    yield f"<h2>{name}: {summary.n} picture{plural}</h2>"
    yield from _summary_table(evaluation, summary)
    if 0 < shown < len(rows):
        yield f'<p class="quiet">Small pictures are shown for the first {shown} rows only.</p>'
    yield from _picture_table(evaluation, summary, rows, gallery, with_pictures=shown > 0)
    yield "</section>"


def _summary_table(evaluation: Evaluation, summary: SetSummary) -> Iterator[str]:
    ours = _text(evaluation.label)
    heads = [
        "Figure",
        "gray",
        "mean colour",
        ours,
        f"{ours} &minus; gray",
        f"{ours} &minus; mean colour",
    ]
    yield from _open_table(f"Means over the pictures of {_text(summary.name)}", heads)
    for metric in METRICS:
        comparison = summary.metrics[metric.key]
        cells = [
            *(metric.text(value) for value in (comparison.gray, comparison.mean_colour)),
            metric.text(comparison.ours),
            metric.interval_text(comparison.ours_minus_gray),
            metric.interval_text(comparison.ours_minus_mean_colour),
        ]
        yield _line(metric.heading, [f"<td>{cell}</td>" for cell in cells])
    yield "</tbody></table></div>"
    colourfulness = METRICS[-1]
    truth = colourfulness.text(summary.truth_colourfulness)
    ratio = summary.colourfulness_ratio
    share = "" if ratio is None else f"; {ours} has {100 * ratio:.0f} % of that"
    off = colourfulness.interval_text(summary.colourfulness_minus_truth)
    distance = colourfulness.text(summary.colourfulness_distance.mean)
    yield (
        f"<p>Colourfulness of the truth: {truth}{share}. "
        f"{ours} &minus; truth: {off}; distance: {distance}.</p>"
    )


def _picture_table(
    evaluation: Evaluation,
    summary: SetSummary,
    rows: Iterable[PictureRow],
    gallery: Gallery,
    *,
    with_pictures: bool,
) -> Iterator[str]:
    ours = _text(evaluation.label)
    figures = [
        column
        for metric in METRICS
        for column in (metric.heading, f"{metric.title} &minus; gray's")
    ]
    heads = ["Picture", *figures, "Colourfulness of the truth"]
    views = ["truth", "gray", ours] if with_pictures else []
    caption = f"Each picture of {_text(summary.name)}; figures are those of {ours}"
    yield from _open_table(caption, heads, views=views, sortable=True)
    for row in rows:
        cells = []
        for metric in METRICS:
            value = getattr(row.ours, metric.key)
            gain = value - getattr(row.gray, metric.key)
            cells.append(_number(value, metric.text(value)))
            cells.append(_number(gain, metric.gain_text(gain)))
        truth = row.truth_colourfulness
        cells.append(_number(truth, METRICS[-1].text(truth)))
        if with_pictures:
            small = gallery.find(row)
            kept = (None, None, None) if small is None else (small.truth, small.gray, small.ours)
            cells += [_view(row, view, one) for view, one in zip(views, kept, strict=True)]
        yield _line(_text(row.picture), cells)
    yield "</tbody></table></div>"


def _open_table(
    caption: str, heads: list[str], *, views: Iterable[str] = (), sortable: bool = False
) -> Iterator[str]:
    kind = ' class="sortable"' if sortable else ""
    yield f'<div class="scroll" role="region" aria-label="{caption}" tabindex="0">'
    yield f"<table{kind}><caption>{caption}</caption><thead><tr>"
    yield from (f'<th scope="col">{head}</th>' for head in heads)
    yield from (f'<th scope="col" data-plain>{view}</th>' for view in views)
    yield "</tr></thead><tbody>"


def _line(head: str, cells: Iterable[str]) -> str:
    return f'<tr><th scope="row">{head}</th>{"".join(cells)}</tr>'


def _number(value: float, text: str) -> str:
    return f'<td data-value="{value!r}">{text}</td>'


def _view(row: PictureRow, view: str, small: Thumbnail | None) -> str:
    if small is None:
        return "<td>not shown</td>"
    alt = f"{_text(row.picture)}: {view}"
    size = f'width="{small.width}" height="{small.height}"'
    return f'<td class="picture"><img src="{small.data_uri}" alt="{alt}" {size}></td>'


def _text(text: str) -> str:
    """Return text for a page: markup and control characters escaped, attributes included."""
    shown = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
    return escape(shown, quote=True)

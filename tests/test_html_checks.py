"""No script comes with a stored output: explorers are what their template makes, tables tables."""

import base64
import io
import json
from html import escape
from pathlib import Path
from string import Template

import html_checks as checks
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output, new_raw_cell
from PIL import Image

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
TEMPLATE = (ROOT / "pixelar_lib" / "static_explorer.html").read_text(encoding="utf8")
SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_html(path):
    assert checks.html_complaints(nbformat.read(path, as_version=4), TEMPLATE) == []


def payload(level, kind="PNG"):
    """Return a small picture in base64."""
    file = io.BytesIO()
    Image.new("L", (2, 2), level).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


PICTURES = [
    f'<img class="px-chart" alt="n = {n}" src="data:image/png;base64,{payload(n)}">' for n in (1, 2)
]
SLIDERS = [{"label": 'the "n"', "stops": ["1", "2"], "start": 1}]


def explorer(**changed):
    """Return an explorer's HTML, well made but for the fields that are changed."""
    fields = {
        "sliders": escape(json.dumps(SLIDERS)),
        "screen": PICTURES[1],
        "caption": "Bars of &lt;b&gt; and $n.",
        "summary": "All 2 pictures",
        "pictures": "\n".join(PICTURES),
    }
    return Template(TEMPLATE).substitute(fields | changed)


def notebook(data, source="show()", tags=()):
    """Return a notebook of one cell with an output."""
    output = new_output("display_data", data=data)
    cell = new_code_cell(source, outputs=[output], metadata={"tags": list(tags)})
    return new_notebook(cells=[cell])


def faults(html, **options):
    return checks.html_complaints(notebook({"text/html": html}, **options), TEMPLATE)


def test_a_well_made_explorer_passes():
    assert faults(explorer()) == []
    assert faults(explorer(), tags=["widget", "nbval-ignore-output"]) == []


def sliders(**changed):
    return escape(json.dumps([SLIDERS[0] | changed]))


@pytest.mark.parametrize(
    "html",
    [
        SCRIPT,
        SCRIPT + explorer(),
        explorer() + SCRIPT,
        explorer().replace("<details>", f"{SCRIPT}<details>"),
        explorer().replace("(() => {", "alert(1); (() => {"),
        explorer().replace("<style>", "<style>@import url(//x.org);"),
        explorer().replace("<details>", "<details open ontoggle=alert(1)>"),
        explorer().replace("<summary>", "<SCRIPT>alert(1)</SCRIPT><summary>"),
        explorer(caption=SCRIPT),
        explorer(summary=f"All{SCRIPT}"),
        explorer(caption=f"x</p>{SCRIPT}<p>y"),
        explorer(sliders=f'[]">{SCRIPT}<p title="'),
        explorer(sliders=sliders() + '" onclick="alert(1)'),
        explorer(screen=PICTURES[1] + SCRIPT),
        explorer(pictures="\n".join([*PICTURES, SCRIPT])),
        explorer(pictures="\n".join(PICTURES) + "\n"),
        explorer().replace('alt="n = 1"', f'alt="{SCRIPT}"'),
        explorer().replace('alt="n = 1"', 'alt="n" onload="alert(1)"'),
        explorer().replace('alt="n = 1"', "alt='n' onload='alert(1)'"),
        explorer().replace('alt="n = 1"', 'alt="n"onerror=alert(1)'),
        explorer().replace('alt="n = 1"', 'alt=""'),
        explorer().replace("<img class", "<img onload=alert(1) class"),
        explorer().replace("image/png", "image/svg+xml"),
        explorer().replace("data:image/png;base64,", "https://x.org/"),
        explorer().replace(payload(1), base64.b64encode(b"<svg onload=alert(1)>").decode()),
        explorer().replace(payload(1), payload(1, "GIF")),
        explorer().replace(payload(1), payload(1)[:-12]),
        explorer().replace(payload(1), payload(1)[:-1]),
    ],
)
def test_what_is_planted_in_an_explorer_is_found(html):
    assert html != explorer()
    for tags in ([], ["widget", "nbval-ignore-output"]):
        assert len(faults(html, tags=tags)) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"sliders": sliders(start=0)},
        {"sliders": sliders(start=2)},
        {"sliders": sliders(stops=["1", "2", "3"])},
        {"sliders": sliders(stops=[1, 2])},
        {"sliders": sliders(label=None)},
        {"sliders": sliders(more=1)},
        {"sliders": "1"},
        {"sliders": "nonsense"},
        {"screen": PICTURES[0]},
        {"pictures": PICTURES[1]},
    ],
)
def test_sliders_that_do_not_fit_the_pictures(changed):
    assert len(faults(explorer(**changed))) == 1


TABLE = (
    '<table class="dataframe"><caption>1 &lt; 2</caption><tr><th scope="row" '
    'style="font-weight: normal; text-align: left">a > b</th><td>1&nbsp;s</td></tr></table>'
)


def test_a_table_passes_where_nbval_compares_it():
    assert faults(TABLE) == []
    assert len(faults(TABLE, tags=["nbval-ignore-output"])) == 1
    assert len(faults(TABLE, tags=["raises-exception"])) == 1
    assert len(faults(TABLE, source="# NBVAL_IGNORE_OUTPUT\nshow()")) == 1


@pytest.mark.parametrize(
    "planted",
    [
        SCRIPT,
        "<img src=x onerror=alert(1)>",
        "<td onclick=alert(1)>",
        '<td onclick="alert(1)">',
        '<td class="a"onclick="alert(1)">',
        '<td style="background: url(//x.org)">',
        "<!--",
        "<a",
        "< script>",
    ],
)
def test_what_is_planted_in_a_table_is_found(planted):
    assert len(faults(TABLE.replace("<td>", f"{planted}<td>"))) == 1
    assert len(faults(TABLE + planted)) == 1
    assert len(faults(planted + TABLE)) == 1


@pytest.mark.parametrize(
    "mime", ["application/javascript", "image/svg+xml", "text/markdown", "text/latex"]
)
def test_other_types_are_refused(mime):
    found = checks.html_complaints(notebook({mime: "x", "text/plain": "x"}), TEMPLATE)
    assert found == [f"code cell 0 stores {mime}"]


def test_raw_cells_are_refused():
    raw = new_notebook(cells=[new_raw_cell(SCRIPT)])
    assert checks.html_complaints(raw, TEMPLATE) == ["a raw cell"]

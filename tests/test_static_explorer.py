"""Explorers without a kernel: what stands in the HTML. That it moves is tested in a browser."""

import io

import numpy as np
import pytest
import torch
from explorer_page import Page
from PIL import Image

from pixelar_lib import plotting
from pixelar_lib import static_explorer as explorers
from pixelar_lib.static_explorer import SCREEN_DPI, png, static_explorer

LABELS = {"number": "n < 5", "power": 'the "power"'}
CAPTION = "Bars of <b> and &lt;."


def draw(number, power):
    title = f"{number} < {number + 1} to the {power}"
    return plotting.bar_chart({"bar": [number**power]}, ["n"], title, "x", "y")


def make(stops=None, start=None):
    stops = stops or {"number": [1, 2.5], "power": [1, 2, 3]}
    return static_explorer(draw, stops, start or {"number": 2, "power": 2}, LABELS, CAPTION)


@pytest.fixture(scope="module")
def html():
    return make()


def test_the_last_slider_moves_fastest(html):
    page = Page(html)
    assert [picture.alt for picture in page.listed] == [
        f"{number} < {number + 1} to the {power}" for number in (1, 2.5) for power in (1, 2, 3)
    ]
    assert page.listed[4].png == png(draw(2.5, 2))


def test_the_script_is_told_the_labels_and_the_stops_as_text(html):
    assert Page(html).sliders == [
        {"label": "n < 5", "stops": ["1", "2.5"], "start": 1},
        {"label": 'the "power"', "stops": ["1", "2", "3"], "start": 1},
    ]


@pytest.mark.parametrize("start", [(0, 3), (1.9, 2), (1, 1)])
def test_shown_first_is_the_stop_nearest_to_the_start(start, monkeypatch):
    monkeypatch.setattr(explorers, "png", lambda figure: figure.axes[0].get_title().encode())
    page = Page(make(start=dict(zip(LABELS, start, strict=True))))
    index = [slider["start"] for slider in page.sliders]
    assert index == [int(start[0] > 1.75), start[1] - 1]
    assert page.shown == page.listed[3 * index[0] + index[1]]


def test_without_scripts_words_and_pictures_are_left_and_no_control(html):
    page = Page(html)
    assert page.texts.keys() - {"style", "script"} == {"p", "summary"}
    assert page.texts["p"] == CAPTION
    assert page.texts["summary"] == 'All 6 pictures, by n < 5 and the "power"'
    markup = html[: html.index("<script>")]
    assert not any(f"<{tag}" in markup for tag in ("input", "button", "select", "label"))


def test_each_picture_has_a_text_in_its_place(html):
    page = Page(html)
    assert all(picture.alt for picture in [page.shown, *page.listed])


def test_several_on_a_page_do_not_collide(html):
    page = Page(html)
    assert not {"id", "name", "for"} & {name for name, _ in page.attributes}
    script = page.texts["script"].strip()
    assert script.startswith("(() => {") and script.endswith("})();")  # its names stay its own


def test_nothing_is_fetched(html):
    page = Page(html)
    assert not any(host in html for host in ("http:", "https:", "url(", "import", '="//'))
    sources = [value for name, value in page.attributes if name in {"src", "href", "srcset"}]
    assert len(sources) == 7
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_a_small_picture_keeps_each_grey():
    levels = np.arange(256).reshape(16, 16)
    figure = plotting.image_grid(torch.tensor(levels, dtype=torch.uint8)[None], "t")
    figure.set_size_inches(4, 4)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=SCREEN_DPI)
    small = png(figure)
    expected, found = (
        np.asarray(Image.open(file).convert("RGB")) for file in (drawn, io.BytesIO(small))
    )
    np.testing.assert_allclose(found.astype(int), expected, rtol=0, atol=4)
    assert len(small) < len(drawn.getvalue())

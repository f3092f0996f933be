"""What the book's extensions compute: addresses, previews, which files a page brings."""

import io
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from book._ext import addresses, figures, lab, light_pages
from pixelar_lib import plotting
from pixelar_lib.static_explorer import png

PLACEHOLDER = "https://github.com/-owner-/generating-pixels"


@pytest.mark.parametrize(
    ("repository", "site"),
    [
        ("https://github.com/Some-One/pixels", "https://some-one.github.io/pixels/"),
        ("https://github.com/one/one.github.io", "https://one.github.io/"),
        (PLACEHOLDER, ""),
    ],
)
def test_site_address(repository, site):
    assert addresses.site_address(repository) == site


@pytest.mark.parametrize("bad", ["", "https://example.org/a/b", "https://github.com/one"])
def test_another_address_is_refused(bad):
    with pytest.raises(ValueError, match=r"has to look like https://github.com/owner/name"):
        addresses.site_address(bad)


def test_colab_address():
    source = "notebooks/01_chain_rule.ipynb"
    assert addresses.colab_address("https://github.com/one/pixels", "v0.1.0", source) == (
        "https://colab.research.google.com/github/one/pixels/blob/v0.1.0/"
        "notebooks/01_chain_rule.ipynb"
    )
    assert addresses.colab_address(PLACEHOLDER, "v0.1.0", source) is None


@pytest.mark.parametrize(
    ("repository", "site", "tags"),
    [
        ("https://github.com/one/pixels", "https://one.github.io/pixels/", ["published"]),
        (PLACEHOLDER, "", []),
    ],
)
def test_pages_speak_of_their_address_only_where_it_is_known(repository, site, tags):
    config = SimpleNamespace(
        html_baseurl="",
        html_context={},
        root_doc="book/index",
        html_theme_options={"repository_url": repository, "repository_branch": "v0.1.0"},
    )
    found = []
    app = SimpleNamespace(config=config, tags=SimpleNamespace(add=found.append))
    addresses.set_address(app, config)
    assert config.html_baseurl == config.html_context["html_baseurl"] == site
    assert found == tags
    context = {"page_source_suffix": ".ipynb"}
    addresses.describe_page(app, "notebooks/01_chain_rule", "page.html", context, None)
    assert bool(context["colab_url"]) == bool(site)
    assert "description" not in context
    addresses.describe_page(app, "book/index", "page.html", context, None)
    assert context["description"] == addresses.DESCRIPTION


def test_pages_name_the_repository_they_are_published_from():
    config = SimpleNamespace(html_theme_options={"repository_url": "https://github.com/one/pixels"})
    source = [f"git clone {PLACEHOLDER} book"]
    addresses.fill_in_address(SimpleNamespace(config=config), "book/a", source)
    assert source == ["git clone https://github.com/one/pixels book"]


def test_summary():
    assert addresses.summary([]) == ""
    assert addresses.summary(["One\n two.", "Three."]) == "One two. Three."
    enough = "word " * 20
    assert addresses.summary([enough, "not needed"]) == enough.strip()
    cut = addresses.summary(["word, " * 40])
    assert cut == "word, " * 25 + "word…"
    assert len(cut) <= addresses.DESCRIPTION_LENGTH
    assert len(addresses.DESCRIPTION) <= 200


def test_sitemap():
    text = addresses.sitemap("https://one.github.io/pixels/", ["book/a.html", "x&y.html"])
    places = [element.text for element in ET.fromstring(text.encode()).iter() if element.text]
    assert [place for place in places if place.strip()] == [
        "https://one.github.io/pixels/book/a.html",
        "https://one.github.io/pixels/x&y.html",
    ]


def test_stylesheets_are_joined_unchanged_and_unused_files_left_out(tmp_path):
    files = {
        "basic.css": '@charset "UTF-8"; a { b: c }',
        "styles/theme.css": '@import "../basic.css";',
        "styles/pydata-sphinx-theme.css": ".fa-x:before { content: 'z' }",
        "styles/theme.css.map": "{}",
        "custom.css": "e { f: g }",
        "scripts/bootstrap.js": "used()",
        "scripts/fontawesome.js": "unused()",
        "mathjax/startup.js": "used()",
        "mathjax/tex-svg.js": "unused()",
        "mathjax/sre/mathmaps/en.json": "{}",
    }
    static = tmp_path / "_static"
    for name, text in files.items():
        (static / name).parent.mkdir(parents=True, exist_ok=True)
        (static / name).write_text(text)
    light_pages.lighten(tmp_path, ["_static/custom.css"])
    left = {
        path.relative_to(static).as_posix(): path.read_text()
        for path in static.rglob("*")
        if path.is_file()
    }
    joined = [files["basic.css"], files["styles/pydata-sphinx-theme.css"], files["custom.css"]]
    assert left == {
        "styles/site.css": "\n".join(joined),
        "scripts/bootstrap.js": "used()",
        "mathjax/startup.js": "used()",
    }


class Script:
    """A script as Sphinx keeps it."""

    def __init__(self, filename, *, priority, **attributes):
        self.filename, self.priority, self.attributes = filename, priority, attributes


def test_waiting():
    script = Script("a.js", priority=3, id="a")
    waiting = light_pages.waiting(script)
    assert vars(waiting) == {
        "filename": "a.js",
        "priority": 3,
        "attributes": {"defer": "defer", "id": "a"},
    }
    assert script.attributes == {"id": "a"}, "the search page needs it as it was"
    mathjax = Script(None, priority=1, body="window.MathJax = {}")
    assert light_pages.waiting(mathjax) is mathjax
    option = Script(None, priority=1, body="DOCUMENTATION_OPTIONS.pagename = 'x';")
    assert light_pages.waiting(option) is None


def test_extracted():
    kept = {}

    def save(name, data):
        kept[name] = data
        return f"../_images/{name}"

    body = '<img alt="A" src="data:image/png;base64,cGl4ZWxz"><img src="b.png">'
    page = light_pages.extracted(body, save)
    ((name, data),) = kept.items()
    assert data == b"pixels"
    assert page == f'<img alt="A" src="../_images/{name}"><img src="b.png">'


class Raw(list):
    """A node of raw markup as docutils keeps it."""

    tagname = "raw"

    def __init__(self, kind, text):
        super().__init__([text])
        self.kind = kind

    def __getitem__(self, key):
        return self.kind if key == "format" else super().__getitem__(key)

    def astext(self):
        return self[0]


def test_embedded_pictures_become_files_of_the_book(tmp_path):
    text = '<img src="data:image/png;base64,cGl4ZWxz">'
    html, latex = Raw("html", text), Raw("latex", text)
    builder = SimpleNamespace(get_target_uri=lambda name: f"{name}.html")
    app = SimpleNamespace(outdir=tmp_path, builder=builder)
    doctree = SimpleNamespace(findall=lambda: [html, latex])
    light_pages.extract_pictures(app, doctree, "notebooks/a")
    (picture,) = (tmp_path / "_images").iterdir()
    assert picture.read_bytes() == b"pixels"
    assert html == [f'<img src="../_images/{picture.name}">']
    assert latex == [text]


def saved(figure):
    drawn = io.BytesIO()
    figure.savefig(drawn)
    return drawn.getvalue()


def test_charts_are_told_from_pictures_by_what_they_note():
    chart = plotting.bar_chart({"bar": [1.0, 2.0]}, ["a", "b"], "title", "x", "y")
    picture = plotting.image_grid(torch.rand(2, 3, 3), "title")
    for draw in (saved, png):
        assert figures.is_chart(draw(chart)) and not figures.is_chart(draw(picture))
        notes = figures.png_notes(draw(picture))
        assert float(notes["Lettering"]) == pytest.approx(
            10 / 72 / picture.get_figwidth(), abs=1e-4
        )
        assert notes["Picture"] == picture.facts()["Picture"]


@pytest.mark.parametrize("other", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0"])
def test_what_notes_nothing_is_no_chart(other):
    assert figures.png_notes(other) == {} and not figures.is_chart(other)


def test_pictures_say_their_size_and_wait_but_for_the_first():
    files = dict.fromkeys(
        ["a.png", "b.png"], png(plotting.image_grid(torch.zeros(1, 28, 28), "a", 1))
    )
    html = '<img alt="x" src="a.png"><p><img width="9" src="b.png" /></p><img alt="" src="c.svg">'
    width, height = Image.open(io.BytesIO(files["a.png"])).size
    assert light_pages.patient(html, files.__getitem__) == (
        f'<img width="{width}" height="{height}" alt="x" src="a.png">'
        '<p><img loading="lazy" width="9" src="b.png" /></p><img alt="" src="c.svg">'
    )


def test_places_of_the_lab_hold_a_still_picture():
    html = '<div class="pixel-lab" data-part="tones"><p>Not here.</p></div><p>Text.</p>'
    page = lab.with_stills(html, lambda name: f"../_static/{name}")
    assert '<div class="pixel-lab" data-part="tones"><figure><img src="../_static/lab' in page
    assert "in 256, 16, 8, 4, 3 and 2 tones.</figcaption></figure></div><p>Text.</p>" in page
    assert "Not here" not in page
    other = '<div class="pixel-lab" data-address>\n<figure>its own</figure></div>'
    assert lab.with_stills(other, str) == other
    assert "drawn.png" in lab.with_stills(
        '<div class="pixel-lab" data-controls="model"></div>', str
    )
    for name, *_ in lab.STILLS.values():
        assert (Path(lab.__file__).parent.parent / "_static" / name).is_file()

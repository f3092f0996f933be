"""What the book's extensions compute: addresses, previews, icons, roles."""

import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest

from book._ext import addresses, light_pages

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


SCRIPT = (
    'var regular={sun:[512,512,[9728],"f185","M1 1z"]},'
    'solid={"angle-left":[320,512,[8249],"f104","M9 9z"],'
    'sun:[512,512,[9728,"sun-bright"],"f185","M2 2z"]};'
)


def test_icons():
    icons = light_pages.icons_in(SCRIPT)
    assert icons["sun"] == icons["sun-bright"] == (512, 512, "M2 2z")
    pages = ['<i class="fa-solid fa-sun fa-lg"></i>', '<i class="fas fa-angle-left"></i>']
    assert light_pages.icons_used(pages, icons) == ["angle-left", "sun"]
    css = light_pages.stylesheet(["angle-left"], icons)
    assert "viewBox%3D%270%200%20320%20512" in css
    assert ".fa-sun" not in css


def test_one_stylesheet():
    sheets = ['@charset "UTF-8";a{b:c}.fa-x:before,.fa-y:before{content:"z"}', ".fa-lg{d:e}"]
    assert light_pages.one_stylesheet(sheets) == "a{b:c}\n.fa-lg{d:e}"


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


def test_mended():
    summary = '<summary aria-label="Toggle hidden content">Solution</summary>'
    assert light_pages.mended(summary) == "<summary>Solution</summary>"
    signature = 'f(<dl>\n<dd><em class="sig-param">x</em>,</dd>\n</dl>\n) <dl>\n<dd>kept</dd></dl>'
    assert light_pages.mended(signature) == (
        'f(<span class="sig-line"><em class="sig-param">x</em>,</span>\n\n)'
        " <dl>\n<dd>kept</dd></dl>"
    )


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

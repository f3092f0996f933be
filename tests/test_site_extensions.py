"""What the book's extensions compute: addresses, previews, icons, roles."""

import xml.etree.ElementTree as ET

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


def test_mended():
    summary = '<summary aria-label="Toggle hidden content">Solution</summary>'
    assert light_pages.mended(summary) == "<summary>Solution</summary>"
    signature = 'f(<dl>\n<dd><em class="sig-param">x</em>,</dd>\n</dl>\n) <dl>\n<dd>kept</dd></dl>'
    assert light_pages.mended(signature) == (
        'f(<span class="sig-line"><em class="sig-param">x</em>,</span>\n\n)'
        " <dl>\n<dd>kept</dd></dl>"
    )

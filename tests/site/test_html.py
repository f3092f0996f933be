"""Links, previews and the sitemap of the built HTML, each check seen to fail."""

import ast
import re

import html_checks as checks
import pytest
from conftest import PUBLISHED, ROOT, SITE, published_address


class Build:
    """One build of the book: its pages, parsed, and where it is published."""

    def __init__(self, folder, base):
        self.folder, self.base = folder, base
        self.documents = {
            name: checks.parse((folder / name).read_text(encoding="utf8"))
            for name in checks.page_names(folder)
        }

    def exists(self, path):
        """Say whether a path below the root is a file."""
        return (self.folder / path).is_file()


@pytest.fixture(scope="module", params=["as it is", "published"])
def build(request):
    """Return the book as _config.yml has it, then with the address of a repository that exists."""
    folder = PUBLISHED if request.param == "published" else SITE
    address = published_address(folder)
    assert address.startswith("https://") or folder == SITE
    return Build(folder, address)


def test_there_are_pages(build):
    assert len(build.documents) > 15
    assert {"404.html", "search.html", "book/index.html"} <= build.documents.keys()


def test_links_lead_somewhere(build):
    assert checks.dead_links(build.documents, build.exists, build.base) == []


def test_links_lead_somewhere_fails():
    links = [
        *("b.html", "b.html#here", "#own", "?q=1", "../a/b.html?v=1", "data:image/png;base64,"),
        *("mailto:a@example.org", "https://example.org/x", "https://me.io/book/a/b.html"),
    ]
    bad = [
        "c.html",
        "b.html#there",
        "#nowhere",
        "/a/b.html",
        "../../x",
        "https://me.io/book/c.html",
    ]
    html = '<p id="own">' + "".join(f'<a href="{url}">x</a>' for url in links + bad)
    documents = {"a/a.html": checks.parse(html), "a/b.html": checks.parse('<p id="here">')}
    found = checks.dead_links(documents, documents.__contains__, "https://me.io/book/")
    assert [line.split()[1] for line in found] == sorted(bad)
    pictures = {"a.html": checks.parse('<img src="no.png"><script src="no.js"></script>')}
    assert len(checks.dead_links(pictures, pictures.__contains__, "")) == 2


def test_heads(build):
    pages = {name: page for name, page in build.documents.items() if "/" in name}
    found = [checks.head_complaints(*page, build.base, build.exists) for page in pages.items()]
    assert [line for lines in found for line in lines] == []


def test_heads_fails():
    assert len(checks.head_complaints("a.html", checks.parse(""), "", bool)) == 5
    assert len(checks.head_complaints("a.html", checks.parse(""), "https://me.io/", bool)) == 8
    false = (
        '<link rel="canonical" href="https://me.io/b.html"><meta property="og:image" content="x">'
    )
    found = checks.head_complaints("a.html", checks.parse(false), "", bool)
    assert "a.html: canonical is https://me.io/b.html" in found
    assert "a.html: og:image is 'x'" in found


def test_sitemap(build):
    if build.base:
        pages = [name for name in build.documents if "/" in name]
        sitemap = (build.folder / "sitemap.xml").read_text(encoding="utf8")
        assert checks.sitemap_complaints(sitemap, pages, build.base) == []
    else:
        assert not build.exists("sitemap.xml")


def test_sitemap_fails():
    sitemap = "<loc>https://me.io/a.html</loc><loc>https://me.io/c.html</loc>"
    assert checks.sitemap_complaints(sitemap, ["a.html", "b.html"], "https://me.io/") == [
        "sitemap.xml leaves out https://me.io/b.html",
        "sitemap.xml lists https://me.io/c.html, which is no page",
    ]


def test_chapters_open_on_colab(build):
    for name, page in build.documents.items():
        colab = [url for url in page.addresses if url.startswith("https://colab.research.google")]
        opens_here = [url for url in colab if url.endswith(name.replace(".html", ".ipynb"))]
        assert len(opens_here) == (bool(build.base) and name.startswith("notebooks/")), name


def test_chapters_can_be_downloaded(build):
    for name, page in build.documents.items():
        if name.startswith("notebooks/"):
            assert any(url.endswith(".ipynb") and "_sources" in url for url in page.addresses), name


@pytest.mark.parametrize("chapter", range(1, 8))
def test_figures_and_equations_are_numbered(build, chapter):
    (path,) = build.folder.glob(f"notebooks/0{chapter}_*.html")
    text = path.read_text(encoding="utf8")
    figures = re.findall(
        r'<img [^>]*/>\s*<p class="figure-number" id="([^"]+)"><a [^>]*>(.*?)<', text
    )
    assert figures == [
        (f"figure-{chapter}-{count}", f"Figure {chapter}.{count}")
        for count in range(1, max(text.count('class="figure-number"'), 3) + 1)
    ]
    equations = re.findall(r'<span class="eqno">\((.*?)\)', text)
    blocks = text.count('<div class="math')
    assert equations == [f"{chapter}.{count}" for count in range(1, max(blocks, 1) + 1)]


def test_the_front_door_leads_to_the_first_page(build):
    front = (build.folder / "index.html").read_text(encoding="utf8")
    assert 'http-equiv="refresh" content="0; url=book/index.html"' in front
    assert "book/index.html" in checks.parse(front).addresses


# Roles and icons


def test_roles_and_labels_hide_nothing(build):
    texts = {name: (build.folder / name).read_text(encoding="utf8") for name in build.documents}
    for repaired in ('<div class="citation"', "<summary>\n<p", '<span class="sig-line"><em'):
        assert any(repaired in text for text in texts.values()), repaired
    assert [line for page in texts.items() for line in checks.role_complaints(*page)] == []


def test_roles_and_labels_hide_nothing_fails():
    assert len(checks.role_complaints("a.html", "".join(checks.HIDING))) == len(checks.HIDING)


def test_icons_are_drawn_without_a_script(build):
    css = (build.folder / "_static" / "styles" / "site.css").read_text(encoding="utf8")
    found = []
    for name in build.documents:
        text = (build.folder / name).read_text(encoding="utf8")
        found += checks.icon_complaints(name, text, css)
        assert "fontawesome" not in text
    assert found == []


def test_icons_are_drawn_fails():
    page = '<i class="theme-switch fa-solid fa-sun  fa-lg"></i><i class="fas fa-moon"></i>'
    css = ".fa-sun {\n  --icon: url(x) } .fa-moon:before { content: 'x' }"
    assert checks.icon_complaints("a.html", page, css) == ["a.html: no rule for the icon moon"]


# The API page

RAW = re.compile(r"<p>((?:Args|Attributes|Raises|Returns|Yields):|:\w+[^:<]*:|\.\. \w+::)")
ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): ", re.MULTILINE)


def docstrings(name, tree):
    """Yield (full name, docstring) of a syntax tree and of what is defined in it."""
    yield name, ast.get_docstring(tree) or ""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            yield from docstrings(f"{name}.{node.name}", node)


def arguments(docstring):
    """Return the names in a docstring's section "Args"."""
    section = docstring.partition("\nArgs:\n")[2].partition("\n\n")[0]
    return {name for names in ENTRY.findall(section) for name in names.split(", ")}


def api_complaints(page, documented):
    """Complain about arguments that an API page leaves out, and about markup that it shows raw."""
    found = []
    for entry in page.split('<dt class="sig sig-object py" id="')[1:]:
        name = entry.partition('"')[0]
        missing = arguments(documented.get(name, "")) - set(re.findall(r"<strong>(.*?)</", entry))
        found += [f"{name}: no {argument}" for argument in sorted(missing)]
    return found + RAW.findall(page)


def test_the_api_page_shows_the_docstrings_arguments(build):
    documented = {}
    for path in (ROOT / "pixelar_lib").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        documented |= docstrings(name, ast.parse(path.read_text(encoding="utf8")))
    page = (build.folder / "book" / "api.html").read_text(encoding="utf8")
    shown = [name for name in documented if f'id="{name}"' in page and arguments(documented[name])]
    assert len(shown) > 80
    assert api_complaints(page, documented) == []


def test_the_api_page_fails():
    documented = {
        "f": "A.\n\nArgs:\n    a, b: One.\n    c: Two,\n        long: no name.\n\nMore: x."
    }
    entry = '<dt class="sig sig-object py" id="f"></dt><strong>a</strong><strong>c</strong>'
    assert api_complaints(entry, documented) == ["f: no b"]
    raw = "<p>Args:</p>\n<p>:param a: One.</p>\n<p>.. rubric:: Example</p>"
    assert api_complaints(raw, {}) == ["Args:", ":param a:", ".. rubric::"]

"""What must hold for the built HTML, as pure functions over parsed pages.

Each check returns its complaints, [] where all is well. test_html.py runs each of them on the book
and on a bad example.
"""

import posixpath
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urlsplit

ADDRESSES = {"a": "href", "img": "src", "script": "src", "link": "href", "source": "src"}
PREVIEW = ("description", "og:title", "og:description", "og:type")


@dataclass
class Document:
    """The parts of a page that the checks read."""

    anchors: set[str] = field(default_factory=set)
    addresses: list[str] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)
    rels: dict[str, str] = field(default_factory=dict)


class Reader(HTMLParser):
    """Fills a Document while it reads a page."""

    def __init__(self):
        super().__init__()
        self.document = Document()

    def handle_starttag(self, tag, attrs):
        """Note anchors, addresses and what the head says."""
        attributes = dict(attrs)
        if attributes.get("id"):
            self.document.anchors.add(attributes["id"])
        if address := attributes.get(ADDRESSES.get(tag, ""), ""):
            self.document.addresses.append(address)
        if tag == "meta":
            name = attributes.get("property") or attributes.get("name")
            self.document.meta[name] = attributes.get("content") or ""
        if tag == "link":
            self.document.rels[attributes.get("rel")] = attributes.get("href") or ""


def parse(html):
    """Return the Document of a page's text."""
    reader = Reader()
    reader.feed(html)
    return reader.document


def page_names(folder):
    """Return the paths of all pages below a folder; one that only leads on to another is none."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.html")}
    return sorted(
        name for name, path in found.items() if "refresh" not in path.read_text(encoding="utf8")
    )


def outside(address):
    """Say whether an address names a host."""
    return urlsplit(address).scheme in ("http", "https") or address.startswith("//")


def target(name, address):
    """Return the path and the anchor that an address on a page leads to."""
    page = posixpath.basename(name) if address.startswith(("#", "?")) else ""
    path, anchor = urldefrag(posixpath.join(posixpath.dirname(name), page + address))
    return posixpath.normpath(unquote(path.partition("?")[0])), unquote(anchor)


def dead_links(documents, exists, base):
    """Complain about addresses inside the site that lead to no file or to no anchor.

    Args:
        documents: {name: Document} of all pages.
        exists: Says whether a path below the site's root is a file.
        base: Where the site is published, or ""; addresses that begin with it are inside.
    """
    found = []
    for name, document in documents.items():
        for address in sorted(set(document.addresses)):
            if base and address.startswith(base):
                path, anchor = target("", address.removeprefix(base) or "index.html")
            elif outside(address) or address.startswith(("data:", "mailto:")):
                continue
            else:
                path, anchor = target(name, address)
            if address.startswith("/") or not exists(path):
                found.append(f"{name}: {address} leads to no file")
            elif anchor and path in documents and anchor not in documents[path].anchors:
                found.append(f"{name}: {address} leads to no anchor")
    return found


def outside_links(documents):
    """Return the addresses on other hosts, each with the pages that name it."""
    links = {}
    for name, document in documents.items():
        for address in document.addresses:
            if outside(address):
                links.setdefault(urldefrag(address)[0], set()).add(name)
    return dict(sorted(links.items()))


def head_complaints(name, document, base, exists):
    """Complain about a page whose head lacks a preview or an icon, or gives a false address.

    Args:
        name: The page's path.
        document: The parsed page.
        base: Where the site is published; "" if nobody knows, and then a page must not say.
        exists: Says whether a path below the site's root is a file.
    """
    found = [f"{name}: no {key}" for key in PREVIEW if not document.meta.get(key)]
    if "icon" not in document.rels:
        found.append(f"{name}: no icon")
    own = {"og:url": document.meta.get("og:url"), "canonical": document.rels.get("canonical")}
    wanted = base + name if base else None
    found += [f"{name}: {key} is {url}" for key, url in own.items() if url != wanted]
    picture = document.meta.get("og:image", "")
    if not (exists(picture.removeprefix(base)) if base else picture == ""):
        found.append(f"{name}: og:image is {picture!r}")
    return found


def sitemap_complaints(sitemap, names, base):
    """Complain about pages that a sitemap leaves out, and about entries without a page."""
    listed = set(re.findall(r"<loc>\s*(.*?)\s*</loc>", sitemap))
    wanted = {base + name for name in names}
    found = [f"sitemap.xml leaves out {url}" for url in sorted(wanted - listed)]
    return found + [f"sitemap.xml lists {url}, which is no page" for url in sorted(listed - wanted)]


HIDING = (  # markup that hides from a screen reader what stands there
    'role="doc-biblioentry"',
    'role="list" class="citation-list"',
    'aria-label="Toggle hidden content"',
    '<dl>\n<dd><em class="sig-param">',
)


def role_complaints(name, text):
    """Complain about roles and labels that hide what stands there."""
    return [f"{name}: {markup}" for markup in HIDING if markup in text]


def icon_complaints(name, text, css):
    """Complain about icons on a page that a stylesheet does not draw."""
    shown = {
        word.removeprefix("fa-")
        for classes in re.findall(r'<i class="([^"]*)"', text)
        for word in set(classes.split()) - {"fa-solid", "fa-lg"}
        if word.startswith("fa-")
    }
    drawn = set(re.findall(r"\.fa-([\w-]+) \{\s*--icon: url\(", css))
    return [f"{name}: no rule for the icon {icon}" for icon in sorted(shown - drawn)]

"""Pixel Lab: its one script goes on the pages that have a place for it, its style on all.

Without scripts, a still picture stands in each place. A notebook cannot name one by a relative
path, so it is put there when the book is built.
"""

import posixpath
import re

PLACE = 'class="pixel-lab'
EMPTY = re.compile(r'(<div class="pixel-lab"[^>]*>)(?!\s*<figure)(.*?)(</div>)', re.DOTALL)
PART = re.compile(r'data-part="(\w+)"')
STILLS = {  # by part: the picture, what it shows, and its caption
    "draw": (
        "drawn.png",
        "Four rows of six small pictures, most of them digits that one can read.",
        "Digits that the PixelCNN drew from nothing.",
    ),
    "sight": (
        "lab/stills/sight.png",
        "A seven with dots on 24 pixels, above a marked one and to its left.",
        "The dots are what a neighbourhood of radius 3 holds at the square.",
    ),
    "tones": (
        "lab/stills/tones.png",
        "The same seven six times, with fewer and fewer greys.",
        "A test digit in 256, 16, 8, 4, 3 and 2 tones.",
    ),
    "train": (
        "lab/stills/train.png",
        "Two rows of six handwritten digits.",
        "Twelve of the 2,000 digits that the network learns from.",
    ),
}
STILLS["compare"] = STILLS["draw"]


def with_stills(html, address):
    """Return HTML in which each place of the lab holds a still picture with a caption.

    Args:
        html: A piece of a page.
        address: Function that returns the address of a static file from that page.
    """

    def fill(match):
        part = PART.search(match[1])
        name, alt, caption = STILLS[part[1] if part else "draw"]
        return (
            f'{match[1]}<figure><img src="{address(name)}" alt="{alt}">'
            f"<figcaption><noscript>Pixel Lab needs JavaScript. </noscript>{caption}</figcaption>"
            f"</figure>{match[3]}"
        )

    return EMPTY.sub(fill, html)


def add_stills(app, doctree, docname):
    """Put the still pictures into a page's raw HTML."""
    folder = posixpath.dirname(app.builder.get_target_uri(docname))
    for node in doctree.findall():
        if node.tagname == "raw" and node["format"] == "html" and PLACE in node.astext():
            text = with_stills(
                node.astext(), lambda name: posixpath.relpath(f"_static/{name}", folder)
            )
            node[0] = type(node[0])(text)


def add_script(app, pagename, templatename, context, doctree):
    """Load the lab on a page whose raw HTML asks for it."""
    if doctree is not None and any(
        node.tagname == "raw" and PLACE in node.astext() for node in doctree.findall()
    ):
        app.add_js_file("lab/page/start.js")


def setup(app):
    app.add_css_file("lab/lab.css")
    app.connect("doctree-resolved", add_stills)
    app.connect("html-page-context", add_script, priority=400)  # before the scripts are looked at
    return {"parallel_read_safe": True}

"""Light pages: one stylesheet, no blocking script, and only the files that pages ask for.

The theme brings 2000 icons as a script of 1.5 MB and as fonts, the formulas' package brings all of
MathJax, 24 MB. Their files are joined or left out here; none is changed.
"""

import itertools
import posixpath
import re
import shutil
import struct
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

UNUSED = [
    "scripts/*.map",
    "styles/*.map",
    "styles/theme.css",  # imports basic.css, which is joined
    "scripts/fontawesome*",
    "vendor/fontawesome/webfonts/*.ttf",
    "vendor/fontawesome/webfonts/fa-[br]*",
    "locales",
    "images",
    "*webpack-macros.html",
    "*-solid.svg",
    "file.png",
    "minus.png",
    "plus.png",
    "mathjax/*-*.js",
    "mathjax/latest.js",
    "mathjax/a11y/[!a]*",
    "mathjax/adaptors",
    "mathjax/input/asciimath.js",
    "mathjax/input/mml*",
    "mathjax/input/tex-*.js",
    "mathjax/input/tex/extensions/all-packages.js",
    "mathjax/output/svg*",
    "mathjax/sre",
    "mathjax/ui",
]
SITE_CSS = "styles/site.css"  # beside the theme's, so that its addresses hold
THEME_CSS = [
    "_static/basic.css",
    "_static/styles/pydata-sphinx-theme.css",
]  # its template adds them
EMBEDDED = re.compile(r'(?<=src=")data:image/png;base64,([^"]+)')
PICTURE = re.compile(r'<img [^>]*?src="([^":]+\.png)"[^>]*>')
MATHJAX = {"load": ["input/tex", "output/chtml", "a11y/assistive-mml"]}


def choose_mathjax(app, config):
    """Load MathJax in parts, without its menu, which makes each formula a stop for the Tab key."""
    config.mathjax_path = "mathjax/startup.js"
    config.mathjax3_config = {"loader": MATHJAX} | (config.mathjax3_config or {})


def waiting(script):
    """Return a script that waits until the page is read, None for one that only sets an option."""
    if not script.filename:
        options = script.attributes.get("body", "").startswith("DOCUMENTATION_OPTIONS.")
        return None if options else script
    attributes = {"defer": "defer"} | script.attributes
    return type(script)(script.filename, priority=script.priority, **attributes)


def extracted(html, save):
    """Return HTML with embedded pictures as files, so that a page's text comes first.

    Args:
        html: What a cell has stored, an explorer for example.
        save: Function that keeps a file of this name with these bytes and returns its address.
    """

    def keep(match):
        data = b64decode(match[1])
        return save(f"{sha256(data).hexdigest()}.png", data)

    return EMBEDDED.sub(keep, html)


def extract_pictures(app, doctree, docname):
    """Put the pictures that a page's raw HTML embeds beside its other pictures."""
    images = app.outdir / "_images"
    folder = posixpath.dirname(app.builder.get_target_uri(docname))

    def save(name, data):
        images.mkdir(exist_ok=True)
        (images / name).write_bytes(data)
        return posixpath.relpath(f"_images/{name}", folder)

    for node in doctree.findall():
        if node.tagname == "raw" and node["format"] == "html":
            node[0] = type(node[0])(extracted(node.astext(), save))


def patient(html, read):
    """Return HTML whose pictures say how large they are and wait until they are nearly in view.

    The first one does not wait: it may be what a reader sees first.

    Args:
        html: The text of a page.
        read: Function that returns the bytes of a picture, given its address on the page.
    """
    later = itertools.chain([""], itertools.repeat(' loading="lazy"'))

    def add(match):
        width, height = struct.unpack_from(">II", read(match[1]), 16)  # the PNG's own words
        size = "" if " width=" in match[0] else f' width="{width}" height="{height}"'
        return match[0].replace("<img", f"<img{size}{next(later)}", 1)

    return PICTURE.sub(add, html)


def lighten_page(app, pagename, templatename, context, doctree):
    """Let all scripts wait but those that the search needs at once, and note the stylesheets."""
    app.styles |= dict.fromkeys(sheet.filename for sheet in context["css_files"])
    if pagename != "search":
        context["script_files"] = list(filter(None, map(waiting, context["script_files"])))


def lighten(outdir, styles):
    """Join the stylesheets, given as paths below the book's root, and remove unused files."""
    static = outdir / "_static"
    sheets = [outdir / name for name in [*THEME_CSS, *styles]]
    css = "\n".join(sheet.read_text(encoding="utf8") for sheet in sheets)
    (static / SITE_CSS).write_text(css, encoding="utf8")
    unused = {path for pattern in UNUSED for path in static.glob(pattern)}
    for path in {*sheets, *unused}:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def finish(app, exception):
    """Lighten a book that was built."""
    if exception is not None:
        return
    lighten(app.outdir, app.styles)
    for page in Path(app.outdir).rglob("*.html"):
        html = page.read_text(encoding="utf8")
        page.write_text(
            patient(html, lambda name, at=page.parent: (at / name).read_bytes()), "utf8"
        )


def setup(app):
    app.styles = {}
    app.add_js_file("formulas.js")
    app.connect("config-inited", choose_mathjax, priority=900)
    app.connect("doctree-resolved", extract_pictures)
    app.connect("html-page-context", lighten_page, priority=900)
    app.connect("build-finished", finish, priority=900)  # after all that copies files
    return {"parallel_read_safe": True}

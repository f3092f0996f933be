"""Light pages that say what they are: one stylesheet, no blocking script, plain roles.

The theme brings 2000 icons as a script of 1.5 MB and as fonts, the formulas' package brings all
of MathJax. Pages ask for a dozen icons and for TeX in, HTML out.
"""

import re
import shutil
from base64 import b64decode
from hashlib import sha256
from urllib.parse import quote

ICON = re.compile(r'"?([\w-]+)"?:\[(\d+),(\d+),\[([^\]]*)\],"\w+","([^"]+)"\]')
UNUSED = [
    "scripts/*.map",
    "styles/*.map",
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
THEME_CSS = ["basic.css", "styles/pydata-sphinx-theme.css"]
ICON_RULE = re.compile(r"(?:\.fa-[\w-]+:{1,2}(?:before|after),?)+\{[^{}]*\}")
MATHJAX = {"load": ["input/tex", "output/chtml", "a11y/assistive-mml"]}
MENDED = {  # roles and labels that hide what stands there from a screen reader
    ' aria-label="Toggle hidden content"': "",
    ' role="doc-biblioentry"': "",
    '<div role="list" class="citation-list">': '<div class="citation-list">',
}
EMBEDDED = re.compile(r'(?<=src=")data:image/png;base64,([^"]+)')
SIGNATURE = re.compile(r'<dl>\n(<dd><em class="sig-param">.*?)</dl>', re.DOTALL)


def icons_in(script):
    """Return {name: (width, height, path)} of the icons in Font Awesome's script.

    Of icons that come in several styles the last one counts, which is the solid one.
    """
    found = {}
    for name, width, height, aliases, path in ICON.findall(script):
        names = [name, *re.findall(r'"([\w-]+)"', aliases)]
        found |= dict.fromkeys(names, (int(width), int(height), path))
    return found


def icons_used(pages, icons):
    """Return the names of icons that pages show, in order."""
    asked = {name for page in pages for name in re.findall(r"\bfa-([\w-]+)", page)}
    return sorted(asked & icons.keys())


def stylesheet(names, icons):
    """Return rules that draw icons as masks in the colour of the text, without a font."""
    rules = [
        "/* Icons: Font Awesome Free, https://fontawesome.com, CC BY 4.0. */",
        ".fas, .fa-solid { display: inline-block; width: 1em; height: 1em;"
        " background: currentcolor; mask: var(--icon) center / contain no-repeat; }",
        ".fas::before, .fa-solid::before { content: none !important; }",
    ]
    for name in names:
        width, height, path = icons[name]
        svg = (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}'>"
            f"<path d='{path}'/></svg>"
        )
        rules.append(f'.fa-{name} {{ --icon: url("data:image/svg+xml,{quote(svg)}"); }}')
    return "\n".join(rules) + "\n"


def one_stylesheet(sheets):
    """Return stylesheets as one, without the rules for icons of a font."""
    text = "\n".join(sheets).replace('@charset "UTF-8";', "")
    return ICON_RULE.sub("", text)


def mended(body):
    """Return a page's body with its roles and labels mended."""
    for bad, good in MENDED.items():
        body = body.replace(bad, good)
    return SIGNATURE.sub(lambda match: signature_lines(match[1]), body)


def signature_lines(items):
    """Return a signature's parameters as lines; Sphinx makes a list of values without terms."""
    return items.replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")


def extracted(body, save):
    """Return a page's body with embedded pictures as files, so that its text comes first.

    Args:
        body: HTML.
        save: Function that keeps a file of this name with these bytes and returns its address.
    """

    def keep(match):
        data = b64decode(match[1])
        return save(f"{sha256(data).hexdigest()}.png", data)

    return EMBEDDED.sub(keep, body)


# What Sphinx calls


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


def mend_page(app, pagename, templatename, context, doctree):
    """Let all scripts wait but those that the search needs at once, and mend the body."""
    app.styles |= dict.fromkeys(sheet.filename for sheet in context["css_files"])
    if pagename != "search":
        context["script_files"] = list(filter(None, map(waiting, context["script_files"])))

    def save(name, data):
        images = app.outdir / "_images"
        images.mkdir(exist_ok=True)
        (images / name).write_bytes(data)
        return context["pathto"](f"_images/{name}", 1)

    if "body" in context:
        context["body"] = extracted(mended(context["body"]), save)


def lighten(app, exception):
    """Write the one stylesheet with the icons in use, then remove what no page asks for."""
    if exception is not None:
        return
    static = app.outdir / "_static"
    script = (static / "scripts" / "fontawesome.js").read_text(encoding="utf8")
    pages = [page.read_text(encoding="utf8") for page in app.outdir.rglob("*.html")]
    icons = icons_in(script)
    files = [static / name for name in THEME_CSS]
    files += [app.outdir / name for name in app.styles]
    sheets = [path.read_text(encoding="utf8") for path in files]
    css = one_stylesheet([*sheets, stylesheet(icons_used(pages, icons), icons)])
    for path in {*files, *(path for pattern in UNUSED for path in static.glob(pattern))}:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (static / SITE_CSS).write_text(css, encoding="utf8")


def setup(app):
    app.styles = {}
    app.add_js_file("scroll.js")
    app.connect("config-inited", choose_mathjax, priority=900)
    app.connect("html-page-context", mend_page, priority=900)
    app.connect("build-finished", lighten, priority=900)  # after all that copies files
    return {"parallel_read_safe": True}

"""Where the book is published, and what follows: canonical addresses, Colab, previews, a sitemap.

All of it stems from the repository's address in _config.yml. Until that is a real one, pages say
nothing about their address: no link to Colab, no sitemap, no picture in a preview.
"""

import re
from xml.sax.saxutils import escape

DESCRIPTION = (
    "A course on autoregressive image models: build one that draws handwritten digits pixel by "
    "pixel, and measure each part of it. Every number is computed; no GPU is needed."
)
PREVIEW_ALT = "Six handwritten digits, each completed by a model from its upper half."
DESCRIPTION_LENGTH = 160
PLACEHOLDER = re.compile(r"https://github\.com/-[\w-]*/[\w.-]+")


def parts(repository_url):
    """Return (owner, name) of a repository on GitHub, or None for the placeholder.

    No account on GitHub may begin with a hyphen, so nobody can take the placeholder's name.
    """
    match = re.fullmatch(r"https://github\.com/([\w-]+)/([\w.-]+?)(?:\.git)?/?", repository_url)
    if match is None:
        raise ValueError(
            f"repository.url in _config.yml is {repository_url!r}; it has to look like "
            "https://github.com/owner/name"
        )
    return None if match[1].startswith("-") else match.groups()


def site_address(repository_url):
    """Return the address of the site that GitHub Pages makes of a repository, "" if unknown."""
    if (found := parts(repository_url)) is None:
        return ""
    owner, name = found
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def colab_address(repository_url, branch, source):
    """Return the address that opens a notebook of the repository on Colab, None if unknown."""
    if (found := parts(repository_url)) is None:
        return None
    owner, name = found
    return f"https://colab.research.google.com/github/{owner}/{name}/blob/{branch}/{source}"


def summary(paragraphs):
    """Return the first paragraphs as one line of whole words for a preview."""
    line = ""
    for paragraph in paragraphs:
        line = f"{line} {' '.join(paragraph.split())}".strip()
        if len(line) >= DESCRIPTION_LENGTH // 2:
            break
    if len(line) <= DESCRIPTION_LENGTH:
        return line
    return line[: DESCRIPTION_LENGTH - 1].rpartition(" ")[0].rstrip(",;:") + "…"


def sitemap(address, pages):
    """Return sitemap.xml for pages given as paths below the address."""
    entries = "".join(f"<url><loc>{escape(address + page)}</loc></url>\n" for page in pages)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{entries}</urlset>\n'
    )


# What Sphinx calls


def set_address(app, config):
    """Derive the site's address, which Sphinx uses for canonical links."""
    url = config.html_theme_options["repository_url"]
    config.html_baseurl = config.html_baseurl or site_address(url)
    config.html_context |= {"html_baseurl": config.html_baseurl, "preview_alt": PREVIEW_ALT}
    if config.html_baseurl:
        app.tags.add("published")


def fill_in_address(app, docname, source):
    """Write the repository's address into a page's text where the placeholder stands."""
    url = app.config.html_theme_options["repository_url"]
    source[0] = PLACEHOLDER.sub(lambda _: url, source[0])


def describe_page(app, pagename, templatename, context, doctree):
    """Give a page's template its description, and a notebook's its place on Colab."""
    options = app.config.html_theme_options
    if context.get("page_source_suffix") == ".ipynb":
        source = f"{pagename}.ipynb"
        context["colab_url"] = colab_address(
            options["repository_url"], options["repository_branch"], source
        )
    if pagename in (app.config.root_doc, "index"):
        context["description"] = DESCRIPTION
    elif doctree is not None:
        texts = [node.astext() for node in doctree.findall() if node.tagname == "paragraph"]
        context["description"] = summary(texts)


def extra_pages(app):
    """Yield the front door and the page for missing pages."""
    yield from [("index", {}, "index.html"), ("404", {}, "404.html")]


def write_sitemap(app, exception):
    """List all pages for search engines, if the site's address is known."""
    if exception is None and app.config.html_baseurl:
        pages = [app.builder.get_target_uri(name) for name in sorted(app.env.found_docs)]
        text = sitemap(app.config.html_baseurl, pages)
        (app.outdir / "sitemap.xml").write_text(text, encoding="utf8")


def setup(app):
    app.connect("config-inited", set_address)
    app.connect("source-read", fill_in_address)
    app.connect("html-page-context", describe_page)
    app.connect("html-collect-pages", extra_pages)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Pixel Lab: its one script goes on the pages that have a place for it, its style on all."""

PLACE = 'class="pixel-lab'


def add_script(app, pagename, templatename, context, doctree):
    """Load the lab on a page whose raw HTML asks for it."""
    if doctree is not None and any(
        node.tagname == "raw" and PLACE in node.astext() for node in doctree.findall()
    ):
        app.add_js_file("lab/page/start.js")


def setup(app):
    app.add_css_file("lab/lab.css")
    app.connect("html-page-context", add_script, priority=400)  # before the scripts are looked at

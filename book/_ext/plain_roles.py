"""HTML with plain roles: no role or label that hides from a screen reader what stands there.

Docutils calls citations the items of a list, which browsers do not know; MyST-NB names a folded
cell by a label instead of by its text; Sphinx makes a signature's lines a list of definitions
without terms.
"""

from html import escape

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode, depart_HideCellInput
from sphinx.writers.html5 import HTML5Translator

LINES = {"<dl>\n": "", "<dd>": '<span class="sig-line">', "</dd>\n": "</span>\n", "</dl>\n\n": ""}


class Translator(HTML5Translator):
    """Sphinx's translator; the theme adds to it."""

    def visit_citation(self, node):
        if not isinstance(node.previous_sibling(), nodes.citation):
            self.body.append('<div class="citation-list">\n')
        self.body.append(self.starttag(node, "div", classes=["citation"]))

    def visit_desc_parameterlist(self, node):
        self.context.append(len(self.body))
        super().visit_desc_parameterlist(node)

    def depart_desc_parameterlist(self, node):
        super().depart_desc_parameterlist(node)
        start = self.context.pop()
        self.body[start:] = [LINES.get(part, part) for part in self.body[start:]]


def visit_folded(translator, node):
    translator.body.append(
        f'<details class="admonition hide {" ".join(node["classes"])}">\n<summary>\n'
        f'<p class="collapsed admonition-title">{escape(node["prompt_show"])}</p>\n'
        f'<p class="expanded admonition-title">{escape(node["prompt_hide"])}</p>\n</summary>\n'
    )


def setup(app):
    app.set_translator("html", Translator)
    app.add_node(HideCodeCellNode, override=True, html=(visit_folded, depart_HideCellInput))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

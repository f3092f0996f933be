"""How autodoc2 shows pixelar_lib: Google-style docstrings in Markdown, modules without headings."""

from autodoc2.render.myst_ import MystRenderer
from myst_parser.parsers.sphinx_ import MystParser
from sphinx.ext.napoleon import Config, GoogleDocstring

SECTIONS = Config(napoleon_use_ivar=True, napoleon_use_rtype=False)


class Parser(MystParser):
    """Parse a docstring as MyST, which has the field lists that napoleon makes of sections."""

    def parse(self, inputstring, document):
        super().parse("\n".join(GoogleDocstring(inputstring, SECTIONS).lines()), document)


class Renderer(MystRenderer):
    """Render a module as its docstring and its public members; the page brings the heading."""

    def render_package(self, item):
        name = item["full_name"]
        yield from [f"```{{py:module}} {name}", "```", ""]
        yield from [f"```{{autodoc2-docstring}} {name}", f":parser: {self.get_doc_parser(name)}"]
        yield from ["```", ""]
        for child in self.get_children(item, {"class", "data", "exception", "function"}):
            yield from self.render_item(child["full_name"])
        for child in self.get_children(item, {"module"}):
            yield from [f"```{{rubric}} {child['full_name'].split('.', 1)[1]}", "```", ""]
            yield from self.render_item(child["full_name"])


def link_alias(app, env, node, contnode):
    """Link a type in a signature that is no class but a documented alias (x = A | B)."""
    if (node["refdomain"], node["reftype"]) == ("py", "class"):
        return env.get_domain("py").resolve_xref(
            env, node["refdoc"], app.builder, "data", node["reftarget"], node, contnode
        )
    return None


def setup(app):
    app.connect("missing-reference", link_alias)
    return {"parallel_read_safe": True}

"""How autodoc2 shows pixelar_lib: Google-style docstrings in Markdown, modules without headings."""

import re

from autodoc2.render.myst_ import MystRenderer
from myst_parser.parsers.sphinx_ import MystParser

SECTIONS = {"Args:": "param", "Attributes:": "ivar", "Raises:": "raises"}
SINGLE = {"Returns:": "returns", "Yields:": "yields"}  # one text, no names
ENTRY = re.compile(r" {4}(\*{0,2}\w+(?:, \w+)*): (.*)")


def to_field_list(docstring):
    """Return the docstring with its Google sections as the field list that Sphinx knows."""
    lines, field = [], None
    for line in docstring.splitlines():
        if line in SECTIONS:
            field = SECTIONS[line]
            lines.append("")
        elif line in SINGLE:
            field = None
            lines += ["", f":{SINGLE[line]}:"]
        elif line and not line.startswith(" "):
            field = None
            lines.append(line)
        elif field and (entry := ENTRY.fullmatch(line)):
            lines.append(f":{field} {entry[1]}: {entry[2]}")
        else:
            lines.append(line)
    return "\n".join(lines)


class Parser(MystParser):
    """Parse a docstring as MyST."""

    def parse(self, inputstring, document):
        super().parse(to_field_list(inputstring), document)


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

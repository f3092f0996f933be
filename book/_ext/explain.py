"""Glossary terms and citations explain themselves where they stand.

A link to a glossary entry or to a reference is described by a short text at the end of its page,
rendered here, which explain.js shows beside the link. Without scripts the link leads on as before.
"""

from docutils import nodes


class explained(nodes.reference):
    """A link with an explanation."""


def visit_explained(translator, node):
    translator.visit_reference(node)
    described = f'<a aria-describedby="{node["explanation"]}" '
    translator.body[-1] = translator.body[-1].replace("<a ", described, 1)


def depart_explained(translator, node):
    translator.depart_reference(node)


def anchor_of(link):
    """Return the place on its page that a link leads to."""
    return link.get("refid") or link.get("refuri", "").partition("#")[2]


def mark_links(app, doctree, docname):
    """Turn links to glossary entries and to references into links with an explanation."""
    cited = {citation.citation_id for citation in app.env.get_domain("cite").citations}
    for link in list(doctree.findall(nodes.reference)):
        anchor = anchor_of(link)
        is_term = anchor.startswith("term-") and link.get("internal")
        if is_term or ("reftitle" in link and anchor in cited):
            kept = {key: value for key, value in link.attributes.items() if key != "reftitle"}
            marked = explained("", "", *link.children, explanation=f"explain-{anchor}", **kept)
            link.replace_self(marked)


def entries(app):
    """Return {explanation: nodes} of all glossary entries and references."""
    found = {}
    glossary, references = (
        app.env.get_and_resolve_doctree(name, app.builder)
        for name in ("book/glossary", "book/references")
    )
    for item in glossary.findall(nodes.definition_list_item):
        for term in item.findall(nodes.term):
            found |= {f"explain-{anchor}": item[-1].children for anchor in term["ids"]}
    for entry in references.findall(nodes.citation):
        found |= {f"explain-{anchor}": entry[1:] for anchor in entry["ids"]}
    return found


def plain(children):
    """Return a copy of nodes in a container, without links and anchors, which stand elsewhere."""
    copy = nodes.container("", *(child.deepcopy() for child in children))
    for node in list(copy.findall(nodes.Element)):
        node["ids"] = []
        if isinstance(node, nodes.reference):
            node.replace_self(node.children)
    return copy


def add_explanations(app, pagename, templatename, context, doctree):
    """Put the explanations that a page's links need at its end."""
    if doctree is None:
        return
    if not hasattr(app, "explanations"):
        app.explanations = entries(app)
    wanted = {link["explanation"] for link in doctree.findall(explained)}
    for name in sorted(wanted):
        text = app.builder.render_partial(plain(app.explanations[name]))["fragment"]
        context["body"] += f'<div class="explanation" role="tooltip" id="{name}">{text}</div>\n'
    if wanted:
        app.add_js_file("explain.js")


def setup(app):
    app.add_node(explained, html=(visit_explained, depart_explained))
    app.connect("doctree-resolved", mark_links)
    app.connect("html-page-context", add_explanations)
    return {"parallel_read_safe": True}

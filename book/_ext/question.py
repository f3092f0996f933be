"""Questions with answers that explain themselves: ```{question}, below it text and a list.

    ```{question}
    :right: 2

    What is asked?

    - An answer that readers give.

      Why it is wrong.
    - The right one.

      Why it is right.
    ```

Each answer is a radio button, and choosing it shows its explanation by style alone; check.js
counts, and remembers on the reader's own device.
"""

from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective


class question(nodes.General, nodes.Element):
    """A question: its text, then its answers."""


class asked(nodes.TextElement):
    """What is asked."""


class answer(nodes.General, nodes.Element):
    """An answer, its explanation inside."""


class offered(nodes.TextElement):
    """What an answer says."""


class why(nodes.General, nodes.Element):
    """Why an answer is right or wrong."""


class Question(SphinxDirective):
    """Builds a question from the text and the list below it."""

    has_content = True
    option_spec: ClassVar = {"right": directives.positive_int}

    def run(self):
        parsed = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, parsed)
        text, *others = parsed.children or [None]
        answers = others[0].children if others else []
        right = self.options.get("right", 0)
        if not isinstance(text, nodes.paragraph) or not 1 <= right <= len(answers):
            raise self.error("a question is a paragraph, a list and the number of the right answer")
        number = self.env.temp_data["questions"] = self.env.temp_data.get("questions", 0) + 1
        page = self.env.docname.rpartition("/")[2]
        found = question("", asked("", "", nodes.Text(f"{number}. "), *text.children))
        for place, item in enumerate(answers, 1):
            said, *reasons = item.children
            if not isinstance(said, nodes.paragraph) or not reasons:
                raise self.error(f"answer {place} must be a paragraph and an explanation")
            found += answer(
                "",
                offered("", "", *said.children),
                why("", *reasons, is_right=place == right),
                name=f"{page}-{number}",
                value=place,
                is_right=place == right,
            )
        return [found]


def visit_answer(translator, node):
    kind = "right" if node["is_right"] else "wrong"
    identity = f'id="{node["name"]}-{node["value"]}"'
    translator.body.append(
        f'<div class="answer {kind}"><input type="radio" name="{node["name"]}" '
        f'value="{node["value"]}" {identity}>'
    )


def visit_offered(translator, node):
    target = f"{node.parent['name']}-{node.parent['value']}"
    translator.body.append(f'<label for="{target}">')


def visit_why(translator, node):
    verdict = "Right." if node["is_right"] else "Not quite."
    translator.body.append(f'<div class="why"><p class="verdict">{verdict}</p>\n')


def around(before, after):
    """Return the two functions that write HTML around a node."""
    return (
        lambda translator, node: translator.body.append(before),
        lambda translator, node: translator.body.append(after),
    )


def add_script(app, pagename, templatename, context, doctree):
    """Load the script that counts, where there are questions."""
    if doctree is not None and any(doctree.findall(question)):
        app.add_js_file("check.js")


def setup(app):
    app.add_directive("question", Question)
    app.add_node(question, html=around('<fieldset class="question">\n', "</fieldset>\n"))
    app.add_node(asked, html=around("<legend>", "</legend>\n"))
    app.add_node(answer, html=(visit_answer, around("", "</div>\n")[1]))
    app.add_node(offered, html=(visit_offered, around("", "</label>\n")[1]))
    app.add_node(why, html=(visit_why, around("", "</div>")[1]))
    app.connect("html-page-context", add_script, priority=400)  # before the scripts are looked at
    return {"parallel_read_safe": True, "parallel_write_safe": True}

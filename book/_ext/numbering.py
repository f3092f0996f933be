"""A chapter's figures and displayed equations get numbers to point to: Figure 4.2, (4.2).

The figures are outputs of cells, which have neither caption nor label of their own.
"""

import re

from docutils import nodes

CHAPTER = re.compile(r"notebooks/(\d\d)_")


def chapter_of(docname):
    """Return a chapter's number, an appendix's letter (from 90 on), or None for other pages."""
    if (match := CHAPTER.match(docname)) is None:
        return None
    number = int(match[1])
    return str(number) if number < 90 else chr(ord("A") + number - 90)


def number_all(app, doctree, docname):
    """Number a chapter's pictures and displayed equations, each with an address of its own."""
    if (chapter := chapter_of(docname)) is None:
        return
    outputs = [box for box in doctree.findall(nodes.container) if "cell_output" in box["classes"]]
    images = [image for output in outputs for image in output.findall(nodes.image)]
    for count, image in enumerate(images, start=1):
        name = f"figure-{chapter}-{count}".lower()
        link = nodes.reference("", f"Figure {chapter}.{count}", refid=name, internal=True)
        image.parent.insert(
            image.parent.index(image) + 1,
            nodes.paragraph("", "", link, ids=[name], classes=["figure-number"]),
        )
    for count, equation in enumerate(doctree.findall(nodes.math_block), start=1):
        equation["number"] = f"{chapter}.{count}"
        equation["ids"].append(f"equation-{chapter}-{count}".lower())


def setup(app):
    app.connect("doctree-resolved", number_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

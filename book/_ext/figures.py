"""Charts follow the reader's theme: they are marked, so that the stylesheet can turn them dark.

A figure notes in its PNG how large its letters and its pictures are (`pixelar_lib.plotting`); one
without pictures is a chart. Pictures keep their greys: these are what the book is about.
"""

import struct
from pathlib import Path


def png_notes(png):
    """Return the texts that a PNG notes, by keyword; {} for what is no PNG."""
    notes, place = {}, 8  # behind the signature
    while png.startswith(b"\x89PNG") and place + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        if kind == b"tEXt":
            name, _, text = png[place + 8 : place + 8 + length].partition(b"\0")
            notes[name.decode("latin1")] = text.decode("latin1")
        place += length + 12  # length, kind and checksum
    return notes


def is_chart(png):
    """Say whether a figure holds no picture."""
    notes = png_notes(png)
    return "Lettering" in notes and "Picture" not in notes


def mark_charts(app, doctree, docname):
    """Give each output of a cell that is a chart its class."""
    from docutils import nodes  # where the book is built; the tests read PNGs only

    for output in doctree.findall(nodes.container):
        if "cell_output" in output["classes"]:
            for image in output.findall(nodes.image):
                if is_chart(Path(app.srcdir, image["uri"]).read_bytes()):
                    image["classes"].append("px-chart")


def setup(app):
    app.connect("doctree-resolved", mark_charts, priority=400)  # before figures get numbers
    return {"parallel_read_safe": True, "parallel_write_safe": True}

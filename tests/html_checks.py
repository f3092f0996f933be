"""What stored outputs hand to a browser, as pure functions: the book publishes their HTML raw.

nbval does not compare what widget cells show, so nothing else would notice a script in there.
"""

import base64
import binascii
import io
import itertools
import json
import re
from html import escape, unescape

from nbval.plugin import find_comment_markers, find_metadata_tags
from PIL import Image
from project_checks import code_cells

# What cells may store. Other types, such as JavaScript, SVG and Markdown, can bring scripts.
MAY_BE_STORED = {"text/plain", "image/png", "text/html"}

PICTURE = re.compile(
    r'<img class="px-(?:picture|chart)" alt="([^"]+)" '
    r'src="data:image/png;base64,([A-Za-z0-9+/]+=*)">'
)

# The one other kind of HTML: tables of figures, and only where nbval compares them with what the
# code of their cell prints. Text, and these elements with these attributes.
ELEMENTS = "table|caption|thead|tbody|tr|th|td|b|br"
ATTRIBUTES = "class|scope|colspan|rowspan|style"
TABLE = re.compile(
    rf'<table(?:[^<&]|&#?\w+;|</?(?:{ELEMENTS})(?: (?:{ATTRIBUTES})="[\w .:;%-]*")*>)*</table>'
)


def html_complaints(notebook, template):
    """Complain about stored HTML that is neither a table nor an explorer, and about other types.

    Args:
        notebook: With its outputs.
        template: The text of pixelar_lib/static_explorer.html.
    """
    found = [f"a {cell.cell_type} cell" for cell in notebook.cells if cell.cell_type == "raw"]
    for number, cell in enumerate(code_cells(notebook)):
        for output in cell.outputs:
            for mime, value in output.get("data", {}).items():
                if mime not in MAY_BE_STORED:
                    found.append(f"code cell {number} stores {mime}")
                elif mime == "text/html" and not (is_compared(cell) and TABLE.fullmatch(value)):
                    fault = explorer_fault(value, template)
                    found += [f"code cell {number}: {fault}"] if fault else []
    return found


def is_compared(cell):
    """Say whether nbval compares what a cell shows."""
    return not {*find_metadata_tags(cell.metadata), *find_comment_markers(cell.source)}


def explorer_fault(html, template):
    """Say where an explorer's HTML differs from what the template makes; None where it does not.

    The template is taken as a pattern, so only what stands in place of its $names can differ.
    """
    literals, names = re.split(r"\$\w+", template), re.findall(r"\$(\w+)", template)
    gaps = [f"(?P<{name}>.*?)" for name in names]
    parts = itertools.chain(*itertools.zip_longest(map(re.escape, literals), gaps, fillvalue=""))
    match = re.fullmatch("".join(parts), html, flags=re.DOTALL)
    if not match:
        return "HTML that the template of the explorers does not make, and no table"
    for name in ("sliders", "caption", "summary"):
        if not is_escaped(match[name]):
            return f"the {name} of an explorer can hold markup"
    pictures = match["pictures"].split("\n")
    for picture in {match["screen"], *pictures}:
        if not is_picture(picture):
            return f"no picture: {picture[:60]}"
    try:
        first, count = sliders_choose(json.loads(unescape(match["sliders"])))
    except (LookupError, TypeError, ValueError) as error:
        return f"no sliders: {error}"
    if count != len(pictures) or pictures[first] != match["screen"]:
        return "the sliders of an explorer choose among other pictures"
    return None


def is_escaped(text):
    """Say whether a text is what html.escape makes of another one."""
    return escape(unescape(text)) == text


def is_picture(markup):
    """Say whether a piece of HTML is a PNG with an alternative text, and nothing else."""
    match = PICTURE.fullmatch(markup)
    if not match or not is_escaped(match[1]):
        return False
    try:
        data = base64.b64decode(match[2], validate=True)
        Image.open(io.BytesIO(data), formats=["PNG"]).verify()
    except (binascii.Error, OSError, SyntaxError):  # PIL's complaint about a broken chunk
        return False
    return True


def sliders_choose(sliders):
    """Return which picture sliders show at first, and among how many they choose.

    Raises:
        ValueError: If one has no label, stops that are no texts, or a start beyond its stops.
    """
    first, count = 0, 1
    for slider in sliders:
        label, stops, start = slider["label"], slider["stops"], slider["start"]
        texts = all(isinstance(text, str) for text in (label, *stops))
        if len(slider) != 3 or not texts or start not in range(len(stops)):
            raise ValueError(f"no slider: {slider}")
        first, count = first * len(stops) + start, count * len(stops)
    return first, count

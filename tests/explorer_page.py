"""What stands in the HTML of an explorer, as a reader without scripts finds it."""

import base64
import json
from dataclasses import dataclass
from html.parser import HTMLParser

VOID = {"img"}  # elements that have no end


@dataclass
class Picture:
    alt: str
    source: str

    @property
    def png(self):
        """Return the bytes of the PNG that stands in the page itself."""
        kind, _, data = self.source.partition(",")
        assert kind == "data:image/png;base64"
        return base64.b64decode(data, validate=True)


class Page(HTMLParser):
    """Read the HTML of one explorer; fail where an element does not end where it should.

    Attributes:
        shown: The picture on show.
        listed: The pictures in the folded list.
        sliders: What the script is told.
        texts: The text in each kind of element.
        attributes: (name, value) of all of them.
    """

    def __init__(self, html):
        super().__init__()
        self.open, self.listed, self.texts, self.attributes = [], [], {}, []
        self.shown = self.sliders = None
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.attributes += attributes
        values = dict(attributes)
        if tag == "img":
            picture = Picture(values.get("alt", ""), values["src"])
            if "details" in self.open:
                self.listed.append(picture)
            else:
                self.shown = picture
        if values.get("class") == "px-explorer":
            self.sliders = json.loads(values["data-sliders"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data

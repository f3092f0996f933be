"""Explorers for pages without a kernel: one picture for each stop of the sliders, in HTML.

Without scripts the pictures are a folded list; a script that comes along puts them behind sliders.
"""

import base64
import io
import itertools
import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from string import Template

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pixelar_lib.plotting.figure import SCREEN_DPI, Picture


def png(figure: Picture) -> bytes:
    """Return a figure as a small PNG: a palette of 256 colours is enough for what we draw."""
    drawn, small, notes = io.BytesIO(), io.BytesIO(), PngInfo()
    figure.savefig(drawn, format="png", dpi=SCREEN_DPI)
    for name, text in figure.facts().items():
        notes.add_text(name, text)
    picture = Image.open(drawn).convert("RGB").quantize(256)
    picture.save(small, format="png", optimize=True, pnginfo=notes)
    return small.getvalue()


def static_explorer(
    draw: Callable[..., Picture],
    stops: dict[str, list[float]],
    start: dict[str, float],
    labels: dict[str, str],
    caption: str,
) -> str:
    """Return HTML that shows a figure at each combination of the sliders' stops.

    It needs no kernel and no other file. With several sliders, the pictures multiply.

    Args:
        draw: Called with one stop of each slider by name; returns a figure with a title.
        stops: The values of each slider, by the name of the argument of `draw` that it sets.
        start: A value for each slider; shown first is the stop nearest to it.
        labels: What stands beside each slider.
        caption: Says what the pictures show.
    """
    pictures = [
        _picture(draw(**dict(zip(stops, values, strict=True))))
        for values in itertools.product(*stops.values())
    ]
    sliders, first = [], 0
    for name, values in stops.items():
        nearest = min(range(len(values)), key=lambda index: abs(values[index] - start[name]))
        first = first * len(values) + nearest  # the last slider's stops follow each other
        texts = [f"{value:g}" for value in values]
        sliders.append({"label": labels[name], "stops": texts, "start": nearest})
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf8")
    return Template(template).substitute(
        sliders=escape(json.dumps(sliders)),
        screen=pictures[first],
        caption=escape(caption),
        summary=escape(f"All {len(pictures)} pictures, by {' and '.join(labels.values())}"),
        pictures="\n".join(pictures),
    )


def _picture(figure: Picture) -> str:
    title = " ".join((figure.get_suptitle() or figure.axes[0].get_title()).split())
    kind = "picture" if any(axis.images for axis in figure.axes) else "chart"
    data = base64.b64encode(png(figure)).decode()
    return f'<img class="px-{kind}" alt="{escape(title)}" src="data:image/png;base64,{data}">'

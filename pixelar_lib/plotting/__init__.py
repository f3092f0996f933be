"""Figures from numbers; nothing is computed here.

All functions return a `Picture`, which pyplot does not keep, so that a notebook shows it once.
"""

from pixelar_lib.plotting.charts import bar_chart, line_chart, reliability_diagram
from pixelar_lib.plotting.figure import CARD, SCREEN_DPI, WIDTH, Picture
from pixelar_lib.plotting.network import network
from pixelar_lib.plotting.pictures import (
    attention_picture,
    code_picture,
    contact_sheet,
    context_picture,
    heat_maps,
    image_grid,
    number_grids,
)

__all__ = [
    "CARD",
    "SCREEN_DPI",
    "WIDTH",
    "Picture",
    "attention_picture",
    "bar_chart",
    "code_picture",
    "contact_sheet",
    "context_picture",
    "heat_maps",
    "image_grid",
    "line_chart",
    "network",
    "number_grids",
    "reliability_diagram",
]

"""What all figures share: their paper, their size, and what they note about themselves.

They are made for a phone first: never wider than `WIDTH`, no letter smaller than the others, so
that ten points are ten pixels on a small screen. Colours are Okabe and Ito's, which stay apart for
colour-blind eyes.
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.text import Text

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILION, PURPLE, SKY = "#D55E00", "#CC79A7", "#56B4E9"
BLACK = "#222222"
CARD, CHALK = "#2b2f36", "#f2f2f2"  # the ground of pictures, and letters on it
CHART = {
    "figure.dpi": 200,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": BLACK,
    "axes.titlesize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "text.color": BLACK,
    "image.cmap": "gray",
}
PICTURES = CHART | {
    "figure.facecolor": CARD,
    **dict.fromkeys(["text.color", "axes.titlecolor", "axes.labelcolor"], CHALK),
    **dict.fromkeys(["xtick.color", "ytick.color"], CHALK),
}
WIDTH = 4.8  # inches
SCREEN_DPI = 110  # pixels to an inch where a figure is shown
MAX_COLUMNS = 6  # pictures side by side that a phone can show


class Picture(Figure):
    """A figure that notes in its PNG how large its letters and pictures are.

    `Lettering` and `Picture` are the height of its smallest letters and the width of its
    smallest picture, in shares of the figure's width; a chart has no `Picture`.
    """

    def facts(self) -> dict[str, str]:
        """Return what the PNG notes, as the figure was drawn last."""
        letters = [text for text in self.findobj(Text) if text.get_visible() and text.get_text()]
        smallest = min(text.get_fontsize() for text in letters) / 72 / self.get_figwidth()
        widths = [axis.get_window_extent().width for axis in self.axes if axis.images]
        notes = {"Lettering": f"{smallest:.4f}"}
        return notes | ({"Picture": f"{min(widths) / self.bbox.width:.4f}"} if widths else {})

    def _repr_mimebundle_(self, **kwargs: object) -> tuple[dict, dict]:
        """Return how wide a notebook shows the PNG that it makes by itself."""
        return {}, {"image/png": {"width": round(self.get_figwidth() * SCREEN_DPI)}}


class NotingCanvas(FigureCanvasAgg):
    """Saves a `Picture` with its notes, and as wide as it was made: notebooks would cut it."""

    def print_figure(self, filename: object, **settings: object) -> object:
        """Save the figure, as matplotlib does."""
        return super().print_figure(filename, **(settings | {"bbox_inches": None}))

    def print_png(self, filename: object, *, metadata: dict | None = None, **_: object) -> None:
        """Write the PNG with the figure's notes."""
        self.draw()
        notes = self.figure.facts() | (metadata or {})
        imsave(filename, self.buffer_rgba(), format="png", dpi=self.figure.dpi, metadata=notes)


def new_figure(
    title: str, height: float, rows: int = 1, columns: int = 1, width: float = WIDTH
) -> tuple[Picture, np.ndarray]:
    """Return an empty figure under its title, and its axes, (rows, columns); sizes in inches."""
    title = wrapped(title, width)
    height += 0.2 * (title.count("\n") + 1) if title else 0
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(width, height),
        squeeze=False,
        layout="constrained",
        FigureClass=Picture,
    )
    plt.close(figure)
    figure.set_canvas(NotingCanvas(figure))
    figure.suptitle(title, fontsize="medium")
    return figure, axes


def new_panels(title: str, count: int, height: float) -> tuple[Picture, list[Axes]]:
    """Return a figure with axes for so many panels, two in a row."""
    rows, columns = -(-count // 2), min(count, 2)
    figure, axes = new_figure(
        title, height * rows, rows, columns, width=WIDTH if count > 1 else 3.6
    )
    for axis in axes.flat[count:]:
        axis.axis("off")
    return figure, list(axes.flat[:count])


def wrapped(title: str, width: float) -> str:
    """Return a title in lines that are no wider than so many inches."""
    return textwrap.fill(title, round(13 * width))

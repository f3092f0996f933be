"""A drawing of a network: its parts as boxes from top to bottom, with shapes and sizes."""

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from pixelar_lib.plotting.figure import BLACK, CHART, Picture, new_figure

FILL, EDGE = "#e3eef6", "#0072B2"
BOX, STEP = 0.46, 0.68  # height of a box, and from one box to the next, in inches


@plt.rc_context(CHART)
def network(boxes: list[tuple[str, str, int]], title: str) -> Picture:
    """Draw a network from its input down to its output, an arrow from each part to the next.

    Args:
        boxes: One for each part, in order: its name, the shape of what it hands on, and its
            number of parameters.
        title: States what the picture shows.
    """
    figure, axes = new_figure(title, STEP * len(boxes))
    axis = axes[0, 0]
    axis.axis("off")
    axis.set(xlim=(-0.01, 1.01), ylim=(STEP * (len(boxes) - 1) + BOX + 0.02, -0.02))
    for index, (name, shape, count) in enumerate(boxes):
        top = STEP * index
        axis.add_patch(Rectangle((0, top), 1, BOX, facecolor=FILL, edgecolor=EDGE))
        size = f"{count:,} parameters" if count else "no parameters"
        axis.text(0.03, top + 0.3 * BOX, name, weight="bold", va="center")
        axis.text(0.03, top + 0.74 * BOX, size, va="center")
        axis.text(0.97, top + BOX / 2, shape, ha="right", va="center")
        if index:
            arrow = {"arrowstyle": "-|>", "color": BLACK, "shrinkA": 0, "shrinkB": 0}
            axis.annotate("", (0.5, top), (0.5, top - STEP + BOX), arrowprops=arrow)
    return figure

"""Figures from numbers; nothing is computed here.

All functions return a `Picture`, which pyplot does not keep, so that a notebook shows it once.
Pictures lie on a dark card, charts on white paper. Colours are Okabe and Ito's, which stay apart
for colour-blind eyes.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes

from pixelar_lib.picture import (
    CHART,
    MAX_COLUMNS,
    PICTURES,
    WIDTH,
    Picture,
    new_figure,
    new_panels,
    wrapped,
)

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILION, PURPLE, SKY = "#D55E00", "#CC79A7", "#56B4E9"
LINE_STYLES = [(BLUE, "-", "o"), (VERMILION, "--", "s"), (GREEN, "-.", "^"), (PURPLE, ":", "D")]
BAR_STYLES = [(BLUE, ""), (VERMILION, "///"), (GREEN, "..."), (PURPLE, "xxx")]


@plt.rc_context(PICTURES)
def image_grid(
    images: torch.Tensor,
    title: str,
    columns: int = 5,
    captions: list[str] | None = None,
    row_names: list[str] | None = None,
) -> Picture:
    """Draw images side by side, in rows.

    Args:
        images: (N, H, W), uint8 levels or float intensities 0 to 1.
        title: States what the picture shows.
        columns: Images in a row, at most 6.
        captions: One text under each image.
        row_names: One text above each row.

    Raises:
        ValueError: If the images of a row would be too small on a phone.
    """
    if not 1 <= columns <= MAX_COLUMNS:
        raise ValueError(f"columns must be 1 to {MAX_COLUMNS}, not {columns}; use more rows.")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    height = WIDTH / max(columns, 2) + 0.22 * (bool(captions) + bool(row_names))
    figure, axes = new_figure(title, height * rows, rows, columns, min(WIDTH, 2.4 * columns))
    for index, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        _show_grey(axis, image)
        if captions:
            axis.text(0.5, -0.05, captions[index], ha="center", va="top", transform=axis.transAxes)
    for axis in axes.flat:
        axis.axis("off")
    for axis, name in zip(axes[:, 0], row_names or [], strict=bool(row_names)):
        axis.set_title(name, loc="left", pad=3)
    return figure


@plt.rc_context(PICTURES)
def number_grids(
    grids: list[torch.Tensor], titles: list[str], title: str, formats: list[str]
) -> Picture:
    """Draw small grids of numbers on their own grey, two side by side.

    Args:
        grids: Tensors (H, W); each is shaded from its smallest to its largest number.
        titles: One for each grid.
        title: States what the picture shows.
        formats: How to write the numbers of each grid, such as "d" or ".2f".
    """
    figure, axes = new_panels(title, len(grids), height=2.4)
    for axis, grid, name, number_format in zip(axes, grids, titles, formats, strict=True):
        axis.imshow(grid.numpy())
        middle = (float(grid.min()) + float(grid.max())) / 2
        for (row, column), value in np.ndenumerate(grid.numpy()):
            ink = "black" if value > middle else "white"
            text = format(value.item(), number_format)
            axis.text(column, row, text, ha="center", va="center", color=ink)
        axis.set(title=name, xticks=[], yticks=[], frame_on=False)
    return figure


@plt.rc_context(CHART)
def line_chart(
    x: list[float],
    lines: dict[str, list[float]],
    title: str,
    xlabel: str,
    ylabel: str,
    levels: dict[str, float] | None = None,
    log_x: bool = False,
) -> Picture:
    """Draw one or more lines over the same x, told apart by colour, dash and marker.

    Args:
        x: Places on the horizontal axis.
        lines: Heights of each line, by name.
        title: States the finding.
        xlabel: Quantity and unit.
        ylabel: Quantity and unit.
        levels: Horizontal lines to compare with, by name.
        log_x: Whether the horizontal axis doubles at equal distances.
    """
    figure, axes = new_figure(title, 3.2)
    axis = axes[0, 0]
    for (name, y), (colour, dash, marker) in _told_apart(lines, LINE_STYLES):
        axis.plot(x, y, color=colour, linestyle=dash, marker=marker, markersize=4, label=name)
    for name, level in (levels or {}).items():
        axis.axhline(level, color="#666666", linewidth=1, linestyle=(0, (1, 1)))
        place = axis.get_yaxis_transform()  # x in shares of the width, y as in the data
        axis.text(1, level, name, ha="right", va="bottom", transform=place)
    if log_x:
        axis.set_xscale("log", base=2)
        axis.set_xticks(x, [f"{value:g}" for value in x])
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.grid(alpha=0.3)
    if len(lines) > 1:
        axis.legend(frameon=False)
    return figure


@plt.rc_context(CHART)
def bar_chart(
    bars: dict[str, list[float]], names: list[str], title: str, xlabel: str, ylabel: str
) -> Picture:
    """Draw groups of bars, told apart by colour and hatching.

    Args:
        bars: Heights of each group, by name.
        names: What stands under the bars.
        title: States the finding.
        xlabel: Quantity and unit.
        ylabel: Quantity and unit.
    """
    figure, axes = new_figure(title, 2.8)
    axis, share = axes[0, 0], 0.8 / len(bars)
    for index, ((name, heights), (colour, hatch)) in enumerate(_told_apart(bars, BAR_STYLES)):
        places = np.arange(len(names)) + (index - (len(bars) - 1) / 2) * share
        axis.bar(places, heights, share, color=colour, hatch=hatch, edgecolor="white", label=name)
    axis.set_xticks(range(len(names)), names)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    if len(bars) > 1:
        axis.legend(frameon=False)
    return figure


@plt.rc_context(PICTURES)
def heat_maps(
    maps: list[torch.Tensor],
    titles: list[str],
    units: list[str],
    title: str,
    limits: list[tuple[float, float]] | None = None,
) -> Picture:
    """Draw maps over the image plane, two side by side, each with its own scale.

    Args:
        maps: Tensors (H, W).
        titles: One for each map.
        units: What each scale measures; an empty unit marks a picture, drawn in grey.
        title: States the finding.
        limits: Smallest and largest value of each scale; default: those of the map.
    """
    figure, axes = new_panels(title, len(maps), height=3.0)
    for index, (axis, values) in enumerate(zip(axes, maps, strict=True)):
        low, high = limits[index] if limits else (float(values.min()), float(values.max()))
        colours = "viridis" if units[index] else "gray"
        shown = axis.imshow(values.numpy(), cmap=colours, vmin=low, vmax=high)
        axis.set(title=wrapped(titles[index], WIDTH / 2), xticks=[], yticks=[])
        bar = figure.colorbar(shown, ax=axis, location="bottom", fraction=0.05, pad=0.03)
        bar.set_label(units[index] or "grey")
    return figure


@plt.rc_context(PICTURES)
def context_picture(
    image: torch.Tensor, seen: list[torch.Tensor], titles: list[str], row: int, column: int
) -> Picture:
    """Draw which pixels a prediction sees: dots on what it sees, a square on what it predicts.

    Args:
        image: (H, W), uint8 levels or float intensities 0 to 1.
        seen: bool (H, W) for each panel.
        titles: One for each panel.
        row: Row of the predicted pixel.
        column: Its column.
    """
    figure, axes = new_panels("", len(seen), height=2.6)
    for axis, mask, name in zip(axes, seen, titles, strict=True):
        _show_grey(axis, image)
        rows, columns = np.nonzero(mask.numpy())
        axis.scatter(columns, rows, s=8, color=ORANGE, edgecolor="black", linewidth=0.3)
        axis.scatter([column], [row], s=30, marker="s", facecolor="none", edgecolor=SKY, lw=2)
        axis.set(title=wrapped(name, WIDTH / 2), xticks=[], yticks=[])
    return figure


@plt.rc_context(CHART)
def reliability_diagram(confidence: torch.Tensor, accuracy: torch.Tensor, title: str) -> Picture:
    """Draw how often a model was right against how sure it was.

    Args:
        confidence: (G,), 0 to 1.
        accuracy: (G,), 0 to 1.
        title: States the finding.
    """
    figure, axes = new_figure(title, 4.0)
    axis = axes[0, 0]
    axis.plot([0, 1], [0, 1], color="#666666", linestyle=":", label="perfectly calibrated")
    axis.plot(confidence.numpy(), accuracy.numpy(), color=BLUE, marker="o", label="model")
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.set_xlabel("confidence (probability of the likeliest token)")
    axis.set_ylabel("accuracy (share of hits)")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    return figure


def _told_apart(series: dict[str, list[float]], styles: list[tuple]) -> zip:
    if len(series) > len(styles):
        raise ValueError(f"{len(series)} series in a chart; only {len(styles)} can be told apart.")
    return zip(series.items(), styles, strict=False)


def _show_grey(axis: Axes, image: torch.Tensor) -> None:
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise TypeError(f"an image is uint8 or float, not {image.dtype}; dequantize tokens first.")
    if image.ndim != 2:
        raise ValueError(f"an image has shape (H, W), not {tuple(image.shape)}.")
    white = 255 if image.dtype == torch.uint8 else 1
    axis.imshow(image.numpy(), cmap="gray", vmin=0, vmax=white)

"""Figures from numbers; nothing is computed here.

All functions return a `matplotlib.figure.Figure` that is not kept by pyplot, so that a
notebook shows it once. Colours are Okabe and Ito's, which stay apart for colour-blind eyes.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILION, PURPLE, BLACK = "#D55E00", "#CC79A7", "#222222"
LINE_STYLES = [(BLUE, "-", "o"), (VERMILION, "--", "s"), (GREEN, "-.", "^"), (PURPLE, ":", "D")]
BAR_STYLES = [(BLUE, ""), (VERMILION, "///"), (GREEN, "..."), (PURPLE, "xxx")]
STYLE = {
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
WIDTH = 6.0  # inches; a page's text column


@plt.rc_context(STYLE)
def image_grid(
    images: torch.Tensor,
    title: str,
    columns: int = 10,
    captions: list[str] | None = None,
    cell: float = 0.6,
    row_names: list[str] | None = None,
) -> Figure:
    """Draw images side by side, in rows.

    Args:
        images: (N, H, W), uint8 levels or float intensities 0 to 1.
        title: States what the picture shows.
        columns: Images in a row.
        captions: One text under each image.
        cell: Width of an image in inches.
        row_names: One text to the left of each row.
    """
    rows = -(-len(images) // columns)
    width = columns * (cell + 0.06)
    cell -= 0.6 / columns if row_names else 0  # the names take their room from the images
    height = (cell + (0.25 if captions else 0.06)) * rows + 0.45
    figure, axes = _figure(width, height, rows, columns)
    for axis in axes.flat:
        axis.axis("off")
    for index, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        _show_grey(axis, image)
        if captions:
            axis.text(0.5, -0.08, captions[index], ha="center", va="top", transform=axis.transAxes)
    for axis, name in zip(axes[:, 0], row_names or [], strict=bool(row_names)):
        axis.text(-0.1, 0.5, name, ha="right", va="center", transform=axis.transAxes)
    figure.suptitle(title, fontsize="medium")
    return figure


@plt.rc_context(STYLE)
def number_grids(
    grids: list[torch.Tensor], titles: list[str], title: str, formats: list[str]
) -> Figure:
    """Draw small grids of numbers on their own grey, side by side.

    Args:
        grids: Tensors (H, W); each is shaded from its smallest to its largest number.
        titles: One for each grid.
        title: States what the picture shows.
        formats: How to write the numbers of each grid, such as "d" or ".2f".
    """
    figure, axes = _figure(WIDTH + 0.6, 2.9, 1, len(grids))
    for axis, grid, name, number_format in zip(axes.flat, grids, titles, formats, strict=True):
        axis.imshow(grid.numpy())
        middle = (float(grid.min()) + float(grid.max())) / 2
        for (row, column), value in np.ndenumerate(grid.numpy()):
            ink = "black" if value > middle else "white"
            text = format(value.item(), number_format)
            axis.text(column, row, text, ha="center", va="center", color=ink, fontsize="medium")
        axis.set(title=name, xticks=[], yticks=[], frame_on=False)
    figure.suptitle(title, fontsize="medium")
    return figure


@plt.rc_context(STYLE)
def line_chart(
    x: list[float],
    lines: dict[str, list[float]],
    title: str,
    xlabel: str,
    ylabel: str,
    levels: dict[str, float] | None = None,
    log_x: bool = False,
) -> Figure:
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
    figure, axes = _figure(WIDTH, 3.4)
    axis = axes[0, 0]
    for (name, y), (colour, dash, marker) in _told_apart(lines, LINE_STYLES):
        axis.plot(x, y, color=colour, linestyle=dash, marker=marker, markersize=4, label=name)
    for name, level in (levels or {}).items():
        axis.axhline(level, color="#666666", linewidth=1, linestyle=(0, (1, 1)))
        place = axis.get_yaxis_transform()  # x in shares of the width, y as in the data
        axis.text(1, level, name, ha="right", va="bottom", fontsize="small", transform=place)
    if log_x:
        axis.set_xscale("log", base=2)
        axis.set_xticks(x, [f"{value:g}" for value in x])
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axis.grid(alpha=0.3)
    if len(lines) > 1:
        axis.legend(frameon=False)
    return figure


@plt.rc_context(STYLE)
def bar_chart(
    bars: dict[str, list[float]], names: list[str], title: str, xlabel: str, ylabel: str
) -> Figure:
    """Draw groups of bars, told apart by colour and hatching.

    Args:
        bars: Heights of each group, by name.
        names: What stands under the bars.
        title: States the finding.
        xlabel: Quantity and unit.
        ylabel: Quantity and unit.
    """
    figure, axes = _figure(WIDTH, 3.0)
    axis, share = axes[0, 0], 0.8 / len(bars)
    for index, ((name, heights), (colour, hatch)) in enumerate(_told_apart(bars, BAR_STYLES)):
        places = np.arange(len(names)) + (index - (len(bars) - 1) / 2) * share
        axis.bar(places, heights, share, color=colour, hatch=hatch, edgecolor="white", label=name)
    axis.set_xticks(range(len(names)), names)
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    if len(bars) > 1:
        axis.legend(frameon=False)
    return figure


@plt.rc_context(STYLE)
def heat_maps(
    maps: list[torch.Tensor],
    titles: list[str],
    units: list[str],
    title: str,
    limits: list[tuple[float, float]] | None = None,
) -> Figure:
    """Draw maps over the image plane side by side, each with its own scale.

    Args:
        maps: Tensors (H, W).
        titles: One for each map.
        units: What each scale measures; an empty unit marks a picture, drawn in grey.
        title: States the finding.
        limits: Smallest and largest value of each scale; default: those of the map.
    """
    figure, axes = _figure(2.35 * len(maps), 2.9, 1, len(maps))
    for index, (axis, values) in enumerate(zip(axes.flat, maps, strict=True)):
        low, high = limits[index] if limits else (float(values.min()), float(values.max()))
        colours = "viridis" if units[index] else "gray"
        shown = axis.imshow(values.numpy(), cmap=colours, vmin=low, vmax=high)
        axis.set(title=titles[index], xticks=[], yticks=[])
        bar = figure.colorbar(shown, ax=axis, location="bottom", fraction=0.05, pad=0.03)
        bar.set_label(units[index] or "grey")
    figure.suptitle(title, fontsize="medium")
    return figure


@plt.rc_context(STYLE)
def context_picture(
    image: torch.Tensor, seen: list[torch.Tensor], titles: list[str], row: int, column: int
) -> Figure:
    """Draw which pixels a prediction sees: dots on what it sees, a square on what it predicts.

    Args:
        image: (H, W), uint8 levels or float intensities 0 to 1.
        seen: bool (H, W) for each panel.
        titles: One for each panel.
        row: Row of the predicted pixel.
        column: Its column.
    """
    figure, axes = _figure(3.1 * len(seen), 3.3, 1, len(seen))
    for axis, mask, name in zip(axes.flat, seen, titles, strict=True):
        _show_grey(axis, image)
        rows, columns = np.nonzero(mask.numpy())
        axis.scatter(columns, rows, s=14, color=ORANGE, edgecolor="black", linewidth=0.4)
        axis.scatter([column], [row], s=44, marker="s", facecolor="none", edgecolor=BLUE, lw=2)
        axis.set(title=name, xticks=[], yticks=[])
    return figure


@plt.rc_context(STYLE)
def reliability_diagram(confidence: torch.Tensor, accuracy: torch.Tensor, title: str) -> Figure:
    """Draw how often a model was right against how sure it was.

    Args:
        confidence: (G,), 0 to 1.
        accuracy: (G,), 0 to 1.
        title: States the finding.
    """
    figure, axes = _figure(4.2, 3.8)
    axis = axes[0, 0]
    axis.plot([0, 1], [0, 1], color="#666666", linestyle=":", label="perfectly calibrated")
    axis.plot(confidence.numpy(), accuracy.numpy(), color=BLUE, marker="o", label="model")
    axis.set(title=title, xlim=(0, 1), ylim=(0, 1))
    axis.set_xlabel("confidence (probability of the likeliest token)")
    axis.set_ylabel("accuracy (share of hits)")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    return figure


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple:
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height), squeeze=False, layout="constrained"
    )
    plt.close(figure)
    return figure, axes


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

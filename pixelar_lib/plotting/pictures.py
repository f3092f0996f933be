"""Pictures of digits, tokens and maps over them, on a dark card."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from pixelar_lib.plotting.figure import (
    MAX_COLUMNS,
    ORANGE,
    PICTURES,
    SKY,
    WIDTH,
    Picture,
    new_figure,
    new_panels,
    wrapped,
)

LEAST_SHARE = 0.002  # of the attention; a smaller one would be a dot that nobody sees
WHOLE_SHARE = 600  # area of a dot for all of it, in square points


@plt.rc_context(PICTURES)
def image_grid(
    images: torch.Tensor,
    title: str,
    columns: int = 5,
    captions: list[str] | None = None,
    row_names: list[str] | None = None,
    square: tuple[int, int, int] | None = None,
) -> Picture:
    """Draw images side by side, in rows.

    Args:
        images: (N, H, W), uint8 levels or float intensities 0 to 1.
        title: States what the picture shows.
        columns: Images in a row, at most 6.
        captions: One text under each image.
        row_names: One text above each row.
        square: Marked on each image: row and column of its first pixel, and its side in pixels.

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
        if square:
            _mark_square(axis, *square)
        if captions:
            axis.text(0.5, -0.05, captions[index], ha="center", va="top", transform=axis.transAxes)
    for axis in axes.flat:
        axis.axis("off")
    for axis, name in zip(axes[:, 0], row_names or [], strict=bool(row_names)):
        axis.set_title(name, loc="left", pad=3)
    return figure


@plt.rc_context(PICTURES)
def contact_sheet(images: torch.Tensor, row_names: list[str], title: str) -> Picture:
    """Draw many small images at once, without gaps, to be looked at as a whole.

    Args:
        images: (R, C, H, W), R rows of C images, uint8 levels or float intensities 0 to 1.
        row_names: One short text left of each row.
        title: States what the picture shows.
    """
    rows, columns, height, width = images.shape
    sheet = images.transpose(1, 2).reshape(rows * height, columns * width)
    figure, axes = new_figure(title, WIDTH * sheet.shape[0] / sheet.shape[1])
    axis = axes[0, 0]
    _show_grey(axis, sheet)
    axis.set_yticks([height * (row + 0.5) for row in range(rows)], row_names)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return figure


@plt.rc_context(PICTURES)
def number_grids(
    grids: list[torch.Tensor],
    titles: list[str],
    title: str,
    formats: list[str],
    limits: list[tuple[float, float]] | None = None,
) -> Picture:
    """Draw small grids of numbers on their own grey, two side by side.

    Args:
        grids: Tensors (H, W).
        titles: One for each grid.
        title: States what the picture shows.
        formats: How to write the numbers of each grid, such as "d" or ".2f".
        limits: What is black and what is white in each grid; default: its smallest and
            its largest number.
    """
    figure, axes = new_panels(title, len(grids), height=2.4)
    limits = limits or [(float(grid.min()), float(grid.max())) for grid in grids]
    for axis, grid, name, number_format, (low, high) in zip(
        axes, grids, titles, formats, limits, strict=True
    ):
        axis.imshow(grid.numpy(), vmin=low, vmax=high)
        middle = (low + high) / 2
        for (row, column), value in np.ndenumerate(grid.numpy()):
            ink = "black" if value > middle else "white"
            text = format(value.item(), number_format)
            axis.text(column, row, text, ha="center", va="center", color=ink)
        axis.set(title=name, xticks=[], yticks=[], frame_on=False)
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
    figure, axes = new_panels(title, len(maps), height=3.4)
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
    image: torch.Tensor,
    seen: list[torch.Tensor],
    titles: list[str],
    row: int,
    column: int,
    title: str = "",
) -> Picture:
    """Draw which pixels a prediction sees: dots on what it sees, a square on what it predicts.

    Args:
        image: (H, W), uint8 levels or float intensities 0 to 1.
        seen: bool (H, W) for each panel.
        titles: One for each panel.
        row: Row of the predicted pixel.
        column: Its column.
        title: States what the panels show together.
    """
    figure, axes = new_panels(title, len(seen), height=2.6)
    for axis, mask, name in zip(axes, seen, titles, strict=True):
        _show_grey(axis, image)
        rows, columns = np.nonzero(mask.numpy())
        axis.scatter(columns, rows, s=8, color=ORANGE, edgecolor="black", linewidth=0.3)
        axis.scatter([column], [row], s=30, marker="s", facecolor="none", edgecolor=SKY, lw=2)
        axis.set(title=wrapped(name, WIDTH / 2), xticks=[], yticks=[])
    return figure


@plt.rc_context(PICTURES)
def attention_picture(
    image: torch.Tensor,
    shares: list[torch.Tensor],
    titles: list[str],
    row: int,
    column: int,
    title: str = "",
) -> Picture:
    """Draw where a place looks: the area of a dot is the share that it gets of the attention.

    Args:
        image: (H, W), uint8 levels or float intensities 0 to 1.
        shares: float (H, W) for each panel, summing to 1.
        titles: One for each panel.
        row: Row of the place that looks.
        column: Its column.
        title: States what the panels show together.
    """
    figure, axes = new_panels(title, len(shares), height=2.6)
    for axis, share, name in zip(axes, shares, titles, strict=True):
        _show_grey(axis, image)
        rows, columns = np.nonzero((share >= LEAST_SHARE).numpy())
        areas = WHOLE_SHARE * share[rows, columns].numpy()
        axis.scatter(columns, rows, s=areas, color=ORANGE, edgecolor="black", linewidth=0.3)
        axis.scatter([column], [row], s=30, marker="s", facecolor="none", edgecolor=SKY, lw=2)
        axis.set(title=wrapped(name, WIDTH / 2), xticks=[], yticks=[])
    return figure


@plt.rc_context(PICTURES)
def code_picture(
    image: torch.Tensor, codes: torch.Tensor, row: int, column: int, title: str
) -> Picture:
    """Draw an image cut into squares, and the code that stands for each square.

    Args:
        image: (H, W), uint8 levels or float intensities 0 to 1.
        codes: long (G, G), its codes; G divides H and W.
        row: Row of the code to mark.
        column: Its column.
        title: States what the picture shows.
    """
    side = image.shape[0] // len(codes)
    figure, axes = new_panels(title, 2, height=2.6)
    for axis, name in zip(axes, ["pixels", "codes"], strict=True):
        _show_grey(axis, image if name == "pixels" else torch.zeros_like(image))
        for edge in range(side, image.shape[0], side):
            axis.axhline(edge - 0.5, color=ORANGE, linewidth=0.5)
            axis.axvline(edge - 0.5, color=ORANGE, linewidth=0.5)
        _mark_square(axis, side * row, side * column, side)
        axis.set(title=name, xticks=[], yticks=[])
    middle = (side - 1) / 2
    for (i, j), code in np.ndenumerate(codes.numpy()):
        axes[1].text(side * j + middle, side * i + middle, code, ha="center", va="center")
    return figure


def _mark_square(axis: Axes, row: int, column: int, side: int) -> None:
    place = (column - 0.5, row - 0.5)
    axis.add_patch(Rectangle(place, side, side, facecolor="none", edgecolor=SKY, linewidth=2))


def _show_grey(axis: Axes, image: torch.Tensor) -> None:
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise TypeError(f"an image is uint8 or float, not {image.dtype}; dequantize tokens first.")
    if image.ndim != 2:
        raise ValueError(f"an image has shape (H, W), not {tuple(image.shape)}.")
    white = 255 if image.dtype == torch.uint8 else 1
    axis.imshow(image.numpy(), cmap="gray", vmin=0, vmax=white)

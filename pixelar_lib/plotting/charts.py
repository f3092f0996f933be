"""Charts, on white paper; a line or a bar is told apart from others without colour, too."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from pixelar_lib.plotting.figure import (
    BLACK,
    BLUE,
    CHART,
    GREEN,
    PURPLE,
    VERMILION,
    Picture,
    new_figure,
)

LINE_STYLES = [
    *[(BLUE, "-", "o"), (VERMILION, "--", "s"), (GREEN, "-.", "^"), (PURPLE, ":", "D")],
    (BLACK, (0, (5, 1, 1, 1)), "v"),
]
BAR_STYLES = [(BLUE, ""), (VERMILION, "///"), (GREEN, "..."), (PURPLE, "xxx")]


@plt.rc_context(CHART)
def line_chart(
    x: list[float] | dict[str, list[float]],
    lines: dict[str, list[float]],
    title: str,
    xlabel: str,
    ylabel: str,
    levels: dict[str, float] | None = None,
    log_x: bool = False,
    errors: dict[str, list[float]] | None = None,
) -> Picture:
    """Draw one or more lines, told apart by colour, dash and marker.

    Args:
        x: Places on the horizontal axis, the same for all lines or by name.
        lines: Heights of each line, by name.
        title: States the finding.
        xlabel: Quantity and unit.
        ylabel: Quantity and unit.
        levels: Horizontal lines to compare with, by name.
        log_x: Whether equal distances on the horizontal axis are equal factors: doublings, each
            x marked, where the lines share their x; else powers of ten.
        errors: How far the bar through each point reaches up and down, for lines by name.
    """
    figure, axes = new_figure(title, 3.2)
    axis = axes[0, 0]
    for (name, y), (colour, dash, marker) in _told_apart(lines, LINE_STYLES):
        places = x[name] if isinstance(x, dict) else x
        axis.plot(places, y, color=colour, linestyle=dash, marker=marker, markersize=4, label=name)
        if name in (errors or {}):
            axis.errorbar(places, y, errors[name], fmt="none", ecolor=colour, capsize=3)
    for name, level in (levels or {}).items():
        axis.axhline(level, color="#666666", linewidth=1, linestyle=(0, (1, 1)))
        place = axis.get_yaxis_transform()  # x in shares of the width, y as in the data
        axis.text(1, level, name, ha="right", va="bottom", transform=place)
    if log_x and isinstance(x, dict):
        axis.set_xscale("log")
    elif log_x:
        axis.set_xscale("log", base=2)
        axis.set_xticks(x, [f"{value:g}" for value in x])
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.grid(alpha=0.3)
    if len(lines) > 1:
        axis.legend(frameon=False)
    return figure


@plt.rc_context(CHART)
def bar_chart(
    bars: dict[str, list[float]],
    names: list[str],
    title: str,
    xlabel: str,
    ylabel: str,
    log_y: bool = False,
) -> Picture:
    """Draw groups of bars, told apart by colour and hatching.

    Args:
        bars: Heights of each group, by name.
        names: What stands under the bars.
        title: States the finding.
        xlabel: Quantity and unit.
        ylabel: Quantity and unit.
        log_y: Whether the vertical axis is logarithmic; it begins at 1, or below the least height.
    """
    figure, axes = new_figure(title, 2.8)
    axis, share = axes[0, 0], 0.8 / len(bars)
    for index, ((name, heights), (colour, hatch)) in enumerate(_told_apart(bars, BAR_STYLES)):
        places = np.arange(len(names)) + (index - (len(bars) - 1) / 2) * share
        axis.bar(places, heights, share, color=colour, hatch=hatch, edgecolor="white", label=name)
    axis.set_xticks(range(len(names)), names)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    if log_y:
        axis.set_yscale("log")
        axis.set_ylim(bottom=min(1, axis.get_ylim()[0]))  # a ratio below 1 is seen, too
        axis.yaxis.set_major_formatter("{x:g}")
    if len(bars) > 1:
        axis.legend(frameon=False)
    return figure


@plt.rc_context(CHART)
def reliability_diagram(
    confidence: torch.Tensor, accuracy: torch.Tensor, title: str, guessed: str = "token"
) -> Picture:
    """Draw how often a model was right against how sure it was.

    Args:
        confidence: (G,), 0 to 1.
        accuracy: (G,), 0 to 1.
        title: States the finding.
        guessed: What the model guesses, in a word.
    """
    figure, axes = new_figure(title, 4.0)
    axis = axes[0, 0]
    axis.plot([0, 1], [0, 1], color="#666666", linestyle=":", label="perfectly calibrated")
    axis.plot(confidence.numpy(), accuracy.numpy(), color=BLUE, marker="o", label="model")
    axis.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axis.set_xlabel(f"confidence (probability of the likeliest {guessed})")
    axis.set_ylabel("accuracy (share of hits)")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    return figure


def _told_apart(series: dict[str, list[float]], styles: list[tuple]) -> zip:
    if len(series) > len(styles):
        raise ValueError(f"{len(series)} series in a chart; only {len(styles)} can be told apart.")
    return zip(series.items(), styles, strict=False)

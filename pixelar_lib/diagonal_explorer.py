"""An explorer of diagonals: how the streams of a `DiagonalBiLSTM` go through a picture."""

import ipywidgets
import torch

from pixelar_lib import plotting
from pixelar_lib.widgets import Explorer


def explore_diagonals(image: torch.Tensor, row: int, column: int) -> Explorer:
    """Go through a picture diagonal by diagonal, in both streams of a layer.

    Args:
        image: (H, W), uint8 levels or float intensities 0 to 1.
        row: Row of a pixel to mark.
        column: Its column.

    Returns:
        The explorer; its slider is "step", 1 to H + W - 1.
    """
    height, width = image.shape
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    from_left, from_right = rows + columns + 1, rows + columns.flip(0) + 1  # at which step
    last = height + width - 1

    def draw(step: int) -> plotting.Picture:
        fronts = [due == step for due in (from_left, from_right)]
        count = int(fronts[0].sum())
        return plotting.context_picture(
            image,
            fronts,
            [f"{name} stream" for name in ("left", "right")],
            row,
            column,
            f"Step {step} of {last}: {count} place{'' if count == 1 else 's'} at once",
        )

    begin = int(from_left[row, column])
    slider = ipywidgets.IntSlider(
        value=begin, min=1, max=last, description="step", continuous_update=False
    )
    stops = sorted({begin, int(from_right[row, column]), last, *range(1, last, 3)})
    return Explorer(
        draw,
        {"step": slider},
        {"step": stops},
        "The dots mark the places that a stream computes at this step; the square marks our pixel.",
    )

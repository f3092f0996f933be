"""An explorer of attention: where a place looks, in each head."""

import ipywidgets
import torch

from pixelar_lib import plotting
from pixelar_lib.widgets import Explorer


def explore_attention(
    image: torch.Tensor, shares: torch.Tensor, names: list[str], row: int, column: int
) -> Explorer:
    """Move over the image and see where the place there looks.

    Args:
        image: (H, W), uint8 levels or float intensities 0 to 1.
        shares: float (M, H W, H W), the attention of M heads, from `ImageGPT.attention`.
        names: One for each head.
        row: Where to begin.
        column: The same for the columns.

    Returns:
        The explorer; its sliders are "row" and "column".
    """
    height, width = image.shape

    def draw(row: int, column: int) -> plotting.Picture:
        maps = [share.view(height, width) for share in shares[:, row * width + column]]
        title = f"Where place ({row}, {column}) looks"
        return plotting.attention_picture(image, maps, names, row, column, title)

    sizes = {"row": (row, height), "column": (column, width)}
    sliders = {
        name: ipywidgets.IntSlider(
            value=value, min=0, max=size - 1, description=name, continuous_update=False
        )
        for name, (value, size) in sizes.items()
    }
    return Explorer(
        draw,
        sliders,
        {name: _stops(value, size) for name, (value, size) in sizes.items()},
        "The square marks the place that looks. The larger a dot, the more it looks there.",
    )


def _stops(begin: int, size: int) -> list[int]:
    """Return places at equal distances, the last one, and where it begins."""
    return sorted({begin, size - 1, *range(0, size, -(-size // 3))})

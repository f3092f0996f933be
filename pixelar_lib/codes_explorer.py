"""An explorer of codes: what a digit looks like when one of its codes is changed."""

from collections.abc import Callable, Sequence

import ipywidgets
import torch

from pixelar_lib import plotting
from pixelar_lib.widgets import Explorer

COLUMNS = 3  # pictures side by side, large enough to see four pixels change
STEPS = 16  # of grey between black and white; with all of them a page would be twice as large


def explore_codes(
    decode: Callable[[torch.Tensor], torch.Tensor],
    codes: torch.Tensor,
    others: Sequence[int],
    row: int,
    column: int,
) -> Explorer:
    """Change one code of a digit and see the picture that the decoder makes of it.

    Args:
        decode: Takes codes, long (N, G, G); returns images, float (N, H, W), 0 to 1.
        codes: long (D, G, G), the codes of D digits.
        others: Codes to put in the place of the digit's own.
        row: Row of the code to begin with.
        column: Its column.

    Returns:
        The explorer; its sliders are "digit", "row" and "column".
    """
    number, rows, columns = codes.shape

    def draw(digit: int, row: int, column: int) -> plotting.Picture:
        own = int(codes[digit, row, column])
        tried = [own, *(code for code in others if code != own)]
        changed = codes[digit].repeat(len(tried), 1, 1)
        changed[:, row, column] = torch.tensor(tried)
        images = (decode(changed) * STEPS).round() / STEPS
        side = images.shape[1] // rows
        return plotting.image_grid(
            images,
            f"Digit {digit}, another code at row {row}, column {column}",
            COLUMNS,
            [f"its own, {own}", *map(str, tried[1:])],
            square=(side * row, side * column, side),
        )

    sizes = {"digit": (0, number), "row": (row, rows), "column": (column, columns)}
    sliders = {
        name: ipywidgets.IntSlider(
            value=value, min=0, max=size - 1, description=name, continuous_update=False
        )
        for name, (value, size) in sizes.items()
    }
    stops = {name: sorted({1, value, size - 2}) for name, (value, size) in sizes.items()}
    return Explorer(
        draw,
        sliders,
        stops | {"digit": list(range(number))},
        "The square marks the pixels that the changed code stands for. The first picture is what "
        "the decoder makes of the digit's own codes.",
    )

"""Skewed pictures, whose columns are diagonals.

Source: van den Oord et al., Pixel Recurrent Neural Networks, 2016, section 3.2.
"""

import torch
import torch.nn.functional as F


def skew(pictures: torch.Tensor) -> torch.Tensor:
    """Shift row i to the right by i places, so that a diagonal becomes a column.

        a b c        a b c . .
        d e f   ->   . d e f .
        g h i        . . g h i

    Args:
        pictures: (N, H, W, C).

    Returns:
        (N, H, H + W - 1, C), zeros where the drawing has dots.
    """
    height, width = pictures.shape[1:3]
    rows = F.pad(pictures, (0, 0, 0, height)).flatten(1, 2)  # each row, then H zeros
    return rows[:, : height * (height + width - 1)].unflatten(1, (height, height + width - 1))


def unskew(skewed: torch.Tensor) -> torch.Tensor:
    """Undo `skew`: (N, H, H + W - 1, C) into (N, H, W, C)."""
    height, steps = skewed.shape[1:3]
    rows = F.pad(skewed.flatten(1, 2), (0, 0, 0, height)).unflatten(1, (height, steps + 1))
    return rows[:, :, : steps + 1 - height]


def by_diagonals(height: int, width: int) -> tuple[torch.Tensor, list[int]]:
    """Return the order in which a picture's places are computed, column by skewed column.

    Returns:
        Flat indices, long (H W,), and how many of them each of the H + W - 1 diagonals has.
    """
    numbers = torch.arange(1, height * width + 1, device="cpu").view(1, height, width, 1)
    columns = skew(numbers)[0, :, :, 0].t()  # (H + W - 1, H), 0 outside the picture
    return columns[columns > 0] - 1, (columns > 0).sum(dim=1).tolist()

"""Checkers of chapter 8, PixelCNN."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.exercises.checker import checker, expect
from pixelar_lib.models import PixelCNN


@checker
def check_mask(mask: Callable[[str, int], torch.Tensor]) -> str:
    """Check a function that builds the mask of a square convolution.

    Args:
        mask: Takes "A" or "B" and an odd size; returns a tensor (size, size) of zeros and ones.
    """
    for kind, size in (("A", 3), ("B", 3), ("A", 7), ("B", 5)):
        found = torch.as_tensor(mask(kind, size)).float()
        case = f"Mask {kind} of size {size}"
        expect(found.shape == (size, size), f"{case} has the shape {tuple(found.shape)}.")
        middle = size // 2
        expect(
            not found[middle, middle + 1 :].any() and not found[middle + 1 :].any(),
            f"{case} shows places that come later in reading order. Blank out what is right of "
            "the middle in its row, and all rows below.",
        )
        expect(
            bool(found[:middle].all()),
            f"{case} hides places in rows above. All of them come before, the right half too.",
        )
        expect(
            bool(found[middle, :middle].all()),
            f"{case} hides places to the left of the middle. They come before.",
        )
        expect(
            bool(found[middle, middle] == (kind == "B")),
            f"{case} is wrong in the middle: A hides its own place, B shows it.",
        )
    return "All that comes before is seen, and the place itself by mask B alone."


def _sees(row: int, column: int, width: int) -> torch.Tensor:
    """Return what any number of masked 3 x 3 layers sees at a pixel, bool (row + 1, width)."""
    rows, columns = torch.arange(row + 1)[:, None], torch.arange(width)
    up = row - rows
    return torch.where(up > 0, columns <= column + up, columns < column)


@checker
def check_blind_spot(blind_spot: Callable[[int, int, int], int]) -> str:
    """Check a function that counts the blind pixels of a deep stack of masked 3 x 3 layers.

    Args:
        blind_spot: Takes row, column and the picture's width; returns how many earlier pixels
            the prediction there cannot see, however many layers there are.
    """
    for row, column, width in ((13, 17, 28), (1, 0, 4), (27, 27, 28), (5, 9, 10), (9, 2, 28)):
        found = int(blind_spot(row, column, width))
        right = row * width + column - int(_sees(row, column, width).sum())
        case = f"At ({row}, {column}) of a picture {width} wide"
        below = sum(max(width - 1 - column - up, 0) for up in range(row))
        expect(
            found != below or below == right,
            f"{case} you count {found}. In the row right above, one pixel to the right can be "
            "seen; in the row above that, two.",
        )
        expect(
            found == right,
            f"{case} there are {right} blind pixels, not {found}. A layer moves one row up and at "
            "most one column to the right. Mind the edge of the picture.",
        )
    return "A triangle above and to the right, cut off by the edge of the picture."


class _Layer(nn.Conv2d):
    """A 3 x 3 convolution through a mask."""

    def __init__(self, mask: list[list[int]]) -> None:
        super().__init__(2, 2, 3)
        self.mask = torch.tensor(mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn (N, 2, H, W) into the same shape."""
        return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.weight * self.mask, self.bias)


HIDDEN = [[1, 1, 1], [1, 0, 0], [0, 0, 0]]  # mask A
SHOWN = [[1, 1, 1], [1, 1, 0], [0, 0, 0]]  # mask B
AHEAD = [[1, 1, 1], [1, 1, 1], [0, 0, 0]]  # and one place too many


def three_networks() -> list[nn.Module]:
    """Return three small networks, one of which looks ahead: (N, 2, H, W) to the same shape."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        stacks = (HIDDEN, SHOWN, SHOWN), (HIDDEN, SHOWN, AHEAD), (HIDDEN, HIDDEN, SHOWN)
        return [nn.Sequential(*map(_Layer, masks)).eval() for masks in stacks]


@checker
def check_find_leak(find_leak: Callable[[list[nn.Module]], int]) -> str:
    """Check a function that finds the network that looks ahead.

    Args:
        find_leak: Takes a list of networks from float (N, 2, H, W) to the same shape; returns the
            place of the one whose outputs depend on inputs at or after their own place.
    """
    honest, leaky, narrow = three_networks()
    for networks in ([honest, leaky, narrow], [leaky, narrow, honest], [narrow, honest, leaky]):
        found, right = int(find_leak(networks)), networks.index(leaky)
        expect(0 <= found < 3, f"You returned {found}; the networks are numbered 0, 1 and 2.")
        expect(
            networks[found] is not narrow,
            "That one is honest: it sees less than it might, but nothing that comes later.",
        )
        expect(
            found == right,
            f"You returned {found}, but that network sees nothing at its own place or after it. "
            "Take the gradient of one output with respect to the inputs, and look where it is not "
            "zero, in rows below and to the right as well.",
        )
    return "One place too many in one mask of one layer, and the gradient shows it."


@checker
def check_left_reach(left_reach: Callable[[tuple[int, ...]], int]) -> str:
    """Check a function that says how far to the left a PixelCNN sees in its own row.

    Args:
        left_reach: Takes the dilations of the blocks; returns a number of pixels.
    """
    for dilations in ((), (1,), (1, 2), (3, 1), (1, 2, 4)):
        row = PixelCNN(2, 1, dilations).receptive_field(0, 59, 1, 60)[0]
        right, found = int(row.sum()), int(left_reach(dilations))
        case = f"With dilations {dilations} you returned {found}"
        expect(
            found != sum(dilations) + 3 or not dilations,
            f"{case}. A block sees two places to the left of its own, each a dilation further.",
        )
        expect(
            found != 2 * sum(dilations) or right == found,
            f"{case}. Do not forget the first layer: it sees three pixels before any block does.",
        )
        expect(found == right, f"{case}; measured, it is {right}. What does each layer add?")
    return "The first layer sees 3, and each block adds twice its dilation."

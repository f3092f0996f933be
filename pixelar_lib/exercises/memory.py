"""Checkers of chapter 10, memory."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from pixelar_lib.exercises.checker import checker, expect


@checker
def check_bias(bias_for: Callable[[int], float]) -> str:
    """Check a function that says which bias makes a cell forget half in so many steps.

    Args:
        bias_for: Takes a number of steps, at least 1; returns what the sigmoid of the keep gate is
            taken of.
    """
    for steps in (28, 1, 112, 381):
        found, share = float(bias_for(steps)), 0.5 ** (1 / steps)
        right = math.log(share / (1 - share))
        case = f"For {steps} step{'' if steps == 1 else 's'} you returned {found:.4f}"
        expect(
            steps == 1 or not math.isclose(found, share, abs_tol=1e-6),
            f"{case}. That is the share that the gate keeps at each step. The bias is what the "
            "sigmoid is taken of: which number has this sigmoid?",
        )
        expect(
            steps == 1 or not math.isclose(found, -right, rel_tol=1e-4),
            f"{case}, which makes the cell forget nearly all at once. Mind the sign: the gate says "
            "how much is kept.",
        )
        expect(
            steps == 1 or not math.isclose(found, math.log(steps - 1), rel_tol=1e-4),
            f"{case}. Then one part in {steps} is lost at each step, and after {steps} steps about "
            "a third is left. Half is to be left.",
        )
        left = (1 / (1 + math.exp(-found))) ** steps
        expect(
            math.isclose(left, 0.5, abs_tol=1e-3),
            f"{case}; then a share of {left:.4f} is left after them. Each step keeps the same "
            "share of what there was.",
        )
    return "To remember long, a gate must stand close to 1, and its bias grows with the logarithm."


@checker
def check_places(places_at: Callable[[int, int, int], int]) -> str:
    """Check a function that counts the places that a step computes at once.

    Args:
        places_at: Takes a step, from 0 on, and the height and width of the picture; returns a
            number of places.
    """
    for height, width in ((3, 3), (28, 28), (2, 5), (6, 3)):
        rows, columns = torch.arange(height)[:, None], torch.arange(width)
        right = (rows + columns).flatten().bincount().tolist()
        found = [int(places_at(step, height, width)) for step in range(height + width - 1)]
        case = f"On {height} rows of {width} you count {_shortened(found)}"
        expect(
            found != list(range(1, height + width)),
            f"{case}. A diagonal grows until it meets an edge of the picture. What happens then?",
        )
        expect(
            sum(found) == height * width,
            f"{case}, {sum(found)} in all, but the picture has {height * width} places, and each "
            "is computed once. Which rows does the diagonal cross? Mind both edges.",
        )
        expect(
            found == right,
            f"{case}; it should be {_shortened(right)}. The place in row i and column j is "
            "computed at step i + j.",
        )
    return "It grows by one place a step, up to the shorter side, and shrinks again at the end."


def _shortened(counts: list[int]) -> str:
    return f"{counts}" if len(counts) < 10 else f"{counts[:4]} and so on"


def _upper_left(x: torch.Tensor) -> torch.Tensor:
    """Add up, at each place, all places above and to the left, with its own."""
    return x.cumsum(dim=1).cumsum(dim=2)


@checker
def check_right_stream(right_stream: Callable[[Callable, torch.Tensor], torch.Tensor]) -> str:
    """Check a function that makes a stream from the upper right out of one from the upper left.

    Args:
        right_stream: Takes a function from (N, H, W, C) to the same shape, which looks up and
            left, and a picture (N, H, W, C); returns (N, H, W, C).
    """
    x = torch.randn(2, 4, 5, 3, generator=torch.Generator().manual_seed(10), dtype=torch.float64)
    found = right_stream(_upper_left, x)
    expect(
        found.shape == x.shape,
        f"The picture has the shape {tuple(x.shape)}, your answer {tuple(found.shape)}.",
    )
    ahead = _upper_left(x.flip(2)).flip(2)  # before it is moved down
    right = F.pad(ahead, (0, 0, 0, 0, 1, -1))
    expect(
        not torch.allclose(found, ahead),
        "It looks ahead: a place learns what stands to its right in its own row. Move the findings "
        "down by a row.",
    )
    expect(
        not torch.allclose(found, right.flip(2)),
        "The findings stand mirrored. Flip them back before you return them.",
    )
    expect(
        not torch.allclose(found, F.pad(_upper_left(x), (0, 0, 0, 0, 1, -1))),
        "That still runs from the upper left. Show the stream a mirrored picture: flip the "
        "columns, which are dimension 2.",
    )
    expect(
        not torch.allclose(found, ahead.roll(1, dims=1)),
        "The last row's findings came in again at the top, where they tell of all that follows. "
        "Nothing is above the first row: put zeros there.",
    )
    expect(
        not torch.allclose(found, F.pad(ahead, (0, 0, 0, 0, -1, 1))),
        "You moved the findings up, so that a place learns of the row below. Move them down.",
    )
    expect(
        torch.allclose(found, right),
        "At some places the findings are not those of the row above, from there to the right. "
        "Flip the columns, run the stream, flip back, and move down by a row.",
    )
    return "Mirrored, mirrored back, and moved down: nothing of the own row is left in it."

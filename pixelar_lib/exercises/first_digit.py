"""Checkers of chapter 0, Your first digit in ten minutes."""

from collections.abc import Callable

import torch

from pixelar_lib.context import flat_index
from pixelar_lib.exercises.checker import checker, expect


@checker
def check_draw_page(draw_page: Callable[[int], torch.Tensor]) -> str:
    """Check a function that draws a page of ten digits, another one for each seed.

    Args:
        draw_page: Takes a seed, returns tokens, long (10, 28, 28).
    """
    first = draw_page(1)
    expect(
        isinstance(first, torch.Tensor) and tuple(first.shape) == (10, 28, 28),
        "Return what sample gives for ten pictures: a tensor of shape (10, 28, 28), not "
        f"{tuple(getattr(first, 'shape', [])) or type(first).__name__}.",
    )
    expect(
        first.dtype == torch.long,
        f"Tokens are whole numbers (torch.int64), but you returned {first.dtype}. Turn them into "
        "greys when you show them.",
    )
    expect(
        torch.equal(first, draw_page(1)),
        "Twice the seed 1 gave two different pages. A generator moves on with each use: make a "
        "new one inside the function.",
    )
    expect(
        not torch.equal(first, draw_page(2)),
        "The seeds 1 and 2 gave the same page, so your seed has no effect. How did the first page "
        "of the chapter tell `sample` where its random numbers start?",
    )
    return "Same seed, same page; another seed, another page."


@checker
def check_keep_left(keep_left: Callable[[torch.Tensor, int], torch.Tensor]) -> str:
    """Check a function that keeps the left columns of a picture and leaves the rest to the model.

    Args:
        keep_left: Takes tokens, long (28, 28), and a number of columns; returns long (28, 28)
            with -1 where the model is to draw.
    """
    for columns in (14, 5):
        picture = torch.arange(28 * 28).view(28, 28) % 16
        yours = keep_left(picture, columns)
        expect(
            torch.equal(picture, torch.arange(28 * 28).view(28, 28) % 16),
            "The picture that came in has changed. Work on a copy: tokens.clone().",
        )
        right, rows_instead, black = picture.clone(), picture.clone(), picture.clone()
        right[:, columns:], rows_instead[columns:], black[:, columns:] = -1, -1, 0
        expect(
            isinstance(yours, torch.Tensor) and yours.shape == right.shape,
            "Return a whole picture, shape (28, 28): what is to be drawn keeps its place, as -1.",
        )
        expect(
            not torch.equal(yours, rows_instead),
            "You keep the upper rows. Rows come first in the brackets, columns second; a colon "
            "alone means all of them.",
        )
        expect(
            not torch.equal(yours, black),
            "You turned the right part into paper. Token 0 is a tone like any other, and the model "
            "would keep it. What marks a pixel that is to be drawn?",
        )
        expect(
            torch.equal(yours, right),
            f"For {columns} columns, keep columns 0 to {columns - 1} as they are and set all "
            "others to -1.",
        )
    return "The left columns stay, and -1 stands everywhere else."


@checker
def check_may_matter(may_matter: Callable[[int, int], torch.Tensor]) -> str:
    """Check a function that marks the pixels that a prediction may depend on.

    Args:
        may_matter: Takes row and column of the predicted pixel; returns bool (28, 28).
    """
    for row, column in ((13, 17), (5, 0), (0, 9), (0, 0), (27, 27)):
        yours = torch.as_tensor(may_matter(row, column))
        expect(
            tuple(yours.shape) == (28, 28),
            f"Return a mark for each pixel, shape (28, 28), not {tuple(yours.shape)}.",
        )
        yours, place = yours.bool(), f"For the pixel at row {row}, column {column}"
        expect(
            not yours[row, column],
            f"{place} you mark the pixel itself. It is the one to guess, so it must not be seen.",
        )
        expect(
            bool(yours[:row].all()),
            f"{place} you leave out pixels in the rows above. Those further right were drawn "
            "before it, too.",
        )
        expect(
            bool(yours[row, :column].all()),
            f"{place} you leave out pixels to its left in the same row. They are drawn already.",
        )
        before, count = flat_index(row, column, 28, 28), int(yours.sum())
        expect(
            count == before,
            f"{place} you mark {count} pixels, but only {before} were drawn before it.",
        )
    return "All rows above, and what is to the left in the same row: 28 x row + column pixels."

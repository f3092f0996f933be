"""Checkers of chapter 3, Context windows."""

from collections.abc import Callable
from itertools import count

import torch

from pixelar_lib.context import neighbourhood, raster, windows
from pixelar_lib.exercises.checker import checker, expect

START = 16
TINY = torch.arange(1, 10).view(3, 3)  # the picture of exercise 3.1, each token its own
PICTURE = torch.arange(35).view(5, 7)  # no token twice, so that a window tells where it is from


@checker
def check_tiny_windows(answers: dict[tuple[int, int], list[int]]) -> str:
    """Check windows of four tokens that were worked out by hand.

    Args:
        answers: From (row, column) to the window of that pixel of the picture 1 to 9, for
            (0, 1), (1, 0) and (2, 2); the start token is 16.
    """
    for row, column in ((0, 1), (1, 0), (2, 2)):
        expect((row, column) in answers, f"The window of pixel ({row}, {column}) is missing.")
        given = [int(token) for token in answers[row, column]]
        where = f"Pixel ({row}, {column}):"
        right = _window(TINY, row, column, 4, START)
        own = int(TINY[row, column])
        expect(
            len(given) == 4, f"{where} a window of k = 4 holds 4 tokens, but you gave {len(given)}."
        )
        expect(own not in given, f"{where} {own} is the token to predict; its window ends before.")
        expect(given != right[::-1], f"{where} right tokens, but the earliest comes first.")
        expect(
            not (given.count(START) == 4 and column == 0),
            f"{where} the row begins here, the picture does not. Reading order goes on from "
            "the end of the row above.",
        )
        expect(
            0 not in given,
            f"{where} this picture has no token 0. Before the picture stands the start token, 16.",
        )
        expect(given == right, f"{where} {given} is not it. Write down the tokens read so far.")
    return "A window fills up with start tokens before the picture, and wraps over a row's end."


@checker
def check_my_window(my_window: Callable[..., list[int]]) -> str:
    """Check a function that returns the raster window of one pixel.

    Args:
        my_window: Takes tokens (H, W), row, column, k and the start token; returns the k
            tokens before that pixel, earliest first.
    """
    for row, column, k in ((2, 5, 4), (0, 2, 4), (3, 1, 4), (4, 6, 30), (0, 0, 3)):
        given = [int(token) for token in my_window(PICTURE, row, column, k, 35)]
        right = _window(PICTURE, row, column, k, 35)
        where = f"For pixel ({row}, {column}) and k = {k}"
        expect(
            len(given) == k,
            f"{where} you return {len(given)} tokens. Every window holds k; where the picture "
            "has not begun, the start token stands in.",
        )
        own = int(PICTURE[row, column])
        expect(
            own not in given,
            f"{where} the window holds {own}, the pixel itself: that gives the answer away.",
        )
        expect(
            given == right or given != right[::-1],
            f"{where} the window is reversed: the earliest comes first.",
        )
        later = [token for token in given if own < token < 35]
        expect(
            not later,
            f"{where} the window holds {later[:1]}, which comes later. In Python a negative "
            "index counts from the end.",
        )
        expect(
            given.count(35) <= right.count(35),
            f"{where} you put start tokens inside the picture. The raster window goes on at the "
            "end of the row above.",
        )
        expect(
            given[-1] == right[-1],
            f"{where} the window ends with {given[-1]}. It should end with the pixel just before.",
        )
        expect(given == right, f"{where} {given} are not the {k} tokens read last.")
    return "k tokens for every pixel, earliest first, and never the pixel itself."


@checker
def check_reach(reach: Callable[[int, int, int], int]) -> str:
    """Check a function that says how long a raster window must be to see a given pixel.

    Args:
        reach: Takes the width of the picture, and how many rows up and columns to the right
            the pixel to see lies (negative: to the left); returns the smallest such k.
    """
    for width, up, right in (
        (28, 1, 0),
        (10, 1, 0),
        (28, 1, 1),
        (28, 1, -1),
        (9, 2, 3),
        (9, 0, -2),
    ):
        k = int(reach(width, up, right))
        smallest = _smallest_reach(width, up, right)
        where = f"{up} up and {right} to the right, in a picture {width} wide"
        expect(
            k != 28 * up - right or k == smallest,
            f"{where}: you say {k}, as if the row had 28 pixels. The width is an argument.",
        )
        expect(
            right == 0 or k != up * width + right,
            f"{where}: you say {k}. A pixel further to the right is nearer in reading order.",
        )
        expect(
            right == 0 or k != up * width,
            f"{where}: you say {k}, as for the pixel right above. The column counts, too.",
        )
        expect(
            k != smallest - 1,
            f"{where}: you say {k}, one too few. A window of k reaches the pixel k places before.",
        )
        expect(
            k == smallest,
            f"{where}: you say {k}. Count the steps in reading order, pixel by pixel.",
        )
    return "k = up W - right: the pixel above is W back, the one above right is W - 1 back."


@checker
def check_neighbourhood_size(size: Callable[[int], int]) -> str:
    """Check a function from a radius to the number of pixels in the neighbourhood.

    Args:
        size: Takes the radius r, returns how many pixels the window holds.
    """
    for radius in range(1, 6):
        given = int(size(radius))
        side, right = 2 * radius + 1, neighbourhood(radius).length
        where = f"For radius {radius} you say {given}."
        expect(
            given not in (side**2, side**2 - 1),
            f"{where} That counts the whole square. Half of it comes later in reading order.",
        )
        expect(
            given != radius * side,
            f"{where} Those are the rows above. The pixels to the left in the same row count, too.",
        )
        expect(given != right + 1, f"{where} One too many: the pixel itself is not in its window.")
        expect(given == right, f"{where} Draw the square for r = 1 and r = 2, and count again.")
    return "r rows of 2r + 1 pixels above and r pixels to the left: 2 r (r + 1) together."


def _window(picture: torch.Tensor, row: int, column: int, k: int, start: int) -> list[int]:
    pixel = torch.tensor([[row * picture.shape[1] + column]])
    return windows(picture[None], raster(k), start, pixel).flatten().tolist()


def _smallest_reach(width: int, up: int, right: int) -> int:
    row, column = up, width // 2  # a pixel with room on both sides
    seen = (row - up) * width + column + right
    pixel = row * width + column
    return next(k for k in count(1) if seen in raster(k).positions(up + 1, width)[pixel])

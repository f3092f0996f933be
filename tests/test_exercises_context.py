"""The checkers of chapter 3 pass what is right and explain what is not."""

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.context import neighbourhood, raster, windows
from pixelar_lib.exercises import context as checkers

TINY = {(0, 1): [16, 16, 16, 1], (1, 0): [16, 1, 2, 3], (2, 2): [5, 6, 7, 8]}


def test_what_was_not_attempted():
    assert_not_attempted(checkers.check_tiny_windows(dict.fromkeys(TINY, ...)))
    assert_not_attempted(checkers.check_tiny_windows(TINY | {(2, 2): ...}))
    for check in (
        checkers.check_my_window,
        checkers.check_reach,
        checkers.check_neighbourhood_size,
    ):
        assert_not_attempted(check(lambda *_: ...))


def test_tiny_windows_right():
    assert_correct(checkers.check_tiny_windows(TINY))
    table = windows(checkers.TINY[None], raster(4), 16)[0]
    as_tensors = {(row, column): table[3 * row + column] for row, column in TINY}
    assert checkers.check_tiny_windows(as_tensors).passed


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({(0, 1): [16, 16, 1]}, "holds 4 tokens, but you gave 3"),
        ({(2, 2): [6, 7, 8, 9]}, "9 is the token to predict"),
        ({(0, 1): [1, 16, 16, 16]}, "the earliest comes first"),
        ({(1, 0): [16, 16, 16, 16]}, "the row begins here, the picture does not"),
        ({(0, 1): [0, 0, 0, 1]}, "Before the picture stands the start token"),
        ({(2, 2): [2, 3, 5, 6]}, "[2, 3, 5, 6] is not it"),
    ],
)
def test_tiny_windows_hints(change, hint):
    assert_hint(checkers.check_tiny_windows(TINY | change), hint)


def test_tiny_windows_that_are_missing_or_no_lists():
    assert "pixel (0, 1) is missing" in checkers.check_tiny_windows({}).message
    assert "Your code raised TypeError" in checkers.check_tiny_windows({(0, 1): 7}).message


def padded_slice(tokens, row, column, k, start):
    t = row * tokens.shape[1] + column
    return ([start] * k + tokens.flatten().tolist())[t : t + k]


def library(tokens, row, column, k, start):
    pixel = torch.tensor([[row * tokens.shape[1] + column]])
    return windows(tokens[None], raster(k), start, pixel)[0, 0]


@pytest.mark.parametrize("my_window", [padded_slice, library])
def test_my_window_right(my_window):
    assert_correct(checkers.check_my_window(my_window))


def unpadded(tokens, row, column, k, start):
    t = row * tokens.shape[1] + column
    return tokens.flatten()[max(t - k, 0) : t]


def one_late(tokens, row, column, k, start):
    t = row * tokens.shape[1] + column + 1
    return ([start] * k + tokens.flatten().tolist())[t : t + k]


def negative_index(tokens, row, column, k, start):
    t = row * tokens.shape[1] + column
    return [tokens.flatten()[t - step] for step in range(k, 0, -1)]


def row_only(tokens, row, column, k, start):
    return ([start] * k + tokens[row].tolist())[column : column + k]


def one_early(tokens, row, column, k, start):
    t = row * tokens.shape[1] + column - 1
    return ([start] * (k + 1) + tokens.flatten().tolist())[t + 1 : t + 1 + k]


def unwrapped(tokens, row, column, k, start):  # the old stub
    return tokens[row, column - k : column].tolist()


def skipping(*question):
    right = padded_slice(*question)
    return [right[0], *right[:-2], right[-1]]


@pytest.mark.parametrize(
    ("my_window", "hint"),
    [
        (unpadded, "you return 2 tokens"),
        (one_late, "the pixel itself: that gives the answer away"),
        (lambda *question: padded_slice(*question)[::-1], "the window is reversed"),
        (negative_index, "a negative index counts from the end"),
        (row_only, "start tokens inside the picture"),
        (one_early, "should end with the pixel just before"),
        (unwrapped, "you return 0 tokens"),
        (skipping, "are not the 4 tokens read last"),
        (lambda tokens, *rest: tokens.missing, "Your code raised AttributeError"),
    ],
)
def test_my_window_hints(my_window, hint):
    assert_hint(checkers.check_my_window(my_window), hint)


def search(width, up, right):
    places = torch.arange((up + 1) * width).view(up + 1, width)
    middle = width // 2
    return places[up, middle] - places[0, middle + right]


@pytest.mark.parametrize("reach", [lambda width, up, right: up * width - right, search])
def test_reach_right(reach):
    assert_correct(checkers.check_reach(reach))


@pytest.mark.parametrize(
    ("reach", "hint"),
    [
        (lambda width, up, right: 28 * up - right, "as if the row had 28 pixels"),
        (lambda width, up, right: up * width + right, "nearer in reading order"),
        (lambda width, up, right: up * width - right - 1, "one too few"),
        (lambda width, up, right: up * width, "The column counts, too"),
        (lambda width, up, right: 28, "as if the row had 28 pixels"),  # the old stub
        (lambda width, up, right: 7, "you say 7. Count the steps"),
        (lambda width, up, right: up / 0, "Your code raised ZeroDivisionError"),
    ],
)
def test_reach_hints(reach, hint):
    assert_hint(checkers.check_reach(reach), hint)


@pytest.mark.parametrize(
    "size",
    [
        lambda r: 2 * r * (r + 1),
        lambda r: ((2 * r + 1) ** 2 - 1) / 2,
        lambda r: neighbourhood(r).length,
    ],
)
def test_neighbourhood_size_right(size):
    assert_correct(checkers.check_neighbourhood_size(size))


@pytest.mark.parametrize(
    ("size", "hint"),
    [
        (lambda r: (2 * r + 1) ** 2 - 1, "Half of it comes later"),
        (lambda r: (2 * r + 1) ** 2, "Half of it comes later"),
        (lambda r: r * (2 * r + 1), "to the left in the same row count, too"),
        (lambda r: 2 * r * (r + 1) + 1, "the pixel itself is not in its window"),
        (lambda r: 4 * r, "Draw the square"),
        (lambda r: r["missing"], "Your code raised TypeError"),
    ],
)
def test_neighbourhood_size_hints(size, hint):
    assert_hint(checkers.check_neighbourhood_size(size), hint)

"""The checkers of chapter 10: solutions pass, and each typical mistake gets its own hint."""

import math

import pytest
import torch
import torch.nn.functional as F
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.memory import check_bias, check_places, check_right_stream


@pytest.mark.parametrize("check", [check_bias, check_places, check_right_stream])
def test_a_stub_is_not_attempted_and_an_error_is_told(check):
    def answer(*_):
        raise KeyError("gate")

    assert_hint(check(answer), "Your code raised KeyError: 'gate'")
    for stub in (lambda *_: ..., lambda *_: None, ...):
        assert_not_attempted(check(stub))


# 10.1, the bias of a gate


def share(steps):
    return 0.5 ** (1 / steps)


@pytest.mark.parametrize(
    "answer",
    [
        lambda steps: math.log(share(steps) / (1 - share(steps))),
        lambda steps: -math.log(math.expm1(math.log(2) / steps)),
        lambda steps: torch.logit(torch.tensor(share(steps), dtype=torch.float64)),
    ],
)
def test_bias(answer):
    assert_correct(check_bias(answer))


def test_bias_that_is_the_share_itself():
    assert_hint(check_bias(share), "what the sigmoid is taken of")


def test_bias_with_the_wrong_sign():
    def forgets(steps):
        return math.log((1 - share(steps)) / share(steps))

    assert_hint(check_bias(forgets), "Mind the sign")


def test_bias_that_loses_one_part_in_so_many():
    assert_hint(check_bias(lambda steps: math.log(max(steps - 1, 1))), "about a third is left")


def test_bias_of_something_else():
    assert_hint(check_bias(lambda steps: 1.0), "a share of", "Each step keeps the same share")


# 10.2, places at once


def by_rows(step, height, width):
    return min(step + 1, height) - max(0, step - width + 1)


def by_counting(step, height, width):
    return sum(0 <= step - row < width for row in range(height))


@pytest.mark.parametrize("answer", [by_rows, by_counting])
def test_places(answer):
    assert_correct(check_places(answer))


def test_places_that_never_shrink():
    assert_hint(check_places(lambda step, height, width: step + 1), "until it meets an edge")


def test_places_cut_off_at_one_edge_alone():
    assert_hint(
        check_places(lambda step, height, width: min(step + 1, height)), "12 in all", "Mind both"
    )


def test_places_counted_the_other_way_round():
    def swapped(step, height, width):
        return [*range(height), *[height] * (width - height), *range(height, 0, -1)][step]

    assert_hint(check_places(swapped), "you count", "places")


def test_places_of_the_right_number_at_the_wrong_steps():
    def constant(step, height, width):
        places = height * width
        return places - (height + width - 2) if step == 0 else 1

    assert_hint(check_places(constant), "it should be [1, 2, 3, 2, 1]", "step i + j")


# 10.3, the right stream


def down(x):
    return F.pad(x, (0, 0, 0, 0, 1, -1))


def with_zeros(stream, x):
    found = stream(x.flip(2)).flip(2)
    return torch.cat([torch.zeros_like(found[:, :1]), found[:, :-1]], dim=1)


@pytest.mark.parametrize("answer", [lambda stream, x: down(stream(x.flip(2)).flip(2)), with_zeros])
def test_right_stream(answer):
    assert_correct(check_right_stream(answer))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda stream, x: stream(x.flip(2)).flip(2), ("looks ahead", "down by a row")),
        (lambda stream, x: down(stream(x.flip(2))), ("stand mirrored",)),
        (lambda stream, x: down(stream(x)), ("still runs from the upper left",)),
        (lambda stream, x: stream(x.flip(2)).flip(2).roll(1, 1), ("zeros", "at the top")),
        (lambda stream, x: F.pad(stream(x.flip(2)).flip(2), (0, 0, 0, 0, -1, 1)), ("moved", "up")),
        (lambda stream, x: stream(x.flip(1)).flip(1), ("not those of the row above",)),
        (lambda stream, x: stream(x)[:, 1:], ("(2, 4, 5, 3)", "(2, 3, 5, 3)")),
    ],
)
def test_right_stream_with_a_mistake(answer, words):
    assert_hint(check_right_stream(answer), *words)

"""The checkers of chapter 14: solutions pass, and each typical mistake gets its own hint."""

import math

import numpy as np
import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.knobs import check_paired, check_power_law, check_turned


@pytest.mark.parametrize("check", [check_paired, check_turned, check_power_law])
def test_a_stub_is_not_attempted_and_an_error_is_told(check):
    def answer(*_):
        raise KeyError("knob")

    assert_hint(check(answer), "Your code raised KeyError: 'knob'")
    for stub in (lambda *_: ..., lambda *_: None, ...):
        assert_not_attempted(check(stub))


# 14.1, paired


def paired(first, second):
    less = first - second
    return less.mean(), less.std() / math.sqrt(len(less))


def paired_by_numpy(first, second):
    less = first.numpy() - second.numpy()
    return [less.mean(), np.sqrt(less.var() / len(less))]


def paired_by_variances(first, second):
    both = torch.stack([first, second]).cov()
    return first.mean() - second.mean(), ((both.trace() - 2 * both[0, 1]) / len(first)).sqrt()


@pytest.mark.parametrize("answer", [paired, paired_by_numpy, paired_by_variances])
def test_paired(answer):
    assert_correct(check_paired(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda a, b: float((a - b).mean()), "Return two numbers"),
        (lambda a, b: paired(b, a), "the first minus the second"),
        (lambda a, b: (a.mean(), paired(a, b)[1]), "the mean of first minus second"),
        (lambda a, b: ((a - b).mean(), (a - b).std()), "standard deviation"),
        (lambda a, b: ((a - b).mean(), (a - b).std() / len(a)), "square root of the number"),
        (lambda a, b: ((a - b).mean(), (a - b).var() / len(a)), "variance of the mean"),
        (lambda a, b: ((a - b).mean(), ((a.var() + b.var()) / len(a)).sqrt()), "image by image"),
        (lambda a, b: ((a - b).mean(), 0), "The standard error is"),
    ],
)
def test_wrong_paired(answer, hint):
    assert_hint(check_paired(answer), hint)


# 14.2, one knob


def copied(settings):
    settings = settings.copy()
    settings["dropout"] = 0.5
    return settings


@pytest.mark.parametrize("answer", [copied, lambda settings: {**settings, "radius": 2}])
def test_turned(answer):
    assert_correct(check_turned(answer))


def in_place(settings):
    settings["dropout"] = 0.5
    return settings


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (in_place, "Make a copy"),
        (lambda settings: [*settings], "a dictionary"),
        (lambda settings: {"radius": 2}, "hidden_size, dropout, steps, learning_rate is missing"),
        (lambda settings: {**settings, "drop_out": 0.5}, "no knob 'drop_out'"),
        (lambda settings: {**settings}, "Nothing is turned"),
        (lambda settings: {**settings, "steps": 1, "radius": 1}, "2 knobs: radius, steps"),
    ],
)
def test_wrong_turn(answer, hint):
    assert_hint(check_turned(answer), hint)


# 14.3, a power law


def power_law(numbers, values):
    slope, start = np.polyfit(numbers.log(), values.log(), 1)
    return math.exp(start), -slope


def power_law_by_hand(numbers, values):
    x, y = numbers.log10(), values.log10()
    b = -((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    return 10 ** (y.mean() + b * x.mean()), b


@pytest.mark.parametrize("answer", [power_law, power_law_by_hand])
def test_power_law(answer):
    assert_correct(check_power_law(answer))


def by_ends(numbers, values):
    b = -(values[-1] / values[0]).log() / (numbers[-1] / numbers[0]).log()
    return values[0] * numbers[0] ** b, b


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda n, y: power_law(n, y)[1], "two numbers"),
        (lambda n, y: power_law(n, y)[::-1], "The other way round"),
        (lambda n, y: np.polyfit(n.log(), y.log(), 1)[::-1].tolist(), "a positive b"),
        (lambda n, y: np.polyfit(n, y, 1).tolist(), "logarithms of both"),
        (by_ends, "The exponent b is"),
        (lambda n, y: (math.log(power_law(n, y)[0]), power_law(n, y)[1]), "Undo the logarithm"),
        (lambda n, y: (math.log10(power_law(n, y)[0]), power_law(n, y)[1]), "The factor a is"),
    ],
)
def test_wrong_power_law(answer, hint):
    assert_hint(check_power_law(answer), hint)

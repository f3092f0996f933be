"""The checkers of chapter 9: solutions pass, and each typical mistake gets its own hint."""

import math

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.labels import check_posterior, check_rows_until_sure, check_worth


@pytest.mark.parametrize("check", [check_posterior, check_worth, check_rows_until_sure])
def test_a_stub_is_not_attempted_and_an_error_is_told(check):
    def answer(*_):
        raise KeyError("label")

    assert_hint(check(answer), "Your code raised KeyError: 'label'")
    for stub in (lambda *_: ..., lambda *_: None, ...):
        assert_not_attempted(check(stub))


# 9.1, Bayes' rule


def posterior_by_softmax(costs):
    return (-costs).softmax(dim=0)


def posterior_by_hand(costs):
    chances = [math.exp(-float(cost - costs.min())) for cost in costs]
    return torch.tensor([chance / sum(chances) for chance in chances])


@pytest.mark.parametrize("answer", [posterior_by_softmax, posterior_by_hand])
def test_posterior(answer):
    assert_correct(check_posterior(answer))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda costs: costs.softmax(dim=0), "Mind the sign"),
        (lambda costs: (-costs).exp(), "must sum to 1; yours sum to 0.553"),
        (lambda costs: costs / costs.sum(), "not in proportion to exp(-cost)"),
        (lambda costs: (-costs).exp() / (-costs).exp().sum(), "subtract the smallest"),
        (lambda costs: (-costs).softmax(dim=0).max(), "three numbers"),
    ],
)
def test_mistakes_with_the_posterior(answer, words):
    assert_hint(check_posterior(answer), words)


# 9.2, what a label is worth


def own_costs(costs, labels):
    return costs[torch.arange(len(costs)), labels]


def worth_by_logsumexp(costs, labels):
    without = math.log(costs.shape[1]) - (-costs).logsumexp(dim=1)
    return without - own_costs(costs, labels)


def worth_by_averaging(costs, labels):
    return torch.stack(
        [
            row[label].neg().exp().log() - row.neg().exp().mean().log()
            for row, label in zip(costs, labels, strict=True)
        ]
    )


@pytest.mark.parametrize("answer", [worth_by_logsumexp, worth_by_averaging])
def test_worth(answer):
    assert_correct(check_worth(answer))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda costs, labels: -worth_by_logsumexp(costs, labels), "sign"),
        (lambda costs, labels: costs.mean(dim=1) - own_costs(costs, labels), "averaged the costs"),
        (lambda costs, labels: worth_by_logsumexp(costs, labels) - math.log(10), "weight of 1/10"),
        (lambda costs, labels: own_costs(costs, labels), "Not what the label saves"),
        (lambda costs, labels: worth_by_logsumexp(costs, labels).mean(), "six numbers"),
    ],
)
def test_mistakes_with_the_worth(answer, words):
    assert_hint(check_worth(answer), words)


# 9.3, rows until the label is sure


def rows_by_cumsum(costs):
    so_far = costs.sum(dim=2).cumsum(dim=1)  # (L, H)
    sure = (-so_far).softmax(dim=0).amax(dim=0) > 0.99
    return int(sure.int().argmax()) + 1 if sure.any() else costs.shape[1]


def rows_by_loop(costs):
    for rows in range(1, costs.shape[1] + 1):
        if float((-costs[:, :rows].sum(dim=(1, 2))).softmax(dim=0).max()) > 0.99:
            return rows
    return costs.shape[1]


@pytest.mark.parametrize("answer", [rows_by_cumsum, rows_by_loop])
def test_rows_until_sure(answer):
    assert_correct(check_rows_until_sure(answer))


def test_mistakes_with_the_rows():
    def one_short(costs):
        return rows_by_cumsum(costs) - 1

    def of_one_row(costs):
        sure = (-costs.sum(dim=2)).softmax(dim=0).amax(dim=0) > 0.99
        return int(sure.int().argmax()) + 1 if sure.any() else costs.shape[1]

    def without_an_end(costs):
        rows = rows_by_cumsum(costs)
        return 1 if float(costs.std()) == 0 else rows

    assert_hint(check_rows_until_sure(one_short), "read to its end")
    assert_hint(check_rows_until_sure(of_one_row), "Add up the costs")
    assert_hint(check_rows_until_sure(without_an_end), "number of all rows")
    assert_hint(check_rows_until_sure(lambda costs: 6), "the answer is 1, not 6")

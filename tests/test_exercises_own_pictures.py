"""The checkers of chapter 15: solutions pass, and each typical mistake gets its own hint."""

import math
import random

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.own_pictures import check_baseline, check_grey, check_held_out


@pytest.mark.parametrize("check", [check_grey, check_held_out, check_baseline])
def test_a_stub_is_not_attempted_and_an_error_is_told(check):
    def answer(*_):
        raise KeyError("red")

    assert_hint(check(answer), "Your code raised KeyError: 'red'")
    for stub in (lambda *_: ..., lambda *_: None, ...):
        assert_not_attempted(check(stub))


# 15.1, grey

WEIGHTS = torch.tensor([0.299, 0.587, 0.114])


@pytest.mark.parametrize(
    "answer",
    [
        lambda colours: (colours.float() @ WEIGHTS).round().to(torch.uint8),
        lambda colours: (colours * WEIGHTS).sum(dim=-1).to(torch.uint8),  # cut, not rounded
        lambda colours: (colours.int() @ torch.tensor([299, 587, 114]).int() // 1000).byte(),
    ],
)
def test_grey(answer):
    assert_correct(check_grey(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda colours: colours.float().mean(dim=-1).byte(), "That is the plain mean"),
        (lambda colours: (colours.float() @ WEIGHTS).round(), "Levels are uint8"),
        (lambda colours: (colours.float() @ WEIGHTS.flip(0)).byte(), "Which weight goes with"),
        (lambda colours: (colours.float() @ (WEIGHTS / 2)).byte(), "The three weights sum to 1"),
        (lambda colours: colours, "three numbers and is to have one"),
    ],
)
def test_grey_with_a_mistake(answer, hint):
    assert_hint(check_grey(answer), hint)


# 15.2, whole groups


def by_the_last_names(groups, share):
    names = sorted(set(groups))
    chosen = names[-round(share * len(names)) :]
    return [group in chosen for group in groups]


def by_lot(groups, share):
    names = sorted(set(groups))
    chosen = random.Random(1).sample(names, k=math.ceil(share * len(names)))
    return torch.tensor([group in chosen for group in groups])


@pytest.mark.parametrize("answer", [by_the_last_names, by_lot])
def test_held_out(answer):
    assert_correct(check_held_out(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda groups, share: [i % 5 == 0 for i in range(len(groups))], "is on both sides"),
        (lambda groups, share: [group == "z" for group in groups], "you hold out 0"),
        (lambda groups, share: [group > "d" for group in groups], "you hold out 60"),
        (lambda groups, share: sorted(set(groups))[:2], "you returned 2 answers"),
    ],
)
def test_held_out_with_a_mistake(answer, hint):
    assert_hint(check_held_out(answer), hint)


# 15.3, what counting alone is worth


def in_nats(train, new, num_bins):
    counts = torch.bincount(train.flatten(), minlength=num_bins) + 1
    return float(-(counts / counts.sum()).log()[new].mean())


def baseline(train, new, num_bins):
    return in_nats(train, new, num_bins) / math.log(2)


def by_hand(train, new, num_bins):
    counts = [1 + int((train == token).sum()) for token in range(num_bins)]
    bits = [-math.log2(count / sum(counts)) for count in counts]
    tokens = new.flatten().tolist()
    return sum(bits[token] for token in tokens) / len(tokens)


@pytest.mark.parametrize("answer", [baseline, by_hand])
def test_baseline(answer):
    assert_correct(check_baseline(answer))


def test_baseline_in_nats():
    assert_hint(check_baseline(in_nats), "the answer in nats")


def test_baseline_that_counts_in_the_new_pictures():
    assert_hint(check_baseline(lambda train, new, k: baseline(new, new, k)), "you counted in the")


def test_baseline_of_a_picture():
    assert_hint(check_baseline(lambda *given: 16 * baseline(*given)), "which is per picture")


def test_baseline_that_holds_a_token_impossible():
    def answer(train, new, num_bins):
        counts = torch.bincount(train.flatten(), minlength=num_bins).float()
        return float(-(counts / counts.sum()).log2()[new].mean())

    assert_hint(check_baseline(answer), "Count each token once more")


def test_baseline_of_something_else():
    assert_hint(check_baseline(lambda *_: 1.0), "You found 1.0000")

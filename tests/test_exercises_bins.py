"""The checkers of chapter 13: solutions pass, and each typical mistake gets its own hint."""

import math

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.bins import check_learning_shade, check_levels, check_price_of_bins
from pixelar_lib.quantization import quantize


@pytest.mark.parametrize("check", [check_levels, check_price_of_bins, check_learning_shade])
def test_a_stub_is_not_attempted_and_an_error_is_told(check):
    def answer(*_):
        raise KeyError("grey")

    assert_hint(check(answer), "Your code raised KeyError: 'grey'")
    for stub in (lambda *_: ..., lambda *_: None, ...):
        assert_not_attempted(check(stub))


# 13.1, from tokens to levels


def bins_of(num_bins):
    return quantize(torch.arange(256, dtype=torch.uint8), num_bins)


def levels_of(tokens, counts):
    bins = bins_of(len(tokens))
    weights = (counts + 1).double()
    of_bins = torch.zeros(len(tokens)).double().index_add_(0, bins, weights)
    return (tokens / of_bins)[bins] * weights


def one_by_one(tokens, counts):
    found, size = [], len(tokens)
    for level in range(256):
        token = level * size // 256
        friends = [other for other in range(256) if other * size // 256 == token]
        total = sum(int(counts[other]) + 1 for other in friends)
        found.append(float(tokens[token]) * (int(counts[level]) + 1) / total)
    return found


@pytest.mark.parametrize("answer", [levels_of, one_by_one])
def test_levels(answer):
    assert_correct(check_levels(answer))


def all_alike(tokens, counts):
    bins = bins_of(len(tokens))
    return tokens[bins] / bins.bincount()[bins]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (all_alike, "the levels of a bin are all alike"),
        (lambda tokens, counts: levels_of(tokens, counts - 1), "never seen is impossible"),
        (
            lambda tokens, counts: tokens[bins_of(len(tokens))] * (counts + 1) / counts.sum(),
            "not by all",
        ),
        (lambda tokens, counts: levels_of(tokens, counts).flip(0), "Which token has each level?"),
        (lambda tokens, counts: tokens, "you return (16,)"),
    ],
)
def test_levels_with_a_mistake(answer, hint):
    assert_hint(check_levels(answer), hint)


# 13.2, what bins leave to token and shade


def entropy(counts):
    return torch.special.entr(counts / counts.sum()).sum() / math.log(2)


def price_of_bins(counts, starts):
    parts = [counts[a:b].double() for a, b in zip(starts, [*starts[1:], 256], strict=True)]
    sizes = torch.stack([part.sum() for part in parts])
    inside = torch.stack([entropy(part) for part in parts])
    return entropy(sizes), (sizes / sizes.sum() * inside).sum()


def by_the_rest(counts, starts):
    token = price_of_bins(counts, starts)[0]
    return [token, entropy(counts.double()) - token]


@pytest.mark.parametrize("answer", [price_of_bins, by_the_rest])
def test_price_of_bins(answer):
    assert_correct(check_price_of_bins(answer))


def in_nats(counts, starts):
    return [bits * math.log(2) for bits in price_of_bins(counts, starts)]


def unweighted(counts, starts):
    parts = [counts[a:b].double() for a, b in zip(starts, [*starts[1:], 256], strict=True)]
    inside = sum(entropy(part) for part in parts) / len(parts)
    return price_of_bins(counts, starts)[0], inside


def with_plain_logarithms(counts, starts):
    shares = counts / counts.sum()
    return -(shares * shares.log2()).sum(), 0


def shifted(counts, starts):
    return price_of_bins(counts, [0, *(start + 1 for start in starts[1:-1]), starts[-1] - 1])


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (in_nats, "which is right in nats"),
        (unweighted, "each bin counts the same"),
        (with_plain_logarithms, "A share of 0 has no logarithm"),
        (shifted, "A bin holds all levels from its first"),
        (lambda *given: (price_of_bins(*given)[0], 1.0), "Inside a bin, the shares sum to 1"),
    ],
)
def test_price_of_bins_with_a_mistake(answer, hint):
    assert_hint(check_price_of_bins(answer), hint)


# 13.3, a shade that learns


def learning_shade(level, seen, shares):
    here = [other for other in seen if other // 16 == level // 16]
    return (here.count(level) + 16 * shares[level]) / (len(here) + 16)


def with_tensors(level, seen, shares):
    counts = torch.bincount(torch.tensor(seen, dtype=torch.long), minlength=256).view(16, 16)
    mixed = counts + 16 * shares.view(16, 16)
    return (mixed / mixed.sum(dim=1, keepdim=True)).flatten()[level]


@pytest.mark.parametrize("answer", [learning_shade, with_tensors])
def test_learning_shade(answer):
    assert_correct(check_learning_shade(answer))


def seen_alone(level, seen, shares):
    here = [other for other in seen if other // 16 == level // 16]
    return here.count(level) / max(len(here), 1)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (seen_alone, "the probability is 0"),
        (
            lambda level, seen, shares: (seen.count(level) + 16 * shares[level]) / (len(seen) + 16),
            "you divide by the number of all earlier pixels",
        ),
        (lambda level, seen, shares: shares[level], "you return the share"),
        (
            lambda level, seen, shares: learning_shade(level, seen, shares) / 2,
            "the probabilities sum to 1",
        ),
    ],
)
def test_learning_shade_with_a_mistake(answer, hint):
    assert_hint(check_learning_shade(answer), hint)

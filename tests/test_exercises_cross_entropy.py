"""Checkers of chapter 5: right answers pass, each typical mistake gets its own hint."""

import math

import pytest
import torch
import torch.nn.functional as F
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.cross_entropy import (
    check_best_constant,
    check_best_guesses,
    check_cross_entropy,
    check_units,
)

CHECKERS = [check_units, check_cross_entropy, check_best_constant, check_best_guesses]


@pytest.mark.parametrize("check", CHECKERS)
def test_an_error_in_the_answer_becomes_a_hint(check):
    def broken(*_):
        raise KeyError("oh")

    assert "raised KeyError" in repr(check(broken))


@pytest.mark.parametrize("check", CHECKERS)
@pytest.mark.parametrize("stub", [..., lambda *_: ..., lambda *_: (..., ...), lambda *_: None])
def test_an_untouched_stub_is_not_attempted(check, stub):
    assert_not_attempted(check(stub))


def pair(bits, perplexity):
    """Return an answer to exercise 5.1, from functions of nats/pixel."""
    return lambda nats, pixels: (bits(nats / pixels), perplexity(nats / pixels))


def right_bits(nats):
    return nats / math.log(2)


@pytest.mark.parametrize(
    "answer",
    [
        pair(right_bits, math.exp),
        pair(lambda nats: nats * math.log2(math.e), lambda nats: 2 ** right_bits(nats)),
        lambda nats, pixels: torch.tensor([nats / pixels / math.log(2), math.exp(nats / pixels)]),
    ],
)
def test_units(answer):
    assert_correct(check_units(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (pair(lambda nats: nats, math.exp), "nats/pixel"),
        (pair(lambda nats: nats * math.log(2), math.exp), "multiplied"),
        (lambda nats, pixels: (nats / math.log(2), math.exp(nats / pixels)), "bits/image"),
        (pair(lambda nats: nats / math.log(10), math.exp), "Divide by the pixels"),
        (pair(right_bits, lambda nats: 2**nats), "2 to the nats"),
        (pair(right_bits, lambda nats: nats), "undoes the logarithm"),
    ],
)
def test_units_hints(answer, hint):
    assert_hint(check_units(answer), hint)


def stable(logits, targets):
    shifted = logits - logits.max(dim=1, keepdim=True).values
    log_sum = shifted.exp().sum(dim=1).log()
    return (log_sum - shifted[range(len(targets)), targets]).mean()


def in_a_loop(logits, targets):
    losses = []
    for row, token in zip(logits.tolist(), targets.tolist(), strict=True):
        top = max(row)
        losses.append(math.log(sum(math.exp(z - top) for z in row)) + top - row[token])
    return sum(losses) / len(losses)


def naive(logits, targets):
    exponentials = logits.exp()
    probabilities = exponentials / exponentials.sum(dim=1, keepdim=True)
    return -probabilities[range(len(targets)), targets].log().mean()


@pytest.mark.parametrize("answer", [stable, in_a_loop])
def test_cross_entropy(answer):
    assert_correct(check_cross_entropy(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (naive, "overflows"),
        (lambda z, x: -z.softmax(dim=1)[range(len(x)), x].log().mean(), "becomes 0"),
        (lambda z, x: -stable(z, x), "sign"),
        (lambda z, x: stable(z, x) * len(x), "sum over the pixels"),
        (lambda z, x: stable(z, x) / math.log(2), "in bits"),
        (lambda z, x: -z.softmax(dim=0)[range(len(x)), x].log().mean(), "over the tokens"),
        (lambda z, x: stable(z.clamp(-20, 20), x), "cut off"),
    ],
)
def test_cross_entropy_hints(answer, hint):
    assert_hint(check_cross_entropy(answer), hint)


def by_descent(counts):
    """Find the best belief by gradient steps on its logits."""
    logits = torch.zeros(len(counts), requires_grad=True)
    for _ in range(2000):
        loss = -(counts / counts.sum() * logits.log_softmax(dim=0)).sum()
        (gradient,) = torch.autograd.grad(loss, logits)
        logits = (logits - gradient).detach().requires_grad_()
    return logits.detach().softmax(dim=0)


@pytest.mark.parametrize(
    "answer",
    [
        lambda counts: counts / counts.sum(),
        lambda counts: (counts / sum(counts.tolist())).tolist(),
        by_descent,
    ],
)
def test_best_constant(answer):
    assert_correct(check_best_constant(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda counts: torch.full_like(counts, 1 / len(counts)), "not looked at the counts"),
        (lambda counts: counts.softmax(dim=0), "no logits"),
        (lambda counts: (counts + 1) / (counts + 1).sum(), "is the same for all"),
        (lambda counts: F.one_hot(counts.argmax(), len(counts)), "impossible"),
        (lambda counts: counts, "add up to 1"),
        (lambda counts: counts[:1] / counts[:1], "return 4 probabilities"),
    ],
)
def test_best_constant_hints(answer, hint):
    assert_hint(check_best_constant(answer), hint)


def mode(tokens):
    return int(torch.bincount(tokens).argmax())


def mean(tokens):
    return float(tokens.double().mean())


@pytest.mark.parametrize(
    "answer",
    [
        lambda tokens: (mean(tokens), mode(tokens)),
        lambda tokens: (sum(tokens.tolist()) / len(tokens), tokens.mode().values),
    ],
)
def test_best_guesses(answer):
    assert_correct(check_best_guesses(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda tokens: (mode(tokens), mode(tokens)), "first guess is the most common"),
        (lambda tokens: (round(mean(tokens)), mode(tokens)), "rounded"),
        (lambda tokens: (tokens.median(), mode(tokens)), "is the median"),
        (lambda tokens: (tokens.median(), tokens.median()), "is the median"),  # the old stub
        (lambda tokens: (tokens.max() / 2, mode(tokens)), "derivative to zero"),
        (lambda tokens: (mean(tokens), mean(tokens)), "never right"),
        (lambda tokens: (mean(tokens), tokens.max()), "most frequent"),
    ],
)
def test_best_guesses_hints(answer, hint):
    assert_hint(check_best_guesses(answer), hint)

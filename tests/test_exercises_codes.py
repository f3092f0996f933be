"""The checkers of chapter 12: solutions pass, and each typical mistake gets its own hint."""

import math
from itertools import accumulate
from operator import mul

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.codes import check_finite_scalars, check_nearest, check_perplexity


@pytest.mark.parametrize("check", [check_nearest, check_perplexity, check_finite_scalars])
def test_a_stub_is_not_attempted_and_an_error_is_told(check):
    def answer(*_):
        raise KeyError("code")

    assert_hint(check(answer), "Your code raised KeyError: 'code'")
    for stub in (lambda *_: ..., lambda *_: None, ...):
        assert_not_attempted(check(stub))


# 12.1, the nearest code


def squares(vectors, codebook):
    return (vectors[:, None] - codebook).square().sum(dim=2)


def nearest_by_products(vectors, codebook):
    return (codebook.square().sum(dim=1) - 2 * vectors @ codebook.t()).argmin(dim=1)


def nearest_by_loop(vectors, codebook):
    return torch.tensor([int((codebook - one).norm(dim=1).argmin()) for one in vectors])


@pytest.mark.parametrize(
    "answer",
    [lambda z, e: squares(z, e).argmin(dim=1), nearest_by_products, nearest_by_loop],
)
def test_nearest(answer):
    assert_correct(check_nearest(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (squares, "(7, 6) for 7 vectors"),
        (lambda z, e: e[squares(z, e).argmin(dim=1)], "(7, 4) for 7 vectors"),
        (lambda z, e: squares(z, e).argmin(dim=0), "(6,) for 7 vectors"),
        (lambda z, e: squares(z, e).amin(dim=1), "whole number"),
        (lambda z, e: squares(z, e).argmax(dim=1), "farthest away"),
        (lambda z, e: (z @ e.t()).argmax(dim=1), "largest product"),
        (lambda z, e: (z[:, None] - e).sum(dim=2).argmin(dim=1), "sum of squared differences"),
    ],
)
def test_wrong_nearest(answer, hint):
    assert_hint(check_nearest(answer), hint)


# 12.2, perplexity


def shares_of(codes, number):
    return codes.flatten().bincount(minlength=number) / codes.numel()


def perplexity(codes, number):
    return torch.special.entr(shares_of(codes, number)).sum().exp()


def perplexity_in_bits(codes, number):
    shares = [float((codes == code).float().mean()) for code in range(number)]
    return 2 ** -sum(share * math.log2(share) for share in shares if share)


@pytest.mark.parametrize("answer", [perplexity, perplexity_in_bits])
def test_perplexity(answer):
    assert_correct(check_perplexity(answer))


def of_rows(codes, number):
    """Return the mean perplexity of the rows."""
    rows = codes.reshape(-1, codes.shape[-1])
    return torch.stack([perplexity(row, number) for row in rows]).mean()


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c, n: (lambda p: (-(p * p.log()).sum()).exp())(shares_of(c, n)), "0 · log 0"),
        (lambda c, n: perplexity(c, n).log(), "Take exp"),
        (lambda c, n: -perplexity(c, n).log(), "minus the entropy"),
        (lambda c, n: 1 / perplexity(c, n), "a sign is lost"),
        (lambda c, n: 2 ** perplexity(c, n).log(), "a nat is no bit"),
        (lambda c, n: (perplexity(c, n).log() / math.log(2)).exp(), "a bit is no nat"),
        (lambda c, n: len(c.unique()), "count the codes that occur"),
        (lambda c, n: n, "a single code the perplexity is 1.000, not 4.000"),
        (of_rows, "whatever picture they are from"),
    ],
)
def test_wrong_perplexity(answer, hint):
    assert_hint(check_perplexity(answer), hint)


# 12.3, finite scalars


def finite_scalars(z, levels, bases=(1, 3, 15), shift=True, straight=True):
    half = (torch.tensor(levels) - 1) / 2
    wide = half * z.tanh()
    rounded = wide + (wide.round() - wide).detach() if straight else wide.round()
    counted = rounded.detach().round() + (half if shift else 0)
    return rounded, (counted * torch.tensor(bases)).sum(dim=1).long()


def last_moves_fastest(z, levels):
    wide = torch.stack(
        [(size // 2) * part.tanh() for size, part in zip(levels, z.t(), strict=True)], dim=1
    )
    whole = wide.detach().round()
    bases = [1, *accumulate(reversed(levels[1:]), mul)][::-1]
    tokens = sum(
        (whole[:, place] + size // 2) * base
        for place, (size, base) in enumerate(zip(levels, bases, strict=True))
    )
    return wide - wide.detach() + whole, tokens.to(torch.int32)


@pytest.mark.parametrize("answer", [finite_scalars, last_moves_fastest])
def test_finite_scalars(answer):
    assert_correct(check_finite_scalars(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda z, n: (z + (z.round() - z).detach() * 9, finite_scalars(z, n)[1]), "outside"),
        (lambda z, n: (z.tanh() * torch.tensor([1, 2, 3]), finite_scalars(z, n)[1]), "not whole"),
        (lambda z, n: (z.tanh().round(), finite_scalars(z, n)[1]), "Stretch first"),
        (lambda z, n: finite_scalars(z, n, straight=False), "Go straight through"),
        (lambda z, n: finite_scalars(z.detach(), n), "Go straight through"),
        (lambda z, n: (z + (finite_scalars(z, n)[0] - z).detach(), 0), "Is only the rounding"),
        (lambda z, n: (finite_scalars(z, n)[0], finite_scalars(z, n)[0]), "One token"),
        (lambda z, n: finite_scalars(z, n, shift=False), "count from 0"),
        (lambda z, n: finite_scalars(z, n, bases=(1, 1, 1)), "105 different vectors have 13"),
        (lambda z, n: finite_scalars(z, n, bases=(1, 10, 100)), "105 tokens, 0 to 104"),
        (lambda z, n: (finite_scalars(z, n)[0][:, :2], 0), "shape (105, 2)"),
    ],
)
def test_wrong_finite_scalars(answer, hint):
    verdict = check_finite_scalars(answer)
    assert not verdict.passed
    assert hint.lower() in verdict.message.lower(), verdict.message

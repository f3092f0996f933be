"""The checkers of chapter 1: solutions pass, and each typical mistake gets its own hint."""

from itertools import product

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.chain_rule import (
    check_count_pictures,
    check_free_numbers,
    check_reverse_chain,
    check_sampler,
)
from pixelar_lib.sampling import draw

CHECKERS = [check_count_pictures, check_reverse_chain, check_free_numbers, check_sampler]


@pytest.mark.parametrize("check", CHECKERS)
def test_code_that_raises(check):
    def answer(*_):
        raise IndexError("too far")

    assert_hint(check(answer), "Your code raised IndexError: too far")


@pytest.mark.parametrize("check", CHECKERS)
def test_an_untouched_stub_is_not_attempted(check):
    assert_not_attempted(check(lambda *_: ...))


# 1.1, counting pictures


def count_pixel_by_pixel(height, width, num_bins):
    pictures = 1
    for _ in range(height * width):
        pictures *= num_bins
    return pictures


@pytest.mark.parametrize(
    "answer", [lambda height, width, K: K ** (height * width), count_pixel_by_pixel]
)
def test_count_pictures(answer):
    assert_correct(check_count_pictures(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda height, width, K: height * width * K, "multiply"),
        (lambda height, width, K: (height * width) ** K, "other way round"),
        (lambda height, width, K: float(K) ** (height * width), "float"),
        (lambda height, width, K: torch.tensor(K) ** (height * width), "Tensor"),
        (lambda height, width, K: K ** (height + width - 1), "second pixel"),
    ],
)
def test_count_pictures_hints(answer, hint):
    assert_hint(check_count_pictures(answer), hint)


# 1.2, the chain in reverse


def forward_chain(joint):
    x0 = joint.sum((1, 2, 3), keepdim=True)
    x01 = joint.sum((2, 3), keepdim=True)
    x012 = joint.sum(3, keepdim=True)
    return [x0, x01 / x0, x012 / x01, joint / x012]


def reverse_chain(joint):
    x3 = joint.sum((0, 1, 2), keepdim=True)
    x23 = joint.sum((0, 1), keepdim=True)
    x123 = joint.sum(0, keepdim=True)
    return [x3, x23 / x3, x123 / x23, joint / x123]


def reverse_by_swapping(joint):
    swapped = forward_chain(joint.permute(3, 2, 1, 0))
    return [factor.permute(3, 2, 1, 0) for factor in swapped]


def reverse_whole_tables(joint):
    return [factor.expand(joint.shape) for factor in reverse_chain(joint)]


@pytest.mark.parametrize("answer", [reverse_chain, reverse_by_swapping, reverse_whole_tables])
def test_reverse_chain(answer):
    assert_correct(check_reverse_chain(answer))


def reverse_without_division(joint):
    return [joint.sum(tuple(range(t)), keepdim=True) if t else joint for t in (3, 2, 1, 0)]


def reverse_of_single_pixels(joint):
    pixels = [tuple(a for a in range(4) if a != t) for t in (3, 2, 1, 0)]
    return [joint.sum(others, keepdim=True) for others in pixels]


def reverse_divided_by_the_next_pixel(joint):
    x2 = joint.sum((0, 1, 3), keepdim=True)
    x3, _, *others = reverse_chain(joint)
    return [x3, joint.sum((0, 1), keepdim=True) / x2, *others]


@pytest.mark.parametrize(
    ("answer", "hints"),
    [
        (forward_chain, ["x3 changes with x0", "comes later"]),
        (reverse_without_division, ["x2 is a joint probability"]),
        (reverse_of_single_pixels, ["x2 is a distribution", "not the one"]),
        (reverse_divided_by_the_next_pixel, ["x2 does not sum to one over x2"]),
        (lambda joint: reverse_chain(joint)[::-1], ["x3 changes with x0"]),
        (lambda joint: reverse_chain(joint)[:3], ["returned 3"]),
        (lambda joint: [factor.squeeze() for factor in reverse_chain(joint)], ["keepdim=True"]),
        (lambda joint: [f[..., :1, :] for f in reverse_chain(joint.repeat(1, 1, 2, 1))], ["x3"]),
    ],
)
def test_reverse_chain_hints(answer, hints):
    assert_hint(check_reverse_chain(answer), *hints)


# 1.3, free numbers


def count_contexts(num_bins, num_pixels, k):
    contexts = [list(product(range(num_bins), repeat=min(t, k))) for t in range(num_pixels)]
    return sum(len(rows) for rows in contexts) * (num_bins - 1)


@pytest.mark.parametrize(
    "answer",
    [
        lambda K, D, k: sum(K ** min(t, k) * (K - 1) for t in range(D)),
        lambda K, D, k: K**k - 1 + (D - k) * K**k * (K - 1),
        count_contexts,
    ],
)
def test_free_numbers(answer):
    assert_correct(check_free_numbers(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda K, D, k: sum(K ** min(t, k) for t in range(D)) * K, "sum to one"),
        (lambda K, D, k: D * K**k * (K - 1), "The first pixels have fewer"),
        (lambda K, D, k: K ** (k + 1) - 1, "one table that all pixels share"),
        (lambda K, D, k: K**D - 1, "Add up, pixel by pixel"),
        (lambda K, D, k: D * K**k, "Add up, pixel by pixel"),
    ],
)
def test_free_numbers_hints(answer, hint):
    assert_hint(check_free_numbers(answer), hint)


# 1.4, the sampler


def draw_patches(joint, uniform, column=lambda uniform, t: uniform[:, t]):
    num_bins = joint.shape[0]
    beginning = torch.zeros(len(uniform), dtype=torch.long)
    tokens = []
    for t, factor in enumerate(forward_chain(joint)):
        table = factor.reshape(-1, num_bins)
        tokens.append(draw(table[beginning], column(uniform, t)))
        beginning = num_bins * beginning + tokens[t]
    return torch.stack(tokens, dim=1)


def draw_from_the_whole_table(joint, uniform):
    cumulative = joint.flatten().cumsum(0)
    number = torch.searchsorted(cumulative, uniform[:, 0].double(), right=True)
    number = number.clamp(max=joint.numel() - 1)
    return torch.stack(torch.unravel_index(number, joint.shape), dim=1)


@pytest.mark.parametrize("answer", [draw_patches, draw_from_the_whole_table])
def test_sampler(answer):
    assert_correct(check_sampler(answer))


def draw_each_alone(joint, uniform):
    alone = [joint.sum([a for a in range(4) if a != t]) for t in range(4)]
    rows = [p.expand(len(uniform), -1) for p in alone]
    return torch.stack([draw(rows[t], uniform[:, t]) for t in range(4)], dim=1)


def draw_the_likeliest(joint, uniform):
    return torch.stack(torch.unravel_index(joint.argmax(), joint.shape)).expand(len(uniform), 4)


def draw_with_the_transposed_table(joint, uniform):
    return draw_patches(joint.permute(3, 0, 2, 1), uniform)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (draw_each_alone, "ignore the pixels that were drawn before"),
        (draw_the_likeliest, "instead of taking the likeliest"),
        (lambda joint, u: draw_patches(joint, torch.rand(u.shape)), "Let `uniform` alone decide"),
        (
            lambda joint, u: draw_patches(joint, u, column=lambda u, t: u[:, 0]),
            "its own column of `uniform`",
        ),
        (draw_with_the_transposed_table, "do not come out as often"),
        (lambda joint, u: draw_patches(joint, u).view(-1, 2, 2), "(20000, 2, 2)"),
        (lambda joint, u: draw_patches(joint, u) + 1, "whole numbers from 0 to 1"),
        (lambda joint, u: draw_patches(joint, u).float(), "whole numbers from 0 to 1"),
        (
            lambda joint, u: draw_patches(joint, u).clamp(max=1),
            "For K = 3 your patches",
        ),
    ],
)
def test_sampler_hints(answer, hint):
    assert_hint(check_sampler(answer), hint)

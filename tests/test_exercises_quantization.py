"""The checkers of chapter 2: solutions pass, and each typical mistake gets its own hint."""

from itertools import pairwise

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.quantization import (
    check_float_quantizer,
    check_largest_error,
    check_levels_per_bin,
)
from pixelar_lib.quantization import dequantize, quantize

LEVELS = torch.arange(256, dtype=torch.uint8)


@pytest.mark.parametrize(
    "check", [check_levels_per_bin, check_largest_error, check_float_quantizer]
)
def test_code_that_raises(check):
    def answer(*_):
        raise KeyError("bins")

    assert_hint(check(answer), "Your code raised KeyError: 'bins'")


@pytest.mark.parametrize(
    "check", [check_levels_per_bin, check_largest_error, check_float_quantizer]
)
def test_what_was_not_attempted(check):
    assert_not_attempted(check(lambda *_: ...))


# 2.1, levels in each bin


def count_with_bincount(num_bins):
    return torch.bincount(quantize(LEVELS, num_bins), minlength=num_bins)


def count_by_edges(num_bins):
    edges = [-(-256 * token // num_bins) for token in range(num_bins + 1)]  # rounded up
    return [high - low for low, high in pairwise(edges)]


@pytest.mark.parametrize("answer", [count_with_bincount, count_by_edges])
def test_levels_per_bin(answer):
    assert_correct(check_levels_per_bin(answer))


@pytest.mark.parametrize(
    ("answer", "hints"),
    [
        (lambda K: [256 // K] * K, ["For K = 3", "cannot all be alike"]),  # the old stub
        (
            lambda K: torch.bincount(LEVELS[:-1].long() * K // 256, minlength=K),
            ["add up to 255", "white"],
        ),
        (lambda K: torch.bincount((LEVELS / 255 * K).long()), ["2 bins", "3 counts", "white"]),
        (lambda K: [256 // K + (token < 256 % K) for token in range(K)], ["wrong order"]),
        (lambda K: [1] * (K - 1) + [257 - K], ["For K = 2 the counts are different"]),
    ],
)
def test_levels_per_bin_hints(answer, hints):
    assert_hint(check_levels_per_bin(answer), *hints)


# 2.2, the largest error


def largest_by_trying(num_bins):
    back = dequantize(quantize(LEVELS, num_bins), num_bins) * 255
    return (back - LEVELS).abs().max()


def largest_in_plain_python(num_bins):
    return max(abs((v * num_bins // 256 + 0.5) / num_bins * 255 - v) for v in range(256))


@pytest.mark.parametrize("answer", [largest_by_trying, largest_in_plain_python])
def test_largest_error(answer):
    assert_correct(check_largest_error(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda K: largest_by_trying(K) / 255, "We ask for levels"),
        (lambda K: (dequantize(quantize(LEVELS, K), K) * 255 - LEVELS).abs().mean(), "mean error"),
        (lambda K: 256 / K, "a whole bin"),
        (lambda K: 128 / K, "half a bin on the scale of 256"),
        (lambda K: 0.0, "too small"),  # the old stub
        (lambda K: 255, "too large"),
    ],
)
def test_largest_error_hints(answer, hint):
    assert_hint(check_largest_error(answer), hint)


def test_the_largest_error_is_half_a_bin_to_within_one_level():
    excess = [largest_in_plain_python(K) - 128 / K for K in range(2, 257)]
    assert -0.5 <= min(excess) < max(excess) < 1
    assert largest_in_plain_python(6) == 21.75 > 128 / 6  # level 213, as chapter 2 is careful about


# 2.3, the float formula


def quantize_through_levels(x, num_bins):
    return torch.round(255 * x).long() * num_bins // 256


def quantize_in_double(x, num_bins):
    return torch.floor(torch.round(255 * x.double()) * num_bins / 256).long()


@pytest.mark.parametrize("answer", [quantize_through_levels, quantize_in_double, quantize])
def test_float_quantizer(answer):
    assert_correct(check_float_quantizer(answer))


@pytest.mark.parametrize(
    ("answer", "hints"),
    [
        (lambda x, K: torch.floor(x * K).long(), ["For K = 2 white became 2", "start token"]),
        (lambda x, K: torch.floor(x * K).long().clamp(max=K - 1), ["go back to the level"]),
        (lambda x, K: torch.floor(x * (K - 1e-6)).long(), ["another token"]),  # the old stub
        (lambda x, K: quantize_through_levels(x, K).float(), [".long()"]),
    ],
)
def test_float_quantizer_hints(answer, hints):
    assert_hint(check_float_quantizer(answer), *hints)

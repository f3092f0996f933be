"""The checkers of chapter 7: solutions pass, and each typical mistake gets its own hint."""

import math

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.analysis import entropy
from pixelar_lib.exercises.analysis import (
    check_calibration_error,
    check_caught_out,
    check_entropy_bits,
    check_image_bits,
)


@pytest.mark.parametrize(
    "check", [check_entropy_bits, check_caught_out, check_image_bits, check_calibration_error]
)
def test_a_stub_is_not_attempted_and_an_error_is_told(check):
    def answer(*_):
        raise KeyError("bins")

    assert_hint(check(answer), "Your code raised KeyError: 'bins'")
    for stub in (lambda *_: ..., lambda *_: None, ...):
        assert_not_attempted(check(stub))


# 7.1, entropy in bits


def entropy_of_possible_tokens(p):
    possible = p[p > 0]
    return -(possible * possible.log2()).sum()


def entropy_in_a_loop(p):
    return -sum(value * math.log2(value) for value in p.tolist() if value)


def entropy_from_nats(p):
    return float(entropy(p)) / math.log(2)


@pytest.mark.parametrize(
    "answer", [entropy_of_possible_tokens, entropy_in_a_loop, entropy_from_nats]
)
def test_entropy_bits(answer):
    assert_correct(check_entropy_bits(answer))


def test_entropy_bits_of_an_impossible_token():
    assert_hint(check_entropy_bits(lambda p: -(p * p.log2()).sum()), "nan", "cannot occur")


def test_entropy_bits_without_the_minus():
    assert_hint(check_entropy_bits(lambda p: -entropy_from_nats(p)), "-1.50", "minus")


def test_entropy_bits_in_nats():
    assert_hint(check_entropy_bits(entropy), "1.04", "nats")


def test_entropy_bits_of_the_mean_surprise():
    assert_hint(check_entropy_bits(lambda p: -p.log2().mean()), "1.50 bits, but you returned 1.67")


# 7.2, where the model is caught out


def surprise_minus_entropy(p, entropy):
    return -p.log() - entropy > 3


def probability_below_the_limit(p, entropy):
    return p < (-3 - entropy).exp()


@pytest.mark.parametrize("answer", [surprise_minus_entropy, probability_below_the_limit])
def test_caught_out(answer):
    assert_correct(check_caught_out(answer))


def test_caught_out_without_the_entropy():
    assert_hint(check_caught_out(lambda p, entropy: p < 0.05), "a pixel is not caught out")
    assert_hint(check_caught_out(lambda p, entropy: p < 1e-3), "a pixel is caught out")


def test_caught_out_the_wrong_way_round():
    assert_hint(check_caught_out(lambda p, entropy: entropy + p.log() > 3), "swap the two sides")


def test_caught_out_in_bits():
    assert_hint(check_caught_out(lambda p, entropy: -p.log2() - entropy > 3), "natural logarithm")


@pytest.mark.parametrize(
    "answer", [lambda p, e: -p.log() - e, lambda p, e: (-p.log() - e > 3).sum()]
)
def test_caught_out_is_a_map_of_true_and_false(answer):
    assert_hint(check_caught_out(answer), "True and False")


# 7.3, the bits of a picture


def bits_by_sum(p):
    return -p.log2().sum()


def bits_in_a_loop(p):
    return sum(-math.log2(value) for value in p.flatten().tolist())


@pytest.mark.parametrize("answer", [bits_by_sum, bits_in_a_loop])
def test_image_bits(answer):
    assert_correct(check_image_bits(answer))


def test_image_bits_by_a_product_that_underflows():
    assert_hint(check_image_bits(lambda p: -p.prod().log2()), "784 pixels", "inf", "Add logarithms")


def test_image_bits_in_nats():
    assert_hint(check_image_bits(lambda p: -p.log().sum()), "nats")


def test_image_bits_of_a_mean_pixel():
    assert_hint(check_image_bits(lambda p: -p.log2().mean()), "mean of a pixel")


@pytest.mark.parametrize("answer", [lambda p: p.log2().sum(), lambda p: (1 - p).sum()])
def test_image_bits_of_something_else(answer):
    assert_hint(check_image_bits(answer), "the price is 4.00 bits")


# 7.4, the expected calibration error


def groups_of(confidence, num_groups):
    return (confidence * num_groups).long().clamp(max=num_groups - 1)


def gaps_and_shares(confidence, right, num_groups):
    groups = groups_of(confidence, num_groups)
    inside = [groups == group for group in groups.unique()]
    gaps = torch.stack([confidence[i].mean() - right[i].float().mean() for i in inside])
    return gaps, torch.stack([i.float().mean() for i in inside])


def error_by_groups(confidence, right, num_groups):
    gaps, shares = gaps_and_shares(confidence, right, num_groups)
    return (gaps.abs() * shares).sum()


def error_by_sums(confidence, right, num_groups):
    sums = torch.zeros(num_groups).index_add_(
        0, groups_of(confidence, num_groups), confidence - right.float()
    )
    return float(sums.abs().sum()) / len(right)


def error_by_intervals(confidence, right, num_groups):
    error = 0.0
    for group in range(num_groups):
        low, high = group / num_groups, (group + 1) / num_groups
        inside = (confidence > low) & (confidence <= high)  # Guo et al. count the upper end in
        if inside.any():
            gap = confidence[inside].mean() - right[inside].float().mean()
            error += float(gap.abs() * inside.float().mean())
    return error


@pytest.mark.parametrize("answer", [error_by_groups, error_by_sums, error_by_intervals])
def test_calibration_error(answer):
    assert_correct(check_calibration_error(answer))


def test_calibration_error_of_single_predictions():
    verdict = check_calibration_error(lambda c, right, _: (c - right.float()).abs().mean())
    assert_hint(verdict, "single predictions")


def test_calibration_error_with_all_groups_alike():
    def answer(*data):
        return gaps_and_shares(*data)[0].abs().mean()

    assert_hint(check_calibration_error(answer), "same weight")


@pytest.mark.parametrize("sign", [1, -1])
def test_calibration_error_with_gaps_that_cancel(sign):
    def answer(*data):
        gaps, shares = gaps_and_shares(*data)
        return sign * (gaps * shares).sum()

    assert_hint(check_calibration_error(answer), "absolute gap")


def test_calibration_error_with_empty_groups():
    def answer(confidence, right, num_groups):
        groups = groups_of(confidence, num_groups)
        gaps = [
            (confidence[groups == group].mean() - right[groups == group].float().mean()).abs()
            * (groups == group).float().mean()
            for group in range(num_groups)
        ]
        return sum(gaps)

    assert_hint(check_calibration_error(answer), "empty group")


def test_calibration_error_that_loses_full_confidence():
    def answer(confidence, right, num_groups):
        below = confidence < 1
        return error_by_groups(confidence[below], right[below], num_groups) if below.any() else 0

    assert_hint(check_calibration_error(answer), "exactly 1")

"""Checkers of chapter 2, Quantization."""

from collections.abc import Callable

import torch

from pixelar_lib.exercises.checker import checker, expect
from pixelar_lib.quantization import quantize

LEVELS = torch.arange(256, dtype=torch.uint8)


@checker
def check_levels_per_bin(count_levels: Callable[[int], list[int]]) -> str:
    """Check a function from K to how many of the 256 levels fall into each bin.

    Args:
        count_levels: Takes K, returns K counts, a list or a tensor.
    """
    for num_bins in (2, 16, 256, 3, 100):
        counts = [int(count) for count in count_levels(num_bins)]
        right = torch.bincount(quantize(LEVELS, num_bins), minlength=num_bins).tolist()
        expect(
            len(counts) == num_bins,
            f"For K = {num_bins} there are {num_bins} bins, but you returned {len(counts)} counts.",
        )
        expect(
            sum(counts) == 256,
            f"For K = {num_bins} your counts add up to {sum(counts)}, but there are 256 levels, "
            "0 to 255. Is white (255) among them?",
        )
        expect(
            counts == right,
            f"For K = {num_bins} the counts should be {right[:3]}..., not {counts[:3]}.... 256 "
            "is not a multiple of every K, so some bins hold one level more than others.",
        )
    return "All bins hold 256/K levels where that is a whole number; else they differ by one."


@checker
def check_largest_error(largest_error: Callable[[int], float]) -> str:
    """Check a function from K to the largest distance a level can move, in levels.

    Args:
        largest_error: Takes K, returns the largest |255 (token + 1/2) / K - v| over all v.
    """
    for num_bins in (2, 4, 16, 256):
        error = float(largest_error(num_bins))
        back = (quantize(LEVELS, num_bins) + 0.5) / num_bins * 255
        right = float((back - LEVELS).abs().max())
        expect(
            abs(error * 255 - right) > 1e-3,
            "That is the largest error in intensities, 0 to 1. Multiply by 255 to get levels.",
        )
        mean = float((back - LEVELS).abs().mean())
        expect(
            abs(error - mean) > 1e-3 or abs(error - right) < 1e-3,
            "That is the mean error over the levels; the exercise asks for the largest.",
        )
        expect(
            abs(error - right) < 1e-3,
            f"For K = {num_bins} no level moves by more than {right:.2f}, but you say {error:.2f}. "
            "Try all 256 levels: quantize, turn back, compare.",
        )
    return "The largest error is about half a bin, 128/K levels: it halves when K doubles."


@checker
def check_float_quantizer(float_quantizer: Callable[[torch.Tensor, int], torch.Tensor]) -> str:
    """Check a function from float intensities and K to tokens, against the integer rule.

    Args:
        float_quantizer: Takes float32 intensities v/255 and K, returns integer tokens.
    """
    intensities = LEVELS / 255
    for num_bins in range(2, 257):
        tokens = torch.as_tensor(float_quantizer(intensities, num_bins))
        expect(
            not tokens.is_floating_point(),
            "Tokens are integers, but you returned floats: end with .long().",
        )
        expect(
            int(tokens[-1]) != num_bins,
            f"For K = {num_bins} white became {num_bins}: that is the start token. The largest "
            "token is K - 1.",
        )
        wrong = tokens != quantize(LEVELS, num_bins)
        expect(
            not wrong.any(),
            f"For K = {num_bins} the level {int(wrong.int().argmax())} gets another token than "
            "floor(v K / 256). Multiplying x = v/255 by K divides by 255 where the rule "
            "divides by 256: go back to the level v first.",
        )
    return "Your tokens follow the integer rule for every K and every level."

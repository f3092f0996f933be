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
        where = f"For K = {num_bins}"
        expect(
            len(counts) == num_bins,
            f"{where} there are {num_bins} bins, but you returned {len(counts)} counts. Which "
            "token did white, level 255, get?",
        )
        expect(
            sum(counts) == 256 or len(set(counts)) > 1 or 256 % num_bins == 0,
            f"{where} you give every bin {counts[0]} levels. 256 is not a multiple of "
            f"{num_bins}, so the bins cannot all be alike.",
        )
        expect(
            sum(counts) == 256,
            f"{where} your counts add up to {sum(counts)}, but there are 256 levels, 0 to 255. "
            "Are black (0) and white (255) both among them?",
        )
        expect(
            sorted(counts) != sorted(right) or counts == right,
            f"{where} your counts are the right ones in the wrong order: the bins that hold one "
            "level more do not all come first. Try the levels one by one.",
        )
        expect(counts == right, f"{where} the counts are different. Try the levels one by one.")
    return "All bins hold 256/K levels where that is a whole number; else they differ by one."


@checker
def check_largest_error(largest_error: Callable[[int], float]) -> str:
    """Check a function from K to the largest distance a level can move, in levels.

    Args:
        largest_error: Takes K, returns the largest |255 (token + 1/2) / K - v| over all v.
    """
    for num_bins in (2, 4, 6, 16, 256):
        error = float(largest_error(num_bins))
        moved = ((quantize(LEVELS, num_bins) + 0.5) / num_bins * 255 - LEVELS).abs()
        right = float(moved.max())
        for mistake, hint in (
            (right / 255, "That is the error in intensities, 0 to 1. We ask for levels, 0 to 255."),
            (256 / num_bins, "That is a whole bin, but a grey stands in the middle of its bin."),
            (
                128 / num_bins,
                "That is half a bin on the scale of 256, a good estimate. But greys are shown on "
                "the scale of 255, so the exact value is a little different: try all levels.",
            ),
            (
                float(moved.mean()),
                "That is the mean error over the levels; the exercise asks for the largest.",
            ),
        ):
            expect(abs(error - mistake) > 1e-3 or abs(error - right) < 1e-3, hint)
        expect(
            abs(error - right) < 1e-3,
            f"For K = {num_bins} you say {error:.2f}, which is too {_side(error, right)}. Try all "
            "256 levels: quantize, turn back, compare.",
        )
    return (
        "It is half a bin, 128/K levels, to within one level: bins are cut on the scale of 256, "
        "greys are shown on the scale of 255. It halves when K doubles."
    )


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


def _side(value: float, right: float) -> str:
    return "small" if value < right else "large"

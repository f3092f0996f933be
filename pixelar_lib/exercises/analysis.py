"""Checkers of chapter 7, Analysis."""

import math
from collections.abc import Callable

import torch

from pixelar_lib.exercises.checker import checker, expect


@checker
def check_entropy_bits(entropy_bits: Callable[[torch.Tensor], float]) -> str:
    """Check a function from a distribution to its entropy in bits.

    Args:
        entropy_bits: Takes float (K,), returns a number.
    """
    for probabilities, right in (
        ([0.5, 0.25, 0.25], 1.5),
        ([1 / 16] * 16, 4.0),
        ([0.25, 0.75], 2 - 0.75 * math.log2(3)),
        ([1.0, 0.0, 0.0, 0.0], 0.0),
    ):
        bits = float(entropy_bits(torch.tensor(probabilities)))
        case = f"For {probabilities[:4]}{'...' if len(probabilities) > 4 else ''}"
        expect(
            not math.isnan(bits),
            f"{case} you returned nan, not a number: that is what floats make of 0 times the "
            "logarithm of 0. A token that cannot occur adds nothing; leave it out.",
        )
        expect(
            abs(bits + right) > 1e-4 or abs(right) < 1e-4,
            f"{case} you returned {bits:.2f}. The logarithm of a number below 1 is negative: put "
            "a minus in front.",
        )
        expect(
            abs(bits - right * math.log(2)) > 1e-4 or abs(right) < 1e-4,
            f"{case} you returned {bits:.2f}. Those are nats: bits need the logarithm to base 2.",
        )
        expect(
            abs(bits - right) < 1e-4,
            f"{case} the entropy is {right:.2f} bits, but you returned {bits:.2f}. Add up "
            "p times the surprise of p over all tokens.",
        )
    return "0 bits for a certain token, log2 K for K equal ones, and in between for all others."


@checker
def check_caught_out(caught_out: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> str:
    """Check a function that marks pixels whose surprise is over 3 nats above the entropy.

    Args:
        caught_out: Takes the chosen probability and the entropy in nats, both float (H, W);
            returns bool (H, W).
    """
    generator = torch.Generator().manual_seed(0)
    surprise = 10 * torch.rand(28, 28, generator=generator)
    entropy = math.log(16) * torch.rand(28, 28, generator=generator)
    mask = torch.as_tensor(caught_out(surprise.neg().exp(), entropy))
    expect(
        mask.dtype == torch.bool and mask.shape == (28, 28),
        f"Return a map of True and False, (28, 28), not {mask.dtype} {tuple(mask.shape)}.",
    )
    expect(
        not torch.equal(mask, entropy - surprise > 3),
        "You mark pixels where the entropy is above the surprise. There the model paid less than "
        "it expected; swap the two sides of the difference.",
    )
    expect(
        not torch.equal(mask, surprise / math.log(2) - entropy > 3),
        "You measure the surprise in bits and the entropy in nats. Take the natural logarithm.",
    )
    right = surprise - entropy > 3
    row, column = divmod(int((mask != right).flatten().int().argmax()), 28)
    expect(
        torch.equal(mask, right),
        f"With a surprise of {float(surprise[row, column]):.2f} nats and an entropy of "
        f"{float(entropy[row, column]):.2f} nats, a pixel is "
        f"{'' if right[row, column] else 'not '}caught out. Take what was paid, subtract what "
        "was expected, and compare the difference with 3.",
    )
    return (
        "A small probability alone does not catch the model out: it may have known that it "
        "was guessing."
    )


@checker
def check_image_bits(image_bits: Callable[[torch.Tensor], float]) -> str:
    """Check a function from the chosen probabilities of a picture to its price in bits.

    Args:
        image_bits: Takes float32 (H, W), returns a number.
    """
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(28, 28, generator=generator).clamp(min=1e-3)
    for probabilities in (torch.tensor([[0.5, 0.25], [0.5, 1.0]]), picture):
        bits = float(image_bits(probabilities))
        right = float(-probabilities.double().log2().sum())
        case = f"For a picture of {probabilities.numel()} pixels"
        expect(
            math.isfinite(bits),
            f"{case} you returned {bits}: the product of so many probabilities is too small for "
            "a float and becomes 0. Add logarithms instead of multiplying probabilities.",
        )
        expect(
            abs(bits - right * math.log(2)) > 1e-3 * right,
            f"{case} you returned {bits:.2f}. Those are nats: bits need the logarithm to base 2.",
        )
        expect(
            abs(bits - right / probabilities.numel()) > 1e-3 * bits,
            f"{case} you returned {bits:.2f}, the mean of a pixel. The picture "
            "pays for all of them.",
        )
        expect(
            abs(bits - right) < 1e-3 * right,
            f"{case} the price is {right:.2f} bits, but you returned {bits:.2f}. Each pixel costs "
            "-log2 of its probability.",
        )
    return "Probabilities multiply and bits add up, and a sum of 784 bits does not underflow."


@checker
def check_calibration_error(
    calibration_error: Callable[[torch.Tensor, torch.Tensor, int], float],
) -> str:
    """Check a function from confidences and hits to the expected calibration error.

    Args:
        calibration_error: Takes confidence float (M,), right bool (M,) and the number of groups
            of equal width; returns a number.
    """
    sure = torch.ones(5), torch.tensor([True, True, True, True, False])
    two = torch.tensor([0.55, 0.55, 0.95, 0.95, 0.95, 0.95]), torch.tensor([1, 1, 1, 1, 1, 0]) > 0
    for confidence, right in (two, sure):
        for num_groups in (10, 1):
            _check_error_of(calibration_error, confidence, right, num_groups)
    return "Always sure, and right four times in five: the error is 0.2, a fifth too sure."


def _check_error_of(calibration_error, confidence, right, num_groups) -> None:
    error = float(calibration_error(confidence, right, num_groups))
    groups = (confidence * num_groups).long().clamp(max=num_groups - 1)
    inside = [groups == group for group in groups.unique()]
    gaps = torch.stack([(confidence[group] - right[group].float()).mean() for group in inside])
    shares = torch.stack([group.float().mean() for group in inside])
    answer = float((gaps.abs() * shares).sum())

    def is_(wrong: torch.Tensor) -> bool:
        return abs(error - float(wrong)) < 1e-4 and abs(error - answer) > 1e-4

    case = f"With {len(confidence)} predictions in {num_groups} groups you returned {error:.3f}."
    expect(
        not math.isnan(error),
        f"{case} An empty group has no mean: leave groups without predictions out.",
    )
    expect(
        not is_((confidence - right.float()).abs().mean()),
        f"{case} You compare single predictions, which are right or wrong, with a probability. "
        "Take the means within each group first, then their gap.",
    )
    expect(
        not is_(gaps.abs().mean()),
        f"{case} You give all groups the same weight. Weight each gap by the group's share of "
        "the predictions.",
    )
    expect(
        not is_((gaps * shares).sum()) and not is_(-(gaps * shares).sum()),
        f"{case} Gaps of opposite sign cancel out: take the absolute gap of each group.",
    )
    expect(
        abs(error - answer) < 1e-4,
        f"{case} It should be {answer:.3f}. Is a confidence of exactly 1 in the last group?",
    )

"""Checkers of chapter 13, how many bins."""

import math
from collections.abc import Callable, Sequence

import torch

from pixelar_lib.exercises.checker import checker, expect
from pixelar_lib.quantization import quantize

LEVELS = torch.arange(256, dtype=torch.uint8)
STRENGTH = 16  # earlier pixels that the training images weigh as much as


@checker
def check_levels(levels_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> str:
    """Check a function that turns a prediction of tokens into one of levels.

    Args:
        levels_of: Takes the probabilities of the K tokens, float (K,), and how often each level
            occurs, long (256,), to be counted once more; returns those of the levels, (256,).
    """
    counts = torch.arange(256) % 7 * 40  # some levels never occur
    for num_bins in (16, 3):
        tokens = torch.linspace(1, 2, num_bins, dtype=torch.float64).softmax(dim=0)
        found = torch.as_tensor(levels_of(tokens.clone(), counts.clone())).double()
        bins = quantize(LEVELS, num_bins)
        weights = (counts + 1).double()
        right = tokens[bins] * weights / _of_bins(weights, bins, num_bins)[bins]
        where = f"For K = {num_bins}"
        expect(
            found.shape == (256,),
            f"{where} you return {tuple(found.shape)}. Each of the 256 levels has a probability.",
        )
        expect(
            bool((found > 0).all()),
            f"{where} a level that was never seen is impossible. Count each once more.",
        )
        sizes = bins.bincount(minlength=num_bins)
        expect(
            not torch.allclose(found, tokens[bins] / sizes[bins], rtol=1e-4),
            f"{where} the levels of a bin are all alike. They should share its probability as "
            "they share its counts.",
        )
        expect(
            abs(float(found.sum()) - 1) < 1e-4,
            f"{where} your probabilities sum to {float(found.sum()):.3f}. In each bin they sum to "
            "its token's if you divide by the counts of that bin, not by all.",
        )
        expect(
            torch.allclose(found, right, rtol=1e-3),
            f"{where} the sum is 1, but some levels are off. Which token has each level?",
        )
    return "Sixteen numbers have become 256, and the levels of each bin share what its token had."


@checker
def check_price_of_bins(
    price_of_bins: Callable[[torch.Tensor, Sequence[int]], tuple[float, float]],
) -> str:
    """Check a function that says what any bins leave to the token, and what to the shade.

    Args:
        price_of_bins: Takes how often each level occurs, long (256,), and the first level of each
            bin, the first being 0; returns two entropies in bits: that of the tokens, and the
            mean of those of the levels inside a bin, each bin counted as often as it occurs.
    """
    counts = (torch.arange(256) * 37 % 11) ** 3  # some levels never occur
    counts[0] = counts.sum()
    for starts in ([0, 128], [0, 1, 200, 255]):
        token, shade = (float(bits) for bits in price_of_bins(counts.clone(), list(starts)))
        bins = torch.bucketize(LEVELS.int(), torch.tensor(starts[1:]), right=True)
        of_bins = _of_bins(counts.double(), bins, len(starts))
        of_tokens = _entropy(of_bins)
        inside = [_entropy(counts[bins == number].double()) for number in range(len(starts))]
        shares = (of_bins / of_bins.sum()).tolist()
        right = sum(share * bits for share, bits in zip(shares, inside, strict=True))
        where = f"For the bins that begin at {starts}"
        expect(
            math.isfinite(token + shade),
            f"{where} you return something that is no number. A share of 0 has no logarithm; "
            "`torch.special.entr(p)` is 0 there.",
        )
        expect(
            not math.isclose(token, of_tokens * math.log(2), rel_tol=1e-3),
            f"{where} the tokens cost {token:.3f}, which is right in nats. A bit is log 2 nats.",
        )
        expect(
            math.isclose(token, of_tokens, rel_tol=1e-3),
            f"{where} your tokens cost {token:.3f} bits. A bin holds all levels from its first to "
            "the one before the next bin's first.",
        )
        expect(
            not math.isclose(shade, sum(inside) / len(inside), rel_tol=1e-3),
            f"{where} each bin counts the same in your mean. Weigh it with the share of the "
            "pixels that are in it.",
        )
        expect(
            math.isclose(shade, right, rel_tol=1e-3),
            f"{where} your shades cost {shade:.3f} bits. Inside a bin, the shares sum to 1.",
        )
    return "Whatever the bins, both together are the entropy of the levels."


@checker
def check_learning_shade(
    learning_shade: Callable[[int, Sequence[int], torch.Tensor], float],
) -> str:
    """Check a function that predicts a shade from the levels that an image has shown so far.

    Args:
        learning_shade: Takes a level, the levels of the earlier pixels, and the share that each
            level has of its bin, float (256,), at K = 16; returns the level's probability inside
            its bin, where the shares weigh as much as 16 earlier pixels of that bin.
    """
    shares = torch.linspace(1, 3, 256, dtype=torch.float64).view(16, 16)
    shares = (shares / shares.sum(dim=1, keepdim=True)).flatten()
    earlier = [0] * 40 + [253] * 9 + [252, 255, 255, 130, 127, 144, 0]
    for seen in ([], earlier):
        for level in (253, 254, 130, 129, 0):
            found = float(learning_shade(level, list(seen), shares.clone()))
            here = sum(one // 16 == level // 16 for one in seen)
            share = float(shares[level])
            right = (seen.count(level) + STRENGTH * share) / (here + STRENGTH)
            where = f"For level {level} after {len(seen)} pixels"
            expect(
                found > 0,
                f"{where} the probability is 0. What this image has not shown may still come: add "
                f"{STRENGTH} times the share.",
            )
            over_all = (seen.count(level) + STRENGTH * share) / (len(seen) + STRENGTH)
            expect(
                here == len(seen) or not math.isclose(found, over_all, rel_tol=1e-6),
                f"{where} you divide by the number of all earlier pixels. The bin is known, so "
                "only those in it count.",
            )
            expect(
                not seen or not math.isclose(found, share, rel_tol=1e-6),
                f"{where} you return the share. What this image has shown should count, too.",
            )
            expect(
                math.isclose(found, right, rel_tol=1e-4),
                f"{where} you found {found:.4f}. In a bin, the probabilities sum to 1.",
            )
    return "It begins with what all images have in common, and learns what is special in this one."


def _of_bins(weights: torch.Tensor, bins: torch.Tensor, num_bins: int) -> torch.Tensor:
    return torch.zeros(num_bins, dtype=weights.dtype).index_add_(0, bins, weights)


def _entropy(counts: torch.Tensor) -> float:
    """Return the entropy in bits of how often things occur."""
    return float(torch.special.entr(counts / counts.sum()).sum()) / math.log(2)

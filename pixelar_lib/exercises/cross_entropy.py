"""Checkers of chapter 5, Cross-entropy."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from pixelar_lib.exercises.checker import checker, expect


def _close(value: float, right: float) -> bool:
    return math.isclose(value, right, rel_tol=1e-4, abs_tol=1e-6)


@checker
def check_units(convert: Callable[[float, int], tuple[float, float]]) -> str:
    """Check a function from nats/image and pixels to bits/dim and perplexity.

    Args:
        convert: Takes the nats of an image and its number of pixels; returns two numbers.
    """
    for nats, pixels in ((401.3, 784), (4 * math.log(16), 4), (30.0, 9)):
        bits, perplexity = (float(value) for value in convert(nats, pixels))
        per_pixel = nats / pixels
        case = f"For {nats:.1f} nats/image and {pixels} pixels"
        expect(not _close(bits, nats / math.log(2)), f"{case} you return bits/image: divide.")
        expect(
            not _close(bits, per_pixel * math.log(2)),
            f"{case} you multiplied by log 2. A nat is more than a bit, so divide by log 2.",
        )
        expect(
            not _close(bits, per_pixel),
            f"{case} your first number is nats/pixel. Divide by log 2 to get bits/dim.",
        )
        expect(
            _close(bits, per_pixel / math.log(2)),
            f"{case} you say {bits:.4f} bits/dim. Divide by the pixels, then by log 2.",
        )
        expect(
            not _close(perplexity, 2**per_pixel),
            f"{case} you raised 2 to the nats. Nats go with exp; 2 would go with bits.",
        )
        expect(
            _close(perplexity, math.exp(per_pixel)),
            f"{case} the perplexity is not {perplexity:.4f}. It undoes the logarithm: exp of "
            "the nats of one pixel.",
        )
    bits, perplexity = convert(80.0, 784)
    return (
        "Bits/dim = nats/pixel / log 2, perplexity = exp(nats/pixel). The 80 nats are "
        f"{float(bits):.3f} bits/dim, a perplexity of {float(perplexity):.2f}."
    )


@checker
def check_cross_entropy(
    cross_entropy: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> str:
    """Check a function from logits and true tokens to the mean cross-entropy in nats.

    Args:
        cross_entropy: Takes float32 logits (N, K) and long targets (N,), returns one number.
    """
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0], [0.0, -4.0, 1.0], [1.0, 2.0, 0.0]])
    targets = torch.tensor([0, 1, 2, 1])
    loss, right = float(cross_entropy(logits, targets)), float(F.cross_entropy(logits, targets))
    expect(
        not _close(loss, -right),
        "The size is right, the sign is not: a probability below 1 has a negative logarithm.",
    )
    expect(
        not _close(loss, 4 * right),
        "That is the sum over the pixels. The loss is their mean, or it would grow with the batch.",
    )
    expect(
        not _close(loss, right / math.log(2)), "That is in bits. Use the natural logarithm: nats."
    )
    expect(
        _close(loss, right),
        f"On four pixels with small logits the loss is {right:.4f}, but you get {loss:.4f}. Is "
        "the softmax taken over the tokens (dim=1), and the true token picked in each row?",
    )
    large = torch.tensor([[1000.0, 0.0], [0.0, 1000.0], [-1000.0, -1000.0]])
    for row, token in ((0, 0), (0, 1), (1, 1), (2, 0)):
        one, truth = large[row : row + 1], torch.tensor([token])
        loss, right = float(cross_entropy(one, truth)), float(F.cross_entropy(one, truth))
        expect(
            math.isfinite(loss),
            f"For the logits {one[0].tolist()} and token {token} you get {loss}. An exponential "
            "overflows, or a probability becomes 0 before its logarithm is taken.",
        )
        expect(
            _close(loss, right),
            f"For the logits {one[0].tolist()} and token {token} the loss is {right:.4f}, but you "
            f"get {loss:.4f}. Do not cut off large numbers; subtract the largest logit.",
        )
    return "Equal to PyTorch's, for small logits and for a thousand."


@checker
def check_best_constant(best_constant: Callable[[torch.Tensor], torch.Tensor]) -> str:
    """Check a function from counts to the probabilities with the smallest cross-entropy.

    Args:
        best_constant: Takes float counts (K,), all above 0; returns K probabilities.
    """
    for counts in ([6.0, 2.0, 1.0, 1.0], [1.0, 3.0], [5.0, 5.0, 90.0]):
        n = torch.tensor(counts)
        belief = torch.as_tensor(best_constant(n.clone())).double()
        expect(belief.shape == n.shape, f"For {len(n)} counts return {len(n)} probabilities.")
        expect(
            abs(float(belief.sum()) - 1) < 1e-4,
            f"Your numbers add up to {float(belief.sum()):.4f}. Probabilities add up to 1.",
        )
        expect(
            bool((belief > 0).all()),
            f"For the counts {counts} you call a token impossible that does occur: its surprise "
            "is infinite. The likeliest token alone is not the best belief.",
        )
        expect(
            not torch.allclose(belief, torch.full_like(belief, 1 / len(n))),
            "Every token gets the same: the belief of someone who has not looked at the counts.",
        )
        expect(
            not torch.allclose(belief, n.double().softmax(dim=0)),
            "Counts are no logits: softmax makes far too much of the largest one.",
        )
        loss, best = (float(-(n * q.log()).sum() / n.sum()) for q in (belief, n / n.sum()))
        expect(
            loss < best + 1e-5,
            f"For the counts {counts} your belief costs {loss:.4f} nats per pixel; {best:.4f} is "
            "possible. At the minimum, n_L / q_L is the same for all tokens.",
        )
    return "The best constant belief is the frequencies, and what it costs is their entropy."


@checker
def check_best_guesses(best_guesses: Callable[[torch.Tensor], tuple[float, float]]) -> str:
    """Check a function from tokens to the guess of smallest squared error and the likeliest one.

    Args:
        best_guesses: Takes long tokens (N,); returns two numbers.
    """
    for tokens in ([0, 0, 0, 5, 9, 15, 15], [0, 15, 15, 15, 9, 1], [2, 3, 3, 12]):
        values = torch.tensor(tokens)
        mean, mode = float(values.double().mean()), int(torch.bincount(values).argmax())
        squares, often = (float(guess) for guess in best_guesses(values.clone()))
        expect(
            not _close(squares, float(values.median())) or mode == int(values.median()),
            f"For {tokens} your first guess is the median. It minimises the absolute error; the "
            "squared error is smaller elsewhere: set its derivative to zero.",
        )
        expect(
            not _close(squares, mode) or _close(mean, mode),
            f"For {tokens} your first guess is the most common token. The squared error is "
            "smaller elsewhere: set its derivative to zero.",
        )
        expect(
            not _close(squares, round(mean)) or _close(mean, round(mean)),
            f"For {tokens} your first guess is rounded. It need not be a whole number.",
        )
        expect(
            _close(squares, mean),
            f"For {tokens} the squared error is smallest at {mean:.2f}, but you say {squares:.2f}. "
            "Set its derivative to zero.",
        )
        expect(
            not _close(often, mean),
            f"For {tokens} the mean {mean:.2f} is never right: no such token occurs.",
        )
        expect(
            _close(often, mode),
            f"For {tokens} the most frequent token is {mode}, not {often:g}. Count them.",
        )
    return "The mean for the squared error, the most common token for hits: seldom the same grey."

"""Checkers of chapter 12, codes."""

import math
from collections.abc import Callable, Sequence

import torch

from pixelar_lib.exercises.checker import checker, expect


@checker
def check_nearest(nearest: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> str:
    """Check a function that finds the nearest code of each vector.

    Args:
        nearest: Takes vectors, float (P, d), and a codebook, float (K, d); returns long (P,).
    """
    generator = torch.Generator("cpu").manual_seed(0)
    # Far from the origin, and of very different lengths, so that products mislead.
    codebook = 3 + torch.randn(6, 4, generator=generator) * torch.arange(1, 7)[:, None]
    vectors = codebook[[5, 0, 3, 3, 1, 2, 4]] + 0.1 * torch.randn(7, 4, generator=generator)
    found = torch.as_tensor(nearest(vectors, codebook))
    distances = torch.cdist(vectors, codebook)
    expect(
        found.shape == (7,),
        f"The shape is {tuple(found.shape)} for 7 vectors and 6 codes, not (7,): the number of a "
        "code for each vector.",
    )
    expect(not found.is_floating_point(), "A code is a whole number: the row of the codebook.")
    expect(
        not torch.equal(found, distances.argmax(dim=1)),
        "These are the codes that are farthest away.",
    )
    expect(
        not torch.equal(found, (vectors @ codebook.t()).argmax(dim=1)),
        "The code with the largest product is not the nearest one: a long code has large products "
        "with everything. Take its own length into account.",
    )
    expect(
        torch.equal(found, distances.argmin(dim=1)),
        "Some vectors have a code that is nearer. Is it the sum of squared differences, over the "
        "numbers of a vector?",
    )
    return "The nearest code of each vector, as the library's codebook finds it."


@checker
def check_perplexity(perplexity: Callable[[torch.Tensor, int], float]) -> str:
    """Check a function that computes the perplexity of codes.

    Args:
        perplexity: Takes codes, long of any shape, and how many codes there are; returns exp of
            the entropy of their frequencies.
    """
    for name, codes, number in (
        ("codes that are all used equally", torch.arange(8).repeat(3).view(4, 6), 8),
        ("a single code", torch.full((5, 3), 2), 4),
        ("a few codes of many", torch.tensor([0, 0, 0, 0, 3, 3, 6, 7]), 16),
    ):
        shares = codes.flatten().bincount(minlength=number) / codes.numel()
        entropy = float(torch.special.entr(shares).sum())
        _expect_perplexity(float(perplexity(codes, number)), entropy, shares, name)
    return "As many codes as would do, if all were used equally."


def _expect_perplexity(found: float, entropy: float, shares: torch.Tensor, name: str) -> None:
    """Look for the usual mistakes in the perplexity of codes with these shares."""
    right, used = math.exp(entropy), int((shares > 0).sum())
    expect(
        not math.isnan(found),
        f"For {name} the result is not a number. A code that never occurs has a share of 0, and "
        "0 · log 0 counts as 0.",
    )
    for wrong, hint in (
        (entropy, "the result is the entropy. Take exp of it."),
        (-entropy, "the result is minus the entropy."),
        (math.exp(-entropy), "a sign is lost: the entropy is -Σ p log p."),
        (2**entropy, "a nat is no bit: exp goes with log, 2 to the power with log2."),
        (math.exp(entropy / math.log(2)), "a bit is no nat: exp goes with log."),
        (used, "you count the codes that occur. How often each occurs matters, too."),
    ):
        expect(
            math.isclose(wrong, right, rel_tol=1e-4)
            or not math.isclose(found, wrong, rel_tol=1e-4, abs_tol=1e-6),
            f"For {name} {hint}",
        )
    expect(
        math.isclose(found, right, rel_tol=1e-4),
        f"For {name} the perplexity is {right:.3f}, not {found:.3f}. Shares are of all codes "
        "together, whatever picture they are from.",
    )


@checker
def check_finite_scalars(
    finite_scalars: Callable[[torch.Tensor, Sequence[int]], tuple[torch.Tensor, torch.Tensor]],
) -> str:
    """Check a function that quantizes without a codebook (finite scalar quantization).

    Args:
        finite_scalars: Takes vectors, float (P, d), and d odd numbers of levels; returns the
            rounded vectors, (P, d), and a token for each, long (P,).
    """
    levels = (3, 5, 7)
    half = torch.tensor([1.0, 2.0, 3.0])
    grid = torch.cartesian_prod(*(torch.arange(-h, h + 1) for h in half.tolist()))
    inside = (grid + 0.3 * torch.tensor([0.5, -1, 1])).clamp(-0.95 * half, 0.95 * half)
    z = torch.atanh(inside / half).requires_grad_()
    rounded, tokens = finite_scalars(z, levels)
    rounded, tokens = torch.as_tensor(rounded), torch.as_tensor(tokens)
    _expect_rounded(rounded, z, half)
    _expect_gradient(rounded, z, half)
    _expect_tokens(tokens, len(grid))
    return "No codebook, nothing to look up, and no code that could die."


def _expect_rounded(rounded: torch.Tensor, z: torch.Tensor, half: torch.Tensor) -> None:
    expect(rounded.shape == z.shape, f"The vectors have the shape {tuple(rounded.shape)}.")
    expect(
        bool((rounded.abs() <= half + 1e-3).all()),
        "Some numbers lie outside their levels. Squeeze them with tanh before you round, and "
        "stretch them to (L - 1) / 2.",
    )
    expect(
        torch.allclose(rounded, rounded.round(), atol=1e-4),
        "The vectors that you return are not whole numbers.",
    )
    right = (half * z.tanh()).round()
    expect(
        torch.allclose(rounded, right, atol=1e-4),
        "The levels are not those of tanh, times (L - 1) / 2, rounded. Stretch first, then round.",
    )


def _expect_gradient(rounded: torch.Tensor, z: torch.Tensor, half: torch.Tensor) -> None:
    lost = "Nothing comes back to z: rounding is flat, so its gradient is 0. Go straight through."
    expect(rounded.requires_grad, lost)
    (found,) = torch.autograd.grad(rounded.sum(), z, allow_unused=True)
    expect(found is not None and bool((found != 0).any()), lost)
    right = half * (1 - z.tanh().detach() ** 2)
    expect(
        torch.allclose(found, right, atol=1e-3),
        "The gradient is not that of the numbers just before the rounding, of tanh times "
        "(L - 1) / 2. Is only the rounding skipped on the way back?",
    )


def _expect_tokens(tokens: torch.Tensor, number: int) -> None:
    expect(
        tokens.shape == (number,) and not tokens.is_floating_point(),
        f"There is one token for each vector, a whole number (.long()); yours have the shape "
        f"{tuple(tokens.shape)} and the type {tokens.dtype}.",
    )
    expect(
        int(tokens.min()) >= 0,
        "Some tokens are below 0. Add (L - 1) / 2, so that the levels count from 0.",
    )
    different = len(tokens.unique())
    expect(
        different == number,
        f"{number} different vectors have {different} different tokens. Count as on a clock, where "
        "each hand has its own number of marks: a step of the next hand is a whole round of all "
        "before it.",
    )
    expect(
        int(tokens.max()) < number,
        f"There are {number} tokens, 0 to {number - 1}, and yours go up to {int(tokens.max())}.",
    )

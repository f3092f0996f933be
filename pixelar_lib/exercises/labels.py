"""Checkers of chapter 9, labels."""

import math
from collections.abc import Callable

import torch

from pixelar_lib.classification import marginal_nll, posterior
from pixelar_lib.exercises.checker import checker, expect


def _costs(*shape: int) -> torch.Tensor:
    """Return random costs of images, in nats: about as large as those of real digits."""
    generator = torch.Generator().manual_seed(9)
    return 200 + 3 * torch.randn(shape, generator=generator, dtype=torch.float64)


def _close(found: torch.Tensor, right: torch.Tensor) -> bool:
    return found.shape == right.shape and torch.allclose(found, right, atol=1e-4)


@checker
def check_posterior(posterior_of: Callable[[torch.Tensor], torch.Tensor]) -> str:
    """Check a function that turns the costs of one image into probabilities of its labels.

    Args:
        posterior_of: Takes float (L,), nats under each label; returns (L,), all labels being
            equally frequent.
    """
    small = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    found = torch.as_tensor(posterior_of(small)).double()
    expect(found.shape == (3,), f"Three costs must give three numbers, not a {tuple(found.shape)}.")
    expect(
        not _close(found, small.softmax(dim=0)),
        "The label under which the image costs least must be the likeliest one. Mind the sign: a "
        "cost is minus a log-probability.",
    )
    expect(
        math.isclose(float(found.sum()), 1, abs_tol=1e-4),
        f"The probabilities of all labels must sum to 1; yours sum to {float(found.sum()):.3f}.",
    )
    expect(
        _close(found, posterior(small[None])[0]),
        "The numbers sum to 1, but they are not in proportion to exp(-cost).",
    )
    large = small + 2000
    found = torch.as_tensor(posterior_of(large)).double()
    expect(
        bool(found.isfinite().all()) and _close(found, posterior(large[None])[0]),
        "With costs of 2000 nats, exp(-cost) is 0 in a computer, and 0 / 0 is no probability. "
        "Only differences between costs matter: subtract the smallest one first.",
    )
    return "Bayes' rule, and it holds for images that cost thousands of nats."


@checker
def check_worth(worth: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> str:
    """Check a function that returns what the label saves on each image.

    Args:
        worth: Takes costs, float (N, L), and labels, long (N,); returns (N,), nats.
    """
    costs, labels = _costs(6, 10), torch.arange(6)
    own = costs[torch.arange(6), labels]
    right = marginal_nll(costs) - own
    found = torch.as_tensor(worth(costs, labels)).double()
    expect(found.shape == (6,), f"Six images must give six numbers, not {tuple(found.shape)}.")
    expect(
        not _close(found, -right),
        "The sign is the wrong way round: worth is the cost without the label minus the cost "
        "with it.",
    )
    expect(
        not _close(found, costs.mean(dim=1) - own),
        "You averaged the costs. It is the probabilities that are averaged: exp(-cost), and then "
        "the logarithm.",
    )
    expect(
        not _close(found, right - math.log(10)),
        "The sum of the ten probabilities is not their average: each label has a weight of 1/10.",
    )
    expect(
        _close(found, right),
        "Not what the label saves. An image costs -log of the average of exp(-cost) for one who "
        "does not know its label.",
    )
    return "And log 10 is the most that any image can give, however good or bad the model is."


@checker
def check_rows_until_sure(rows_until_sure: Callable[[torch.Tensor], int]) -> str:
    """Check a function that counts the rows after which a label is almost certain.

    Args:
        rows_until_sure: Takes float (L, H, W), what each pixel costs under each label; returns
            the smallest number of rows after which some label has a probability above 0.99, or H
            if none has.
    """
    for row in (0, 2, 5):
        costs = torch.ones(4, 6, 5, dtype=torch.float64)
        costs[:3, row, 1:4] += 2.0  # from this row on, the last label is 6 nats cheaper
        found = int(rows_until_sure(costs))
        case = f"Where row {row} alone tells the labels apart"
        expect(found != row, f"{case}, you count {found}. That row must be read to its end, too.")
        expect(found == row + 1, f"{case}, the answer is {row + 1}, not {found}.")
    spread = torch.ones(2, 8, 5, dtype=torch.float64)
    spread[0] += 0.3  # 1.5 nats a row
    found = int(rows_until_sure(spread))
    expect(
        found == 4,
        "Where each row tells 1.5 nats, it takes four of them (6 nats, 0.9975) to pass 0.99; you "
        f"count {found}. Add up the costs of all rows so far.",
    )
    expect(
        int(rows_until_sure(torch.ones(3, 7, 5))) == 7,
        "Where nothing tells the labels apart, return the number of all rows.",
    )
    return "The label shows while the digit grows, row by row."

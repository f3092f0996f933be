"""Checkers of chapter 11, attention."""

from collections.abc import Callable

import torch

from pixelar_lib.exercises.checker import checker, expect

PLACES, SIZE = 6, 4  # of the small examples


def _some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator("cpu").manual_seed(seed))


def _shares(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Return the shares of causal attention, (P, P)."""
    scores = query @ key.t() / query.shape[1] ** 0.5
    later = torch.ones(len(query), len(key), dtype=torch.bool).triu(1)
    return scores.masked_fill(later, -torch.inf).softmax(dim=1)


@checker
def check_shares(shares: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> str:
    """Check a function that computes the shares of causal attention.

    Args:
        shares: Takes queries and keys, float (P, d); returns (P, P), rows of the place that asks.
    """
    query, key = 3 * _some(PLACES, SIZE), _some(PLACES, SIZE, seed=1)
    found, right = torch.as_tensor(shares(query, key)).float(), _shares(query, key)
    expect(found.shape == right.shape, f"The shape is {tuple(found.shape)}, not (6, 6).")
    expect(
        not found.isnan().any(),
        "There is a NaN. Does the first place see nothing at all? It may see itself.",
    )
    expect(
        not (found.triu(1) > 1e-6).any(),
        "Some places look at later ones. Set their scores to minus infinity before the softmax.",
    )
    expect(
        bool((found.diagonal() > 0).all()),
        "A place does not look at itself. It may: what it holds is the pixel before.",
    )
    expect(
        torch.allclose(found.sum(dim=1), torch.ones(PLACES), atol=1e-4),
        "The shares of a place do not sum to 1. Take the softmax over the places asked, "
        "and after the mask, not before it.",
    )
    unscaled = _shares(query * SIZE**0.5, key)
    expect(
        not torch.allclose(found, unscaled, atol=1e-4),
        "Divide the scores by the square root of d. Long vectors have large products, and the "
        "softmax would put nearly everything on one place.",
    )
    expect(
        torch.allclose(found, right, atol=1e-4),
        "The shares are not those of q · k / √d. Which of the two asks? Rows belong to queries.",
    )
    return "Products, the mask, the softmax: each place looks at itself and at what came before."


@checker
def check_step(step: Callable) -> str:
    """Check a function that adds a place to a cache and returns its answer.

    Args:
        step: Takes a cache (a dictionary, empty at first), and query, key and value of the next
            place, float (d,); returns the mean of all values so far by the shares, (d,).
    """
    for picture, seed in (("first", 0), ("second", 3)):  # one after the other
        query, key, value = (_some(PLACES, SIZE, seed=seed + part) for part in range(3))
        right, cache = _shares(query, key) @ value, {}
        for place in range(PLACES):
            found = torch.as_tensor(step(cache, query[place], key[place], value[place])).float()
            _expect_answer(found, query, key, value, place)
            expect(
                torch.allclose(found, right[place], atol=1e-4),
                f"At place {place} of the {picture} picture the answer is not that of causal "
                "attention. Keep everything in the dictionary that you are given, and nothing "
                "elsewhere: a new picture comes with a new one.",
            )
    return "One key and one value a place, each computed once, and the answers are the same."


def _expect_answer(found, query, key, value, place) -> None:
    """Look for the usual mistakes in the answer of a place."""
    case = f"At place {place} of a picture"
    expect(found.shape == (SIZE,), f"{case} the answer has the shape {tuple(found.shape)}.")
    if place == 0:
        return
    scores = key[: place + 1] @ query[place]
    alone, unscaled = value[place], scores.softmax(dim=0) @ value[: place + 1]
    others = (scores[:-1] / SIZE**0.5).softmax(dim=0) @ value[:place]
    for wrong, hint in (
        (alone, "the answer is the value of that place alone. Keep what came before."),
        (others, "its own key and value are missing. Write them first, then ask."),
        (unscaled, "the scores are not divided by the square root of d."),
    ):
        expect(not torch.allclose(found, wrong, atol=1e-5), f"{case} {hint}")


@checker
def check_cost(cost: Callable[[int, int], tuple[int, int]]) -> str:
    """Check a function that counts the multiplications of causal attention.

    Args:
        cost: Takes the number of places P and of channels C; returns a pair: the multiplications
            in the matrices that make queries, keys, values and the answer, and those between
            places, for the products of queries and keys and for the means of values.
    """
    for places, channels in ((1, 1), (2, 8), (49, 16), (784, 48)):
        matrices, between = (int(number) for number in cost(places, channels))
        case = f"For {places} places and {channels} channels"
        expect(
            matrices != 3 * places * channels**2,
            f"{case} you count three matrices. There is a fourth, which the answers go through.",
        )
        expect(
            matrices == 4 * places * channels**2,
            f"{case} the matrices take {4 * places * channels**2:,} multiplications, not "
            f"{matrices:,}: four of them, each C by C, at every place.",
        )
        right = places * (places + 1) * channels
        expect(
            between != 2 * places**2 * channels or places == 1,
            f"{case} you count pairs that the mask hides. How many places does place p ask?",
        )
        expect(
            2 * between != right,
            f"{case} you count half. Each pair costs a product of query and key, and a share of "
            "a value.",
        )
        expect(
            between == right,
            f"{case} the pairs take {right:,} multiplications, not {between:,}. Place p asks "
            "p places, counted from 1, and each pair costs C twice.",
        )
    return "The matrices grow with P, the pairs with its square. At P = 4 C - 1 they cost the same."

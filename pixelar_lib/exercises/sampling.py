"""Checkers of chapter 6, Sampling."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from pixelar_lib.exercises.checker import checker, expect
from pixelar_lib.models import PixelModel
from pixelar_lib.sampling import draw, next_token_distribution

EVEN_STEPS = 1_000  # u at the middle of as many equal steps between 0 and 1


@checker
def check_draw_token(draw_token: Callable[[torch.Tensor, float], int]) -> str:
    """Check a function that draws one token: the first whose cumulative probability exceeds u.

    Args:
        draw_token: Takes probabilities, float (K,), and u from 0 to below 1; returns a token.
    """
    probabilities = torch.tensor([0.125, 0.5, 0.125, 0.25])  # sums without rounding
    evenly = [(step + 0.5) / EVEN_STEPS for step in range(EVEN_STEPS)]
    tokens = [int(draw_token(probabilities, u)) for u in evenly]
    expect(
        len(set(tokens)) > 1,
        f"You return {tokens[0]} whatever u is. The likeliest token should come often, but not "
        "always.",
    )
    expect(
        set(tokens) <= set(range(4)),
        f"With four tokens you return {min(tokens)} to {max(tokens)}; tokens run from 0 to 3.",
    )
    counts = [tokens.count(token) for token in range(4)]
    expect(
        counts == [125, 500, 125, 250],
        f"Over 1,000 evenly spread u, tokens 0 to 3 should come 125, 500, 125 and 250 times; "
        f"yours come {counts} times. Add up the probabilities from token 0 on.",
    )
    right = draw(probabilities.expand(EVEN_STEPS, -1), torch.tensor(evenly)).tolist()
    expect(
        tokens == right,
        f"Each token comes as often as it should, but u = 0.01 must give token 0, and you give "
        f"{tokens[10]}. Add up in the order of the tokens, so that all agree on what u means.",
    )
    expect(
        int(draw_token(torch.tensor([0.0, 0.5, 0.5]), 0.0)) == 1,
        "With probabilities 0, 0.5, 0.5 and u = 0 you return an impossible token. The cumulative "
        "probability must exceed u: > and not >=.",
    )
    return "Each token owns a piece of the line as long as its probability."


@checker
def check_at_temperature(
    at_temperature: Callable[[torch.Tensor, float], torch.Tensor],
) -> str:
    """Check a function that applies a temperature to probabilities instead of logits.

    Args:
        at_temperature: Takes probabilities, float (K,), and a temperature above 0; returns
            the distribution at that temperature, float (K,).
    """
    probabilities = torch.tensor([0.5, 0.25, 0.125, 0.125])
    for temperature in (1.0, 0.5, 2.0, 0.2):
        yours = torch.as_tensor(at_temperature(probabilities, temperature))
        right = next_token_distribution(probabilities.log(), temperature)
        upside_down = next_token_distribution(probabilities.log(), 1 / temperature)
        total = float(yours.sum())
        expect(
            abs(total - 1) < 1e-3,
            f"At temperature {temperature} your probabilities add up to {total:.3f}. Divide by "
            "their sum.",
        )
        expect(
            temperature == 1 or not torch.allclose(yours, probabilities, atol=1e-3),
            "You return what came in, whatever the temperature. Dividing all probabilities by "
            "the same number and normalising changes nothing: it is the logits that are divided.",
        )
        expect(
            temperature == 1 or not torch.allclose(yours, upside_down, atol=1e-3),
            f"At temperature {temperature} you give what belongs to {1 / temperature:g}: below 1 "
            "the likely tokens must become likelier.",
        )
        expect(
            torch.allclose(yours, right, atol=1e-3),
            f"At temperature {temperature} the first token should have {float(right[0]):.3f}, but "
            f"you give {float(yours[0]):.3f}. log p can serve as logits: softmax brings p back.",
        )
    certain = at_temperature(torch.tensor([0.0, 1.0]), 2.0)
    expect(
        float(certain[1]) == 1,
        "A token that is certain must stay certain, and one of probability 0 must stay at 0.",
    )
    return "Temperature is a power: p to the 1/temperature, divided by the sum."


@checker
def check_entropy_slope(entropy_slope: Callable[[torch.Tensor, float], float]) -> str:
    """Check a function for how fast the entropy grows with the temperature.

    Args:
        entropy_slope: Takes logits, float64 (K,), and a temperature above 0; returns the
            derivative of the entropy in nats by the temperature.
    """
    logits = torch.tensor([2.0, 0.0, -1.0, 0.5], dtype=torch.float64)
    for temperature in (1.0, 0.5, 3.0):
        yours = float(entropy_slope(logits, temperature))
        probabilities = next_token_distribution(logits, temperature)
        mean = (probabilities * logits).sum()
        variance = float((probabilities * (logits - mean).square()).sum())
        right = variance / temperature**3
        expect(yours > 0, "Entropy grows with temperature, so the slope must be above 0.")
        for wrong in (float(logits.var()), float(logits.var(correction=0))):
            expect(
                not _near(yours * temperature**3, wrong),
                "You count all logits alike in the variance. Weigh them with the probabilities "
                "at this temperature.",
            )
        for power in (0, 1, 2):
            expect(
                temperature == 1 or not _near(yours * temperature**power, variance),
                f"The variance is right, but you divide it by the temperature to the power "
                f"{power}. One factor is 1/temperature itself; its derivative brings two more.",
            )
        expect(
            _near(yours, right),
            f"At temperature {temperature} the slope is {right:.4f}, but you say {yours:.4f}. "
            "Compare with the entropy a little above and a little below.",
        )
    return "The slope is the variance of the logits over temperature cubed: never negative."


@checker
def check_nucleus(nucleus: Callable[[torch.Tensor, float], torch.Tensor]) -> str:
    """Check a function that keeps the fewest likeliest tokens with probability p together.

    Args:
        nucleus: Takes probabilities, float (K,), and p above 0 to 1; returns the new
            distribution, float (K,), in the order of the tokens.
    """
    probabilities = torch.tensor([0.05, 0.4, 0.1, 0.3, 0.15])
    for p in (0.5, 0.3, 0.8, 1.0):
        yours = torch.as_tensor(nucleus(probabilities.clone(), p))
        right = next_token_distribution(probabilities.log(), top_p=p)
        expect(
            len(yours) == len(right),
            f"You return {len(yours)} numbers for 5 tokens. What is left out gets probability 0 "
            "and keeps its place.",
        )
        expect(
            not torch.allclose(yours, right.sort(descending=True).values, atol=1e-3),
            "The numbers are right, but in sorted order. Put each back in the place of its token.",
        )
        together = float(probabilities[yours > 0].sum())
        expect(
            together > p - 1e-3,
            f"For p = {p} your tokens have only {together:.2f} together. The token with which the "
            "sum reaches p belongs to the nucleus.",
        )
        total = float(yours.sum())
        expect(
            abs(total - 1) < 1e-3,
            f"For p = {p} your probabilities add up to {total:.2f}. Divide by the sum of what is "
            "left.",
        )
        expect(
            torch.allclose(yours, right, atol=1e-3),
            f"For p = {p} you keep {int((yours > 0).sum())} tokens, where {int((right > 0).sum())} "
            "are enough, or not the likeliest. Go from the likeliest down, and stop once p is "
            "reached.",
        )
    return "You keep as few tokens as reach p, and never fewer than one."


@checker
def check_completion(
    complete: Callable[[PixelModel, torch.Tensor, int], torch.Tensor],
) -> str:
    """Check a function that keeps the first rows of a digit and draws the rest four times.

    The model that it is tried on copies the pixel above, so a right completion continues
    every column of the last known row straight down.

    Args:
        complete: Takes a model, the tokens of a digit, long (28, 28), and a number of rows;
            returns long (4, 28, 28).
    """
    tokens = torch.arange(28 * 28).view(28, 28) * 7 % 16
    for rows in (14, 5):
        yours = complete(_CopiesAbove(16), tokens.clone(), rows)
        expect(
            tuple(yours.shape) == (4, 28, 28),
            f"Return four pictures, shape (4, 28, 28), not {tuple(yours.shape)}.",
        )
        expect(
            not torch.equal(yours[0], tokens),
            "You return the digit itself: nothing was drawn. Set known to -1 where to draw.",
        )
        expect(
            not bool((yours[:, rows:] == 0).all()),
            "All you drew is 0. In known, 0 is paper, a token like any other; -1 marks what to "
            "draw.",
        )
        straight_down = tokens[rows - 1].expand(28 - rows, -1)
        expect(
            bool((yours[:, :rows] == tokens[:rows]).all()),
            f"With {rows} rows known, some of them changed. Set known to -1 from row {rows} on, "
            "and leave the rows before it as they are.",
        )
        expect(
            bool((yours[:, rows:] == straight_down).all()),
            "The known rows are there, but the drawn ones do not follow from them: this model "
            "copies the pixel above, and you draw something else. Give the rows to sample as "
            "known; pasting them over a finished picture is too late.",
        )
    return "The known rows stay, and what you draw goes on from them."


class _CopiesAbove(PixelModel):
    """Is all but certain that a pixel equals the one above it; above the picture stand ones."""

    def forward(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        self.check_input(tokens, labels)
        above = F.pad(tokens, (0, 0, 1, 0), value=1)[:, :-1]  # (N, H, W)
        return 100.0 * F.one_hot(above, self.num_bins).movedim(3, 1).float()  # (N, K, H, W)


def _near(value: float, other: float) -> bool:
    return abs(value - other) <= 0.01 * abs(other)

"""The checkers of chapter 6: solutions pass, and each typical mistake gets its own hint."""

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.sampling import (
    check_at_temperature,
    check_completion,
    check_draw_token,
    check_entropy_slope,
    check_nucleus,
)
from pixelar_lib.sampling import draw, next_token_distribution, sample


def cumulative_loop(probabilities, u):
    total = 0.0
    for token, probability in enumerate(probabilities.tolist()):
        total += probability
        if total > u:
            return token


def library_draw(probabilities, u):
    return draw(probabilities[None], torch.tensor([u]))


def from_the_end(probabilities, u):
    return 3 - cumulative_loop(probabilities.flip(0), u)


def reaches(probabilities, u):
    return int((probabilities.cumsum(0) < u).sum())


def power(probabilities, temperature):
    powers = probabilities ** (1 / temperature)
    return powers / powers.sum()


def from_logits(probabilities, temperature):
    return (probabilities.log() / temperature).softmax(0)


def inverted(probabilities, temperature):
    return power(probabilities, 1 / temperature)


def divided(probabilities, temperature):
    return (probabilities / temperature) / (probabilities / temperature).sum()


def smoothed(probabilities, temperature):
    return from_logits(probabilities + 1e-5, temperature)


def variance(logits, temperature):
    p = (logits / temperature).softmax(0)
    return (p * logits.square()).sum() - (p * logits).sum().square()


def slope(logits, temperature):
    return variance(logits, temperature) / temperature**3


def measured_slope(logits, temperature, step=1e-4):
    def entropy(t):
        return torch.special.entr(next_token_distribution(logits, t)).sum()

    return (entropy(temperature + step) - entropy(temperature - step)) / (2 * step)


def nucleus(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    kept = torch.zeros_like(probabilities)
    kept[order] = torch.where(ordered.cumsum(0) - ordered < p, ordered, 0.0)
    return kept / kept.sum()


def nucleus_loop(probabilities, p):
    kept, together = [0.0] * len(probabilities), 0.0
    for token in probabilities.argsort(descending=True).tolist():
        if together < p:
            kept[token] = float(probabilities[token])
            together += kept[token]
    return [probability / together for probability in kept]


def without_the_last(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    kept = torch.zeros_like(probabilities)
    kept[order] = torch.where(ordered.cumsum(0) <= p, ordered, 0.0)
    return kept / kept.sum()


def one_too_many(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    kept = torch.zeros_like(probabilities)
    before = ordered.cumsum(0) - ordered
    kept[order] = torch.where(before - before.diff(prepend=before[:1]) < p, ordered, 0.0)
    return kept / kept.sum()


def complete(model, tokens, rows):
    known = tokens.clone()
    known[rows:] = -1
    return sample(model, 4, known=known)


def complete_by_hand(model, tokens, rows):
    pictures = tokens.repeat(4, 1, 1)
    for row in range(rows, 28):
        for column in range(28):
            logits = model(pictures)[:, :, row, column]
            pictures[:, row, column] = draw(logits.softmax(1), torch.rand(4))
    return pictures


def pasted(model, tokens, rows):
    pictures = sample(model, 4)
    pictures[:, :rows] = tokens[:rows]
    return pictures


def zeros_for_unknown(model, tokens, rows):
    known = tokens.clone()
    known[rows:] = 0
    return sample(model, 4, known=known)


def bottom_kept(model, tokens, rows):
    known = tokens.clone()
    known[:rows] = -1
    return sample(model, 4, known=known)


def raises(*arguments):
    raise RuntimeError("not written yet")


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_draw_token, cumulative_loop),
        (check_draw_token, library_draw),
        (check_at_temperature, power),
        (check_at_temperature, from_logits),
        (check_entropy_slope, slope),
        (check_entropy_slope, measured_slope),
        (check_nucleus, nucleus),
        (check_nucleus, nucleus_loop),
        (check_completion, complete),
        (check_completion, complete_by_hand),
    ],
)
def test_right_answers(check, answer):
    assert_correct(check(answer))


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (check_draw_token, lambda p, u: int(p.argmax()), "whatever u is"),
        (check_draw_token, lambda p, u: cumulative_loop(p, u) + 1, "tokens run from 0 to 3"),
        (check_draw_token, lambda p, u: int(u * len(p)), "yours come"),
        (check_draw_token, from_the_end, "in the order of the tokens"),
        (check_draw_token, reaches, "> and not >="),
        (check_at_temperature, lambda p, t: p, "what came in"),
        (check_at_temperature, divided, "what came in"),
        (check_at_temperature, lambda p, t: p ** (1 / t), "Divide by their sum"),
        (check_at_temperature, inverted, "below 1 the likely tokens"),
        (check_at_temperature, lambda p, t: (p / t).softmax(0), "log p can serve as logits"),
        (check_at_temperature, smoothed, "certain"),
        (check_entropy_slope, lambda z, t: -slope(z, t), "above 0"),
        (check_entropy_slope, lambda z, t: float(z.var()), "count all logits alike"),
        (check_entropy_slope, lambda z, t: z.var() / t**3, "count all logits alike"),
        (check_entropy_slope, lambda z, t: z.var(correction=0) / t**3, "count all logits alike"),
        (check_entropy_slope, lambda z, t: slope(z, t) * t, "to the power 2"),
        (check_entropy_slope, lambda z, t: variance(z, t), "to the power 0"),
        (check_entropy_slope, lambda z, t: 2 * slope(z, t), "a little above"),
        (check_nucleus, lambda probabilities, p: nucleus(probabilities, p)[:2], "keeps its place"),
        (check_nucleus, without_the_last, "belongs to the nucleus"),
        (check_nucleus, lambda q, p: torch.where(nucleus(q, p) > 0, q, 0.0), "what is left"),
        (check_nucleus, lambda q, p: nucleus(q, p).sort(descending=True).values, "sorted order"),
        (check_nucleus, one_too_many, "stop once p is reached"),
        (check_completion, lambda model, tokens, rows: tokens, "four pictures"),
        (check_completion, lambda m, tokens, rows: tokens.repeat(4, 1, 1), "nothing was drawn"),
        (check_completion, pasted, "too late"),
        (check_completion, zeros_for_unknown, "0 is paper"),
        (check_completion, bottom_kept, "some of them changed"),
    ],
)
def test_mistakes_get_their_hint(check, answer, hint):
    assert_hint(check(answer), hint)


each_check = pytest.mark.parametrize(
    "check",
    [
        check_draw_token,
        check_at_temperature,
        check_entropy_slope,
        check_nucleus,
        check_completion,
    ],
)


@each_check
def test_untouched_stubs(check):
    assert_not_attempted(check(lambda *given: ...))


@each_check
def test_code_that_raises(check):
    assert_hint(check(raises), "RuntimeError: not written yet")

"""The checkers of chapter 4 pass what is right and explain what is not."""

import math
from itertools import pairwise

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises import model as checkers


@pytest.mark.parametrize("name", [name for name in vars(checkers) if name.startswith("check_")])
def test_an_untouched_stub_is_not_attempted(name):
    assert_not_attempted(getattr(checkers, name)(lambda *arguments: ...))


@pytest.mark.parametrize("first_loss", [math.log, lambda K: -torch.tensor(1 / K).log()])
def test_first_loss_right(first_loss):
    assert_correct(checkers.check_first_loss(first_loss))


@pytest.mark.parametrize(
    ("first_loss", "hint"),
    [
        (math.log2, "the loss in bits"),
        (lambda K: math.log(K + 1), "You counted the start token"),
        (lambda K: 1 / K, "The loss is the surprise"),
        (lambda K: 0.0, "you predict 0.000"),
        (lambda K: K / 0, "Your code raised ZeroDivisionError"),
    ],
)
def test_first_loss_hints(first_loss, hint):
    assert_hint(checkers.check_first_loss(first_loss), hint)


def shifted(logits):
    powers = (logits - logits.amax(dim=-1, keepdim=True)).exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def by_logarithms(logits):
    return (logits - logits.logsumexp(dim=-1, keepdim=True)).exp()


@pytest.mark.parametrize("softmax", [shifted, by_logarithms])
def test_softmax_right(softmax):
    assert_correct(checkers.check_softmax(softmax))


def naive(logits):
    return logits.exp() / logits.exp().sum(dim=-1, keepdim=True)


def mean_shifted(logits):
    return naive(logits - logits.mean(dim=-1, keepdim=True))


def largest_of_all(logits):
    return naive(logits - logits.max())


@pytest.mark.parametrize(
    ("softmax", "hint"),
    [
        (naive, "subtract the largest logit first"),
        (mean_shifted, "subtract the largest logit first"),
        (largest_of_all, "Subtract from each row its own maximum"),
        (lambda z: z.softmax(dim=0), "Each row should sum to 1"),
        (lambda z: z.softmax(dim=-1)[..., :1], "The shape should stay"),
        (lambda z: (2 * z).softmax(dim=-1), "not exp of each logit"),
        (lambda z: z.exp() / z.exp().sum(dim=1), "Your code raised"),
    ],
)
def test_softmax_hints(softmax, hint):
    assert_hint(checkers.check_softmax(softmax), hint)


def layer_by_layer(K, k, d, h):
    return (K + 1) * d + (k * d * h + h) + (h * h + h) + (h * K + K)


def by_widths(K, k, d, h):
    widths = [k * d, h, h, K]
    return (K + 1) * d + sum(n * m + m for n, m in pairwise(widths))


@pytest.mark.parametrize("count_parameters", [layer_by_layer, by_widths])
def test_parameter_count_right(count_parameters):
    before = torch.get_rng_state()
    assert_correct(checkers.check_parameter_count(count_parameters))
    assert torch.equal(torch.get_rng_state(), before)  # the reader's own draws stay as they were


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (lambda K, k, d, h: -d, "the start token has a row, too"),
        (lambda K, k, d, h: -2 * h - K, "The biases are missing"),
        (lambda K, k, d, h: -(k - 1) * d * h, "laid end to end"),
        (lambda K, k, d, h: h + 1, "the start token is never predicted"),
        (lambda K, k, d, h: k, "you count 152,634, which is 10 too many"),
        (lambda K, k, d, h: K // 0, "Your code raised ZeroDivisionError"),
        (lambda K, k, d, h: 10 - k, "For K = 16, k = 24, d = 16, h = 256 you count 168,722"),
        (lambda K, k, d, h: 10 - k, "which is 14 too few"),
    ],
)
def test_parameter_count_hints(error, hint):
    assert_hint(
        checkers.check_parameter_count(lambda *sizes: layer_by_layer(*sizes) + error(*sizes)), hint
    )


def test_parameter_count_names_every_mistake():
    verdict = checkers.check_parameter_count(lambda K, k, d, h: K * d + d * h + h * h + h * K)
    assert_hint(verdict, "the start token has a row, too", "The biases", "laid end to end")
    assert "never predicted" not in verdict.message


def looks_ahead(model, tokens, change=lambda model, tokens: (tokens + 1) % model.num_bins):
    """Change all tokens from each place on; compare the logits there."""
    before = model(tokens).flatten(2)
    for place in range(tokens[0].numel()):
        changed = tokens.clone().flatten()
        changed[place:] = change(model, changed[place:])
        after = model(changed.view_as(tokens)).flatten(2)
        if not torch.equal(before[..., place], after[..., place]):
            return True
    return False


def one_at_a_time(model, tokens, first=0, stop=16):
    """Change one token at a time; compare the logits at all places up to it."""
    before = model(tokens).flatten(2)
    for place in range(first, stop):
        changed = tokens.clone().flatten()
        changed[place] = (changed[place] + 1) % model.num_bins
        after = model(changed.view_as(tokens)).flatten(2)
        if not torch.allclose(before[..., : place + 1], after[..., : place + 1]):
            return True
    return False


@pytest.mark.parametrize("answer", [looks_ahead, one_at_a_time])
def test_looks_ahead_right(answer):
    before = torch.get_rng_state()
    assert_correct(checkers.check_looks_ahead(answer))
    assert torch.equal(torch.get_rng_state(), before)


def compare_at(offsets, place_of_logits):
    """Return an answer that changes the tokens at some offsets from each place."""

    def answer(model, tokens):
        before = model(tokens).flatten(2)
        for place in range(16):
            changed = tokens.clone().flatten()
            where = [place + offset for offset in offsets if place + offset < 16]
            changed[where] = (changed[where] + 1) % model.num_bins
            after = model(changed.view_as(tokens)).flatten(2)
            chosen = place_of_logits(place)
            if not torch.equal(before[..., chosen], after[..., chosen]):
                return True
        return False

    return answer


def only_at_the_first_pixel(model, tokens):
    changed = (tokens + 1) % model.num_bins
    return not torch.equal(model(tokens)[..., 0, 0], model(changed)[..., 0, 0])


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda model, tokens: False, "You missed a model that sees the next pixel"),
        (lambda model, tokens: True, "You accuse an honest model"),
        (compare_at([0], lambda place: slice(None)), "You accuse an honest model"),
        (
            lambda model, tokens: looks_ahead(model, tokens, lambda model, later: later),
            "does each really become another one?",
        ),
        (compare_at(range(1, 16), lambda place: place), "sees the very pixel it predicts"),
        (compare_at([0, 1], lambda place: place), "sees the pixel below"),
        (only_at_the_first_pixel, "in the last column only"),
        (lambda model, tokens: model.weights, "Your code raised AttributeError"),
    ],
)
def test_looks_ahead_hints(answer, hint):
    assert_hint(checkers.check_looks_ahead(answer), hint)

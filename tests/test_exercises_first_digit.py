"""The checkers of chapter 0: solutions pass, and each typical mistake gets its own hint."""

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.first_digit import check_draw_page, check_keep_left, check_may_matter
from pixelar_lib.models import CategoricalPixelPredictor
from pixelar_lib.quantization import dequantize
from pixelar_lib.runtime import seeded_generator
from pixelar_lib.sampling import sample

MODEL = CategoricalPixelPredictor(embedding_dim=1, hidden_size=1)
RUNNING = seeded_generator(1)


def draw_page(seed):
    return sample(MODEL, 10, generator=seeded_generator(seed))


def draw_page_by_torch(seed):
    return sample(MODEL, 10, generator=torch.Generator().manual_seed(seed))


def keep_left(tokens, columns):
    known = tokens.clone()
    known[:, columns:] = -1
    return known


def keep_left_by_mask(tokens, columns):
    return torch.where(torch.arange(28) < columns, tokens, -1)


def in_place(tokens, columns):
    tokens[:, columns:] = -1
    return tokens


def filled(tokens, part, token):
    known = tokens.clone()
    known[part] = token
    return known


def may_matter(row, column):
    seen = torch.zeros(28, 28, dtype=torch.bool)
    seen[:row] = True
    seen[row, :column] = True
    return seen


def may_matter_by_counting(row, column):
    return [[28 * i + j < 28 * row + column for j in range(28)] for i in range(28)]


def block(rows, columns):
    seen = torch.zeros(28, 28)
    seen[:rows, :columns] = 1
    return seen


def itself_too(row, column):
    seen = may_matter(row, column)
    seen[row, column] = True
    return seen


def whole_row(row, column):
    seen = may_matter(row, column)
    seen[row, column + 1 :] = True
    return seen


def raises(*arguments):
    raise RuntimeError("not written yet")


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_draw_page, draw_page),
        (check_draw_page, draw_page_by_torch),
        (check_keep_left, keep_left),
        (check_keep_left, keep_left_by_mask),
        (check_may_matter, may_matter),
        (check_may_matter, may_matter_by_counting),
    ],
)
def test_right_answers(check, answer):
    assert_correct(check(answer))


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (check_draw_page, lambda seed: sample(MODEL, 10), "The seeds 1 and 2 gave the same page"),
        (check_draw_page, lambda seed: sample(MODEL, 10, generator=RUNNING), "inside the function"),
        (check_draw_page, lambda seed: dequantize(draw_page(seed), 16), "whole numbers"),
        (check_draw_page, lambda seed: draw_page(seed)[0], "not (28, 28)"),
        (check_draw_page, lambda seed: sample, "not function"),
        (check_keep_left, in_place, "Work on a copy"),
        (check_keep_left, lambda x, n: x[:, :n], "a whole picture"),
        (check_keep_left, lambda x, n: filled(x, slice(n, None), -1), "You keep the upper rows"),
        (check_keep_left, lambda x, n: filled(x, (..., slice(n, None)), 0), "Token 0 is a tone"),
        (check_keep_left, lambda x, n: filled(x, (..., slice(n)), -1), "columns 0 to 13"),
        (check_keep_left, lambda x, n: keep_left(x, 14), "columns 0 to 4"),
        (check_may_matter, lambda row, column: torch.ones(28), "shape (28, 28)"),
        (check_may_matter, itself_too, "the pixel itself"),
        (check_may_matter, lambda row, column: block(row, column), "further right"),
        (check_may_matter, lambda row, column: block(row, 28), "to its left in the same row"),
        (check_may_matter, whole_row, "only 381 were drawn"),
    ],
)
def test_mistakes_get_their_hint(check, answer, hint):
    assert_hint(check(answer), hint)


@pytest.mark.parametrize("check", [check_draw_page, check_keep_left, check_may_matter])
def test_code_that_raises(check):
    assert_hint(check(raises), "RuntimeError: not written yet")


@pytest.mark.parametrize("check", [check_draw_page, check_keep_left, check_may_matter])
def test_an_untouched_stub_is_not_attempted(check):
    assert_not_attempted(check(lambda *_: ...))


def test_no_hint_is_the_solution():
    verdicts = [
        check_draw_page(lambda seed: sample(MODEL, 10)),
        check_keep_left(lambda x, n: filled(x, slice(n, None), -1)),
        check_keep_left(lambda x, n: filled(x, (..., slice(n, None)), 0)),
    ]
    for code in ("seeded_generator(", "[:, ", "= -1"):
        assert all(code not in verdict.message for verdict in verdicts)

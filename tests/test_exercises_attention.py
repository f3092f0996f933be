"""The checkers of chapter 11: solutions pass, and each typical mistake gets its own hint."""

import pytest
import torch
import torch.nn.functional as F
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.attention import check_cost, check_shares, check_step


@pytest.mark.parametrize("check", [check_shares, check_step, check_cost])
def test_a_stub_is_not_attempted_and_an_error_is_told(check):
    def answer(*_):
        raise KeyError("key")

    assert_hint(check(answer), "Your code raised KeyError: 'key'")
    for stub in (lambda *_: ..., lambda *_: None, ...):
        assert_not_attempted(check(stub))


# 11.1, shares


def shares(query, key, fill=-torch.inf, diagonal=1, scale=True):
    scores = query @ key.t()
    if scale:
        scores = scores / query.shape[1] ** 0.5
    later = torch.ones_like(scores).triu(diagonal).bool()
    return scores.masked_fill(later, fill).softmax(dim=1)


def shares_row_by_row(query, key):
    found = torch.zeros(len(query), len(key))
    for place, asking in enumerate(query):
        scores = torch.stack([(asking * other).sum() for other in key[: place + 1]])
        found[place, : place + 1] = F.softmax(scores / query.shape[1] ** 0.5, dim=0)
    return found


@pytest.mark.parametrize("answer", [shares, shares_row_by_row])
def test_shares(answer):
    assert_correct(check_shares(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda q, k: shares(q, k, scale=False), "square root of d"),
        (lambda q, k: shares(q, k, fill=0.0), "later ones"),
        (lambda q, k: (q @ k.t() / 2).softmax(dim=1), "later ones"),
        (lambda q, k: shares(q, k, diagonal=0), "the first place"),
        (lambda q, k: shares(q, k, diagonal=0).nan_to_num(), "does not look at itself"),
        (lambda q, k: (q @ k.t() / 2).softmax(dim=1).tril(), "do not sum to 1"),
        (lambda q, k: shares(k, q), "Rows belong to queries"),
        (lambda q, k: shares(q, k)[0], "(6,), not (6, 6)"),
    ],
)
def test_wrong_shares(answer, hint):
    assert_hint(check_shares(answer), hint)


# 11.2, the cache


def step(cache, query, key, value, scale=True):
    cache.setdefault("keys", []).append(key)
    cache.setdefault("values", []).append(value)
    scores = torch.stack(cache["keys"]) @ query
    if scale:
        scores = scores / len(query) ** 0.5
    return scores.softmax(dim=0) @ torch.stack(cache["values"])


def step_with_buffers(cache, query, key, value):
    if not cache:
        cache.update(keys=torch.zeros(99, 4), values=torch.zeros(99, 4), place=0)
    place = cache["place"]
    cache["keys"][place], cache["values"][place] = key, value
    cache["place"] += 1
    found = F.scaled_dot_product_attention(
        query[None], cache["keys"][: place + 1], cache["values"][: place + 1]
    )
    return found[0]


@pytest.mark.parametrize("answer", [step, step_with_buffers])
def test_step(answer):
    assert_correct(check_step(answer))


def test_step_that_keeps_nothing():
    assert_hint(check_step(lambda cache, q, k, v: v), "that place alone")


def test_step_that_asks_before_it_writes():
    def late(cache, query, key, value):
        keys, values = cache.setdefault("keys", []), cache.setdefault("values", [])
        found = value
        if keys:
            found = (torch.stack(keys) @ query / 2).softmax(dim=0) @ torch.stack(values)
        keys.append(key)
        values.append(value)
        return found

    assert_hint(check_step(late), "Write them first")


def test_step_that_does_not_scale():
    assert_hint(check_step(lambda *given: step(*given, scale=False)), "square root of d")


def test_step_that_keeps_the_picture_before():
    memory = {}
    assert_hint(
        check_step(lambda cache, *given: step(memory, *given)), "second picture", "a new one"
    )


def test_step_of_another_shape():
    assert_hint(check_step(lambda cache, q, k, v: v[:2]), "shape (2,)")


# 11.3, the cost


def cost(places, channels):
    return 4 * places * channels**2, places * (places + 1) * channels


def cost_by_counting(places, channels):
    pairs = sum(place for place in range(1, places + 1))
    return sum(channels * channels * places for _ in "qkva"), 2 * channels * pairs


@pytest.mark.parametrize("answer", [cost, cost_by_counting])
def test_cost(answer):
    assert_correct(check_cost(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda p, c: (3 * p * c * c, p * (p + 1) * c), "a fourth"),
        (lambda p, c: (4 * p * c, p * (p + 1) * c), "each C by C"),
        (lambda p, c: (4 * p * c * c, 2 * p * p * c), "the mask hides"),
        (lambda p, c: (4 * p * c * c, p * (p + 1) * c // 2), "you count half"),
        (lambda p, c: (4 * p * c * c, p * (p - 1) * c), "place p asks"),
    ],
)
def test_wrong_cost(answer, hint):
    verdict = check_cost(answer)
    assert not verdict.passed
    assert hint.lower() in verdict.message.lower(), verdict.message

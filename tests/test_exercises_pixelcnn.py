"""The checkers of chapter 8: solutions pass, and each typical mistake gets its own hint."""

import pytest
import torch
from exercise_verdicts import assert_correct, assert_hint, assert_not_attempted

from pixelar_lib.exercises.pixelcnn import (
    check_blind_spot,
    check_find_leak,
    check_left_reach,
    check_mask,
    three_networks,
)


@pytest.mark.parametrize("check", [check_mask, check_blind_spot, check_find_leak, check_left_reach])
def test_a_stub_is_not_attempted_and_an_error_is_told(check):
    def answer(*_):
        raise KeyError("mask")

    assert_hint(check(answer), "Your code raised KeyError: 'mask'")
    for stub in (lambda *_: ..., lambda *_: None, ...):
        assert_not_attempted(check(stub))


# 8.1, the masks


def mask_by_rows(kind, size):
    mask, middle = torch.ones(size, size), size // 2
    mask[middle, middle + (kind == "B") :] = 0
    mask[middle + 1 :] = 0
    return mask


def mask_by_reading_order(kind, size):
    place = torch.arange(size * size).view(size, size)
    own = size * size // 2
    return (place <= own) if kind == "B" else (place < own)


@pytest.mark.parametrize("answer", [mask_by_rows, mask_by_reading_order])
def test_mask(answer):
    assert_correct(check_mask(answer))


def test_masks_the_wrong_way_round():
    swapped = {"A": "B", "B": "A"}
    assert_hint(check_mask(lambda kind, size: mask_by_rows(swapped[kind], size)), "in the middle")


def test_mask_that_hides_its_own_row():
    def hides_row(kind, size):
        mask = mask_by_rows(kind, size)
        mask[size // 2] = 0
        return mask

    assert_hint(check_mask(hides_row), "to the left")


def test_mask_that_hides_the_right_of_the_rows_above():
    def sees_left(kind, size):
        mask = mask_by_rows(kind, size)
        mask[: size // 2, size // 2 + 1 :] = 0
        return mask

    assert_hint(check_mask(sees_left), "rows above", "right half")


def test_mask_that_looks_ahead():
    assert_hint(check_mask(lambda kind, size: torch.ones(size, size)), "later in reading order")


def test_mask_of_another_shape():
    assert_hint(check_mask(lambda kind, size: torch.ones(size * size)), "(9,)")


# 8.2, the blind spot


def blind_spot(row, column, width):
    return sum(max(width - 1 - column - up, 0) for up in range(1, row + 1))


def blind_spot_by_walking(row, column, width):
    blind, right = 0, column
    for _ in range(row):
        right += 1
        blind += len(range(right + 1, width))
    return blind


@pytest.mark.parametrize("answer", [blind_spot, blind_spot_by_walking])
def test_blind_spot(answer):
    assert_correct(check_blind_spot(answer))


def test_blind_spot_a_row_too_early():
    def early(row, column, width):
        return sum(max(width - 1 - column - up, 0) for up in range(row))

    assert_hint(check_blind_spot(early), "one pixel to the right can be seen")


def test_blind_spot_beyond_the_edge():
    def beyond(row, column, width):
        return sum(width - 1 - column - up for up in range(1, row + 1))

    assert_hint(check_blind_spot(beyond), "edge of the picture")


# 8.3, the leak


def by_gradient(networks):
    for number, network in enumerate(networks):
        x = torch.zeros(1, 2, 9, 9, requires_grad=True)
        network(x)[0, :, 4, 4].sum().backward()
        if x.grad.abs().sum(dim=(0, 1)).flatten()[4 * 9 + 4 :].any():
            return number
    return -1


def by_changing_inputs(networks):
    x = torch.zeros(1, 2, 9, 9)
    changed = x.clone()
    changed[:, :, 4, 4:] = 1
    changed[:, :, 5:] = 1
    moved = [(n(changed) - n(x))[0, :, 4, 4].abs().sum() for n in networks]
    return int(torch.stack(moved).argmax())


@pytest.mark.parametrize("answer", [by_gradient, by_changing_inputs])
def test_find_leak(answer):
    assert_correct(check_find_leak(answer))


def test_find_leak_takes_the_narrowest():
    def narrowest(networks):
        x = torch.zeros(1, 2, 9, 9)
        counts = []
        for network in networks:
            given = x.clone().requires_grad_()
            network(given)[0, :, 4, 4].sum().backward()
            counts.append(int((given.grad != 0).sum()))
        return counts.index(min(counts))

    assert_hint(check_find_leak(narrowest), "That one is honest")


def test_find_leak_by_guessing():
    assert_hint(check_find_leak(lambda networks: 0), "gradient")
    assert_hint(check_find_leak(lambda networks: 3), "numbered 0, 1 and 2")


def test_the_three_networks_are_the_same_each_time():
    x = torch.rand(1, 2, 9, 9)
    for first, second in zip(three_networks(), three_networks(), strict=True):
        assert torch.equal(first(x), second(x))


# 8.4, reach


def test_left_reach():
    assert_correct(check_left_reach(lambda dilations: 3 + 2 * sum(dilations)))


def test_left_reach_in_a_loop():
    def reach(dilations):
        pixels = 3
        for dilation in dilations:
            pixels += dilation + dilation
        return pixels

    assert_correct(check_left_reach(reach))


def test_left_reach_without_the_first_layer():
    assert_hint(check_left_reach(lambda dilations: 2 * sum(dilations)), "first layer")


def test_left_reach_with_one_place_a_block():
    assert_hint(check_left_reach(lambda dilations: 3 + sum(dilations)), "two places")

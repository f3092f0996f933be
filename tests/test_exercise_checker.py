"""What all checkers share: the verdict, its message, and what becomes of errors."""

import pytest
import torch

from pixelar_lib.exercises.checker import NOT_ATTEMPTED, NotYet, Verdict, checker, expect


@checker
def check_double(double, number=2):
    """Check a function that doubles."""
    expect(double(number) != number**2 or number == 2, "That is the square.")
    expect(double(number) == 2 * number, f"Twice {number} is {2 * number}.")
    return "Doubling is adding a number to itself."


def test_verdict_shows_its_message_led_by_the_judgement():
    assert repr(Verdict("Correct", "Well seen.")) == "Correct. Well seen."
    assert repr(Verdict("Not yet", "Look again.")) == "Not yet. Look again."


def test_right_answer_is_praised():
    verdict = check_double(lambda number: number + number)
    assert verdict == Verdict("Correct", "Doubling is adding a number to itself.")


def test_wrong_answer_gets_the_first_hint_that_fits():
    assert check_double(lambda number: number**2, 3) == Verdict("Not yet", "That is the square.")
    assert check_double(lambda number: 0, 3) == Verdict("Not yet", "Twice 3 is 6.")


@pytest.mark.parametrize(
    "answer",
    [
        ...,
        None,
        lambda number: ...,
        lambda number: None,
        lambda number: [1, ...],
        [3, ...],
        {2: ...},
    ],
)
def test_an_exercise_left_as_it_stood_is_not_attempted(answer):
    verdict = check_double(answer)
    assert not verdict.passed
    assert repr(verdict) == f"Not attempted. {NOT_ATTEMPTED}"


def test_objects_are_given_to_the_check_as_they_are():
    network = torch.nn.Linear(1, 1)

    @checker
    def check_network(answer, kind):
        expect(answer is network and kind is int, "Something else came.")
        return "It is the network."

    assert check_network(network, int).passed


@pytest.mark.parametrize("error", [KeyError("bins"), ZeroDivisionError("by zero"), NotYet("x")])
def test_no_error_of_the_answer_escapes(error):
    def answer(number):
        raise error

    verdict = check_double(answer)
    assert not verdict.passed
    assert str(error) in verdict.message


def test_an_error_is_named():
    message = check_double(lambda: 4).message  # takes no argument
    assert message.startswith("Your code raised TypeError: ")


def test_interrupting_the_kernel_is_not_an_answer():
    def answer(number):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_double(answer)


def test_checker_keeps_name_and_docstring():
    assert check_double.__name__ == "check_double"
    assert check_double.__doc__ == "Check a function that doubles."


def test_expect_raises_only_where_the_condition_fails():
    expect(True, "never shown")
    with pytest.raises(NotYet, match="look at the edge"):
        expect(False, "look at the edge")

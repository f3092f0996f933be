"""What all exercise checkers share: they try an answer and reply with a verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps


@dataclass(frozen=True)
class Verdict:
    """What a checker says of an answer; a notebook shows its message.

    Attributes:
        passed: Whether the answer is right.
        message: What to take away, or a hint on what to look at.
    """

    passed: bool
    message: str

    def __repr__(self) -> str:
        """Return the message, led by the verdict."""
        return f"{'Correct.' if self.passed else 'Not yet.'} {self.message}"


class NotYet(Exception):
    """Raised inside a checker with a hint, where the answer is not right."""


def checker(check: Callable[..., str]) -> Callable[..., Verdict]:
    """Make a checker out of a function that returns praise or raises `NotYet` with a hint.

    Args:
        check: Takes the answer; an error that the answer's own code raises becomes a hint.

    Returns:
        A function that takes the answer and returns a `Verdict`.
    """

    @wraps(check)
    def verdict_on(*answer: object) -> Verdict:
        try:
            return Verdict(True, check(*answer))
        except NotYet as hint:
            return Verdict(False, str(hint))
        except Exception as error:  # the reader's code may raise anything
            return Verdict(False, f"Your code raised {type(error).__name__}: {error}")

    return verdict_on


def expect(condition: bool, hint: str) -> None:
    """Go on where the condition holds, else end the check with a hint.

    Args:
        condition: What must be true of the answer.
        hint: What to look at where it is not.

    Raises:
        NotYet: If the condition is false.
    """
    if not condition:
        raise NotYet(hint)

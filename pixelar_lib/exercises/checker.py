"""What all exercise checkers share: they try an answer and reply with a verdict."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

NOT_ATTEMPTED = "Put your answer where the three dots are, and run the cell again."


@dataclass(frozen=True)
class Verdict:
    """What a checker says of an answer; a notebook shows its message.

    Attributes:
        outcome: "Not attempted", "Not yet" or "Correct".
        message: What to take away, or a hint on what to look at.
    """

    outcome: str
    message: str

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.outcome == "Correct"

    def __repr__(self) -> str:
        """Return the message, led by the outcome."""
        return f"{self.outcome}. {self.message}"


class NotYet(Exception):
    """Raised inside a checker with a hint, where the answer is not right."""


class NotAttempted(Exception):
    """Raised inside a checker where the answer is still the three dots of the exercise."""


def checker(check: Callable[..., str]) -> Callable[..., Verdict]:
    """Make a checker out of a function that returns praise or raises `NotYet` with a hint.

    An answer is not attempted where it is `...` or None, holds one of these, or is a function
    that returns one of them.

    Args:
        check: Takes the answer; an error that the answer's own code raises becomes a hint.

    Returns:
        A function that takes the answer and returns a `Verdict`.
    """

    @wraps(check)
    def verdict_on(*answer: object) -> Verdict:
        try:
            return Verdict("Correct", check(*map(_attempted, answer)))
        except NotAttempted:
            return Verdict("Not attempted", NOT_ATTEMPTED)
        except NotYet as hint:
            return Verdict("Not yet", str(hint))
        except Exception as error:  # the reader's code may raise anything
            return Verdict("Not yet", f"Your code raised {type(error).__name__}: {error}")

    return verdict_on


def _attempted(answer: object) -> object:
    """Return an answer, or raise if it was left as it stood; a function is tried when called."""
    if answer is ... or answer is None:
        raise NotAttempted
    if isinstance(answer, list | tuple | dict):
        for part in answer.values() if isinstance(answer, dict) else answer:
            _attempted(part)
    if not inspect.isroutine(answer):
        return answer

    @wraps(answer)
    def trying(*arguments: object, **named: object) -> object:
        return _attempted(answer(*arguments, **named))

    return trying


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

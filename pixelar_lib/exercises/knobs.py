"""Checkers of chapter 14, turning the knobs."""

import copy
import math
from collections.abc import Callable

import torch

from pixelar_lib.exercises.checker import checker, expect

SETTINGS = {"radius": 3, "hidden_size": 256, "dropout": 0.0, "steps": 300, "learning_rate": 4e-3}


@checker
def check_paired(paired: Callable[[torch.Tensor, torch.Tensor], tuple[float, float]]) -> str:
    """Check a function that compares two models on the same images.

    Args:
        paired: Takes what each image costs under two models, float (N,) each; returns the mean
            of first minus second, and its standard error.
    """
    generator = torch.Generator("cpu").manual_seed(0)
    hard = torch.randn(60, generator=generator, dtype=torch.float64)
    second = 0.5 + 0.1 * hard
    first = second + 0.02 + 0.01 * torch.randn(60, generator=generator, dtype=torch.float64)
    answer = paired(first.clone(), second.clone())
    expect(
        isinstance(answer, tuple | list) and len(answer) == 2,
        "Return two numbers: the difference and its standard error.",
    )
    difference, error = map(float, answer)
    less = first - second
    deviation, root = float(less.std()), math.sqrt(len(less))
    expect(
        not math.isclose(difference, -float(less.mean()), rel_tol=1e-4),
        "The sign: it is the first minus the second.",
    )
    expect(
        math.isclose(difference, float(less.mean()), rel_tol=1e-4),
        f"The difference is {less.mean():.4f}, not {difference:.4f}: the mean of first minus "
        "second.",
    )
    unpaired = math.hypot(float(first.std()), float(second.std())) / root
    for wrong, hint in (
        (deviation, "That is the standard deviation, of one image. That of a mean is smaller."),
        (deviation / len(less), "Divide by the square root of the number of images."),
        (deviation**2 / len(less), "That is the variance of the mean. Take its square root."),
        (
            unpaired,
            "You add up the noise of two figures, as if they came from different images. Subtract "
            "image by image first.",
        ),
    ):
        expect(not math.isclose(error, wrong, rel_tol=0.02), hint)
    expect(
        math.isclose(error, deviation / root, rel_tol=0.02),
        f"The standard error is {deviation / root:.5f}, not {error:.5f}.",
    )
    return "What both models find hard is gone, and the rest says which is better."


@checker
def check_turned(turned: Callable[[dict], dict]) -> str:
    """Check a function that turns one knob and no other.

    Args:
        turned: Takes settings by name; returns all of them, one with another value.
    """
    given = copy.deepcopy(SETTINGS)
    found = turned(given)
    expect(
        given == SETTINGS,
        "You changed the settings that you were given, so that both trainings would be the same. "
        "Make a copy: {**settings, ...}.",
    )
    expect(isinstance(found, dict), "Return the settings, a dictionary.")
    missing = [name for name in SETTINGS if name not in found]
    expect(not missing, f"Return all settings; {', '.join(missing)} is missing.")
    unknown = [name for name in found if name not in SETTINGS]
    expect(not unknown, f"There is no knob {', '.join(map(repr, unknown))}: is it spelt like that?")
    differ = [name for name in SETTINGS if found[name] != SETTINGS[name]]
    expect(bool(differ), "Nothing is turned: all settings are the base's.")
    expect(
        len(differ) == 1,
        f"You turned {len(differ)} knobs: {', '.join(differ)}. Whichever way the loss goes, you "
        "would not know which of them did it.",
    )
    return f"One knob is turned, {differ[0]}, and whatever comes out is its doing."


@checker
def check_power_law(power_law: Callable[[torch.Tensor, torch.Tensor], tuple]) -> str:
    """Check a function that fits a power law.

    Args:
        power_law: Takes float64 (P,) and float64 (P,); returns a and b of y = a n^-b.
    """
    numbers = torch.tensor([1.0, 2, 4, 10, 30], dtype=torch.float64) * 100
    generator = torch.Generator("cpu").manual_seed(0)
    for a, b, bend in ((2.0, 0.5, 0.0), (0.7, 0.3, 0.1)):
        noise = bend * torch.randn(5, generator=generator, dtype=torch.float64)
        logs = torch.stack([numbers.log(), torch.ones(5, dtype=torch.float64)], dim=1)
        values = a * numbers**-b * noise.exp()
        slope, start = torch.linalg.lstsq(logs, values.log()[:, None]).solution[:, 0].tolist()
        answer = power_law(numbers.clone(), values)
        expect(
            isinstance(answer, tuple | list) and len(answer) == 2, "Return two numbers, a and b."
        )
        _expect_law(*map(float, answer), math.exp(start), -slope)
    return "In logarithms a power law is a straight line, and a line is easily fitted."


def _expect_law(a: float, b: float, right_a: float, right_b: float) -> None:
    """Look for the usual mistakes in a fitted power law."""

    def is_close(one: float, other: float) -> bool:
        return math.isclose(one, other, rel_tol=1e-3)

    expect(
        not (is_close(a, right_b) and is_close(b, right_a)), "The other way round: a, and then b."
    )
    expect(
        not is_close(b, -right_b),
        "The slope of the line is -b: a power law that falls has a positive b.",
    )
    expect(
        is_close(b, right_b),
        f"The exponent b is {right_b:.3f}, not {b:.3f}. Fit a line to the logarithms of both.",
    )
    expect(
        not is_close(a, math.log(right_a)),
        "The line's height is log a. Undo the logarithm.",
    )
    expect(
        is_close(a, right_a),
        f"The factor a is {right_a:.3f}, not {a:.3f}. It is where the line stands at log n = 0, so "
        "exp or a power of 10 undoes the same logarithm that you took.",
    )

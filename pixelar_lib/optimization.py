"""How a training steps: its settings, and the learning rate of each step."""

import math

import torch

from pixelar_lib.quantization import check_count

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
SCHEDULES = ("cosine", "constant")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def learning_rate_at(
    step: int, steps: int, peak: float, schedule: str = "cosine", warmup_steps: int = 0
) -> float:
    """Return the learning rate of one step.

    Args:
        step: 0 to steps - 1.
        steps: Number of steps of the whole training.
        peak: The largest rate.
        schedule: "cosine" falls from the peak to 0 along half a cosine; "constant" stays.
        warmup_steps: Steps over which the rate first rises in a straight line.

    Returns:
        The rate, 0 to peak.

    Raises:
        ValueError: If schedule has no such name.
    """
    check_choice("schedule", schedule, SCHEDULES)
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if schedule == "constant":
        return peak
    done = (step - warmup_steps) / max(1, steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * done))


def check_choice(name: str, value: str, choices) -> None:
    """Raise unless `value` is one of the choices.

    Args:
        name: What to call it in an error.
        value: What was given.
        choices: What is allowed.

    Raises:
        ValueError: If it is none of them.
    """
    if value not in choices:
        raise ValueError(f"{name} {value!r} does not exist; choose one of {[*choices]}.")


def checked_recipe(
    steps: int,
    batch_size: int,
    optimizer: str,
    learning_rate: float,
    weight_decay: float,
    schedule: str,
    warmup_steps: int,
    precision: str,
) -> dict:
    """Return the settings of a training, having checked them; they are `training.fit`'s.

    Raises:
        TypeError: If a number of steps or images is no integer.
        ValueError: If a setting is out of range or has no such name.
    """
    recipe = dict(locals())
    check_count("steps", steps)
    check_count("batch_size", batch_size)
    check_count("warmup_steps", warmup_steps, least=0)
    check_choice("optimizer", optimizer, OPTIMIZERS)
    check_choice("schedule", schedule, SCHEDULES)
    check_choice("precision", precision, PRECISIONS)
    if not 0 < learning_rate < math.inf or not 0 <= weight_decay < math.inf:
        raise ValueError(
            f"learning_rate ({learning_rate}) must be above 0, weight_decay ({weight_decay}) at "
            "least 0, and both finite."
        )
    return recipe

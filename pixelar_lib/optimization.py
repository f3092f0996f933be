"""How a training proceeds: its settings, and the learning rate of each step."""

import math
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real

import numpy as np
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


def check_choice(name: str, value: str, choices: Iterable[str]) -> str:
    """Return `value` if it is one of the choices.

    Args:
        name: What to call it in an error.
        value: What was given.
        choices: What is allowed.

    Returns:
        The value, as a plain string.

    Raises:
        ValueError: If it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} {value!r} does not exist; choose one of {[*choices]}.")
    return str(value)


def check_number(name: str, value: float) -> float:
    """Return a number as a plain float; TypeError for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}; give a number.")
    return float(value)


def check_bool(name: str, value: bool) -> bool:
    """Return True or False, numpy's too, as plain ones; TypeError for anything else."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is {value!r}; give True or False.")
    return bool(value)


@dataclass(frozen=True)
class Settings:
    """How a training goes: the settings of `training.fit`, checked, as plain Python values.

    Raises:
        TypeError: If a number of steps or images is not an integer.
        ValueError: If a setting is out of range or has no such name.
    """

    steps: int
    batch_size: int
    replacement: bool
    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    warmup_steps: int
    precision: str
    eval_every: int | None

    def __post_init__(self) -> None:
        """Check, and turn numpy's numbers into Python's, which a checkpoint can hold."""
        plain = {
            "steps": check_count("steps", self.steps),
            "batch_size": check_count("batch_size", self.batch_size),
            "warmup_steps": check_count("warmup_steps", self.warmup_steps, least=0),
            "replacement": check_bool("replacement", self.replacement),
            "optimizer": check_choice("optimizer", self.optimizer, OPTIMIZERS),
            "schedule": check_choice("schedule", self.schedule, SCHEDULES),
            "precision": check_choice("precision", self.precision, ("auto", *PRECISIONS)),
            "learning_rate": check_number("learning_rate", self.learning_rate),
            "weight_decay": check_number("weight_decay", self.weight_decay),
        }
        every = math.ceil(plain["steps"] / 20) if self.eval_every is None else self.eval_every
        plain["eval_every"] = check_count("eval_every", every)
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        if not 0 < self.learning_rate < math.inf or not 0 <= self.weight_decay < math.inf:
            raise ValueError(
                f"learning_rate ({self.learning_rate}) must be above 0, weight_decay "
                f"({self.weight_decay}) at least 0, and both finite."
            )

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of one step, 0 to `steps` - 1."""
        return learning_rate_at(
            step, self.steps, self.learning_rate, self.schedule, self.warmup_steps
        )


def pick_precision(wanted: str, device: torch.device) -> str:
    """Return the precision to multiply with, having measured what 16 bits bring here.

    Args:
        wanted: "float32", "bfloat16", or "auto" for the faster of the two.
        device: Where the training runs.

    Returns:
        "float32" or "bfloat16". Where bfloat16 was asked for and is slower, a warning says so.
    """
    if wanted == "float32":
        return wanted
    gain = bfloat16_gain(device)
    if wanted == "auto":
        return "bfloat16" if gain > 1 else "float32"
    if gain < 1:
        warnings.warn(
            f"16-bit products are {1 / gain:.1f} times slower than 32-bit ones on this "
            f"{device.type}; precision='float32' avoids them, precision='auto' takes the faster.",
            stacklevel=2,
        )
    return wanted


def bfloat16_gain(device: torch.device, size: int = 256, repeats: int = 3) -> float:
    """Measure how many times faster a matrix product is with 16-bit numbers than with 32-bit ones.

    Args:
        device: Where to measure.
        size: Rows and columns of the matrices.
        repeats: Timings of each; the shortest counts.

    Returns:
        Seconds with float32 / seconds with bfloat16; it takes less than a second.
    """
    seconds = {}
    for name, dtype in PRECISIONS.items():
        matrix = torch.ones(size, size, dtype=dtype, device=device)
        times = []
        for _ in range(1 + repeats):
            begin = time.perf_counter()
            (matrix @ matrix).sum().item()  # waits for the device
            times.append(time.perf_counter() - begin)
        seconds[name] = min(times[1:])
    return seconds["float32"] / seconds["bfloat16"]

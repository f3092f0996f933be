"""Turn the knobs of the post's network, one at a time: python -m experiments.knobs

Trains each setting under three seeds on one thread, evaluates it on validation images, and compares
it, image by image, with the setting that it differs from. Writes records/measurements/knobs.json
below pixelar_lib/assets. Resumable, as `trials` says.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from experiments.trials import CHECKPOINTS, measure
from experiments.window_variants import OneHot, WithPosition, with_depth
from pixelar_lib.context import neighbourhood
from pixelar_lib.data import load_mnist
from pixelar_lib.evaluation import nll
from pixelar_lib.models import CategoricalPixelPredictor
from pixelar_lib.quantization import quantize
from pixelar_lib.training import fit

SEEDS = (0, 1, 2)
NUM_BINS = 16
NUM_VALIDATION = 1_000
RASTER = {"dropout": 0.0, "embedding_dim": 16}
BASE = {**RASTER, "neighbourhood": 3}
FIT = {"steps": 2_000, "learning_rate": 4e-3, "warmup_steps": 200}
PACE_STEPS = 100  # enough to say how long a step takes


@dataclass(frozen=True)
class Setting:
    """One position of one knob.

    Attributes:
        knob: What is turned; "base" for what all others are compared with.
        value: What it is turned to.
        arguments: Of the network; `neighbourhood` names the radius of that context.
        fit: Arguments of `training.fit` that differ.
        num_images: Trained on the first so many images.
        network: Takes the arguments and returns the network.
        equal_time: Take as many steps as fit into the base's time, not as many as the base.
        against: Knob and value that it is compared with, under the same seed.
    """

    knob: str
    value: str | float
    arguments: dict = field(default_factory=BASE.copy)
    fit: dict = field(default_factory=dict)
    num_images: int = 50_000
    network: Callable = CategoricalPixelPredictor
    equal_time: bool = False
    against: tuple = ("base", "base")


def turned(knob: str, argument: str, values: tuple) -> list[Setting]:
    """Return one setting for each value of an argument of the network."""
    return [Setting(knob, value, {**BASE, argument: value}) for value in values]


def trained(knob: str, argument: str, values: tuple) -> list[Setting]:
    """Return one setting for each value of an argument of `fit`."""
    return [Setting(knob, value, fit={argument: value}) for value in values]


def also_in_time(settings: list[Setting]) -> list[Setting]:
    """Return the settings, each followed by itself in as much time as the base takes."""
    return [replace(setting, equal_time=equal) for setting in settings for equal in (False, True)]


def raster(k: int) -> Setting:
    """Return the setting that sees the k pixels before."""
    return Setting("context", f"raster {k}", {**RASTER, "context_length": k})


def with_position(setting: Setting) -> Setting:
    """Return a setting with the pixel's row and column as inputs, compared with itself without."""
    against = (setting.knob, setting.value)
    return replace(setting, knob="position", network=WithPosition, against=against)


SETTINGS = [
    Setting("base", "base"),  # before all that is compared with it
    *also_in_time([raster(k) for k in (10, 28, 30)]),
    *also_in_time(turned("context", "neighbourhood", (1, 2, 4, 5, 6))),
    *also_in_time([Setting("position", "radius 3", network=WithPosition)]),
    *[with_position(raster(k)) for k in (10, 28)],
    Setting("embedding", "one-hot", network=OneHot),
    *turned("embedding", "embedding_dim", (1, 2, 4, 8, 32, 64)),
    *also_in_time(turned("width", "hidden_size", (64, 128, 512))),
    *also_in_time([Setting("depth", n, network=partial(with_depth, n)) for n in (1, 3, 4)]),
    *turned("dropout", "dropout", (0.1, 0.25)),
    *trained("learning rate", "learning_rate", (2.5e-4, 5e-4, 1e-3, 2e-3, 8e-3, 1.6e-2, 3.2e-2)),
    *trained("schedule", "schedule", ("constant",)),
    Setting(
        "schedule",
        "constant at 0.001",
        fit={"schedule": "constant", "learning_rate": 1e-3},
        against=("learning rate", 1e-3),
    ),
    *trained("warm-up", "warmup_steps", (0,)),
    *trained("steps", "steps", (500, 1_000, 4_000, 8_000)),
    *[Setting("images", n, num_images=n) for n in (1_000, 2_000, 4_000, 8_000, 16_000, 32_000)],
]
TRIALS = [(setting, seed) for setting in SETTINGS for seed in SEEDS]


def main() -> None:
    protocol = (
        f"Each trained on the first 50,000 training images (the knob 'images': on fewer), for "
        f"{FIT['steps']:,} steps or as many as fit into the base's time; measured on the first "
        f"{NUM_VALIDATION:,} validation images, in bits per pixel. Differences are paired: the "
        "same images, the same seed. Standard errors are over images; the time is the processor's."
    )
    measure("knobs", protocol, TRIALS, run)
    for file in CHECKPOINTS.glob("knobs-*.npy"):
        file.unlink()


def run(trial: tuple[Setting, int]) -> dict:
    """Train and evaluate one setting under one seed."""
    setting, seed = trial
    settings = {**FIT, **setting.fit}
    if setting.equal_time:
        settings["steps"] = steps_in_time(setting)
    model, seconds = train(setting, settings, seed)
    bits = bits_of(model, "validation", slice(NUM_VALIDATION))
    save(setting, seed, bits)
    less = bits - saved(setting.against, seed)
    row = {
        "knob": setting.knob,
        "value": setting.value,
        "equal_time": setting.equal_time,
        "seed": seed,
        "fit": settings,
        "num_images": setting.num_images,
        "parameters": model.num_parameters,
        "seconds": round(seconds, 1),
        "bits": float(bits.mean()),
        "standard_error": standard_error(bits),
        "against": list(setting.against),
        "difference": float(less.mean()),
        "difference_standard_error": standard_error(less),
    }
    if setting.num_images == 8_000:  # what a notebook can train, and judge by, on bundled digits
        next_2000 = bits_of(model, "train", slice(8_000, 10_000))
        row["bits_of_next_2000"] = float(next_2000.mean())
    return row


def train(setting: Setting, settings: dict, seed: int) -> tuple[CategoricalPixelPredictor, float]:
    """Return a trained network, and the processor's seconds that its training took."""
    model = build(setting)
    tokens = tokens_of("train")[: setting.num_images]
    generator = torch.Generator().manual_seed(seed)
    begin = time.process_time()
    fit(model, tokens, generator=generator, initialize=True, progress=False, **settings)
    return model, time.process_time() - begin


def steps_in_time(setting: Setting) -> int:
    """Return how many steps of a setting take as long as the base's, from a few of both."""
    base = SETTINGS[0]  # twice: the first training in a process also pays for what torch loads
    paces = [train(each, {**FIT, "steps": PACE_STEPS}, 0)[1] for each in (base, base, setting)]
    return max(1, 10 * round(FIT["steps"] * paces[1] / paces[2] / 10))


def build(setting: Setting) -> CategoricalPixelPredictor:
    """Build the untrained network of a setting."""
    arguments = dict(setting.arguments)
    if (radius := arguments.pop("neighbourhood", None)) is not None:
        arguments["context"] = neighbourhood(radius)
    return setting.network(num_bins=NUM_BINS, **arguments)


def bits_of(model: CategoricalPixelPredictor, split: str, some: slice) -> np.ndarray:
    """Return what some images of a split cost, bits per pixel of each: float64 (N,)."""
    return nll(model, tokens_of(split)[some]).double().flatten(1).mean(dim=1).numpy() / math.log(2)


def save(setting: Setting, seed: int, bits: np.ndarray) -> None:
    """Keep what each image costs, for settings that are compared with this one."""
    compared = (setting.knob, setting.value) in {other.against for other in SETTINGS}
    if compared and not setting.equal_time:
        CHECKPOINTS.mkdir(exist_ok=True)
        np.save(_file(setting.knob, setting.value, seed), bits)


def saved(against: tuple, seed: int) -> np.ndarray:
    """Return what was saved of a setting under the same seed."""
    return np.load(_file(*against, seed))


def _file(knob: str, value: str, seed: int) -> Path:
    return CHECKPOINTS / f"knobs-{knob}-{value}-{seed}.npy"


def standard_error(values: np.ndarray) -> float:
    """Return the standard error of the mean of independent values."""
    return float(values.std(ddof=1) / math.sqrt(len(values)))


@cache
def tokens_of(split: str) -> torch.Tensor:
    """Return all tokens of a split of the full set, uint8."""
    return quantize(load_mnist(split, "full").images, NUM_BINS).to(torch.uint8)


if __name__ == "__main__":
    main()

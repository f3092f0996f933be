"""Recipes of seconds in place of those that ship: python tests/tiny_recipes.py NAME FOLDER

All that `experiments.train` would write goes into the folder; the data are a few bundled digits.
`DIE_AT=5` kills the process at its fifth step, `DIE_RANK=1` only the second one of torchrun's.
"""

import json
import os
import signal
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from experiments import train
from experiments.recipes import Recipe
from pixelar_lib import data, zoo

SMALL = {"context_length": 4, "embedding_dim": 4, "hidden_size": 16}
NARROW = {"channels": 4, "dilations": [1]}
FIT = {"steps": 12, "batch_size": 5, "learning_rate": 0.01}
RECIPES = {
    "tiny-mlp": Recipe("A test.", arguments={**SMALL, "dropout": 0.0}, fit=FIT, ships_weights=True),
    "tiny-binary": Recipe(
        "A test.",
        model="PixelCNN",
        arguments={"num_bins": 2, **NARROW},
        fit=FIT,
        data="binarized",
    ),
    "tiny-joined": Recipe(
        "A test.", model="PixelCNN", arguments={**NARROW}, fit=FIT, joined_split="validation"
    ),
    "tiny-labels": Recipe(
        "A test.",
        model="PixelCNN",
        arguments={**NARROW, "num_classes": 10, "dropout": 0.25},
        fit=FIT,
        ships_weights=True,
    ),
    "tiny-restart": Recipe(
        "A test.",
        arguments={**SMALL, "dropout": 0.0},
        fit=FIT,
        restarts=(
            {"fit": {"steps": 5, "learning_rate": 0.005}, "moved": 0.5},
            {"fit": {"steps": 3}},
        ),
        ships_weights=True,
    ),
    "tiny-few-labels": Recipe("A test.", arguments={**SMALL, "num_classes": 3}, fit=FIT),
    "tiny-windows": Recipe(
        "A test.",
        arguments=SMALL,
        fit={**FIT, "replacement": False},
        num_windows=1000,
        seeds=(0, 1),
    ),
}


@lru_cache
def few_digits(split, source="bundled"):
    digits = data.load_mnist(split)
    return data.Digits(digits.images[:20], digits.labels[:20])


def double_model(*arguments):
    """Build a model of 64-bit numbers, so that no rounding hides or looks like an error."""
    return zoo.build_model(*arguments).double()


def arrange(patch, folder):
    """Let `experiments.train` use the tiny recipes and write below `folder`."""
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    patch.setattr(train, "RECIPES", RECIPES)
    patch.setattr(train, "load_mnist", few_digits)
    patch.setattr(train, "build_model", double_model)
    patch.setattr(train, "CHECKPOINTS", folder / "checkpoints")
    patch.setattr(train, "CHECKPOINT_EVERY", 3)
    patch.setattr("experiments.assets.ASSETS", folder / "assets")
    patch.setattr("experiments.assets.SUMS", folder / "assets" / "SHA256SUMS")


def run(patch, folder, name, *options):
    """Train a tiny recipe and return its record and the folder of assets."""
    arrange(patch, folder)
    patch.setattr(sys, "argv", ["train", name, *options])
    train.main()
    return record_in(folder / "assets", name), folder / "assets"


def record_in(assets, name):
    """Return the record of a training."""
    return json.loads((assets / record_file(name)).read_text())


def record_file(name):
    return f"records/trainings/{name}.json"


def weights_file(name):
    return f"weights/{name}.safetensors"


def files_in(folder):
    """Return all files below a folder, by their paths, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def without_times(record):
    runs = [{key: run[key] for key in run if key != "seconds"} for run in record["runs"]]
    return {**record, "runs": runs}


def before_step(patch, model_class, number, act):
    """Call `act` when the n-th step from now on begins."""
    original, calls = model_class.training_loss, []

    def training_loss(self, *arguments):
        calls.append(1)
        if len(calls) == number:
            act()
        return original(self, *arguments)

    patch.setattr(model_class, "training_loss", training_loss)


def main():
    name, folder = sys.argv[1:]
    sys.argv = ["train", name]
    with pytest.MonkeyPatch.context() as patch:
        arrange(patch, Path(folder))
        if "DIE_AT" in os.environ and os.environ["RANK"] in os.environ.get("DIE_RANK", "01"):
            model_class = type(double_model(RECIPES[name].model, RECIPES[name].arguments))
            die = lambda: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
            before_step(patch, model_class, int(os.environ["DIE_AT"]), die)
        train.main()


if __name__ == "__main__":
    main()

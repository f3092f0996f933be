"""Trainings that test_distributed.py runs in one process and, under torchrun, in two.

torchrun ... tests/distributed_cases.py FOLDER writes FOLDER/RANK.pt, and what the command of
tiny_recipes.py writes.
"""

import math
import os
import sys
from pathlib import Path

import pytest
import tiny_recipes
import torch
from models_under_test import ToyModel, build, labels_for, some_tokens
from small_trainings import LABELS, Classifier, mlp, seeded, shifted_stripes
from tiny_recipes import before_step

from experiments.trainables import Redrawing
from pixelar_lib import distributed
from pixelar_lib.data import load_mnist
from pixelar_lib.models import VQVAE, CategoricalPixelPredictor
from pixelar_lib.training import fit
from pixelar_lib.zoo import DATA_KINDS

AGAIN = "The command starts again."
SIZE = (4, 5)
TOKENS = some_tokens(13, SIZE, 3)
GREY = some_tokens(13, SIZE, 256).to(torch.uint8)


def network(dropout=0.0):
    return mlp(dropout=dropout)


def redrawing():
    return Redrawing(build("pixelcnn", num_bins=2), DATA_KINDS["binarized"])


# name -> (function that builds what is trained, arguments of fit); 13 images make batches of
# 5, 5 and 3
CASES = {
    "windows": (network, {"batch_size": 6}),
    "windows in uneven shares": (network, {"batch_size": 5}),
    "windows in shuffled epochs": (network, {"batch_size": 5, "replacement": False}),
    "pixelcnn": (lambda: build("pixelcnn"), {"batch_size": 5}),
    "labels in shuffled epochs": (
        lambda: build("conditional pixelcnn"),
        {"batch_size": 5, "replacement": False},
    ),
    "noise": (redrawing, {"inputs": GREY, "batch_size": 5}),
    "no pixel model": (
        Classifier,
        {"inputs": shifted_stripes().double(), "labels": LABELS, "batch_size": 5},
    ),
    "codebook": (
        lambda: VQVAE(num_codes=8, channels=4, code_size=3),
        {"inputs": load_mnist("train").images[:13], "batch_size": 5},
    ),
    "toy": (lambda: build("toy"), {"batch_size": 2}),
}


def train(model, *, seed=1, inputs=TOKENS, labels=None, **arguments):
    """Train, looking at the same data; return all that must come out alike."""
    if getattr(model, "num_classes", None):
        labels = labels_for(model, len(inputs))
    defaults = {"held_out": inputs, "held_out_labels": labels}
    defaults |= {"steps": 12, "learning_rate": 0.01, "device": "cpu", "progress": False}
    generator = seeded(seed)
    history = fit(model, inputs, labels, generator=generator, **{**defaults, **arguments})
    return {"weights": model.state_dict(), "history": vars(history), "next": generator.get_state()}


def run_case(name):
    build_model, arguments = CASES[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return train(build_model().double(), **arguments)


def error_of(act, *arguments, **named):
    """Return the kind of error that a call raises, and what it says."""
    try:
        act(*arguments, **named)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def errors(folder):
    """Return what each kind of mistake, made in one process or in both, leads to here."""
    damaged = folder / "damaged.pt"
    if distributed.rank() == 0:
        damaged.write_bytes(b"junk")
    found = {"damaged": error_of(train, network(), batch_size=4, checkpoint=damaged)}
    found["batch of 1"] = error_of(train, network(), batch_size=1)
    found["seeds"] = error_of(train, network(), batch_size=4, seed=distributed.rank())
    other = TOKENS.roll(distributed.rank())
    found["data"] = error_of(train, network(), batch_size=4, inputs=other)
    with pytest.MonkeyPatch.context() as patch:
        original = ToyModel.training_loss

        def bad_in_the_second(self, *batch):
            return original(self, *batch) * (math.nan if distributed.rank() else 1)

        patch.setattr(ToyModel, "training_loss", bad_in_the_second)
        found["not finite"] = error_of(train, ToyModel(3), batch_size=4)
    return found


def stop():
    raise InterruptedError


def broken(folder, dropout):
    """Train, be stopped at step 8, and resume; only the first process sees the checkpoint."""
    path = folder / f"of process {distributed.rank()}" / "training.pt"
    arguments = {"batch_size": 5, "checkpoint": path, "checkpoint_every": 3}
    with pytest.MonkeyPatch.context() as patch:
        before_step(patch, CategoricalPixelPredictor, 8, stop)
        assert "Interrupted" in error_of(train, network(dropout), **arguments)
    return train(network(dropout), **arguments)


def command(folder):
    """Run the command, be stopped at step 8, and run it again; both processes use the folder."""
    with pytest.MonkeyPatch.context() as patch:
        tiny_recipes.arrange(patch, folder)
        train = tiny_recipes.train.train
        recipe = "tiny-mlp", tiny_recipes.RECIPES["tiny-mlp"]
        with pytest.MonkeyPatch.context() as inner:
            before_step(inner, CategoricalPixelPredictor, 8, stop)
            assert "Interrupted" in error_of(train, *recipe)
        distributed.from_first(lambda: print(AGAIN, file=sys.stderr, flush=True))
        train(*recipe)


def main():
    folder = Path(sys.argv[1])
    with distributed.processes():
        results = {name: run_case(name) for name in CASES}
        results["float32"] = train(network(), batch_size=5)
        results["bfloat16"] = train(build("pixelcnn"), batch_size=5, precision="bfloat16")
        for dropout in (0.0, 0.25):
            results[f"whole {dropout}"] = train(network(dropout), batch_size=5)
            results[f"broken {dropout}"] = broken(folder / str(dropout), dropout)
        results["errors"] = errors(folder)
        command(folder / "command")
        torch.save(results, folder / f"{os.environ['RANK']}.pt")


if __name__ == "__main__":
    main()

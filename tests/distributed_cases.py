"""Trainings that test_distributed.py runs in one process and, under torchrun, in two.

python -m torch.distributed.run ... tests/distributed_cases.py FOLDER writes FOLDER/RANK.pt.
"""

import math
import os
import sys
from pathlib import Path

import torch
from models_under_test import ToyModel, build, labels_for, some_tokens
from tiny_recipes import before_step

from pixelar_lib import distributed
from pixelar_lib.models import CategoricalPixelPredictor
from pixelar_lib.quantization import binarize
from pixelar_lib.training import fit

SIZE = (4, 5)
TOKENS = some_tokens(13, SIZE, 3)
GREY = some_tokens(13, SIZE, 256).to(torch.uint8)


def mlp(dropout=0.0):
    return CategoricalPixelPredictor(3, 4, 4, 16, dropout)


# name -> (function that builds a model, arguments of fit); 13 images make batches of 5, 5 and 3
CASES = {
    "windows": (mlp, {"batch_size": 6}),
    "windows in uneven shares": (mlp, {"batch_size": 5}),
    "windows in shuffled epochs": (mlp, {"batch_size": 5, "replacement": False}),
    "pixelcnn": (lambda: build("pixelcnn"), {"batch_size": 5}),
    "labels in shuffled epochs": (
        lambda: build("conditional pixelcnn"),
        {"batch_size": 5, "replacement": False},
    ),
    "noise": (
        lambda: build("pixelcnn", num_bins=2),
        {"tokens": GREY, "transform": binarize, "held_out": None, "batch_size": 5},
    ),
    "toy": (lambda: build("toy"), {"batch_size": 2}),
}


def train(model, *, seed=1, tokens=TOKENS, **arguments):
    labels = labels_for(model, len(tokens))
    arguments = {"held_out": TOKENS, "held_out_labels": labels, **arguments}
    if arguments["held_out"] is None:
        arguments["held_out_labels"] = None
    arguments = {"steps": 12, "learning_rate": 0.01, "device": "cpu", **arguments}
    generator = torch.Generator().manual_seed(seed)
    history = fit(model, tokens, labels, generator=generator, progress=False, **arguments)
    return {"weights": model.state_dict(), "history": vars(history), "next": generator.get_state()}


def run_case(name):
    build_model, arguments = CASES[name]
    return train(build_model().double(), **arguments)


def error_of(act, *arguments, **named):
    """Return the kind of error that a call raises, and what it says."""
    try:
        act(*arguments, **named)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def errors(folder):
    """Return what each kind of mistake, made in one process or in both, leads to here."""
    import pytest

    damaged = folder / "damaged.pt"
    if distributed.rank() == 0:
        damaged.write_bytes(b"junk")
    found = {"damaged": error_of(train, mlp(), batch_size=4, checkpoint=damaged)}
    found["batch of 1"] = error_of(train, mlp(), batch_size=1)
    found["seeds"] = error_of(train, mlp(), batch_size=4, seed=distributed.rank())
    found["data"] = error_of(train, mlp(), batch_size=4, tokens=TOKENS.roll(distributed.rank()))
    with pytest.MonkeyPatch.context() as patch:
        original = ToyModel.training_loss

        def bad_in_the_second(self, *arguments):
            return original(self, *arguments) * (math.nan if distributed.rank() else 1)

        patch.setattr(ToyModel, "training_loss", bad_in_the_second)
        found["not finite"] = error_of(train, ToyModel(3), batch_size=4)
    return found


def broken(folder, dropout):
    """Train, be stopped at step 8, and resume; only the first process sees the checkpoint."""
    import pytest

    path = folder / f"of process {distributed.rank()}" / "training.pt"
    arguments = {"batch_size": 5, "checkpoint": path, "checkpoint_every": 3}
    with pytest.MonkeyPatch.context() as patch:

        def stop():
            raise InterruptedError

        before_step(patch, CategoricalPixelPredictor, 8, stop)
        assert "Interrupted" in error_of(train, mlp(dropout), **arguments)
    return train(mlp(dropout), **arguments)


def main():
    folder = Path(sys.argv[1])
    with distributed.processes():
        results = {name: run_case(name) for name in CASES}
        results["float32"] = train(mlp(), batch_size=5)
        results["bfloat16"] = train(build("pixelcnn"), batch_size=5, precision="bfloat16")
        for dropout in (0.0, 0.25):
            results[f"whole {dropout}"] = train(mlp(dropout), batch_size=5)
            results[f"broken {dropout}"] = broken(folder / str(dropout), dropout)
        results["errors"] = errors(folder)
        torch.save(results, folder / f"{os.environ['RANK']}.pt")


if __name__ == "__main__":
    main()

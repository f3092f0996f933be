"""What the page of results says of our trainings: python -m experiments.scoreboard

For each training: how many multiplications it took. For each model that ships: by how much it is
ahead of the next one of its kind of MNIST. Writes records/measurements/scoreboard.json below
pixelar_lib/assets. Resumable, as `trials` says.

This evaluates the test set once more, with models that were chosen before; nothing is chosen by it.
"""

import inspect
import math
from functools import cache
from itertools import pairwise

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from experiments.recipes import RECIPES, Recipe
from experiments.train import labels_for, learner_for
from experiments.trials import measure
from pixelar_lib import zoo
from pixelar_lib.data import load_mnist
from pixelar_lib.training import fit

COUNTED_STEPS = 10  # their mean: equal windows are computed once, so a step depends on its images
FORWARD_AND_BACKWARD = 3  # a backward pass has two products for each one of a forward pass
USUAL_BATCH = inspect.signature(fit).parameters["batch_size"].default


def main() -> None:
    protocol = (
        "Multiplications: those of matrix products and convolutions in the forward pass of a "
        f"training step, mean of {COUNTED_STEPS} batches of training images, times "
        f"{FORWARD_AND_BACKWARD} for forward and backward, times the steps of one run. Zeros at an "
        "image's edge and masked pairs of an attention count, as if all were computed; products "
        "number by number, evaluations and the optimizer do not. Of equal windows in a step one "
        "counts, as one is computed. Ahead: over all test images, the same for both models (where "
        "tokens are drawn, with the same noise), the mean and the standard error of what an image "
        "costs more under the next worse model of that kind of MNIST."
    )
    measure("scoreboard", protocol, zoo.results(), run)


def run(name: str) -> dict:
    """Return the row of a training."""
    recipe, row = RECIPES[name], {"name": name}
    per_step = multiplications_per_step(recipe)
    row["multiplications_per_step"] = round(per_step)
    row["multiplications"] = round(FORWARD_AND_BACKWARD * per_step * recipe.steps)
    behind = next_behind(name)
    if behind is not None:
        row |= {"ahead_of": behind, **difference(bits(name), bits(behind))}
    return row


def multiplications_per_step(recipe: Recipe) -> float:
    """Count the multiplications of a training step's forward pass, for the untrained model."""
    generator = torch.Generator().manual_seed(0)
    digits = load_mnist("train", "full")
    # float64, since torch has a fused LSTM for float32, whose products could not be seen
    model = zoo.build_model(recipe.model, recipe.arguments).double().train()
    learner, inputs = learner_for(model, recipe, digits, generator)
    labels, size = labels_for(model, digits), recipe.fit.get("batch_size", USUAL_BATCH)
    counter = Multiplications()
    for _ in range(COUNTED_STEPS):
        chosen = torch.randint(len(inputs), (size,), generator=generator)
        batch = learner.prepare(
            inputs[chosen], None if labels is None else labels[chosen], generator
        )
        with counter, sdpa_kernel(SDPBackend.MATH):  # attention as plain matrix products
            learner.training_loss(*batch)
    return counter.total / COUNTED_STEPS


class Multiplications(TorchDispatchMode):
    """Adds up the multiplications of matrix products and convolutions while it is entered.

    torch's own `FlopCounterMode` hooks all modules, and a window model with hooks computes more.

    Attributes:
        total: How many there were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        if count := flop_registry.get(function.overloadpacket):
            operations = count(*args, **(kwargs or {}), out_val=found)
            self.total += operations // 2  # a multiplication and an addition each
        return found


def next_behind(name: str) -> str | None:
    """Return which model of the same kind of MNIST follows a shipped one, by bits on test images.

    None for the last one, and for a training whose weights do not ship.
    """
    results = zoo.results()
    if not results[name]["ships_weights"]:
        return None
    kind = zoo.info(name)["mnist"]
    ours = [other for other in zoo.list_pretrained() if zoo.info(other)["mnist"] == kind]
    ours.sort(key=lambda other: results[other]["runs"][0]["test"]["bits_per_dim"])
    return dict(pairwise(ours)).get(name)


@cache
def bits(name: str) -> torch.Tensor:
    """Return what each test image costs under a shipped model, bits per dimension, float64 (N,)."""
    model, digits = zoo.load_pretrained(name), load_mnist("test", "full")
    tokens = zoo.to_tokens(digits.images, model.num_bins, zoo.info(name)["data"])
    return model.held_out_loss(tokens, labels_for(model, digits)) / math.log(2)


def difference(ahead: torch.Tensor, behind: torch.Tensor) -> dict:
    """Return by how much images cost less under one model than under another, with its error.

    Both have tested the same images, so what is hard about an image drops out.
    """
    gaps = behind - ahead
    return {
        "bits_per_dim": float(gaps.mean()),
        "standard_error": float(gaps.std() / math.sqrt(len(gaps))),
        "num_images": len(gaps),
    }


if __name__ == "__main__":
    main()

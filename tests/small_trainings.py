"""Trainings that take a moment, for the tests of fit and of its checkpoints."""

import torch

from pixelar_lib.models import CategoricalPixelPredictor
from pixelar_lib.training import fit

SIZE = (4, 5)
STRIPES = torch.arange(20).view(1, *SIZE).repeat(12, 1, 1) % 3  # each pixel follows from two
LABELS = torch.arange(12) % 3
HELD_OUT = STRIPES[:4]


class Killed(BaseException):
    """Stands for the end of the process."""


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def mlp(num_bins=3, **arguments):
    """Return a small network with dropout, so that dropout's randomness is tested too."""
    sizes = {"context_length": 4, "embedding_dim": 4, "hidden_size": 16, "dropout": 0.25}
    return CategoricalPixelPredictor(num_bins, **{**sizes, **arguments})


def train(model, seed=1, inputs=STRIPES, **arguments):
    """Fit with small defaults and return the history."""
    defaults = {"steps": 12, "batch_size": 4, "device": "cpu", "progress": False}
    if seed is not None:
        defaults["generator"] = seeded(seed)
    return fit(model, inputs, **{**defaults, **arguments})


def same_weights(one, other):
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])

"""Trainings that take a moment, for the tests of fit and of its checkpoints."""

import torch
from torch import nn

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


class Classifier(nn.Module):
    """Tells which stripes it sees; no pixel model, and its inputs are greys."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(20, 3)

    def check_input(self, images, labels=None):
        if not images.is_floating_point() or labels is None:
            raise ValueError("give greys and labels")

    def prepare(self, images, labels, generator):
        return images + 0.01 * torch.rand(images.shape, generator=generator), labels

    def training_loss(self, images, labels):
        return nn.functional.cross_entropy(self.layer(images.flatten(1)), labels)

    def held_out_loss(self, images, labels=None):
        logits = self.layer(images.flatten(1))
        return nn.functional.cross_entropy(logits, labels, reduction="none")


def shifted_stripes():
    """Return float images (12, 4, 5) that differ by label, values from 0 to below 1."""
    return torch.stack([STRIPES[0].roll(int(label), 1) for label in LABELS]) / 3

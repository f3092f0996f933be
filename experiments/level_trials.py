"""What helps a PixelCNN with all 256 levels? python -m experiments.level_trials

Trains each candidate for `pixelcnn-k256` for about a minute on one thread, evaluates it on
validation images, and writes records/measurements/level_trials.json below pixelar_lib/assets.
The time is the processor's: other programs may run beside it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn

from experiments.recipes import PIXELCNN_FIT
from experiments.trials import measure
from pixelar_lib.data import load_mnist
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import PixelCNN, PixelModel, PointingPixelCNN, RasterLSTM
from pixelar_lib.training import fit

NUM_BINS = 256
NUM_VALIDATION = 1_000


@dataclass(frozen=True)
class Trial:
    """One candidate.

    Attributes:
        change: What it is, in a few words.
        steps: Updates, so that all take about as long.
        build: Returns the untrained model.
        fit: Arguments of `training.fit` that differ.
    """

    change: str
    steps: int
    build: Callable[[], PixelModel] = lambda: PixelCNN(NUM_BINS)
    fit: dict = field(default_factory=dict)


class WithValue(PixelCNN):
    """Adds to each level's vector what a linear layer makes of its value and of bumps around it."""

    BUMPS = 16

    def __init__(self) -> None:
        super().__init__(NUM_BINS)
        self.value = nn.Linear(1 + self.BUMPS, self.embedding.embedding_dim)

    def embed(self, tokens):
        value = tokens[..., None] / (NUM_BINS - 1)
        middles = torch.linspace(0, 1, self.BUMPS)
        bumps = torch.exp(-((value - middles) ** 2) * 100)
        return super().embed(tokens) + self.value(torch.cat([value, bumps], dim=-1))


class CoarseThenFine(PixelCNN):
    """Predicts one of 16 bins first, and then one of the 16 levels in it."""

    def __init__(self) -> None:
        super().__init__(NUM_BINS)
        size = self.head[-1].in_features
        self.head[-1] = CoarseThenFineHead(size)


class CoarseThenFineHead(nn.Module):
    """Turns (..., C) into log-probabilities of 256 levels."""

    BINS = 16

    def __init__(self, size: int) -> None:
        super().__init__()
        self.coarse = nn.Linear(size, self.BINS)
        self.told = nn.Embedding(self.BINS, size)
        self.fine = nn.Linear(size, NUM_BINS // self.BINS)

    def forward(self, hidden):
        fine = self.fine((hidden[..., None, :] + self.told.weight).relu()).log_softmax(dim=-1)
        return (self.coarse(hidden).log_softmax(dim=-1)[..., None] + fine).flatten(-2)


class Guessing(PointingPixelCNN):
    """Points at guesses alone."""

    def __init__(self, num_bins: int = NUM_BINS, **arguments) -> None:
        super().__init__(num_bins, **arguments)
        self.pointer.trust.requires_grad_(False)

    def predict(self, embedded, labels=None, state=None):
        self.pointer.trust.zero_()  # also after new weights were drawn
        return super().predict(embedded, labels, state)


TRIALS = [
    Trial("nothing", 1_000),
    Trial("64 channels", 690, partial(PixelCNN, NUM_BINS, 64)),
    Trial("attention in the middle", 520, partial(PixelCNN, NUM_BINS, attention_heads=2)),
    Trial("the value beside the embedding", 980, WithValue),
    Trial("a bin first, then a level in it", 850, CoarseThenFine),
    Trial("an LSTM instead", 1_500, partial(RasterLSTM, NUM_BINS), {"learning_rate": 6e-3}),
    Trial("points at guesses", 900, Guessing),
    Trial("points at guesses, counts levels", 850, partial(PointingPixelCNN, NUM_BINS)),
]


def main() -> None:
    protocol = (
        "Each trained once on the first 50,000 training images, all 256 levels; measured on "
        f"{NUM_VALIDATION:,} validation images. The standard error is over images, the time is "
        "the processor's."
    )
    measure("level_trials", protocol, TRIALS, run)


def run(trial: Trial) -> dict:
    """Train and evaluate one candidate."""
    train, validation = (load_mnist(split, "full").images for split in ("train", "validation"))
    settings = {**PIXELCNN_FIT, "warmup_steps": 100, **trial.fit}
    model = trial.build()
    generator = torch.Generator().manual_seed(0)
    begin = time.process_time()
    fit(model, train, steps=trial.steps, generator=generator, initialize=True, **settings)
    seconds = time.process_time() - begin
    found = evaluate(model, validation[:NUM_VALIDATION].long())
    return {
        "change": trial.change,
        "fit": settings,
        "parameters": model.num_parameters,
        "steps": trial.steps,
        "ms_per_step": round(1e3 * seconds / trial.steps, 1),
        "validation_bits_per_dim": found.bits_per_dim,
        "standard_error": found.standard_error / found.nats_per_pixel * found.bits_per_dim,
    }


if __name__ == "__main__":
    main()

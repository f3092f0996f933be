"""Variants of the post's network that only experiments need."""

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.context import targets
from pixelar_lib.models import CategoricalPixelPredictor, initialize

SIDE = 28  # rows and columns of a picture


class OneHot(CategoricalPixelPredictor):
    """Sees each token as a vector with a single 1, which training does not change."""

    def __init__(self, num_bins: int, embedding_dim: int = 0, **arguments) -> None:
        super().__init__(num_bins, embedding_dim=num_bins + 1, **arguments)
        self.embedding.weight.requires_grad_(False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        initialize(self.layers)
        nn.init.eye_(self.embedding.weight)


class WithPosition(CategoricalPixelPredictor):
    """Sees two more tokens at the end of each window: those of the pixel's row and column."""

    def __init__(self, num_bins: int, **arguments) -> None:
        super().__init__(num_bins, **arguments)
        self.num_values += 2 * SIDE
        self.embedding = nn.Embedding(self.num_values, self.embedding.embedding_dim)
        first = self.layers[0]
        inputs = first.in_features + 2 * self.embedding.embedding_dim
        self.layers[0] = nn.Linear(inputs, first.out_features)

    def contexts(self, tokens, labels=None, pixels=None):
        found = super().contexts(tokens, labels, pixels)
        if pixels is None:
            pixels = torch.arange(SIDE * SIDE).expand(len(tokens), -1)
        place = torch.stack([pixels // SIDE, SIDE + pixels % SIDE], dim=2)
        return torch.cat([found, self.num_bins + 1 + place], dim=2)

    def training_loss(self, tokens, pixels, labels=None):
        windows = self.contexts(tokens, labels, pixels).flatten(0, 1)  # with repeats
        return F.cross_entropy(self.key_predictor()(windows), targets(tokens, pixels).flatten())


def with_depth(num_hidden: int, num_bins: int, **arguments) -> CategoricalPixelPredictor:
    """Return the post's network with another number of hidden layers, at least 1."""
    model = CategoricalPixelPredictor(num_bins, **arguments)
    *hidden, last = model.layers
    first, others = hidden[:3], hidden[3:]  # each: linear, ReLU, dropout
    size = last.in_features
    for _ in range(num_hidden - 1):
        first += [nn.Linear(size, size), *others[1:]]
    model.layers = nn.Sequential(*first, last)
    return model

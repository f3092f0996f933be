"""What `fit` trains in place of a pixel model, where a recipe prepares its batches differently."""

import torch
import torch.nn.functional as F
from torch import nn

from experiments.moving import move
from pixelar_lib.context import targets, windows
from pixelar_lib.data_kinds import DataKind
from pixelar_lib.models import PixelModel, WindowModel


class Wrapped(nn.Module):
    """A pixel model in training. Subclasses change what a step is computed from."""

    def __init__(self, model: PixelModel) -> None:
        super().__init__()
        self.model = model

    def check_input(self, inputs, labels=None):
        self.model.check_input(inputs, labels)

    def prepare(self, inputs, labels, generator):
        return self.model.prepare(inputs, labels, generator)

    def training_loss(self, *batch):
        return self.model.training_loss(*batch)

    def held_out_loss(self, inputs, labels=None):
        return self.model.held_out_loss(inputs, labels)


class Redrawing(Wrapped):
    """Trains on images, which become other tokens at each step, and the same at each look.

    A share of them is moved first, each into another digit (`moving.move`).
    """

    def __init__(self, model: PixelModel, kind: DataKind, moved: float = 0.0) -> None:
        super().__init__(model)
        self.kind, self.moved = kind, moved

    def tokens(self, images, generator):
        return self.kind.to_tokens(images, self.model.num_bins, generator)

    def check_input(self, images, labels=None):
        super().check_input(self.tokens(images, torch.Generator()), labels)

    def prepare(self, images, labels, generator):
        tokens = self.tokens(self.move_some(images, generator), generator)
        return super().prepare(tokens, labels, generator)

    def move_some(self, images, generator):
        if self.moved in (0, 1):
            return move(images, generator) if self.moved else images
        chosen = torch.rand(len(images), generator=generator) < self.moved
        return torch.where(chosen[:, None, None], move(images, generator), images)

    def held_out_loss(self, images, labels=None):
        return super().held_out_loss(self.tokens(images, torch.Generator().manual_seed(0)), labels)


class FixedWindows(Wrapped):
    """Trains a window model on given windows, each with its target last: integer (M, C + 1)."""

    model: WindowModel

    def check_input(self, inputs, labels=None):
        if inputs.ndim == 3:  # held-out images
            super().check_input(inputs, labels)

    def prepare(self, pairs, labels, generator):
        return pairs[:, :-1].long(), pairs[:, -1].long()

    def training_loss(self, contexts, following):
        return F.cross_entropy(self.model.predict_windows(contexts), following)


def fixed_windows(model, tokens, recipe, generator) -> torch.Tensor:
    """Return the first windows of images in random order, each with its target, uint8."""
    num_images = -(-recipe.num_windows // tokens[0].numel())
    chosen = tokens[torch.randperm(len(tokens), generator=generator)[:num_images]]
    contexts = windows(chosen, model.context, model.start_token)
    pairs = torch.cat([contexts, targets(chosen)[..., None]], dim=2)  # (N, H W, C + 1)
    return pairs.flatten(0, 1)[: recipe.num_windows].to(torch.uint8)

"""What `fit` trains in place of a pixel model, where a recipe prepares its batches differently."""

import torch
import torch.nn.functional as F
from torch import nn

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
    """Trains on images, which become other tokens at each step, and the same at each look."""

    def __init__(self, model: PixelModel, kind: DataKind) -> None:
        super().__init__(model)
        self.kind = kind

    def tokens(self, images, generator):
        return self.kind.to_tokens(images, self.model.num_bins, generator)

    def check_input(self, images, labels=None):
        super().check_input(self.tokens(images, torch.Generator()), labels)

    def prepare(self, images, labels, generator):
        return super().prepare(self.tokens(images, generator), labels, generator)

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

"""A model of one's own, as the page "The library, module by module" shows it."""

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.models import PixelModel


class MaskedConv(nn.Conv2d):
    """Sees the row above and the pixel to the left, and its own place if `itself` is 1."""

    def __init__(self, inputs, outputs, itself):
        super().__init__(inputs, outputs, kernel_size=3)
        self.itself = itself
        mask = torch.tensor([[1, 1, 1], [1, itself, 0], [0, 0, 0]])
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x, state=None):
        if state is None:  # the whole picture, (N, H, W, C)
            seen = F.pad(x.movedim(-1, 1), (1, 1, 1, 1))
        else:  # one place, (N, C): write it where it stands, and look around the predicted one
            # (before the first pixel stand zeros, which go into the margin)
            if self not in state:
                state[self] = x.new_zeros(*x.shape, state.height + 2, state.width + 2)
            row, column = divmod(state.pixel - 1 + self.itself, state.width)
            state[self][:, :, row + 1, column + 1] = x
            seen = state[self][:, :, state.row :, state.column :][:, :, :3, :3]
        found = F.conv2d(seen, self.weight * self.mask, self.bias).movedim(1, -1)
        return found if state is None else found[:, 0, 0]


class TwoConvolutions(PixelModel):
    """Predicts a pixel from a few pixels around it."""

    def __init__(self, num_bins=16, channels=16):
        super().__init__(num_bins)
        self.embedding = nn.Embedding(num_bins, channels)
        self.first = MaskedConv(channels, channels, itself=0)
        self.second = MaskedConv(channels, num_bins, itself=1)

    def embed(self, tokens):
        return self.embedding(tokens)

    def predict(self, embedded, labels=None, state=None):
        hidden = self.first(embedded, state).relu()
        return self.second(hidden, state).movedim(-1, 1)

    def receptive_field(self, row, column, height, width):
        up, aside = row - torch.arange(height)[:, None], torch.arange(width) - column
        before = super().receptive_field(row, column, height, width)
        return before & (up <= 2) & (aside >= -2) & (aside <= up)

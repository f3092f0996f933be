"""Convolutions that see their own place and places before it, over pictures or step by step."""

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.models.state import State

SIDE = 2  # columns that a vertical convolution sees to each side, times its dilation
ROWS, LEFT = 3, 3  # first layers see 3 rows above, and 3 pixels to the left


class VerticalConv(nn.Conv2d):
    """A convolution that sees its own row and rows above, and columns on both sides."""

    def __init__(self, channels: int, rows: int, dilation: int = 1) -> None:
        """Build it with random weights; its places are `dilation` apart."""
        super().__init__(channels, channels, (rows, 2 * SIDE + 1), dilation=dilation)

    def forward(self, x: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Turn (N, H, W, C) into the same shape; with a state, one row more: H = 1."""
        dilation, up = self.dilation[0], (self.kernel_size[0] - 1) * self.dilation[0]
        aside = SIDE * dilation
        if state is None:
            padded = F.pad(x, (0, 0, aside, aside, up, 0))
            return super().forward(padded.movedim(-1, 1)).movedim(1, -1)
        rows = torch.cat(_places_seen(state, self, x, up, dilation), dim=1)  # only those it sees
        padded = F.pad(rows, (0, 0, aside, aside)).movedim(-1, 1)
        return F.conv2d(padded, self.weight, self.bias, dilation=(1, dilation)).movedim(1, -1)


class HorizontalConv(nn.Conv2d):
    """A convolution that sees its own place and places to its left."""

    def __init__(self, channels: int, columns: int, dilation: int = 1) -> None:
        """Build it with random weights; its places are `dilation` apart."""
        super().__init__(channels, channels, (1, columns), dilation=dilation)

    def forward(self, x: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Turn (N, H, W, C) into the same shape; with a state, one place more, (N, C)."""
        dilation, left = self.dilation[1], (self.kernel_size[1] - 1) * self.dilation[1]
        if state is None:
            padded = F.pad(x, (0, 0, left, 0))
            return super().forward(padded.movedim(-1, 1)).movedim(1, -1)
        if state.column == 0:  # a new row
            state[self, "matrix"] = self.weight[:, :, 0].permute(2, 1, 0).flatten(0, 1)
            state.pop(self, None)
        seen = torch.cat(_places_seen(state, self, x, left, dilation), dim=1)  # (N, columns C)
        return torch.addmm(self.bias, seen, state[self, "matrix"])


class Stem(nn.Module):
    """A first layer that sees the pixels around a place and before it, and not the place itself.

    x marks what the prediction at o is computed from; `PixelCNN` begins with the same two
    convolutions, shifted in the same way:

        x x x x x
        x x x x x
        x x x x x
        x x x o
    """

    def __init__(self, channels: int) -> None:
        """Build it with random weights, for embedded pixels of C = `channels` numbers."""
        super().__init__()
        self.vertical = VerticalConv(channels, ROWS)
        self.horizontal = HorizontalConv(channels, LEFT)
        self.link = nn.Linear(channels, channels)

    def forward(self, embedded: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Turn embedded pixels (N, H, W, C) into the same shape, as `PixelModel.predict`.

        With a state: the pixel before, (N, C), into what is known of the next place, (N, C).
        """
        if state is None:
            above = self.vertical(F.pad(embedded, (0, 0, 0, 0, 1, -1)))
            return self.link(above.relu()) + self.horizontal(F.pad(embedded, (0, 0, 1, -1)))
        row = row_above(state, self, embedded)
        if row is not None:
            found = self.link(self.vertical(row, state).relu())
            state[self, "found"] = found[:, 0].unbind(dim=1)
            embedded = torch.zeros_like(embedded)  # nothing is to the left
        return state[self, "found"][state.column] + self.horizontal(embedded, state)


class PixelBefore(nn.Module):
    """A first layer that shows each place the pixel before it in raster order, and no other."""

    def forward(self, embedded: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Shift embedded pixels (N, H, W, C) by one place; with a state, they are (N, C)."""
        if state is not None:
            return embedded  # it is the pixel before
        flat = embedded.flatten(1, 2)  # (N, H W, C)
        return F.pad(flat, (0, 0, 1, -1)).unflatten(1, embedded.shape[1:3])


def row_above(state: State, layer: nn.Module, embedded: torch.Tensor) -> torch.Tensor | None:
    """Keep the pixel before, (N, C); where a row begins, return the row above it, (N, 1, W, C)."""
    row = state.setdefault(layer, [embedded] * (state.width - 1))  # zeros: nothing is above
    row.append(embedded)
    if state.column:
        return None
    above = torch.stack(row[-state.width :], dim=1)[:, None]
    row.clear()
    return above


def _places_seen(state: State, layer: nn.Module, x: torch.Tensor, reach: int, step: int) -> list:
    """Return x and every step-th place before it, oldest first; the layer keeps `reach` of them."""
    if layer not in state:
        state[layer] = [torch.zeros_like(x)] * reach  # padding
    places = state[layer]
    places.append(x)
    seen = places[-1 - reach :: step]
    del places[: len(places) - reach]
    return seen

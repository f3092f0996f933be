"""PixelCNN: convolutions over all pixels before, and over no pixel after.

Sources: van den Oord et al., Pixel Recurrent Neural Networks, 2016 (masked convolutions, a
softmax over the grey levels); van den Oord et al., Conditional Image Generation with PixelCNN
Decoders, 2016 (two stacks, which leave no blind spot; labels); Salimans et al., PixelCNN++,
2017 (shifts instead of masks); Ramachandran et al., Fast Generation for Convolutional
Autoregressive Models, 2017 (what was computed for a pixel is kept); Chen et al., PixelSNAIL,
2018 (attention between convolutions).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.models.attention import AttentionBlock
from pixelar_lib.models.base import PixelModel
from pixelar_lib.models.causal_conv import (
    LEFT,
    ROWS,
    SIDE,
    HorizontalConv,
    VerticalConv,
    row_above,
)
from pixelar_lib.models.modules import check_dropout
from pixelar_lib.models.state import State
from pixelar_lib.quantization import check_count


class PixelCNN(PixelModel):
    """Predict each pixel from all rows above it and from the pixels to its left.

    Two stacks of convolutions. The picture is shifted, by one row for the vertical stack and by
    one pixel for the horizontal one; then a layer may see its own place and what lies before,
    and that is all the masking there is. x marks the pixels that the first layers see, and the
    places that those of a block see, o where they write:

        vertical stack:    x x x x x   then  x x x x x     horizontal:  x x x o   then  x x o
                           x x x x x         x x o x x
                           x x x x x
                               o

    The vertical stack reads rows above. The horizontal stack reads the same row and, in each
    block, what the vertical stack has found. Dilation pulls the x of a block apart, so that few
    blocks reach far. Nothing else crosses from pixel to pixel.

    Attributes:
        dilations: Distance between the pixels that a block's convolutions see, one a block.
        middle: Number of blocks before the horizontal stack's attention; None without attention.
    """

    eval_batch_size = 32

    def __init__(
        self,
        num_bins: int = 16,
        channels: int = 48,
        dilations: Sequence[int] = (1, 2, 4, 8, 8, 1),
        num_classes: int | None = None,
        dropout: float = 0.0,
        attention_heads: int = 0,
    ) -> None:
        """Build the network with random weights.

        Args:
            num_bins: K, at least 2.
            channels: C, the width of both stacks.
            dilations: One number a block, each at least 1. With the default, a prediction sees
                all pixels before it on images of up to 28 x 28.
            num_classes: Number of labels of a conditional model, else None.
            dropout: Share of a block's channels that training sets to 0, from 0 to below 1.
            attention_heads: Heads, which divide C, of an attention after the middle block; or 0.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If a number is out of range.
        """
        channels, dropout = check_count("channels", channels), check_dropout(dropout)
        dilations = tuple(check_count("a dilation", dilation) for dilation in dilations)
        super().__init__(num_bins, num_classes, label_size=2 * channels * (1 + len(dilations)))
        self.dilations = dilations
        self.embedding = nn.Embedding(self.num_bins, channels)
        self.vertical = VerticalConv(channels, ROWS)
        self.horizontal = HorizontalConv(channels, LEFT)
        self.link = nn.Linear(channels, channels)
        self.blocks = nn.ModuleList(
            Block(channels, dilation, dropout) for dilation in self.dilations
        )
        self.head = nn.Sequential(
            nn.ReLU(),
            nn.Linear(channels, 2 * channels),
            nn.ReLU(),
            nn.Linear(2 * channels, self.num_bins),
        )
        self.middle = None
        if check_count("attention_heads", attention_heads, least=0):
            self.middle = (check_count("the number of dilations", len(dilations)) + 1) // 2
            self.attention = AttentionBlock(channels, attention_heads, dropout)
        self.to(memory_format=torch.channels_last)  # what convolutions on a CPU are fastest with

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Turn tokens, long (N, H, W), into vectors (N, H, W, C)."""
        return self.embedding(tokens)

    def predict(
        self,
        embedded: torch.Tensor,
        labels: torch.Tensor | None = None,
        state: State | None = None,
    ) -> torch.Tensor:
        """Turn embedded pixels into logits, as `PixelModel.predict`."""
        if state is None:
            found = self.look_above(F.pad(embedded, (0, 0, 0, 0, 1, -1)), labels)
            return self.look_left(F.pad(embedded, (0, 0, 1, -1)), found).movedim(-1, 1)
        above = row_above(state, self, embedded)
        if above is not None:  # a row begins, and what lies above is the same for all of it
            found = self.look_above(above, labels, state)
            state[self, "found"] = [layer[:, 0].unbind(dim=1) for layer in found]
            embedded = torch.zeros_like(embedded)  # nothing is to the left
        found = [layer[state.column] for layer in state[self, "found"]]
        return self.look_left(embedded, found, state)

    def look_above(
        self, rows: torch.Tensor, labels: torch.Tensor | None, state: State | None = None
    ) -> list[torch.Tensor]:
        """Run the vertical stack.

        Args:
            rows: float (N, H, W, C): at each place, the embedded pixel one row above it. With a
                state: the next row alone, H = 1.
            labels: long (N,) or None.
            state: What the layers keep of the rows before.

        Returns:
            What it tells the horizontal stack: for the first layer and for each block (N, H, W, C).
        """
        (to_vertical, to_horizontal), *others = self.label_terms(labels)
        vertical = _add(self.vertical(rows, state), to_vertical)
        found = [_add(self.link(vertical.relu()), to_horizontal)]
        for block, terms in zip(self.blocks, others, strict=True):
            vertical, told = block.look_above(vertical, terms, state)
            found.append(told)
        return found

    def label_terms(self, labels: torch.Tensor | None) -> list[tuple]:
        """Return what labels, long (N,), add to both stacks in the first layers and each block.

        Added everywhere, it is a bias: each label has biases of its own, and shares the rest.

        Returns:
            Pairs of float (N, 1, 1, C), vertical and horizontal; pairs of None without labels.
        """
        places = 1 + len(self.blocks)
        if labels is None:
            return [(None, None)] * places
        terms = self.label_vectors(labels)[:, None, None].chunk(2 * places, dim=-1)
        return [*zip(terms[::2], terms[1::2], strict=True)]

    def look_left(
        self, pixels: torch.Tensor, found: list[torch.Tensor], state: State | None = None
    ) -> torch.Tensor:
        """Run the horizontal stack.

        Args:
            pixels: float (N, H, W, C): at each place, the embedded pixel to its left. With a
                state: the next one alone, (N, C).
            found: From `look_above`, at the same places.
            state: What the layers keep of the pixels before.

        Returns:
            Logits, float (N, H, W, K) or (N, K).
        """
        first, *others = found
        horizontal = self.horizontal(pixels, state) + first
        for number, (block, told) in enumerate(zip(self.blocks, others, strict=True), 1):
            horizontal = block.look_left(horizontal, told, state)
            if number == self.middle:
                horizontal = self.attention(horizontal, state)
        return self.head(horizontal)

    def receptive_field(self, row: int, column: int, height: int, width: int) -> torch.Tensor:
        """Return which pixels a prediction may depend on, as `PixelModel.receptive_field`."""
        before = super().receptive_field(row, column, height, width)
        horizontal = torch.zeros(height, width, dtype=torch.bool, device="cpu")
        horizontal[row, column] = True
        vertical = torch.zeros_like(horizontal)
        for number, d in reversed([*enumerate(self.dilations, 1)]):  # from the prediction back
            if number == self.middle:
                horizontal = horizontal | before
            vertical = _seen_from(vertical | horizontal, (0, -d), (-2 * d, -d, 0, d, 2 * d))
            horizontal = _seen_from(horizontal, (0,), (-2 * d, -d, 0))
        vertical = vertical | horizontal
        above = _seen_from(vertical, range(-ROWS, 0), range(-SIDE, SIDE + 1))
        return above | _seen_from(horizontal, (0,), range(-LEFT, 0))


class Block(nn.Module):
    """One step of both stacks: each adds something to what it had (a residual connection)."""

    def __init__(self, channels: int, dilation: int, dropout: float = 0.0) -> None:
        """Build the block with random weights, for stacks of width C = `channels`."""
        super().__init__()
        self.dropout = dropout
        self.vertical = VerticalConv(channels, 2, dilation)
        self.horizontal = HorizontalConv(channels, 3, dilation)
        self.link = nn.Linear(channels, channels)
        self.mix = nn.Linear(channels, channels)

    def look_above(
        self, vertical: torch.Tensor, terms: tuple, state: State | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add to the vertical stack (N, H, W, C); return it, and what it tells the other.

        The label's terms, a pair of (N, 1, 1, C) or of None, go to either.
        """
        to_vertical, to_horizontal = terms
        vertical = vertical + _add(self.vertical(vertical.relu(), state), to_vertical)
        return vertical, _add(self.link(self.thin_out(vertical.relu())), to_horizontal)

    def look_left(
        self, horizontal: torch.Tensor, told: torch.Tensor, state: State | None = None
    ) -> torch.Tensor:
        """Add to the horizontal stack, (N, H, W, C) or with a state (N, C)."""
        hidden = self.horizontal(horizontal.relu(), state) + told
        return horizontal + self.mix(self.thin_out(hidden.relu()))

    def thin_out(self, found: torch.Tensor) -> torch.Tensor:
        """Drop whole channels of (N, H, W, C) in training (Tompson et al. 2015).

        Random numbers for each place would make a step half as long again.
        """
        if not self.training:
            return found
        return F.dropout2d(found.movedim(-1, 1), self.dropout).movedim(1, -1)


def _add(found: torch.Tensor, term: torch.Tensor | None) -> torch.Tensor:
    return found if term is None else found + term


def _seen_from(places: torch.Tensor, rows: Sequence[int], columns: Sequence[int]) -> torch.Tensor:
    """Return which places of the image lie at one of the offsets from a marked one."""
    offsets = torch.tensor([(y, x) for y in rows for x in columns], device="cpu")
    seen = (places.nonzero()[:, None] + offsets).flatten(0, 1)  # (M, 2)
    size = torch.tensor(places.shape, device="cpu")
    field = torch.zeros_like(places)
    field[tuple(seen[((seen >= 0) & (seen < size)).all(dim=1)].t())] = True
    return field

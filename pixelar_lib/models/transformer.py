"""ImageGPT: attention over all pixels before.

Sources: Chen et al., Generative Pretraining from Pixels, 2020 (ImageGPT); Chen et al., PixelSNAIL,
2018 (convolutions and attention together).
"""

import torch
from torch import nn

from pixelar_lib.context import height_and_width
from pixelar_lib.models.attention import AttentionBlock
from pixelar_lib.models.base import PixelModel
from pixelar_lib.models.causal_conv import Stem
from pixelar_lib.models.state import State
from pixelar_lib.quantization import check_count


class Shift(nn.Module):
    """Hands each place the pixel before it, and the first place a start vector."""

    def __init__(self, channels: int) -> None:
        """Build it with a random start vector of C = `channels` numbers."""
        super().__init__()
        self.start = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the start vector as an embedding is drawn."""
        nn.init.normal_(self.start)

    def forward(self, embedded: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Turn (N, H, W, C) into the same shape; with a state, one place more, (N, C)."""
        if state is not None:
            return embedded if state.pixel else self.start.expand_as(embedded)
        flat = embedded.flatten(1, 2)  # (N, H W, C)
        start = self.start.expand_as(flat[:, :1])
        return torch.cat([start, flat[:, :-1]], dim=1).view_as(embedded)


class Positions(nn.Module):
    """Tells each place where it is: a vector of its row plus one of its column."""

    def __init__(self, image_size: tuple[int, int], channels: int) -> None:
        """Build it with random vectors of C = `channels` numbers, for images of (H, W)."""
        super().__init__()
        self.rows, self.columns = (nn.Embedding(size, channels) for size in image_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw short vectors: long ones would drown at first what else a place is told."""
        for table in (self.rows, self.columns):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, state: State | None = None) -> torch.Tensor:
        """Return a vector for each place, (H, W, C); with a state, of the next one, (C,)."""
        if state is None:
            return self.rows.weight[:, None] + self.columns.weight
        return self.rows.weight[state.row] + self.columns.weight[state.column]


STEMS = ("shift", "conv")  # what a place is told at first


class ImageGPT(PixelModel):
    """Predict each pixel by attention over all pixels before, as GPT does with words.

    What a place is told at first: the pixel before it, its row and its column, none of which
    attention would know by itself; on demand, what a convolution finds around it. Then blocks of
    attention.

    Attributes:
        stem: "shift" or "conv".
    """

    def __init__(
        self,
        num_bins: int = 16,
        channels: int = 48,
        num_blocks: int = 4,
        heads: int = 4,
        stem: str = "shift",
        image_size: int | tuple[int, int] = 28,
        num_classes: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        """Build the network with random weights.

        Args:
            num_bins: K, at least 2.
            channels: C, the width of all layers, a multiple of heads.
            num_blocks: Number of blocks, at least 1.
            heads: Heads of each attention.
            stem: What a place is told at first: "shift", the pixel before it (the first place: a
                start vector); "conv", also what `Stem` finds in the pixels around. A stem alone
                would leave a blind spot: the last pixel of the row above, from the next row's
                first places.
            image_size: H = W, or (H, W); each row and each column has a vector of its own.
            num_classes: Number of labels of a conditional model, else None.
            dropout: Share of what a block adds that training sets to 0, from 0 to below 1.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If a number is out of range, heads do not divide channels, or no stem has
                that name.
        """
        channels = check_count("channels", channels)
        size = height_and_width(image_size)  # here, it may not be None
        super().__init__(num_bins, num_classes, size, label_size=channels)
        if stem not in STEMS:
            raise ValueError(f"stem {stem!r} does not exist; choose one of {STEMS}.")
        self.stem = stem
        self.embedding = nn.Embedding(self.num_bins, channels)
        self.positions = Positions(self.image_size, channels)
        self.shift = Shift(channels)
        self.conv = Stem(channels) if stem == "conv" else None
        self.blocks = nn.ModuleList(
            AttentionBlock(channels, heads, dropout)
            for _ in range(check_count("num_blocks", num_blocks))
        )
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, self.num_bins)
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
        x = self.first(embedded, labels, state)
        for block in self.blocks:
            x = block(x, state)
        logits = self.head(self.norm(x))
        return logits.movedim(-1, 1) if state is None else logits

    def attention(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return where each place looks, in each head of each block.

        Args:
            tokens: long (N, H, W).
            labels: long (N,) or None.

        Returns:
            float (N, blocks, heads, H W, H W): of the place that asks, its shares of all places,
            which sum to 1. What is told to a place is the pixel before it.

        Raises:
            TypeError, ValueError: As `forward` does.
        """
        self.check_input(tokens, labels)
        x, found = self.first(self.embed(tokens.long()), labels), []
        for block in self.blocks:
            found.append(block.attention.weights(block.before_attention(x)))
            x = block(x)
        return torch.stack(found, dim=1)

    def first(
        self,
        embedded: torch.Tensor,
        labels: torch.Tensor | None = None,
        state: State | None = None,
    ) -> torch.Tensor:
        """Return what each place is told before the first block, (N, H, W, C) or (N, C)."""
        x = self.shift(embedded, state) + self.positions(state)
        if self.conv is not None:
            x = x + self.conv(embedded, state)
        if labels is None:
            return x
        told = self.label_vectors(labels)  # (N, C)
        return x + (told[:, None, None] if state is None else told)

"""Attention over all places up to one's own, over pictures or step by step.

Sources: Vaswani et al., Attention Is All You Need, 2017; Radford et al., Language Models are
Unsupervised Multitask Learners, 2019 (GPT-2: the norm stands first in each half of a block); the
cache is an object with one method as in gpt-fast.
"""

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.models.modules import check_dropout
from pixelar_lib.models.state import State
from pixelar_lib.quantization import check_count

HIDDEN = 4  # a block's middle layer is so many times as wide as the block


class KVCache:
    """Keys and values of the places so far, in memory that is there from the start.

    Attributes:
        keys: float (N, heads, P, D), of which the places up to the last one are filled.
        values: The same for the values.
    """

    def __init__(self, like: torch.Tensor, num_places: int) -> None:
        """Make room for P = `num_places` keys and values like one of theirs, (N, heads, D)."""
        num_images, heads, size = like.shape
        self.keys = like.new_zeros(num_images, heads, num_places, size)
        self.values = torch.zeros_like(self.keys)

    def update(
        self, place: int, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the key and the value of a place, (N, heads, D) each.

        Args:
            place: Its flat index; the places before it were written earlier.
            key: Its key.
            value: Its value.

        Returns:
            Keys and values of all places up to it, (N, heads, place + 1, D), without a copy.
        """
        self.keys[:, :, place], self.values[:, :, place] = key, value
        return self.keys[:, :, : place + 1], self.values[:, :, : place + 1]


class CausalAttention(nn.Module):
    """Each place asks all places up to its own, and takes a mean of what they offer.

    Attributes:
        heads: How many such questions a place asks at once, each in C / heads numbers.
    """

    def __init__(self, channels: int, heads: int) -> None:
        """Build it with random weights, for places of C = `channels` numbers.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If a number is out of range, or heads do not divide channels.
        """
        super().__init__()
        check_count("channels", channels)
        self.heads = check_count("heads", heads)
        if channels % heads:
            raise ValueError(
                f"heads is {heads}, which does not divide {channels} channels; each head needs "
                "the same number of them."
            )
        self.ask = nn.Linear(channels, 3 * channels)  # query, key and value of a place
        self.answer = nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Turn (N, H, W, C) into the same shape; with a state, one place more, (N, C)."""
        query, key, value = self.split(x)
        if state is None:
            found = F.scaled_dot_product_attention(query, key, value, is_causal=True)
            return self.answer(found.transpose(1, 2).reshape(x.shape))  # heads side by side
        if self not in state:
            state[self] = KVCache(key, state.height * state.width)
        keys, values = state[self].update(state.pixel, key, value)
        found = F.scaled_dot_product_attention(query[:, :, None], keys, values)
        return self.answer(found.flatten(1))

    def split(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return queries, keys and values by head.

        Args:
            x: float (N, H, W, C), or one place (N, C).

        Returns:
            Three tensors (N, heads, H W, D), D = C / heads; for one place (N, heads, D).
        """
        parts = self.ask(x).unflatten(-1, (3, self.heads, -1)).unbind(dim=-3)
        return parts if x.ndim == 2 else tuple(p.flatten(1, 2).transpose(1, 2) for p in parts)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """Return where each place looks: its shares of all places, summing to 1.

        `forward` never holds them all at once; they are here to be looked at.

        Args:
            x: float (N, H, W, C).

        Returns:
            float (N, heads, H W, H W): of the place that asks, over the places asked.
        """
        query, key, _ = self.split(x)
        scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
        later = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1)
        return scores.masked_fill(later, -torch.inf).softmax(dim=-1)


class AttentionBlock(nn.Module):
    """Attention, then a small network at each place; each adds something to what was there."""

    def __init__(self, channels: int, heads: int, dropout: float = 0.0) -> None:
        """Build the block with random weights, for places of C = `channels` numbers.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If a number is out of range, or heads do not divide channels.
        """
        super().__init__()
        self.dropout = check_dropout(dropout)
        self.attention = CausalAttention(channels, heads)
        self.before_attention = nn.LayerNorm(channels)
        self.before_network = nn.LayerNorm(channels)
        self.network = nn.Sequential(
            nn.Linear(channels, HIDDEN * channels),
            nn.GELU(),
            nn.Linear(HIDDEN * channels, channels),
        )

    def forward(self, x: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Turn (N, H, W, C) into the same shape; with a state, one place more, (N, C)."""
        x = x + self.thin_out(self.attention(self.before_attention(x), state))
        return x + self.thin_out(self.network(self.before_network(x)))

    def thin_out(self, found: torch.Tensor) -> torch.Tensor:
        """Drop numbers at random in training."""
        return F.dropout(found, self.dropout, self.training)

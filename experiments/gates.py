"""Does the PixelCNN need gates? python -m experiments.gates

Trains the plain network and one with gates (van den Oord et al., Conditional Image Generation with
PixelCNN Decoders, 2016), as large and for as many steps, and writes
records/measurements/gates.json below pixelar_lib/assets.
"""

import torch
from torch import nn

from experiments.ablations import NUM_VALIDATION, Trial, run
from experiments.trials import measure
from pixelar_lib.models import PixelCNN
from pixelar_lib.models.causal_conv import HorizontalConv, VerticalConv
from pixelar_lib.models.pixelcnn import Block

STEPS, SEEDS = 1_000, (0, 1, 2)
GATED_CHANNELS = 35  # with them, a gated network has about as many parameters as a plain one of 48


class GatedBlock(Block):
    """A block whose stacks add a product of tanh and sigmoid, where `Block` has ReLUs."""

    def __init__(self, channels: int, dilation: int) -> None:
        nn.Module.__init__(self)
        self.vertical = VerticalConv(channels, 2, dilation)
        self.horizontal = HorizontalConv(channels, 3, dilation)
        for layer in (self.vertical, self.horizontal):  # twice as many outputs
            size = {"kernel_size": layer.kernel_size, "dilation": layer.dilation}
            nn.Conv2d.__init__(layer, channels, 2 * channels, **size)
        self.link = nn.Linear(2 * channels, 2 * channels)
        self.mix = nn.Linear(channels, channels)

    def look_above(self, vertical, terms, state=None):
        found = self.vertical(vertical, state)
        return vertical + gate(found), self.link(found)

    def look_left(self, horizontal, told, state=None):
        return horizontal + self.mix(gate(self.horizontal(horizontal, state) + told))


def gate(found: torch.Tensor) -> torch.Tensor:
    """Let one half of (N, H, W, 2 C) say how much of the other passes: (N, H, W, C)."""
    value, share = found.chunk(2, dim=-1)
    return value.tanh() * share.sigmoid()


def with_gates(model: PixelCNN) -> PixelCNN:
    """Give a network without labels gated blocks."""
    channels = model.embedding.embedding_dim
    model.blocks = nn.ModuleList(GatedBlock(channels, dilation) for dilation in model.dilations)
    return model.to(memory_format=torch.channels_last)


TRIALS = [
    trial
    for seed in SEEDS
    for trial in (
        Trial("plain", STEPS, seed=seed),
        Trial("gates", STEPS, {"channels": GATED_CHANNELS}, rebuild=with_gates, seed=seed),
    )
]


def main() -> None:
    protocol = (
        f"{STEPS:,} steps on the first 50,000 training images, {len(SEEDS)} seeds; "
        f"measured on {NUM_VALIDATION:,} validation images. The standard error is over images."
    )
    measure("gates", protocol, TRIALS, run)


if __name__ == "__main__":
    main()

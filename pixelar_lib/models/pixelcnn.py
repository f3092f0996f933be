"""PixelCNN: convolutions over all pixels before, and over no pixel after.

Sources: van den Oord et al., Pixel Recurrent Neural Networks, 2016 (masked convolutions, a
softmax over the grey levels); van den Oord et al., Conditional Image Generation with PixelCNN
Decoders, 2016 (two stacks, which leave no blind spot; labels); Salimans et al., PixelCNN++,
2017 (shifts instead of masks).
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.context import flat_index
from pixelar_lib.models.base import PixelModel
from pixelar_lib.models.pixelcnn_cache import PixelCNNCache
from pixelar_lib.quantization import check_count

ROWS, SIDE, LEFT = 3, 2, 3  # the first layers see 3 rows above, 2 columns aside, 3 pixels before


class PixelCNN(PixelModel):
    """Predict each pixel from all rows above it and from the pixels to its left.

    Two stacks of convolutions. Padding on one side only shifts what a layer sees, and that is
    all the masking there is. x marks what a layer sees, o where it writes:

        vertical stack:    x x x x x   then  x x x x x     horizontal:  x x x o   then  x x o
                           x x x x x         x x o x x
                           x x x x x
                               o

    The vertical stack reads rows above. The horizontal stack reads the same row and, in each
    block, what the vertical stack has found. Dilation pulls the x of a block apart, so that few
    blocks reach far. Nothing else crosses from pixel to pixel.

    Attributes:
        dilations: Distance between the pixels that a block's convolutions see, one a block.
    """

    images_per_chunk = 32

    def __init__(
        self,
        num_bins: int = 16,
        channels: int = 48,
        dilations: Sequence[int] = (1, 2, 4, 8, 8, 1),
        num_classes: int | None = None,
    ) -> None:
        """Build the network with random weights.

        Args:
            num_bins: K, 2 to 256.
            channels: C, the width of both stacks.
            dilations: One number a block, each at least 1. With the default, a prediction sees
                all pixels before it on images of up to 28 x 28.
            num_classes: Number of labels of a conditional model, else None.

        Raises:
            TypeError: If a number is no integer.
            ValueError: If a number is out of range.
        """
        super().__init__(num_bins, num_classes)
        check_count("channels", channels)
        self.dilations = tuple(dilations)
        for dilation in self.dilations:
            check_count("a dilation", dilation)
        self.embedding = nn.Embedding(num_bins, channels)
        if num_classes is not None:
            check_count("num_classes", num_classes)
            self.label_embedding = nn.Embedding(num_classes, 2 * channels)
        self.vertical = nn.Conv2d(channels, channels, (ROWS, 2 * SIDE + 1))
        self.horizontal = nn.Conv2d(channels, channels, (1, LEFT))
        self.link = nn.Conv2d(channels, channels, 1)
        self.blocks = nn.ModuleList(Block(channels, dilation) for dilation in self.dilations)
        self.head = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, 1),
            nn.ReLU(),
            nn.Conv2d(2 * channels, num_bins, 1),
        )
        self.to(memory_format=torch.channels_last)  # what convolutions on a CPU are fastest with

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Turn tokens into vectors.

        Args:
            tokens: long (N, H, W).

        Returns:
            float (N, H, W, C).
        """
        return self.embedding(tokens)

    def predict(self, embedded: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Turn embedded pixels into logits.

        Args:
            embedded: float (N, H, W, C), from `embed`.
            labels: long (N,) or None.

        Returns:
            Logits, float (N, K, H, W).
        """
        pixels = embedded.permute(0, 3, 1, 2)  # (N, C, H, W)
        vertical_label, horizontal_label = self.label_vectors(labels)
        vertical = self.vertical(F.pad(pixels[:, :, :-1], (SIDE, SIDE, ROWS, 0)))
        vertical = vertical + vertical_label
        horizontal = self.horizontal(F.pad(pixels[..., :-1], (LEFT, 0)))
        horizontal = horizontal + self.link(vertical.relu()) + horizontal_label
        for block in self.blocks:
            vertical, horizontal = block(vertical, horizontal)
        return self.head(horizontal)

    def label_vectors(self, labels: torch.Tensor | None) -> tuple:
        """Return what the labels add to each stack.

        Args:
            labels: long (N,) or None.

        Returns:
            Two tensors (N, C, 1, 1); two zeros without labels.
        """
        if labels is None:
            return 0.0, 0.0
        return self.label_embedding(labels)[:, :, None, None].chunk(2, dim=1)

    def incremental_logits(
        self, tokens: torch.Tensor, labels: torch.Tensor | None = None
    ) -> Callable[[int], torch.Tensor]:
        """Return a function that predicts one pixel, and computes nothing twice.

        Args:
            tokens: long (N, H, W), a buffer that the caller fills in reading order.
            labels: long (N,) or None.

        Returns:
            A function from a flat pixel index to logits (N, K); call it with 0, 1, 2, ...
        """
        self.check_input(tokens, labels)
        return PixelCNNCache(self, tokens, labels).logits

    def receptive_field(self, row: int, column: int, height: int, width: int) -> torch.Tensor:
        """Return which pixels the prediction at (row, column) may depend on.

        Args:
            row: Row of the predicted pixel.
            column: Column of the predicted pixel.
            height: Rows of the image.
            width: Columns of the image.

        Returns:
            bool (height, width).

        Raises:
            ValueError: If the pixel is outside the image.
        """
        flat_index(row, column, height, width)
        horizontal = torch.zeros(height, width, dtype=torch.bool)
        horizontal[row, column] = True
        vertical = torch.zeros_like(horizontal)
        for d in reversed(self.dilations):  # from the prediction back: which places count
            vertical = _seen_from(vertical | horizontal, (0, -d), (-2 * d, -d, 0, d, 2 * d))
            horizontal = _seen_from(horizontal, (0,), (-2 * d, -d, 0))
        vertical = vertical | horizontal
        above = _seen_from(vertical, range(-ROWS, 0), range(-SIDE, SIDE + 1))
        return above | _seen_from(horizontal, (0,), range(-LEFT, 0))


class Block(nn.Module):
    """One step of both stacks: each adds something to what it had (a residual connection)."""

    def __init__(self, channels: int, dilation: int) -> None:
        """Build the block with random weights.

        Args:
            channels: C, the width of both stacks.
            dilation: Distance between the pixels that its convolutions see.
        """
        super().__init__()
        self.dilation = dilation
        self.vertical = nn.Conv2d(channels, channels, (2, 5), dilation=dilation)
        self.horizontal = nn.Conv2d(channels, channels, (1, 3), dilation=dilation)
        self.link = nn.Conv2d(channels, channels, 1)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, vertical: torch.Tensor, horizontal: torch.Tensor) -> tuple:
        """Add to both stacks.

        Args:
            vertical: float (N, C, H, W), knows the rows above each pixel.
            horizontal: float (N, C, H, W), knows the pixels to the left, too.

        Returns:
            Both, of the same shapes.
        """
        d = self.dilation
        vertical = vertical + self.vertical(F.pad(vertical.relu(), (2 * d, 2 * d, d, 0)))
        hidden = self.horizontal(F.pad(horizontal.relu(), (2 * d, 0)))
        hidden = hidden + self.link(vertical.relu())
        return vertical, horizontal + self.mix(hidden.relu())


def _seen_from(places: torch.Tensor, rows: Sequence[int], columns: Sequence[int]) -> torch.Tensor:
    """Return which places of the image lie at one of the offsets from a marked one."""
    offsets = torch.cartesian_prod(torch.tensor([*rows]), torch.tensor([*columns]))
    seen = (places.nonzero()[:, None] + offsets).flatten(0, 1)  # (M, 2)
    inside = ((seen >= 0) & (seen < torch.tensor(places.shape))).all(dim=1)
    field = torch.zeros_like(places)
    field[tuple(seen[inside].t())] = True
    return field

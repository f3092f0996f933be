"""Drawing with a PixelCNN: what is computed once is kept.

A convolution over a growing image repeats nearly all of its work from pixel to pixel. Here the
vertical stack runs once a row, and the horizontal stack keeps what it found at each pixel of
the row (Ramachandran et al., Fast Generation for Convolutional Autoregressive Models, 2017).
"""

import torch
import torch.nn.functional as F
from torch import nn


class PixelCNNCache:
    """The state of a `PixelCNN` while images grow, one pixel after the other."""

    def __init__(self, model: nn.Module, tokens: torch.Tensor, labels: torch.Tensor | None) -> None:
        """Start before the first pixel.

        Args:
            model: A `PixelCNN`; its weights must not change while the cache is in use.
            tokens: long (N, H, W), a buffer that the caller fills in reading order.
            labels: long (N,) or None.
        """
        self.model, self.tokens = model, tokens
        self.width = tokens.shape[2]
        self.next_pixel = 0
        self.vertical_label, self.horizontal_label = model.label_vectors(labels)
        weight = model.embedding.weight
        num_images, channels = len(tokens), weight.shape[1]
        self.rows_above = []  # what each vertical convolution looks at: (N, C, rows, columns)
        for convolution in (model.vertical, *(block.vertical for block in model.blocks)):
            up, aside = _reach(convolution)
            size = num_images, channels, up + 1, self.width + aside
            self.rows_above.append(weight.new_zeros(size))
        self.nothing = weight.new_zeros(num_images, channels)
        self.first = _as_matrix(model.horizontal)
        self.blocks = [
            (_as_matrix(block.horizontal), _as_matrix(block.mix), block.mix.bias)
            for block in model.blocks
        ]
        self.head = [(_as_matrix(model.head[i]), model.head[i].bias) for i in (1, 3)]

    def logits(self, pixel: int) -> torch.Tensor:
        """Predict the next pixel.

        Args:
            pixel: Its flat index: 0 at the first call, and one more at each call.

        Returns:
            Logits (N, K).

        Raises:
            ValueError: If a pixel is left out or repeated.
        """
        if pixel != self.next_pixel:
            raise ValueError(
                f"pixel {pixel} was asked for, but {self.next_pixel} is the next; this state goes "
                "through an image once, in reading order. Make a new one to start again."
            )
        self.next_pixel += 1
        row, column = divmod(pixel, self.width)
        if column == 0:
            self._start_row(row)
        else:
            self.pixels_left.append(self.model.embedding(self.tokens[:, row, column - 1]))
        return self._step(column)

    def _start_row(self, row: int) -> None:
        """Run the vertical stack on one row, and forget what was left in the row before."""
        model = self.model
        if row:
            above = model.embedding(self.tokens[:, row - 1]).permute(0, 2, 1)  # (N, C, W)
            self._push(0, above[:, :, None])
        vertical = model.vertical(self.rows_above[0]) + self.vertical_label  # (N, C, 1, W)
        links = [model.link(vertical.relu()) + self.horizontal_label + _bias(model.horizontal)]
        for number, block in enumerate(model.blocks, start=1):
            self._push(number, vertical.relu())
            vertical = vertical + block.vertical(self.rows_above[number])
            links.append(block.link(vertical.relu()) + _bias(block.horizontal))
        self.links = [link[:, :, 0].permute(2, 0, 1).contiguous() for link in links]  # (W, N, C)
        self.pixels_left = [self.nothing] * (_reach(model.horizontal)[1] + 1)
        self.left = [[self.nothing] * _reach(block.horizontal)[1] for block in model.blocks]

    def _push(self, number: int, row: torch.Tensor) -> None:
        """Move the rows that a convolution looks at by one: the newest is last."""
        rows = self.rows_above[number]
        aside = (rows.shape[3] - row.shape[3]) // 2
        self.rows_above[number] = torch.cat([rows[:, :, 1:], F.pad(row, (aside, aside))], dim=2)

    def _step(self, column: int) -> torch.Tensor:
        """Run the horizontal stack on one pixel."""
        seen = torch.cat(self.pixels_left[column:], dim=1)  # (N, 3 C)
        horizontal = torch.addmm(self.links[0][column], seen, self.first)
        state = zip(self.blocks, self.links[1:], self.left, self.model.dilations, strict=True)
        for (weight, mix, bias), link, left, dilation in state:
            left.append(horizontal.relu())
            seen = torch.cat(left[column::dilation], dim=1)
            hidden = torch.addmm(link[column], seen, weight).relu_()
            horizontal = torch.addmm(horizontal, hidden, mix).add_(bias)
        for weight, bias in self.head:
            horizontal = torch.addmm(bias, horizontal.relu(), weight)
        return horizontal


def _reach(convolution: nn.Conv2d) -> tuple[int, int]:
    """Return how many rows and columns lie between the first and the last that it sees."""
    sizes = zip(convolution.kernel_size, convolution.dilation, strict=True)
    return tuple((size - 1) * dilation for size, dilation in sizes)


def _as_matrix(convolution: nn.Conv2d) -> torch.Tensor:
    """Return the weights of a convolution of one row as a matrix (columns C_in, C_out)."""
    return convolution.weight[:, :, 0].permute(2, 1, 0).flatten(0, 1).contiguous()


def _bias(convolution: nn.Conv2d) -> torch.Tensor:
    return convolution.bias[:, None, None]

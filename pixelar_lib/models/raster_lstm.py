"""RasterLSTM: one recurrent cell that reads a picture in raster order, pixel by pixel.

Sources: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; van den Oord et al., Pixel
Recurrent Neural Networks, 2016 (recurrent networks over pixels, a softmax over the grey levels);
Tallec and Ollivier, Can recurrent neural networks warp time?, 2018 (how far forget gates reach
before training).
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from pixelar_lib.models.base import PixelModel
from pixelar_lib.models.causal_conv import PixelBefore, Stem
from pixelar_lib.models.modules import check_dropout
from pixelar_lib.models.state import State
from pixelar_lib.quantization import check_count

LONGEST = 112  # steps: before training, gates forget over 1 to 112 pixels, four rows of a digit


class RasterLSTM(PixelModel):
    """Predict each pixel from what a cell remembers of all pixels before it.

    The cell reads the pixels one after another, row after row, and keeps a vector of numbers;
    a prediction is made from that vector. A first layer of convolutions (`Stem`) shows the cell
    the pixels around the next place, too; without it, the cell is shown the pixel before and has
    to remember all else, even the pixel above.
    """

    eval_batch_size = 32

    def __init__(
        self,
        num_bins: int = 16,
        channels: int = 48,
        hidden_size: int = 112,
        stem: bool = True,
        num_classes: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        """Build the network with random weights.

        Args:
            num_bins: K, at least 2.
            channels: C, the length of the vector that each pixel becomes.
            hidden_size: M, how many numbers the cell keeps.
            stem: Whether the cell sees the pixels around a place; else only the pixel before.
            num_classes: Number of labels of a conditional model, else None.
            dropout: Share of what is remembered that training hides from the prediction.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If a number is out of range.
        """
        channels, dropout = check_count("channels", channels), check_dropout(dropout)
        hidden_size = check_count("hidden_size", hidden_size)
        super().__init__(num_bins, num_classes, label_size=channels)
        self.embedding = nn.Embedding(self.num_bins, channels)
        self.before = PixelBefore()
        self.stem = Stem(channels) if stem else None
        self.memory = RasterMemory(channels, hidden_size)
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(channels + hidden_size, hidden_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, self.num_bins),
        )

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
        seen, remembered = self.remember(embedded, labels, state)
        return self.head(torch.cat([seen, remembered], dim=-1)).movedim(-1, 1)

    def remember(
        self,
        embedded: torch.Tensor,
        labels: torch.Tensor | None = None,
        state: State | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what a prediction is made from: what is seen, and what is remembered.

        Args:
            embedded: As for `PixelModel.predict`.
            labels: long (N,) or None.
            state: What the layers keep of the pixels before.

        Returns:
            float (N, H, W, C) and (N, H, W, M); with a state (N, C) and (N, M).
        """
        seen = self.before(embedded, state)  # at a row's beginning, the end of the row above
        if self.stem is not None:
            seen = seen + self.stem(embedded, state).relu()
        if labels is not None:
            told = self.label_vectors(labels)
            seen = seen + (told[:, None, None] if state is None else told)
        return seen, self.memory(seen, state)


class RasterMemory(nn.LSTM):
    """An LSTM cell that goes through pictures in raster order."""

    def __init__(self, channels: int, hidden_size: int) -> None:
        """Build it with random weights, for places of C numbers and a memory of M."""
        super().__init__(channels, hidden_size, batch_first=True)

    def reset_parameters(self) -> None:
        """Draw weights; gates begin by forgetting over 1 to `LONGEST` steps, one a unit."""
        super().reset_parameters()
        with torch.no_grad():
            _, forget, _, _ = self.bias_ih_l0.chunk(4)  # torch's order: input, forget, cell, output
            forget.uniform_(1, LONGEST - 1).log_()
            self.bias_hh_l0.zero_()

    def forward(self, seen: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Turn (N, H, W, C) into what is remembered at each place, (N, H, W, M).

        With a state: one step more, (N, C) into (N, M).
        """
        if state is None:
            with _at_a_precision_that_runs(seen.device):
                found, _ = super().forward(seen.flatten(1, 2).to(self.weight_ih_l0.dtype))
            return found.unflatten(1, seen.shape[1:3])
        if self not in state:
            nothing = seen.new_zeros(len(seen), self.hidden_size)
            state[self] = nothing, nothing
            state[self, "matrix"] = torch.cat([self.weight_ih_l0, self.weight_hh_l0], dim=1).t()
            state[self, "bias"] = self.bias_ih_l0 + self.bias_hh_l0
        output, cell = state[self]
        inputs = torch.cat([seen, output], dim=1)  # (N, C + M)
        gates = torch.addmm(state[self, "bias"], inputs, state[self, "matrix"])  # (N, 4 M)
        state[self] = lstm_cell(*gates.chunk(4, dim=1), cell)
        return state[self][0]


def _at_a_precision_that_runs(device: torch.device) -> AbstractContextManager:
    """Leave autocast where torch has no LSTM of 16 bits: on processors without AVX-512."""
    if device.type == "cpu" and torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
        return torch.autocast("cpu", enabled=False)
    return nullcontext()


def lstm_cell(write, keep, new, show, cell):
    """Return output and cell after one step, from the gates before their sigmoids.

    The cell keeps a share of what it held and writes a share of what is new; it shows a share
    of itself. All of one shape.
    """
    cell = keep.sigmoid() * cell + write.sigmoid() * new.tanh()
    return show.sigmoid() * cell.tanh(), cell

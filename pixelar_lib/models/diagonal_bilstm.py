"""DiagonalBiLSTM, the PixelRNN: recurrent layers that go through a picture diagonal by diagonal.

Source: van den Oord et al., Pixel Recurrent Neural Networks, 2016, sections 3.2 to 3.4 (skewed
pictures, two streams, residual connections); the first layer is that of our PixelCNN, not a
masked one.
"""

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.models.base import PixelModel
from pixelar_lib.models.causal_conv import PixelBefore, Stem
from pixelar_lib.models.diagonals import by_diagonals
from pixelar_lib.models.modules import check_dropout
from pixelar_lib.models.raster_lstm import lstm_cell
from pixelar_lib.models.state import State
from pixelar_lib.quantization import check_count


class DiagonalBiLSTM(PixelModel):
    """Predict each pixel from two streams of LSTM cells that advance by whole diagonals.

    All pixels of a diagonal are computed at once: H + W - 1 steps instead of H W. In each layer
    one stream runs from the upper left and one from the upper right; a cell reads what its own
    stream kept at the place beside it and showed at the place above. x marks what reaches o:

        left stream:  x x x .     right stream:  . x x x     both:  x x x x
                      x x x .                    . x x x            x x x x
                      x x o .                    . o x x            x x o .

    The right stream alone would see what follows; its findings are therefore moved down by a row.
    """

    eval_batch_size = 32

    def __init__(
        self,
        num_bins: int = 16,
        hidden_size: int = 24,
        num_layers: int = 4,
        num_classes: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        """Build the network with random weights.

        Args:
            num_bins: K, at least 2.
            hidden_size: M, how many numbers a cell keeps; between layers, a place has C = 2 M.
            num_layers: Layers of two streams, each at least one.
            num_classes: Number of labels of a conditional model, else None.
            dropout: Share of a layer's findings that training sets to 0, from 0 to below 1.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If a number is out of range.
        """
        hidden_size, dropout = check_count("hidden_size", hidden_size), check_dropout(dropout)
        num_layers, channels = check_count("num_layers", num_layers), 2 * hidden_size
        super().__init__(num_bins, num_classes, label_size=channels)
        self.embedding = nn.Embedding(self.num_bins, channels)
        self.stem, self.before = Stem(channels), PixelBefore()
        self.layers = nn.ModuleList(TwoStreams(hidden_size, dropout) for _ in range(num_layers))
        self.head = nn.Sequential(
            nn.ReLU(),
            nn.Linear(channels, 2 * channels),
            nn.ReLU(),
            nn.Linear(2 * channels, self.num_bins),
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
        # only the pixel before shows, at a row's beginning, the end of the row above
        found = self.stem(embedded, state) + self.before(embedded, state)
        if labels is not None:
            told = self.label_vectors(labels)
            found = found + (told[:, None, None] if state is None else told)
        for layer in self.layers:
            found = layer(found, state)
        return self.head(found).movedim(-1, 1)


class TwoStreams(nn.Module):
    """A layer of both streams, which adds what they find to what it was given."""

    def __init__(self, hidden_size: int, dropout: float = 0.0) -> None:
        """Build it with random weights, for places of C = 2 M numbers."""
        super().__init__()
        self.hidden_size = hidden_size
        self.inputs = nn.Linear(2 * hidden_size, 8 * hidden_size)  # gates of the left, of the right
        self.left = StateToState(hidden_size)
        self.right = StateToState(hidden_size)
        self.mix = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * hidden_size, 2 * hidden_size))

    def forward(self, x: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Turn (N, H, W, C) into the same shape; with a state, one place more, (N, C)."""
        gates = self.inputs(x)
        if state is None:
            left, right = gates.chunk(2, dim=-1)
            left, right = self.sweep(torch.stack([left, right.flip(2)]))  # (N, H, W, M) each
            right = F.pad(right.flip(2), (0, 0, 0, 0, 1, -1))  # down by a row
        else:
            left, right = self.advance(gates, state)
        return x + self.mix(torch.cat([left, right], dim=-1))

    def sweep(self, gates: torch.Tensor) -> torch.Tensor:
        """Run two streams from the upper left, diagonal by diagonal.

        A diagonal is a column of the skewed picture. Only the places within the picture are
        computed; around them, cells hold zeros.

        Args:
            gates: float (2, N, H, W, 4 M), what each place's input adds to the gates.

        Returns:
            What the cells show, float (2, N, H, W, M).
        """
        height, width, size = gates.shape[2], gates.shape[3], gates.shape[4] // 4
        order, lengths = by_diagonals(height, width)
        order = order.to(gates.device)
        weights = torch.stack([self.left.matrix, self.right.matrix])  # (2, 2 M, 4 M)
        diagonals = gates.flatten(2, 3).index_select(2, order).split(lengths, dim=2)
        shown = kept = gates.new_zeros(*gates.shape[:2], 0, size)  # (2, N, no place yet, M)
        found = []
        for step, diagonal in enumerate(diagonals):  # (2, N, places, 4 M)
            # outside the picture are zeros: above its first row, and left of its first column
            margin = (0, 0, int(step < width), int(step < height))
            shown, kept = F.pad(shown, margin), F.pad(kept, margin)
            beside, above = shown[:, :, 1:], shown[:, :, :-1]
            shown, kept = advance_cells(diagonal, beside, above, kept[:, :, 1:], weights)
            found.append(shown)
        shown = torch.cat(found, dim=2).index_select(2, order.argsort())
        return shown.unflatten(2, (height, width))

    def advance(self, gates: torch.Tensor, state: State) -> tuple[torch.Tensor, torch.Tensor]:
        """Go on by one place: the left stream by a cell, the right one by a row where one ends.

        Args:
            gates: float (N, 8 M), what the place's input adds to the gates of both.
            state: What both keep of the places before.

        Returns:
            What the left stream shows here, and the right one in the row above, (N, M) each.
        """
        left, right = gates[None].chunk(2, dim=-1)  # (1, N, 4 M)
        if state.column == 0:
            state[self] = self.begin_row(state, torch.zeros_like(left[..., : self.hidden_size]))
        row = state[self]
        beside, kept = row["beside"]
        above = row["above"][state.column]
        row["beside"] = advance_cells(left, beside, above, kept, self.left.matrix[None])
        row["left"].append(row["beside"][0])
        row["inputs"].append(right)
        return row["beside"][0][0], row["right"][state.column][0]

    def begin_row(self, state: State, nothing: torch.Tensor) -> dict:
        """Return what is known where a row begins; the right stream sweeps the row that ended.

        "above" and "right" are what the streams show in the row above, one entry a column;
        `nothing` is (1, N, M), zeros.
        """
        if state.row == 0:
            above = right = [nothing] * state.width
        else:
            above, right = state[self]["left"], self.sweep_back(state[self], nothing)
        return {
            **{"above": above, "right": right, "beside": (nothing, nothing)},
            **{"left": [], "inputs": []},
        }

    def sweep_back(self, row: dict, nothing: torch.Tensor) -> list[torch.Tensor]:
        """Run the right stream over a row, from its end to its beginning."""
        found, shown, kept = [], nothing, nothing
        for gates, above in zip(reversed(row["inputs"]), reversed(row["right"]), strict=True):
            shown, kept = advance_cells(gates, shown, above, kept, self.right.matrix[None])
            found.append(shown)
        return found[::-1]


class StateToState(nn.Module):
    """What a stream's cells read of the places beside and above: a matrix (2 M, 4 M)."""

    def __init__(self, hidden_size: int) -> None:
        """Build it with random weights."""
        super().__init__()
        self.matrix = nn.Parameter(torch.empty(2 * hidden_size, 4 * hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights as torch's LSTM does."""
        bound = (self.matrix.shape[1] // 4) ** -0.5
        nn.init.uniform_(self.matrix, -bound, bound)


def advance_cells(
    gates: torch.Tensor,
    beside: torch.Tensor,
    above: torch.Tensor,
    kept: torch.Tensor,
    weights: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Advance the cells of one diagonal, or a single one.

    Args:
        gates: float (S, ..., 4 M), what the inputs add, in S streams.
        beside: float (S, ..., M), what the cell beside each one showed.
        above: The same for the cell above.
        kept: What the cell beside kept.
        weights: float (S, 2 M, 4 M).

    Returns:
        What the cells show, and what they keep, (S, ..., M) each.
    """
    read = torch.cat([beside, above], dim=-1).flatten(1, -2)  # (S, P, 2 M)
    gates = torch.baddbmm(gates.flatten(1, -2), read, weights).view(gates.shape)
    return lstm_cell(*gates.chunk(4, dim=-1), kept)

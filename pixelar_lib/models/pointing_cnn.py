"""A PixelCNN that can also point: at levels that the pixels around it or the rows above suggest.

A softmax over 256 levels does not know that they are numbers. Pointing lends it some arithmetic
and a memory. Sources: the guesses are those of PNG's filters (Boutell et al., PNG Specification,
RFC 2083, 1997) and their like; Merity et al., Pointer Sentinel Mixture Models, 2017 (pointing at
what was seen); Grave et al., Improving Neural Language Models with a Continuous Cache, 2017
(counts of what was seen).
"""

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.models.pixelcnn import PixelCNN
from pixelar_lib.models.state import State

LEFT, UP, UP_LEFT, UP_RIGHT = (0, -1), (-1, 0), (-1, -1), (-1, 1)
UP_TWICE, UP_FAR_RIGHT = (-2, 0), (-1, 2)
GUESSES = (  # each: levels to add, and levels to subtract
    ([LEFT], []),
    ([UP], []),
    ([LEFT, UP], [UP_LEFT]),  # the three lie on a plane; PNG's Paeth filter starts from it
    ([UP_LEFT, UP_RIGHT], [UP_TWICE]),
    ([UP, UP_FAR_RIGHT], [UP_RIGHT]),
)
MARGIN = 2  # how far a guess looks


class PointingPixelCNN(PixelCNN):
    """A PixelCNN whose head has one output more for each guess, and one for the levels seen.

    What it says of a guess is added to the logit of the level that was guessed. So it can put all
    its trust in "left + up - up left", whichever level that may be.
    """

    def __init__(self, num_bins: int = 256, **arguments) -> None:
        """Build the network with random weights; arguments as for `PixelCNN`."""
        super().__init__(num_bins, **arguments)
        last = self.head[-1]
        self.head[-1] = nn.Linear(last.in_features, self.num_bins + len(GUESSES) + 1)
        self.pointer = Pointer(self.num_bins)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Turn tokens, long (N, H, W), into vectors (N, H, W, C + 1), the last number the token."""
        return torch.cat([super().embed(tokens), tokens[..., None]], dim=-1)

    def predict(
        self,
        embedded: torch.Tensor,
        labels: torch.Tensor | None = None,
        state: State | None = None,
    ) -> torch.Tensor:
        """Turn embedded pixels into logits, as `PixelModel.predict`."""
        levels = embedded[..., -1].long()
        found = super().predict(embedded[..., :-1], labels, state)
        if state is not None:
            return self.pointer(found, levels, state)
        return self.pointer(found.movedim(1, -1), levels).movedim(-1, 1)

    def training_loss(
        self, tokens: torch.Tensor, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the mean cross-entropy of all pixels, as `PixelModel.training_loss`."""
        # As they lie in memory: with many levels, that is faster.
        logits = self(tokens, labels).movedim(1, -1)
        return F.cross_entropy(logits.flatten(0, 2), tokens.flatten())


class Pointer(nn.Module):
    """Adds to the logits of some levels."""

    def __init__(self, num_bins: int) -> None:
        """Build it for K = `num_bins` levels."""
        super().__init__()
        self.num_bins = num_bins
        self.trust = nn.Parameter(torch.empty(num_bins))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin with some trust in each level that occurs in the rows above."""
        nn.init.constant_(self.trust, 0.3)

    def forward(
        self, found: torch.Tensor, levels: torch.Tensor, state: State | None = None
    ) -> torch.Tensor:
        """Return the logits.

        Args:
            found: float (N, H, W, K + G + 1), or with a state (N, K + G + 1): logits, what is added
                for each of G guesses, and how much the levels in the rows above count.
            levels: long (N, H, W); with a state (N,), those of the pixel before.
            state: The levels so far.

        Returns:
            float (N, H, W, K) or (N, K).
        """
        found = found.to(torch.promote_types(found.dtype, torch.float32))  # 16 bits are too coarse
        logits, added, memory = found.tensor_split([self.num_bins, -1], dim=-1)
        if state is None:
            page, seen = F.pad(levels, (MARGIN, MARGIN, MARGIN, 0)), self.rows_above(levels)
        else:
            page, seen = self.advance(levels, state)
        guessed = self.guesses(page, levels.shape[1:], state)
        logits = logits.scatter_add(-1, guessed, added)
        return logits + F.softplus(memory) * self.trust * seen.log1p()

    def guesses(self, page: torch.Tensor, size: tuple, state: State | None) -> torch.Tensor:
        """Return what the guesses say, long (N, H, W, G) or (N, G); around the page lie zeros."""

        def at(offset: tuple[int, int]) -> torch.Tensor:
            down, right = offset[0] + MARGIN, offset[1] + MARGIN
            if state is not None:
                return page[:, state.row + down, state.column + right]
            return page[:, down : down + size[0], right : right + size[1]]

        found = [sum(map(at, plus)) - sum(map(at, minus)) for plus, minus in GUESSES]
        return torch.stack(found, dim=-1).clamp(0, self.num_bins - 1)

    def rows_above(self, levels: torch.Tensor) -> torch.Tensor:
        """Count each level in all rows above: levels (N, H, W) into float (N, H, 1, K)."""
        counts = torch.zeros(*levels.shape[:2], self.num_bins, device=levels.device)
        counts.scatter_add_(2, levels, torch.ones_like(levels, dtype=counts.dtype))
        return F.pad(counts.cumsum(dim=1), (0, 0, 1, -1))[:, :, None]

    def advance(self, levels: torch.Tensor, state: State) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the pixel before; return the page, and the counts of the rows above, (N, K)."""
        if state.pixel == 0:
            size = state.height + MARGIN, state.width + 2 * MARGIN
            page = levels.new_zeros(len(levels), *size)
            counts = torch.zeros(len(levels), self.num_bins, device=levels.device)
            state[self] = page, counts
            return state[self]
        page, counts = state[self]
        row, column = divmod(state.pixel - 1, state.width)
        page[:, row + MARGIN, column + MARGIN] = levels
        if state.column == 0:
            done = page[:, row + MARGIN, MARGIN:-MARGIN]
            counts.scatter_add_(1, done, torch.ones_like(done, dtype=counts.dtype))
        return page, counts

"""The post's network: token embeddings, two hidden layers, logits over the K tokens.

Sources: the post "Generating Pixels One by One", section "Building Our Neural Network"; the
idea of embedding a window of tokens is from Bengio et al., A Neural Probabilistic Language
Model, 2003.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.context import OUTSIDE, Context, positions, raster
from pixelar_lib.models.window import WindowModel
from pixelar_lib.quantization import check_count

HIDDEN = [nn.Linear, nn.ReLU, nn.Dropout]
LAYERS = [*HIDDEN, *HIDDEN, nn.Linear]  # what the look-up of the first layer counts on


class CategoricalPixelPredictor(WindowModel):
    """Predict a pixel's token from a window of earlier tokens.

    The window's C tokens become C vectors; laid end to end they go through two hidden
    layers with ReLU and dropout, and a last layer gives one logit for each token:

        (C,) -> embedding (C, E) -> flatten (C E,) -> hidden (H,) -> hidden (H,) -> logits (K,)
    """

    def __init__(
        self,
        num_bins: int = 16,
        context_length: int = 10,
        embedding_dim: int = 32,
        hidden_size: int = 256,
        dropout: float = 0.25,
        context: Context | None = None,
    ) -> None:
        """Build the network with random weights.

        Args:
            num_bins: K, 2 to 256.
            context_length: k of `raster(k)`, the number of pixels in the window.
            embedding_dim: Length of the vector that each token becomes.
            hidden_size: Width of both hidden layers.
            dropout: Share of hidden units silenced in training, 0 to below 1.
            context: A context that overrides `context_length`.

        Raises:
            TypeError: If a size is no integer.
            ValueError: If a size is below 1, K out of range, or dropout not in [0, 1).
        """
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}; choose a share from 0 to below 1.")
        check_count("embedding_dim", embedding_dim)
        check_count("hidden_size", hidden_size)
        super().__init__(num_bins, raster(context_length) if context is None else context)
        self.embedding = nn.Embedding(num_bins + 1, embedding_dim)  # the last one: start token
        self.layers = nn.Sequential(
            nn.Linear(self.context.length * embedding_dim, hidden_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, num_bins),
        )

    def predict_windows(self, contexts: torch.Tensor) -> torch.Tensor:
        """Predict the pixel that follows each window.

        Args:
            contexts: long (..., C), tokens 0 to K, where K is the start token.

        Returns:
            Logits, float (..., K).
        """
        vectors = self.embedding(contexts)  # (..., C, E)
        return self.layers(vectors.flatten(-2))  # (..., C E) -> (..., K)

    def window_predictor(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function that does what `predict_windows` does, but looks the first layer up.

        The first layer is linear and each of its inputs one of K + 1 embeddings. So what a
        token adds at each place of the window can be worked out beforehand: a table of
        C (K + 1) rows, and the layer becomes a sum of C of them.

        Returns:
            A function from contexts, long (M, C), to logits (M, K).
        """
        own = type(self).predict_windows is not CategoricalPixelPredictor.predict_windows
        if own or [type(layer) for layer in self.layers] != LAYERS:
            return self.predict_windows  # a changed network runs as it is
        if self.device.type == "mps":  # early versions for Apple's GPUs lack embedding_bag
            return self.predict_windows
        first, _, dropout, second, _, last_dropout, last = self.layers
        by_place = first.weight.unflatten(1, (self.context.length, -1))  # (H, C, E)
        table = torch.einsum("ve,hce->cvh", self.embedding.weight, by_place)  # (C, K + 1, H)
        table[0] += first.bias  # each window has one token at place 0
        places = torch.arange(len(table), device=table.device) * table.shape[1]
        table = table.flatten(0, 1)
        rest = [(dropout, second.weight, second.bias), (last_dropout, last.weight, last.bias)]

        def predict(contexts: torch.Tensor) -> torch.Tensor:
            index = contexts + places
            if len(index) == 1:  # less ado for a single window
                hidden = table.index_select(0, index[0]).sum(dim=0, keepdim=True)  # (1, H)
            else:
                hidden = F.embedding_bag(index, table, mode="sum")  # (M, H)
            for silence, weight, bias in rest:
                hidden = hidden.relu_()
                if silence.training:  # calling it takes its time, even where it does nothing
                    hidden = silence(hidden)
                hidden = F.linear(hidden, weight, bias)
            return hidden

        return predict

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Turn tokens into vectors.

        Args:
            tokens: long (N, H, W).

        Returns:
            float (N, H, W, E).
        """
        return self.embedding(tokens)

    def predict(self, embedded: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Turn embedded pixels into logits: the same as `forward`, from its middle on.

        Args:
            embedded: float (N, H, W, E), from `embed`.
            labels: None.

        Returns:
            Logits, float (N, K, H, W).
        """
        num_images, height, width, _ = embedded.shape
        start = self.embedding.weight[self.start_token].expand(num_images, 1, -1)
        padded = torch.cat([embedded.flatten(1, 2), start], dim=1)  # (N, H W + 1, E)
        index = positions(self.context, height, width).to(embedded.device)
        index = index.masked_fill(index == OUTSIDE, height * width)  # the start vector is last
        logits = self.layers(padded[:, index].flatten(-2))  # (N, H W, K)
        return logits.transpose(1, 2).unflatten(2, (height, width))

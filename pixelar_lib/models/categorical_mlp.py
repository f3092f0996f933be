"""The post's network: token embeddings, two hidden layers, logits over the K tokens.

Sources: the post "Generating Pixels One by One", section "Building Our Neural Network"; the
idea of embedding a window of tokens is from Bengio et al., A Neural Probabilistic Language
Model, 2003.
"""

from collections.abc import Callable

import torch
from torch import nn

from pixelar_lib.context import Context, raster
from pixelar_lib.models.lookup_table import lookup_predictor
from pixelar_lib.models.modules import check_dropout
from pixelar_lib.models.state import is_changed, is_hooked
from pixelar_lib.models.window import WindowModel
from pixelar_lib.quantization import check_count


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
        num_classes: int | None = None,
    ) -> None:
        """Build the network with random weights.

        Args:
            num_bins: K, at least 2.
            context_length: k of `raster(k)`, the number of pixels in the window.
            embedding_dim: Length of the vector that each token becomes.
            hidden_size: Width of both hidden layers.
            dropout: Share of hidden units silenced in training, 0 to below 1.
            context: A context that overrides `context_length`.
            num_classes: Number of labels of a conditional model, else None.

        Raises:
            TypeError: If a size is not an integer.
            ValueError: If a number is out of range.
        """
        check_dropout(dropout)
        embedding_dim = check_count("embedding_dim", embedding_dim)
        hidden_size = check_count("hidden_size", hidden_size)
        context = raster(context_length) if context is None else context
        super().__init__(num_bins, context, num_classes)
        self.embedding = nn.Embedding(self.num_values, embedding_dim)  # tokens, start, labels
        self.layers = nn.Sequential(
            nn.Linear(self.window_length * embedding_dim, hidden_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, self.num_bins),
        )

    def predict_windows(self, contexts: torch.Tensor) -> torch.Tensor:
        """Turn windows, long (..., C), into logits (..., K), as `WindowModel.predict_windows`."""
        vectors = self.embedding(contexts)  # (..., C, E)
        return self.layers(vectors.flatten(-2))  # (..., C E) -> (..., K)

    def key_predictor(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return what does the same as `predict_windows`, but looks the first layer up."""
        original = CategoricalPixelPredictor.predict_windows
        if is_changed(self, predict_windows=original) or is_hooked(self):
            return self.predict_windows
        return lookup_predictor(self.embedding, self.layers) or self.predict_windows

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Turn tokens, long (N, H, W), into vectors (N, H, W, E)."""
        return self.embedding(tokens)

    def predict(self, embedded: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Turn embedded pixels into logits: the same as `forward`, from its middle on."""
        num_images, height, width, _ = embedded.shape
        special = [self.embedding.weight[self.start_token].expand(num_images, 1, -1)]
        if labels is not None:
            special.insert(0, self.embedding(self.label_tokens(labels))[:, None])
        vectors = torch.cat([embedded.flatten(1, 2), *special], dim=1)  # found at LABEL, OUTSIDE
        index = self.window_places(height, width).to(embedded.device)  # (H W, C)
        logits = self.layers(vectors[:, index].flatten(-2))  # (N, H W, K)
        return logits.transpose(1, 2).unflatten(2, (height, width))

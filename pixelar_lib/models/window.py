"""What models share that look at a fixed window of earlier pixels."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from pixelar_lib.context import (
    OUTSIDE,
    Context,
    check_context,
    flat_index,
    positions,
    targets,
    windows,
)
from pixelar_lib.models.base import PixelModel


class WindowModel(PixelModel):
    """A model that predicts each pixel from its context window alone.

    A subclass implements `predict_windows`.

    Attributes:
        context: Which earlier pixels a window holds.
        start_token: K, the token that stands outside the image.
        windows_per_image: How many windows of each image a training step draws at random.
    """

    windows_per_image = 8

    def __init__(self, num_bins: int, context: Context) -> None:
        """Remember K and the context.

        Args:
            num_bins: K, 2 to 256.
            context: From `context.raster` or `context.neighbourhood`.

        Raises:
            TypeError: If context is none, or K no integer.
            ValueError: If K is out of range.
        """
        super().__init__(num_bins)
        check_context(context)
        self.context = context
        self.start_token = num_bins

    def predict_windows(self, contexts: torch.Tensor) -> torch.Tensor:
        """Predict the pixel that follows each window.

        Args:
            contexts: long (..., context.length), tokens 0 to K, where K is the start token.

        Returns:
            Logits, float (..., K).
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement predict_windows")

    def forward(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Predict every pixel from its window.

        Args:
            tokens: long (N, H, W), 0 to K - 1.
            labels: None; a window model has no labels.

        Returns:
            Logits, float (N, K, H, W).

        Raises:
            TypeError: If tokens is no integer tensor.
            ValueError: If a shape or value does not fit, or labels are given.
        """
        self.check_input(tokens, labels)
        logits = self.predict_windows(windows(tokens, self.context, self.start_token))
        return logits.transpose(1, 2).unflatten(2, tokens.shape[1:])  # (N, H W, K) -> (N, K, H, W)

    def training_loss(
        self,
        tokens: torch.Tensor,
        labels: torch.Tensor | None,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return the loss on `windows_per_image` windows of each image, drawn at random.

        Args:
            tokens: long (N, H, W).
            labels: None; a window model has no labels.
            generator: Draws which pixels are trained on.

        Returns:
            Mean cross-entropy in nats per pixel, a scalar.
        """
        self._check_labels(labels, len(tokens))
        shape = (len(tokens), self.windows_per_image)
        pixels = torch.randint(tokens[0].numel(), shape, generator=generator)
        contexts = windows(tokens, self.context, self.start_token, pixels)
        logits = self.predict_windows(contexts)  # (N, windows_per_image, K)
        return F.cross_entropy(logits.flatten(0, 1), targets(tokens, pixels).flatten())

    def incremental_logits(
        self, tokens: torch.Tensor, labels: torch.Tensor | None = None
    ) -> Callable[[int], torch.Tensor]:
        """Return a function that predicts one pixel from its window alone.

        Args:
            tokens: long (N, H, W), a buffer that the caller fills in reading order.
            labels: None; a window model has no labels.

        Returns:
            A function from a flat pixel index to logits (N, K).
        """
        self.check_input(tokens, labels)
        table = positions(self.context, *tokens.shape[1:]).to(tokens.device)
        flat = tokens.view(len(tokens), -1)  # a view: it sees what the caller writes

        def logits_of(pixel: int) -> torch.Tensor:
            index = table[pixel]
            contexts = flat[:, index.clamp(min=0)]
            contexts[:, index == OUTSIDE] = self.start_token
            return self.predict_windows(contexts)

        return logits_of

    def extra_repr(self) -> str:
        """Return what printing the model shows beside its layers."""
        return f"context={self.context}, windows_per_image={self.windows_per_image}"

    def receptive_field(self, row: int, column: int, height: int, width: int) -> torch.Tensor:
        """Return which pixels lie in the window of the prediction at (row, column).

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
        pixel = flat_index(row, column, height, width)
        index = positions(self.context, height, width)[pixel]
        seen = torch.zeros(height * width, dtype=torch.bool)
        seen[index[index != OUTSIDE]] = True
        return seen.view(height, width)

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
from pixelar_lib.models.distinct import distinct_windows

FEW = 32  # finding equal windows among fewer costs more than it saves
ROWS = 4096  # windows in one pass: buffers of that size stay in the processor's cache


class WindowModel(PixelModel):
    """A model that predicts each pixel from its context window alone.

    A subclass implements `predict_windows`. Losses and samples use it, not `forward`.

    Attributes:
        context: Which earlier pixels a window holds.
        start_token: K, the token that stands outside the image.
        windows_per_image: How many windows of each image a training step draws at random.
    """

    windows_per_image = 8
    images_per_chunk = 256  # more images repeat more windows

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

    def window_predictor(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function that does what `predict_windows` does, for many calls.

        A subclass may prepare what does not change while the weights stay as they are.

        Returns:
            A function from contexts, long (M, context.length), to logits (M, K).
        """
        return self.predict_windows

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
        share: slice = slice(None),
    ) -> torch.Tensor:
        """Return the loss on `windows_per_image` windows of each image, drawn at random.

        Equal windows go through the network once (and share their dropout, where it is on).

        Args:
            tokens: long (N, H, W).
            labels: None; a window model has no labels.
            generator: Draws which pixels are trained on.
            share: Which images count, as in `PixelModel.training_loss`.

        Returns:
            Mean cross-entropy in nats per pixel, a scalar.
        """
        self._check_labels(labels, len(tokens))
        shape = (len(tokens), self.windows_per_image)
        pixels = torch.randint(tokens[0].numel(), shape, generator=generator)
        tokens, pixels = tokens[share], pixels[share]
        contexts = windows(tokens, self.context, self.start_token, pixels).flatten(0, 1)
        first, rows = distinct_windows(contexts, self.num_bins + 1)
        logits = self.window_predictor()(contexts[first])  # (U, K)
        pairs = rows * self.num_bins + targets(tokens, pixels).flatten()
        counts = torch.bincount(pairs, minlength=logits.numel()).view_as(logits)
        return F.cross_entropy(logits, counts.to(logits) / len(pairs), reduction="sum")

    def token_losses(
        self, tokens: torch.Tensor, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return what each pixel costs, as `PixelModel.token_losses`; equal windows once.

        Args:
            tokens: long (N, H, W).
            labels: None; a window model has no labels.

        Returns:
            float (N, H, W), nats.
        """
        self.check_input(tokens, labels)
        contexts = windows(tokens, self.context, self.start_token).flatten(0, 1)
        first, rows = distinct_windows(contexts, self.num_bins + 1)
        predict = self.window_predictor()
        parts = [predict(part).log_softmax(dim=1) for part in contexts[first].split(ROWS)]
        return -torch.cat(parts)[rows, targets(tokens).flatten()].view_as(tokens)

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
        outside = table == OUTSIDE
        at_the_edge = outside.any(dim=1).tolist()
        table = table.clamp(min=0)
        flat = tokens.view(len(tokens), -1).t()  # (H W, N), a view: it sees what the caller writes
        predict = self._repeats_once(self.window_predictor())

        def logits_of(pixel: int) -> torch.Tensor:
            contexts = flat[table[pixel]].long()  # (C, N)
            if at_the_edge[pixel]:
                contexts.masked_fill_(outside[pixel, :, None], self.start_token)
            return predict(contexts.t())

        return logits_of

    def _repeats_once(self, predict: Callable) -> Callable:
        """Let a predictor see equal windows once, for as long as there are many of them."""
        rest = 0  # calls to wait before looking for equal windows again

        def predict_distinct(contexts: torch.Tensor) -> torch.Tensor:
            nonlocal rest
            rest -= 1
            if len(contexts) < FEW or contexts.device.type != "cpu" or rest > 0:
                return predict(contexts)
            first, rows = distinct_windows(contexts, self.num_bins + 1)
            if len(first) > 0.8 * len(rows):
                rest = 32
            return predict(contexts[first])[rows]

        return predict_distinct

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

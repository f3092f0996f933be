"""What models share that look at a fixed window of earlier pixels."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from pixelar_lib.context import (
    LABEL,
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
from pixelar_lib.models.state import is_changed, is_hooked
from pixelar_lib.quantization import check_count

FEW = 32  # finding equal windows among fewer costs more than it saves
ROWS = 4096  # windows in one pass: buffers of that size stay in the processor's cache


class WindowModel(PixelModel):
    """A model that predicts each pixel from its context window, and its label if it has one.

    A subclass implements `predict_windows`. A label is one more token at the end of the window.
    Losses and samples compute equal windows once.

    Attributes:
        context: Which earlier pixels a window holds.
        start_token: K, the token that stands outside the image.
        num_values: How many values a window's entry can have: K + 1, and one for each label.
        windows_per_image: How many windows of each image a training step draws at random.
    """

    windows_per_image = 8
    eval_batch_size = 256  # more images repeat more windows

    def __init__(self, num_bins: int, context: Context, num_classes: int | None = None) -> None:
        """Remember K, the context and the number of labels.

        Args:
            num_bins: K, at least 2.
            context: From `context.raster` or `context.neighbourhood`.
            num_classes: Number of labels of a conditional model, else None.

        Raises:
            TypeError: If context is none, or a number not an integer.
            ValueError: If a number is out of range.
        """
        super().__init__(num_bins, num_classes)
        check_context(context)
        self.context = context
        self.start_token = self.num_bins
        self.num_values = self.num_bins + 1 + (self.num_classes or 0)

    @property
    def window_length(self) -> int:
        """Tokens in a window: those of its pixels, and one for the label of a conditional model."""
        return self.context.length + (self.num_classes is not None)

    def predict_windows(self, contexts: torch.Tensor) -> torch.Tensor:
        """Predict the pixel that follows each window.

        Args:
            contexts: long (..., window_length): tokens 0 to K, where K is the start token, and
                last the token of the label, K + 1 + label, if there are labels.

        Returns:
            Logits, float (..., K).
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement predict_windows")

    def key_predictor(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function that does what `predict_windows` does, for many calls.

        A subclass may prepare what does not change while the weights stay as they are.

        Returns:
            A function from contexts, long (M, window_length), to logits (M, K).
        """
        return self.predict_windows

    def context_keys(self, height: int, width: int) -> torch.Tensor | None:
        """Return which tokens a window holds, as `PixelModel.context_keys`."""
        return None if self._forward_is_changed() else self.window_places(height, width)

    def window_places(self, height: int, width: int) -> torch.Tensor:
        """Return for each pixel the places of its window's tokens: long (H W, window_length)."""
        places = positions(self.context, height, width)
        return F.pad(places, (0, self.window_length - places.shape[1]), value=LABEL)

    def contexts(
        self,
        tokens: torch.Tensor,
        labels: torch.Tensor | None = None,
        pixels: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the windows of pixels, for `predict_windows`.

        Args:
            tokens: integer (N, H, W).
            labels: long (N,) for a conditional model, else None.
            pixels: long (N, M), flat indices; default: all H W of them.

        Returns:
            long (N, M, window_length).
        """
        found = windows(tokens, self.context, self.start_token, pixels)
        if labels is None:
            return found
        last = self.label_tokens(labels)[:, None, None].expand(-1, found.shape[1], -1)
        return torch.cat([found, last], dim=2)

    def label_tokens(self, labels: torch.Tensor) -> torch.Tensor:
        """Return the token of each label, K + 1 + label."""
        return self.num_bins + 1 + labels

    def forward(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Predict every pixel from its window, as `PixelModel.forward`."""
        self.check_input(tokens, labels)
        logits = self.predict_windows(self.contexts(tokens, labels))  # (N, H W, K)
        return logits.transpose(1, 2).unflatten(2, tokens.shape[1:])  # (N, K, H, W)

    def prepare(
        self, tokens: torch.Tensor, labels: torch.Tensor | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, ...]:
        """Draw `windows_per_image` pixels of each image: tokens, their flat indices, labels."""
        shape = len(tokens), check_count("windows_per_image", self.windows_per_image)
        size = tokens[0].numel()
        pixels = torch.randint(size, shape, generator=generator, device=generator.device)
        return (tokens, pixels) if labels is None else (tokens, pixels, labels)

    def training_loss(
        self, tokens: torch.Tensor, pixels: torch.Tensor, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the mean cross-entropy of what `prepare` drew, nats, a scalar.

        Equal windows go through the network once (and share their dropout, where it is on).
        """
        following = targets(tokens, pixels)
        if self._forward_is_changed():
            logits = self(tokens, labels).flatten(2).transpose(1, 2)  # (N, H W, K)
            index = pixels[..., None].expand(-1, -1, self.num_bins)
            return F.cross_entropy(logits.gather(1, index).flatten(0, 1), following.flatten())
        contexts = self.contexts(tokens, labels, pixels).flatten(0, 1)
        first, rows = distinct_windows(contexts, self.num_values)
        logits = self.key_predictor()(contexts[first])  # (U, K)
        pairs = rows * self.num_bins + following.flatten()
        counts = torch.bincount(pairs, minlength=logits.numel()).view_as(logits)
        return F.cross_entropy(logits, counts.to(logits) / len(pairs), reduction="sum")

    def nll(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return what each pixel costs, as `PixelModel.nll`; equal windows once."""
        if self._forward_is_changed():
            return super().nll(tokens, labels)
        self.check_input(tokens, labels)
        contexts = self.contexts(tokens, labels).flatten(0, 1)
        first, rows = distinct_windows(contexts, self.num_values)
        predict = self.key_predictor()
        parts = [predict(part).log_softmax(dim=1) for part in contexts[first].split(ROWS)]
        return -torch.cat(parts)[rows, targets(tokens).flatten()].view_as(tokens)

    def incremental_logits(
        self, tokens: torch.Tensor, labels: torch.Tensor | None = None
    ) -> Callable[[int], torch.Tensor]:
        """Return a function that predicts one pixel from its window, as the base class does."""
        if self._forward_is_changed():
            return super().incremental_logits(tokens, labels)
        self.check_input(tokens, labels)
        table = positions(self.context, *tokens.shape[1:]).to(tokens.device)
        outside = table == OUTSIDE
        at_the_edge = outside.any(dim=1).tolist()
        table = table.clamp(min=0)
        flat = tokens.view(len(tokens), -1).t()  # (H W, N), a view: it sees what the caller writes
        last = [] if labels is None else [self.label_tokens(labels)[None]]
        predict = self._repeats_once(self.key_predictor())

        def logits_of(pixel: int) -> torch.Tensor:
            contexts = flat[table[pixel]].long()  # (C, N)
            if at_the_edge[pixel]:
                contexts.masked_fill_(outside[pixel, :, None], self.start_token)
            return predict(torch.cat([contexts, *last]).t() if last else contexts.t())

        return logits_of

    def _forward_is_changed(self) -> bool:
        """Say whether a call of the model would do more than this class does."""
        methods = ("forward", "contexts", "label_tokens", "window_places")
        originals = {name: getattr(WindowModel, name) for name in methods}
        return is_changed(self, **originals) or is_hooked(self)

    def _repeats_once(self, predict: Callable) -> Callable:
        """Let a predictor see equal windows once, for as long as there are many of them."""
        rest = 0  # calls to wait before looking for equal windows again

        def predict_distinct(contexts: torch.Tensor) -> torch.Tensor:
            nonlocal rest
            rest -= 1
            if len(contexts) < FEW or contexts.device.type != "cpu" or rest > 0:
                return predict(contexts)
            first, rows = distinct_windows(contexts, self.num_values)
            if len(first) > 0.8 * len(rows):
                rest = 32
            return predict(contexts[first])[rows]

        return predict_distinct

    def extra_repr(self) -> str:
        """Return what printing the model shows beside its layers."""
        return f"context={self.context}, windows_per_image={self.windows_per_image}"

    def receptive_field(self, row: int, column: int, height: int, width: int) -> torch.Tensor:
        """Return which pixels lie in the window, as `PixelModel.receptive_field`."""
        pixel = flat_index(row, column, height, width)
        index = positions(self.context, height, width)[pixel]
        seen = torch.zeros(height * width, dtype=torch.bool, device="cpu")
        seen[index[index != OUTSIDE]] = True
        return seen.view(height, width)

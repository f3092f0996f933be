"""The contract that every pixel model keeps, so that one `fit` and one `sample` serve all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.context import flat_index
from pixelar_lib.quantization import check_num_bins, check_tokens


class PixelModel(nn.Module):
    """A distribution over images, one pixel at a time in reading (raster) order.

    A subclass implements `embed` and `predict`, or `forward` as a whole. Calling the model
    gives logits (N, K, H, W): `logits[:, :, i, j]` is the prediction for pixel (i, j) and
    depends only on tokens before it.

    Attributes:
        num_bins: K, the number of tokens a pixel can be.
        num_classes: Number of labels of a conditional model; None for one without labels.
        image_size: (H, W) where the parameters depend on it, else None.
        images_per_chunk: How many images an evaluation computes at a time.
    """

    images_per_chunk = 8  # small buffers stay in the cache, and are not mapped anew each time

    def __init__(
        self,
        num_bins: int,
        num_classes: int | None = None,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        """Remember what the model predicts.

        Args:
            num_bins: K, 2 to 256.
            num_classes: Number of labels, or None for a model without labels.
            image_size: (H, W), or None for a model that fits any size.

        Raises:
            TypeError: If K is no integer.
            ValueError: If K is out of range.
        """
        super().__init__()
        check_num_bins(num_bins)
        self.num_bins = num_bins
        self.num_classes = num_classes
        self.image_size = image_size

    def forward(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Predict every pixel from the pixels before it.

        Args:
            tokens: long (N, H, W), 0 to K - 1.
            labels: long (N,) for a conditional model, else None.

        Returns:
            Logits, float (N, K, H, W).

        Raises:
            TypeError: If tokens or labels are no integer tensors.
            ValueError: If a shape or value does not fit, or labels are missing or unwanted.
        """
        self.check_input(tokens, labels)
        return self.predict(self.embed(tokens.long()), labels)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Turn tokens into vectors, each pixel by itself.

        Args:
            tokens: long (N, H, W).

        Returns:
            float (N, H, W, E).
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement embed")

    def predict(self, embedded: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Turn embedded pixels into logits; all that crosses from pixel to pixel is here.

        Args:
            embedded: float (N, H, W, E), from `embed`.
            labels: long (N,) or None.

        Returns:
            Logits, float (N, K, H, W).
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement predict")

    def training_loss(
        self,
        tokens: torch.Tensor,
        labels: torch.Tensor | None,
        generator: torch.Generator,
        share: slice = slice(None),
    ) -> torch.Tensor:
        """Return the loss of one training step on a batch: here, over all its pixels.

        Args:
            tokens: long (N, H, W).
            labels: long (N,) or None.
            generator: Source of randomness, for models that draw which pixels they train on.
            share: Which images count; what is drawn is drawn for all, so shares fit together.

        Returns:
            Mean cross-entropy in nats per pixel, a scalar.
        """
        tokens, labels = tokens[share], None if labels is None else labels[share]
        return F.cross_entropy(self(tokens, labels), tokens)

    def token_losses(
        self, tokens: torch.Tensor, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return what each pixel costs: the negative log-likelihood of its token.

        Args:
            tokens: long (N, H, W).
            labels: long (N,) or None.

        Returns:
            float (N, H, W), nats.
        """
        return F.cross_entropy(self(tokens, labels), tokens, reduction="none")

    def incremental_logits(
        self, tokens: torch.Tensor, labels: torch.Tensor | None = None
    ) -> Callable[[int], torch.Tensor]:
        """Return a function that predicts one pixel at a time while an image grows.

        Call it with 0, 1, 2, ... after writing each pixel into `tokens`. This one runs the
        whole model for each pixel; a model may do better, with the same result.

        Args:
            tokens: long (N, H, W), a buffer that the caller fills in reading order.
            labels: long (N,) or None.

        Returns:
            A function from a flat pixel index to logits (N, K).
        """
        width = tokens.shape[2]
        return lambda pixel: self(tokens, labels)[:, :, pixel // width, pixel % width]

    def receptive_field(self, row: int, column: int, height: int, width: int) -> torch.Tensor:
        """Return which pixels the prediction at (row, column) may depend on: here, all before.

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
        before = torch.arange(height * width) < flat_index(row, column, height, width)
        return before.view(height, width)

    @property
    def device(self) -> torch.device:
        """The device that the model's numbers are on."""
        tensors = (*self.parameters(), *self.buffers())
        return tensors[0].device if tensors else torch.device("cpu")

    @property
    def num_parameters(self) -> int:
        """How many numbers training can change."""
        return sum(weights.numel() for weights in self.parameters() if weights.requires_grad)

    def check_input(self, tokens: torch.Tensor, labels: torch.Tensor | None) -> None:
        """Raise unless tokens and labels fit this model.

        Args:
            tokens: Should be an integer tensor (N, H, W), 0 to K - 1.
            labels: Should be an integer tensor (N,) for a conditional model, else None.

        Raises:
            TypeError: If tokens or labels are no integer tensors.
            ValueError: If a shape or value does not fit, or labels are missing or unwanted.
        """
        check_tokens(tokens, self.num_bins)
        if tokens.ndim != 3 or 0 in tokens.shape[1:]:
            raise ValueError(
                f"tokens must have shape (N, H, W), H and W at least 1, not "
                f"{tuple(tokens.shape)}; tokens[None] makes a batch of a single image."
            )
        if self.image_size is not None and tuple(tokens.shape[1:]) != tuple(self.image_size):
            raise ValueError(
                f"this model was built for images of {self.image_size}, "
                f"but the tokens are {tuple(tokens.shape[1:])}."
            )
        self._check_labels(labels, len(tokens))

    def _check_labels(self, labels: torch.Tensor | None, num_images: int) -> None:
        if self.num_classes is None:
            if labels is not None:
                raise ValueError(f"{type(self).__name__} has no labels; call it with tokens alone.")
            return
        if labels is None:
            raise ValueError(
                f"this model is conditional: give labels, a long tensor ({num_images},) with "
                f"values 0 to {self.num_classes - 1}."
            )
        if not isinstance(labels, torch.Tensor) or labels.dtype != torch.long:
            given = getattr(labels, "dtype", type(labels).__name__)
            raise TypeError(f"labels must be a long tensor ({num_images},), not {given}.")
        if labels.shape != (num_images,):
            raise ValueError(f"labels must have shape ({num_images},), not {tuple(labels.shape)}.")
        if num_images and not 0 <= int(labels.min()) <= int(labels.max()) < self.num_classes:
            raise ValueError(
                f"labels range from {int(labels.min())} to {int(labels.max())}; this model's "
                f"labels must be 0 to {self.num_classes - 1}."
            )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch a model to evaluation, without gradients; afterwards restore what was.

    Args:
        model: Any module; each of its parts gets back its own mode.
    """
    with restoring_modes(model), torch.no_grad():
        model.eval()
        yield


@contextmanager
def restoring_modes(model: nn.Module) -> Iterator[None]:
    """Afterwards give each part of a model back its own mode, training or evaluation.

    Args:
        model: Any module.
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode

"""The contract that every pixel model keeps, so that one `fit` and one `sample` serve all."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.context import flat_index, height_and_width
from pixelar_lib.models.modules import Loadable, batches, evaluating
from pixelar_lib.models.state import State, advancing, can_advance
from pixelar_lib.quantization import check_count, check_tokens


class PixelModel(Loadable):
    """A distribution over images, one pixel at a time in reading (raster) order.

    A subclass implements `embed` and `predict`, or `forward` as a whole. Calling the model
    gives logits (N, K, H, W): `logits[:, :, i, j]` is the prediction for pixel (i, j) and
    depends only on tokens before it.

    Attributes:
        num_bins: K, the number of tokens a pixel can be.
        num_classes: Number of labels of a conditional model; None for one without labels.
        image_size: (H, W) where the parameters depend on it, else None.
        eval_batch_size: How many images an evaluation computes at a time.
    """

    eval_batch_size = 8  # small buffers stay in the cache, and are not mapped anew each time

    def __init__(
        self,
        num_bins: int,
        num_classes: int | None = None,
        image_size: int | tuple[int, int] | None = None,
        label_size: int | None = None,
    ) -> None:
        """Remember what the model predicts.

        Args:
            num_bins: K, at least 2.
            num_classes: Number of labels, at least 1, or None for a model without labels.
            image_size: H = W, or (H, W), or None for a model that fits any size.
            label_size: Length of the vector that `label_vectors` makes of each label.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If a number is out of range.
        """
        super().__init__()
        self.num_bins = check_count("num_bins", num_bins, least=2)
        if num_classes is not None:
            num_classes = check_count("num_classes", num_classes)
            if label_size is not None:
                self.label_embedding = nn.Embedding(num_classes, label_size)
        self.num_classes = num_classes
        self.image_size = None if image_size is None else height_and_width(image_size)

    def forward(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Predict every pixel from the pixels before it.

        Args:
            tokens: long (N, H, W), 0 to K - 1.
            labels: long (N,) for a conditional model, else None.

        Returns:
            Logits, float (N, K, H, W).

        Raises:
            TypeError: If tokens or labels are not integer tensors.
            ValueError: If a shape or value does not fit, or labels are missing or unwanted.
        """
        self.check_input(tokens, labels)
        return self.predict(self.embed(tokens.long()), labels)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Turn tokens, long (N, H, W), into vectors (N, H, W, E), each pixel by itself."""
        raise NotImplementedError(f"{type(self).__name__} does not implement embed")

    def predict(
        self,
        embedded: torch.Tensor,
        labels: torch.Tensor | None = None,
        state: State | None = None,
    ) -> torch.Tensor:
        """Turn embedded pixels into logits; all that crosses from pixel to pixel is here.

        A model need not take a state. One that does is drawn by it, one pixel at a time.

        Args:
            embedded: float (N, H, W, E), from `embed`. With a state: (N, E), the pixel before
                the one to predict; zeros where there is none.
            labels: long (N,) or None.
            state: What the layers keep of the pixels before.

        Returns:
            Logits, float (N, K, H, W); with a state (N, K).
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement predict")

    def label_vectors(self, labels: torch.Tensor) -> torch.Tensor:
        """Turn labels, long (N,), into vectors (N, label_size)."""
        return self.label_embedding(labels)

    def incremental_logits(
        self, tokens: torch.Tensor, labels: torch.Tensor | None = None
    ) -> Callable[[int], torch.Tensor]:
        """Return a function that predicts one pixel at a time while an image grows.

        Call it with 0, 1, 2, ... after writing each pixel into `tokens`. It advances a state
        where that gives what `forward` gives, and else runs the whole model for each pixel.

        Args:
            tokens: long (N, H, W), a buffer that the caller fills in reading order.
            labels: long (N,) or None.

        Returns:
            A function from a flat pixel index to logits (N, K).
        """
        self.check_input(tokens, labels)
        if can_advance(self, PixelModel.forward, tokens.shape[1:], labels):
            return advancing(self, tokens, labels)
        width = tokens.shape[2]
        return lambda pixel: self(tokens, labels)[:, :, pixel // width, pixel % width]

    def context_keys(self, height: int, width: int) -> torch.Tensor | None:
        """Return which earlier pixels determine each prediction, where they are few: here, None.

        A model that returns some has `key_predictor`, too: what follows equal keys is then
        worked out once.

        Returns:
            long (H W, C), flat indices; `context.OUTSIDE` and `context.LABEL` stand for the
            start token K and for the token of the label, K + 1 + label.
        """
        return None

    def nll(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return the negative log-likelihood of each pixel given those before it.

        Args:
            tokens: long (N, H, W).
            labels: long (N,) or None.

        Returns:
            float (N, H, W), nats.
        """
        return F.cross_entropy(self(tokens, labels), tokens, reduction="none")

    def prepare(
        self, tokens: torch.Tensor, labels: torch.Tensor | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, ...]:
        """Return the batch of a training step, as `Trainable.prepare`: here, nothing is random."""
        return (tokens.long(),) if labels is None else (tokens.long(), labels)

    def training_loss(
        self, tokens: torch.Tensor, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the mean cross-entropy of all pixels, nats, a scalar."""
        return F.cross_entropy(self(tokens, labels), tokens)

    def held_out_loss(
        self, tokens: torch.Tensor, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the mean nats per pixel of each image, float64 (N,), on the CPU."""
        self.check_input(tokens, labels)
        with evaluating(self):
            parts = [
                self.nll(some.long(), some_labels).flatten(1).float().cpu()
                for some, some_labels in batches(self.eval_batch_size, self.device, tokens, labels)
            ]
        return torch.cat(parts).double().mean(dim=1)

    def receptive_field(self, row: int, column: int, height: int, width: int) -> torch.Tensor:
        """Return which pixels the prediction at (row, column) may depend on: here, all before.

        Returns:
            bool (height, width).

        Raises:
            ValueError: If the pixel is outside the image.
        """
        pixels = torch.arange(height * width, device="cpu")
        return (pixels < flat_index(row, column, height, width)).view(height, width)

    @property
    def device(self) -> torch.device:
        """The device that the model's numbers are on."""
        tensors = (*self.parameters(), *self.buffers())
        return tensors[0].device if tensors else torch.device("cpu")

    @property
    def num_parameters(self) -> int:
        """How many numbers training can change."""
        return sum(weights.numel() for weights in self.parameters() if weights.requires_grad)

    def check_input(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> None:
        """Raise unless tokens and labels fit this model.

        Args:
            tokens: Should be an integer tensor (N, H, W), 0 to K - 1.
            labels: Should be a long tensor (N,) for a conditional model, else None.

        Raises:
            TypeError: If tokens or labels are not integer tensors.
            ValueError: If a shape or value does not fit, or labels are missing or unwanted.
        """
        check_tokens(tokens, self.num_bins)
        if tokens.ndim != 3 or 0 in tokens.shape[1:]:
            raise ValueError(
                f"tokens must have shape (N, H, W), H and W at least 1, not "
                f"{tuple(tokens.shape)}; tokens[None] makes a batch of a single image."
            )
        if self.image_size is not None and tuple(tokens.shape[1:]) != self.image_size:
            raise ValueError(
                f"this model was built for images of {self.image_size}, "
                f"but the tokens are {tuple(tokens.shape[1:])}."
            )
        if self.num_classes is not None:
            check_labels(labels, len(tokens), self.num_classes)
        elif labels is not None:
            raise ValueError(f"{type(self).__name__} has no labels; call it with tokens alone.")


def check_labels(labels: torch.Tensor | None, num_images: int, num_classes: int) -> None:
    """Raise unless labels are a long tensor (N,) of values 0 to `num_classes` - 1."""
    if labels is None:
        raise ValueError(
            f"this model is conditional: give labels, a long tensor ({num_images},) with "
            f"values 0 to {num_classes - 1}."
        )
    if not isinstance(labels, torch.Tensor) or labels.dtype != torch.long:
        given = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(f"labels must be a long tensor ({num_images},), not {given}.")
    if labels.shape != (num_images,):
        raise ValueError(f"labels must have shape ({num_images},), not {tuple(labels.shape)}.")
    if num_images and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise ValueError(
            f"labels range from {int(labels.min())} to {int(labels.max())}; this model's "
            f"labels must be 0 to {num_classes - 1}."
        )

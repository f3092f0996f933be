"""A small network that reads digits: it judges drawings, and no pixel model has learned from it.

Convolutions and pooling are those of LeCun et al., Gradient-Based Learning Applied to Document
Recognition, 1998.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.models import batches, evaluating
from pixelar_lib.models.modules import Loadable, check_dropout
from pixelar_lib.quantization import (
    binarize,
    check_count,
    check_integers,
    grey_levels,
    quantize,
)

SIDE, NUM_DIGITS = 28, 10
IMAGES_PER_BATCH = 64
SHIFT = 2  # pixels that a training image moves at most, in each direction
FEWER_GREYS = 16


@dataclass(frozen=True)
class Reading:
    """What a classifier reads in N images.

    Attributes:
        probabilities: float32 (N, 10), of each digit; each row sums to 1.
        features: float32 (N, F), what the probabilities are computed from.
    """

    probabilities: torch.Tensor
    features: torch.Tensor

    @property
    def labels(self) -> torch.Tensor:
        """The likeliest digit of each image, long (N,)."""
        return self.probabilities.argmax(dim=1)


class DigitClassifier(Loadable):
    """Tells which digit an image shows, whether it has 256 greys, 16, or black and white alone.

    It keeps the protocol of `trainable.Trainable`, with images as its inputs.
    """

    def __init__(self, channels: int = 16, num_features: int = 64, dropout: float = 0.25) -> None:
        """Build it with random weights.

        Args:
            channels: C of the first convolution; the second one has 2 C, the third 4 C.
            num_features: F, length of the vector that describes an image.
            dropout: Share of the features that training sets to 0, from 0 to below 1.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If a number is out of range.
        """
        super().__init__()
        width = check_count("channels", channels)
        self.num_features = check_count("num_features", num_features)
        self.look = nn.Sequential(
            *_layer(1, width),  # 28 x 28 pixels become 14 x 14 places
            *_layer(width, 2 * width),  # 7 x 7
            *_layer(2 * width, 4 * width),  # 3 x 3
            nn.Flatten(),
            nn.Linear(9 * 4 * width, num_features),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(check_dropout(dropout))
        self.head = nn.Linear(num_features, NUM_DIGITS)
        self.to(memory_format=torch.channels_last)  # what convolutions on a CPU are fastest with

    @property
    def num_parameters(self) -> int:
        """How many numbers training adjusts."""
        return sum(weights.numel() for weights in self.parameters())

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Describe each image by a vector.

        Each image is first stretched, so that its darkest pixel is 0 and its lightest is 1. So
        it does not matter whether two tones are 0 and 1, or 1/4 and 3/4 as `dequantize` has them.

        Args:
            images: (N, 28, 28), uint8 levels or float intensities 0 to 1, as for `quantize`.

        Returns:
            float (N, F), none below 0.

        Raises:
            TypeError, ValueError: If images are not as described.
        """
        grey = grey_levels(images, (SIDE, SIDE)).to(self.head.weight)
        grey = grey - grey.amin(dim=(1, 2), keepdim=True)
        grey = grey / grey.amax(dim=(1, 2), keepdim=True).clamp(min=1)  # a blank one stays 0
        return self.look(grey[:, None].contiguous(memory_format=torch.channels_last))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 10) for images (N, 28, 28), as for `features`."""
        return self.head(self.dropout(self.features(images)))

    def read(self, images: torch.Tensor) -> Reading:
        """Read images, a few at a time, without gradients.

        Args:
            images: (N, 28, 28), N at least 1, as for `features`.

        Returns:
            Probabilities and features, on the CPU.

        Raises:
            TypeError, ValueError: If images are not as described, or there is none.
        """
        levels = grey_levels(images, (SIDE, SIDE))
        if not len(levels):
            raise ValueError("there is no image to read: images has length 0.")
        device, parts = self.head.weight.device, []
        with evaluating(self):
            for (some,) in batches(IMAGES_PER_BATCH, device, levels):
                features = self.features(some)
                parts.append((self.head(features).softmax(dim=1).cpu(), features.cpu()))
        return Reading(*(torch.cat(part) for part in zip(*parts, strict=True)))

    def check_input(self, inputs: torch.Tensor, labels: torch.Tensor | None) -> None:
        """Raise unless these are images (N, 28, 28) with a digit each, integer (N,)."""
        grey_levels(inputs, (SIDE, SIDE))
        if labels is None:
            raise ValueError("a classifier learns from labels; give one for each image.")
        check_integers(labels)
        if labels.shape != inputs.shape[:1] or not bool(((labels >= 0) & (labels < 10)).all()):
            raise ValueError(f"labels must be {len(inputs)} digits, each 0 to 9.")

    def prepare(
        self, inputs: torch.Tensor, labels: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, ...]:
        """Move each image by up to two pixels, and take greys away from three out of four."""
        levels = grey_levels(inputs, (SIDE, SIDE))
        copies = torch.stack(
            [
                levels,
                (quantize(levels, FEWER_GREYS) * 17).to(torch.uint8),
                (quantize(levels, 2) * 255).to(torch.uint8),
                (binarize(levels, generator) * 255).to(torch.uint8),
            ]
        )  # (4, N, H, W)
        rows = torch.arange(len(levels))
        chosen = copies[torch.randint(len(copies), rows.shape, generator=generator), rows]
        moves = torch.randint(2 * SHIFT + 1, (2, len(levels), 1), generator=generator)
        places = moves + torch.arange(SIDE)  # (2, N, 28)
        padded = F.pad(chosen, (SHIFT,) * 4)
        moved = padded[rows[:, None, None], places[0][:, :, None], places[1][:, None, :]]
        return moved, labels.long()

    def training_loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy, nats an image."""
        return F.cross_entropy(self(images), labels)

    def held_out_loss(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the cross-entropy of each image as it is, (N,), nats."""
        labels = labels.long().to(self.head.weight.device)
        return F.cross_entropy(self(inputs), labels, reduction="none")


def _layer(channels_in: int, channels_out: int) -> list[nn.Module]:
    """A convolution that sees the eight places around each, then the strongest of four places."""
    convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1)
    return [convolution, nn.ReLU(), nn.MaxPool2d(2)]

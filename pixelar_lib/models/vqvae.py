"""VQ-VAE: an autoencoder that describes a picture by a few codes, each one of K.

It is no `PixelModel`: it turns images into tokens, and a pixel model can learn to draw those.

Sources: van den Oord et al., Neural Discrete Representation Learning, 2017; what its codebook
does beyond that: `codebook.py`.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib import distributed
from pixelar_lib.models.codebook import Codebook, straight_through
from pixelar_lib.models.modules import Loadable, batches, evaluating
from pixelar_lib.quantization import check_count, check_tokens, grey_levels

SIDE = 28
GRIDS = (3, 7)  # codes along each side of the picture
PIXEL_VARIANCE = 0.09517  # of all pixels of the first 50,000 training images, intensities 0 to 1


class VQVAE(Loadable):
    """Encode 28 x 28 pixels as a grid of codes, and decode them.

        28 x 28 pixels -> encoder -> g x g vectors of D numbers -> the nearest of K codes, each
        28 x 28 pixels <- decoder <- g x g codes, each a vector of D numbers

    It keeps the protocol of `trainable.Trainable`, with images as its inputs. The loss is the
    squared error, in units of the variance of the pixels, plus a commitment: how far the encoder's
    outputs are from their codes.

    Attributes:
        num_codes: K, the size of the codebook.
        grid: g, the number of codes along each side.
        commitment: Weight of the distance between outputs and their codes.
    """

    eval_batch_size = 16

    def __init__(
        self,
        num_codes: int = 128,
        grid: int = 7,
        channels: int = 64,
        code_size: int = 16,
        commitment: float = 0.25,
        revive: bool = True,
    ) -> None:
        """Build it with random weights.

        Args:
            num_codes: K, at least 2.
            grid: 7 for 7 x 7 codes, or 3 for 3 x 3.
            channels: C, the width of the networks, at least 2.
            code_size: D, numbers in a code.
            commitment: Weight of the distance between outputs and codes, at least 0.
            revive: Whether codes that are hardly ever chosen restart elsewhere.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If a number is out of range.
        """
        super().__init__()
        if check_count("grid", grid) not in GRIDS:
            raise ValueError(f"grid is {grid}; choose 7 (7 x 7 codes an image) or 3 (3 x 3).")
        if not 0 <= commitment < math.inf:
            raise ValueError(f"commitment is {commitment}; it must be at least 0, and finite.")
        channels = check_count("channels", channels, least=2)
        self.codebook = Codebook(num_codes, code_size, revive)
        self.num_codes, self.grid, self.commitment = len(self.codebook.vectors), grid, commitment
        self.encoder = _encoder(channels, code_size, grid)
        self.decoder = _decoder(channels, code_size, grid)
        self.to(memory_format=torch.channels_last)  # what convolutions on a CPU are fastest with

    @property
    def num_parameters(self) -> int:
        """How many numbers training changes, those of the codes included."""
        weights = sum(weights.numel() for weights in self.parameters() if weights.requires_grad)
        return weights + self.codebook.vectors.numel()

    @property
    def device(self) -> torch.device:
        """The device that the model's numbers are on."""
        return self.codebook.vectors.device

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Describe each image by the codes nearest to what the encoder finds.

        Args:
            images: (N, 28, 28), uint8 levels or float intensities 0 to 1, as for `quantize`.

        Returns:
            Tokens, long (N, g, g), 0 to K - 1, on the CPU.

        Raises:
            TypeError, ValueError: If images are not as described.
        """
        levels = grey_levels(images, (SIDE, SIDE))
        return self._in_batches(lambda some: self.codebook.nearest(self.outputs(some)), levels)

    def decode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Turn codes into images.

        Args:
            tokens: integer (N, g, g), 0 to K - 1.

        Returns:
            Intensities, float (N, 28, 28), 0 to 1, on the CPU.

        Raises:
            TypeError: If tokens are not integers.
            ValueError: If a token is out of range or the grid is another.
        """
        self.check_codes(tokens)
        return self._in_batches(
            lambda some: self.pictures(self.codebook(some.long())).clamp(0, 1), tokens
        )

    def _in_batches(self, of: Callable, rows: torch.Tensor) -> torch.Tensor:
        """Apply a function to rows, in batches that are always full.

        Convolutions round a little differently in batches of another size: so padded, a row is
        the same whatever it was computed with.
        """
        size, number = self.eval_batch_size, len(rows)
        rows = F.pad(rows, (0, 0) * (rows.ndim - 1) + (0, -number % size if number else size))
        with evaluating(self):
            parts = [of(some).cpu() for (some,) in batches(size, self.device, rows)]
        return torch.cat(parts)[:number]

    def outputs(self, levels: torch.Tensor) -> torch.Tensor:
        """Return what the encoder finds, float (N, g, g, D), in images uint8 (N, 28, 28)."""
        grey = levels.to(self.codebook.vectors.dtype) / 255
        return self.encoder(grey[:, None]).movedim(1, -1)

    def pictures(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return what the decoder makes of vectors (N, g, g, D): (N, 28, 28), not yet clamped."""
        return self.decoder(vectors.movedim(-1, 1)).squeeze(1)

    def check_codes(self, tokens: torch.Tensor) -> None:
        """Raise unless these are codes of this model.

        Args:
            tokens: Should be an integer tensor (N, g, g), 0 to K - 1.

        Raises:
            TypeError: If tokens are not integers.
            ValueError: If a token is out of range or the grid is another.
        """
        check_tokens(tokens, self.num_codes)
        if tokens.ndim != 3 or tokens.shape[1:] != (self.grid, self.grid):
            raise ValueError(
                f"tokens must have shape (N, {self.grid}, {self.grid}), as encode returns them, "
                f"not {tuple(tokens.shape)}."
            )

    def check_input(self, inputs: torch.Tensor, labels: torch.Tensor | None = None) -> None:
        """Raise unless these are images (N, 28, 28), without labels."""
        grey_levels(inputs, (SIDE, SIDE))
        if labels is not None:
            raise ValueError("a VQ-VAE learns from images alone; give no labels.")

    def prepare(
        self, inputs: torch.Tensor, labels: torch.Tensor | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, ...]:
        """Return grey levels, and noise (N, g, g) that chooses where dead codes restart."""
        levels = grey_levels(inputs, (SIDE, SIDE))
        size = len(levels), self.grid, self.grid
        return levels, torch.rand(size, generator=generator, dtype=torch.float32, device="cpu")

    def training_loss(self, levels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch, a scalar; in training, the codes move, too."""
        outputs = self.outputs(levels)
        tokens = self.codebook.nearest(outputs)
        chosen = self.codebook(tokens)
        error = self._errors(self.pictures(straight_through(outputs, chosen)), levels).mean()
        distance = F.mse_loss(outputs.to(chosen.dtype), chosen)
        loss = error + self.commitment * distance
        # Where `fit` is going to stop, the codes stay as they are, in all processes alike.
        if self.training and bool(distributed.all_rows(loss[None]).isfinite().all()):
            self.codebook.update(outputs.flatten(0, 2), tokens.flatten(), noise.flatten())
        return loss

    def held_out_loss(
        self, inputs: torch.Tensor, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the squared error of each image's reconstruction, (N,), over the variance."""
        levels = grey_levels(inputs, (SIDE, SIDE)).cpu()
        return self._errors(self.decode(self.encode(levels)), levels)

    def _errors(self, pictures: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of each picture, (N,), over the variance of pixels."""
        dtype = self.codebook.vectors.dtype
        difference = pictures.to(dtype) - levels.to(dtype) / 255
        return difference.square().mean(dim=(1, 2)) / PIXEL_VARIANCE


class Residual(nn.Module):
    """Adds to each place something that it finds around it; (N, C, H, W) keeps its shape."""

    def __init__(self, channels: int) -> None:
        """Build it with random weights, for C = `channels`."""
        super().__init__()
        self.look = nn.Conv2d(channels, channels, 3, padding=1)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        """Return the places with what was found."""
        return places + self.mix(self.look(places.relu()).relu())


def _encoder(channels: int, code_size: int, grid: int) -> nn.Sequential:
    """Build what turns (N, 1, 28, 28) into (N, D, g, g)."""
    layers = [
        nn.Conv2d(1, channels // 2, 4, stride=2, padding=1),  # 14 x 14
        nn.ReLU(),
        nn.Conv2d(channels // 2, channels, 4, stride=2, padding=1),  # 7 x 7
    ]
    if grid == 3:
        layers += [nn.ReLU(), nn.Conv2d(channels, channels, 3, stride=2)]
    layers += [Residual(channels), Residual(channels), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(channels, code_size, 1))


def _decoder(channels: int, code_size: int, grid: int) -> nn.Sequential:
    """Build the encoder's mirror image: (N, D, g, g) into (N, 1, 28, 28).

    Its last layer is linear: behind a sigmoid, black would need endless numbers.
    """
    layers = [nn.Conv2d(code_size, channels, 1), Residual(channels), Residual(channels), nn.ReLU()]
    if grid == 3:
        layers += [nn.ConvTranspose2d(channels, channels, 3, stride=2), nn.ReLU()]  # 7 x 7
    return nn.Sequential(
        *layers,
        nn.ConvTranspose2d(channels, channels // 2, 4, stride=2, padding=1),  # 14 x 14
        nn.ReLU(),
        nn.ConvTranspose2d(channels // 2, 1, 4, stride=2, padding=1),  # 28 x 28
    )

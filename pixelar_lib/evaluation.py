"""Exact likelihoods of whole images, and the baselines that a model has to beat."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from pixelar_lib.context import raster
from pixelar_lib.models import PixelModel, WindowModel, batches, evaluating
from pixelar_lib.quantization import check_tokens


@dataclass(frozen=True)
class NLL:
    """The negative log-likelihood of a set of images under a model; smaller is better.

    Attributes:
        nats_per_pixel: Mean negative log-likelihood of a pixel, natural logarithm.
        standard_error: Of `nats_per_pixel`, over images; nan for a single image.
        pixels_per_image: H W.
        num_images: N.
    """

    nats_per_pixel: float
    standard_error: float
    pixels_per_image: int
    num_images: int

    @property
    def bits_per_dim(self) -> float:
        """The same with logarithm to base 2: bits a pixel ("dimension") costs on average."""
        return self.nats_per_pixel / math.log(2)

    @property
    def nats_per_image(self) -> float:
        """Mean negative log-likelihood of an image, natural logarithm."""
        return self.nats_per_pixel * self.pixels_per_image

    @property
    def perplexity(self) -> float:
        """The number of equally likely tokens that would be as hard to guess; K for mere chance."""
        return math.exp(self.nats_per_pixel)


def nll(
    model: PixelModel, tokens: torch.Tensor, labels: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the negative log-likelihood of each pixel given the pixels before it.

    Args:
        model: Keeps the contract of `PixelModel`.
        tokens: long (N, H, W), 0 to K - 1.
        labels: long (N,) for a conditional model, else None.

    Returns:
        float32 (N, H, W) on the CPU, nats; the sum over an image is its exact negative
        log-likelihood.

    Raises:
        TypeError: If tokens or labels are not integer tensors.
        ValueError: If there is no image, or tokens or labels do not fit the model.
    """
    model.check_input(tokens, labels)
    if not len(tokens):
        raise ValueError("there is no image to evaluate: tokens has length 0.")
    with evaluating(model):
        parts = [
            model.nll(some.long(), some_labels).float().cpu()
            for some, some_labels in batches(model.eval_batch_size, model.device, tokens, labels)
        ]
    return torch.cat(parts)


def evaluate(model: PixelModel, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> NLL:
    """Return the exact likelihood of images under a model, with its standard error.

    Args:
        model: Keeps the contract of `PixelModel`.
        tokens: long (N, H, W), 0 to K - 1.
        labels: long (N,) for a conditional model, else None.

    Returns:
        Nats per pixel and its other units.

    Raises:
        TypeError, ValueError: As `nll` does.
    """
    per_image = nll(model, tokens, labels).double().mean(dim=(1, 2))
    error = per_image.std() / math.sqrt(len(per_image)) if len(per_image) > 1 else math.nan
    return NLL(float(per_image.mean()), float(error), tokens[0].numel(), len(tokens))


def bits_per_dim(
    model: PixelModel, tokens: torch.Tensor, labels: torch.Tensor | None = None
) -> float:
    """Return the mean over all pixels of the negative log-likelihood, logarithm to base 2.

    Args:
        model: Keeps the contract of `PixelModel`.
        tokens: long (N, H, W), 0 to K - 1.
        labels: long (N,) for a conditional model, else None.

    Returns:
        Bits per dimension; at most log2(K) for a model that is no worse than guessing.

    Raises:
        TypeError, ValueError: As `nll` does.
    """
    return evaluate(model, tokens, labels).bits_per_dim


class UniformBaseline(PixelModel):
    """Every token is as likely as any other: log K nats per pixel, whatever the images."""

    def forward(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits (N, K, H, W) that are all zero, for tokens long (N, H, W)."""
        self.check_input(tokens, labels)
        num_images, height, width = tokens.shape
        size = num_images, self.num_bins, height, width
        return torch.zeros(size, dtype=torch.float32, device=tokens.device)


class PixelFrequencyBaseline(PixelModel):
    """Each position has its own distribution, counted over the training images.

    It knows where strokes are likely, and nothing about the other pixels of the same image.
    """

    def __init__(self, tokens: torch.Tensor, num_bins: int, smoothing: float = 1.0) -> None:
        """Count the tokens at each position.

        Args:
            tokens: long (N, H, W), the training images.
            num_bins: K.
            smoothing: Added to each count, above 0, so that no token is impossible.

        Raises:
            TypeError, ValueError: If tokens or smoothing are not as described.
        """
        _check_counting(tokens, num_bins, smoothing)
        super().__init__(num_bins, image_size=tuple(tokens.shape[1:]))
        counts = [(tokens == token).sum(dim=0) for token in range(num_bins)]
        smoothed = torch.stack(counts).double() + smoothing  # (K, H, W)
        self.register_buffer("log_frequencies", (smoothed / smoothed.sum(dim=0)).log().float())

    def forward(self, tokens: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return the log frequencies (N, K, H, W) of each position, for tokens long (N, H, W)."""
        self.check_input(tokens, labels)
        return self.log_frequencies.expand(len(tokens), -1, -1, -1)


class KGramBaseline(WindowModel):
    """Count what followed each run of k tokens; fall back on shorter runs where data is thin.

    The estimate for a run of length j leans on the one for j - 1, as if that had been seen
    `smoothing` times: p_j(x) = (n(run, x) + s p_{j-1}(x)) / (n(run) + s), and p_{-1} is
    uniform. Counting tokens is from Shannon, A Mathematical Theory of Communication, 1948.
    """

    def __init__(self, tokens: torch.Tensor, num_bins: int, k: int, smoothing: float = 4.0) -> None:
        """Count all runs of up to k tokens.

        Args:
            tokens: long (N, H, W), the training images.
            num_bins: K.
            k: Length of the longest run, in raster order; (K + 1)^k K must fit in 63 bits.
            smoothing: s, how often the shorter run's estimate counts, above 0.

        Raises:
            TypeError, ValueError: If tokens, k or smoothing are not as described.
        """
        _check_counting(tokens, num_bins, smoothing)
        super().__init__(num_bins, raster(k))
        if (num_bins + 1) ** k * num_bins >= 2**63:
            raise ValueError(
                f"k = {k} is too long: (K + 1)^k K must fit in 63 bits. Choose a smaller one."
            )
        self.smoothing = smoothing
        flat = tokens.long().flatten(1)  # (N, H W)
        padded = F.pad(flat, (k, 0), value=self.start_token)
        runs = torch.zeros_like(flat)
        for order in range(k + 1):
            if order:
                earlier = padded[:, k - order : k - order + flat.shape[1]]
                runs = runs + earlier * (num_bins + 1) ** (order - 1)
            self._count(order, runs.flatten(), flat.flatten())

    def _count(self, order: int, runs: torch.Tensor, following: torch.Tensor) -> None:
        pairs, counts = torch.unique(runs * self.num_bins + following, return_counts=True)
        runs = pairs // self.num_bins  # sorted, as the pairs are
        keys, rows = torch.unique_consecutive(runs, return_inverse=True)
        table = torch.zeros(len(keys), self.num_bins, dtype=torch.float32, device=keys.device)
        table[rows, pairs % self.num_bins] = counts.float()
        self.register_buffer(f"keys_{order}", keys)
        self.register_buffer(f"counts_{order}", table)

    def predict_windows(self, contexts: torch.Tensor) -> torch.Tensor:
        """Look up what followed each window, longest run last.

        Args:
            contexts: long (..., k), tokens 0 to K, where K is the start token.

        Returns:
            Logits, float (..., K), logarithms of the smoothed frequencies.
        """
        *_, longest = self.estimates(contexts)  # each leans on the one before
        return longest.log()

    def estimates(self, contexts: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the estimates p_0, p_1, ... p_k, which use 0, 1, ... k tokens of each window.

        Args:
            contexts: long (..., k), tokens 0 to K, where K is the start token.

        Yields:
            Probabilities, float (..., K).
        """
        runs = torch.zeros_like(contexts[..., 0])
        probabilities = torch.full_like(runs, 1 / self.num_bins, dtype=torch.float32)[..., None]
        for order in range(self.context.length + 1):
            if order:
                runs = runs + contexts[..., -order] * (self.num_bins + 1) ** (order - 1)
            counts = self._look_up(order, runs)
            total = counts.sum(dim=-1, keepdim=True)
            probabilities = (counts + self.smoothing * probabilities) / (total + self.smoothing)
            yield probabilities

    def _look_up(self, order: int, runs: torch.Tensor) -> torch.Tensor:
        keys, counts = self.get_buffer(f"keys_{order}"), self.get_buffer(f"counts_{order}")
        rows = torch.searchsorted(keys, runs).clamp(max=len(keys) - 1)
        return counts[rows] * (keys[rows] == runs)[..., None]  # zeros where the run is new


def _check_counting(tokens: torch.Tensor, num_bins: int, smoothing: float) -> None:
    check_tokens(tokens, num_bins)
    if tokens.ndim != 3 or not tokens.numel():
        raise ValueError(f"counting needs images (N, H, W), not tokens {tuple(tokens.shape)}.")
    if not 0 < smoothing < math.inf:
        raise ValueError(
            f"smoothing is {smoothing}; it must be finite and above 0, or a token that was "
            "never seen would cost infinitely many nats."
        )

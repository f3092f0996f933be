"""The only sampling loop: draw images pixel by pixel from any model that keeps the contract."""

from dataclasses import dataclass

import torch

from pixelar_lib.models import PixelModel, evaluating
from pixelar_lib.quantization import check_count
from pixelar_lib.runtime import pick_generator

DEFAULT_IMAGE_SIZE = (28, 28)
UNKNOWN = -1  # marks in `known` the pixels to draw
IMAGES_PER_CHUNK = 1024


@dataclass(frozen=True)
class Trace:
    """Drawn images, and what the model thought of each pixel when it was its turn.

    Attributes:
        tokens: long (N, H, W).
        chosen_probability: float32 (N, H, W), the probability of the token that stands there.
        entropy: float32 (N, H, W), nats, of the distribution that was drawn from.
    """

    tokens: torch.Tensor
    chosen_probability: torch.Tensor
    entropy: torch.Tensor


def sample(
    model: PixelModel,
    num_images: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    known: torch.Tensor | None = None,
    labels: torch.Tensor | None = None,
    image_size: int | tuple[int, int] | None = None,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Draw images pixel by pixel, each pixel given those before it (ancestral sampling).

    One uniform number a pixel decides, drawn beforehand on the CPU; so neither the device nor
    the number of images at a time changes a picture, and two temperatures can be compared
    under the same noise.

    Args:
        model: Keeps the contract of `PixelModel`.
        num_images: N.
        temperature: Divides the logits; 1 is the model itself, 0 means always the likeliest.
        top_k: Draw from the k likeliest tokens only, 1 to K.
        top_p: Draw from the fewest tokens that together have this probability, above 0 to 1
            (nucleus sampling, Holtzman et al. 2020). With top_k: applied after it.
        known: long (N, H, W) or (H, W): tokens to keep; -1 marks the pixels to draw. Each
            drawn pixel depends on the known pixels before it, not on those after it.
        labels: long (N,) for a conditional model, else None.
        image_size: H = W, or (H, W). Default: that of `known`, else of the model, else 28.
        generator: Source of the noise; default `seeded_generator()`.

    Returns:
        Tokens, long (N, H, W), on the CPU.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range or does not fit the model.
        FloatingPointError: If the model's logits are not finite.
    """
    return sample_with_trace(
        model,
        num_images,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        known=known,
        labels=labels,
        image_size=image_size,
        generator=generator,
    ).tokens


def sample_with_trace(
    model: PixelModel,
    num_images: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    known: torch.Tensor | None = None,
    labels: torch.Tensor | None = None,
    image_size: int | tuple[int, int] | None = None,
    generator: torch.Generator | None = None,
) -> Trace:
    """Draw images as `sample` does, and keep each pixel's probability and entropy.

    Args:
        model: As for `sample`, and so are all other arguments.
        num_images: N.
        temperature: Divides the logits; 0 means always the likeliest token.
        top_k: Draw from the k likeliest tokens only.
        top_p: Draw from the fewest tokens that together have this probability.
        known: Tokens to keep; -1 marks the pixels to draw.
        labels: long (N,) for a conditional model, else None.
        image_size: H = W, or (H, W).
        generator: Source of the noise.

    Returns:
        Tokens, chosen probability and entropy; at known pixels, of the known token.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range or does not fit the model.
        FloatingPointError: If the model's logits are not finite.
    """
    _check_truncation(temperature, top_k, top_p, model.num_bins)
    check_count("num_images", num_images)
    known = _known_pixels(model, num_images, known, image_size)  # (N, H, W)
    model.check_input(known.clamp(min=0), labels)
    noise = torch.rand(num_images, known[0].numel(), generator=pick_generator(generator))
    chunks = []
    with evaluating(model):
        for start in range(0, num_images, IMAGES_PER_CHUNK):
            part = slice(start, start + IMAGES_PER_CHUNK)
            some_labels = None if labels is None else labels[part].to(model.device)
            chunks.append(
                _draw_chunk(model, noise[part], known[part], some_labels, temperature, top_k, top_p)
            )
    return Trace(*(torch.cat(parts).view_as(known) for parts in zip(*chunks, strict=True)))


def next_token_distribution(
    logits: torch.Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> torch.Tensor:
    """Return the distribution that `sample` draws from, given a model's logits.

    Args:
        logits: float (..., K).
        temperature: Divides the logits; 0 puts everything on the (first) largest.
        top_k: Keep the k likeliest tokens only, 1 to K.
        top_p: Keep the fewest tokens that together have this probability, above 0 to 1.

    Returns:
        Probabilities, float (..., K), summing to 1.

    Raises:
        ValueError: If an argument is out of range.
    """
    _check_truncation(temperature, top_k, top_p, logits.shape[-1])
    if temperature == 0:
        likeliest = logits.argmax(dim=-1, keepdim=True)
        return torch.zeros_like(logits).scatter_(-1, likeliest, 1.0)
    scaled = logits - logits.amax(dim=-1, keepdim=True)  # a tiny temperature must not overflow
    temperature = max(temperature, torch.finfo(logits.dtype).tiny)  # nor vanish: 0 / 0
    probabilities = (scaled / temperature).softmax(dim=-1)
    if top_k is not None:
        kept = probabilities.topk(top_k, dim=-1).indices
        probabilities = probabilities * torch.zeros_like(logits).scatter_(-1, kept, 1.0)
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(dim=-1) - ordered  # what the likelier tokens have together
        kept = torch.where(before < top_p, ordered, 0.0)
        probabilities = torch.zeros_like(logits).scatter_(-1, order, kept)
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    return probabilities


def draw(probabilities: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Draw one token from each distribution: the first whose cumulative probability exceeds u.

    Args:
        probabilities: float (N, K), each row summing to 1.
        uniform: float (N,), numbers from 0 to below 1.

    Returns:
        long (N,); never a token of probability 0.
    """
    tokens = (probabilities.cumsum(dim=1) <= uniform[:, None]).sum(dim=1)
    # Rounding can leave the last sum just below u: then it is the last possible token.
    places = torch.arange(probabilities.shape[1], device=probabilities.device)
    return torch.minimum(tokens, (places * (probabilities > 0)).amax(dim=1))


def _draw_chunk(model, noise, known, labels, temperature, top_k, top_p) -> tuple:
    device = model.device
    noise, tokens = noise.to(device), known.clamp(min=0).to(device)
    flat, fixed = tokens.view(len(tokens), -1), (known != UNKNOWN).flatten(1).to(device)
    chosen, entropy = torch.empty_like(noise), torch.empty_like(noise)
    largest_logits = noise.new_zeros(len(noise))
    logits_of = model.incremental_logits(tokens, labels)
    for pixel in range(flat.shape[1]):
        logits = logits_of(pixel)  # (N, K)
        largest_logits += logits.amax(dim=1)  # NaN and infinity stay in the sum
        distribution = next_token_distribution(logits, temperature, top_k, top_p)
        drawn = draw(distribution, noise[:, pixel])
        flat[:, pixel] = torch.where(fixed[:, pixel], flat[:, pixel], drawn)
        chosen[:, pixel] = distribution.gather(1, flat[:, pixel, None])[:, 0]
        # Not special.entr, which torch 2.6 lacks on Apple's GPUs; and not -x, which can be -0.0.
        entropy[:, pixel] = 0 - torch.xlogy(distribution, distribution).sum(dim=1)
    if not largest_logits.isfinite().all():
        raise FloatingPointError("the logits are not finite; train the model again, more gently.")
    return tokens.cpu(), chosen.cpu(), entropy.cpu()


def _known_pixels(model, num_images, known, image_size) -> torch.Tensor:
    """Return long (N, H, W) with the tokens to keep, and -1 wherever a pixel is to be drawn."""
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    if size is not None:
        _check_size(size)
    if known is None:
        return torch.full((num_images, *(size or model.image_size or DEFAULT_IMAGE_SIZE)), UNKNOWN)
    if not isinstance(known, torch.Tensor) or known.dtype != torch.long:
        raise TypeError("known must be a long tensor of tokens, with -1 where to draw.")
    if known.ndim == 2:
        known = known.expand(num_images, -1, -1)
    if known.ndim != 3 or len(known) != num_images or not known.numel():
        raise ValueError(
            f"known must have shape (H, W) or ({num_images}, H, W), not {tuple(known.shape)}."
        )
    if size is not None and tuple(size) != tuple(known.shape[1:]):
        raise ValueError(f"image_size is {size}, but known is {tuple(known.shape[1:])}.")
    if not UNKNOWN <= int(known.min()) <= int(known.max()) < model.num_bins:
        raise ValueError(
            f"known must hold tokens 0 to {model.num_bins - 1}, or -1 where to draw; "
            f"it ranges from {int(known.min())} to {int(known.max())}."
        )
    return known.cpu().contiguous()


def _check_size(size) -> None:
    is_pair = isinstance(size, tuple | list) and len(size) == 2
    if not is_pair or not all(isinstance(side, int) and side >= 1 for side in size):
        raise ValueError(f"image_size is {size!r}; give an int or a pair (H, W), each at least 1.")


def _check_truncation(temperature, top_k, top_p, num_bins) -> None:
    if not 0 <= temperature < float("inf"):
        raise ValueError(
            f"temperature is {temperature}; it must be a number of at least 0 "
            "(0 means: always the likeliest token)."
        )
    if top_k is not None:
        check_count("top_k", top_k, most=num_bins)
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}; it must be above 0 and at most 1.")

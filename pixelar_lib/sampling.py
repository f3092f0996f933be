"""The only sampling loop: draw images pixel by pixel from any model that keeps the contract."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import itemgetter

import torch

from pixelar_lib.known import UNKNOWN, known_pixels
from pixelar_lib.models import PixelModel, batches, evaluating
from pixelar_lib.next_token import check_truncation, draw, next_token_distribution
from pixelar_lib.quantization import check_count
from pixelar_lib.runtime import pick_generator

IMAGES_PER_CHUNK = 1024
NOT_FINITE = "the logits are not finite; train the model again, with a lower learning rate."
KEYS_KEPT = 4096  # more than FEW digits have pixels
SMALL_STEPS = 64  # images up to which a step is too small for two threads
FEW = 4  # images up to which a model with context keys draws them one after the other


@dataclass(frozen=True)
class Trace:
    """Drawn images, and what the model expected of each pixel when its turn came.

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

    One uniform number a pixel decides, drawn beforehand on the CPU; so, but for rounding, neither
    the device nor the number of images at a time changes a picture, and two temperatures can be
    compared under the same noise.

    Args:
        model: A `PixelModel`.
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
    num_images = check_count("num_images", num_images)
    if not isinstance(model, PixelModel):
        kind = type(model).__name__
        raise TypeError(
            f"model is a {kind}; sample draws from a PixelModel. (A VQVAE gets its codes from a "
            "prior, which is one: vqvae.decode(sample(prior, N, image_size=vqvae.grid)).)"
        )
    check_truncation(temperature, top_k, top_p, model.num_bins)
    choose = partial(next_token_distribution, temperature=temperature, top_k=top_k, top_p=top_p)
    known = known_pixels(model, num_images, known, image_size)  # (N, H, W)
    model.check_input(known.clamp(min=0), labels)
    noise = torch.rand(
        (num_images, known[0].numel()),
        generator=pick_generator(generator),
        dtype=torch.float32,
        device="cpu",
    )
    with evaluating(model), _threads_for(num_images):
        chunks = [
            _draw(model, choose, *chunk)
            for chunk in batches(IMAGES_PER_CHUNK, torch.device("cpu"), known, noise, labels)
        ]
    return Trace(*(torch.cat(parts).view_as(known) for parts in zip(*chunks, strict=True)))


@contextmanager
def _threads_for(num_images: int) -> Iterator[None]:
    """Let small steps run on one thread: a second one brings nothing, and has to be waited for.

    Beside another busy process that wait is most of the time. Each thread has a setting of its own
    (one that calls torch for the first time meanwhile begins with 1), so each restores its own.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if num_images <= SMALL_STEPS else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _draw(model, choose, known, noise, labels) -> tuple:
    keys = model.context_keys(*known.shape[1:])
    if keys is not None and len(known) <= FEW and model.device.type == "cpu":
        return _draw_one_by_one(model, choose, known, noise, labels, keys)
    return _draw_together(model, choose, known, noise, labels)


def _draw_together(model, choose, known, noise, labels) -> tuple:
    """Draw one pixel of all images at a time. What a step needs lies side by side: (H W, N)."""
    size, device = known.shape[1:], model.device
    fixed = (known != UNKNOWN).flatten(1).t().to(device)
    some_fixed = fixed.any(dim=1).tolist()
    noise = noise.t().contiguous().to(device)
    flat = known.clamp(min=0).flatten(1).t().contiguous().to(device)
    chosen, entropy = noise.new_zeros(2, *noise.shape)
    largest_logits = noise.new_zeros(len(known))
    labels = None if labels is None else labels.to(device)
    logits_of = model.incremental_logits(flat.t().unflatten(1, size), labels)
    distributions, width = [], size[1]
    for pixel in range(len(flat)):
        logits = logits_of(pixel)  # (N, K)
        largest_logits += logits.amax(dim=1)  # NaN and infinity stay in the sum
        distribution = choose(logits)
        drawn = draw(distribution, noise[pixel])
        flat[pixel] = torch.where(fixed[pixel], flat[pixel], drawn) if some_fixed[pixel] else drawn
        distributions.append(distribution)
        if len(distributions) == width:  # a row at a time takes fewer steps
            row = slice(pixel + 1 - width, pixel + 1)
            block = torch.stack(distributions)  # (W, N, K)
            chosen[row] = block.gather(2, flat[row, :, None])[..., 0]
            entropy[row] = _entropy(block)
            distributions.clear()
    if not largest_logits.isfinite().all():
        raise FloatingPointError(NOT_FINITE)
    return tuple(values.t().cpu() for values in (flat, chosen, entropy))


def _draw_one_by_one(model, choose, known, noise, labels, keys) -> tuple:
    """Draw a few images one after the other: what follows equal keys is worked out once."""
    predict, distributions = model.key_predictor(), []

    @lru_cache(KEYS_KEPT)
    def outcome(key):
        logits = predict(torch.tensor(key, device="cpu").view(1, -1))
        if not math.isfinite(logits.amax()):
            raise FloatingPointError(NOT_FINITE)
        distributions.append(choose(logits))
        (probabilities,), (cumulative,) = (
            some.tolist() for some in (distributions[-1], distributions[-1].cumsum(dim=1))
        )
        return probabilities, cumulative, len(distributions) - 1

    key_at = [itemgetter(*index) for index in keys.tolist()]
    special = [[model.num_bins]] * len(known)  # found at OUTSIDE, the last place
    if labels is not None:  # found at LABEL, the last but one
        special = [[model.num_bins + 1 + label, model.num_bins] for label in labels.tolist()]
    drawn, rows = [], []
    pictures = zip(known.flatten(1).tolist(), noise.tolist(), special, strict=True)
    for image, uniform, last in pictures:
        image += last
        for pixel, key_of in enumerate(key_at):
            probabilities, cumulative, row = outcome(key_of(image))
            rows.append(row)
            if image[pixel] == UNKNOWN:
                token = bisect_right(cumulative, uniform[pixel])
                while token == len(probabilities) or not probabilities[token]:
                    token -= 1  # as in draw: rounding left the last sum just below u
                image[pixel] = token
        drawn.append(image[: -len(last)])
    drawn, rows = (torch.tensor(some, device="cpu").view(noise.shape) for some in (drawn, rows))
    distributions = torch.cat(distributions)  # (U, K)
    chosen, entropy = distributions[rows, drawn], _entropy(distributions)[rows]
    return drawn, chosen.float(), entropy.float()


def _entropy(distribution: torch.Tensor) -> torch.Tensor:
    # Not special.entr, which torch 2.6 lacks on Apple's GPUs; and not -x, which can be -0.0.
    return 0 - torch.xlogy(distribution, distribution).sum(dim=-1)
